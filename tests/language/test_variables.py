"""Assign: which variables a definition may set, where, and what is said about the others."""

from __future__ import annotations

from typing import Any

import pytest

from express.language import load, model
from tests.language.definitions import ending, errors, machine, said, state, task, workflow


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
    assert [problem.severity for problem in load(ending("Pass", ResultPath="$x")).problems] == ["ERROR"], "and nothing of its value"


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


# --- What nobody assigns ----------------------------------------------------------------------------------------------------------


def unknown(definition: dict[str, Any]) -> list[str]:
    return said([problem for problem in load(definition).problems if problem.code == "UNDEFINED_VARIABLE"], "WARNING")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"InputPath": "$x"}, "InputPath"),
        ({"Parameters": {"a": {"b.$": "$x.c[0]"}}}, "Parameters/a/b.$"),
        ({"Parameters": {"b.$": "States.Format('{}', States.Array($x, $))"}}, "Parameters/b.$"),
        ({"Assign": {"y.$": "$x"}}, "Assign/y.$"),
        ({"Parameters": {"States": {"B": {"b.$": "$x"}}}}, "Parameters/States/B/b.$"),
    ],
)
def test_a_variable_that_no_state_assigns_is_a_warning_where_it_is_read(fields: dict[str, Any], place: str) -> None:
    reader = ending("Pass", **fields)
    (line,) = unknown(reader)
    assert line.startswith("/States/A/")
    assert place.rpartition("/")[0] in line
    assert line.endswith(": no state assigns the variable '$x'")
    assert unknown({"StartAt": "S", "States": {"S": {"Type": "Pass", "Assign": {"x": 1}, "Next": "A"}, **reader["States"]}}) == []


def test_a_choice_reads_variables_too() -> None:
    choice = {"Type": "Choice", "Choices": [{"Variable": "$x", "NumericEqualsPath": "$y", "Next": "B"}], "Default": "B"}
    assert unknown(machine(choice, B={"Type": "Succeed"})) == [
        "/States/A/Choices/0/Variable: no state assigns the variable '$x'",
        "/States/A/Choices/0/NumericEqualsPath: no state assigns the variable '$y'",
    ]


@pytest.mark.parametrize("assigning", ["state", "rule", "catcher"])
def test_whoever_assigns_it_in_the_same_machine_counts(assigning: str) -> None:
    assign = {"Assign": {"x": 1}}
    rule = {"Variable": "$.a", "IsNull": True, "Next": "C", **(assign if assigning == "rule" else {})}
    catcher = {"ErrorEquals": ["E"], "Next": "C", **(assign if assigning == "catcher" else {})}
    states = {
        "A": {"Type": "Choice", "Choices": [rule], "Default": "B"},
        "B": {**task()["States"]["A"], "Catch": [catcher], "Next": "C", **(assign if assigning == "state" else {})},
        "C": {"Type": "Pass", "InputPath": "$x", "Next": "D"},
        "D": {"Type": "Pass", "End": True},
    }
    del states["B"]["End"]
    assert unknown({"StartAt": "A", "States": states}) == []


def chain(**reading: Any) -> dict[str, Any]:
    """A reads, B assigns x, C decides whether to go back to A."""
    return {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Next": "B", **reading},
            "B": {"Type": "Pass", "Assign": {"x": 1}, "Next": "C"},
            "C": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "D"}], "Default": "D"},
            "D": {"Type": "Pass", "End": True},
        },
    }


LATE = "no state that assigns the variable '$x' can have come before: /States/B/Assign/x comes later"


def test_a_variable_that_only_later_states_assign_is_a_warning() -> None:
    assert unknown(chain(InputPath="$x")) == [f"/States/A/InputPath: {LATE}"]
    inside = {"StartAt": "I", "States": {"I": {"Type": "Pass", "InputPath": "$x", "End": True}}}
    assert unknown(chain(Type="Map", ItemProcessor=inside)) == [f"/States/A/ItemProcessor/States/I/InputPath: {LATE}"]
    assert unknown(chain(QueryLanguage="JSONata", Output={"a": "{% $x %}"})) == [f"/States/A/Output/a: {LATE}"]


def test_a_loop_lets_a_later_state_come_before() -> None:
    looping = chain(InputPath="$x")
    looping["States"]["C"]["Default"] = "A"
    assert unknown(looping) == []


