"""A Kafka broker as tests see it: topics, records in and out, what a group has committed. Blocking, by confluent-kafka: not the client
under test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import aiokafka
import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
)

QUIET: dict[str, Any] = {"log_level": 0, "error_cb": lambda error: None}


class Written(NamedTuple):
    """One record as it stands in a topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


def _await_standstill(process: int) -> None:
    """A thread on another processor may go on for a moment after the signal; where there is a /proc, it is waited for."""
    patience = time.monotonic() + 5
    while any(_goes_on(stat) for stat in Path(f"/proc/{process}/task").glob("*/stat")):
        assert time.monotonic() < patience, f"process {process} does not stand still"
        time.sleep(0.005)


def _goes_on(thread: Path) -> bool:
    try:
        return thread.read_text().rpartition(")")[2].split()[0] != "T"
    except (FileNotFoundError, ProcessLookupError):
        return False  # it has ended


def _written(record: Any) -> Written:
    return Written(record.partition(), record.offset(), record.key(), record.value(), dict(record.headers() or []))


class Kafka:
    """One cluster, whichever kind: ``kind`` is apache, mock or outside."""

    def __init__(self, kind: str, servers: str, cluster: Any = None) -> None:
        self.kind, self.servers, self.cluster = kind, servers, cluster

    @classmethod
    def open(cls, kind: str, servers: str = "", brokers: int = 1, **how: Any) -> Kafka:
        """``how``: of a cluster of real brokers."""
        if kind == "outside":
            return cls(kind, servers)
        if kind == "mock":
            from tests.brokers import mock

            imitation = mock.Cluster(brokers)
            return cls(kind, imitation.servers, imitation)
        from tests.brokers import apache

        real = apache.Cluster(brokers, **how)
        try:
            real.start()
        except BaseException:
            real.close()
            raise
        return cls(kind, real.servers, real)

    def close(self) -> None:
        if self.cluster:
            self.cluster.close()

    # The broker itself

    def stop(self, *numbers: int, **how: Any) -> None:
        """Stops the broker, or those named; a test on somebody else's broker is skipped instead."""
        if not self.cluster:
            pytest.skip("needs a broker that it may stop, not the one of EXPRESS_TEST_KAFKA")
        self.cluster.stop(*numbers, **how)

    def start(self) -> None:
        self.cluster.start()

    def mend(self) -> None:
        if self.cluster:
            self.cluster.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """While entered the broker answers nobody, and refuses nobody."""
        if self.kind != "apache":
            pytest.skip("needs a broker of its own to freeze")
        for node in self.cluster.nodes:
            os.kill(node.process.pid, signal.SIGSTOP)
        for node in self.cluster.nodes:
            _await_standstill(node.process.pid)
        try:
            yield
        finally:
            for node in self.cluster.nodes:
                os.kill(node.process.pid, signal.SIGCONT)

    @contextlib.contextmanager
    def proxied(self) -> Iterator[tuple[Any, Kafka]]:
        """A proxy, which can be told to lose what goes through it, and the same brokers as they are reached through it."""
        from tests.chaos.proxy import Proxy

        if self.kind != "apache":
            pytest.skip("needs a Kafka broker that the tests start themselves, with java and mvn")
        proxy = Proxy(self.cluster.nodes)
        try:
            yield proxy, Kafka("outside", self.cluster.outer_servers)
        finally:
            proxy.close()

    @contextlib.contextmanager
    def imitation(self, why: str, brokers: int = 1) -> Iterator[Any]:
        """A mock cluster of the test's own, for errors that a real broker does not give on request."""
        from tests.brokers import mock

        if lacking := mock.missing():
            pytest.skip(f"{why}: {lacking}")
        cluster = mock.Cluster(brokers)
        try:
            yield cluster
        finally:
            cluster.close()

    # Names that no other test uses

    def topic(self, partitions: int = 1, copies: int = 1, **settings: str) -> str:
        """A new topic."""
        name = f"t{uuid.uuid4().hex[:12]}"
        if self.kind == "mock":
            self.cluster.topic(name, partitions)
            return name
        admin = AdminClient({"bootstrap.servers": self.servers, **QUIET})
        config = {key.replace("_", "."): value for key, value in settings.items()}
        admin.create_topics([NewTopic(name, partitions, copies, config=config)], operation_timeout=20)[name].result(30)
        patience = time.monotonic() + 20
        while time.monotonic() < patience:  # a client that asks too early is told that there is no such topic
            found = admin.list_topics(name, timeout=5).topics[name]
            if len(found.partitions) == partitions and all(part.leader >= 0 for part in found.partitions.values()):
                return name
            time.sleep(0.05)
        raise TimeoutError(f"topic {name} has no leaders")

    def configure(self, topic: str, **settings: str) -> None:
        """Changes settings of a topic."""
        admin = AdminClient({"bootstrap.servers": self.servers, **QUIET})
        entries = [
            ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()
        ]
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
        admin.incremental_alter_configs([resource])[resource].result(30)

    def grow(self, topic: str, partitions: int) -> None:
        admin = AdminClient({"bootstrap.servers": self.servers, **QUIET})
        admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(30)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """As retention does."""
        admin = AdminClient({"bootstrap.servers": self.servers, **QUIET})
        for outcome in admin.delete_records([TopicPartition(topic, partition, before)]).values():
            outcome.result(30)

    def group(self) -> str:
        return f"g{uuid.uuid4().hex[:12]}"

    # Records

    def produce(self, topic: str, records: Iterable[Sequence[Any]], **settings: Any) -> None:
        """Writes (key, value[, partition[, headers]]) and returns when all are acknowledged."""
        producer = Producer(
            {"bootstrap.servers": self.servers, "linger.ms": 5, "enable.idempotence": self.kind != "mock", **QUIET, **settings}
        )
        failures: list[Any] = []

        def delivered(error: Any, _message: Any) -> None:
            if error:
                failures.append(error)

        for key, value, *where in records:
            while True:
                try:
                    producer.produce(
                        topic, value, key, where[0] if where else -1, on_delivery=delivered, headers=where[1] if where[1:] else None
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        left = producer.flush(60)
        if left or failures:
            raise RuntimeError(f"{left} records not written to {topic}: {failures[:1]}")

    def produce_in_transaction(self, topic: str, values: Iterable[bytes], commit: bool) -> None:
        producer = Producer({"bootstrap.servers": self.servers, "transactional.id": uuid.uuid4().hex, **QUIET})
        producer.init_transactions(30)
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value)
        producer.flush(30)
        if commit:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)

    def read(self, topic: str, count: int | None = None, seconds: float = 30.0) -> list[Written]:
        """``count`` records of a topic from its beginning, or all there are now; waits at most ``seconds`` for the last of them."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": "reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                **QUIET,
            }
        )
        try:
            partitions = [
                TopicPartition(topic, number, OFFSET_BEGINNING)
                for number in sorted(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
            ]
            if count is None:
                ends = [consumer.get_watermark_offsets(TopicPartition(topic, part.partition), timeout=10) for part in partitions]
                count = sum(high - low for low, high in ends)
            consumer.assign(partitions)
            found: list[Written] = []
            patience = time.monotonic() + seconds
            while len(found) < count and time.monotonic() < patience:
                for record in consumer.consume(min(1000, count - len(found)), timeout=0.2):
                    if record.error():
                        raise KafkaException(record.error())
                    found.append(_written(record))
            return found
        finally:
            consumer.close()

    # The group

    # By aiokafka: confluent-kafka writes and reads metadata one byte beyond its end

    def committed(self, group: str, topic: str, partitions: Sequence[int]) -> dict[int, tuple[int, str]]:
        """What the group has committed: partition -> (offset, metadata); without those that have nothing."""
        return self._as_group(group, lambda consumer: self._read_committed(consumer, topic, partitions))

    def commit(self, group: str, topic: str, positions: Mapping[int, tuple[int, str]]) -> None:
        """Commits for a group that has no members."""
        self._as_group(group, lambda consumer: self._write_committed(consumer, topic, positions))

    def _as_group(self, group: str, act: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        async def acting() -> Any:
            consumer = AIOKafkaConsumer(bootstrap_servers=self.servers, group_id=group, enable_auto_commit=False)
            await consumer.start()
            try:
                return await act(consumer)
            finally:
                await consumer.stop()

        with ThreadPoolExecutor(1) as thread:  # it may be called where a loop runs
            return thread.submit(lambda: asyncio.run(acting())).result(60)

    @staticmethod
    async def _read_committed(consumer: Any, topic: str, partitions: Sequence[int]) -> dict[int, tuple[int, str]]:
        found = await consumer._coordinator.fetch_committed_offsets([aiokafka.TopicPartition(topic, number) for number in partitions])
        return {part.partition: (known.offset, known.metadata) for part, known in found.items()}

    @staticmethod
    async def _write_committed(consumer: Any, topic: str, positions: Mapping[int, tuple[int, str]]) -> None:
        parts = {aiokafka.TopicPartition(topic, number): position for number, position in positions.items()}
        consumer.assign(list(parts))
        await consumer.commit(parts)
