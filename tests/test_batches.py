"""Records that run together: one execution's input array, one result, and every record by itself where it matters: committed, buried."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from express.batches import BatchLimits, made_of, problems
from express.dead_letter_limit import DeadLetterLimit
from express.errors import PipelineStopped
from express.pipes import Pipe
from express.reruns import Retry
from express.runtime.context import Execution, Message, records_of
from express.runtime.failures import StateError
from express.runtime.suspensions import sleep
from tests.pipelines import Pipeline


def together(event: Any, execution: Execution) -> Any:
    """Fails when one of its events says so."""
    assert isinstance(event, list)
    if any(isinstance(each, dict) and each.get("fail") for each in event):
        raise StateError("Broken", None, "Charge", "/States/Charge")
    return {"seen": event}


async def slowly(event: Any, execution: Execution) -> Any:
    await sleep(execution, max([each.get("wait", 0.0) for each in event if isinstance(each, dict)], default=0.0))
    return together(event, execution)


BOTH = pytest.mark.parametrize("evaluate", [together, slowly])


def batching(evaluate: Any = together, limits: dict[str, Any] | None = None, retry: Retry | None = None, **more: Any) -> Pipeline:
    return Pipeline(evaluate, pipe=Pipe(batch=BatchLimits(**{"records": 10, "window": 0.05, **(limits or {})}), retry=retry), **more)


@BOTH
async def test_so_many_records_are_one_execution_and_the_last_ones_come_when_the_source_ends(evaluate: Any) -> None:
    pipeline = batching(evaluate, {"window": 60})
    pipeline.send(*range(25))
    summary = await asyncio.wait_for(pipeline.run(), 10)
    assert pipeline.seen() == [list(range(10)), list(range(10, 20)), list(range(20, 25))]
    assert (summary.records, summary.results, summary.abandoned, pipeline.committed) == (25, 25, 0, 25)
    assert (pipeline.metrics.in_flight, pipeline.metrics.in_flight_bytes) == (0, 0)
    assert pipeline.metrics.event_seconds.count == 25


@BOTH
async def test_a_window_ends_a_batch_that_is_not_full(evaluate: Any) -> None:
    pipeline = batching(evaluate, finite=False)
    pipeline.send(1, 2)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.committed == 2)
    pipeline.send(3)
    await pipeline.until(lambda: pipeline.committed == 3)
    assert pipeline.seen() == [[1, 2], [3]]
    await pipeline.end()


@BOTH
async def test_no_input_has_more_bytes_than_the_limit_and_one_large_record_goes_alone(evaluate: Any) -> None:
    pipeline = batching(evaluate, {"bytes": 1_024, "records": 100})
    events = ["x" * size for size in (300, 300, 300, 300, 2_000, 1, 1)]
    pipeline.send(*events)
    await pipeline.run()
    assert [[len(each) for each in seen] for seen in pipeline.seen()] == [[300, 300, 300], [300], [2_000], [1, 1]]
    assert pipeline.committed == 7


@BOTH
async def test_a_batch_that_fails_buries_each_record_with_its_own_headers_key_and_bytes(evaluate: Any) -> None:
    pipeline = batching(evaluate, {"records": 3})
    for number, event in enumerate([{"n": 0}, {"fail": True}, {"n": 2}]):
        pipeline.log.append(orjson.dumps(event), b"k%d" % number, [("trace", b"t%d" % number)])
    pipeline.send({"n": 3})
    await pipeline.run()
    entries = pipeline.dead_letter.entries
    assert [(entry.message.key, entry.value, entry.headers[0]) for entry in entries] == [
        (b"k0", b'{"n":0}', ("trace", b"t0")),
        (b"k1", b'{"fail":true}', ("trace", b"t1")),
        (b"k2", b'{"n":2}', ("trace", b"t2")),
    ]
    assert {headers["express-execution"] for headers in pipeline.buried()} == {"orders-0-0-3"}
    assert [orjson.loads(headers["express-source"])["offset"] for headers in pipeline.buried()] == [0, 1, 2]
    assert (pipeline.seen(), pipeline.committed, pipeline.metrics.dead_letters) == ([[{"n": 3}]], 4, 3)


@BOTH
async def test_poison_does_not_take_its_neighbours_with_it(evaluate: Any) -> None:
    pipeline = batching(evaluate)
    pipeline.send(1, b"{,", b'"' + b"x" * 300_000 + b'"', 2)
    pipeline.log.append(None)
    await pipeline.run()
    assert pipeline.seen() == [[1, 2, None]]
    assert [headers["express-error"] for headers in pipeline.buried()] == ["Express.Undecodable", "Express.TooLarge"]
    assert pipeline.committed == 5


@BOTH
async def test_nothing_of_a_batch_is_committed_before_its_result_is_acknowledged(evaluate: Any) -> None:
    pipeline = batching(evaluate, {"records": 5}, finite=False)
    pipeline.sink.held = True
    pipeline.send(*range(10))
    pipeline.begin()
    await pipeline.until(lambda: len(pipeline.workflow.started) == 2)
    await asyncio.sleep(0.1)
    assert pipeline.committed in (None, 0)
    assert pipeline.metrics.in_flight == 10
    pipeline.sink.release()
    await pipeline.until(lambda: pipeline.committed == 10)
    await pipeline.end()


async def test_a_drain_runs_the_open_batch() -> None:
    pipeline = batching(slowly, {"window": 60}, finite=False)
    pipeline.send({"wait": 0.05}, {"n": 1})
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.in_flight == 2)
    summary = await pipeline.end()
    assert (summary.results, summary.abandoned, pipeline.committed) == (2, 0, 2)


async def test_what_is_given_up_at_the_drain_deadline_comes_again() -> None:
    pipeline = batching(slowly, {"records": 2}, finite=False, drain=0.1)
    pipeline.send({"wait": 60}, {"n": 1})
    pipeline.begin()
    await pipeline.until(lambda: pipeline.workflow.started)
    summary = await pipeline.end()
    assert (summary.abandoned, pipeline.metrics.in_flight) == (2, 0)
    assert pipeline.committed in (None, 0)


async def test_a_partition_that_is_lost_takes_its_open_batch_with_it() -> None:
    pipeline = batching(slowly, {"window": 60}, finite=False)
    pipeline.send(1, 2)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.in_flight == 2)
    assert pipeline.task is not None
    pipeline.task.cancel()
    await asyncio.wait({pipeline.task})
    assert pipeline.sink.entries == []
    again = batching(log=pipeline.log)
    await again.run()
    assert again.seen() == [[1, 2]]


async def test_with_an_order_by_key_each_key_has_batches_of_its_own_one_at_a_time() -> None:
    pipeline = batching(slowly, {"records": 2}, order="key")
    for number in range(8):
        pipeline.send({"key": number % 2, "number": number, "wait": 0.03 if number < 2 else 0}, key=b"%d" % (number % 2))
    await pipeline.run()
    batches = [[event["number"] for event in seen] for seen in pipeline.seen()]
    assert sorted(batches) == [[0, 2], [1, 3], [4, 6], [5, 7]]
    assert batches.index([0, 2]) < batches.index([4, 6])
    assert batches.index([1, 3]) < batches.index([5, 7])
    assert {entry.message.key for entry in pipeline.sink.entries} == {b"0", b"1"}


async def test_by_partition_a_batch_waits_for_the_one_before_it() -> None:
    pipeline = batching(slowly, {"records": 2}, order="partition")
    pipeline.send({"n": 0, "wait": 0.05}, {"n": 1}, {"n": 2}, {"n": 3})
    await pipeline.run()
    assert [[event["n"] for event in seen] for seen in pipeline.seen()] == [[0, 1], [2, 3]]


async def test_a_batch_whose_window_is_over_does_not_overtake_full_ones_that_have_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop has its turns between the full ones of one fetch, and timers are due in them."""
    monkeypatch.setattr("express.evaluation.STINT_EVENTS", 1)
    pipeline = batching(slowly, {"records": 2, "window": 1e-9}, order="partition", finite=False)
    pipeline.send(*({"n": number} for number in range(9)))
    pipeline.begin()
    await pipeline.until(lambda: pipeline.committed == 9)
    await pipeline.end()
    assert pipeline.workflow.started == [0, 2, 4, 6, 8]


