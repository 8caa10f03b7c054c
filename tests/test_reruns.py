"""Executions that fail are tried again before they become dead letters: in their turn, in flight, uncommitted until one of them counts."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from express.errors import PipelineStopped
from express.pipes import Pipe
from express.reruns import Retry, problems
from express.runtime.context import Execution
from express.runtime.failures import StateError
from express.runtime.suspensions import sleep
from tests.pipelines import Pipeline, obey, wait_and_obey

BOTH = pytest.mark.parametrize("waits", [False, True], ids=["plain", "waits"])
QUICK = Retry(attempts=3, interval=0.01)


class Flaky:
    """Fails so many times as the event says, then does as it says."""

    def __init__(self) -> None:
        self.started: list[int] = []

    def go(self, event: Any, execution: Execution) -> Any:
        assert execution.message is not None
        offset = execution.message.offset
        self.started.append(offset)
        if isinstance(event, dict) and self.started.count(offset) <= event.get("failures", 0):
            execution.attempts = 2
            raise StateError("Unlucky", None, "Charge", "/States/Charge")
        return obey(event, execution)


def flaky(waits: bool, retry: Retry = QUICK, **more: Any) -> tuple[Flaky, Pipeline]:
    made = Flaky()

    def plain(event: Any, execution: Execution) -> Any:
        return made.go(event, execution)

    async def waiting(event: Any, execution: Execution) -> Any:
        await sleep(execution, 0.001)
        return made.go(event, execution)

    return made, Pipeline(waiting if waits else plain, pipe=Pipe(retry=retry), **more)


@BOTH
async def test_what_fails_is_executed_again_until_it_succeeds(waits: bool) -> None:
    made, pipeline = flaky(waits)
    pipeline.send({"failures": 2}, {"failures": 0})
    await pipeline.run()
    assert sorted(made.started) == [0, 0, 0, 1]
    assert pipeline.dead_letter.entries == []
    assert (len(pipeline.sink.entries), pipeline.committed, pipeline.metrics.in_flight) == (2, 2, 0)
    assert pipeline.metrics.reruns is not None
    assert pipeline.metrics.reruns.executions == 2


@BOTH
async def test_after_the_last_attempt_the_dead_letter_counts_them_all(waits: bool) -> None:
    made, pipeline = flaky(waits, Retry(attempts=3, interval=0.03, backoff=1))
    pipeline.send({"failures": 9})
    await pipeline.run()
    assert made.started == [0, 0, 0]
    (headers,) = pipeline.buried()
    assert headers["express-executions"] == "3"
    assert headers["express-attempts"] == "6"
    assert headers["express-first-failure"] < headers["express-last-failure"]
    assert headers["express-error"] == "Unlucky"
    assert pipeline.committed == 1


@BOTH
async def test_a_record_that_was_a_dead_letter_before_keeps_its_first_failure(waits: bool) -> None:
    _, pipeline = flaky(waits)
    pipeline.log.append(orjson.dumps({"failures": 9}), b"k", [("express-first-failure", b"2020-01-01T00:00:00.000Z")])
    await pipeline.run()
    assert pipeline.buried()[0]["express-first-failure"] == "2020-01-01T00:00:00.000Z"


@BOTH
async def test_poison_is_not_tried_again(waits: bool) -> None:
    _, pipeline = flaky(waits)
    pipeline.send(b"{,", b'"' + b"x" * 300_000 + b'"')
    await pipeline.run()
    assert [headers["express-error"] for headers in pipeline.buried()] == ["Express.Undecodable", "Express.TooLarge"]
    assert all("express-executions" not in headers for headers in pipeline.buried())
    assert pipeline.metrics.reruns is not None
    assert pipeline.metrics.reruns.executions == 0


async def test_an_execution_that_ran_out_of_time_is_tried_again_with_its_whole_time() -> None:
    deadlines: list[float] = []

    async def evaluate(event: Any, execution: Execution) -> Any:
        deadlines.append(execution.deadline)
        await sleep(execution, 60 if len(deadlines) == 1 else 0)
        return {"seen": event}

    pipeline = Pipeline(evaluate, seconds=0.05, pipe=Pipe(retry=QUICK))
    pipeline.send(1)
    await pipeline.run()
    assert pipeline.seen() == [1]
    assert deadlines[1] >= deadlines[0]


@BOTH
async def test_tries_are_inside_the_turn_of_their_key_and_hold_no_other(waits: bool) -> None:
    made, pipeline = flaky(waits, order="key")
    pipeline.send({"failures": 2}, {"failures": 1}, key=b"a")
    pipeline.send({"other": True}, key=b"b")
    await pipeline.run()
    assert [offset for offset in made.started if offset < 2] == [0, 0, 0, 1, 1]
    assert made.started.index(2) <= 1
    assert [entry.message.offset for entry in pipeline.sink.entries if entry.message.key == b"a"] == [0, 1]


@BOTH
async def test_by_partition_a_try_holds_the_partition(waits: bool) -> None:
    made, pipeline = flaky(waits, order="partition")
    pipeline.send({"failures": 2}, key=b"a")
    pipeline.send({"failures": 0}, key=b"b")
    await pipeline.run()
    assert made.started == [0, 0, 0, 1]


@BOTH
async def test_without_an_order_what_waits_for_its_next_try_holds_nobody_and_is_in_flight(waits: bool) -> None:
    made, pipeline = flaky(waits, Retry(attempts=2, interval=60, max_interval=60), finite=False)
    pipeline.send({"failures": 1}, *({"number": number} for number in range(20)))
    pipeline.begin()
    await pipeline.until(lambda: len(pipeline.sink.entries) == 20)
    assert pipeline.metrics.in_flight == 1
    assert pipeline.committed in (None, 0)
    summary = await pipeline.end()
    assert summary.abandoned == 1
    assert made.started.count(0) == 1
    assert pipeline.metrics.in_flight == 0
    assert pipeline.dead_letter.entries == []


@BOTH
async def test_a_drain_does_not_wait_for_pauses_and_what_is_given_up_comes_again(waits: bool) -> None:
    made, pipeline = flaky(waits, Retry(attempts=2, interval=60, max_interval=60), finite=False, order="key", drain=30.0)
    pipeline.send({"failures": 1}, {"second": True})
    pipeline.begin()
    await pipeline.until(lambda: made.started == [0])
    await pipeline.until(lambda: any(lane.pausing for lane in pipeline.dispatcher._lanes.values()))
    summary = await pipeline.end()
    assert made.started == [0], "the turn went on although nothing of it may begin any more"
    assert (summary.abandoned, pipeline.committed) == (2, 0)
    again = Pipeline(wait_and_obey, log=pipeline.log)
    await again.run()
    assert len(again.sink.entries) == 2


async def test_what_fails_while_it_is_drained_is_not_buried_while_tries_are_left() -> None:
    pipeline = Pipeline(wait_and_obey, pipe=Pipe(retry=QUICK), finite=False)
    pipeline.send({"wait": 0.1, "fail": "Broken"})
    pipeline.begin()
    await pipeline.until(lambda: pipeline.workflow.started)
    summary = await pipeline.end()
    assert (summary.abandoned, pipeline.dead_letter.entries, pipeline.committed) == (1, [], 0)


async def test_without_a_dead_letter_the_last_try_stops_the_pipeline() -> None:
    made, pipeline = flaky(False, dead_letter=False)
    pipeline.send({"failures": 9})
    with pytest.raises(PipelineStopped, match="Unlucky"):
        await pipeline.run()
    assert made.started == [0, 0, 0]
    assert pipeline.committed in (None, 0)


def test_pauses_grow_up_to_their_limit_and_are_shortened_by_chance() -> None:
    retry = Retry(attempts=9, interval=1, backoff=2, max_interval=5)
    assert [retry.pause(executions, 0.0) for executions in range(1, 6)] == [1, 2, 4, 5, 5]
    assert retry.pause(3, 0.999) == pytest.approx(2.0, rel=0.01)
    assert Retry(attempts=1_000, backoff=10).pause(999, 0.0) == 30


def test_what_makes_no_sense_is_said_all_at_once() -> None:
    wrong = Retry(attempts=1, interval=0, backoff=0.5, max_interval=-1)
    assert dict(problems(wrong)) == {
        "attempts": "expected 2 to 1,000 executions in all, the first included",
        "interval": "expected more than 0s",
        "backoff": "expected at least 1: pauses that get shorter help nobody",
        "max_interval": "expected at least the interval",
    }
    assert list(problems(QUICK)) == []
