"""The Kafka source passes what every source must pass."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from consumers.kafka import KafkaSource
from tests.brokers.kafka_bed import Kafka
from tests.consumers.contract import Bed, SourceContract
from tests.consumers.kafka_harness import opened

pytestmark = pytest.mark.kafka


class KafkaBed(Bed):
    def __init__(self, kafka: Kafka, partitions: int = 1) -> None:
        self.kafka, self.partitions = kafka, partitions
        self.topic, self.group = kafka.topic(partitions), kafka.group()

    async def append(
        self, values: Sequence[bytes], partition: int = 0, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        await asyncio.to_thread(self.kafka.produce, self.topic, [(key, value, partition, list(headers)) for value in values])

    def open(self) -> KafkaSource:
        return opened(self.kafka, self.topic, self.group)

    def missing(self) -> KafkaSource:
        return opened(Kafka("outside", "127.0.0.1:9"), "orders", "g")


class TestOnePartition(SourceContract):
    @pytest.fixture
    def bed(self, kafka: Kafka) -> KafkaBed:
        return KafkaBed(kafka)


@pytest.mark.uvloop_only  # once is enough
class TestThreePartitions(SourceContract):
    @pytest.fixture
    def bed(self, kafka: Kafka) -> KafkaBed:
        return KafkaBed(kafka, partitions=3)

    # Said of partition 0 alone
    test_stop_can_be_called_at_any_time_and_again = None  # type: ignore[assignment]
    test_one_that_cannot_start_says_so_in_a_sentence_and_can_be_stopped = None  # type: ignore[assignment]
