"""Conditions, waits and resources of a definition in, the few words that a picture has room for out."""

from __future__ import annotations

import json
import re
from typing import Any

from express.language.model import (
    And,
    Choice,
    Comparison,
    Fail,
    Literal,
    Map,
    Not,
    Or,
    Parallel,
    State,
    Task,
    Wait,
)
from express.language.transitions import Transition

SYMBOLS = {"Equals": "=", "LessThan": "<", "GreaterThan": ">", "LessThanEquals": "<=", "GreaterThanEquals": ">=", "Matches": "matches"}
TESTS = {
    "IsPresent": "is there",
    "IsNull": "is null",
    "IsString": "is a text",
    "IsNumeric": "is a number",
    "IsBoolean": "is true or false",
    "IsTimestamp": "is a time",
}
_FUNCTION = re.compile(r":function:([^:]+)")
_OPERATOR = re.compile(r"(?:String|Numeric|Timestamp|Boolean)(\w+)")


def label(transition: Transition) -> str:
    """What stands beside a transition: a rule's condition, the errors that are caught, nothing for Next."""
    state = transition.source
    if transition.kind == "default":
        return "otherwise"
    if transition.kind == "choice" and isinstance(state, Choice):
        return condition(state.rules[transition.position].condition)
    if transition.kind == "catch":
        caught = state.catch[transition.position].error_equals  # type: ignore[attr-defined]
        return ", ".join("any error" if name == "States.ALL" else name for name in caught)
    return ""


def condition(node: Any) -> str:
    """``$.total > 65 and not $.paid = true``"""
    if isinstance(node, Comparison):
        return _comparison(node)
    if isinstance(node, And | Or):
        joint = " and " if isinstance(node, And) else " or "
        return joint.join(f"({condition(inner)})" if isinstance(inner, And | Or) else condition(inner) for inner in node.conditions)
    if isinstance(node, Not):
        inner = condition(node.condition)
        return f"not ({inner})" if isinstance(node.condition, And | Or) else f"not {inner}"
    return expression(node)


def _comparison(node: Comparison) -> str:
    variable = node.variable.text
    if node.operator in TESTS:
        holds = isinstance(node.operand, Literal) and node.operand.value is True
        return f"{variable} {TESTS[node.operator]}" if holds else f"not {variable} {TESTS[node.operator]}"
    found = _OPERATOR.fullmatch(node.operator)
    symbol = SYMBOLS.get(found[1], found[1]) if found else node.operator
    return f"{variable} {symbol} {expression(node.operand)}"


def expression(node: Any) -> str:
    """An expression as the definition has it."""
    if isinstance(node, Literal):
        return json.dumps(node.value, ensure_ascii=False)
    text = getattr(node, "text", None)
    return text if isinstance(text, str) else "..."


def detail(state: State) -> str:
    """The line below a state's name: its type, and what it is about."""
    return f"{type(state).__name__}{_about(state)}"


def _about(state: State) -> str:
    if isinstance(state, Task):
        return f" {resource(state)}"
    if isinstance(state, Wait):
        if state.seconds is not None:
            seconds = expression(state.seconds)
            return f" {seconds} s" if isinstance(state.seconds, Literal) else f" {seconds} seconds"
        return f" until {expression(state.timestamp)}" if state.timestamp is not None else ""
    if isinstance(state, Fail):
        return f" {state.error.value}" if isinstance(state.error, Literal) else f" {expression(state.error)}" if state.error else ""
    if isinstance(state, Map):
        limit = state.max_concurrency
        at_a_time = f", {limit.value} at a time" if isinstance(limit, Literal) and limit.value else ""
        over = expression(state.items) if state.items is not None else state.items_path.text if state.items_path.segments else ""
        return f"{f' over {over}' if over else ''}{at_a_time}"
    if isinstance(state, Parallel):
        return f", {len(state.branches)} branches" if len(state.branches) > 1 else ""
    return ""


def resource(task: Task) -> str:
    """``price`` for a Lambda function's ARN, ``sqs:sendMessage`` for a service's, the end of whatever else."""
    name = task.resource
    if name.endswith(":lambda:invoke") or name.rpartition(".")[0].endswith(":lambda:invoke"):
        name = _invoked(task) or name
    found = _FUNCTION.search(name)
    return found[1] if found else re.sub(r"^arn:[^:]*:states:[^:]*:[^:]*:", "", name)


def _invoked(task: Task) -> str | None:
    """The FunctionName of lambda:invoke, if the definition says it outright."""
    given: Any = task.parameters
    fields = dict(given.fields) if hasattr(given, "fields") else given.value if isinstance(given, Literal) else {}
    name = fields.get("FunctionName") if isinstance(fields, dict) else None
    name = name.value if isinstance(name, Literal) else name
    return name if isinstance(name, str) else None
