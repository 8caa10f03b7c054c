"""Assign: which variables a definition may set, where, and what is said about the others."""

from __future__ import annotations

from typing import Any

import pytest

from express.language import model
from tests.language.definitions import ending, errors, machine, state, task, workflow


def test_an_assign_is_a_template_for_each_variable() -> None:
    read = state(ending("Pass", Assign={"a": 1, "b.$": "$.x", "c": {"d.$": "$b.y", "e": []}, "f.$": "States.Format('{}', $a)"}))
    assert isinstance(read, model.Pass)
    assert [name for name, _ in read.assign] == ["a", "b", "c", "f"]
    values = dict(read.assign)
    assert values["a"] == model.Literal(1)
    assert values["b"] == model.Path("$", (model.Name("x"),), "$.x")
    assert isinstance(values["c"], model.ObjectTemplate)
    assert values["c"].fields[0] == ("d", model.Path("$b", (model.Name("y"),), "$b.y"))
    assert isinstance(values["f"], model.Call)


@pytest.mark.parametrize("kind", ["Pass", "Task", "Wait", "Parallel", "Map", "Choice"])
def test_every_state_that_goes_on_assigns(kind: str) -> None:
    inner = machine({"Type": "Pass", "End": True})
    inner["States"] = {f"{kind}In": inner["States"]["A"]}
    inner["StartAt"] = f"{kind}In"
    fields: dict[str, dict[str, Any]] = {
        "Task": {"Resource": "arn:aws:lambda:us-east-1:123456789012:function:charge"},
        "Wait": {"Seconds": 1},
        "Parallel": {"Branches": [inner]},
        "Map": {"ItemProcessor": inner},
        "Choice": {"Choices": [{"Variable": "$.a", "IsNull": True, "Next": "B", "Assign": {"x": 2}}], "Default": "B"},
    }
    definition = ending(kind, Assign={"x": 1}, **fields.get(kind, {}))
    if kind == "Choice":
        definition["States"]["B"] = {"Type": "Succeed"}
    read = state(definition)
    assert getattr(read, "assign") == (("x", model.Literal(1)),)  # noqa: B009
    if isinstance(read, model.Choice):
        assert read.rules[0].assign == (("x", model.Literal(2)),)


def test_a_catcher_assigns() -> None:
    read = state(task(Catch=[{"ErrorEquals": ["E"], "Next": "A", "Assign": {"why.$": "$.Cause"}}]))
    assert isinstance(read, model.Task)
    assert read.catch[0].assign == (("why", model.Path("$", (model.Name("Cause"),), "$.Cause")),)


@pytest.mark.parametrize("kind", ["Succeed", "Fail"])
def test_an_end_does_not_assign(kind: str) -> None:
    assert errors(ending(kind, Assign={"x": 1})) == [f"/States/A/Assign: Field is not supported: a {kind} state has no field 'Assign'"]


@pytest.mark.parametrize("name", ["x", "total2", "größe", "変数", "a_b", "x" * 80])
def test_a_name_is_an_identifier(name: str) -> None:
    assert errors(ending("Pass", Assign={name: 1})) == []


@pytest.mark.parametrize(
    ("assign", "expected"),
    [
        ({"states": 1}, "/states: the variable 'states' is reserved: it cannot be assigned"),
        ({"x.y": 1}, "/x.y: a variable's name is a letter followed by letters, digits or '_', found 'x.y'"),
        ({"x[0].$": "$"}, "/x[0].$: a variable's name is a letter followed by letters, digits or '_', found 'x[0]'"),
        ({"2x": 1}, "/2x: a variable's name is a letter followed by letters, digits or '_', found '2x'"),
        ({"": 1}, "/: a variable's name is a letter followed by letters, digits or '_', found ''"),
        ({"x" * 81: 1}, f"/{'x' * 81}: a variable's name has 1 to 80 characters, found one of 81"),
        ({"x": 1, "x.$": "$"}, ": The variable 'x' is given twice: as 'x' and as 'x.$'"),
        (["x"], ": expected an object with variables and their values, found an array"),
        ("x", ": expected an object with variables and their values, found 'x'"),
    ],
)
def test_what_is_no_variable_is_named(assign: Any, expected: str) -> None:
    assert errors(ending("Pass", Assign=assign)) == [f"/States/A/Assign{expected}"]


def test_a_bad_path_is_reported_at_its_assign() -> None:
    (found,) = errors(ending("Pass", Assign={"x.$": "$.["}))
    assert found.startswith("/States/A/Assign: The value for the field 'x.$' must be a valid JSONPath or a valid intrinsic function call")


def test_a_result_path_is_no_variable() -> None:
    assert errors(ending("Pass", ResultPath="$x")) == ["/States/A/ResultPath: Value is not a Reference Path: '$x' is a variable"]


# --- Scopes -----------------------------------------------------------------------------------------------------------------------


def scopes(outer: dict[str, Any], first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    def branch(name: str, assign: dict[str, Any]) -> dict[str, Any]:
        return {"StartAt": name, "States": {name: {"Type": "Pass", "Assign": assign, "End": True}}}

    fan = {"Type": "Parallel", "Branches": [branch("B", first), branch("C", second)], "Next": "D"}
    return machine(fan, D={"Type": "Pass", "Assign": outer, "End": True})


def test_an_inner_scope_cannot_assign_what_an_outer_one_assigns_wherever_that_is() -> None:
    assert errors(scopes({"x": 1, "y": 1}, {"x": 2, "z": 1}, {"y.$": "$"})) == [
        f"/States/A/Branches/{number}/States/{name}/Assign/{key}: the variable '{variable}' belongs to a scope around this one, "
        f"which assigns it at /States/D/Assign/{variable}"
        for number, name, key, variable in ((0, "B", "x", "x"), (1, "C", "y.$", "y"))
    ]


def test_scopes_beside_each_other_may_have_the_same_variable() -> None:
    assert errors(scopes({"x": 1}, {"y": 1}, {"y": 2})) == []


def test_the_scope_two_around_counts_too() -> None:
    inmost = {"StartAt": "C", "States": {"C": {"Type": "Pass", "Assign": {"x": 1}, "End": True}}}
    middle = {"StartAt": "B", "States": {"B": {"Type": "Map", "ItemProcessor": inmost, "End": True}}}
    definition = machine({"Type": "Map", "ItemProcessor": middle, "Assign": {"x": 1}, "End": True})
    place = "/States/A/ItemProcessor/States/B/ItemProcessor/States/C/Assign/x"
    assert errors(definition) == [f"{place}: the variable 'x' belongs to a scope around this one, which assigns it at /States/A/Assign/x"]


def test_a_machine_without_variables_has_none() -> None:
    assert all(state.assign == () for state in workflow(task()).states.values() if isinstance(state, model.Step))
