"""Several members of one group: partitions move, sessions are lost, and nothing is skipped or committed by who does not own it."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import Any

import pytest

from express.commits import Position
from tests.brokers.kafka_bed import Kafka
from tests.consumers.kafka_harness import Key, Taker, opened, running

pytestmark = [pytest.mark.kafka_group, pytest.mark.kafka, pytest.mark.uvloop_only]


async def test_two_members_share_the_partitions_and_a_leaving_one_hands_its_own_over(kafka: Kafka) -> None:
    topic, group = kafka.topic(4), kafka.group()
    kafka.produce(topic, [(None, b"%d" % number, number % 4) for number in range(400)])
    async with running(opened(kafka, topic, group)) as first:
        await first.until_taken(400)
        async with running(opened(kafka, topic, group)) as second:
            await first.until(lambda: len(first.held) == len(second.held) == 2)
            kafka.produce(topic, [(None, b"%d" % number, number % 4) for number in range(400)])
            await first.until(lambda: len(first.taken) + len(second.taken) == 800)
        await first.until(lambda: len(first.held) == 4)
        kafka.produce(topic, [(None, b"%d" % number, number % 4) for number in range(40)])
        await first.until(lambda: len(first.taken) + len(second.taken) == 840)
    assert sorted(first.keys + second.keys) == [(partition, offset) for partition in range(4) for offset in range(210)]
    assert kafka.committed(group, topic, range(4)) == dict.fromkeys(range(4), (210, ""))


async def test_a_member_keeps_its_partitions_when_another_one_joins(kafka: Kafka) -> None:
    """The sticky assignor's memory is each consumer's own: on its class, where aiokafka keeps it, three members would overwrite each
    other's."""
    topic, group = kafka.topic(6), kafka.group()
    async with AsyncExitStack() as stack:
        members: list[Taker] = []
        before: list[set[int]] = []
        for count in (1, 2, 3):
            members.append(await stack.enter_async_context(running(opened(kafka, topic, group))))
            await members[0].until(lambda count=count: all(len(member.held) == 6 // count for member in members))  # type: ignore[misc]
            owned = [{held.partition for held in member.held} for member in members]
            for old, new in zip(before, owned, strict=False):
                assert new < old, "a member got a partition that it had not before, while it had to give some away"
            before = owned


async def test_work_that_is_drained_in_a_rebalance_is_committed_before_the_partition_goes(kafka: Kafka) -> None:
    topic, group = kafka.topic(2), kafka.group()
    kafka.produce(topic, [(None, b"%d" % number, number % 2) for number in range(20)])
    async with running(opened(kafka, topic, group), finishes=lambda record: record.offset not in (4, 7)) as first:
        await first.until_taken(20)
        async with running(opened(kafka, topic, group)) as second:
            await second.until(lambda: len(first.held) == len(second.held) == 1)
            await second.until(lambda: len(second.taken) == 2)
    assert sorted(second.keys) == [(second.taken[0].partition, 4), (second.taken[0].partition, 7)]
    assert len(second.skipped) == 4
    assert [kind for kind, _ in first.history].count("suspended") >= 1


async def test_what_runs_goes_on_through_a_rebalance_where_its_partition_comes_back(kafka: Kafka) -> None:
    topic, group = kafka.topic(2), kafka.group()
    kafka.produce(topic, [(None, b"%d" % number, number % 2) for number in range(20)])
    async with running(opened(kafka, topic, group), finishes=lambda record: record.offset != 4) as first:
        await first.until_taken(20)
        stays = list(first.held)
        async with running(opened(kafka, topic, group)) as second:
            await second.until(lambda: len(first.held) == len(second.held) == 1)
            await second.until(lambda: len(second.taken) == 1)
            (held,) = first.held
            assert held in stays, "the same assignment, with what it knows"
            kafka.produce(topic, [(None, b"later", held.partition)])
            await first.until_taken(21)
            assert first.taken[-1].value == b"later", "nothing that was taken before is taken again"
            first.finish((held.partition, 4))
            await first.until(lambda: first.committed.get(held.partition) == Position(11, ""))
    assert kafka.committed(group, topic, [held.partition]) == {held.partition: (11, "")}


async def test_where_somebody_else_has_committed_a_partition_that_comes_back_begins_anew(kafka: Kafka) -> None:
    """By hand, while the group is rebalanced: as an owner would in between, of whom this member has not heard."""
    topic, group = kafka.topic(1), kafka.group()
    kafka.produce(topic, [(None, b"%d" % number) for number in range(10)])
    async with running(opened(kafka, topic, group), finishes=lambda record: record.offset != 2) as taker:
        await taker.until_taken(10)
        (old,) = taker.held
        coordinator = taker.source._member._consumer._coordinator  # type: ignore[union-attr]
        fetch = coordinator.fetch_committed_offsets

        async def somebody_has_committed(partitions: Any) -> Any:
            return {partition: position._replace(offset=7, metadata="") for partition, position in (await fetch(partitions)).items()}

        coordinator.fetch_committed_offsets = somebody_has_committed
        coordinator.request_rejoin()
        await taker.until(lambda: old.fenced and bool(taker.held))
        await taker.until_taken(13)
    assert [kind for kind, _ in taker.history] == ["assigned", "suspended", "lost", "assigned"]
    assert taker.keys[10:] == [(0, 7), (0, 8), (0, 9)]


async def test_a_drain_longer_than_the_session_is_waited_for_by_the_group(kafka: Kafka) -> None:
    topic, group = kafka.topic(2), kafka.group()
    kafka.produce(topic, [(None, b"x", number % 2) for number in range(10)])
    async with running(opened(kafka, topic, group, drain=6.0, session="2s")) as first:
        await first.until_taken(10)
        first.slowness = 4.0
        async with running(opened(kafka, topic, group, drain=6.0, session="2s")) as second:
            await second.until(lambda: len(second.held) == 1 and len(first.held) == 1)
            first.slowness = 0.0
    assert "resumed" in [kind for kind, _ in first.history], "it was thrown out of the group while it drained"
    assert len(first.taken) + len(second.taken) == 10, "its last commit was refused"


async def test_a_member_that_stood_still_too_long_commits_nothing_of_what_it_had(kafka: Kafka) -> None:
    topic, group = kafka.topic(1), kafka.group()
    kafka.produce(topic, [(None, b"%d" % number) for number in range(10)])
    async with running(opened(kafka, topic, group, session="1s"), finishes=lambda record: False) as taker:
        await taker.until_taken(10)
        (old,) = taker.held
        time.sleep(3.0)
        taker.finishes = lambda record: True
        await taker.until_taken(20)
        assert old.fenced
        assert taker.history[1] == ("lost", [(0, 0)])
        old.tracker.finish(range(10))
        position = old.tracker.position()
        assert position
        assert await taker.source.commit({old: position}) == []
    assert kafka.committed(group, topic, [0]) == {0: (10, "")}


async def test_positions_of_an_earlier_generation_are_not_sent(kafka: Kafka) -> None:
    """aiokafka's commit() would send them with the new generation, which the broker accepts: the group would go back."""
    topic, group = kafka.topic(2), kafka.group()
    kafka.produce(topic, [(None, b"%d" % number, number % 2) for number in range(60)])
    async with running(opened(kafka, topic, group), finishes=lambda record: record.offset >= 10) as taker:
        await taker.until_taken(60)
        before = list(taker.held)
        async with running(opened(kafka, topic, group), finishes=lambda record: False):
            await taker.until(lambda: len(taker.held) == 1)
        (old,) = [held for held in before if held.fenced]
        await taker.until(lambda: len(taker.held) == 2 and len(taker.taken) >= 70)
        old.fenced = False  # even if somebody forgot to
        old.tracker.finish(range(30))
        position = old.tracker.position()
        assert position
        assert await taker.source.commit({old: position}) == []


async def test_a_rebalance_every_second_skips_nothing(kafka: Kafka) -> None:
    topic, group = kafka.topic(4), kafka.group()
    kafka.produce(topic, [(None, b"%d" % number, number % 4) for number in range(20_000)])
    others: list[Taker] = []
    async with running(opened(kafka, topic, group, drain=1.0), limit=20, breath=0.005) as first:
        for _ in range(5):
            async with running(opened(kafka, topic, group, drain=1.0), limit=20, breath=0.005) as other:
                others.append(other)
                await other.until(lambda: len(other.taken) > 100)
        first.limit, first.breath = 500, 0.0

        def taken() -> list[Key]:
            return [key for taker in (first, *others) for key in taker.keys]

        await first.until(lambda: len(set(taken())) == 20_000, 60)
    assert kafka.committed(group, topic, range(4)) == dict.fromkeys(range(4), (5000, ""))
    assert len(taken()) == 20_000, "a clean hand-over repeats nothing"
