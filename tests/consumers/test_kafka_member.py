"""A member between its group and its pipeline where two things happen at once; the group is made by hand: no broker does it on time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.protocol.commit import OffsetFetchResponse_v3

from consumers.kafka import KafkaSource
from consumers.kafka_member import Member, Membership, _whole
from express.commits import Tracker
from express.errors import ConnectionFailed
from express.sources import Assignment

PARTITION = TopicPartition("t", 0)


class Pipeline:
    """Notes what it is told; a drain takes a moment."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.held: set[Assignment] = set()

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        self.held.update(assignments)

    def resumed(self, assignments: Sequence[Assignment]) -> None:
        self.held.update(assignments)

    async def revoked(self, assignments: Sequence[Assignment]) -> None:
        await self._drain("revoked")
        self.held.difference_update(assignments)

    async def suspended(self, assignments: Sequence[Assignment]) -> None:
        await self._drain("suspended")

    async def _drain(self, what: str) -> None:
        self.calls.append(what)
        await asyncio.sleep(0.1)

    def lost(self, assignments: Sequence[Assignment]) -> None:
        if assignments:
            self.calls.append("lost")
        self.held.difference_update(assignments)

    def failed(self, error: Exception) -> None:
        raise error


def joined(start: str = "earliest") -> tuple[Member, Pipeline, Any]:
    """A member that holds a partition, what it tells, and its coordinator."""
    pipeline = Pipeline()
    endpoint: Any = SimpleNamespace(topic="t")
    membership: Any = Membership(endpoint=endpoint, group="g", start=start, session_seconds=30.0, drain_seconds=1.0)
    member = Member(membership, pipeline)
    coordinator = SimpleNamespace(generation=3, member_id="m", check_errors=lambda: None)
    subscription = SimpleNamespace(reassignment_in_progress=True)
    member._consumer = SimpleNamespace(
        _coordinator=coordinator,
        _subscription=subscription,
        _fetcher=SimpleNamespace(),
        seek=lambda *_: None,
        partitions_for_topic=lambda _: {0},
    )  # fmt: skip
    member._epoch = (3, "m")
    member.held = {PARTITION: Assignment("t", 0, Tracker(0, ""))}
    pipeline.held = set(member.held.values())
    return member, pipeline, coordinator


async def test_a_rebalance_leaves_a_member_alone_that_is_given_up() -> None:
    member, pipeline, _ = joined()
    renewal = asyncio.create_task(member.release())
    await asyncio.sleep(0.02)
    await asyncio.gather(renewal, member.on_partitions_revoked([PARTITION]))
    assert pipeline.calls == ["revoked"]
    assert not pipeline.held


async def test_what_runs_is_given_up_when_the_session_ends_during_the_drain() -> None:
    member, pipeline, coordinator = joined()
    rebalance = asyncio.create_task(member.on_partitions_revoked([PARTITION]))
    await asyncio.sleep(0.02)
    coordinator.generation, coordinator.member_id = -1, ""  # a heartbeat was answered so
    await rebalance
    assert pipeline.calls == ["suspended", "lost"]


async def test_what_runs_is_given_up_when_the_session_ends_while_the_group_is_joined() -> None:
    member, pipeline, coordinator = joined()
    await member.on_partitions_revoked([PARTITION])
    await member.touch()
    assert pipeline.calls == ["suspended"]
    coordinator.generation, coordinator.member_id = -1, ""
    await member.touch()
    assert pipeline.calls == ["suspended", "lost"]
    assert not member.held


async def test_a_member_that_is_given_up_takes_nothing_over_any_more() -> None:
    member, pipeline, coordinator = joined()
    answer = asyncio.Event()

    async def fetch(partitions: Any) -> Any:
        await answer.wait()
        return {}

    coordinator.fetch_committed_offsets = fetch
    await member.on_partitions_revoked([PARTITION])
    coordinator.generation = 4
    taking_over = asyncio.create_task(member.on_partitions_assigned([PARTITION]))
    await asyncio.sleep(0.01)
    await member.release()
    answer.set()
    await taking_over
    assert not pipeline.held
    assert not member.held
    assert not member.settled


@pytest.mark.parametrize("reason", ["crowded", "idle", "behind"])
async def test_only_what_is_behind_and_should_be_read_is_frozen(reason: str) -> None:
    source = KafkaSource(SimpleNamespace(group="g", drain_seconds=1.0, session_seconds=1.0))  # type: ignore[arg-type]
    source.frozen_seconds = 0.05
    held = Assignment("t", 0, Tracker(0, ""))
    held.crowded = reason == "crowded"
    member: Any = SimpleNamespace(positions=lambda: {PARTITION: 5}, ends={PARTITION: 5 if reason == "idle" else 9}, held={PARTITION: held})
    renewed: list[str] = []
    source._renew = renewed.append  # type: ignore[method-assign]
    source._look_for_frozen(member, {PARTITION})
    await asyncio.sleep(0.1)
    member.ends = {PARTITION: 9}  # of what was idle, since a moment
    source._look_for_frozen(member, {PARTITION})
    assert bool(renewed) == (reason == "behind")


