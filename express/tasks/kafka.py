"""``arn:express:tasks:::kafka:produce``: one record to a topic, acknowledged by all in-sync replicas before the state succeeds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaProducer, errors
from aiokafka.protocol.metadata import MetadataRequest

from express import kafka
from express.addresses import Address
from express.errors import ConnectionFailed
from express.options import Connection, KafkaConnection
from express.runtime.failures import StateError
from express.runtime.suspensions import Call
from express.tasks import own
from express.tasks.integration import Resource, pool

LABEL = "kafka:produce"
LARGEST = 1_000_000  # bytes of a request, beyond a payload and its headers; a broker's own limit is its topic's
STOP_SECONDS = 2.0
PARTITIONS = 2**31 - 1
NEW_TOPIC = 2.0  # seconds in which a topic that was just made becomes known to every broker


def bind(resource: Resource, parameters: Any, connections: Mapping[str, Connection]) -> Produce:
    """ResourceMissing without a connection to Kafka."""
    return Produce(resource, own.connection(resource, parameters, connections, KafkaConnection, "kafka"))


class Producers:
    """One idempotent producer for each connection, on each event loop that runs Tasks."""

    stuck = 0

    def __init__(self, executor: Any) -> None:
        self._making: dict[KafkaConnection, asyncio.Task[Any]] = {}
        self._topics: dict[KafkaConnection, dict[str, int]] = {}
        kafka.spare()

    async def open(self, connection: KafkaConnection) -> Any:
        task = self._making.get(connection)
        if task is not None and task.done() and not _alive(task):
            if not task.cancelled() and task.exception() is None:
                await _closed(task.result())
            if self._making.get(connection) is task:
                del self._making[connection]
                self._topics.pop(connection, None)
            task = self._making.get(connection)
        if task is None:
            task = self._making[connection] = asyncio.create_task(_made(connection), name="express-kafka-task")
        # Shielded: another call may wait for the same
        return await asyncio.shield(task)

    async def partitions(self, connection: KafkaConnection, producer: Any, topic: str) -> int:
        """How many the topic has; asked once, such that no broker makes a topic because an event named it."""
        known = self._topics.setdefault(connection, {})
        until = time.monotonic() + NEW_TOPIC
        while topic not in known:
            client = producer.client
            answer = await client.send(client.get_random_node(), MetadataRequest([topic], allow_auto_topic_creation=False))
            code, parts = next((each[0], each[-1]) for each in answer.topics)
            error = errors.for_code(code)
            if error is errors.NoError and parts:
                known[topic] = len(parts)
            elif not issubclass(error, (errors.UnknownTopicOrPartitionError, errors.LeaderNotAvailableError, errors.NoError)):
                raise error(topic)
            elif time.monotonic() > until:
                raise errors.UnknownTopicOrPartitionError(topic)
            else:
                await asyncio.sleep(0.2)
        return known[topic]

    async def close(self) -> None:
        making, self._making = list(self._making.values()), {}
        for task in making:
            if not task.done():
                task.cancel()
        for made in await asyncio.gather(*making, return_exceptions=True):
            if not isinstance(made, BaseException):
                await _closed(made)


def _alive(task: asyncio.Task[Any]) -> bool:
    """Whether a producer was made, and still sends: what it cannot recover from ends its sender."""
    if task.cancelled() or task.exception() is not None:
        return False
    sender = task.result()._sender.sender_task
    return sender is not None and not sender.done()


async def _made(connection: KafkaConnection) -> Any:
    where = _where(connection)
    producer = AIOKafkaProducer(
        **where.client, enable_idempotence=True, acks="all", linger_ms=0, max_request_size=LARGEST, request_timeout_ms=30_000
    )
    try:
        await kafka.connected(producer.start(), where)
    except BaseException:
        await _closed(producer)
        raise
    return producer


def _where(connection: KafkaConnection, topic: str = "") -> kafka.Endpoint:
    return kafka.endpoint(Address("kafka:", "kafka", (), topic, {}), connection, "tasks")


async def _closed(producer: Any) -> None:
    lines = kafka.lines(producer.client)
    if not await kafka.within(STOP_SECONDS, producer.stop()):
        await kafka.abandon([producer._sender.sender_task], producer.client, lines)
    await kafka.cut(lines)


class Produce(own.Own):
    """``{Topic, Value, Key?, Headers?, Partition?, Connection?}``; the result is ``{Topic, Partition, Offset, Timestamp}``."""

    connection: KafkaConnection
    opened = Producers

    async def perform(self, payload: Any, call: Call) -> Any:
        given = own.fields(LABEL, payload)
        topic = given["Topic"]
        if not isinstance(topic, str) or kafka.problems(Address("kafka:", "kafka", (), topic, {}), self.connection, ()):
            raise own.runtime(f"{LABEL}: Topic must be the name of a topic: up to 249 letters, digits, '.', '_' and '-'.")
        partition = own.whole(LABEL, "Partition", given.get("Partition"), PARTITIONS)
        key, headers = own.key(LABEL, given.get("Key")), own.headers(LABEL, given.get("Headers"))
        producers = pool(call, Producers)
        try:
            producer = await producers.open(self.connection)
            count = await producers.partitions(self.connection, producer, topic)
            if partition is not None and partition >= count:
                raise own.runtime(f"{LABEL}: topic {topic!r} has {count} partitions, from 0.")
            future = await producer.send(topic, own.content(given["Value"]), key=key, partition=partition, headers=headers)
            # Shielded: a record that is in a batch goes out with it, whoever still waits
            sent = await asyncio.shield(future)
        except (errors.KafkaError, ConnectionFailed, OSError) as error:
            raise failure(error, _where(self.connection, topic)) from None
        return {"Topic": sent.topic, "Partition": sent.partition, "Offset": sent.offset, "Timestamp": sent.timestamp}


def failure(error: Exception, where: kafka.Endpoint) -> StateError:
    """``Kafka.`` and the name that Kafka has for the error, without its "Error"."""
    if isinstance(error, ConnectionFailed):
        refused = isinstance(error.__cause__, (errors.AuthenticationFailedError, errors.SaslAuthenticationFailed))
        return StateError("Kafka.AuthenticationFailed" if refused else "Kafka.ConnectionFailed", str(error))
    if isinstance(error, (errors.KafkaConnectionError, OSError)):
        return StateError("Kafka.ConnectionFailed", kafka.sentence(error, where))
    return StateError(f"Kafka.{type(error).__name__.removesuffix('Error')}", kafka.sentence(error, where))
