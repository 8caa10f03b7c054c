"""What people see of a run: quantiles that are honest about their buckets, and a table that says what happened."""

from __future__ import annotations

import pytest

from express.observers.metrics import Histogram, WorkflowMetrics
from express.observers.pipeline import PipelineMetrics
from express.progress import Ending, quantile, summarize


def histogram(*observations: float) -> Histogram:
    made = Histogram()
    for seconds in observations:
        made.observe(seconds)
    return made


@pytest.mark.parametrize(
    ("observations", "fraction", "text"),
    [
        ((), 0.5, ""),
        ((2e-7,) * 10, 0.99, "<= 1 us"),
        ((1000.0,), 0.5, "> 5 m"),
        ((0.002,) * 4, 0.5, "1.75 ms"),
        ((0.002,) * 4, 1.0, "2.5 ms"),
        ((*(2e-7,) * 99, 0.002), 0.5, "<= 1 us"),
        ((*(2e-7,) * 98, 0.002, 0.002), 0.99, "1.75 ms"),
    ],
)
def test_a_quantile_is_interpolated_within_its_bucket(observations: tuple[float, ...], fraction: float, text: str) -> None:
    assert quantile(histogram(*observations), fraction) == text


def test_the_summary_has_a_line_per_state_and_says_where_everything_went(capsys: pytest.CaptureFixture[str]) -> None:
    workflow = WorkflowMetrics("orders", "ab" * 32, [("Charge [x]", "Task"), ("Never", "Pass")])
    workflow.entered[0] = 1500
    for _ in range(1500):
        workflow.seconds[0].observe(0.002)
    for _ in range(3):
        workflow.failed(0, "Down")
        workflow.retried(0)
    workflow.failed(0, "Down")
    workflow.caught(0, "Down", "Never")
    pipeline = PipelineMetrics("orders")
    pipeline.source_records, pipeline.results, pipeline.dead_letters = 1500, 1490, 10
    summarize([Ending(pipeline, workflow, "file:done.jsonl", "file:dead.jsonl")], 2.0)
    output = capsys.readouterr()
    assert output.out == ""
    lines = [line.rstrip() for line in output.err.splitlines()]
    assert any(line.split() == ["Charge", "[x]", "Task", "1,500", "4", "3", "1", "1.75", "ms", "2.49", "ms"] for line in lines)
    assert any(line.split() == ["Never", "Pass", "-", "-", "-", "-"] for line in lines)
    assert lines[-3:] == [
        "orders: 1,500 events in 2 s, 750 events/s",
        "  results           1,490  file:done.jsonl",
        "  dead letters         10  file:dead.jsonl",
    ]
    assert "\x1b" not in output.err, "not a terminal: plain text"


def test_the_summary_says_what_was_passed_over_and_only_of_the_rest_that_it_comes_again(capsys: pytest.CaptureFixture[str]) -> None:
    pipeline = PipelineMetrics("orders")
    pipeline.source_records, pipeline.results, pipeline.filtered, pipeline.duplicates = 13, 4, 7, 2
    summarize([Ending(pipeline, WorkflowMetrics("orders", "ab" * 32, []), "file:done.jsonl", None)], 2.0)
    told = [line.split()[:2] for line in capsys.readouterr().err.splitlines() if line.startswith("  ") and line.strip()]
    assert told == [["results", "4"], ["dead", "letters"], ["filtered", "7"], ["duplicates", "2"]]
    pipeline.source_records += 1
    summarize([Ending(pipeline, WorkflowMetrics("orders", "ab" * 32, []), "file:done.jsonl", None)], 2.0)
    assert "  not finished          1  not committed: they come again" in capsys.readouterr().err


def test_a_run_without_new_events_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    summarize([Ending(PipelineMetrics("orders"), None, None, None)], 0.1)
    assert capsys.readouterr().err.splitlines() == [
        "orders: no new events",
        "  results               0  (no sink)",
        "  dead letters          0  (none: the first failure stops the pipeline)",
    ]
