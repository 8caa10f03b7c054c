"""Colours and words from coverage and from live metrics."""

from __future__ import annotations

import json

import pytest

import express
from express.drawing import covered, measured
from express.drawing.marks import Mark
from express.errors import ConfigurationError
from express.observers import scraped
from express.observers.exposition import Exposition
from express.observers.scraped import StateFigures
from express.observers.stall import Heartbeat
from express.testcases import coverage
from express.testcases.coverage import Coverage
from tests.drawing.machines import load, task

MACHINE = {
    "StartAt": "Check",
    "States": {
        "Check": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": 0, "Next": "Work"}], "Default": "Rest"},
        "Work": task("work", Catch=[{"ErrorEquals": ["Odd"], "Next": "Rest"}], Next="Rest"),
        "Rest": {"Type": "Pass", "Next": "Never"},
        "Never": {"Type": "Wait", "SecondsPath": "$.absent", "End": True},
    },
}


def covering(counts: dict[str, int], taken: dict[tuple[str, str, str], int]) -> Coverage:
    made = coverage.empty("m.asl.json", load(MACHINE))
    made.states.update({f"/States/{name}": count for name, count in counts.items()})
    for each in made.transitions:
        each.count = taken.get((each.source.removeprefix("/States/"), each.target, each.kind), 0)
    return made


def test_coverage_marks_what_was_reached_and_what_was_not() -> None:
    found = covered.marks(covering({"Check": 2, "Rest": 1}, {("Check", "Rest", "default"): 1, ("Rest", "Never", "next"): 0}))
    assert found.states["/States/Check"] == Mark("good", "entered 2 times")
    assert found.states["/States/Rest"] == Mark("good", "entered once")
    assert found.states["/States/Work"] == Mark("bad", "never entered")
    assert found.arrows["/States/Check", "Rest", False] == Mark("good", "taken once")
    assert found.arrows["/States/Work", "Rest", True] == Mark("bad", "never taken")
    assert found.title == "Coverage by tests: 33.3 % of 9 states and transitions"


def exposed(events: list[dict[str, int]]) -> tuple[str, express.Program]:
    def work(event: dict[str, int]) -> dict[str, int]:
        if event["n"] % 2:
            raise express.TaskError("Odd", "")
        return event

    definition = json.loads(json.dumps(MACHINE))
    definition["States"]["Rest"] = {"Type": "Pass", "End": True}
    del definition["States"]["Never"]
    program = express.compile(definition, "orders", {"work": express.function("work", run="inline")(work)})
    for event in events:
        program.run(event)
    assert program.metrics is not None
    return Exposition([program.metrics], [], Heartbeat()).render()[0].decode(), program


def test_the_figures_of_a_running_process_are_read_by_state() -> None:
    text, _ = exposed([{"n": number} for number in range(10)])
    found = scraped.figures(text, "orders", "x")
    assert {name: (own.entered, own.failures) for name, own in found.items()} == {"Check": (10, 0), "Work": (9, 5), "Rest": (10, 0)}
    assert all(own.p50 is not None and own.p99 is not None and 0 < own.p50 <= own.p99 < 1 for own in found.values())


def test_metrics_mark_failures_latency_and_what_was_never_entered() -> None:
    figures = {
        "Check": StateFigures(entered=1000, p99=0.0012),
        "Work": StateFigures(entered=1000, failures=50, p99=2.5),
        "Rest": StateFigures(entered=1000, failures=49),
    }
    found = measured.marks(load(MACHINE), figures, "http://x").states
    assert found["/States/Check"] == Mark("good", "1,000x, p99 1.2 ms")
    assert found["/States/Work"] == Mark("bad", "1,000x, p99 2.5 s, 50 failed")
    assert found["/States/Rest"] == Mark("fair", "1,000x, 49 failed")
    assert found["/States/Never"] == Mark("absent", "not entered")


def test_metrics_of_another_workflow_or_of_nothing_are_refused() -> None:
    text, _ = exposed([{"n": 0}])
    with pytest.raises(ConfigurationError, match="x: no states of a workflow 'refunds': there are metrics of orders"):
        scraped.figures(text, "refunds", "x")
    with pytest.raises(ConfigurationError, match="there are no metrics of Express in it"):
        scraped.figures("up 1\n", "orders", "x")
    with pytest.raises(ConfigurationError, match="x: expected Prometheus' text format"):
        scraped.figures("<html>", "orders", "x")


@pytest.mark.parametrize(("fraction", "expected"), [(0.5, 1.0), (0.75, 1.5), (1.0, 2.0)])
def test_a_quantile_is_interpolated_within_its_bucket(fraction: float, expected: float) -> None:
    assert scraped.quantile({1.0: 50, 2.0: 100, float("inf"): 100}, fraction) == expected


def test_without_observations_there_is_no_quantile() -> None:
    assert scraped.quantile({1.0: 0, float("inf"): 0}, 0.5) is None
    assert scraped.quantile({}, 0.5) is None
