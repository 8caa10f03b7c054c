"""Variables at run time: what Assign sees, when it counts, who else sees it, and what the code for it looks like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import express
from tests.compiler.machines import choice, failure, machine, map_, output, pass_, task

Compiled = Callable[..., express.Program]


def show(**variables: str) -> dict[str, Any]:
    """A Pass that gives out variables: ``show(a="$a")``."""
    return pass_(Parameters={f"{name}.$": path for name, path in variables.items()})


# --- What $ is in Assign ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"n": 1, "deep": {"m": 2}}),
        ({"InputPath": "$.deep"}, {"m": 2}),
        ({"Parameters": {"p.$": "$.n"}}, {"p": 1}),
        ({"Parameters": {"p.$": "$.n"}, "ResultPath": "$.r"}, {"p": 1}),
        ({"Parameters": {"p.$": "$.n"}, "ResultPath": None}, {"p": 1}),
        ({"Result": {"r": [1]}}, {"r": [1]}),
        ({"Result": "text", "ResultPath": "$.r"}, "text"),
        ({"Result": None}, None),
        ({"Result": True}, True),
        ({"OutputPath": "$.n"}, {"n": 1, "deep": {"m": 2}}),
    ],
)
def test_in_a_pass_it_is_the_result(compiled: Compiled, fields: dict[str, Any], expected: Any) -> None:
    definition = machine(A=pass_(Assign={"x.$": "$"}, **fields), B=show(x="$x"))
    assert output(compiled(definition), {"n": 1, "deep": {"m": 2}}) == {"x": expected}


def test_in_a_task_it_is_the_raw_result(compiled: Compiled) -> None:
    state = task("charge", ResultSelector={"id.$": "$.id"}, ResultPath="$.r", OutputPath="$.r", Assign={"x.$": "$", "cost.$": "$.cost"})
    definition = machine(A=state, B=pass_(Parameters={"x.$": "$x", "cost.$": "$cost", "in.$": "$"}))
    program = compiled(definition, functions={"charge": lambda event: {"id": 7, "cost": 9}})
    assert output(program, {}) == {"x": {"id": 7, "cost": 9}, "cost": 9, "in": {"id": 7}}


def test_in_a_parallel_and_a_map_it_is_the_list_of_results(compiled: Compiled) -> None:
    definition = machine(
        A={"Type": "Parallel", "Branches": [machine(X=pass_(Result=1)), machine(Y=pass_(Result=2))], "Assign": {"two.$": "$[1]"}},
        B=map_(machine(Z=pass_()), Assign={"all.$": "$"}, ResultPath=None),
        C=show(two="$two", all="$all"),
    )
    assert output(compiled(definition), {}) == {"two": 2, "all": [1, 2]}


@pytest.mark.parametrize("state", [{"Type": "Wait", "Seconds": 5}, choice(default="B")], ids=["wait", "choice"])
def test_in_a_wait_and_a_choice_it_is_the_effective_input(compiled: Compiled, state: dict[str, Any]) -> None:
    if state["Type"] == "Choice":
        state = {**state, "Choices": [{"Variable": "$.never", "IsPresent": True, "Next": "B"}]}
    definition = machine(A={**state, "InputPath": "$.in", "OutputPath": "$.out", "Assign": {"x.$": "$.out"}}, B=show(x="$x", d="$"))
    assert output(compiled(definition), {"in": {"out": [1]}}) == {"x": [1], "d": [1]}


def test_in_a_catcher_it_is_the_error_output(compiled: Compiled) -> None:
    def charge(event: Any) -> Any:
        raise express.TaskError("Declined", "no money")

    catcher = {"ErrorEquals": ["Declined"], "Next": "B", "ResultPath": "$.e", "Assign": {"why.$": "$.Cause", "all.$": "$"}}
    definition = machine(A=task("charge", Catch=[catcher], Assign={"why": "none"}), B=show(why="$why", d="$", all="$all"))
    program = compiled(definition, functions={"charge": charge})
    error = {"Error": "Declined", "Cause": "no money"}
    assert output(program, {"n": 1}) == {"why": "no money", "d": {"n": 1, "e": error}, "all": error}


# --- When -------------------------------------------------------------------------------------------------------------------------


def test_all_of_an_assign_sees_the_old_values(compiled: Compiled) -> None:
    definition = machine(
        A=pass_(Assign={"x": 3, "a": 6}),
        B=pass_(Assign={"x.$": "$a", "next.$": "$x", "a.$": "States.MathAdd($x, $a)"}),
        C=show(x="$x", next="$next", a="$a"),
    )
    assert output(compiled(definition), {}) == {"x": 6, "next": 3, "a": 9}


@pytest.mark.parametrize(
    "state",
    [
        pass_(Parameters={"old.$": "$x"}, Assign={"x": "new"}),
        pass_(Assign={"x": "new"}, OutputPath="$pack"),
        pass_(InputPath="$pack", Assign={"pack": "new"}),
        {"Type": "Wait", "Seconds": 1, "Assign": {"pack": "new"}, "OutputPath": "$pack"},
        {**choice({"Variable": "$x", "StringEquals": "x", "Next": "End", "Assign": {"pack": "new"}}, default="End"), "OutputPath": "$pack"},
        task("echo", Parameters={"old.$": "$x"}, ResultSelector={"old.$": "$x"}, Assign={"x": "new"}),
        task("echo", Assign={"pack": "new"}, OutputPath="$pack"),
        task("echo", Assign={"pack": "new"}, OutputPath="$pack", Catch=[{"ErrorEquals": ["E"], "Next": "End"}]),
        task("echo", Assign={"pack": "new"}, OutputPath="$pack", Retry=[{"ErrorEquals": ["E"]}]),
    ],
)
def test_the_state_itself_still_sees_the_old_values(compiled: Compiled, state: dict[str, Any]) -> None:
    definition = machine(Begin=pass_(Assign={"x": "x", "pack": {"old": "x"}}), A=state, End=pass_())
    assert output(compiled(definition, functions={"echo": lambda event: event}), {}) == {"old": "x"}


def test_a_catcher_sees_the_values_from_before_a_state_that_failed_after_its_assign(compiled: Compiled) -> None:
    catcher = {"ErrorEquals": ["States.ALL"], "Next": "B", "ResultPath": None, "Assign": {"seen.$": "$x"}}
    state = task("echo", Assign={"x.$": "$.n"}, ResultPath="$.n.r", Catch=[catcher])  # a number has no field r
    definition = machine(A=pass_(Assign={"x": "old", "seen": "nothing"}), Call=state, B=show(x="$x", seen="$seen"))
    assert output(compiled(definition, functions={"echo": lambda event: event}), {"n": 1}) == {"x": "old", "seen": "old"}


def test_every_attempt_sees_the_old_values(compiled: Compiled) -> None:
    seen: list[Any] = []

    def flaky(event: Any) -> Any:
        seen.append(event["n"])
        if len(seen) < 3:
            raise express.TaskError("Again")
        return 1

    state = task("flaky", Parameters={"n.$": "$n"}, Assign={"n.$": "$"}, Retry=[{"ErrorEquals": ["Again"]}])
    assert output(compiled(machine(A=pass_(Assign={"n": 0}), B=state, C=show(n="$n")), functions={"flaky": flaky}), {}) == {"n": 1}
    assert seen == [0, 0, 0]


def test_a_choice_assigns_what_belongs_to_the_way_it_takes(compiled: Compiled) -> None:
    rules = [
        {"Variable": "$.n", "NumericEquals": 1, "Assign": {"way": "one"}, "Next": "B"},
        {"Variable": "$.n", "NumericEquals": 2, "Next": "B"},
        {"Variable": "$.n", "NumericEquals": 3, "Assign": {"way": "three"}, "Next": "B"},
    ]
    program = compiled(
        machine(Begin=pass_(Assign={"way": "-"}), A={**choice(*rules, default="B"), "Assign": {"way": "other"}}, B=show(way="$way"))
    )
    assert [output(program, {"n": number})["way"] for number in (1, 2, 3, 4)] == ["one", "-", "three", "other"]


def test_a_loop_counts(compiled: Compiled) -> None:
    definition = machine(
        Begin=pass_(Assign={"n": 0, "sum": 0}),
        More=choice({"Variable": "$n", "NumericLessThan": 10, "Next": "Add"}, default="End"),
        Add=pass_(Assign={"n.$": "States.MathAdd($n, 1)", "sum.$": "States.MathAdd($sum, $n)"}, Next="More"),
        End=show(n="$n", sum="$sum"),
    )
    assert output(compiled(definition), {}) == {"n": 10, "sum": 45}


# --- Where a variable can be read -------------------------------------------------------------------------------------------------


def test_a_variable_is_the_root_of_a_path_wherever_a_path_may_be(compiled: Compiled) -> None:
    definition = machine(
        Begin=pass_(Assign={"v": {"list": [{"n": 1}, {"n": 2}], "text": "t", "one": 1, "at": "2020-01-01T00:00:00Z"}}),
        In=pass_(InputPath="$v", ResultPath="$.in"),
        Wait={"Type": "Wait", "SecondsPath": "$v.one"},
        Until={"Type": "Wait", "TimestampPath": "$v.at"},
        Each=map_(
            machine(Item=pass_(Parameters={"n.$": "$.n", "t.$": "$v.text"})),
            ItemsPath="$v.list",
            ItemSelector={"n.$": "$$.Map.Item.Value.n"},
            MaxConcurrencyPath="$v.one",
            ResultPath="$.items",
        ),
        Call=task(
            "echo",
            Parameters={"all.$": "$v.list[*].n", "text.$": "States.Format('{}!', $v.text)"},
            TimeoutSecondsPath="$v.one",
            ResultPath="$.called",
        ),
        Out=pass_(Parameters={"items.$": "$.items", "called.$": "$.called", "in.$": "$.in.text", "deep.$": "$v..n"}, ResultPath="$.out"),
        End=pass_(OutputPath="$.out"),
    )
    assert output(compiled(definition, functions={"echo": lambda event: event}), {}) == {
        "items": [{"n": 1, "t": "t"}, {"n": 2, "t": "t"}],
        "called": {"all": [1, 2], "text": "t!"},
        "in": "t",
        "deep": [1, 2],
    }


def test_a_variable_is_compared_with_values_paths_and_variables(compiled: Compiled) -> None:
    rules = [
        {"Variable": "$n", "NumericGreaterThan": 100, "Next": "Wrong"},
        {
            "And": [
                {"Variable": "$n", "NumericGreaterThan": 2},
                {"Variable": "$n", "NumericLessThan": 4},
                {"Variable": "$o.m", "NumericEqualsPath": "$n"},
            ],
            "Next": "Right",
        },
    ]
    definition = machine(
        Begin=pass_(Assign={"n": 3, "o": {"m": 3}}),
        Ask=choice(*rules, default="Wrong"),
        Right=pass_(Result="right", Next="End"),
        Wrong=pass_(Result="wrong"),
        End=pass_(),
    )
    assert output(compiled(definition), {}) == "right"


def test_error_and_cause_come_from_variables(compiled: Compiled) -> None:
    definition = machine(
        A=pass_(Assign={"e": "Broken", "c": {"why": "rust"}}), B={"Type": "Fail", "ErrorPath": "$e", "CausePath": "$c.why"}
    )
    assert failure(compiled(definition), {}) == ("Broken", "rust")


# --- Scopes -----------------------------------------------------------------------------------------------------------------------


def test_branches_and_iterations_read_what_is_around_them_and_keep_their_own(compiled: Compiled) -> None:
    def body(name: str) -> dict[str, Any]:
        assign = pass_(Assign={"own.$": "States.Format('{}-{}', $outer, $)"})
        return {
            "StartAt": f"{name}1",
            "States": {f"{name}1": {**assign, "Next": f"{name}2"}, f"{name}2": {**show(own="$own", outer="$outer"), "End": True}},
        }

    definition = machine(
        Begin=pass_(Assign={"outer": "o"}),
        Fan={"Type": "Parallel", "Branches": [body("A"), body("B")], "ResultPath": "$.fan", "InputPath": "$.t"},
        Each=map_(body("C"), ItemsPath="$.list", ResultPath="$.each"),
        End=pass_(Parameters={"fan.$": "$.fan[*].own", "each.$": "$.each[*].own"}),
    )
    assert output(compiled(definition), {"t": "t", "list": [1, 2]}) == {"fan": ["o-t", "o-t"], "each": ["o-1", "o-2"]}


def test_a_scope_two_around_is_read_too(compiled: Compiled) -> None:
    inmost = machine(C=show(a="$a", b="$b"))
    middle = machine(B=pass_(Assign={"b.$": "$"}, Result=2), B2=map_(inmost, ItemsPath="$a"))
    assert output(compiled(machine(A=pass_(Assign={"a": [1]}), M=map_(middle, ItemsPath="$a"))), {}) == [[{"a": [1], "b": 2}]]


# --- Without a value --------------------------------------------------------------------------------------------------------------


def test_a_variable_that_this_way_did_not_set_fails_where_it_is_read(compiled: Compiled) -> None:
    definition = machine(
        Ask={**choice({"Variable": "$.set", "BooleanEquals": True, "Assign": {"x": 1}, "Next": "Read"}, default="Read")}, Read=show(x="$x")
    )
    program = compiled(definition)
    assert output(program, {"set": True}) == {"x": 1}
    error, cause = failure(program, {"set": False})
    assert error == "States.Runtime"
    assert cause is not None
    assert cause.endswith("The variable '$x' that the field 'x.$' reads has no value.")


@pytest.mark.parametrize("path", ["$x", "$x.a", "$x[0]", "$x..a", "$x[*]"])
def test_a_variable_that_nobody_sets_fails_where_it_is_read(compiled: Compiled, path: str) -> None:
    error, cause = failure(compiled(machine(A=show(x=path))), {})
    assert error == "States.Runtime"
    assert cause is not None
    assert cause.endswith("The variable '$x' that the field 'x.$' reads has no value.")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("constant", [True, 1, "text", []])
def test_a_path_into_a_constant_result_is_named(compiled: Compiled, constant: Any) -> None:
    error, cause = failure(compiled(machine(A=pass_(Result=constant, Assign={"x.$": "$.a"}))), {})
    assert error == "States.Runtime"
    assert cause is not None
    assert "'$.a'" in cause


def test_a_path_that_a_variable_does_not_have_is_named(compiled: Compiled) -> None:
    error, cause = failure(compiled(machine(A=pass_(Assign={"x": {"a": 1}}), B=show(y="$x.b"))), {})
    assert error == "States.Runtime"
    assert cause is not None
    assert cause.endswith("""The JSONPath '$x.b' specified for the field 'y.$' could not be found in the input '{"a":1}'""")


@pytest.mark.parametrize(("path", "present"), [("$x", False), ("$x.a", False), ("$y", True), ("$y.a", True), ("$y.b", False)])
def test_is_present_asks_whether_a_variable_has_a_value(compiled: Compiled, path: str, present: bool) -> None:
    ask = choice({"Variable": path, "IsPresent": True, "Next": "Yes"}, default="No")
    definition = machine(A=pass_(Assign={"y": {"a": 1}}), Ask=ask, Yes=pass_(Result=True, Next="Z"), No=pass_(Result=False), Z=pass_())
    assert output(compiled(definition), {}) is present


# --- Values -----------------------------------------------------------------------------------------------------------------------


def test_what_a_function_or_a_later_state_does_to_its_data_is_not_seen_in_a_variable(compiled: Compiled) -> None:
    def spoil(event: Any) -> Any:
        event["list"].append("spoilt")
        return event

    definition = machine(
        A=pass_(Parameters={"list.$": "$.list"}, Assign={"whole.$": "$", "part.$": "$.list"}),
        B=pass_(Result="more", ResultPath="$.more"),
        C=task("spoil"),
        D=pass_(Parameters={"whole.$": "$whole", "part.$": "$part", "spoilt.$": "$.list"}),
    )
    program = compiled(definition, functions={"spoil": spoil})
    assert output(program, {"list": [1]}) == {"whole": {"list": [1]}, "part": [1], "spoilt": [1, "spoilt"]}


def test_a_variable_that_a_function_is_given_stays_as_it_is(compiled: Compiled) -> None:
    def spoil(event: Any) -> Any:
        event["v"].append("spoilt")
        return event

    definition = machine(A=pass_(Assign={"v": [1]}), B=task("spoil", Parameters={"v.$": "$v"}), C=show(v="$v"))
    program = compiled(definition, functions={"spoil": spoil})
    assert [output(program, {}) for _ in range(2)] == [{"v": [1]}] * 2


def test_variables_of_one_assign_are_together_no_larger_than_a_payload(compiled: Compiled) -> None:
    program = compiled(machine(A=pass_(Assign={"x.$": "$.t", "y.$": "$.t"}), B=pass_(Result=1)))
    assert output(program, {"t": "x" * 100_000}) == 1
    assert failure(program, {"t": "x" * 150_000})[0] == "States.DataLimitExceeded"


# --- The code ---------------------------------------------------------------------------------------------------------------------


def source(**states: dict[str, Any]) -> str:
    return express.compile(machine(**states), metrics=False).source


def test_a_variable_is_a_local() -> None:
    text = source(A=pass_(Assign={"orderTotal.$": "$.total", "count": 0}), B=show(t="$orderTotal", c="$count"))
    assert '        order_total = data["total"]\n        count = 0\n' in text
    assert 'data = {"t": order_total, "c": count}' in text
    assert "UNSET" not in text


def test_a_variable_that_is_always_set_costs_no_test_and_one_that_may_not_be_does() -> None:
    ask = choice({"Variable": "$.a", "IsPresent": True, "Assign": {"x": 1}, "Next": "C"}, default="C")
    text = source(A=pass_(Assign={"y": 2}), B=ask, C=show(x="$x", y="$y"))
    assert 'data = {"x": assigned(x), "y": y}' in text
    assert "    x = UNSET\n" in text


@pytest.mark.parametrize(
    "name", ["data", "execution", "error", "copy", "str", "class", "lambda", "None_", "failure", "UNSET", "__import__"]
)
def test_a_variable_named_like_something_of_the_code_is_something_else(compiled: Compiled, name: str) -> None:
    definition = machine(A=pass_(Assign={name: 1}), B=map_(machine(C=pass_(Parameters={"v.$": f"${name}"})), ItemsPath="$.l"))
    assert output(compiled(definition), {"l": [1]}) == [{"v": 1}]
