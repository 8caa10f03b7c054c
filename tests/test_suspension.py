"""Partitions that a rebalance takes and gives back: what runs goes on, what waited runs first, and nothing is read or run twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from express.batches import BatchLimits
from express.commits import Position, Tracker
from express.pipes import Pipe
from express.reruns import Retry
from express.runtime.context import Execution
from express.runtime.failures import StateError
from express.runtime.suspensions import sleep
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
