"""Conditions, waits and resources in the few words that a picture has room for."""

from __future__ import annotations

from typing import Any

import pytest

from express.drawing import wording
from express.language.model import Choice
from express.language.transitions import transitions
from tests.drawing.machines import ARN, load, task

CONDITIONS: list[tuple[dict[str, Any], str]] = [
    ({"Variable": "$.a", "NumericGreaterThan": 5}, "$.a > 5"),
    ({"Variable": "$.a", "StringEquals": "x"}, '$.a = "x"'),
    ({"Variable": "$.a", "StringLessThanEqualsPath": "$.b"}, "$.a <= $.b"),
    ({"Variable": "$.a", "StringMatches": "x*"}, '$.a matches "x*"'),
    ({"Variable": "$.a", "BooleanEquals": True}, "$.a = true"),
    ({"Variable": "$.a", "IsPresent": True}, "$.a is there"),
    ({"Variable": "$.a", "IsNull": False}, "not $.a is null"),
    ({"Not": {"Variable": "$.a", "IsNumeric": True}}, "not $.a is a number"),
    (
        {
            "And": [
                {"Variable": "$.a", "IsPresent": True},
                {"Or": [{"Variable": "$.b", "IsNull": True}, {"Variable": "$.c", "IsNull": True}]},
            ]
        },
        "$.a is there and ($.b is null or $.c is null)",
    ),
    ({"Not": {"And": [{"Variable": "$.a", "IsPresent": True}, {"Variable": "$.b", "IsNull": True}]}}, "not ($.a is there and $.b is null)"),
]


@pytest.mark.parametrize(("rule", "words"), CONDITIONS)
def test_a_condition_reads_as_people_write_it(rule: dict[str, Any], words: str) -> None:
    workflow = load({"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [{**rule, "Next": "B"}]}, "B": {"Type": "Succeed"}}})
    state = workflow.states["A"]
    assert isinstance(state, Choice)
    assert [wording.label(each) for each in transitions(state)] == [words]


def test_conditions_and_fields_in_jsonata_are_shown_as_they_are() -> None:
    workflow = load(
        {
            "QueryLanguage": "JSONata",
            "StartAt": "A",
            "States": {
                "A": {"Type": "Choice", "Choices": [{"Condition": "{% $states.input.n > 5 %}", "Next": "B"}], "Default": "M"},
                "B": {"Type": "Wait", "Seconds": "{% $states.input.n %}", "Next": "C"},
                "C": {"Type": "Fail", "Error": "{% $states.input.e %}"},
                "M": {
                    "Type": "Map",
                    "Items": "{% $states.input.all %}",
                    "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}},
                    "End": True,
                },
            },
        }
    )
    assert [wording.label(each) for each in transitions(workflow.states["A"])] == ["$states.input.n > 5", "otherwise"]
    assert [wording.detail(workflow.states[name]) for name in "BCM"] == [
        "Wait $states.input.n seconds",
        "Fail $states.input.e",
        "Map over $states.input.all",
    ]


DETAILS: list[tuple[dict[str, Any], str]] = [
    (task("price"), "Task price"),
    ({"Type": "Task", "Resource": f"{ARN}:price:live", "End": True}, "Task price"),
    ({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": f"{ARN}:p"}, "End": True}, "Task p"),
    ({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}, "Task sqs:sendMessage"),
    ({"Type": "Wait", "Seconds": 5, "End": True}, "Wait 5 s"),
    ({"Type": "Wait", "SecondsPath": "$.s", "End": True}, "Wait $.s seconds"),
    ({"Type": "Wait", "Timestamp": "2026-01-01T00:00:00Z", "End": True}, 'Wait until "2026-01-01T00:00:00Z"'),
    ({"Type": "Fail", "Error": "E"}, "Fail E"),
    ({"Type": "Fail"}, "Fail"),
    ({"Type": "Succeed"}, "Succeed"),
]


@pytest.mark.parametrize(("state", "words"), DETAILS)
def test_the_line_below_a_name_says_what_the_state_is_about(state: dict[str, Any], words: str) -> None:
    assert wording.detail(load({"StartAt": "A", "States": {"A": state}}).states["A"]) == words


def test_caught_errors_are_named() -> None:
    catch = [{"ErrorEquals": ["A", "B"], "Next": "C"}, {"ErrorEquals": ["States.ALL"], "Next": "C"}]
    workflow = load({"StartAt": "A", "States": {"A": task("a", Catch=catch), "C": {"Type": "Succeed"}}})
    assert [wording.label(each) for each in transitions(workflow.states["A"])] == ["A, B", "any error"]
