"""``$$`` in real programs: every state sees its own, wherever and however it asks."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import express


def choice(condition: dict[str, Any], *, default: str = "No") -> dict[str, Any]:
    return {"Type": "Choice", "Choices": [{**condition, "Next": "Yes"}], "Default": default}


def asking(condition: dict[str, Any]) -> dict[str, Any]:
    """A workflow whose output is whether ``condition`` holds in its only Choice."""
    answers = {name: {"Type": "Pass", "Result": name == "Yes", "End": True} for name in ("Yes", "No")}
    return {"StartAt": "Ask", "States": {"Ask": choice(condition), **answers}}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"Variable": "$$.State.Name", "IsNull": True}, False),
        ({"Variable": "$$.State.Name", "BooleanEquals": True}, False),
        ({"Variable": "$$.State.Name", "StringEquals": "Ask"}, True),
        ({"Variable": "$$.State.RetryCount", "IsNumeric": True}, True),
        ({"Variable": "$$.State.RetryCount", "NumericEquals": 0}, True),
        ({"Variable": "$$", "IsString": True}, False),
        ({"Variable": "$$", "NumericLessThan": 1}, False),
        ({"And": [{"Variable": "$$.State.Name", "IsString": True}, {"Variable": "$$.State.RetryCount", "NumericEquals": 0}]}, True),
    ],
)
def test_a_choice_looks_at_the_context_object(condition: dict[str, Any], expected: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a literal with `is` is a warning of Python's
        assert express.compile(asking(condition)).run({}).output is expected


def test_a_choice_does_not_take_the_name_of_the_one_before_it_for_its_own() -> None:
    first = {"And": [{"Variable": "$$.State.Name", "StringGreaterThan": "0"}, {"Variable": "$$.State.Name", "StringEquals": "First"}]}
    workflow = asking(first)
    workflow["StartAt"] = "First"
    workflow["States"]["First"] = {"Type": "Choice", "Choices": [{**first, "Next": "Ask"}], "Default": "No"}
    assert express.compile(workflow).run({}).output is False


def test_inside_a_map_the_item_is_present() -> None:
    workflow = {"StartAt": "Each", "States": {"Each": {"Type": "Map", "End": True}}}
    workflow["States"]["Each"]["ItemProcessor"] = asking({"Variable": "$$.Map.Item.Index", "IsPresent": True})  # type: ignore[index]
    assert express.compile(workflow).run([1, 2]).output == [True, True]


@pytest.mark.parametrize("path", ["$$.*", "$$..Input", "$$.Execution['Input','Name']", "$$.Execution.Input", "$$.Execution", "$$"])
def test_the_executions_input_is_what_came_in_even_if_a_function_changes_its_event(path: str) -> None:
    workflow = {
        "StartAt": "Change",
        "States": {
            "Change": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:change", "Next": "Show"},
            "Show": {"Type": "Pass", "Parameters": {"shown.$": path}, "End": True},
        },
    }
    change = express.function("change", run="inline")(lambda event: event["list"].append("changed"))
    outcome = express.compile(workflow, functions={"change": change}).run({"list": []})
    assert outcome.status == "SUCCEEDED"
    assert "changed" not in repr(outcome.output)


def test_the_time_of_entry_is_there_for_a_wildcard_too() -> None:
    workflow = {"StartAt": "Show", "States": {"Show": {"Type": "Pass", "Parameters": {"shown.$": "$$.State.*"}, "End": True}}}
    entered, name = express.compile(workflow).run({}).output["shown"]  # a Pass has no RetryCount, as recorded on AWS
    assert (entered[4], name) == ("-", "Show")
