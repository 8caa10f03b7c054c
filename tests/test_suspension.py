"""Partitions that a rebalance takes and gives back: what runs goes on, what waited runs first, and nothing is read or run twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from express.batches import BatchLimits
from express.commits import Position, Tracker
from express.dedup import Dedup
from express.dedup.stores import Claim, Store
from express.dedup.window import Remembered
from express.pipes import Pipe
from express.reruns import Retry
from express.runtime.context import Execution
from express.runtime.failures import StateError
from express.runtime.suspensions import sleep
from express.runtime.values import loads
from express.turns import Order
from tests.pipelines import Pipeline, wait_and_obey
from tests.test_dedup import remembering


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'dedup.db'}"


async def test_what_runs_longer_than_the_drain_goes_on_and_is_committed() -> None:
    pipeline = Pipeline(wait_and_obey, finite=False, drain=0.05)
    pipeline.send({"wait": 0.4, "n": 0}, 1)
    pipeline.begin()
    await pipeline.until(lambda: len(pipeline.sink.entries) == 1)
    (assignment,) = pipeline.source.assignments.values()
    await pipeline.source.suspend([0])
    assert not assignment.fenced
    pipeline.send(2)
    await asyncio.sleep(0.1)
    assert pipeline.workflow.started == [0, 1], "nothing begins meanwhile"
    pipeline.source.give_back([0])
    await pipeline.until(lambda: pipeline.committed == 3)
    assert pipeline.workflow.started == [0, 1, 2], "each once"
    assert (pipeline.metrics.aborted, pipeline.metrics.source_records, pipeline.metrics.in_flight) == (0, 3, 0)
    await pipeline.end()


async def test_what_ends_while_it_is_suspended_is_acknowledged_and_committed_afterwards() -> None:
    pipeline = Pipeline(wait_and_obey, finite=False, drain=0.02)
    pipeline.send({"wait": 0.15})
    pipeline.begin()
    await pipeline.until(lambda: pipeline.workflow.started)
    await pipeline.source.suspend([0])
    await pipeline.until(lambda: len(pipeline.sink.entries) == 1 and pipeline.metrics.in_flight == 0)
    pipeline.source.give_back([0])
    await pipeline.until(lambda: pipeline.committed == 1)
    await pipeline.end()
    assert pipeline.workflow.started == [0]


@pytest.mark.parametrize("order", ["key", "partition"])
async def test_what_waited_for_its_turn_runs_after_what_runs_and_before_what_comes(order: Order) -> None:
    pipeline = Pipeline(wait_and_obey, finite=False, drain=0.05, order=order)
    pipeline.send({"wait": 0.3}, 1, 2)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.in_flight == 3)
    for _ in range(2):  # the second one before anything has run again
        await pipeline.source.suspend([0])
        assert pipeline.metrics.in_flight == 1
        pipeline.source.give_back([0])
    pipeline.send(3)
    await pipeline.until(lambda: pipeline.committed == 4)
    assert pipeline.workflow.started == [0, 1, 2, 3]
    assert pipeline.seen() == [{"wait": 0.3}, 1, 2, 3]
    await pipeline.end()


async def test_what_is_given_up_twice_keeps_its_order() -> None:
    """The first that comes back goes into flight, and is given up again behind those that there was no room for."""
    pipeline = Pipeline(wait_and_obey, partitions=2, finite=False, drain=0.02, order="key", records=3)
    pipeline.send({"wait": 0.6}, 1, 2)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.in_flight == 3)
    await pipeline.source.suspend([0])
    pipeline.send({"wait": 0.4}, partition=1)
    await pipeline.until(lambda: pipeline.metrics.in_flight == 2)
    pipeline.source.give_back([0])
    await pipeline.until(lambda: pipeline.metrics.in_flight == 3)
    await pipeline.source.suspend([0])
    pipeline.source.give_back([0])
    await pipeline.until(lambda: pipeline.committed == 3)
    assert [seen for seen in pipeline.seen() if isinstance(seen, int)] == [1, 2]
    await pipeline.end()


async def test_a_turn_that_ends_meanwhile_is_over() -> None:
    pipeline = Pipeline(wait_and_obey, finite=False, drain=0.02, order="key")
    pipeline.send({"wait": 0.1}, 1)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.in_flight == 2)
    await pipeline.source.suspend([0])
    await pipeline.until(lambda: len(pipeline.sink.entries) == 1)
    await asyncio.sleep(0.02)
    assert pipeline.workflow.started == [0]
    pipeline.source.give_back([0])
    await pipeline.until(lambda: pipeline.committed == 2)
    await pipeline.end()


async def test_tries_of_what_runs_go_on_and_are_counted_through() -> None:
    async def failing(event: Any, execution: Execution) -> Any:
        await sleep(execution, 0.02)
        raise StateError("Broken", None, "Charge", "/States/Charge")

    pipeline = Pipeline(failing, finite=False, drain=0.02, order="key", pipe=Pipe(retry=Retry(attempts=3, interval=0.1, backoff=1.0)))
    pipeline.send(1)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.workflow.started == [0])
    for _ in range(3):
        await pipeline.source.suspend([0])
        pipeline.source.give_back([0])
    await pipeline.until(lambda: pipeline.committed == 1)
    assert pipeline.workflow.started == [0, 0, 0]
    assert pipeline.metrics.aborted == 0
    await pipeline.end()


async def test_records_of_a_batch_that_waited_are_batched_again() -> None:
    pipe = Pipe(batch=BatchLimits(records=2, window=0.05))
    pipeline = Pipeline(wait_first, finite=False, drain=0.05, order="partition", pipe=pipe)
    pipeline.send({"wait": 0.3}, 1, 2, 3, 4, 5)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.in_flight == 6)
    await pipeline.source.suspend([0])
    assert pipeline.metrics.in_flight == 2
    pipeline.source.give_back([0])
    await pipeline.until(lambda: pipeline.committed == 6)
    assert pipeline.workflow.started == [0, 2, 4]
    await pipeline.end()


async def wait_first(event: Any, execution: Execution) -> Any:
    if isinstance(event[0], dict):
        await sleep(execution, event[0]["wait"])
    else:
        await sleep(execution, 0.001)
    return {"seen": event}


async def test_what_was_let_through_by_the_window_keeps_its_claim(sqlite: str) -> None:
    pipeline = remembering(sqlite, wait_and_obey, finite=False, drain=0.02, order="key")
    pipeline.send({"id": 1, "wait": 0.3}, {"id": 2}, {"id": 3})
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.in_flight == 3)
    await pipeline.source.suspend([0])
    pipeline.source.give_back([0])
    await pipeline.until(lambda: pipeline.committed == 3)
    assert (pipeline.workflow.started, pipeline.metrics.duplicates) == ([0, 1, 2], 0)
    await pipeline.end()


async def test_what_is_on_its_way_to_begin_does_not_overtake_what_was_given_up(sqlite: str) -> None:
    """A rebalance that begins and ends while a store is asked: offset 2 was fetched before it, 1 waited for its turn."""
    pipeline = remembering(sqlite, wait_and_obey, finite=False, drain=0.02, order="key")
    window = pipeline.dispatcher._window
    assert window is not None
    claim, hold, asked = window._store.claim, asyncio.Event(), asyncio.Event()

    async def slow(keys: Any, lease: float) -> Any:
        if asked.is_set():
            return await claim(keys, lease)
        answers = await claim(keys, lease)
        if len(pipeline.workflow.started) == 1:
            asked.set()
            await hold.wait()
        return answers

    window._store.claim = slow  # type: ignore[method-assign]
    pipeline.send({"id": 1, "wait": 0.5}, {"id": 2})
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.in_flight == 2 and len(pipeline.workflow.started) == 1)
    pipeline.send({"id": 3})
    await asked.wait()
    await pipeline.source.suspend([0])
    pipeline.source.give_back([0])
    await asyncio.sleep(0.02)
    hold.set()
    await pipeline.until(lambda: pipeline.committed == 3)
    assert pipeline.workflow.started == [0, 1, 2]
    await pipeline.end()


async def test_where_somebody_else_has_committed_everything_begins_anew() -> None:
    pipeline = Pipeline(wait_and_obey, finite=False, drain=0.02)
    pipeline.send({"wait": 60}, 1, 2)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.log.committed.get(0, Position(0, "")).metadata)
    (former,) = pipeline.source.assignments.values()
    await pipeline.source.suspend([0])
    pipeline.log.committed[0] = Position(1, "")
    pipeline.source.give_back([0])
    assert former.fenced
    assert pipeline.metrics.aborted == 1
    await pipeline.until(lambda: pipeline.committed == 3)
    assert pipeline.workflow.started == [0, 1, 2, 1, 2]
    assert pipeline.metrics.in_flight == 0
    await pipeline.end()


async def test_what_is_lost_is_given_up_at_once_and_nothing_of_it_is_committed_or_counted() -> None:
    pipeline = Pipeline(wait_and_obey, finite=False, order="key", commit_every=60.0)
    pipeline.send({"wait": 60}, 1, key=b"a")
    pipeline.send(2, key=b"b")
    pipeline.begin()
    await pipeline.until(lambda: len(pipeline.sink.entries) == 1)
    (assignment,) = pipeline.source.assignments.values()
    pipeline.dispatcher.lost([assignment])
    assert assignment.fenced
    assert (pipeline.metrics.aborted, pipeline.metrics.in_flight, pipeline.committed) == (1, 0, None)
    summary = await pipeline.end()
    assert summary.abandoned == 2
    assert pipeline.workflow.started == [0, 2]


async def test_a_pipeline_that_stops_while_it_is_suspended_drains_commits_and_ends() -> None:
    pipeline = Pipeline(wait_and_obey, finite=False, drain=0.5, order="key")
    pipeline.send({"wait": 0.8}, 1)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.in_flight == 2)
    await pipeline.source.suspend([0])
    summary = await pipeline.end()
    assert (summary.results, summary.abandoned, pipeline.committed) == (1, 1, 1)
    assert pipeline.metrics.in_flight == 0


def test_a_tracker_goes_on_only_from_what_was_committed_through_it() -> None:
    tracker = Tracker(5, "")
    assert not tracker.goes_on_from(5, ""), "nothing was delivered: a new one knows as much"
    tracker.deliver([5, 6])
    assert tracker.goes_on_from(5, "")
    assert not tracker.goes_on_from(4, "")
    assert not tracker.goes_on_from(5, "AQ==")
    tracker.finish([5])
    position = tracker.position()
    assert position is not None
    assert tracker.goes_on_from(5, ""), "not committed yet"
    tracker.committed(position)
    assert tracker.goes_on_from(*position)
    assert not tracker.goes_on_from(5, "")
    assert tracker.delivered == 6


# --- While something else happens ---------------------------------------------------------------------------------------------------


async def test_a_rebalance_within_a_drain_for_good_does_not_keep_anything_running() -> None:
    """A new consumer is made: the old one's partitions are revoked, and its group is rebalanced meanwhile."""
    pipeline = Pipeline(wait_and_obey, finite=False, drain=0.2, order="key")
    pipeline.send({"wait": 0.8})
    pipeline.begin()
    await pipeline.until(lambda: pipeline.workflow.started == [0])
    (former,) = pipeline.source.assignments.values()
    revoking = asyncio.create_task(pipeline.source.revoke([0]))
    await asyncio.sleep(0.05)
    suspending = asyncio.create_task(pipeline.dispatcher.suspended([former]))
    await revoking
    assert former.fenced
    pipeline.source.assign([0])
    await pipeline.until(lambda: len(pipeline.workflow.started) == 2)
    assert (pipeline.metrics.aborted, pipeline.executor.parked) == (1, 1), "never two executions of one record"
    await suspending
    await pipeline.end()


