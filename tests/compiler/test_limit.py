"""The 256 KiB limit wherever data can grow: also where a path selects the same thing more than once, or something other than the data."""

from __future__ import annotations

from typing import Any

import pytest

import express

LIMIT = 262_144
DEEP = {"a": {"a": {"a": {"a": "x" * 100_000}}}}


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        ({"InputPath": "$$"}, {"a": "x" * (LIMIT - 8)}),
        ({"InputPath": "$..a"}, DEEP),
        ({"InputPath": "$..a", "ResultPath": "$.r"}, DEEP),
        ({"InputPath": "$..a", "Parameters": {"all.$": "$"}}, DEEP),
        ({"InputPath": "$[0,0,0]"}, ["x" * 100_000]),
        ({"OutputPath": "$..a"}, DEEP),
        ({"OutputPath": "$$"}, {"a": "x" * (LIMIT - 8)}),
    ],
)
def test_the_output_of_a_pass_is_measured_whatever_its_input_was(fields: dict[str, Any], event: Any) -> None:
    workflow = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", **fields, "End": True}}}
    assert express.compile(workflow).run(event).error == "States.DataLimitExceeded"


def test_a_choice_that_finds_no_way_comes_after_an_output_that_was_too_large() -> None:
    states = {
        "Twice": {"Type": "Pass", "Parameters": {"one.$": "$.x", "other.$": "$.x"}, "Next": "Ask"},
        "Ask": {"Type": "Choice", "Choices": [{"Variable": "$.one", "IsNull": True, "Next": "End"}]},
        "End": {"Type": "Succeed"},
    }
    program = express.compile({"StartAt": "Twice", "States": states})
    assert program.run({"x": "x" * 100_000}).error == "States.NoChoiceMatched"
    assert program.run({"x": "x" * 200_000}).error == "States.DataLimitExceeded"
