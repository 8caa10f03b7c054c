"""Dead letters in a Kafka topic; a letter's id is ``PARTITION-OFFSET``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from express import kafka
from express.addresses import Address
from express.dlq.boxes import Box
from express.dlq.letters import Letter, letter
from express.errors import ConfigurationError, ConnectionFailed
from express.options import Connection

CLOSE_SECONDS = 2.0
READ_SECONDS = 15.0  # without a record although there are some


def open_box(address: Address, connection: Connection | None) -> Box:
    """``kafka://HOST:9092/TOPIC?connection=NAME``"""
    if problems := kafka.problems(address, connection, ()):
        raise ConfigurationError(*problems)
    return KafkaBox(kafka.endpoint(address, connection, "dlq"))


class KafkaBox(Box):
    """Reads beside all groups. Kafka removes records only from the beginning of a partition, so ``remove`` takes those that are a
    beginning, and refuses others."""

    def __init__(self, endpoint: kafka.Endpoint) -> None:
        self._endpoint = endpoint
        self._consumer: Any = None

    async def start(self) -> None:
        self._consumer = AIOKafkaConsumer(
            **self._endpoint.client, enable_auto_commit=False, auto_offset_reset="earliest", isolation_level="read_committed"
        )
        try:
            await kafka.connected(self._connect(), self._endpoint)
        except BaseException:
            await self.stop()
            raise

    async def _connect(self) -> None:
        await self._consumer.start()
        count = await kafka.partitions(self._consumer._client, self._endpoint)
        self._consumer.assign([TopicPartition(self._endpoint.topic, number) for number in range(count)])

    async def letters(self) -> AsyncIterator[Letter]:
        consumer = self._consumer
        partitions = sorted(consumer.assignment())
        begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, begins[partition])
        left = {partition for partition in partitions if begins[partition] < ends[partition]}
        while left:
            # Never cancelled: see docs/kafka.md
            batches = await consumer.getmany(*left, timeout_ms=int(READ_SECONDS * 1000), max_records=500)
            for partition, records in batches.items():
                for record in records:
                    if record.offset < ends[partition]:
                        yield letter(f"{record.partition}-{record.offset}", record.key, record.value, record.headers)
            done = set()
            for partition in left:
                if await consumer.position(partition) >= ends[partition]:
                    done.add(partition)
            if not batches and not done:
                raise ConnectionFailed(f"no record of {self._endpoint} within {READ_SECONDS:.0f} s although there are some")
            left -= done

    async def removable(self, ids: Collection[str]) -> None:
        await self._beginnings(ids)

    async def _beginnings(self, ids: Collection[str]) -> dict[int, int]:
        """Of each partition the offset before which everything goes; ConfigurationError when that would be more than these."""
        wanted: dict[int, set[int]] = {}
        for each in ids:
            partition, _, offset = each.partition("-")
            wanted.setdefault(int(partition), set()).add(int(offset))
        kept: dict[int, int] = {}  # the first letter of each partition that is to stay
        async for one in self.letters():
            number, _, offset = one.id.partition("-")
            if int(offset) not in wanted.get(int(number), ()):
                kept.setdefault(int(number), int(offset))
        for place, offsets in sorted(wanted.items()):
            if (last := max(offsets)) > kept.get(place, last):
                raise ConfigurationError(
                    f"{self._endpoint}: Kafka removes records only from the beginning of a partition: before {place}-{last} there is"
                    f" {place}-{kept[place]}, which is to stay"
                )
        return {place: max(offsets) + 1 for place, offsets in wanted.items()}

    async def remove(self, ids: Collection[str]) -> None:
        before = await self._beginnings(ids)
        admin = AIOKafkaAdminClient(**self._endpoint.client)
        try:
            await kafka.connected(self._delete(admin, before), self._endpoint)
        finally:
            lines = kafka.lines(admin._client)
            await kafka.within(CLOSE_SECONDS, admin.close())
            await kafka.cut(lines)

    async def _delete(self, admin: Any, before: dict[int, int]) -> None:
        await admin.start()
        topic = self._endpoint.topic
        beginnings = {TopicPartition(topic, number): RecordsToDelete(before_offset=offset) for number, offset in before.items()}
        await admin.delete_records(beginnings)

    async def stop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            lines = kafka.lines(consumer._client)
            await kafka.within(CLOSE_SECONDS, consumer.stop())
            await kafka.cut(lines)
