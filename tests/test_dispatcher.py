"""The at-least-once promise, path by path."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from consumers.memory import Log, MemorySource
from express.commits import Position, decode
from express.endings import _observe
from express.errors import ConnectionFailed, PipelineStopped
from express.evaluation import STINT_EVENTS
from express.observers.metrics import Histogram
from express.runtime.context import Execution, Message
from express.runtime.failures import StateError
from express.runtime.limits import PAYLOAD
from express.runtime.suspensions import sleep
from express.sources import Assignment
from express.testing import VirtualClock
from tests.pipelines import Pipeline, obey, wait_and_obey

BOTH = pytest.mark.parametrize("evaluate", [obey, wait_and_obey])  # a plain workflow, and one that can wait


# --- What becomes of an event -----------------------------------------------------------------------------------------------------


@BOTH
async def test_every_event_becomes_a_result_and_only_then_is_committed(evaluate: Any) -> None:
    pipeline = Pipeline(evaluate)
    pipeline.send(*range(2_000))
    summary = await pipeline.run()
    assert pipeline.seen() == list(range(2_000))
    assert pipeline.committed == 2_000
    assert (summary.records, summary.results, summary.dead_letters, summary.abandoned) == (2_000, 2_000, 0, 0)
    assert summary.ended == "end of source"
    metrics = pipeline.metrics
    assert (metrics.source_records, metrics.results, metrics.in_flight, metrics.in_flight_bytes) == (2_000, 2_000, 0, 0)
    assert metrics.event_seconds.count == 2_000
    assert metrics.commit_lag == 0


@BOTH
async def test_a_result_has_the_key_of_its_event_and_names_its_execution_and_workflow(evaluate: Any) -> None:
    pipeline = Pipeline(evaluate)
    pipeline.send({"total": 65})
    await pipeline.run()
    (entry,) = pipeline.sink.entries
    assert entry.message.key == b"key"
    assert entry.value == b'{"seen":{"total":65}}'
    assert list(entry.headers) == [("express-execution", b"orders-0-0"), ("express-workflow", b"orders")]


@BOTH
async def test_a_long_topic_name_is_hashed_as_the_execution_name_is(evaluate: Any) -> None:
    pipeline = Pipeline(evaluate)
    pipeline.log.name = "o" * 90
    pipeline.send(1)
    await pipeline.run()
    (entry,) = pipeline.sink.entries
    assert len(dict(entry.headers)["express-execution"]) == 64


@BOTH
async def test_nothing_is_committed_before_the_sink_has_acknowledged(evaluate: Any) -> None:
    pipeline = Pipeline(evaluate, finite=False)
    pipeline.sink.held = True
    pipeline.send(*range(10))
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.in_flight == 10)
    await asyncio.sleep(0.1)
    assert pipeline.committed == 0
    pipeline.sink.release()
    await pipeline.until(lambda: pipeline.committed == 10)
    await pipeline.end()


@BOTH
async def test_without_a_result_sink_the_end_of_the_execution_is_committed(evaluate: Any) -> None:
    pipeline = Pipeline(evaluate, sink=False)
    pipeline.send(*range(10))
    summary = await pipeline.run()
    assert pipeline.committed == 10
    assert summary.results == 10


@BOTH
async def test_a_tombstone_is_read_as_null_and_null_is_written_as_null(evaluate: Any) -> None:
    pipeline = Pipeline(evaluate)
    pipeline.log.append(None)
    await pipeline.run()
    assert pipeline.sink.values() == [b'{"seen":null}']


@BOTH
@pytest.mark.parametrize(
    ("event", "status", "error", "cause", "state"),
    [
        ({"fail": "OutOfStock", "cause": "nothing left to sell"}, "FAILED", "OutOfStock", "nothing left to sell", "Charge"),
        ({"fail": None}, "FAILED", "", "", "Charge"),
        ({"time out": True}, "TIMED_OUT", "States.Timeout", "", ""),
        ({"bug": "oops"}, "FAILED", "States.Runtime", "RuntimeError: oops", ""),
    ],
)
async def test_a_failed_execution_becomes_a_dead_letter(
    evaluate: Any, event: Any, status: str, error: str, cause: str, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = Pipeline(evaluate)
    pipeline.log.append(orjson.dumps(event), b"k", [("trace", b"\xff1")])
    pipeline.send("good")
    await pipeline.run()
    (entry,) = pipeline.dead_letter.entries
    assert entry.value == orjson.dumps(event)
    assert entry.message.key == b"k"
    assert entry.headers[0] == ("trace", b"\xff1")
    headers = dict(entry.headers)
    assert headers["express-execution"] == b"orders-0-0"
    assert headers["express-workflow"] == b"orders"
    assert headers["express-definition"] == pipeline.workflow.sha256.encode()
    assert headers["express-status"].decode() == status
    assert headers["express-error"].decode() == error
    assert headers["express-cause"].decode() == cause
    assert headers["express-state"].decode() == state
    assert headers["express-attempts"] == b"0"
    assert headers["express-first-failure"] == headers["express-last-failure"]
    assert orjson.loads(headers["express-source"]) == {
        "kind": "memory", "topic": "orders", "partition": 0, "offset": 0, "timestamp": entry.message.timestamp,
    }  # fmt: skip
    assert pipeline.seen() == ["good"]
    assert pipeline.committed == 2
    assert pipeline.metrics.dead_letters == 1


@BOTH
@pytest.mark.parametrize(
    ("value", "error", "cause"),
    [
        (b"{oops", "Express.Undecodable", "it is not JSON"),
        (b"\xff\xfe", "Express.Undecodable", "it is not"),
        (b"", "Express.Undecodable", "it is not JSON"),
        (b"[" * 100 + b"]" * 100, "Express.Undecodable", "nests deeper than 64"),
        (b'"\\ud800"', "Express.Undecodable", "it is not"),
        (b'"' + b"x" * PAYLOAD + b'"', "Express.TooLarge", "the event has 262,146 bytes, the limit is 262,144"),
    ],
    ids=["not json", "not utf-8", "empty", "too deep", "lone surrogate", "too large"],
)
async def test_poison_becomes_a_dead_letter_and_blocks_nothing(evaluate: Any, value: bytes, error: str, cause: str) -> None:
    pipeline = Pipeline(evaluate)
    pipeline.send(1, value, 2)
    await pipeline.run()
    assert pipeline.seen() == [1, 2]
    assert pipeline.dead_letter.values() == [value]
    (headers,) = pipeline.buried()
    assert headers["express-status"] == "FAILED"
    assert headers["express-error"] == error
    assert cause in headers["express-cause"]
    assert pipeline.metrics.poison == 1
    assert pipeline.committed == 3


@BOTH
async def test_an_event_of_exactly_the_limit_is_no_poison(evaluate: Any) -> None:
    pipeline = Pipeline(evaluate)
    pipeline.send(b'"' + b"x" * (PAYLOAD - 2) + b'"')
    await pipeline.run()
    assert len(pipeline.sink.entries) == 1


@BOTH
async def test_a_result_that_the_sink_rejects_becomes_a_dead_letter_that_says_why(evaluate: Any) -> None:
    pipeline = Pipeline(evaluate)
    pipeline.sink.reject = lambda entry: "the record has 2,000,000 bytes, the topic takes 1,048,588" if entry.message.offset == 1 else None
    pipeline.send(*range(3))
    await pipeline.run()
    assert pipeline.seen() == [0, 2]
    (headers,) = pipeline.buried()
    assert headers["express-error"] == "Express.ResultRejected"
    assert headers["express-cause"] == "the record has 2,000,000 bytes, the topic takes 1,048,588"
    assert pipeline.committed == 3


@BOTH
async def test_a_dead_letter_that_is_rejected_stops_the_pipeline_before_the_failure_is_lost(evaluate: Any) -> None:
    pipeline = Pipeline(evaluate)
    pipeline.dead_letter.reject = lambda entry: "too large for the topic"
    pipeline.send(0, 1, {"fail": "E"}, 3)
    with pytest.raises(PipelineStopped, match="the dead letter of the record at orders, partition 0, offset 2 was rejected: too large for"):
        await pipeline.run()
    assert pipeline.committed == 2


@BOTH
async def test_without_a_dead_letter_the_first_failure_stops_the_pipeline_and_nothing_past_it_is_committed(evaluate: Any) -> None:
    pipeline = Pipeline(evaluate, dead_letter=False)
    pipeline.send(0, 1, 2, {"fail": "OutOfStock", "cause": "nothing left"}, *range(4, 2_000))
    with pytest.raises(PipelineStopped) as stopped:
        await pipeline.run()
    sentence = str(stopped.value)
    assert sentence == (
        "orders: the record at orders, partition 0, offset 3 failed in state 'Charge': OutOfStock: nothing left; there is no dead letter "
        "to put it into, so the pipeline stops and nothing past this record is committed"
    )
    assert pipeline.committed == 3, "everything before it that finished is committed"
    assert pipeline.seen()[:3] == [0, 1, 2]
    assert not pipeline.log.members, "the source was stopped"
    assert pipeline.sink.stopped


async def test_poison_without_a_dead_letter_stops_the_pipeline_too() -> None:
    pipeline = Pipeline(dead_letter=False)
    pipeline.send(0, b"{", 2)
    with pytest.raises(PipelineStopped, match=r"partition 0, offset 1 failed: Express\.Undecodable: it is not JSON"):
        await pipeline.run()
    assert pipeline.committed == 1


async def test_what_finishes_beside_a_failure_that_stops_the_pipeline_is_remembered_beyond_it() -> None:
    pipeline = Pipeline(wait_and_obey, dead_letter=False)
    pipeline.send({"wait": 0.1, "fail": "E"}, 1, {"wait": 0.2}, 3)
    with pytest.raises(PipelineStopped):
        await pipeline.run()
    position = pipeline.log.committed[0]
    assert position.offset == 0
    assert decode(position.metadata, 0) == (3, (0,))
    # The next process runs only what failed
    again = Pipeline(log=pipeline.log)
    await again.run()
    assert again.workflow.started == [0]
    assert again.committed == 4


async def test_an_execution_has_as_long_as_its_definition_and_the_limits_say() -> None:
    for limit, definition in ((300.0, 0.1), (0.1, 300.0)):
        pipeline = Pipeline(wait_and_obey, execution=limit, seconds=definition)
        pipeline.send({"wait": 60})
        await pipeline.run()
        (headers,) = pipeline.buried()
        assert (headers["express-status"], headers["express-error"]) == ("TIMED_OUT", "States.Timeout")


# --- Headers of dead letters ------------------------------------------------------------------------------------------------------


async def test_a_long_cause_is_cut_at_a_character_and_the_payload_is_not_repeated() -> None:
    pipeline = Pipeline()
    event = {"fail": "E", "cause": "ü" * 3_000, "secret": "hunter2"}
    pipeline.send(event)
    await pipeline.run()
    (headers,) = pipeline.buried()
    assert headers["express-cause"] == "ü" * 512
    assert "hunter2" not in "".join(headers.values())


async def test_the_time_of_the_first_failure_survives_a_replay() -> None:
    pipeline = Pipeline()
    pipeline.log.append(b'{"fail": "E"}', None, [("express-first-failure", b"2026-01-01T00:00:00.000Z"), ("express-error", b"Old")])
    await pipeline.run()
    (headers,) = pipeline.buried()
    assert headers["express-first-failure"] == "2026-01-01T00:00:00.000Z"
    assert headers["express-last-failure"] > "2026-01-02"
    assert headers["express-error"] == "E", "of two headers with one name the last is ours"


async def test_an_error_name_that_is_no_text_of_utf_8_does_not_stop_anything() -> None:
    def fail(event: Any, execution: Execution) -> Any:
        raise StateError("E\ud800", "\udfff")

    pipeline = Pipeline(fail)
    pipeline.send(1)
    await pipeline.run()
    (headers,) = pipeline.buried()
    assert headers["express-error"] == "E\\ud800"


# --- Commits ----------------------------------------------------------------------------------------------------------------------


def test_executions_finish_in_any_order_and_commits_do_not() -> None:
    async def main() -> None:
        pipeline = Pipeline(wait_and_obey, clock=clock)
        pipeline.send({"wait": 0.15, "n": 0}, 1, {"wait": 0.05, "n": 2}, 3)
        await pipeline.run()
        offsets = [position.offset for _, position in pipeline.source.history]
        assert offsets == [0, 0, 4], "again whenever the map has changed"
        assert [entry.message.offset for entry in pipeline.sink.entries] == [1, 3, 2, 0]

    clock = VirtualClock()
    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        runner.run(main())


async def test_a_refused_commit_changes_nothing_and_is_tried_again() -> None:
    pipeline = Pipeline(finite=False)
    pipeline.source.refuse = range(3)
    pipeline.send(*range(10))
    pipeline.begin()
    await pipeline.until(lambda: pipeline.committed == 10)
    assert pipeline.source.commits == 4
    assert pipeline.metrics.commits == 1
    await pipeline.end()


async def test_an_idle_pipeline_commits_nothing() -> None:
    pipeline = Pipeline(finite=False)
    pipeline.send(1)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.committed == 1)
    commits = pipeline.source.commits
    await asyncio.sleep(0.2)
    await pipeline.end()
    assert pipeline.source.commits == commits


async def test_a_commit_under_way_is_not_overtaken_by_another() -> None:
    pipeline = Pipeline(finite=False, commit_every=0.01)
    pipeline.source.late = 0.05
    under_way = most = 0
    commit = pipeline.source.commit

    async def counted(positions: Any) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            return await commit(positions)
        finally:
            under_way -= 1

    pipeline.source.commit = counted  # type: ignore[method-assign]
    pipeline.begin()
    for number in range(30):
        pipeline.send(number)
        await asyncio.sleep(0.01)
    await pipeline.source.revoke([0])
    await pipeline.end()
    assert most == 1
    assert pipeline.committed == 30


async def test_finished_work_is_skipped_after_a_crash_and_the_rest_is_run_again() -> None:
    pipeline = Pipeline(wait_and_obey, finite=False)
    pipeline.send({"wait": 60}, *range(1, 10))
    pipeline.begin()
    await pipeline.until(lambda: pipeline.log.committed.get(0) is not None and pipeline.log.committed[0].metadata)
    assert pipeline.task is not None
    pipeline.task.cancel()  # a crash: nothing is drained, nothing more is committed
    with pytest.raises(asyncio.CancelledError):
        await pipeline.task
    again = Pipeline(log=pipeline.log)
    await again.run()
    assert again.workflow.started == [0]
    assert again.metrics.source_records == 1, "what is skipped is not counted"
    assert again.committed == 10


async def test_a_source_that_goes_back_without_a_new_assignment_stops_the_pipeline() -> None:
    pipeline = Pipeline(finite=False)
    pipeline.send(*range(5))
    pipeline.begin()
    await pipeline.until(lambda: pipeline.committed == 5)
    pipeline.source._next[0] = 2
    pipeline.source.wake()
    with pytest.raises(PipelineStopped, match="offset 2 was delivered after offset 4 of the same assignment"):
        await pipeline.until(lambda: False)


async def test_gaps_between_offsets_are_committed_over() -> None:
    pipeline = Pipeline()
    pipeline.log.skip(0, 7)
    pipeline.send(0)
    pipeline.log.skip(0, 3)
    pipeline.send(1)
    await pipeline.run()
    assert pipeline.committed == 12


# --- Rebalances -------------------------------------------------------------------------------------------------------------------


async def test_a_revoked_partition_is_drained_committed_and_only_then_fenced() -> None:
    pipeline = Pipeline(wait_and_obey, partitions=2, finite=False, commit_every=60.0)
    pipeline.send({"wait": 0.1}, {"wait": 0.1})
    pipeline.send({"wait": 0.3}, partition=1)
    pipeline.begin()
    await pipeline.until(lambda: len(pipeline.workflow.started) == 3)
    assignment = pipeline.source.assignments[0]
    await pipeline.source.revoke([0])
    assert assignment.fenced
    assert pipeline.log.committed[0] == Position(2, "")
    assert 1 not in pipeline.log.committed, "the other partition is not waited for"
    summary = await pipeline.end()
    assert pipeline.log.committed[1] == Position(1, "")
    assert summary.abandoned == 0


async def test_executions_past_the_drain_deadline_are_given_up_and_come_again_elsewhere() -> None:
    one = Pipeline(wait_and_obey, finite=False, drain=0.1)
    one.send({"wait": 60, "n": 0}, 1, {"wait": 60, "n": 2}, 3)
    one.begin()
    await one.until(lambda: len(one.sink.entries) == 2)
    await one.source.revoke([0])
    assert one.metrics.aborted == 2
    assert one.metrics.in_flight == 0
    assert one.committed == 0
    summary = await one.end()
    assert summary.abandoned == 2
    other = Pipeline(log=one.log)
    await other.run()
    assert sorted(other.workflow.started) == [0, 2]
    assert other.committed == 4


async def test_what_finishes_after_the_fence_is_neither_committed_nor_counted() -> None:
    pipeline = Pipeline(finite=False, drain=0.05)
    pipeline.sink.held = True
    pipeline.send(*range(4))
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.in_flight == 4)
    began = time.monotonic()
    await pipeline.source.revoke([0])  # the sink does not acknowledge in time
    assert time.monotonic() - began < 5
    assert pipeline.committed == 0
    pipeline.source.assign([0])
    await pipeline.until(lambda: pipeline.metrics.in_flight == 8)
    pipeline.sink.release()
    await pipeline.until(lambda: pipeline.committed == 4)
    assert len(pipeline.sink.entries) == 8, "duplicates, not loss"
    assert pipeline.metrics.results == 4, "only those of the present assignment count"
    assert pipeline.metrics.in_flight == 0
    await pipeline.end()


async def test_a_hanging_commit_does_not_hold_a_rebalance() -> None:
    pipeline = Pipeline(finite=False, drain=0.05)
    pipeline.source.late = 30.0
    pipeline.send(1)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.source.commits == 1)
    began = time.monotonic()
    await pipeline.source.revoke([0])
    assert time.monotonic() - began < 5
    assert not pipeline.log.committed
    await pipeline.end()


async def test_records_that_were_fetched_but_not_begun_when_their_partition_leaves_are_not_run() -> None:
    def slow(event: Any, execution: Execution) -> Any:
        time.sleep(0.02)
        return {"seen": event}

    pipeline = Pipeline(slow, finite=False)
    pipeline.send(*range(50))
    pipeline.begin()
    await pipeline.until(lambda: len(pipeline.workflow.started) >= 3)
    await pipeline.source.revoke([0])
    ran = len(pipeline.workflow.started)
    assert ran < 50
    await asyncio.sleep(0.1)
    assert len(pipeline.workflow.started) <= ran + 1
    assert pipeline.committed == len(pipeline.sink.entries)
    await pipeline.end()
    assert pipeline.metrics.in_flight == 0


async def test_two_members_that_pass_a_partition_back_and_forth_lose_nothing() -> None:
    one = Pipeline(wait_and_obey, partitions=2, finite=False, drain=0.02, commit_every=0.01)
    two = Pipeline(wait_and_obey, log=one.log, given=[], finite=False, drain=0.02, commit_every=0.01)
    one.begin()
    two.begin()
    await one.until(lambda: one.dispatcher.ready() and two.dispatcher.ready())
    owner, other = one, two
    sent = 0
    for _ in range(30):
        for _ in range(20):
            one.send({"n": sent, "wait": 0.03 if sent % 5 == 0 else 0}, partition=sent % 2)
            sent += 1
        await asyncio.sleep(0.01)
        await owner.source.revoke([0])
        other.source.assign([0])
        owner, other = other, owner
    await one.until(lambda: [one.log.committed[p].offset for p in (0, 1) if p in one.log.committed] == [sent // 2] * 2, 10)
    await one.end()
    await two.end()
    done = {event["n"] for event in one.seen() + two.seen()}
    assert done == set(range(sent))
    offsets = [position.offset for partition, position in sorted(one.source.history + two.source.history) if partition == 0]
    assert offsets == sorted(offsets)


# --- Room -------------------------------------------------------------------------------------------------------------------------


async def test_intake_pauses_at_the_limit_of_records_and_goes_on_at_half_of_it() -> None:
    pipeline = Pipeline(wait_and_obey, finite=False, records=10)
    pipeline.send(*({"wait": 0.5} for _ in range(4)), *({"wait": 1.0} for _ in range(6)), *range(10, 40))
    pipeline.begin()
    await pipeline.until(lambda: pipeline.source.paused)
    assert pipeline.metrics.in_flight == 10
    await pipeline.until(lambda: pipeline.metrics.in_flight == 6)
    await asyncio.sleep(0.2)
    assert pipeline.metrics.in_flight == 6, "six of ten is more than half"
    await pipeline.until(lambda: len(pipeline.sink.entries) == 40)
    assert not pipeline.source.paused
    await pipeline.end()


async def test_intake_pauses_at_the_limit_of_bytes() -> None:
    pipeline = Pipeline(finite=False, bytes=100_000)
    pipeline.sink.held = True
    pipeline.send(*(b'"' + b"x" * 10_000 + b'"' for _ in range(100)))
    pipeline.begin()
    await pipeline.until(lambda: pipeline.source.paused)
    held = pipeline.metrics.in_flight_bytes
    await asyncio.sleep(0.2)
    assert pipeline.metrics.in_flight_bytes == held, "nothing more is taken"
    pipeline.sink.release()
    await pipeline.until(lambda: pipeline.committed == 100)
    await pipeline.end()


async def test_a_partition_with_much_in_it_does_not_hold_one_with_little() -> None:
    """What one partition has waiting is not a reason for another to wait: each fetch shares the room that there is."""
    pipeline = Pipeline(wait_and_obey, partitions=3, records=6)
    pipeline.send(*({"wait": 0.002, "from": 0} for _ in range(300)), partition=0)
    pipeline.send(*({"wait": 0.002, "from": 1} for _ in range(20)), partition=1)
    pipeline.send(*({"wait": 0.002, "from": 2} for _ in range(20)), partition=2)
    await pipeline.run()
    origins = [event["from"] for event in pipeline.seen()]
    assert len(origins) == 340
    for small in (1, 2):
        last = len(origins) - 1 - origins[::-1].index(small)
        assert origins[:last].count(0) < 100, "20 of a small one are done long before 300 of the large one"


async def test_executions_of_minutes_hold_neither_others_of_their_partition_nor_other_partitions_and_little_is_run_again() -> None:
    pipeline = Pipeline(wait_and_obey, partitions=2, records=20, finite=False, drain=0.05)
    for partition in (0, 1):
        pipeline.send(*({"wait": 300 if number % 200 == 5 else 0, "n": number} for number in range(1_000)), partition=partition)
    pipeline.begin()
    await pipeline.until(lambda: len(pipeline.sink.entries) == 1_990, 20)
    assert pipeline.metrics.in_flight == 10, "the slow ones, and nothing else"
    await pipeline.end()
    assert pipeline.log.committed.keys() == {0, 1}
    again = Pipeline(obey, log=pipeline.log)
    await again.run()
    assert sorted(event["n"] for event in again.seen()) == sorted([5, 205, 405, 605, 805] * 2), "the rest was remembered beyond them"


async def test_a_batch_is_kept_small_when_events_are_large() -> None:
    pipeline = Pipeline(finite=False, bytes=100_000)
    pipeline.sink.held = True
    pipeline.send(b'"' + b"x" * 10_000 + b'"')
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.in_flight == 1)
    pipeline.send(*(b'"' + b"x" * 10_000 + b'"' for _ in range(100)))
    await pipeline.until(lambda: pipeline.source.paused)
    assert pipeline.metrics.in_flight_bytes <= 110_000
    pipeline.sink.release()
    await pipeline.end()


async def test_intake_pauses_while_a_task_could_not_begin_another_call() -> None:
    pipeline = Pipeline(finite=False)
    pipeline.workflow.tasks.full = True
    pipeline.send(*range(10))
    pipeline.begin()
    await pipeline.until(lambda: pipeline.source.paused)
    assert pipeline.workflow.started == []
    pipeline.workflow.tasks.full = False
    await pipeline.until(lambda: len(pipeline.sink.entries) == 10)
    await pipeline.end()


async def test_intake_pauses_before_the_map_of_finished_work_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much there is room for in flight: what finishes beyond a slow one can always be remembered, all of it."""
    monkeypatch.setattr("express.commits._MAX_MAP", 100 + 25)  # 100 steps of one byte
    released: set[int] = set()

    async def every_other_waits(event: Any, execution: Execution) -> Any:
        while event % 2 == 0 and event not in released:
            await sleep(execution, 0.01)
        return {"seen": event}

    pipeline = Pipeline(every_other_waits, finite=False, records=100_000, drain=0.1)
    pipeline.send(*range(1_000))
    pipeline.begin()

    def full() -> bool:
        """No room for the next one, and the map that was committed has all that has finished: every odd one."""
        started, position = len(pipeline.workflow.started), pipeline.log.committed.get(0)
        known = None if position is None else decode(position.metadata, position.offset)
        odd = {offset for offset in range(started) if offset % 2}
        told = set() if known is None else set(range(known.highest + 1)).difference(known.unfinished)
        return bool(started) and tracker.room([started]) == 0 and told == odd

    await pipeline.until(lambda: pipeline.source.assignments)
    tracker = pipeline.source.assignments[0].tracker
    await pipeline.until(full, 20)
    assert not tracker.full
    assert 190 <= len(pipeline.workflow.started) <= 202, "a byte for each of those that wait"
    released.update(range(0, 1_000, 2))
    await pipeline.until(lambda: pipeline.committed == 1_000, 20)
    await pipeline.end()
    assert sorted(pipeline.workflow.started) == list(range(1_000)), "what was held back has run, once, and nothing else"


