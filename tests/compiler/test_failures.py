"""Retry and Catch, timeouts, and what they do not see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import express
from express.runtime.failures import StateError
from express.runtime.retries import matcher
from express.testing import VirtualClock
from tests.compiler.machines import choice, failure, machine, map_, output, pass_, run, task

Compiled = Callable[..., express.Program]
CAUGHT = {"ErrorEquals": ["States.ALL"], "Next": "Caught"}


class Failing:
    """A function that fails so many times, then gives the number of its calls."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls = list(errors), 0

    def __call__(self, event: Any) -> Any:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return {"calls": self.calls}


def busy(count: int, error: str = "Busy") -> Failing:
    return Failing(*(express.TaskError(error, f"{number}") for number in range(count)))


# --- Retry ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retrier", "failures", "seconds"),
    [
        ({}, 3, 1 + 2 + 4),
        ({"IntervalSeconds": 3, "BackoffRate": 1}, 2, 6),
        ({"IntervalSeconds": 2, "BackoffRate": 3, "MaxDelaySeconds": 5}, 3, 2 + 5 + 5),
        ({"MaxAttempts": 1}, 1, 1),
    ],
)
def test_attempts_are_made_with_growing_pauses(compiled: Compiled, retrier: dict[str, Any], failures: int, seconds: float) -> None:
    clock, function = VirtualClock(), busy(failures)
    began = clock.time()
    program = compiled(machine(T=task("f", Retry=[{"ErrorEquals": ["Busy"], **retrier}])), functions={"f": function})
    assert output(program, {}, clock=clock) == {"calls": failures + 1}
    assert clock.time() - began == pytest.approx(seconds, abs=0.01)


def test_full_jitter_stays_below_the_pause(compiled: Compiled) -> None:
    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 10, "JitterStrategy": "FULL", "MaxAttempts": 1}]
    pauses = []
    for _ in range(20):
        clock = VirtualClock()
        began = clock.time()
        output(compiled(machine(T=task("f", Retry=retry)), functions={"f": busy(1)}), {}, clock=clock)
        pauses.append(clock.time() - began)
    assert all(0 <= pause <= 10 for pause in pauses)
    assert len(set(pauses)) > 10


def test_attempts_end(compiled: Compiled) -> None:
    function = busy(9)
    program = compiled(machine(T=task("f", Retry=[{"ErrorEquals": ["Busy"], "MaxAttempts": 2}])), functions={"f": function})
    outcome = run(program, {})
    assert (outcome.error, outcome.cause, outcome.attempts) == ("Busy", "2", 3)
    assert function.calls == 3


def test_each_retrier_counts_for_itself(compiled: Compiled) -> None:
    errors = [express.TaskError(name) for name in ("A", "B", "A", "B", "A")]
    function = Failing(*errors)
    retry = [{"ErrorEquals": ["A"], "MaxAttempts": 2}, {"ErrorEquals": ["B"], "MaxAttempts": 5}]
    program = compiled(machine(T=task("f", Retry=retry)), functions={"f": function})
    assert failure(program, {})[0] == "A"
    assert function.calls == 5


def test_the_first_retrier_that_means_the_error_decides(compiled: Compiled) -> None:
    function = busy(1)
    retry = [{"ErrorEquals": ["Busy"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"], "MaxAttempts": 5}]
    program = compiled(machine(T=task("f", Retry=retry)), functions={"f": function})
    assert failure(program, {})[0] == "Busy"
    assert function.calls == 1


def test_a_retry_of_no_attempts_leaves_the_workflow_plain(compiled: Compiled) -> None:
    program = compiled(machine(T=task("f", Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 0}])), functions={"f": busy(1)})
    assert program.plain
    assert failure(program, {})[0] == "Busy"


def test_every_attempt_sees_the_original_payload_and_how_many_came_before(compiled: Compiled) -> None:
    seen = []

    def spoil(event: dict[str, Any]) -> Any:
        seen.append({**event, "list": list(event["list"])})
        event["list"].append("spoilt")
        if len(seen) < 3:
            raise express.TaskError("Busy")
        return None

    parameters = {"list.$": "$.list", "retries.$": "$$.State.RetryCount"}
    program = compiled(machine(T=task("f", Parameters=parameters, Retry=[{"ErrorEquals": ["Busy"]}])), functions={"f": spoil})
    assert output(program, {"list": [1]}) is None
    assert seen == [{"list": [1], "retries": number} for number in range(3)]


def test_a_parallel_and_a_map_are_tried_again_as_a_whole(compiled: Compiled) -> None:
    function = busy(2)
    for state in ({"Type": "Parallel", "Branches": [machine(A=task("f"))]}, map_(machine(A=task("f")), InputPath="$.items")):
        function.errors, function.calls = [express.TaskError("Busy")], 0
        program = compiled(machine(S={**state, "Retry": [{"ErrorEquals": ["Busy"]}]}), functions={"f": function})
        assert output(program, {"items": [1]}) == [{"calls": 2}]


# --- Catch ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"Error": "Busy", "Cause": "0"}),
        ({"ResultPath": "$.error"}, {"in": 1, "error": {"Error": "Busy", "Cause": "0"}}),
        ({"ResultPath": "$.a.b"}, {"in": 1, "a": {"b": {"Error": "Busy", "Cause": "0"}}}),
        ({"ResultPath": None}, {"in": 1}),
    ],
)
def test_a_catcher_puts_the_error_into_the_raw_input(compiled: Compiled, fields: dict[str, Any], expected: Any) -> None:
    caught = task("f", InputPath="$.in", OutputPath="$.not_applied", Catch=[{**CAUGHT, **fields}])
    program = compiled(machine(T=caught, Ended={"Type": "Succeed"}, Caught=pass_()), functions={"f": busy(1)})
    assert program.plain
    assert output(program, {"in": 1}) == expected


