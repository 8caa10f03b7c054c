"""Small machines behind differences that random ones have shown: each failed once."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

import express
from express.testing import VirtualClock
from tests.reference import interpreter
from tests.reference.differential import same
from tests.reference.interpreter import Answer
from tests.reference.made_values import START

HALF = "x" * 150_000
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"

CASES: dict[str, tuple[dict[str, Any], Any, Answer]] = {
    "a path that only a rule behind the first reads, when the first decides": (
        {
            "StartAt": "Which",
            "States": {
                "Which": {
                    "Type": "Choice",
                    "Choices": [
                        {"Variable": "$.a", "IsString": True, "Next": "Take"},
                        {"Variable": "$.b", "StringGreaterThan": "a", "Next": "Take"},
                    ],
                },
                "Take": {"Type": "Pass", "Parameters": {"b.$": "$.b"}, "End": True},
            },
        },
        {"a": "text", "b": "b"},
        Answer(1),
    ),
    "a catcher gets the raw input, not the output that was too large": (
        {
            "StartAt": "Grow",
            "States": {
                "Grow": {
                    "Type": "Task",
                    "Resource": FUNCTION,
                    "ResultPath": "$.more",
                    "Catch": [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "End", "ResultPath": "$.caught"}],
                    "End": True,
                },
                "End": {"Type": "Succeed"},
            },
        },
        {"half": HALF},
        Answer(HALF),
    ),
    "a second attempt gets the raw input, not the output that was too large": (
        {
            "StartAt": "Grow",
            "States": {
                "Grow": {
                    "Type": "Task",
                    "Resource": FUNCTION,
                    "Parameters": {"seen.$": "$.seen"},
                    "ResultPath": "$.seen",
                    "Retry": [{"ErrorEquals": ["States.DataLimitExceeded"], "MaxAttempts": 1}],
                    "Catch": [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "End", "ResultPath": "$.caught"}],
                    "End": True,
                },
                "End": {"Type": "Pass", "Parameters": {"seen.$": "$.seen"}, "End": True},
            },
        },
        {"half": HALF, "seen": "nothing"},
        Answer(HALF),
    ),
    "an unretried task that fails after a retried one": (
        {
            "StartAt": "First",
            "States": {
                "First": {"Type": "Task", "Resource": FUNCTION, "ResultPath": None, "Retry": [{"ErrorEquals": ["A"]}], "Next": "Second"},
                "Second": {
                    "Type": "Task",
                    "Resource": FUNCTION,
                    "Parameters": {"fails.$": "States.ArrayGetItem($.list, 9)"},
                    "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Third"}],
                    "End": True,
                },
                "Third": {"Type": "Wait", "SecondsPath": "$.missing", "End": True},
            },
        },
        {"list": []},
        Answer(1),
    ),
    "Parameters fail before ResultPath does": (
        {"StartAt": "Both", "States": {"Both": {"Type": "Pass", "Parameters": {"a.$": "$.a"}, "ResultPath": "$.b", "End": True}}},
        None,
        Answer(1),
    ),
    "the time of entry in a state's Parameters": (
        {
            "StartAt": "Wait",
            "States": {
                "Wait": {"Type": "Wait", "Seconds": 7, "Next": "When"},
                "When": {"Type": "Pass", "Parameters": {"at.$": "$$.State.EnteredTime", "name.$": "$$.Execution.Name"}, "End": True},
            },
        },
        {},
        Answer(1),
    ),
    "what is undefined stays so in functions that replace the library's": (
        {
            "StartAt": "Pad",
            "QueryLanguage": "JSONata",
            "States": {
                "Pad": {
                    "Type": "Pass",
                    "Output": "{% {'p': $pad($states.input.no, 3), 'c': $exists($encodeUrl($states.input.no))} %}",
                    "End": True,
                }
            },
        },
        {},
        Answer(1),
    ),
    "URLs are encoded as JavaScript does": (
        {
            "StartAt": "Encode",
            "QueryLanguage": "JSONata",
            "States": {
                "Encode": {
                    "Type": "Pass",
                    "Output": [
                        "{% $encodeUrl($states.input) %}",
                        "{% $encodeUrlComponent($states.input) %}",
                        "{% $pad($states.input, 24, '#') %}",
                    ],
                    "End": True,
                }
            },
        },
        """a-b_c.d!e~f*g'h(i)"{}\\^`|<> é😀;,/?:@&=+$#[]%""",
        Answer(1),
    ),
    "in compares strictly, and a number is no text": (
        {
            "StartAt": "Ask",
            "QueryLanguage": "JSONata",
            "States": {
                "Ask": {
                    "Type": "Pass",
                    "Output": [
                        "{% false in [0] %}",
                        "{% 1 in [true, 1.0] %}",
                        "{% $states.input.o in [$states.input.o] %}",
                        "{% {'a': 1} in [{'a': 1}] %}",
                        "{% null in [$states.input.no, null] %}",
                    ],
                    "Next": "Fail",
                },
                "Fail": {"Type": "Pass", "Output": "{% $substring(7, 1) & 'x' %}", "End": True},
            },
        },
        {"o": {"a": 1}},
        Answer(1),
    ),
    "an indefinite path is present": (
        {
            "StartAt": "Which",
            "States": {
                "Which": {"Type": "Choice", "Choices": [{"Variable": "$.no[*]", "IsPresent": True, "Next": "Yes"}], "Default": "No"},
                "Yes": {"Type": "Pass", "Result": "yes", "End": True},
                "No": {"Type": "Pass", "Result": "no", "End": True},
            },
        },
        {},
        Answer(1),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_express_and_the_reference_agree_on(case: str) -> None:
    definition, data, answer = CASES[case]

    @express.function("f", run="inline")
    def function(event: Any) -> Any:
        return answer.value

    expected = interpreter.run(definition, data, lambda *_: answer, name="e", start=START)
    program = express.compile(definition, name="regression", functions={"f": function})
    outcome = program.run(data, clock=VirtualClock(START.timestamp()), name="e")
    assert (outcome.status, outcome.error) == (expected.status, expected.error), program.source
    assert outcome.status != "SUCCEEDED" or same(expected.output, outcome.output), program.source
    assert program.metrics is not None
    entered = Counter({name: program.metrics.entries(number) for number, (name, _) in enumerate(program.metrics.states)})
    assert +entered == expected.entered


def test_an_object_with_thousands_of_references_is_refused_without_being_written() -> None:
    many = {f"f{number}.$": "$" for number in range(5_000)}
    program = express.compile({"StartAt": "Many", "States": {"Many": {"Type": "Pass", "Parameters": many, "End": True}}})
    started = time.process_time()
    assert program.run({"half": HALF}).error == "States.DataLimitExceeded"  # 750 MB as text
    assert time.process_time() - started < 0.5


def test_a_deep_scan_may_select_more_than_there_is() -> None:
    data: dict[str, Any] = {"half": "x" * 2_000}
    for _ in range(50):
        data = {"a": data}
    scan = {"Type": "Pass", "Parameters": {"all.$": "$..a"}}
    program = express.compile({"StartAt": "One", "States": {"One": {**scan, "Next": "Two"}, "Two": {**scan, "End": True}}})
    assert program.run(data).error == "States.DataLimitExceeded"