async def test_what_is_held_back_when_its_partition_leaves_runs_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("express.commits._MAX_MAP", 20 + 25)
    pipeline = Pipeline(wait_and_obey, finite=False, drain=0.05)
    pipeline.send(*({"wait": 600} for _ in range(50)))
    pipeline.begin()
    await pipeline.until(lambda: pipeline.source.paused)
    assert 0 < len(pipeline.workflow.started) < 50
    summary = await pipeline.end()
    assert pipeline.metrics.in_flight == 0
    assert summary.results == 0
    again = Pipeline(obey, log=pipeline.log)
    await again.run()
    assert len(again.seen()) == 50


async def test_a_source_that_goes_on_giving_although_it_pauses_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("express.commits._MAX_MAP", 20 + 25)
    monkeypatch.setattr("express.dispatcher.PATIENCE", 0.0)

    class Deaf(MemorySource):
        def _take(self, limit: int) -> dict[Assignment, Sequence[Message]]:
            self.paused = False
            return super()._take(min(limit, 30))

    log = Log("orders", 1)
    pipeline = Pipeline(wait_and_obey, log=log, source=Deaf(log, finite=False))
    pipeline.send(*({"wait": 0.05, "n": number} for number in range(200)))
    pipeline.begin()
    await pipeline.until(lambda: pipeline.committed == 200)
    await pipeline.end()
    assert len(pipeline.seen()) == 200