async def test_a_rebalance_within_the_last_drain_does_not_keep_anything_running() -> None:
    pipeline = Pipeline(wait_and_obey, finite=False, drain=0.4)
    pipeline.send({"wait": 60})
    pipeline.begin()
    await pipeline.until(lambda: pipeline.workflow.started == [0])
    (former,) = pipeline.source.assignments.values()
    ending = asyncio.create_task(pipeline.end())
    await asyncio.sleep(0.05)
    suspending = asyncio.create_task(pipeline.dispatcher.suspended([former]))
    await ending
    assert pipeline.executor.parked == 0
    assert (pipeline.metrics.aborted, pipeline.metrics.in_flight) == (1, 0)
    await suspending


async def test_a_finite_source_has_not_ended_while_something_is_to_run_again() -> None:
    pipeline = Pipeline(wait_and_obey, finite=True, drain=0.02, order="key")
    pipeline.send({"wait": 0.3}, 1)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.workflow.started)
    await pipeline.source.suspend([0])
    pipeline.source.give_back([0])
    assert pipeline.task is not None
    summary = await pipeline.task
    assert (summary.ended, summary.abandoned, pipeline.committed) == ("end of source", 0, 2)


class Claims(Store):
    """Says OURS, unless ``taken`` by others; ``hold``: of these it is asked in vain until they are let go."""

    def __init__(self) -> None:
        self.taken: set[bytes] = set()
        self.hold: dict[bytes, asyncio.Event] = {}
        self.asked: set[bytes] = set()

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def claim(self, keys: Sequence[bytes], lease: float) -> list[Claim]:
        self.asked.update(keys)
        for key in keys:
            if key in self.hold:
                await self.hold[key].wait()
        return [Claim.TAKEN if key in self.taken else Claim.OURS for key in keys]

    async def renew(self, keys: Sequence[bytes], lease: float) -> None:
        pass

    async def complete(self, keys: Sequence[bytes], window: float) -> None:
        pass

    async def release(self, keys: Sequence[bytes]) -> None:
        pass


