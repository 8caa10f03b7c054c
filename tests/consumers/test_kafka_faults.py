"""The Kafka source when brokers go away, the client is stuck, or answers errors: it goes on by itself, and ends in time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiokafka import TopicPartition, errors
from aiokafka.client import AIOKafkaClient

from consumers.kafka import KafkaSource
from consumers.kafka_member import Member, Membership
from express.commits import Position
from express.errors import ConnectionFailed
from express.kafka import Endpoint, partitions
from tests.brokers.kafka_bed import Kafka
from tests.consumers.kafka_harness import Taker, opened, running

pytestmark = [pytest.mark.kafka, pytest.mark.uvloop_only]


def consumer_of(source: KafkaSource) -> Any:
    assert source._member
    return source._member._consumer


async def test_a_broker_that_restarts_costs_nothing_but_time(kafka: Kafka) -> None:
    topic, group = kafka.topic(2), kafka.group()
    kafka.produce(topic, [(None, b"%d" % number, number % 2) for number in range(1000)])
    async with running(opened(kafka, topic, group), limit=10, breath=0.01) as taker:
        await taker.until_taken(100)
        await asyncio.to_thread(kafka.stop)
        await asyncio.sleep(1.0)
        await asyncio.to_thread(kafka.start)
        taker.limit, taker.breath = 500, 0.0
        kafka.produce(topic, [(None, b"after", number % 2) for number in range(100)])
        await taker.until(lambda: len(set(taker.keys)) == 1100, 60)
        await taker.until(lambda: {part: position.offset for part, position in taker.committed.items()} == {0: 550, 1: 550}, 30)
    assert set(taker.keys) == {(partition, offset) for partition in range(2) for offset in range(550)}


async def test_it_ends_in_time_when_the_broker_is_gone(kafka: Kafka) -> None:
    with kafka.imitation("a broker that goes away") as imitation:
        imitation.topic("t", 1)
        bed = Kafka("mock", imitation.servers, imitation)
        bed.produce("t", [(None, b"x")])
        source = opened(bed, "t", "g")
        taker = Taker(source)
        await source.start(taker)
        loop = asyncio.ensure_future(taker.run())
        await taker.until_taken(1)
        await asyncio.to_thread(imitation.stop)
        await asyncio.sleep(0.5)
        taker.enough = True
        await asyncio.wait({loop}, timeout=8)
        assert loop.done()
        loop.result()
        began = time.monotonic()
        await source.stop()
        assert time.monotonic() - began < 10


async def test_a_start_while_one_of_three_brokers_is_away_asks_another(kafka: Kafka) -> None:
    with kafka.imitation("a broker that goes away", brokers=3) as imitation:
        imitation.topic("t", 5)
        where = Endpoint("t", imitation.servers, {"bootstrap_servers": imitation.servers})
        clients = [AIOKafkaClient(**where.client) for _ in range(12)]  # each chooses by chance whom it asks
        for client in clients:
            await client.bootstrap()
        try:
            await asyncio.to_thread(imitation.stop, 1)
            assert [await partitions(client, where) for client in clients] == [5] * len(clients)
        finally:
            for client in clients:
                await client.close()


async def test_a_start_comes_past_a_broker_of_three_that_is_silent(kafka: Kafka) -> None:
    with kafka.imitation("a broker that is silent", brokers=3) as imitation:
        imitation.topic("t", 6)
        imitation.silence(0)
        bed = Kafka("mock", imitation.servers, imitation)
        groups = [f"g{number}" for number in range(10)]  # each chooses by chance whom it asks, four times
        for group in groups:
            imitation.coordinator(group, 1)
        sources = [opened(bed, "t", group, session="30s") for group in groups]
        try:
            await asyncio.gather(*(source.start(Taker(source)) for source in sources))
        finally:
            await asyncio.gather(*(source.stop() for source in sources))


async def test_connections_whose_other_end_is_gone_are_given_up(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Member, "answer_seconds", 1.5)
    topic, group = kafka.topic(), kafka.group()
    with kafka.proxied() as (proxy, by_proxy):
        kafka.produce(topic, [(None, b"before")] * 10)
        async with running(opened(by_proxy, topic, group)) as taker:
            await taker.until_taken(10)
            await taker.until(lambda: bool(taker.committed))
            await asyncio.to_thread(proxy.tell, half_open=[0])
            kafka.produce(topic, [(None, b"after")] * 10)
            await taker.until_taken(20, 12.0)  # aiokafka alone: 40 s
            await taker.until(lambda: taker.committed[0].offset == 20, 12.0)
    assert len(taker.taken) == 20


async def test_it_ends_in_time_when_the_broker_does_not_answer(kafka: Kafka) -> None:
    if kafka.kind != "apache":
        pytest.skip("needs a broker of its own to freeze")
    topic = kafka.topic()
    kafka.produce(topic, [(None, b"x")])
    source = opened(kafka, topic, kafka.group())
    taker = Taker(source)
    await source.start(taker)
    loop = asyncio.ensure_future(taker.run())
    await taker.until_taken(1)
    with kafka.frozen():
        began = time.monotonic()
        held = taker.held[0]
        commit = asyncio.ensure_future(source.commit({held: Position(1, "")}))
        await asyncio.sleep(0.3)
        taker.enough = True
        await asyncio.wait({loop}, timeout=8)
        assert loop.done()
        stopping = time.monotonic()
        await source.stop()
        assert time.monotonic() - stopping < 12
        assert await commit == []
        assert time.monotonic() - began < 30


async def test_a_commit_that_fails_is_not_reported_as_done_and_the_next_one_succeeds(kafka: Kafka) -> None:
    with kafka.imitation("errors on request") as imitation:
        imitation.topic("t", 1)
        bed = Kafka("mock", imitation.servers, imitation)
        bed.produce("t", [(None, b"%d" % number) for number in range(10)])
        source = opened(bed, "t", "g")
        async with running(source, finishes=lambda record: False) as taker:
            await taker.until_taken(10)
            (held,) = taker.held
            for code in (16, 14, 12, 28, -1):  # not coordinator, loading, metadata too large, size, unknown
                imitation.errors("OffsetCommit", code)
                held.tracker.finish(range(10))
                assert (position := held.tracker.position())
                assert await source.commit({held: position}) == []
                assert held.tracker.position() == position
            position, patience = Position(10, ""), time.monotonic() + 10
            while await source.commit({held: position}) != [held]:
                assert time.monotonic() < patience
                await asyncio.sleep(0.1)
        assert bed.committed("g", "t", [0]) == {0: (10, "")}


@pytest.mark.parametrize("code", [22, 25, 27], ids=["illegal generation", "unknown member", "rebalance in progress"])
async def test_after_a_commit_that_the_group_refuses_the_group_is_joined_again(kafka: Kafka, code: int) -> None:
    with kafka.imitation("errors on request") as imitation:
        imitation.topic("t", 1)
        bed = Kafka("mock", imitation.servers, imitation)
        bed.produce("t", [(None, b"%d" % number) for number in range(10)])
        source = opened(bed, "t", "g", session="2s")
        async with running(source, finishes=lambda record: False) as taker:
            await taker.until_taken(10)
            (held,) = taker.held
            imitation.errors("OffsetCommit", code)
            assert await source.commit({held: Position(10, "")}) == []
            if code == 27:  # its session has not ended
                await taker.until(lambda: ("resumed", [(0, 0)]) in taker.history or held.fenced)
                assert not held.fenced
            else:
                await taker.until(lambda: held.fenced and bool(taker.held))
                await taker.until_taken(20)


async def test_a_frozen_consumer_is_noticed_and_replaced(kafka: Kafka, caplog: pytest.LogCaptureFixture) -> None:
    topic, group = kafka.topic(), kafka.group()
    kafka.produce(topic, [(None, b"x")] * 10)
    source = opened(kafka, topic, group, session="2s")
    source.frozen_seconds, source.watch_seconds = 1.0, 0.3
    async with running(source) as taker:
        await taker.until_taken(10)
        stuck = source._member
        consumer_of(source)._fetcher._fetch_task.cancel()  # as after #1154: heartbeats go on, records do not come
        kafka.produce(topic, [(None, b"y")] * 10)
        await taker.until_taken(20)
        assert source._member is not stuck
        assert source.ready()
    assert taker.keys == [(0, offset) for offset in range(20)]
    assert f"no record of {topic}-0 for 1 s although there are some" in caplog.text


async def test_a_paused_consumer_is_not_taken_for_a_frozen_one(kafka: Kafka) -> None:
    topic = kafka.topic()
    kafka.produce(topic, [(None, b"x")] * 10)
    source = opened(kafka, topic, kafka.group())
    source.frozen_seconds, source.watch_seconds = 0.4, 0.1
    async with running(source, limit=1) as taker:
        await taker.until(lambda: bool(taker.held))
        source.pause()
        first = source._member
        await asyncio.sleep(1.5)
        source.resume()
        await taker.until_taken(10)
        await asyncio.sleep(1.0)
        assert source._member is first


async def test_a_consumer_is_polled_while_it_is_paused(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """aiokafka leaves the group when nobody has polled for max_poll_interval: a pipeline without room for minutes keeps its partitions."""
    settings = Membership.settings
    monkeypatch.setattr(Membership, "settings", lambda self, assignor: settings(self, assignor) | {"max_poll_interval_ms": 600})
    topic = kafka.topic()
    kafka.produce(topic, [(None, b"x")] * 10)
    async with running(opened(kafka, topic, kafka.group())) as taker:
        await taker.until_taken(10)
        taker.source.pause()
        await asyncio.sleep(2.0)
        taker.source.resume()
        kafka.produce(topic, [(None, b"y")])
        await taker.until_taken(11)
    assert [what for what, _ in taker.history] == ["assigned"]


async def test_no_more_than_one_fetch_a_partition_is_held_in_memory(kafka: Kafka) -> None:
    topic = kafka.topic(2)
    kafka.produce(topic, [(None, b"x" * 10_000, number % 2) for number in range(1000)])
    source = opened(kafka, topic, kafka.group())
    async with running(source, limit=1) as taker:
        await taker.until_taken(2)
        source.pause()
        await asyncio.sleep(0.5)
        buffered = [held._partition_records for held in consumer_of(source)._fetcher._records.values()]
        assert 1 <= len(buffered) <= 2
        assert consumer_of(source)._fetcher._max_partition_fetch_bytes == 4 << 20, "so much each"
        taken = len(taker.taken)
        source.resume()
        taker.limit = 10_000
        await taker.until_taken(taken + 1)


@pytest.mark.parametrize("failure", [errors.KafkaError("something in the background failed"), AssertionError("a bug"), KeyError("another")])
async def test_a_client_that_fails_is_replaced(kafka: Kafka, failure: Exception) -> None:
    topic = kafka.topic()
    kafka.produce(topic, [(None, b"x")] * 10)
    source = opened(kafka, topic, kafka.group(), session="2s")
    async with running(source, finishes=lambda record: record.offset != 5) as taker:
        await taker.until_taken(10)
        await taker.until(lambda: bool(taker.committed))
        first = source._member

        async def failing(*partitions: Any, **options: Any) -> Any:
            raise failure

        consumer_of(source).getmany = failing
        await taker.until_taken(11)
        assert source._member is not first
        assert taker.keys[10:] == [(0, 5)]


@pytest.mark.chaos  # two brokers more
async def test_a_broker_that_does_not_coordinate_the_group_does_not_make_it_forget(two_brokers: Kafka) -> None:
    kafka, topic, group = two_brokers, two_brokers.topic(), two_brokers.group()
    kafka.produce(topic, [(None, b"x")] * 10)
    source = opened(kafka, topic, group)
    async with running(source) as taker:
        await taker.until(lambda: taker.committed.get(0) == Position(10, ""))
        coordinator = consumer_of(source)._coordinator
        coordinator.coordinator_id = 1 - coordinator.coordinator_id  # as after a broker's restart
        found = await coordinator.fetch_committed_offsets([TopicPartition(topic, 0)])
        assert found == {TopicPartition(topic, 0): (10, "")}


async def test_errors_of_a_fetch_do_not_keep_the_consumer_alive_for_ever(kafka: Kafka) -> None:
    """A getmany() that raises or is cancelled leaves aiokafka believing that somebody still polls: max_poll_interval would never pass."""
    topic = kafka.topic()
    kafka.produce(topic, [(None, b"x")] * 10)
    source = opened(kafka, topic, kafka.group())
    taker = Taker(source)
    await source.start(taker)
    try:
        while not taker.taken:
            for assignment, records in (await source.fetch(100)).items():
                taker.take(assignment, records)
        fetching = asyncio.ensure_future(source.fetch(100))
        await asyncio.sleep(0.05)
        fetching.cancel()
        await asyncio.wait({fetching})
        consumer = consumer_of(source)
        await source._member.touch()  # type: ignore[union-attr]
        assert consumer._subscription._fetch_count == 0
        failing, consumer._coordinator.check_errors = consumer._coordinator.check_errors, lambda: None
        fetcher, consumer._fetcher.fetched_records = consumer._fetcher.fetched_records, None  # getmany() raises
        with pytest.raises(TypeError):
            await source._member.touch()  # type: ignore[union-attr]
        consumer._coordinator.check_errors, consumer._fetcher.fetched_records = failing, fetcher
        assert consumer._subscription._fetch_count == 0
        await asyncio.sleep(0.3)
        assert consumer._subscription.fetcher_idle_time > 0.2
    finally:
        await source.stop()


async def test_offsets_that_go_back_begin_a_new_assignment(kafka: Kafka) -> None:
    topic, group = kafka.topic(), kafka.group()
    kafka.produce(topic, [(None, b"x")] * 10)
    source = opened(kafka, topic, group)
    async with running(source) as taker:
        await taker.until_taken(10)
        (old,) = taker.held
        ((partition, _),) = source._member.held.items()  # type: ignore[union-attr]
        consumer_of(source).seek(partition, 3)
        await taker.until_taken(17)
        assert old.fenced
        assert taker.keys[10:] == [(0, offset) for offset in range(3, 10)]
    assert kafka.committed(group, topic, [0]) == {0: (10, "")}


async def test_records_that_retention_has_deleted_are_passed_over(kafka: Kafka) -> None:
    if kafka.kind == "mock":
        pytest.skip("the mock cluster deletes nothing on request")
    topic, group = kafka.topic(), kafka.group()
    kafka.produce(topic, [(None, b"x")] * 10)
    kafka.commit(group, topic, {0: (2, "")})
    kafka.delete_records(topic, 0, before=6)
    async with running(opened(kafka, topic, group, start="latest")) as taker:
        await taker.until_taken(4)
    assert taker.keys == [(0, offset) for offset in range(6, 10)]


async def test_only_committed_records_of_transactions_are_delivered(kafka: Kafka) -> None:
    if kafka.kind == "mock":
        pytest.skip("the mock cluster has no transactions")
    topic, group = kafka.topic(), kafka.group()
    kafka.produce_in_transaction(topic, [b"kept"] * 3, commit=True)
    kafka.produce_in_transaction(topic, [b"aborted"] * 3, commit=False)
    kafka.produce_in_transaction(topic, [b"kept too"] * 3, commit=True)
    source = opened(kafka, topic, group)
    async with running(source) as taker:
        await taker.until_taken(6)
        await asyncio.sleep(0.3)
    assert [record.value for record in taker.taken] == [b"kept"] * 3 + [b"kept too"] * 3
    assert taker.keys[3:] == [(0, 8), (0, 9), (0, 10)], "markers and aborted records leave gaps"
    assert kafka.committed(group, topic, [0])[0][0] == 11


async def test_compressed_batches_are_read(kafka: Kafka) -> None:
    topic = kafka.topic()
    kafka.produce(topic, [(b"k", b"v" * 100)] * 200, **{"compression.type": "gzip"})
    async with running(opened(kafka, topic, kafka.group()), limit=30) as taker:
        await taker.until_taken(200)
    assert taker.keys == [(0, offset) for offset in range(200)]


async def test_a_topic_that_may_not_be_read_is_named(kafka: Kafka) -> None:
    with kafka.imitation("a topic that is not allowed") as imitation:
        imitation.topic("t", 1)
        imitation.topic_error("t", 29)
        source = opened(Kafka("mock", imitation.servers, imitation), "t", "g")
        with pytest.raises(ConnectionFailed, match=r"^no permission for topic 't' at .*: the cluster's access rules refuse this user$"):
            await source.start(Taker(source))
        await source.stop()


async def test_a_group_that_may_not_be_joined_is_named(kafka: Kafka) -> None:
    with kafka.imitation("a group that is not allowed") as imitation:
        imitation.topic("t", 1)
        source = opened(Kafka("mock", imitation.servers, imitation), "t", "g")
        imitation.errors("JoinGroup", 30)
        taker = Taker(source)
        await source.start(taker)
        with pytest.raises(ConnectionFailed, match=r"^no permission for the consumer group 'g' at .*"):
            await asyncio.wait_for(taker.run(), 10)
        await source.stop()


async def test_a_topic_that_grows_is_read_whole(kafka: Kafka) -> None:
    if kafka.kind == "mock":
        pytest.skip("topics of the mock cluster do not grow")
    topic = kafka.topic(1)
    source = opened(kafka, topic, kafka.group())
    async with running(source) as taker:
        await taker.until(lambda: len(taker.held) == 1)
        kafka.grow(topic, 3)
        await consumer_of(source)._client.force_metadata_update()  # at the latest after a minute
        await taker.until(lambda: len(taker.held) == 3)
        kafka.produce(topic, [(None, b"x", partition) for partition in range(3)])
        await taker.until_taken(3)
        assert {held.partitions for held in taker.held} == {3}
