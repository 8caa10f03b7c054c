"""What the counters mean, on real programs: failures are retried, caught or uncaught, nothing else; and counting keeps no memory."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

import express
from express.observers.metrics import WorkflowMetrics
from express.testing import VirtualClock

RETRY = [{"ErrorEquals": ["Shaky"], "MaxAttempts": 2, "IntervalSeconds": 1}]
CATCH = [{"ErrorEquals": ["Caught"], "Next": "Saved"}]


def task(name: str, **more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:lambda:us-east-1:000000000000:function:{name}", **more}


WORKFLOW = {
    "StartAt": "Call",
    "States": {
        "Call": task("call", Retry=RETRY, Catch=CATCH, ResultPath="$.called", Next="Fan"),
        "Fan": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Left", "States": {"Left": task("left", Retry=RETRY, End=True)}},
                {"StartAt": "Right", "States": {"Right": {"Type": "Pass", "End": True}}},
            ],
            "ResultPath": "$.fan",
            "Retry": [{"ErrorEquals": ["Down"], "MaxAttempts": 1, "IntervalSeconds": 1}],
            "Catch": CATCH,
            "Next": "Each",
        },
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": {
                "StartAt": "Item",
                "States": {
                    "Item": task("item", Catch=[{"ErrorEquals": ["Caught"], "Next": "ItemSaved"}], End=True),
                    "ItemSaved": {"Type": "Pass", "End": True},
                },
            },
            "ResultPath": "$.each",
            "Next": "Enough",
        },
        "Enough": {"Type": "Choice", "Choices": [{"Variable": "$.enough", "BooleanEquals": True, "Next": "Done"}], "Default": "NotEnough"},
        "Done": {"Type": "Succeed"},
        "NotEnough": {"Type": "Fail", "Error": "NotEnough"},
        "Saved": {"Type": "Pass", "End": True},
    },
}  # fmt: skip


def failing(name: str) -> Any:
    """A function that raises what its event tells it to."""

    def call(event: Any) -> Any:
        error = event.get("errors", {}).get(name)
        if error:
            raise express.TaskError(error, "as told")
        return {"ok": True}

    return call


def events() -> list[dict[str, Any]]:
    """Every way through the workflow several times."""
    made = []
    for call in (None, "Shaky", "Caught", "Unknown"):
        for left in (None, "Shaky", "Down", "Caught"):
            for item in (None, "Caught", "Unknown"):
                for enough in (True, False):
                    errors = {name: error for name, error in (("call", call), ("left", left)) if error}
                    items = [{"errors": {"item": item}} if item else {}, {}]
                    made.append({"errors": errors, "items": items, "enough": enough})
    return made


@pytest.fixture
def counted() -> tuple[WorkflowMetrics, list[express.Outcome]]:
    functions = {name: express.function(name, run="inline")(failing(name)) for name in ("call", "left", "item")}
    program = express.compile(WORKFLOW, name="identity", functions=functions)
    clock = VirtualClock()
    outcomes = [program.run(event, clock=clock) for event in events()]
    assert program.metrics is not None
    return program.metrics, outcomes


def per_state(metrics: WorkflowMetrics) -> dict[str, tuple[int, int, int]]:
    """Failures, retries and catches of each state."""
    names = [name for name, _ in metrics.states]
    found = dict.fromkeys(names, (0, 0, 0))
    for number, name in enumerate(names):
        failures = sum(count for (state, _), count in metrics.failures.items() if state == number)
        catches = sum(count for (state, _, _), count in metrics.catches.items() if state == number)
        found[name] = (failures, metrics.retries.get(number, 0), catches)
    return found


def test_failures_of_a_state_are_those_retried_those_caught_and_those_that_ended_it(
    counted: tuple[WorkflowMetrics, list[express.Outcome]],
) -> None:
    metrics, outcomes = counted
    failed = [outcome.state for outcome in outcomes if outcome.status == "FAILED"]
    found = per_state(metrics)
    # A failure of a top-level state that is neither retried nor caught is the end of its execution, and the outcome names the state.
    for name in ("Call", "Enough", "NotEnough", "Done", "Saved"):
        failures, retries, catches = found[name]
        assert failures == retries + catches + failed.count(name), name
    # What fails inside a branch or an iteration, uncaught, is a failure of the Parallel or the Map around it as well.
    for inner, outer in (("Left", "Fan"), ("Item", "Each")):
        failures, retries, catches = found[inner]
        outer_failures, outer_retries, outer_catches = found[outer]
        uncaught_inside = failures - retries - catches
        assert uncaught_inside == outer_failures, inner
        assert outer_failures == outer_retries + outer_catches + failed.count(inner) + failed.count(outer), outer
    assert all(any(numbers) for name, numbers in found.items() if name in ("Call", "Fan", "Left", "Each", "Item", "NotEnough"))


def test_entries_observations_and_ends_agree(counted: tuple[WorkflowMetrics, list[express.Outcome]]) -> None:
    metrics, outcomes = counted
    assert metrics.started[0] == metrics.execution.count == len(outcomes) == sum(metrics.statuses.values())
    assert metrics.statuses["SUCCEEDED"] == sum(outcome.status == "SUCCEEDED" for outcome in outcomes)
    for number, (name, _) in enumerate(metrics.states):
        assert metrics.entries(number) == metrics.seconds[number].count, name
    attempts = {name: metrics.attempts[number].count for number, (name, _) in enumerate(metrics.states) if number in metrics.attempts}
    entered = {name: metrics.entries(number) for number, (name, _) in enumerate(metrics.states)}
    retries = {name: metrics.retries.get(number, 0) for number, (name, _) in enumerate(metrics.states)}
    for name, count in attempts.items():
        assert count == entered[name] + retries[name], f"{name}: each entry is an attempt, each retry one more"


def test_an_attempt_whose_result_cannot_be_used_is_one_attempt() -> None:
    workflow = {"StartAt": "Price", "States": {"Price": task("price", ResultPath="$.pricing.here", Retry=RETRY, End=True)}}
    program = express.compile(workflow, name="misplaced", functions={"price": express.function("price", run="inline")(lambda event: 1)})
    assert program.run({"pricing": 1}).error == "States.ResultPathMatchFailure"
    assert program.metrics is not None
    assert (program.metrics.attempts[0].count, program.metrics.entries(0)) == (1, 1)


PLAIN = {
    "StartAt": "HasTotal",
    "States": {
        "HasTotal": {"Type": "Choice", "Choices": [{"Variable": "$.total", "NumericGreaterThan": 0, "Next": "Price"}], "Default": "Empty"},
        "Price": task("price", ResultPath="$.pricing", End=True, Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Saved"}]),
        "Saved": {"Type": "Pass", "End": True},
        "Empty": {"Type": "Fail", "Error": "Empty"},
    },
}


def price(event: Any) -> Any:
    if event["total"] == 3:
        raise ValueError("three")
    return {"amount": event["total"] * 2}


def test_counting_keeps_nothing_over_100_000_events() -> None:
    """No *net* allocation: as many blocks of memory afterwards as before, failures and catches included."""
    program = express.compile(PLAIN, name="plain", functions={"price": express.function("price", run="inline")(price)})
    given = [{"total": number % 5} for number in range(50)]

    def through(rounds: int) -> None:
        for _ in range(rounds):
            for event in given:
                program.run(event)

    through(100)  # counters leave the range of small, shared integers; caches fill
    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        through(2_000)
        gc.collect()
        grown = sys.getallocatedblocks() - before
    finally:
        gc.enable()
    assert program.metrics is not None
    assert program.metrics.started[0] == 105_000
    # The few are counters that outgrew a digit, and what the interpreter itself caches.
    assert abs(grown) < 200, grown
