"""The operators of Choice: a value and an operand in, whether the rule holds out. With values of another type it does not."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

from express.runtime import timestamps

Operator: TypeAlias = Callable[[Any, Any], bool]

_NUMBERS: frozenset[Any] = frozenset({int, float})  # a bool's class is neither


# --- Text -------------------------------------------------------------------------------------------------------------------------


def string_equals(value: Any, operand: Any) -> bool:
    return value.__class__ is str and operand.__class__ is str and value == operand


def string_less_than(value: Any, operand: Any) -> bool:
    return value.__class__ is str and operand.__class__ is str and _before(value, operand)


def string_greater_than(value: Any, operand: Any) -> bool:
    return value.__class__ is str and operand.__class__ is str and _before(operand, value)


def string_less_than_equals(value: Any, operand: Any) -> bool:
    return value.__class__ is str and operand.__class__ is str and not _before(operand, value)


def string_greater_than_equals(value: Any, operand: Any) -> bool:
    return value.__class__ is str and operand.__class__ is str and not _before(value, operand)


def _before(one: str, other: str) -> bool:
    """By UTF-16 units, as AWS (Java) compares: that differs from Python's order only above U+FFFF, so never where one side is ASCII."""
    if one.isascii() or other.isascii():
        return one < other
    return one.encode("utf-16-be", "surrogatepass") < other.encode("utf-16-be", "surrogatepass")


def string_matches(value: Any, operand: Any) -> bool:
    return value.__class__ is str and operand.__class__ is str and glob(operand)(value)


@lru_cache(maxsize=256)
def glob(pattern: str) -> Callable[[str], bool]:
    r"""A test for ``pattern``: ``*`` is any text, ``\*`` a star, ``\\`` a backslash.

    Works by searching the literal pieces one after the other, each as early as possible, so it never goes back: no regular expression, and
    no pattern that takes more than time in proportion to the text.
    """
    pieces = _pieces(pattern)
    if len(pieces) == 1:
        only = pieces[0]
        return lambda text: text == only
    first, *middle, last = pieces
    middle = [piece for piece in middle if piece]
    fixed = len(first) + len(last)

    def matches(text: str) -> bool:
        if len(text) < fixed or not text.startswith(first) or not text.endswith(last):
            return False
        start, end = len(first), len(text) - len(last)
        for piece in middle:
            found = text.find(piece, start, end)
            if found < 0:
                return False
            start = found + len(piece)
        return True

    return matches


def _pieces(pattern: str) -> list[str]:
    """The literal texts between the stars."""
    pieces, piece = [], ""
    characters = iter(pattern)
    for character in characters:
        if character == "*":
            pieces.append(piece)
            piece = ""
        elif character == "\\":
            escaped = next(characters, "")
            piece += escaped if escaped in ("*", "\\") else character + escaped
        else:
            piece += character
    return [*pieces, piece]


# --- Numbers, booleans ------------------------------------------------------------------------------------------------------------


def numeric_equals(value: Any, operand: Any) -> bool:
    return value.__class__ in _NUMBERS and operand.__class__ in _NUMBERS and bool(value == operand)


def numeric_less_than(value: Any, operand: Any) -> bool:
    return value.__class__ in _NUMBERS and operand.__class__ in _NUMBERS and bool(value < operand)


def numeric_greater_than(value: Any, operand: Any) -> bool:
    return value.__class__ in _NUMBERS and operand.__class__ in _NUMBERS and bool(value > operand)


def numeric_less_than_equals(value: Any, operand: Any) -> bool:
    return value.__class__ in _NUMBERS and operand.__class__ in _NUMBERS and bool(value <= operand)


def numeric_greater_than_equals(value: Any, operand: Any) -> bool:
    return value.__class__ in _NUMBERS and operand.__class__ in _NUMBERS and bool(value >= operand)


def boolean_equals(value: Any, operand: Any) -> bool:
    return value.__class__ is bool and value is operand


# --- Timestamps -------------------------------------------------------------------------------------------------------------------


def _instants(value: Any, operand: Any) -> tuple[timestamps.Instant, timestamps.Instant] | None:
    if value.__class__ is not str or operand.__class__ is not str:
        return None
    one, other = timestamps.parse(value), timestamps.parse(operand)
    return None if one is None or other is None else (one, other)


def timestamp_equals(value: Any, operand: Any) -> bool:
    instants = _instants(value, operand)
    return instants is not None and instants[0] == instants[1]


def timestamp_less_than(value: Any, operand: Any) -> bool:
    instants = _instants(value, operand)
    return instants is not None and instants[0] < instants[1]


def timestamp_greater_than(value: Any, operand: Any) -> bool:
    instants = _instants(value, operand)
    return instants is not None and instants[0] > instants[1]


def timestamp_less_than_equals(value: Any, operand: Any) -> bool:
    instants = _instants(value, operand)
    return instants is not None and instants[0] <= instants[1]


def timestamp_greater_than_equals(value: Any, operand: Any) -> bool:
    instants = _instants(value, operand)
    return instants is not None and instants[0] >= instants[1]


# --- Types: the operand says whether it should be so ------------------------------------------------------------------------------


def is_null(value: Any, operand: Any) -> bool:
    return (value is None) is operand


def is_present(value: Any, operand: Any) -> bool:
    """For a path that selects something. One that does not is the caller's: ``IsPresent`` false holds, any other operator fails."""
    return operand is True


def is_numeric(value: Any, operand: Any) -> bool:
    return (value.__class__ in _NUMBERS) is operand


def is_string(value: Any, operand: Any) -> bool:
    return (value.__class__ is str) is operand


def is_boolean(value: Any, operand: Any) -> bool:
    return (value.__class__ is bool) is operand


def is_timestamp(value: Any, operand: Any) -> bool:
    return (value.__class__ is str and timestamps.parse(value) is not None) is operand


TABLE: dict[str, Operator] = {
    "StringEquals": string_equals,
    "StringLessThan": string_less_than,
    "StringGreaterThan": string_greater_than,
    "StringLessThanEquals": string_less_than_equals,
    "StringGreaterThanEquals": string_greater_than_equals,
    "StringMatches": string_matches,
    "NumericEquals": numeric_equals,
    "NumericLessThan": numeric_less_than,
    "NumericGreaterThan": numeric_greater_than,
    "NumericLessThanEquals": numeric_less_than_equals,
    "NumericGreaterThanEquals": numeric_greater_than_equals,
    "BooleanEquals": boolean_equals,
    "TimestampEquals": timestamp_equals,
    "TimestampLessThan": timestamp_less_than,
    "TimestampGreaterThan": timestamp_greater_than,
    "TimestampLessThanEquals": timestamp_less_than_equals,
    "TimestampGreaterThanEquals": timestamp_greater_than_equals,
    "IsNull": is_null,
    "IsPresent": is_present,
    "IsNumeric": is_numeric,
    "IsString": is_string,
    "IsBoolean": is_boolean,
    "IsTimestamp": is_timestamp,
}