async def test_what_is_found_to_wait_after_a_rebalance_keeps_its_place() -> None:
    """The store is asked for the second of a key when the partition is suspended, and says that somebody else runs it when it has gone on:
    the third and fourth, which waited behind it, stay there, through another rebalance, too."""
    claims = Claims()
    claims.taken, claims.hold = {b"1"}, {b"2": asyncio.Event()}
    memory = Remembered(Dedup(by="$.id", store="memory", lease=1.0), lambda message: b"%d" % loads(message.value)["id"], claims)
    pipeline = Pipeline(wait_and_obey, finite=False, drain=0.02, order="key", memory=memory)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.dispatcher.started)
    pipeline.send({"id": 1})
    await pipeline.until(lambda: pipeline.metrics.in_flight == 1)
    pipeline.send({"id": 2}, {"id": 3, "wait": 0.3}, {"id": 4})
    await pipeline.until(lambda: pipeline.metrics.in_flight == 4)
    claims.taken = {b"2"}
    await pipeline.until(lambda: pipeline.workflow.started == [0] and b"2" in claims.asked)
    await pipeline.source.suspend([0])
    pipeline.source.give_back([0])
    await asyncio.sleep(0.05)
    claims.hold.pop(b"2").set()
    await asyncio.sleep(0.1)
    assert pipeline.workflow.started == [0]
    await pipeline.source.suspend([0])
    pipeline.source.give_back([0])
    await asyncio.sleep(0.1)
    claims.taken = set()
    await pipeline.until(lambda: pipeline.committed == 4)
    assert pipeline.workflow.started == [0, 1, 2, 3]
    await pipeline.end()


async def test_what_was_fetched_meanwhile_has_only_the_room_that_is_left() -> None:
    """One fetch brings records of two partitions, of which one has something to run again."""
    claims = Claims()
    claims.taken = {b"%d" % number for number in range(100)}  # so that everything waits
    memory = Remembered(Dedup(by="$.id", store="memory", lease=1.0), lambda message: b"%d" % loads(message.value)["id"], claims)
    pipeline = Pipeline(wait_and_obey, partitions=2, finite=False, drain=0.02, records=8, memory=memory)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.dispatcher.started)
    pipeline.send(*({"id": number} for number in range(8)))
    await pipeline.until(lambda: pipeline.metrics.in_flight == 8)
    await pipeline.source.suspend([0, 1])
    assert pipeline.metrics.in_flight == 0
    pipeline.send({"id": 50})
    pipeline.send(*({"id": 60 + number} for number in range(7)), partition=1)
    pipeline.source._next = dict(sorted(pipeline.source._next.items()))
    pipeline.source.give_back([0, 1])
    most, until = 0, time.monotonic() + 0.5
    while time.monotonic() < until:
        most = max(most, pipeline.metrics.in_flight)
        await asyncio.sleep(0)
    await pipeline.end()
    assert most == 8