async def test_fast_executions_do_not_pause_the_source_at_all() -> None:
    pipeline = Pipeline(records=50)
    pipeline.send(*range(5_000))
    await pipeline.run()
    assert pipeline.source.pauses == 0
    assert pipeline.committed == 5_000


async def test_the_loop_gets_its_turn_while_a_large_batch_runs() -> None:
    def slow(event: Any, execution: Execution) -> Any:
        time.sleep(0.004)
        return event

    pipeline = Pipeline(slow, finite=False, records=2_000)
    pipeline.send(*range(100))
    stints: list[int] = []

    async def beat() -> None:
        while True:
            before = len(pipeline.workflow.started)
            await asyncio.sleep(0)
            stints.append(len(pipeline.workflow.started) - before)

    heart = asyncio.create_task(beat())
    pipeline.begin()
    await pipeline.until(lambda: len(pipeline.sink.entries) == 100)
    heart.cancel()
    await pipeline.end()
    assert max(stints) == 3, "10 ms of 4 ms each"
    assert STINT_EVENTS == 500


# --- Stopping ---------------------------------------------------------------------------------------------------------------------


async def test_stop_finishes_what_is_in_flight_commits_it_and_takes_no_more() -> None:
    pipeline = Pipeline(wait_and_obey, finite=False, records=10, commit_every=60.0)
    pipeline.send(*({"wait": 0.2} for _ in range(10)), *range(10, 100))
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.in_flight == 10)
    summary = await pipeline.end()
    assert (summary.results, summary.abandoned, summary.ended) == (10, 0, "stopped")
    assert pipeline.committed == 10
    assert pipeline.sink.stopped


