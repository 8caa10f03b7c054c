"""A recording as lines to read, and as JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import express
from express.observers.transcript import as_json, lines
from express.testing import Recording, VirtualClock
from tests.compiler.machines import choice, machine, map_, pass_, task


def recorded(definition: dict[str, Any], event: Any, most: int | None = None, **functions: Any) -> Recording:
    given = {name: express.function(name, run="inline")(function) for name, function in functions.items()}
    recording = Recording(most)
    express.compile(definition, functions=given, trace=True).run(event, clock=VirtualClock(), trace=recording)
    return recording


def read(recording: Recording, longest: int = 160) -> list[str]:
    return [f"{line.start}{line.text}" for line in lines(recording, longest)]


def fail(event: Any) -> Any:
    raise express.TaskError("Busy", "later")


def test_what_is_inside_a_state_comes_below_it_iteration_by_iteration() -> None:
    body = machine(A=pass_(), W={"Type": "Wait", "Seconds": 1}, B=pass_())
    definition = machine(M=map_(body, ItemsPath="$.items", ResultPath="$.made"), Last={"Type": "Succeed"})
    found = [line for line in read(recorded(definition, {"items": [1, 2]})) if not re.match(r" *(input|output|items|result) ", line)]
    assert found == [
        "M  Map  1 s  -> Last",
        *("  [0] A  Pass  0 ns  -> W", "  [0] W  Wait  1 s  -> B", "  [0] B  Pass  0 ns"),
        *("  [1] A  Pass  0 ns  -> W", "  [1] W  Wait  1 s  -> B", "  [1] B  Pass  0 ns"),
        "Last  Succeed  0 ns",
    ]


def test_a_step_is_shown_only_where_it_changes_something() -> None:
    state = task("f", InputPath="$.a", Parameters={"b.$": "$"}, ResultSelector={"c.$": "$"}, ResultPath="$.d")
    assert read(recorded(machine(T=state), {"a": 1}, f=lambda event: event)) == [
        "T  Task  0 ns",
        '    input       {"a":1}',
        "    input path  1",
        '    parameters  {"b":1}',
        '    selected    {"c":{"b":1}}',
        '    output      {"a":1,"d":{"c":{"b":1}}}',
    ]


def test_failures_are_shown_with_what_became_of_them() -> None:
    state = task(
        "f", Retry=[{"ErrorEquals": ["Busy"], "MaxAttempts": 1, "IntervalSeconds": 2}], Catch=[{"ErrorEquals": ["Busy"], "Next": "X"}]
    )
    definition = machine(T=state, X=choice({"Variable": "$.Error", "IsNull": True, "Next": "Y"}), Y={"Type": "Succeed"})
    found = read(recorded(definition, {}, f=fail))
    assert found[:5] == [
        "T  Task  2 s  caught  -> X",
        "    input       {}",
        "    failed      Busy: later (again after 2 s)",
        "    failed      Busy: later",
        '    output      {"Error":"Busy","Cause":"later"}',
    ]
    assert found[5] == "X  Choice  0 ns  FAILED"
    assert found[7].startswith("    failed      States.NoChoiceMatched: ")
    assert len(found) == 8
    wrong = [line.wrong for line in lines(recorded(definition, {}, f=fail))]
    assert wrong == [False, False, True, True, False, True, False, True]


def test_variables_and_arguments_are_shown() -> None:
    state = {**task("f", Arguments={"n": "{% $states.input + 1 %}"}, Assign={"r": "{% $states.result %}"}), "QueryLanguage": "JSONata"}
    assert read(recorded(machine(T=state), 1, f=lambda event: [event["n"]])) == [
        "T  Task  0 ns",
        "    input       1",
        '    arguments   {"n":2}',
        "    result      [2]",
        "    $r          [2]",
        "    output      [2]",
    ]


def test_what_is_given_up_has_no_duration() -> None:
    branches = [machine(W={"Type": "Wait", "Seconds": 9}), machine(F={"Type": "Fail", "Error": "E"})]
    assert "  [0] W  Wait  given up" in read(recorded(machine(P={"Type": "Parallel", "Branches": branches}), {}))


def test_long_payloads_are_cut() -> None:
    found = read(recorded(machine(A=pass_()), "é" * 100), longest=20)
    assert found[1] == f'    input       "{"é" * 19}... (202 bytes)'


def test_of_endless_loops_the_beginning_is_kept() -> None:
    loop = machine(
        A=pass_(), C=choice({"Variable": "$.n", "IsNull": True, "Next": "S"}, default="W"), W={"Type": "Wait", "Seconds": 1, "Next": "A"}
    )
    loop["States"]["S"] = {"Type": "Succeed"}
    recording = recorded({**loop, "TimeoutSeconds": 9}, {"n": 1}, most=5)
    assert recording.trail == ["A", "C", "W", "A", "C"]
    assert recording.dropped == 25
    assert read(recording)[-1] == "25 more states are not shown"


def test_json_has_everything_that_says_something() -> None:
    state = task(
        "f", Retry=[{"ErrorEquals": ["Busy"], "MaxAttempts": 1}], Catch=[{"ErrorEquals": ["Busy"], "Next": "X"}], Parameters={"a": 1}
    )
    recording = recorded(machine(T=state, X={"Type": "Fail"}), {}, f=fail)
    first, second = (json.loads(as_json(visit)) for visit in recording.visits)
    assert first == {
        "number": 0, "trail": "T", "location": "/States/T", "name": "T", "type": "Task", "status": "CAUGHT", "next": "X", "catcher": 0,
        "error": "Busy", "cause": "later", "attempts": 2, "entered": 0.0, "seconds": 1.0,
        "failures": [{"error": "Busy", "cause": "later", "delay": 1.0}, {"error": "Busy", "cause": "later", "delay": None}],
        "input": {}, "data": {"afterParameters": {"a": 1}}, "output": {"Error": "Busy", "Cause": "later"},
    }  # fmt: skip
    assert "output" not in second
    assert second["status"] == "FAILED"
