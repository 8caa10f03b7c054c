"""Every field that takes a path takes every path: definite or not, of the data, the Context Object and variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import express
from tests.compiler.machines import choice, failure, machine, map_, output, pass_, run, task

Compiled = Callable[..., express.Program]
DATA = {"items": [{"n": 1, "t": ["a"]}, {"n": 2}, {"n": 3, "t": []}], "n": 2, "text": "b", "when": "2024-01-01T00:00:00Z", "none": None}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.items[?(@.n > 1)].n", [2, 3]),
        ("$.items[*].t[0]", ["a"]),
        ("$..n", [2, 1, 2, 3]),
        ("$.items[(@.length-1)].n", 3),
        ("$['n','text']", {"n": 2, "text": "b"}),
        ("$$.Execution.Input.items[?(@.n > 1)].n", [2, 3]),
        ("$$.Execution.Input.items[0].t[0]", "a"),
        ("$$.Execution.Input..t", [["a"], []]),
        ("$$['Execution']['Input']['n','text']", {"n": 2, "text": "b"}),
        ("$$.State['Name']", "S"),
        ("$$.State.*", None),
        ("$$..Input.n", [2]),
        ("$held[?(@.n > 1)].n", [2, 3]),
        ("$held[(@.length-1)].n", 3),
        ("$held..t", [["a"], []]),
    ],
)
def test_parameters_and_intrinsics_take_every_path(compiled: Compiled, path: str, expected: Any) -> None:
    definition = machine(
        V=pass_(Assign={"held.$": "$.items"}),
        S=pass_(Parameters={"it.$": path, "in.$": f"States.Array({path})"}),
    )
    found = output(compiled(definition), DATA)
    if expected is not None:
        assert found == {"it": expected, "in": [expected]}
    else:
        assert type(found["it"]) is list
        assert "S" in found["it"]


def test_input_path_result_selector_and_output_path_take_every_path(compiled: Compiled) -> None:
    state = task("f", InputPath="$.items[*].n", ResultSelector={"most.$": "$[(@.length-1)]", "all.$": "$[?(@ > 1)]"}, OutputPath="$..most")
    assert output(compiled(machine(S=state), functions={"f": lambda event: [*event, 9]}), DATA) == [9]


def test_a_map_takes_every_path(compiled: Compiled) -> None:
    body = machine(P=pass_(Parameters={"n.$": "$.n", "all.$": "$.all"}))
    selector = {"n.$": "$$.Map.Item.Value.n", "all.$": "$.items[?(@.n > 2)].n"}
    found = output(compiled(machine(S=map_(body, ItemsPath="$.items[?(@.n > 1)]", ItemSelector=selector))), DATA)
    assert found == [{"n": 2, "all": [3]}, {"n": 3, "all": [3]}]
    tags = map_(machine(P=pass_(Parameters={"t.$": "$$.Map.Item.Value.t[*]", "p.$": "$$.Map.Item.Index"})), ItemsPath="$.items[0:1]")
    assert output(compiled(machine(S=tags)), DATA) == [{"t": ["a"], "p": 0}]
    assert output(compiled(machine(S=map_(machine(P=pass_()), ItemsPath="$$.Execution.Input.items[*].n"))), DATA) == [1, 2, 3]


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ({"Variable": "$.items[(@.length-1)].n", "NumericEquals": 3}, True),
        ({"Variable": "$.items[?(@.n > 5)]", "IsPresent": True}, True),  # an empty list is something
        ({"Variable": "$.items[0,9]", "IsPresent": True}, False),
        ({"Variable": "$.items[0,9]", "IsPresent": False}, True),
        ({"Variable": "$.n[1:]", "IsPresent": True}, False),
        ({"Variable": "$['n','text']", "IsPresent": True}, True),
        ({"Variable": "$.n['a','b']", "IsPresent": True}, False),
        ({"Variable": "$.items[?(@.n == 1)].n", "NumericEquals": 1}, False),  # a list is no number
        ({"Variable": "$.items[?(@.n == 1)].n", "IsNumeric": False}, True),
        ({"Variable": "$$.Execution.Input.items[1].n", "NumericEqualsPath": "$.n"}, True),
        ({"Variable": "$$.Execution.Input.items[*]", "IsPresent": True}, True),
        ({"Variable": "$$.Nothing[*].more", "IsPresent": True}, True),  # as $.missing[*]: an empty list
        ({"Variable": "$$.Nothing.more", "IsPresent": True}, False),
        ({"Variable": "$.n", "NumericEqualsPath": "$.items[(@.length-2)].n"}, True),
        ({"Variable": "$held[1:].n", "IsPresent": True}, True),
        ({"Variable": "$held[0].n", "NumericLessThanPath": "$held[1].n"}, True),
    ],
)
def test_a_choice_takes_every_path(compiled: Compiled, rule: dict[str, Any], holds: bool) -> None:
    states = {
        "V": pass_(Assign={"held.$": "$.items"}) | {"Next": "C"},
        "C": choice(rule | {"Next": "Yes"}, default="No"),
        "Yes": pass_(Result=True) | {"End": True},
        "No": pass_(Result=False) | {"End": True},
    }
    assert output(compiled({"StartAt": "V", "States": states}), DATA) is holds


def test_a_choice_fails_where_an_indefinite_path_fails(compiled: Compiled) -> None:
    rule = {"Variable": "$.n[1:]", "NumericEquals": 1, "Next": "Y"}
    error, cause = failure(compiled(machine(C=choice(rule, default="Y"), Y=pass_())), DATA)
    assert error == "States.Runtime"
    assert cause is not None
    assert cause.endswith("Invalid path '$.n[1:]': The choice state's condition path references an invalid value.")


def test_wait_and_fail_and_timeouts_take_paths_of_the_context_and_of_variables(compiled: Compiled) -> None:
    states = machine(
        V=pass_(Assign={"n.$": "$.items[0].n", "why": {"error": "E", "causes": ["c", "d"]}}),
        W={"Type": "Wait", "SecondsPath": "$n"},
        X={"Type": "Wait", "TimestampPath": "$$.Execution.Input.when"},
        T=task("f", TimeoutSecondsPath="$$.Execution.Input.n", ResultPath=None),
        F={"Type": "Fail", "ErrorPath": "$why.error", "CausePath": "$why.causes[(@.length-1)]"},
    )
    outcome = run(compiled(states, functions={"f": lambda event: 1}), DATA)
    assert (outcome.error, outcome.cause) == ("E", "d")


def test_a_failed_intrinsic_is_named_with_its_whole_call_where_that_is_clear(compiled: Compiled) -> None:
    once = {"a.$": "States.MathAdd(States.ArrayLength($.items), $.text)"}
    cause = failure(compiled(machine(S=pass_(Parameters=once))), DATA)[1] or ""
    assert ". The function 'States.MathAdd(States.ArrayLength($.items), $.text)' had the following error: a number is expected" in cause
    twice = {"a.$": "States.MathAdd($.n, 1)", "b.$": "States.MathAdd($.text, 1)"}
    cause = failure(compiled(machine(S=pass_(Parameters=twice))), DATA)[1] or ""
    assert ". The function 'States.MathAdd' had the following error: a number is expected" in cause