async def test_stop_gives_up_what_does_not_end_within_the_drain_deadline() -> None:
    pipeline = Pipeline(wait_and_obey, finite=False, drain=0.1)
    pipeline.send(0, {"wait": 60}, 2)
    pipeline.begin()
    await pipeline.until(lambda: len(pipeline.sink.entries) == 2)
    began = time.monotonic()
    summary = await pipeline.end()
    assert time.monotonic() - began < 20
    assert summary.abandoned == 1
    assert pipeline.log.committed[0].offset == 1
    assert pipeline.executor.parked == 0


async def test_stop_while_the_sink_is_out_of_order_ends_within_the_deadlines_and_commits_nothing() -> None:
    pipeline = Pipeline(finite=False, drain=0.1)
    pipeline.sink.held = True
    pipeline.send(*range(5))
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.in_flight == 5)
    began = time.monotonic()
    summary = await pipeline.end()
    assert time.monotonic() - began < 5
    assert summary.abandoned == 5
    assert pipeline.committed == 0


async def test_a_sink_that_is_gone_for_good_stops_the_pipeline() -> None:
    pipeline = Pipeline(wait_and_obey, finite=False, drain=60.0)
    pipeline.send(1)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.committed == 1)
    pipeline.send({"wait": 60})
    await pipeline.until(lambda: pipeline.metrics.in_flight == 1)
    pipeline.sink.fail(ConnectionFailed("the topic orders.done is gone"))
    with pytest.raises(ConnectionFailed, match=r"orders\.done is gone"):
        await pipeline.until(lambda: False)
    assert pipeline.committed == 1


