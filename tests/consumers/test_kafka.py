"""The Kafka source on a broker: what is delivered, committed, resumed and shared."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from confluent_kafka import Producer

from consumers import kafka_member, kafka_records
from express.commits import Position
from express.errors import ConfigurationError, ConnectionFailed
from tests.brokers.kafka_bed import QUIET, Kafka
from tests.consumers.kafka_harness import Taker, opened, running

pytestmark = [pytest.mark.kafka, pytest.mark.uvloop_only]  # both loops: test_kafka_contract.py


async def test_every_record_is_delivered_once_in_offset_order_with_key_value_headers_and_time(kafka: Kafka) -> None:
    topic, group = kafka.topic(3), kafka.group()
    kafka.produce(topic, [(b"k%d" % number, b"v%d" % number, number % 3) for number in range(300)])
    async with running(opened(kafka, topic, group)) as taker:
        await taker.until_taken(300)
        await asyncio.sleep(0.3)
    assert sorted(taker.keys) == [(partition, offset) for partition in range(3) for offset in range(100)]
    for partition in range(3):
        assert [offset for part, offset in taker.keys if part == partition] == list(range(100))
    record = taker.taken[0]
    number = record.offset * 3 + record.partition
    assert (record.topic, record.key, record.value, list(record.headers)) == (topic, b"k%d" % number, b"v%d" % number, [])
    assert abs(record.timestamp / 1000 - time.time()) < 60
    assert kafka.committed(group, topic, range(3)) == dict.fromkeys(range(3), (100, ""))


async def test_finished_work_beyond_the_position_is_skipped_by_the_next_member(kafka: Kafka) -> None:
    topic, group = kafka.topic(), kafka.group()
    kafka.produce(topic, [(None, b"%d" % number) for number in range(20)])
    async with running(opened(kafka, topic, group), finishes=lambda record: record.offset not in (3, 11)) as taker:
        await taker.until_taken(20)
    offset, metadata = kafka.committed(group, topic, [0])[0]
    assert offset == 3
    assert metadata
    async with running(opened(kafka, topic, group)) as second:
        await second.until(lambda: len(second.taken) + len(second.skipped) == 17)
    assert second.keys == [(0, 3), (0, 11)]
    assert kafka.committed(group, topic, [0]) == {0: (20, "")}


async def test_batches_of_which_everything_was_finished_are_not_read_again(kafka: Kafka) -> None:
    topic, group = kafka.topic(), kafka.group()
    for _ in range(100):  # a batch each
        kafka.produce(topic, [(None, b"x")] * 20)
    async with running(opened(kafka, topic, group), finishes=lambda record: record.offset not in (7, 1_203)) as taker:
        await taker.until_taken(2_000)
    assert kafka.committed(group, topic, [0])[0][0] == 7
    async with running(opened(kafka, topic, group)) as second:
        await second.until(lambda: {(0, 7), (0, 1_203)} <= set(second.keys))
        kafka.produce(topic, [(None, b"new")])
        await second.until(lambda: (0, 2_000) in second.keys)
        await second.until(lambda: second.committed.get(0) == Position(2_001, ""))
    assert second.keys == [(0, 7), (0, 1_203), (0, 2_000)]
    assert len(second.skipped) < 100, "no more than the batches of what was unfinished, and the last one"


async def test_what_was_finished_is_not_even_fetched_again_where_there_is_much_of_it(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    topic, group = kafka.topic(), kafka.group()
    for _ in range(30):
        kafka.produce(topic, [(None, b"x" * 100_000)] * 8)
    async with running(opened(kafka, topic, group), finishes=lambda record: record.offset not in (0, 150)) as taker:
        await taker.until_taken(240)
    fetched: set[int] = set()

    def lighten(result: Any, tracker: Any) -> None:
        fetched.add(result._partition_records.next_fetch_offset)
        kafka_records.lighten(result, tracker)

    monkeypatch.setattr(kafka_member, "lighten", lighten)
    async with running(opened(kafka, topic, group)) as second:
        await second.until(lambda: second.committed.get(0) == Position(240, ""))
    assert second.keys == [(0, 0), (0, 150)]
    assert fetched == {0, 150, 239}, "24 MB are six fetches, or more"


async def test_a_transaction_in_between_is_read_as_it_is(kafka: Kafka) -> None:
    if kafka.kind == "mock":
        pytest.skip("needs a real broker: the mock knows no transactions")
    topic, group = kafka.topic(), kafka.group()
    kafka.produce(topic, [(None, b"first")])
    producer = Producer({"bootstrap.servers": kafka.servers, "transactional.id": group, **QUIET})
    producer.init_transactions()
    for number in range(40):
        producer.begin_transaction()
        producer.produce(topic, b"%d" % number)
        producer.flush(10)
        if number % 2:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    kafka.produce(topic, [(None, b"last")])
    async with running(opened(kafka, topic, group), finishes=lambda record: record.value not in (b"first", b"39")) as taker:
        await taker.until_taken(22)
    async with running(opened(kafka, topic, group)) as second:
        await second.until(lambda: len(second.taken) >= 2)
        kafka.produce(topic, [(None, b"new")])
        await second.until(lambda: len(second.taken) >= 3)
        await second.until(lambda: second.committed[0].metadata == "")
    assert [record.value for record in second.taken] == [b"first", b"39", b"new"]


async def test_a_paused_source_gives_nothing_and_loses_nothing(kafka: Kafka) -> None:
    topic, group = kafka.topic(2), kafka.group()
    kafka.produce(topic, [(None, b"%d" % number, number % 2) for number in range(1000)])
    async with running(opened(kafka, topic, group), limit=7, breath=0.01) as taker:
        for count in range(20, 120, 20):
            await taker.until_taken(count)
            taker.source.pause()
            await asyncio.sleep(0.15)
            before = len(taker.taken)
            await asyncio.sleep(0.15)
            assert len(taker.taken) == before < 1000
            taker.source.resume()
        taker.limit = 500
        await taker.until_taken(1000)
    assert sorted(taker.keys) == [(partition, offset) for partition in range(2) for offset in range(500)]


async def test_a_full_partition_does_not_delay_the_others(kafka: Kafka) -> None:
    topic = kafka.topic(3)
    kafka.produce(topic, [(None, b"x" * 1000, 0) for _ in range(3000)])
    async with running(opened(kafka, topic, kafka.group()), limit=20, breath=0.005) as taker:
        await taker.until_taken(100)
        kafka.produce(topic, [(None, b"late", 1), (None, b"late", 2)])
        before = len(taker.taken)
        await taker.until(lambda: {1, 2} <= {part for part, _ in taker.keys})
        assert len(taker.taken) - before < 2900, "partitions 1 and 2 had to wait until partition 0 was empty"


async def test_the_lag_counts_what_was_not_taken(kafka: Kafka) -> None:
    topic = kafka.topic()
    kafka.produce(topic, [(None, b"%d" % number) for number in range(10)])
    source = opened(kafka, topic, kafka.group())
    source.watch_seconds = 0.2
    async with running(source) as taker:
        await taker.until_taken(10)
        await taker.until(lambda: source.lag() == {(topic, 0): 0})
        source.pause()
        await asyncio.sleep(0.3)
        kafka.produce(topic, [(None, b"more")] * 5)
        await taker.until(lambda: source.lag() == {(topic, 0): 5})
        source.resume()
        await taker.until_taken(15)
        await taker.until(lambda: source.lag() == {(topic, 0): 0})


async def test_start_latest_begins_at_the_end_and_skips_nothing_that_comes_after_a_restart(kafka: Kafka) -> None:
    topic, group = kafka.topic(), kafka.group()
    kafka.produce(topic, [(None, b"old")] * 3)
    async with running(opened(kafka, topic, group, start="latest")) as taker:
        await taker.until(lambda: bool(taker.held))
    assert taker.taken == []
    kafka.produce(topic, [(None, b"while nobody was there")])
    async with running(opened(kafka, topic, group, start="latest")) as taker:
        await taker.until_taken(1)
    assert taker.keys == [(0, 3)]


async def test_start_none_refuses_a_group_without_a_position_with_a_sentence(kafka: Kafka) -> None:
    topic, group = kafka.topic(), kafka.group()
    kafka.produce(topic, [(None, b"x")])
    source = opened(kafka, topic, group, start="none")
    taker = Taker(source)
    await source.start(taker)
    try:
        with pytest.raises(ConnectionFailed, match=f"the group '{group}' has no position in topic '{topic}'.*start=none"):
            async with asyncio.timeout(20):
                await taker.run()
    finally:
        await source.stop()


@pytest.mark.kafka_group
async def test_a_topic_that_does_not_exist_is_named(kafka: Kafka) -> None:
    source = opened(kafka, "no.such.topic", kafka.group())
    with pytest.raises(ConnectionFailed, match=r"there is no topic 'no.such.topic' at 127.0.0.1:\d+: create it"):
        await source.start(Taker(source))
    await source.stop()


async def test_a_broker_that_is_not_there_is_named_at_once() -> None:
    source = opened(Kafka("outside", "127.0.0.1:9"), "orders", "g")
    began = time.monotonic()
    with pytest.raises(ConnectionFailed, match=r"^no Kafka broker answers at 127.0.0.1:9$"):
        await source.start(Taker(source))
    await source.stop()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("kafka://h:1/orders", "expected ?group=NAME"),
        ("kafka://h:1/?group=g", "'' is not a topic"),
        ("kafka://h:1/a b?group=g", "'a b' is not a topic"),
        ("kafka:orders?group=g", "expected servers"),
        ("kafka://h:1/orders?group=g&start=sometime", "start='sometime' is not known: expected earliest, latest, none"),
        ("kafka://h:1/orders?group=g&session=soon", "session: expected a duration such as"),
        ("kafka://h:1/orders?group=g&session=10ms", "expected between 1s and 30m"),
        ("kafka://h:1/orders?group=g&grop=1", "kafka has no option 'grop' here: expected connection, group, start, session"),
    ],
)
def test_an_address_that_cannot_work_is_told_why(address: str, sentence: str) -> None:
    from consumers.kafka import open_source
    from express import addresses
    from express.options import SourceOptions

    with pytest.raises(ConfigurationError) as raised:
        open_source(addresses.parse(address), SourceOptions(name="test"))
    assert sentence in str(raised.value)
    assert address in str(raised.value)
