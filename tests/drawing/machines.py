"""Definitions to draw: a saga, nested Parallels and Maps, a long chain, hostile names."""

from __future__ import annotations

from typing import Any

from express import language
from express.language.model import Workflow

ARN = "arn:aws:lambda:us-east-1:000000000000:function"

HOSTILE = (
    "</text><script>alert(1)</script>",
    'a" onload="alert(1)',
    "'; drop --> x",
    "]]> <!-- & &amp; &#60;",
    "end\nsubgraph x",
    "`${7*7}` {{x}} %% click",
    "\u202eevil\u2028\x7f",
    "}\n%%{init: {'theme': 'x'}}%%",
)


def load(definition: dict[str, Any]) -> Workflow:
    loaded = language.load(definition)
    assert loaded.workflow is not None, loaded.problems
    return loaded.workflow


def task(name: str, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"{ARN}:{name}", **({} if "Next" in fields else {"End": True}), **fields}


def saga(steps: int = 3) -> dict[str, Any]:
    """Every step that fails undoes those before it."""
    states: dict[str, Any] = {}
    for number in range(1, steps + 1):
        catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.problem", "Next": f"Undo{number - 1}" if number > 1 else "Failed"}]
        following = {"Next": f"Step{number + 1}"} if number < steps else {"Next": "Done"}
        states[f"Step{number}"] = task(f"step{number}", Catch=catch, **following)
    for number in range(steps - 1, 0, -1):
        states[f"Undo{number}"] = task(
            f"undo{number}",
            Retry=[{"ErrorEquals": ["States.ALL"]}],
            Next=f"Undo{number - 1}" if number > 1 else "Failed",
        )
    states |= {"Done": {"Type": "Succeed"}, "Failed": {"Type": "Fail", "Error": "Undone"}}
    return {"StartAt": "Step1", "States": states}


def nested() -> dict[str, Any]:
    """A Map over orders of a Parallel of a Map and a chain, and a loop that polls."""
    items = {
        "StartAt": "Reserve",
        "States": {
            "Reserve": task("reserve", Next="Reserved"),
            "Reserved": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.state", "StringEquals": "pending", "Next": "Pause"}],
                "Default": "Picked",
            },
            "Pause": {"Type": "Wait", "Seconds": 5, "Next": "Reserve"},
            "Picked": {"Type": "Pass", "End": True},
        },
    }
    branches = [
        {"StartAt": "Items", "States": {"Items": {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": items, "End": True}}},
        {"StartAt": "Mail", "States": {"Mail": task("mail", Next="Log"), "Log": {"Type": "Pass", "End": True}}},
        {"StartAt": "Bill", "States": {"Bill": task("bill")}},
    ]
    orders = {"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "Branches": branches, "End": True}}}
    return {
        "StartAt": "Orders",
        "States": {
            "Orders": {
                "Type": "Map",
                "ItemProcessor": orders,
                "MaxConcurrency": 10,
                "Catch": [{"ErrorEquals": ["Bank.Declined", "States.Timeout"], "Next": "Sorry"}],
                "Next": "Done",
            },
            "Sorry": task("sorry", Next="Done"),
            "Done": {"Type": "Succeed"},
        },
    }


def chain(length: int) -> dict[str, Any]:
    """A chain with a Choice every fifth state that skips three, and a handler that every Task leads to."""
    states: dict[str, Any] = {}
    for number in range(length):
        following = f"S{number + 1}" if number + 1 < length else "End"
        if number % 5 == 4 and number + 4 < length:
            rules = [{"Variable": "$.n", "NumericGreaterThan": number, "Next": f"S{number + 4}"}]
            states[f"S{number}"] = {"Type": "Choice", "Choices": rules, "Default": following}
        else:
            states[f"S{number}"] = task(f"f{number}", Next=following, Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Handle"}])
    states |= {"Handle": task("handle", Next="End"), "End": {"Type": "Succeed"}}
    return {"StartAt": "S0", "States": states}


def hostile() -> dict[str, Any]:
    """Hostile words as names, comments, errors, conditions and resources."""
    first, *names = HOSTILE
    states: dict[str, Any] = {
        first: {
            "Type": "Choice",
            "Comment": HOSTILE[3],
            "Choices": [{"Variable": "$.x", "StringEquals": word, "Next": name} for word, name in zip(HOSTILE, names, strict=False)],
            "Default": names[0],
        }
    }
    for number, name in enumerate(names):
        catch = [{"ErrorEquals": [HOSTILE[number]], "Next": names[0]}] if number else []
        invoke = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": name}}
        states[name] = {**invoke, "Comment": name, "End": True, "Catch": catch}
    return {"Comment": HOSTILE[0], "StartAt": first, "States": states}