async def test_a_source_that_cannot_go_on_stops_the_pipeline_after_committing() -> None:
    pipeline = Pipeline(finite=False, commit_every=60.0)
    pipeline.send(*range(5))
    pipeline.begin()
    await pipeline.until(lambda: len(pipeline.sink.entries) == 5)
    pipeline.dispatcher.failed(ConnectionFailed("not authorised any more"))
    with pytest.raises(ConnectionFailed, match="not authorised any more"):
        await pipeline.until(lambda: False)
    assert pipeline.committed == 5


async def test_a_sink_that_cannot_be_reached_ends_the_run_before_anything_was_taken() -> None:
    pipeline = Pipeline()
    pipeline.dead_letter.unreachable = "kafka://localhost:1: connection refused"
    pipeline.send(1)
    with pytest.raises(ConnectionFailed, match="connection refused"):
        await pipeline.run()
    assert pipeline.sink.stopped, "what had been started is stopped"
    assert not pipeline.log.members
    assert pipeline.workflow.started == []


async def test_both_sinks_that_cannot_be_reached_are_named() -> None:
    pipeline = Pipeline()
    pipeline.sink.unreachable, pipeline.dead_letter.unreachable = "a: connection refused", "b: no such topic"
    with pytest.raises(ConnectionFailed, match=r"^a: connection refused; b: no such topic$"):
        await pipeline.run()
    pipeline.dead_letter.unreachable = "a: connection refused"
    with pytest.raises(ConnectionFailed, match=r"^a: connection refused$"):
        await pipeline.run()


