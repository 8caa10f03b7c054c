"""A folder with a workflow, its functions and its events, as users have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ORDERS = {
    "StartAt": "HasTotal",
    "States": {
        "HasTotal": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.total", "NumericGreaterThan": 0, "Next": "Price"}],
            "Default": "Empty",
        },
        "Price": {
            "Type": "Task",
            "Resource": "arn:aws:lambda:us-east-1:000000000000:function:price",
            "ResultPath": "$.pricing",
            "End": True,
        },
        "Empty": {"Type": "Fail", "Error": "Empty", "Cause": "no total"},
    },
}
FUNCTIONS = """
import express


@express.function("price", run="inline")
def price(event, context):
    return {"amount": event["total"] * 2}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "orders.asl.json").write_text(json.dumps(ORDERS))
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    (tmp_path / "events.jsonl").write_text("".join(f'{{"id": {number}, "total": {number % 10}}}\n' for number in range(100)))
    return tmp_path
