"""Too many failures stop a pipeline: in a row, or as a share of the last ones; what failed before is kept, the rest stays where it is."""

from __future__ import annotations

import random
from typing import Any

import pytest

from express.dead_letter_limit import DeadLetterLimit, Watch
from express.errors import PipelineStopped
from tests.pipelines import Pipeline, obey, wait_and_obey

BOTH = pytest.mark.parametrize("evaluate", [obey, wait_and_obey])
BAD, GOOD = {"fail": "Broken"}, {"fine": True}


def limited(evaluate: Any, **limit: Any) -> Pipeline:
    return Pipeline(evaluate, dead_letters=DeadLetterLimit(**limit))


@BOTH
async def test_failures_in_a_row_stop_the_pipeline_and_leave_the_rest_in_the_source(evaluate: Any) -> None:
    pipeline = limited(evaluate, consecutive=5)
    pipeline.send(GOOD, *[BAD] * 1_000)
    with pytest.raises(PipelineStopped, match=r"5 executions in a row have failed, the limit is 5: .* offset 5 failed in state 'Charge'"):
        await pipeline.run()
    assert [entry.message.offset for entry in pipeline.dead_letter.entries] == [1, 2, 3, 4, 5]
    assert pipeline.committed == 6


@BOTH
async def test_a_success_between_them_begins_the_count_anew(evaluate: Any) -> None:
    pipeline = limited(evaluate, consecutive=5)
    pipeline.send(*[*[BAD] * 4, GOOD] * 200)
    summary = await pipeline.run()
    assert (summary.results, summary.dead_letters, pipeline.committed) == (200, 800, 1_000)


@BOTH
async def test_poison_counts_as_a_failure(evaluate: Any) -> None:
    pipeline = limited(evaluate, consecutive=3)
    pipeline.send(GOOD, b"{,", BAD, b'"' + b"x" * 300_000 + b'"', GOOD)
    with pytest.raises(PipelineStopped, match="3 executions in a row"):
        await pipeline.run()
    assert pipeline.committed == 4


@BOTH
async def test_too_large_a_share_of_failures_stops_the_pipeline(evaluate: Any) -> None:
    pipeline = limited(evaluate, ratio=0.5, window=100)
    pipeline.send(*[GOOD, BAD] * 500, *[GOOD, BAD, BAD] * 500)
    with pytest.raises(PipelineStopped, match="of the last 100 executions have failed, the limit is 50%"):
        await pipeline.run()
    assert 1_000 <= (pipeline.committed or 0) < 1_300


@BOTH
async def test_the_share_is_not_judged_before_the_window_is_full(evaluate: Any) -> None:
    pipeline = limited(evaluate, ratio=0.1, window=100)
    pipeline.send(*[BAD] * 10, *[GOOD] * 990)
    summary = await pipeline.run()
    assert (summary.results, summary.dead_letters) == (990, 10)


async def test_after_the_mend_the_pipeline_goes_on_where_it_stopped() -> None:
    pipeline = limited(obey, consecutive=3)
    pipeline.send(*[BAD] * 10)
    with pytest.raises(PipelineStopped):
        await pipeline.run()

    def mended(event: Any, execution: Any) -> Any:
        return {"seen": event}

    again = Pipeline(mended, log=pipeline.log, dead_letters=DeadLetterLimit(consecutive=3))
    await again.run()
    assert [entry.message.offset for entry in again.sink.entries] == list(range(3, 10))


@pytest.mark.parametrize("seed", range(20))
def test_the_watch_agrees_with_a_plain_list_of_all_ends(seed: int) -> None:
    rng = random.Random(seed)
    limit = DeadLetterLimit(consecutive=rng.choice([None, 4, 9]), ratio=rng.choice([None, 0.0, 0.3, 0.6]), window=rng.choice([1, 7, 50]))
    watch, ends = Watch(limit), list[bool]()
    for _ in range(2_000):
        if rng.random() < 0.6:
            count = rng.randrange(4)
            watch.succeeded(count)
            ends += [False] * count
            continue
        ends.append(True)
        row = next((number for number, dead in enumerate(reversed(ends)) if not dead), len(ends))
        last = ends[-limit.window :]
        over = (limit.consecutive is not None and row >= limit.consecutive) or (
            limit.ratio is not None and len(last) == limit.window and sum(last) > limit.ratio * len(last)
        )
        assert (watch.failed() is not None) == over