async def test_a_batch_that_failed_is_tried_again_as_a_whole() -> None:
    tries: list[Any] = []

    def evaluate(event: Any, execution: Execution) -> Any:
        tries.append(event)
        if len(tries) == 1:
            raise StateError("Unlucky", None, "Charge", "/States/Charge")
        return {"seen": event}

    pipeline = batching(evaluate, {"records": 3}, retry=Retry(attempts=2, interval=0.01))
    pipeline.send(1, 2, 3)
    await pipeline.run()
    assert tries == [[1, 2, 3], [1, 2, 3]]
    assert (pipeline.seen(), pipeline.committed, pipeline.dead_letter.entries) == ([[1, 2, 3]], 3, [])


async def test_without_a_dead_letter_a_failed_batch_stops_the_pipeline_and_nothing_of_it_is_committed() -> None:
    pipeline = batching(limits={"records": 2}, dead_letter=False)
    pipeline.send(1, {"fail": True}, 3)
    with pytest.raises(PipelineStopped, match="Broken"):
        await pipeline.run()
    assert pipeline.committed in (None, 0)
    assert pipeline.metrics.in_flight == 0


async def test_the_dead_letter_limit_counts_records() -> None:
    pipeline = batching(limits={"records": 5}, dead_letters=DeadLetterLimit(consecutive=10))
    pipeline.send(*[{"fail": True}] * 100)
    with pytest.raises(PipelineStopped, match="10 executions in a row have failed, the limit is 10"):
        await pipeline.run()
    assert len(pipeline.dead_letter.entries) == 10
    assert pipeline.committed == 10


