"""The rules of Choice states, as JSON, evaluated as the States Language specification tells it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from tests.reference.expressions import Missing, Roots, is_number, path

_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


def instant(text: str) -> Fraction | None:
    """Seconds since the epoch, exactly; None for what is no RFC 3339 timestamp."""
    match = _TIMESTAMP.fullmatch(text)
    if not match:
        return None
    try:
        whole = datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    seconds = Fraction(int(whole.timestamp())) + (Fraction("0" + match[2]) if match[2] else 0)
    zone = match[3]
    if zone != "Z":
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if hours > 23 or minutes > 59:
            return None
        seconds -= (hours * 3_600 + minutes * 60) * (1 if zone[0] == "+" else -1)
    return seconds


def holds(rule: dict[str, Any], roots: Roots) -> bool:
    if "And" in rule:
        return all(holds(inner, roots) for inner in rule["And"])
    if "Or" in rule:
        return any(holds(inner, roots) for inner in rule["Or"])
    if "Not" in rule:
        return not holds(rule["Not"], roots)
    operator, operand = next((name, value) for name, value in rule.items() if name not in ("Variable", "Next", "Comment"))
    if operator == "IsPresent":
        try:
            path(rule["Variable"], roots)
        except Missing:
            return operand is False
        return operand is True
    value = path(rule["Variable"], roots)
    if operator.endswith("Path"):
        operator, operand = operator.removesuffix("Path"), path(operand, roots)
    return compare(operator, value, operand)


def compare(operator: str, value: Any, operand: Any) -> bool:
    if operator.startswith("Is"):
        found = {
            "IsNull": value is None,
            "IsNumeric": is_number(value),
            "IsString": isinstance(value, str),
            "IsBoolean": isinstance(value, bool),
            "IsTimestamp": isinstance(value, str) and instant(value) is not None,
        }[operator]
        return found == operand
    if operator == "BooleanEquals":
        return isinstance(value, bool) and isinstance(operand, bool) and value == operand
    if operator == "StringMatches":
        return isinstance(value, str) and fits(operand, value)
    if operator.startswith("Numeric"):
        if not is_number(value) or not is_number(operand):
            return False
    elif not isinstance(value, str) or not isinstance(operand, str):
        return False
    if operator.startswith("Timestamp"):
        value, operand = instant(value), instant(operand)
        if value is None or operand is None:
            return False
    elif operator.startswith("String"):
        value, operand = value.encode("utf-16-be"), operand.encode("utf-16-be")
    sign = re.sub("^(Numeric|String|Timestamp)", "", operator)
    return bool(
        {
            "Equals": value == operand,
            "LessThan": value < operand,
            "GreaterThan": value > operand,
            "LessThanEquals": value <= operand,
            "GreaterThanEquals": value >= operand,
        }[sign]
    )


def fits(pattern: str, text: str) -> bool:
    """StringMatches, character by character."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(fits(pattern[1:], text[start:]) for start in range(len(text) + 1))
    if pattern[:2] in ("\\*", "\\\\"):
        return text[:1] == pattern[1] and fits(pattern[2:], text[1:])
    return text[:1] == pattern[0] and fits(pattern[1:], text[1:])