async def test_the_sinks_connect_at_the_same_time() -> None:
    pipeline = Pipeline()
    met = asyncio.Barrier(2)

    def meeting(sink: Any) -> Any:
        start = sink.start

        async def started(*arguments: Any) -> None:
            await asyncio.wait_for(met.wait(), 5.0)
            await start(*arguments)

        return started

    for sink in (pipeline.sink, pipeline.dead_letter):
        sink.start = meeting(sink)  # type: ignore[method-assign]
    pipeline.send(1)
    await pipeline.run()
    assert pipeline.committed == 1


async def test_a_fetch_that_breaks_stops_the_pipeline_with_its_own_error(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = Pipeline(finite=False)
    pipeline.send(1)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.committed == 1)
    pipeline.source.fetch = None  # type: ignore[assignment,method-assign]
    with pytest.raises(TypeError), caplog.at_level(logging.CRITICAL):
        await pipeline.until(lambda: False)


async def test_a_cancelled_run_leaves_nothing_running() -> None:
    pipeline = Pipeline(wait_and_obey, finite=False)
    pipeline.send({"wait": 60})
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.in_flight == 1)
    assert pipeline.task is not None
    pipeline.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pipeline.task
    assert pipeline.sink.stopped
    assert len(asyncio.all_tasks()) == 1