async def test_what_does_not_move_is_frozen_although_the_pipeline_pauses_and_resumes_all_the_time() -> None:
    source = KafkaSource(SimpleNamespace(group="g", drain_seconds=1.0, session_seconds=1.0))  # type: ignore[arg-type]
    source.frozen_seconds = 0.1
    held = {PARTITION: Assignment("t", 0, Tracker(0, ""))}
    member: Any = SimpleNamespace(positions=lambda: {PARTITION: 5}, ends={PARTITION: 9}, held=held)
    renewed: list[str] = []
    source._renew = renewed.append  # type: ignore[method-assign]
    for _ in range(6):
        source._look_for_frozen(member, {PARTITION})
        assert not renewed, "it has had a tenth of a second only while it was paused"
        await asyncio.sleep(0.01)
        source.pause()
        await asyncio.sleep(0.1)
        source.resume()
    for _ in range(6):
        await asyncio.sleep(0.02)
        source.pause()
        source.resume()
    source._look_for_frozen(member, {PARTITION})
    assert renewed


async def test_whatever_a_new_member_runs_into_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    source = KafkaSource(SimpleNamespace(group="g", drain_seconds=1.0, session_seconds=1.0))  # type: ignore[arg-type]
    source._intake = Pipeline()
    failures: list[Exception] = [ConnectionFailed("nobody answers"), KeyError("a defect")]

    async def start(self: Member) -> None:
        if failures:
            raise failures.pop(0)

    monkeypatch.setattr(Member, "start", start)
    source._renew("it was stuck")
    async with asyncio.timeout(10):
        while source._renewal is not None:
            await asyncio.sleep(0.05)
    assert not failures
    assert source._member is not None


async def test_a_leader_that_is_away_does_not_hide_what_stands_still_at_another() -> None:
    member, _, _ = joined()
    other = TopicPartition("t", 1)
    member.held = {PARTITION: Assignment("t", 0, Tracker(0, "")), other: Assignment("t", 1, Tracker(0, ""))}
    member._consumer._client = SimpleNamespace(cluster=SimpleNamespace(leader_for_partition=lambda partition: partition.partition))

    async def ends(partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        if other in partitions:
            await asyncio.sleep(60)
        return dict.fromkeys(partitions, 9)

    member._consumer.end_offsets = ends
    assert await member.look_for_ends(0.2) == {PARTITION}
    assert member.ends == {PARTITION: 9}


@pytest.mark.parametrize("code", [14, 15, 16])
async def test_an_answer_that_is_an_error_as_a_whole_does_not_say_that_nothing_is_committed(code: int) -> None:
    answers: list[Any] = [
        OffsetFetchResponse_v3(throttle_time_ms=0, topics=[], error_code=code),
        OffsetFetchResponse_v3(throttle_time_ms=0, topics=[("t", [(0, -1, "", 0)])], error_code=0),  # half of it
        OffsetFetchResponse_v3(throttle_time_ms=0, topics=[("t", [(0, -1, "", 0), (1, -1, "", 3)])], error_code=0),  # not known yet
        OffsetFetchResponse_v3(throttle_time_ms=0, topics=[("t", [(0, -1, "", 0), (1, 7, "map", 0)])], error_code=0),
    ]
    coordinator: Any = GroupCoordinator.__new__(GroupCoordinator)
    coordinator.group_id, coordinator._retry_backoff_ms, dead = "g", 1, []

    async def answer(request: Any) -> Any:
        return answers.pop(0)

    async def known() -> None: ...

    coordinator._send_req, coordinator.ensure_coordinator_known, coordinator.coordinator_dead = answer, known, lambda: dead.append(1)
    coordinator._send_req = _whole(coordinator)
    assert await coordinator.fetch_committed_offsets([PARTITION, TopicPartition("t", 1)]) == {TopicPartition("t", 1): (7, "map")}
    assert answers == []
    assert bool(dead) == (code == 16)


class Group:
    """What members of a new group find committed."""

    def __init__(self, partitions: int) -> None:
        self.partitions, self.committed = partitions, {}  # type: ignore[var-annotated]

    def member(self) -> Member:
        member, _, coordinator = joined("latest")

        async def fetch(partitions: Any) -> Any:
            await asyncio.sleep(0.01)
            return {partition: self.committed[partition] for partition in partitions if partition in self.committed}

        async def commit(_: Any, positions: Any) -> None:
            await asyncio.sleep(0.01)
            assert not self.committed.keys() & positions.keys(), "somebody has begun there"
            self.committed |= positions

        async def ends(partitions: Any) -> Any:
            await asyncio.sleep(0.01)
            return {partition: 100 + partition.partition for partition in partitions}

        coordinator.fetch_committed_offsets, coordinator._do_commit_offsets = fetch, commit
        member._consumer.end_offsets, member._consumer.partitions_for_topic = ends, lambda _: set(range(self.partitions))
        return member

    async def begun(self, *held: set[int]) -> list[dict[int, int]]:
        found = await asyncio.gather(*(self.member()._begun([TopicPartition("t", number) for number in each]) for each in held))
        return [{partition.partition: position.offset for partition, position in each.items()} for each in found]


async def test_a_new_group_begins_at_the_ends_whoever_holds_what() -> None:
    group = Group(4)
    assert await group.begun({1, 2}, {0, 3}) == [{1: 101, 2: 102}, {0: 100, 3: 103}]


async def test_a_partition_that_comes_later_is_read_from_its_beginning() -> None:
    group = Group(1)
    assert await group.begun({0}) == [{0: 100}]
    group.partitions = 3
    assert await group.begun({0, 1}, {2}) == [{0: 100}, {}], "with start=latest, too: what came since then is new"
