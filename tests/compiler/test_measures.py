"""Metrics of generated code: exact whatever way an execution takes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

import express
from express.testing import VirtualClock
from tests.compiler.machines import choice, counts, failure, machine, map_, pass_, run, task

Compiled = Callable[..., express.Program]


def metrics_of(program: express.Program) -> Any:
    assert program.metrics is not None
    return program.metrics


def test_every_state_is_counted_once_for_each_time_it_is_passed(compiled: Compiled) -> None:
    definition = machine(
        A=pass_(Parameters={"x.$": "$.x", "n.$": "$.n"}),
        C=choice({"Variable": "$.x", "NumericGreaterThan": 5, "Next": "B"}, {"Variable": "$.n", "IsNull": True, "Next": "J"}, default="E"),
        B=task("f", ResultPath="$.r", Next="J"),
        J=pass_(Result=1, ResultPath="$.j", End=True),
        E={"Type": "Fail", "Error": "E"},
    )
    program = compiled(definition, functions={"f": lambda event: event["x"]})
    rng = random.Random(1)
    expected = dict.fromkeys("ACBJE", 0)
    for _ in range(500):
        event = {"x": rng.randrange(10), "n": rng.choice([None, 1])}
        run(program, event)
        way = "ACBJ" if event["x"] > 5 else "ACJ" if event["n"] is None else "ACE"
        for state in way:
            expected[state] += 1
    assert counts(program) == expected
    metrics = metrics_of(program)
    assert metrics.started == [500]
    assert metrics.statuses["SUCCEEDED"] + metrics.statuses["FAILED"] == 500 == metrics.execution.count
    assert metrics.statuses["FAILED"] == expected["E"] == metrics.failures[(4, "E")]
    assert all(sum(histogram.counts) == histogram.count and min(histogram.counts) >= 0 for histogram in metrics.seconds)
    assert metrics.attempts[2].count == expected["B"]


def test_the_seconds_of_states_add_up_to_those_of_executions(compiled: Compiled) -> None:
    definition = machine(
        A=pass_(), B=task("f"), C=choice({"Variable": "$.n", "IsPresent": True, "Next": "D"}), D=pass_(Result=1, ResultPath="$.d")
    )
    program = compiled(definition, functions={"f": lambda event: {**event, "list": list(range(100))}})
    for number in range(200):
        run(program, {"n": number})
    metrics = metrics_of(program)
    states = sum(histogram.total[0] for histogram in metrics.seconds)
    assert 0.5 * metrics.execution.total[0] < states < 1.000_001 * metrics.execution.total[0]
    assert metrics.seconds[1].total[0] > metrics.seconds[0].total[0] > 0


@pytest.mark.parametrize("at", ["first", "join", "after a wait", "in a branch", "in an item"])
def test_what_was_passed_before_a_failure_is_counted(compiled: Compiled, at: str) -> None:
    lost = pass_(InputPath="$.lost")
    definition = {
        "first": machine(A=pass_(), X=lost),
        "join": machine(
            A=choice({"Variable": "$.n", "IsNull": True, "Next": "B"}, default="C"), B=pass_(Next="X"), C=pass_(Next="X"), X=lost
        ),
        "after a wait": machine(A=pass_(), W={"Type": "Wait", "Seconds": 1}, B=pass_(), X=lost),
        "in a branch": machine(A=pass_(), F={"Type": "Parallel", "Branches": [machine(B=pass_(), X=lost)]}),
        "in an item": machine(A=pass_(), M=map_(machine(B=pass_(), X=lost), ItemsPath="$.items")),
    }[at]
    program = compiled(definition)
    for _ in range(3):
        assert run(program, {"n": 1, "items": [1]}).status == "FAILED"
    found = counts(program)
    assert {name: count for name, count in found.items() if count != 3} == ({"B": 0} if at == "join" else {})
    metrics = metrics_of(program)
    assert metrics.started == [3]
    assert metrics.statuses["FAILED"] == 3
    numbers = {name: number for number, (name, _) in enumerate(metrics.states)}
    assert metrics.failures[(numbers["X"], "States.Runtime")] == 3


def test_failures_are_retried_caught_or_uncaught(compiled: Compiled) -> None:
    rng = random.Random(2)

    def shaky(event: Any) -> Any:
        if rng.random() < 0.6:
            raise express.TaskError(rng.choice(["Busy", "Broken", "Odd"]))
        return event

    retry = [{"ErrorEquals": ["Busy"], "MaxAttempts": 2}, {"ErrorEquals": ["Broken"], "MaxAttempts": 1}]
    shaken = task("f", Retry=retry, Catch=[{"ErrorEquals": ["Busy", "Broken"], "Next": "Caught"}])
    definition = machine(T=shaken, Ended={"Type": "Succeed"}, Caught=pass_())
    program = compiled(definition, functions={"f": shaky})
    outcomes = [run(program, {}, clock=VirtualClock()) for _ in range(400)]
    metrics = metrics_of(program)
    uncaught = sum(outcome.status == "FAILED" for outcome in outcomes)
    assert uncaught
    assert sum(metrics.failures.values()) == sum(metrics.retries.values()) + sum(metrics.catches.values()) + uncaught
    assert metrics.attempts[0].count == 400 + sum(metrics.retries.values())
    assert metrics.seconds[0].count == metrics.entered[0] == 400


def test_a_state_that_waits_is_counted_while_it_waits() -> None:
    program = express.compile(machine(A=pass_(), W={"Type": "Wait", "Seconds": 5}))
    from express.executor import Executor
    from express.runtime.context import Execution

    clock = VirtualClock()
    executor = Executor(clock)
    execution = Execution(program, {}, clock.time(), clock.time() + 300, clock=clock)
    assert executor.start(program, {}, execution, lambda execution, outcome: None) is None
    assert counts(program) == {"A": 1, "W": 1}
    assert metrics_of(program).started == [1]
    executor.abort(execution)
    assert metrics_of(program).statuses == {"SUCCEEDED": 0, "FAILED": 0, "TIMED_OUT": 0, "ABORTED": 1}


def test_a_slow_state_is_in_a_higher_bucket(compiled: Compiled) -> None:
    import time

    program = compiled(machine(A=pass_(), T=task("f"), B=pass_()), functions={"f": lambda event: time.sleep(0.002)})
    for _ in range(10):
        run(program, {})
    metrics = metrics_of(program)
    quick, slow, after = (histogram.counts for histogram in metrics.seconds)
    assert sum(slow[:10]) == 0
    assert sum(slow) == sum(quick) == sum(after) == 10


def test_the_same_states_passed_in_another_way_are_counted_alike(compiled: Compiled) -> None:
    """Quick states are counted by the way an execution came, not one by one: every way must be right."""
    states: dict[str, dict[str, Any]] = {}
    for number in range(6):
        states[f"C{number}"] = choice({"Variable": f"$.b{number}", "BooleanEquals": True, "Next": f"P{number}"}, default=f"C{number + 1}")
        states[f"P{number}"] = pass_(Next=f"C{number + 1}")
    definition = machine(**states, C6=pass_(), W={"Type": "Wait", "Seconds": 0}, Last=pass_())
    program = compiled(definition)
    rng = random.Random(3)
    expected = {f"P{number}": 0 for number in range(6)}
    for _ in range(200):
        event = {f"b{number}": rng.random() < 0.5 for number in range(6)}
        run(program, event)
        for number in range(6):
            expected[f"P{number}"] += event[f"b{number}"]
    found = counts(program)
    assert {name: found[name] for name in expected} == expected
    assert all(found[name] == 200 for name in found if name not in expected)


def test_without_metrics_nothing_is_measured(compiled: Compiled) -> None:
    program = compiled(machine(A=pass_(), W={"Type": "Wait", "Seconds": 1}), metrics=False)
    assert program.metrics is None
    assert "clock()" not in program.source
    assert run(program, {}).status == "SUCCEEDED"


def test_a_state_that_is_measured_late_is_the_last_that_was_entered(compiled: Compiled) -> None:
    definition = machine(
        Grow=pass_(Parameters={"a.$": "$.a", "b.$": "$.a"}, Next="Look"),
        Look=choice({"Variable": "$.c", "IsPresent": True, "Next": "End"}, default="End"),
        End=pass_(),
    )
    program = compiled(definition)
    assert failure(program, {"a": "x" * 200_000})[0] == "States.DataLimitExceeded"
    assert counts(program) == {"Grow": 1, "Look": 0, "End": 0}


def test_a_task_that_is_measured_late_was_entered_and_what_came_before_it_too(compiled: Compiled) -> None:
    definition = machine(
        Before=pass_(Next="Work"),
        Work=task("f", ResultSelector={"a.$": "$", "b.$": "$"}, Next="Look"),
        Look=choice({"Variable": "$.c", "IsPresent": True, "Next": "End"}, default="End"),
        End=pass_(),
    )
    for mode in ("inline", "thread"):  # counted with what it comes after, or by itself when it begins
        program = compiled(definition, functions={"f": express.function("f", run=mode)(lambda event: "x" * 200_000)})
        assert failure(program, {})[0] == "States.DataLimitExceeded"
        assert counts(program) == {"Before": 1, "Work": 1, "Look": 0, "End": 0}


def test_a_state_that_is_too_large_before_its_output_path_counts_as_entered(compiled: Compiled) -> None:
    program = compiled(machine(A=pass_(ResultPath="$.o", OutputPath="$.o['x','y']")))
    assert failure(program, {"x": "x" * 200_000})[0] == "States.DataLimitExceeded"
    assert counts(program) == {"A": 1}