async def test_a_result_that_its_sink_rejects_is_a_dead_letter_for_each_record() -> None:
    pipeline = batching(limits={"records": 2})
    pipeline.sink.reject = lambda entry: "too large"
    pipeline.send(1, 2)
    await pipeline.run()
    assert [headers["express-error"] for headers in pipeline.buried()] == ["Express.ResultRejected"] * 2
    assert pipeline.committed == 2


async def test_partitions_never_share_a_batch_and_the_context_object_tells_the_records() -> None:
    sources: list[Any] = []

    def evaluate(event: Any, execution: Execution) -> Any:
        sources.append((execution.name, execution.source()))
        return {"seen": event}

    pipeline = batching(evaluate, partitions=2)
    pipeline.send(1, 2, partition=0, key=b"a")
    pipeline.send(3, partition=1, key=b"b")
    await pipeline.run()
    assert sorted(pipeline.seen()) == [[1, 2], [3]]
    name, source = next(each for each in sources if each[1]["partition"] == 0)
    assert name == "orders-0-0-2"
    assert (source["id"], source["key"]) == ("orders-0-0-2", "a")
    assert [record["offset"] for record in source["records"]] == [0, 1]
    assert [record["key"] for record in source["records"]] == ["a", "a"]


def test_a_batch_has_a_key_only_if_its_records_have_the_same() -> None:
    log = Pipeline().log
    records: list[Message] = [log.append(b"1", b"a"), log.append(None, b"b")]
    batch = made_of(records)
    assert (batch.key, batch.value, batch.id) == (None, b"[1,null]", "orders-0-0-2")
    assert made_of(records[:1]).key == b"a"
    assert records_of([batch, records[0]]) == [*records, records[0]]


def test_what_makes_no_sense_is_said_all_at_once() -> None:
    wrong = BatchLimits(records=600, window=0, bytes=1_000_000)
    assert [place for place, _ in problems(wrong, 500, 262_144)] == ["records", "window", "bytes"]
    assert list(problems(BatchLimits(), 500, 262_144)) == []
