"""A pipeline's filter: what it does not let through is finished at once, what cannot be decoded is poison and no secret loss."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from consumers.memory import Record
from express.filtering import Filter, fields, problems
from express.pipes import Pipe
from tests.pipelines import Pipeline, obey, wait_and_obey

BOTH = pytest.mark.parametrize("evaluate", [obey, wait_and_obey])
EVEN = {"value": {"even": [True]}}


@BOTH
async def test_what_does_not_match_is_committed_and_counted_and_neither_run_nor_buried(evaluate: Any) -> None:
    pipeline = Pipeline(evaluate, pipe=Pipe(filter=EVEN))
    pipeline.send(*({"number": number, "even": number % 2 == 0} for number in range(1_000)))
    summary = await pipeline.run()
    assert [event["number"] for event in pipeline.seen()] == list(range(0, 1_000, 2))
    assert pipeline.metrics.filtered == 500
    assert (summary.records, summary.results, summary.dead_letters, summary.abandoned) == (1_000, 500, 0, 0)
    assert (pipeline.committed, pipeline.metrics.in_flight, pipeline.metrics.in_flight_bytes) == (1_000, 0, 0)


@BOTH
async def test_what_cannot_be_decoded_or_is_too_large_is_poison_where_the_filter_looks_at_events(evaluate: Any) -> None:
    pipeline = Pipeline(evaluate, pipe=Pipe(filter=EVEN))
    pipeline.send(b"{,", b'"' + b"x" * 300_000 + b'"', {"even": True})
    await pipeline.run()
    assert [headers["express-error"] for headers in pipeline.buried()] == ["Express.Undecodable", "Express.TooLarge"]
    assert (pipeline.committed, pipeline.metrics.filtered, len(pipeline.seen())) == (3, 0, 1)


@BOTH
async def test_a_filter_that_looks_at_keys_and_headers_only_never_decodes(evaluate: Any) -> None:
    pipeline = Pipeline(evaluate, pipe=Pipe(filter=[{"key": ["a"]}, {"headers": {"kind": [{"prefix": "order"}]}}]))
    pipeline.send({"number": 0}, key=b"a")
    pipeline.send(b"{,", key=b"b")
    pipeline.log.append(b'{"number":2}', b"c", [("kind", b"order.paid")])
    pipeline.send({"number": 3}, key=None)
    await pipeline.run()
    assert [event["number"] for event in pipeline.seen()] == [0, 2]
    assert (pipeline.metrics.filtered, pipeline.dead_letter.entries, pipeline.committed) == (2, [], 4)


async def test_nothing_past_what_is_still_running_is_committed_although_it_was_filtered() -> None:
    pipeline = Pipeline(wait_and_obey, pipe=Pipe(filter=EVEN), finite=False)
    pipeline.send({"even": True, "wait": 30}, {"even": False}, {"even": False})
    pipeline.begin()
    await pipeline.until(lambda: pipeline.metrics.filtered == 2)
    await asyncio.sleep(0.1)
    assert pipeline.committed in (None, 0)
    assert pipeline.metrics.in_flight == 1
    await pipeline.end()


async def test_a_long_batch_that_is_filtered_lets_the_loop_have_its_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("express.gate.STINT", 0.001)  # however fast the machine is
    pipeline = Pipeline(obey, pipe=Pipe(filter={"value": {"none": ["x"]}}))
    pipeline.send(*({"numbers": list(range(5_000))} for _ in range(100)))
    turns, running = 0, True

    async def beat() -> None:
        nonlocal turns
        while running:
            turns += 0 < pipeline.metrics.filtered < 100
            await asyncio.sleep(0)

    beating = asyncio.create_task(beat())
    await pipeline.run()
    running = False
    await beating
    assert pipeline.metrics.filtered == 100
    assert turns >= 3


class Leased(Record):
    id: str = "m-1"


RECORD = Record("orders", 3, 7, b"k", b'{"total":5}', [("trace", b"abc")], 1_700_000_000_000)
LEASED = Leased("orders", 0, 1, b"k", b'{"total":5}', [("trace", b"abc")], 1_700_000_000_000)


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("kafka", {"value": {"total": [5]}, "topic": ["orders"], "partition": [3], "offset": [7], "key": ["k"]}),
        ("kafka", {"headers": {"trace": ["abc"]}, "timestamp": [{"numeric": [">", 1_600_000_000_000]}]}),
        ("sqs", {"body": {"total": [5]}, "messageId": ["m-1"], "messageAttributes": {"trace": {"stringValue": ["abc"]}}}),
        ("sqs", {"value": {"total": [5]}, "headers": {"trace": ["abc"]}}),
        ("kinesis", {"data": {"total": [5]}, "partitionKey": ["k"]}),
        ("redis", {"value": {"total": [5]}, "id": ["m-1"], "topic": ["orders"]}),
    ],
)
def test_a_pattern_finds_what_pipes_of_aws_has_under_the_same_names(kind: str, pattern: Any) -> None:
    assert problems(pattern, kind) == []
    record = LEASED if kind in ("sqs", "redis", "kinesis") else RECORD
    assert Filter(pattern, kind, 1_000).admits(record)
    changed = msgspec.structs.replace(record, key=b"other", value=b'{"total":6}', headers=[("trace", b"no")], timestamp=1)
    assert not Filter(pattern, kind, 1_000).admits(changed)


def test_what_is_wrong_with_patterns_is_said_with_its_place() -> None:
    assert problems({"body": [1]}, "kafka") == [
        (".body", f"there is no field of this name here, expected one of {', '.join(fields('kafka'))}")
    ]
    assert [place for place, _ in problems([{"value": [1]}, {"value": 1}, {}], "file")] == ["[1].value", "[2]"]
    assert problems([], "file") == [("", "expected a pattern, or a list of at most 100")]
    assert problems(5, "file") == [("", "expected fields, each with a list of the values that match, found 5")]


def test_bytes_that_are_no_text_are_compared_as_base64() -> None:
    record = msgspec.structs.replace(RECORD, key=b"\xff\x00")
    assert Filter({"key": ["/wA="]}, "kafka", 1_000).admits(record)
