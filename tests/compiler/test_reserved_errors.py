"""Every reserved error name: what makes it, and which of States.ALL, States.TaskFailed and its own name mean it.

Sources, as in docs/language.md: [guide] is the Step Functions Developer Guide, "Handling errors in Step Functions workflows"; [spec] the
States Language specification, "Errors" and Appendix A; [recorded] an answer of AWS. Names that nothing in an Express workflow raises by
itself (States.HeartbeatTimeout, States.Permissions, States.BranchFailed, States.ParameterPathFailure, the Distributed Map's) come from a
function here: they are matched by the same rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import express
from express.testing import VirtualClock
from tests.compiler.machines import choice, failure, machine, map_, output, pass_, run, task

Compiled = Callable[..., express.Program]

ALL, TASK_FAILED = "States.ALL", "States.TaskFailed"


def raises(error: str) -> Callable[[Any], Any]:
    def function(event: Any) -> Any:
        raise express.TaskError(error, "because")

    return function


@express.function("slow")
async def slow(event: Any) -> None:
    await asyncio.sleep(1_000)


def parallel(*branches: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Parallel", "Branches": list(branches), **fields}


NO_MATCH = machine(C=choice({"Variable": "$.n", "NumericEquals": 1, "Next": "D"}), D={"Type": "Succeed"})

# name -> (the state that fails, the input, its functions)
MAKERS: dict[str, tuple[dict[str, Any], Any, dict[str, Any]]] = {
    "States.Timeout": (task("f", TimeoutSeconds=3), {}, {"f": slow}),
    "States.IntrinsicFailure": (task("f", Parameters={"x.$": "States.ArrayGetItem($.a, 9)"}), {"a": []}, {"f": lambda event: 1}),
    "States.ResultPathMatchFailure": (task("f", ResultPath="$.x"), "text", {"f": lambda event: 1}),
    "States.NoChoiceMatched": (parallel(NO_MATCH), {"n": 2}, {}),
    "States.TaskFailed": (task("f"), {}, {"f": raises("States.TaskFailed")}),
    "States.HeartbeatTimeout": (task("f"), {}, {"f": raises("States.HeartbeatTimeout")}),
    "States.Permissions": (task("f"), {}, {"f": raises("States.Permissions")}),
    "States.BranchFailed": (task("f"), {}, {"f": raises("States.BranchFailed")}),
    "States.ParameterPathFailure": (task("f"), {}, {"f": raises("States.ParameterPathFailure")}),
    "States.ExceedToleratedFailureThreshold": (task("f"), {}, {"f": raises("States.ExceedToleratedFailureThreshold")}),
    "States.ItemReaderFailed": (task("f"), {}, {"f": raises("States.ItemReaderFailed")}),
    "States.ResultWriterFailed": (task("f"), {}, {"f": raises("States.ResultWriterFailed")}),
    "States.QueryEvaluationError": (task("f"), {}, {"f": raises("States.QueryEvaluationError")}),
    "States.Http.Socket": (task("f"), {}, {"f": raises("States.Http.Socket")}),
    "OutOfStock": (task("f"), {}, {"f": raises("OutOfStock")}),
    "ValueError": (task("f"), {}, {"f": lambda event: int("x")}),
}
# What TaskFailed does not mean: "matches any known error name except for States.Timeout" [guide]
NOT_TASK_FAILED = {"States.Timeout"}


def caught(state: dict[str, Any], *names: str) -> dict[str, Any]:
    catchers = [{"ErrorEquals": [name], "Next": f"Caught{number}"} for number, name in enumerate(names)]
    ends = {f"Caught{number}": pass_(OutputPath="$.Error") for number in range(len(names))}
    return machine(S={**state, "Catch": catchers}, Ended={"Type": "Succeed"}, **ends)


@pytest.mark.parametrize("name", MAKERS)
def test_a_failure_that_nobody_catches_fails_the_workflow_under_its_name(compiled: Compiled, name: str) -> None:
    state, data, functions = MAKERS[name]
    assert failure(compiled(machine(S=state), functions=functions), data)[0] == name


@pytest.mark.parametrize("name", MAKERS)
def test_states_all_means_every_error_but_two(compiled: Compiled, name: str) -> None:
    """[guide]: States.ALL does not catch States.DataLimitExceeded and States.Runtime; both have tests of their own."""
    state, data, functions = MAKERS[name]
    assert output(compiled(caught(state, ALL), functions=functions), data) == name


@pytest.mark.parametrize("name", MAKERS)
def test_an_error_is_caught_under_its_own_name(compiled: Compiled, name: str) -> None:
    state, data, functions = MAKERS[name]
    assert output(compiled(caught(state, "Other", name), functions=functions), data) == name


@pytest.mark.parametrize("name", MAKERS)
def test_states_task_failed_means_every_error_but_the_timeout(compiled: Compiled, name: str) -> None:
    state, data, functions = MAKERS[name]
    program = compiled(caught(state, TASK_FAILED), functions=functions)
    if name in NOT_TASK_FAILED:
        assert failure(program, data)[0] == name
    else:
        assert output(program, data) == name


@pytest.mark.parametrize("name", MAKERS)
def test_a_retrier_means_what_a_catcher_means(compiled: Compiled, name: str) -> None:
    """Counted by the clock: a state that is tried again waits the hour that its retrier says."""
    state, data, functions = MAKERS[name]
    for wanted, meant in ((ALL, True), (TASK_FAILED, name not in NOT_TASK_FAILED), (name, True), ("Other", False)):
        retrier = {"ErrorEquals": [wanted], "IntervalSeconds": 100, "MaxAttempts": 1}
        clock = VirtualClock()
        outcome = run(compiled(machine(S={**state, "Retry": [retrier]}), functions=functions), data, clock=clock)
        assert outcome.error == name
        assert (clock.time() >= 100) is meant, wanted


# --- States.Runtime ---------------------------------------------------------------------------------------------------------------

RUNTIME: dict[str, tuple[dict[str, Any], Any]] = {
    "InputPath finds nothing": (task("f", InputPath="$.missing"), {}),
    "InputPath on null": (task("f", InputPath="$.a"), None),
    "a path in Parameters finds nothing": (task("f", Parameters={"x.$": "$.missing"}), {}),
    "a path in an intrinsic finds nothing": (task("f", Parameters={"x.$": "States.Array($.missing)"}), {}),
    "a path in ResultSelector finds nothing": (task("f", ResultSelector={"x.$": "$.missing"}), {}),
    "TimeoutSecondsPath finds text": (task("f", TimeoutSecondsPath="$.t"), {"t": "soon"}),
    "ItemsPath finds no array": (map_(machine(P=pass_()), ItemsPath="$.items"), {"items": 1}),
    "ItemSelector finds nothing": (map_(machine(P=pass_()), ItemSelector={"x.$": "$.missing"}), [1]),
    "a branch's path finds nothing": (parallel(machine(P=pass_(InputPath="$.missing"))), {}),
    "an iteration's path finds nothing": (map_(machine(P=pass_(InputPath="$.missing"))), [{}]),
    "a branch fails with the name": (parallel(machine(F={"Type": "Fail", "Error": "States.Runtime"})), {}),
}


@pytest.mark.parametrize("case", RUNTIME)
def test_states_runtime_always_fails_the_execution(compiled: Compiled, case: str) -> None:
    """[guide]: "A States.Runtime error is not retriable, and will always cause the execution to fail."."""
    state, data = RUNTIME[case]
    names = ["States.Runtime", TASK_FAILED, ALL]
    definition = caught({**state, "Retry": [{"ErrorEquals": [ALL], "IntervalSeconds": 100}]}, *names)
    clock = VirtualClock()
    outcome = run(compiled(definition, functions={"f": lambda event: {}}), data, clock=clock)
    assert (outcome.status, outcome.error) == ("FAILED", "States.Runtime")
    assert clock.time() < 100


def test_output_path_fails_after_the_state_is_done_and_so_is_not_caught(compiled: Compiled) -> None:
    definition = caught(task("f", OutputPath="$.missing"), ALL)
    assert failure(compiled(definition, functions={"f": lambda event: {}}), {})[0] == "States.Runtime"


# --- States.DataLimitExceeded -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        # [recorded]: what a task returns may be caught by States.ALL
        ({}, {ALL: True, TASK_FAILED: False, "States.DataLimitExceeded": True}),
        # [guide]: "a terminal error that can't be caught by the States.ALL error type"
        ({"ResultPath": "$.r"}, {ALL: False, TASK_FAILED: False, "States.DataLimitExceeded": True}),
    ],
    ids=["a task's result", "a state's output"],
)
def test_who_sees_data_over_the_limit(compiled: Compiled, fields: dict[str, Any], meant: dict[str, bool]) -> None:
    size = 200_000 if fields else 300_000
    for name, seen in meant.items():
        program = compiled(caught(task("f", **fields), name), functions={"f": lambda event: "a" * size})
        if seen:
            assert output(program, {"a": "a" * 200_000}) == "States.DataLimitExceeded"
        else:
            assert failure(program, {"a": "a" * 200_000})[0] == "States.DataLimitExceeded", name


@pytest.mark.parametrize(
    "states",
    [
        {"S": pass_(Parameters={"a.$": "$.a", "b.$": "$.a"})},
        {"S": pass_(Result="x", ResultPath="$.b"), "T": pass_(Parameters={"a.$": "$", "b.$": "$.a"})},
        {"S": pass_(Parameters={"x.$": "States.Array($.a, $.a)"})},
        {"S": parallel(machine(P=pass_()), machine(Q=pass_()))},
        {"S": map_(machine(P=pass_()), ItemsPath="$.twice", ItemSelector={"x.$": "$.a"})},
        {"S": task("f", Parameters={"a.$": "$.a", "b.$": "$.a"})},
        {"S": parallel(machine(P=pass_(Result="little")), Parameters={"a.$": "$.a", "b.$": "$.a"})},
    ],
    ids=["Parameters", "a later state", "an intrinsic", "Parallel", "Map", "a task's input", "a Parallel's input"],
)
def test_no_state_makes_more_than_the_limit(compiled: Compiled, states: dict[str, Any]) -> None:
    """[guide]: the output of a connector, the output of a state, the input of a state after Parameters."""
    program = compiled(machine(**states), functions={"f": lambda event: 1})
    assert failure(program, {"a": "a" * 140_000, "twice": [1, 2]})[0] == "States.DataLimitExceeded"


# --- Branches and iterations ------------------------------------------------------------------------------------------------------


def test_a_failed_branch_fails_the_parallel_with_its_own_error_and_cause(compiled: Compiled) -> None:
    """[recorded]: not with States.BranchFailed, which [spec] names."""
    fail = machine(F={"Type": "Fail", "Error": "Broken", "Cause": "it broke"})
    inner = machine(M=map_(machine(P=parallel(fail))))
    assert failure(compiled(machine(S=parallel(machine(Q=pass_()), inner))), [1]) == ("Broken", "it broke")
    program = compiled(caught(parallel(inner, ResultPath="$.r"), ALL))
    assert output(program, [1]) == "Broken"


def test_the_innermost_catcher_that_means_a_failure_takes_it(compiled: Compiled) -> None:
    branch = machine(
        T=task("f", Catch=[{"ErrorEquals": ["Other"], "Next": "Inner"}]),
        Done={"Type": "Succeed"},
        Inner=pass_(Result="inner"),
    )
    definition = caught(parallel(branch), "OutOfStock")
    assert output(compiled(definition, functions={"f": raises("OutOfStock")}), {}) == "OutOfStock"


def test_the_error_output_has_error_and_cause_and_nothing_else(compiled: Compiled) -> None:
    """[spec], "Error output": a text field Error, a text field Cause."""
    for fail, expected in (
        ({"Type": "Fail", "Error": "E", "Cause": "c"}, {"Error": "E", "Cause": "c"}),
        ({"Type": "Fail", "Error": "E"}, {"Error": "E", "Cause": ""}),
        ({"Type": "Fail", "Cause": "c"}, {"Error": "", "Cause": "c"}),
        ({"Type": "Fail"}, {"Error": "", "Cause": ""}),
    ):
        catcher = {"ErrorEquals": [ALL], "Next": "Caught"}
        definition = machine(S=parallel(machine(F=fail), Catch=[catcher]), Ended={"Type": "Succeed"}, Caught=pass_())
        assert output(compiled(definition), {}) == expected


# --- Retriers ---------------------------------------------------------------------------------------------------------------------


def test_the_specification_s_example_of_two_retriers(compiled: Compiled) -> None:
    """[spec], "Complex retry scenarios": A, B, C, B end in the Catch, after waits of 1, 2 and 5 seconds."""
    errors = iter(["ErrorA", "ErrorB", "ErrorC", "ErrorB", "ErrorB"])

    def function(event: Any) -> Any:
        raise express.TaskError(next(errors))

    retry = [
        {"ErrorEquals": ["ErrorA", "ErrorB"], "IntervalSeconds": 1, "BackoffRate": 2, "MaxAttempts": 2},
        {"ErrorEquals": ["ErrorC"], "IntervalSeconds": 5},
    ]
    clock = VirtualClock()
    program = compiled(caught(task("f", Retry=retry), ALL), functions={"f": function})
    assert run(program, {}, clock=clock).output == "ErrorB"
    assert clock.time() == pytest.approx(8, abs=0.01)


def test_the_specification_s_example_of_a_longest_pause(compiled: Compiled) -> None:
    """[spec]: waits of 3 and 4 seconds, not 3 and 6."""
    retry = [{"ErrorEquals": ["E"], "IntervalSeconds": 3, "MaxAttempts": 2, "BackoffRate": 2.0, "MaxDelaySeconds": 4}]
    clock = VirtualClock()
    assert run(compiled(machine(S=task("f", Retry=retry)), functions={"f": raises("E")}), {}, clock=clock).error == "E"
    assert clock.time() == pytest.approx(7, abs=0.01)


def test_no_attempts_for_one_error_keep_states_all_from_trying_it(compiled: Compiled) -> None:
    """[spec]: "retry any error except for States.Timeout"."""
    retry = [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 0}, {"ErrorEquals": [ALL], "IntervalSeconds": 100}]
    clock = VirtualClock()
    outcome = run(compiled(machine(S=task("f", TimeoutSeconds=3, Retry=retry)), functions={"f": slow}), {}, clock=clock)
    assert outcome.error == "States.Timeout"
    assert clock.time() == pytest.approx(3, abs=0.01)


def test_the_counters_of_a_retry_begin_anew_with_every_visit_of_the_state(compiled: Compiled) -> None:
    """[spec]: "once the interpreter transitions to another state in any way, all the Retrier parameters reset"."""
    calls = []

    def function(event: Any) -> Any:
        calls.append(event)
        raise express.TaskError("E")

    retry = [{"ErrorEquals": ["E"], "MaxAttempts": 2}]
    states = {
        "S": task("f", Retry=retry, Catch=[{"ErrorEquals": ["E"], "ResultPath": "$.error", "Next": "Count"}]) | {"Next": "End"},
        "Count": pass_(Parameters={"n.$": "States.MathAdd($.n, 1)"}) | {"Next": "Again"},
        "Again": choice({"Variable": "$.n", "NumericLessThan": 2, "Next": "S"}, default="End"),
        "End": {"Type": "Succeed"},
    }
    run(compiled({"StartAt": "S", "States": states}, functions={"f": function}), {"n": 0})
    assert len(calls) == 6


# --- The execution's own time -----------------------------------------------------------------------------------------------------


def test_an_execution_over_its_time_has_a_status_of_its_own(compiled: Compiled) -> None:
    """[guide]: a workflow that runs longer than its TimeoutSeconds fails with States.Timeout; its status is TIMED_OUT. A task's timeout is
    a failure like others: FAILED."""
    task_s = run(compiled(machine(S=task("f", TimeoutSeconds=3)), functions={"f": slow}), {})
    assert (task_s.status, task_s.error) == ("FAILED", "States.Timeout")
    workflow_s = run(compiled({**machine(S=task("f")), "TimeoutSeconds": 3}, functions={"f": slow}), {})
    assert (workflow_s.status, workflow_s.error) == ("TIMED_OUT", "States.Timeout")


def test_no_execution_lasts_longer_than_five_minutes(compiled: Compiled) -> None:
    """[guide], "Service quotas": the maximum execution time of an Express workflow, whatever TimeoutSeconds says."""
    for definition in (machine(W={"Type": "Wait", "Seconds": 400}), {**machine(W={"Type": "Wait", "Seconds": 400}), "TimeoutSeconds": 900}):
        clock = VirtualClock()
        outcome = run(compiled(definition), {}, clock=clock)
        assert (outcome.status, outcome.error) == ("TIMED_OUT", "States.Timeout")
        assert clock.time() == pytest.approx(300, abs=0.01)


# --- Tolerated failures -----------------------------------------------------------------------------------------------------------


def test_an_inline_map_tolerates_no_failure(compiled: Compiled) -> None:
    """[guide]: ToleratedFailureCount and -Percentage are a Distributed Map's ("Using Map state in Distributed mode"); AWS accepts them in
    an inline Map as well [recorded], and so do we, with a warning."""
    states = machine(F={"Type": "Fail", "Error": "E"})
    assert failure(compiled(machine(S=map_(states, ToleratedFailureCount=5, ToleratedFailurePercentage=100))), [1, 2])[0] == "E"
    warned = [
        problem.location for problem in express.check(machine(S=map_(states, ToleratedFailureCount=5, ToleratedFailurePercentage=100)))
    ]
    assert warned == ["/States/S/ToleratedFailureCount", "/States/S/ToleratedFailurePercentage"]