async def test_a_pipeline_is_ready_when_its_sinks_and_its_source_are() -> None:
    pipeline = Pipeline(finite=False)
    assert not pipeline.dispatcher.ready()
    pipeline.begin()
    await pipeline.until(pipeline.dispatcher.ready)
    await pipeline.end()
    assert not pipeline.dispatcher.ready()


# --- Cost -------------------------------------------------------------------------------------------------------------------------


async def test_results_that_finish_together_are_put_together() -> None:
    pipeline = Pipeline(wait_and_obey)
    pipeline.send(*({"wait": 0.1} for _ in range(200)))
    await pipeline.run()
    assert len(pipeline.sink.entries) == 200
    assert pipeline.sink.batches < 20


async def test_a_plain_batch_is_one_put(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("express.evaluation.STINT", 60.0)  # on a busy machine 200 events may take longer than a stint
    pipeline = Pipeline(records=200)
    pipeline.send(*range(200))
    await pipeline.run()
    assert pipeline.sink.batches == 1


@pytest.mark.parametrize("ages", [[7, 7, 7], [0, 7, 901, 20_001], [3, 3, 4], [-7], [12, 0]])
def test_observing_a_batch_at_once_counts_as_one_by_one(ages: list[int]) -> None:
    wall = 1_790_000_000.0
    at_once, one_by_one = Histogram(), Histogram()
    _observe(at_once, wall, [int(wall * 1000) - age for age in ages])
    for age in ages:
        one_by_one.observe(max(0.0, age / 1000))
    assert at_once.counts == one_by_one.counts
    assert at_once.total[0] == pytest.approx(one_by_one.total[0], abs=1e-3)


def test_records_without_a_timestamp_are_not_observed() -> None:
    histogram = Histogram()
    _observe(histogram, 1_790_000_000.0, [0, -1, 1_789_999_999_000])
    assert histogram.count == 1