def test_the_first_catcher_that_means_the_error_takes_it(compiled: Compiled) -> None:
    catch = [{"ErrorEquals": ["A", "B"], "Next": "First"}, {"ErrorEquals": ["Busy"], "Next": "Second"}, {**CAUGHT, "Next": "Third"}]
    states = {name: pass_(Result=name, End=True) for name in ("First", "Second", "Third")}
    for error, place in (("B", "First"), ("Busy", "Second"), ("Else", "Third")):
        program = compiled(machine(T=task("f", Catch=catch, End=True), **states), functions={"f": busy(1, error)})
        assert output(program, {}) == place


def test_what_no_catcher_means_fails_the_workflow(compiled: Compiled) -> None:
    program = compiled(machine(T=task("f", Catch=[{"ErrorEquals": ["Other"], "Next": "Caught"}]), Caught=pass_()), functions={"f": busy(1)})
    outcome = run(program, {})
    assert (outcome.error, outcome.cause, outcome.state) == ("Busy", "0", "T")


def test_retry_comes_before_catch(compiled: Compiled) -> None:
    function = busy(9)
    retried = task("f", Retry=[{"ErrorEquals": ["Busy"], "MaxAttempts": 2}], Catch=[CAUGHT])
    program = compiled(machine(T=retried, Ended={"Type": "Succeed"}, Caught=pass_(OutputPath="$.Cause")), functions={"f": function})
    assert output(program, {}) == "2"
    assert function.calls == 3


def test_a_branch_s_failure_is_caught_with_its_own_name(compiled: Compiled) -> None:
    branch = machine(B={"Type": "Fail", "Error": "Inner", "Cause": "deep"})
    fan = {"Type": "Parallel", "Branches": [branch], "Catch": [{"ErrorEquals": ["Inner"], "Next": "Caught"}]}
    program = compiled(machine(F=fan, Ended={"Type": "Succeed"}, Caught=pass_()))
    assert output(program, {}) == {"Error": "Inner", "Cause": "deep"}


def test_a_catcher_may_lead_back(compiled: Compiled) -> None:
    function = busy(3)
    program = compiled(machine(T=task("f", Catch=[{**CAUGHT, "ResultPath": None, "Next": "T"}])), functions={"f": function})
    assert not program.plain  # a loop
    assert output(program, {}) == {"calls": 4}


def test_a_failure_that_is_caught_does_not_keep_the_frame_alive(compiled: Compiled) -> None:
    program = compiled(machine(T=task("f", Catch=[CAUGHT]), Ended={"Type": "Succeed"}, Caught=pass_()), functions={"f": busy(1)})
    assert "failure = None" in program.source


# --- Names ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "error", "meant"),
    [
        ("States.ALL", "Anything", True),
        ("States.ALL", None, True),
        ("States.ALL", "States.Timeout", True),
        ("States.ALL", "States.IntrinsicFailure", True),
        ("States.ALL", "States.Runtime", False),
        ("States.Runtime", "States.Runtime", False),
        ("States.TaskFailed", "Anything", True),
        ("States.TaskFailed", "States.Timeout", False),
        ("States.TaskFailed", "States.Runtime", False),
        ("States.Timeout", "States.Timeout", True),
        ("Busy", "Busy", True),
        ("Busy", "busy", False),
    ],
)
def test_reserved_names_mean_what_they_mean_on_aws(named: str, error: str | None, meant: bool) -> None:
    assert matcher((named,))(StateError(error)) is meant


