"""The Kafka sink on a broker: what is written, where, and what happens when it cannot be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest

from express import addresses
from express.commits import Tracker
from express.errors import ConfigurationError, ConnectionFailed
from express.options import SinkOptions
from express.sinks import Entry
from express.sinks.kafka import KafkaSink, open_sink
from express.sources import Assignment
from tests.brokers.kafka_bed import Kafka

pytestmark = pytest.mark.kafka


class Source(msgspec.Struct):
    """A record that is answered."""

    topic: str
    partition: int
    offset: int
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = 0


class Desk:
    """A sink at work, and what it has reported."""

    def __init__(self, sink: KafkaSink) -> None:
        self.sink = sink
        self.acknowledged: list[Entry] = []
        self.batches: list[int] = []
        self.rejected: list[tuple[Entry, str]] = []
        self.failures: list[Exception] = []

    async def start(self) -> None:
        await self.sink.start(self._acknowledge, lambda entry, why: self.rejected.append((entry, why)), self.failures.append)

    def _acknowledge(self, entries: Sequence[Entry]) -> None:
        self.acknowledged += entries
        self.batches.append(len(entries))

    def put(self, values: Sequence[bytes | None], partition: int = 0, of: int = 1, key: bytes | None = b"k") -> list[Entry]:
        assignment = Assignment("source", partition, Tracker())
        assignment.partitions = of
        entries = [
            Entry(assignment, Source("source", partition, number, key), value, [("n", b"%d" % number)])
            for number, value in enumerate(values)
        ]
        self.sink.put(entries)
        return entries

    async def until_settled(self, count: int, seconds: float = 30.0) -> None:
        patience = time.monotonic() + seconds
        while len(self.acknowledged) + len(self.rejected) < count:
            assert time.monotonic() < patience, f"{len(self.acknowledged)} acknowledged, {len(self.rejected)} rejected of {count}"
            await asyncio.sleep(0.02)


@asynccontextmanager
async def desk(servers: str, topic: str) -> AsyncIterator[Desk]:
    made = Desk(open_sink(addresses.parse(f"kafka://{servers}/{topic}"), SinkOptions(name="test")))
    await made.start()
    try:
        yield made
    finally:
        began = time.monotonic()
        await made.sink.stop()
        assert time.monotonic() - began < 12


async def test_what_is_put_is_written_with_key_value_and_headers_and_then_acknowledged(kafka: Kafka) -> None:
    topic = kafka.topic()
    async with desk(kafka.servers, topic) as made:
        entries = made.put([b"one", b"null", None], key=b"k") + made.put([b"keyless"], key=None)
        await made.sink.flush()
        assert made.acknowledged == entries
        assert made.sink.ready()
    written = kafka.read(topic, 4)
    assert [(record.key, record.value) for record in written] == [(b"k", b"one"), (b"k", b"null"), (b"k", None), (None, b"keyless")]
    assert written[1].headers == {"n": b"1"}


@pytest.mark.uvloop_only
async def test_a_connection_whose_other_end_is_gone_is_given_up_and_nothing_is_written_twice(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KafkaSink, "answer_seconds", 1.5)
    topic = kafka.topic()
    with kafka.proxied() as (proxy, by_proxy):
        async with desk(by_proxy.servers, topic) as made:
            made.put([b"before"])
            await made.until_settled(1)
            await asyncio.to_thread(proxy.tell, half_open=[0])
            for number in range(5):
                made.put([b"%d" % number])
            await made.until_settled(6, 12.0)  # aiokafka alone: 30 s
            assert not made.rejected
    assert [record.value for record in kafka.read(topic, 6)] == [b"before", b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.uvloop_only
async def test_a_broker_that_stands_still_for_longer_than_it_is_waited_for_writes_everything_once(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KafkaSink, "answer_seconds", 1.0)
    topic = kafka.topic()
    async with desk(kafka.servers, topic) as made:
        made.put([b"before"])
        await made.until_settled(1)
        with kafka.frozen():
            for number in range(5):
                made.put([b"%d" % number])
                await asyncio.sleep(0.5)
        await made.until_settled(6)
        made.put([b"after"])
        await made.until_settled(7)
    assert [record.value for record in kafka.read(topic, 7)] == [b"before", b"0", b"1", b"2", b"3", b"4", b"after"]


async def test_results_keep_their_partition_where_both_topics_have_as_many(kafka: Kafka) -> None:
    topic = kafka.topic(4)
    async with desk(kafka.servers, topic) as made:
        for partition in range(4):
            made.put([b"%d" % partition] * 5, partition=partition, of=4)
        await made.sink.flush()
    assert sorted((record.partition, record.value) for record in kafka.read(topic, 20)) == sorted(
        (part, b"%d" % part) for part in range(4) for _ in range(5)
    )


async def test_otherwise_a_key_goes_where_other_kafka_clients_put_it(kafka: Kafka) -> None:
    topic, other = kafka.topic(3), kafka.topic(3)
    keys = [b"key-%d" % number for number in range(30)]
    async with desk(kafka.servers, topic) as made:
        for key in keys:
            made.put([key], partition=0, of=1, key=key)
        await made.sink.flush()
    kafka.produce(other, [(key, key) for key in keys], partitioner="murmur2_random")
    assert {record.key: record.partition for record in kafka.read(topic, 30)} == {
        record.key: record.partition for record in kafka.read(other, 30)
    }


async def test_entries_without_a_key_take_turns(kafka: Kafka) -> None:
    topic = kafka.topic(3)
    async with desk(kafka.servers, topic) as made:
        for _ in range(9):
            made.put([b"x"] * 2, of=1, key=None)
        await made.sink.flush()
    partitions = [record.partition for record in kafka.read(topic, 18)]
    assert sorted(partitions.count(number) for number in range(3)) == [6, 6, 6]


async def test_batches_form_by_themselves_while_one_is_under_way(kafka: Kafka) -> None:
    topic = kafka.topic()
    async with desk(kafka.servers, topic) as made:
        made.put([b"first"])
        for _ in range(500):
            made.put([b"more"] * 3)
            if len(made.batches) < 2:
                await asyncio.sleep(0)
        await made.sink.flush()
    assert len(made.acknowledged) == 1501
    assert made.batches[0] < 100
    assert len(made.batches) < 100
    assert [record.value for record in kafka.read(topic, 1501)] == [b"first"] + [b"more"] * 1500


async def test_more_than_a_batch_can_hold_is_written_in_order(kafka: Kafka) -> None:
    topic = kafka.topic()
    values = [b"%06d" % number + b"x" * 20_000 for number in range(150)]
    async with desk(kafka.servers, topic) as made:
        made.put(values)
        await made.sink.flush()
    assert [record.value for record in kafka.read(topic, 150)] == values


@pytest.mark.kafka_group
async def test_an_entry_that_the_topic_refuses_is_rejected_alone_with_a_sentence(kafka: Kafka) -> None:
    topic = kafka.topic(max_message_bytes="20000")
    async with desk(kafka.servers, topic) as made:
        made.put([b"a" * 1000] * 50 + [b"b" * 30_000] + [b"c" * 1000] * 50)
        await made.sink.flush()
        assert len(made.acknowledged) == 100
        ((entry, why),) = made.rejected
        assert entry.value == b"b" * 30_000
        assert why.startswith(f"topic '{topic}' at {kafka.servers} refuses the record (30000 bytes): MessageSizeTooLargeError")
        made.put([b"d" * 1000] * 50)
        await made.sink.flush()
        assert len(made.acknowledged) == 150
    assert [record.value[:1] for record in kafka.read(topic, 150) if record.value] == [b"a"] * 50 + [b"c"] * 50 + [b"d"] * 50


@pytest.mark.kafka_group
async def test_a_record_without_a_key_is_rejected_by_a_compacted_topic(kafka: Kafka) -> None:
    topic = kafka.topic(cleanup_policy="compact")
    async with desk(kafka.servers, topic) as made:
        made.put([b"a"] * 5)
        made.put([b"keyless"], key=None)
        made.put([b"b"] * 5)
        await made.sink.flush()
        assert len(made.acknowledged) == 10
        assert [entry.value for entry, _ in made.rejected] == [b"keyless"]


@pytest.mark.uvloop_only
async def test_a_broker_that_is_away_for_a_while_costs_nothing_but_time(kafka: Kafka) -> None:
    topic = kafka.topic(2)
    async with desk(kafka.servers, topic) as made:
        made.sink.stalled_seconds = 0.5
        made.put([b"before"] * 10, partition=0, of=2)
        await made.sink.flush()
        await asyncio.to_thread(kafka.stop)
        made.put([b"during"] * 10, partition=0, of=2)
        made.put([b"during"] * 10, partition=1, of=2)
        await asyncio.sleep(1.0)
        assert not made.sink.ready()
        assert len(made.acknowledged) == 10
        await asyncio.to_thread(kafka.start)
        await made.until_settled(30)
        assert made.sink.ready()
    found = [record.value for record in kafka.read(topic)]
    assert found.count(b"before") == 10
    assert found.count(b"during") == 20


@pytest.mark.parametrize(
    "error", [45, 47, 59, 87, 29, -1], ids=["out of order", "epoch", "unknown producer", "invalid", "not allowed", "unknown"]
)
async def test_a_failed_batch_is_written_by_a_new_producer(kafka: Kafka, error: int) -> None:
    with kafka.imitation("errors on request") as imitation:
        imitation.topic("t", 1)
        async with desk(imitation.servers, "t") as made:
            made.put([b"1"] * 3)
            await made.sink.flush()
            imitation.errors("Produce", error)
            made.put([b"2"] * 4)
            made.put([b"3"] * 4)
            await made.sink.flush()
            assert [entry.value for entry in made.acknowledged] == [b"1"] * 3 + [b"2"] * 4 + [b"3"] * 4
            assert made.rejected == []


async def test_whatever_a_new_producer_runs_into_it_is_tried_again(kafka: Kafka) -> None:
    with kafka.imitation("errors on request") as imitation:
        imitation.topic("t", 1)
        async with desk(imitation.servers, "t") as made:
            connect, failures = made.sink._connect, [KeyError("a defect")]

            async def connecting() -> None:
                if failures:
                    raise failures.pop()
                await connect()

            made.sink._connect = connecting
            imitation.errors("Produce", 47)
            made.put([b"1"])
            await made.sink.flush()
            assert not failures
            assert [entry.value for entry in made.acknowledged] == [b"1"]


@pytest.mark.parametrize("error", [6, 7, 19, 20], ids=["not leader", "timed out", "few replicas", "few replicas after append"])
async def test_what_aiokafka_retries_itself_is_acknowledged_later(kafka: Kafka, error: int) -> None:
    with kafka.imitation("errors on request") as imitation:
        imitation.topic("t", 1)
        async with desk(imitation.servers, "t") as made:
            imitation.errors("Produce", error, error)
            made.put([b"1"] * 3)
            await made.sink.flush()
            assert len(made.acknowledged) == 3


async def test_a_flush_may_be_cut_off_and_the_entries_stay_unacknowledged(kafka: Kafka) -> None:
    with kafka.imitation("a broker that goes away") as imitation:
        imitation.topic("t", 1)
        async with desk(imitation.servers, "t") as made:
            await asyncio.to_thread(imitation.stop)
            made.put([b"1"])
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await made.sink.flush()
            assert made.acknowledged == []


@pytest.mark.kafka_group
async def test_a_topic_that_does_not_exist_is_named(kafka: Kafka) -> None:
    made = Desk(open_sink(addresses.parse(f"kafka://{kafka.servers}/no.such.topic"), SinkOptions(name="test")))
    with pytest.raises(ConnectionFailed, match=r"there is no topic 'no.such.topic' at 127.0.0.1:\d+: create it"):
        await made.start()
    await made.sink.stop()


async def test_a_broker_that_is_not_there_is_named_at_once() -> None:
    made = Desk(open_sink(addresses.parse("kafka://127.0.0.1:9/t"), SinkOptions(name="test")))
    with pytest.raises(ConnectionFailed, match=r"^no Kafka broker answers at 127.0.0.1:9$"):
        await made.start()
    await made.sink.stop()


async def test_a_topic_that_may_not_be_written_is_named(kafka: Kafka) -> None:
    with kafka.imitation("a topic that is not allowed") as imitation:
        imitation.topic("t", 1)
        imitation.topic_error("t", 29)
        made = Desk(open_sink(addresses.parse(f"kafka://{imitation.servers}/t"), SinkOptions(name="test")))
        with pytest.raises(ConnectionFailed, match=r"^no permission for topic 't' at .*: the cluster's access rules refuse this user$"):
            await made.start()
        await made.sink.stop()


def test_an_address_that_cannot_work_is_told_why() -> None:
    with pytest.raises(ConfigurationError, match="kafka has no option 'group' here: expected connection"):
        open_sink(addresses.parse("kafka://h:1/t?group=g"), SinkOptions(name="test"))
