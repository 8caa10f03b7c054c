"""A folder with a workflow that waits, retries, catches, branches and maps; and a way to run one case of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest

from express.testcases import Result, collect

ARN = "arn:aws:lambda:us-east-1:000000000000:function"
ORDER = {
    "StartAt": "HasItems",
    "States": {
        "HasItems": {"Type": "Choice", "Choices": [{"Variable": "$.items[0]", "IsPresent": True, "Next": "Price"}], "Default": "Empty"},
        "Empty": {"Type": "Fail", "Error": "Empty", "Cause": "an order without items"},
        "Price": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": {
                "StartAt": "Known",
                "States": {
                    "Known": {
                        "Type": "Choice",
                        "Choices": [{"Variable": "$.sku", "StringMatches": "s*", "Next": "Ask"}],
                        "Default": "Unknown",
                    },
                    "Ask": {"Type": "Task", "Resource": f"{ARN}:ask", "End": True},
                    "Unknown": {"Type": "Pass", "Result": 0, "End": True},
                },
            },
            "ResultPath": "$.prices",
            "Next": "Charge",
        },
        "Charge": {
            "Type": "Task",
            "Resource": f"{ARN}:charge",
            "TimeoutSeconds": 5,
            "Parameters": {"prices.$": "$.prices"},
            "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 10, "MaxAttempts": 2, "BackoffRate": 2}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.problem", "Next": "Cancel"}],
            "ResultPath": "$.receipt",
            "Next": "Tell",
        },
        "Cancel": {"Type": "Wait", "Seconds": 60, "Next": "Refused"},
        "Refused": {"Type": "Fail", "ErrorPath": "$.problem.Error", "CausePath": "$.problem.Cause"},
        "Tell": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Mail", "States": {"Mail": {"Type": "Task", "Resource": f"{ARN}:mail", "End": True}}},
                {"StartAt": "Log", "States": {"Log": {"Type": "Pass", "Result": "logged", "End": True}}},
            ],
            "ResultPath": "$.told",
            "End": True,
        },
    },
}
FUNCTIONS = """
import express


@express.function("ask", run="inline")
def ask(event, context):
    return len(event["sku"])


@express.function("charge")
def charge(event):
    raise express.TaskError("Declined", "no money")


@express.function("mail")
async def mail(event):
    return "mailed"
"""

RunCase = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "order.asl.json").write_text(json.dumps(ORDER))
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    return tmp_path


@pytest.fixture
def run_case(folder: Path) -> RunCase:
    """Runs the one case whose fields are given as YAML; ``top`` are fields of the file."""

    def run(case: str, top: str = "") -> Result:
        (folder / "order.test.yaml").write_text(f"{dedent(top)}\ncases:\n  the case:\n{indent(dedent(case), '    ')}\n")
        (found,) = collect(folder)
        return found.run()

    return run