def test_states_all_means_a_result_over_the_limit_but_not_an_output_over_it(compiled: Compiled) -> None:
    too_large = {"f": lambda event: "a" * 300_000}
    ended = {"Type": "Succeed"}
    result = machine(T=task("f", Catch=[CAUGHT]), Ended=ended, Caught=pass_(OutputPath="$.Error"))
    assert output(compiled(result, functions=too_large), {}) == "States.DataLimitExceeded"
    half = {"f": lambda event: "a" * 200_000}
    both = machine(T=task("f", ResultPath="$.r", Catch=[CAUGHT]), Ended=ended, Caught=pass_(OutputPath="$.Error"))
    assert failure(compiled(both, functions=half), {"a": "a" * 200_000})[0] == "States.DataLimitExceeded"
    named = machine(
        T=task("f", ResultPath="$.r", Catch=[{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "Caught"}]),
        Ended=ended,
        Caught=pass_(OutputPath="$.Error"),
    )
    assert output(compiled(named, functions=half), {"a": "a" * 200_000}) == "States.DataLimitExceeded"


# --- Timeouts ---------------------------------------------------------------------------------------------------------------------


def hanging() -> Any:
    @express.function("f")
    async def hang(event: Any) -> None:
        await asyncio.sleep(1_000)

    return hang


def test_a_task_that_takes_too_long_fails_with_states_timeout(compiled: Compiled) -> None:
    assert failure(compiled(machine(T=task("f", TimeoutSeconds=5)), functions={"f": hanging()}), {}) == ("States.Timeout", None)
    by_path = compiled(machine(T=task("f", TimeoutSecondsPath="$.t")), functions={"f": hanging()})
    assert failure(by_path, {"t": 5}) == ("States.Timeout", None)


@pytest.mark.parametrize("field", ["TimeoutSeconds", "HeartbeatSeconds"])
@pytest.mark.parametrize("kind", ["inline", "thread", "async"])
def test_a_timeout_of_0_from_the_data_fails_whatever_kind_of_function_it_is_for(compiled: Compiled, field: str, kind: Any) -> None:
    async def coroutine(payload: Any) -> Any:
        return payload

    function = express.function("f", run=kind)(coroutine if kind == "async" else lambda payload: payload)
    by_path = compiled(machine(T=task("f", **{f"{field}Path": "$.t"})), functions={"f": function})
    error, cause = failure(by_path, {"t": 0})
    assert error == "States.Runtime"
    assert cause is not None
    assert cause.endswith(f"The {field}Path parameter references a value less than 1: $.t == 0")
    assert output(by_path, {"t": 1}) == {"t": 1}

    expression = {"QueryLanguage": "JSONata", **machine(T=task("f", **{field: "{% $states.input.t %}"}))}
    by_jsonata = compiled(expression, functions={"f": function})
    error, cause = failure(by_jsonata, {"t": 0})
    assert error == "States.QueryEvaluationError"
    assert cause is not None
    assert cause.endswith("Expected a whole number from 1 to 99999999, but was 0")
    assert output(by_jsonata, {"t": 1}) == {"t": 1}


def test_the_timeout_is_looked_at_before_the_parameters(compiled: Compiled) -> None:
    program = compiled(
        machine(T=task("f", TimeoutSecondsPath="$.t", Parameters={"x.$": "States.MathAdd('a', 1)"})), functions={"f": hanging()}
    )
    error, cause = failure(program, {"t": True})
    assert error == "States.Runtime"
    assert cause is not None
    assert cause.endswith("The TimeoutSecondsPath parameter cannot be parsed as a long value: $.t == true")


def test_a_timeout_can_be_caught(compiled: Compiled) -> None:
    timed = task("f", TimeoutSeconds=5, Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "Caught"}])
    program = compiled(machine(T=timed, Ended={"Type": "Succeed"}, Caught=pass_(OutputPath="$.Error")), functions={"f": hanging()})
    assert output(program, {}) == "States.Timeout"


@pytest.mark.parametrize("state", ["Wait", "Task", "Backoff"])
def test_nobody_sees_the_execution_s_own_timeout(compiled: Compiled, state: str) -> None:
    every = {"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 100}], "Catch": [CAUGHT]}
    branch = {
        "Wait": machine(W={"Type": "Wait", "Seconds": 100}),
        "Task": machine(W=task("f")),
        "Backoff": machine(W=task("busy", Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 100}])),
    }[state]
    definition = machine(F={"Type": "Parallel", "Branches": [branch], **every}, Ended={"Type": "Succeed"}, Caught=pass_())
    program = compiled({**definition, "TimeoutSeconds": 7}, functions={"f": hanging(), "busy": busy(9)}, missing="defer")
    clock = VirtualClock()
    began = clock.time()
    outcome = run(program, {}, clock=clock)
    assert (outcome.status, outcome.error) == ("TIMED_OUT", "States.Timeout")
    assert clock.time() - began == pytest.approx(7, abs=0.01)


def test_a_loop_ends_at_the_execution_s_deadline(compiled: Compiled) -> None:
    again = choice({"Variable": "$.on", "BooleanEquals": True, "Next": "W"}, default="E")
    definition = machine(W={"Type": "Wait", "Seconds": 1, "Next": "C"}, C=again, E=pass_())
    outcome = run(compiled({**definition, "TimeoutSeconds": 30}), {"on": True})
    assert (outcome.status, outcome.error) == ("TIMED_OUT", "States.Timeout")
