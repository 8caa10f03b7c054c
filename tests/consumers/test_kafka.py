"""The Kafka source on a broker: what is delivered, committed, resumed and shared."""

from __future__ import annotations

import asyncio
import time

import pytest

from express.errors import ConfigurationError, ConnectionFailed
from tests.brokers.kafka_bed import Kafka
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
