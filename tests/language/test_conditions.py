"""The rules of a Choice state: every operator, every operand, every way to combine them."""

from __future__ import annotations

from typing import Any

import pytest

from express.language import conditions, load, paths
from express.language.model import And, Choice, Comparison, Condition, Literal, Not, Or
from tests.language.definitions import errors, machine, said, state

A, B = paths.parse("$.a"), paths.parse("$.b")


def choice(rule: Any) -> dict[str, Any]:
    rule = {**rule, "Next": "B"} if isinstance(rule, dict) and "Next" not in rule else rule
    return machine({"Type": "Choice", "Choices": [rule], "Default": "B"}, B={"Type": "Succeed"})


def condition(rule: dict[str, Any]) -> Condition:
    made = state(choice(rule))
    assert isinstance(made, Choice)
    return made.rules[0].condition


OPERANDS = {"a text": "x", "a number": 1.5, "true or false": False, "a timestamp such as 2016-03-14T01:59:00Z": "2016-03-14T01:59:00Z"}


def test_there_are_all_operators_of_the_states_language() -> None:
    assert len(conditions.OPERATORS) == 23
    assert len(conditions.WITH_PATH) == 16


@pytest.mark.parametrize(("operator", "operand"), [(name, OPERANDS[what]) for name, what in sorted(conditions.OPERATORS.items())])
def test_each_operator_takes_an_operand_of_its_type(operator: str, operand: Any) -> None:
    assert condition({"Variable": "$.a", operator: operand}) == Comparison(operator, A, Literal(operand))


@pytest.mark.parametrize(("operator", "wanted"), sorted(conditions.OPERATORS.items()))
def test_each_operator_refuses_an_operand_of_another_type(operator: str, wanted: str) -> None:
    for wrong, found in ((None, "null"), ([1], "an array"), (True, "true"), ("later", "'later'"), (7, "7")):
        if (wanted, found) in (("true or false", "true"), ("a text", "'later'"), ("a number", "7")):
            continue
        assert errors(choice({"Variable": "$.a", operator: wrong})) == [f"/States/A/Choices/0/{operator}: expected {wanted}, found {found}"]


@pytest.mark.parametrize("operator", sorted(conditions.WITH_PATH))
def test_the_path_form_compares_with_another_place(operator: str) -> None:
    assert condition({"Variable": "$.a", operator: "$.b"}) == Comparison(operator.removesuffix("Path"), A, B)


def test_conditions_are_combined() -> None:
    null, text = {"Variable": "$.a", "IsNull": True}, {"Variable": "$.b", "StringEquals": "x", "Comment": "c"}
    is_null, is_text = Comparison("IsNull", A, Literal(True)), Comparison("StringEquals", B, Literal("x"))
    assert condition({"And": [null, text], "Comment": "c"}) == And((is_null, is_text))
    assert condition({"Or": [null]}) == Or((is_null,))
    assert condition({"Not": {"And": [null, {"Not": text}]}}) == Not(And((is_null, Not(is_text))))


def test_the_context_object_may_be_compared() -> None:
    assert condition({"Variable": "$$.State.RetryCount", "NumericEquals": 0}).variable.root == "$$"  # type: ignore[union-attr]


HERE = "/States/A/Choices/0"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (5, [f"{HERE}: expected an object with a comparison and Next, found 5"]),
        (
            {},
            [f"{HERE}: a comparison is required but was missing: Variable with an operator, or And, Or, Not"],
        ),
        ({"Variable": "$.a"}, [f"{HERE}: a comparison operator such as StringEquals is required but was missing"]),
        ({"IsNull": True}, [f"{HERE}: The field 'Variable' is required but was missing"]),
        (
            {"Variable": "$.a", "IsNull": True, "StringEquals": "x"},
            [f"{HERE}: Only one comparison operator is allowed: [IsNull, StringEquals]"],
        ),
        (
            {"Variable": "$.a", "StringEqual": "x"},
            [
                (
                    f"{HERE}/StringEqual: Field is not supported: a rule of a Choice state has no field 'StringEqual' "
                    "(did you mean 'StringEquals'?)"
                ),
                f"{HERE}: a comparison operator such as StringEquals is required but was missing",
            ],
        ),
        (
            {"Variable": "a", "IsNull": True},
            [f"{HERE}/Variable: 'a' is not a valid JSONPath: a path begins with '$', found 'a' at character 1"],
        ),
        ({"Variable": None, "IsNull": True}, [f"{HERE}/Variable: expected a path such as $.order.total, found null"]),
        (
            {"Variable": "$.a", "StringEqualsPath": "$.b[*]"},
            [f"{HERE}/StringEqualsPath: expected a path to one value, '$.b[*]' may select several"],
        ),
        ({"Variable": "$.a", "StringEqualsPath": 5}, [f"{HERE}/StringEqualsPath: expected a path such as $.order.total, found 5"]),
        ({"And": []}, [f"{HERE}/And: expected an array of at least one comparison, found an empty array"]),
        ({"Or": {}}, [f"{HERE}/Or: expected an array of at least one comparison, found an object"]),
        ({"Not": []}, [f"{HERE}/Not: expected an object with a comparison, found an empty array"]),
        ({"And": [5]}, [f"{HERE}/And/0: expected an object with a comparison, found 5"]),
        (
            {"And": [{"Variable": "$.a", "IsNull": True}], "Or": []},
            [f"{HERE}: Only one of these fields is allowed: [And, Or]"],
        ),
        (
            {"Variable": "$.a", "IsNull": True, "Not": {}},
            [f"{HERE}: Only one of these fields is allowed: [Not, Variable, IsNull]"],
        ),
        (
            {"Not": {"Variable": "$.a", "IsNull": True, "Next": "B"}},
            [f"{HERE}/Not/Next: 'Next' belongs to the rule as a whole, not inside And, Or or Not"],
        ),
        (
            {"Condition": "{% true %}"},
            [
                f"{HERE}/Condition: 'Condition' needs the query language JSONata",
                f"{HERE}: a comparison is required but was missing: Variable with an operator, or And, Or, Not",
            ],
        ),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_with_its_place(rule: Any, expected: list[str]) -> None:
    assert errors(choice(rule)) == expected


def test_a_rule_without_next_and_choices_that_are_none() -> None:
    rule = {"Variable": "$.a", "IsNull": True}
    assert errors(machine({"Type": "Choice", "Choices": [rule], "Default": "B"}, B={"Type": "Succeed"})) == [
        f"{HERE}: The field 'Next' is required but was missing"
    ]
    for wrong, found in (([], "an empty array"), ({}, "an object"), (None, "null")):
        assert errors(machine({"Type": "Choice", "Choices": wrong, "Default": "B"}, B={"Type": "Succeed"})) == [
            f"/States/A/Choices: expected an array of at least one rule, found {found}"
        ]
    assert errors(machine({"Type": "Choice", "Default": "B"}, B={"Type": "Succeed"})) == [
        "/States/A: The field 'Choices' is required but was missing"
    ]


def test_a_path_as_operand_gets_the_operator_that_takes_paths() -> None:
    found = said(load(choice({"Variable": "$.a", "StringEquals": "$.b"})).problems, None)
    assert found == [f"{HERE}/StringEquals: the value looks like a path: use the operator 'StringEqualsPath' for it"]