def test_a_state_does_not_see_what_it_assigns_itself() -> None:
    own = chain()
    own["States"]["B"]["InputPath"] = "$x"
    assert unknown(own) == [f"/States/B/InputPath: {LATE}"]
    own["States"]["C"]["Default"] = "B"
    assert unknown(own) == []


def test_one_way_on_which_it_is_assigned_is_enough() -> None:
    states = {
        "A": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "B"}], "Default": "C"},
        "B": {"Type": "Pass", "Assign": {"x": 1}, "Next": "C"},
        "C": {"Type": "Pass", "InputPath": "$x", "End": True},
    }
    assert unknown({"StartAt": "A", "States": states}) == []


def test_an_inner_machine_sees_what_is_around_it_and_not_the_other_way_round() -> None:
    def fan(inner: dict[str, Any], after: dict[str, Any], **fields: Any) -> dict[str, Any]:
        branch = {"StartAt": "B", "States": {"B": {"Type": "Pass", "End": True, **inner}}}
        parallel = {"Type": "Parallel", "Branches": [branch], "Next": "C", **fields}
        return machine(parallel, C={"Type": "Pass", "End": True, **after})

    around = fan({"InputPath": "$x"}, {})
    first = {"S": {"Type": "Pass", "Assign": {"x": 1}, "Next": "A"}}
    assert unknown({"StartAt": "S", "States": {**first, **around["States"]}}) == []
    assert unknown(fan({"Assign": {"x": 1}}, {"InputPath": "$x"})) == [
        (
            "/States/C/InputPath: no state assigns the variable '$x'"
            " (the one that /States/A/Branches/0/States/B/Assign/x assigns ends with its Map or Parallel state)"
        )
    ]


def test_a_misspelt_variable_is_told_the_name() -> None:
    states = {"A": {"Type": "Pass", "Assign": {"total": 1}, "Next": "B"}, "B": {"Type": "Pass", "InputPath": "$totl", "End": True}}
    assert unknown({"StartAt": "A", "States": states}) == [
        "/States/B/InputPath: no state assigns the variable '$totl' (did you mean 'total'?)"
    ]


@pytest.mark.parametrize(
    ("expression", "said_of_it"),
    [
        ("$x", ["no state assigns the variable '$x'"]),
        ("$x.a[$y > 1]", ["no state assigns the variable '$x'", "no state assigns the variable '$y'"]),
        ("($x := 1; $x + $sum([1, 2]))", []),
        ("$map($states.input, function($v) { $v })", []),
        ("$known", []),
    ],
)
def test_jsonata_reads_variables_too(expression: str, said_of_it: list[str]) -> None:
    reader = {"Type": "Pass", "Output": f"{{% {expression} %}}", "End": True}
    definition = {"QueryLanguage": "JSONata", **machine({"Type": "Pass", "Assign": {"known": 1}, "Next": "B"}, B=reader)}
    assert unknown(definition) == [f"/States/B/Output: {each}" for each in said_of_it]


@pytest.mark.parametrize("text", [" {% 1 %}", "a {% 1 %}", "{% 1 %} ", "{% 1 %} a", " {% 1 %} "])
def test_what_looks_like_jsonata_is_a_text_only_with_blanks_at_both_ends(text: str) -> None:
    problems = load({"QueryLanguage": "JSONata", **ending("Pass", Output=text)}).problems
    whole = text.startswith(" ") and text.endswith(" ")
    assert [(problem.severity, problem.code) for problem in problems] == [
        ("WARNING", "JSONATA_IS_TEXT") if whole else ("ERROR", "SCHEMA_VALIDATION_FAILED")
    ]


@pytest.mark.parametrize(("call", "near"), [("$summ([1])", " (did you mean 'sum'?)"), ("$states.input ~> $nothing", "")])
def test_a_function_that_does_not_exist_is_a_warning(call: str, near: str) -> None:
    problems = load({"QueryLanguage": "JSONata", **ending("Pass", Output=f"{{% {call} %}}")}).problems
    assert [problem.code for problem in problems] == ["UNKNOWN_FUNCTION"]
    name = call[1:].partition("(")[0] if "~>" not in call else "nothing"
    assert said(problems, "WARNING") == [f"/States/A/Output: there is no function '${name}'{near}: the state fails when it is reached"]
