"""The condition of a JSONPath filter, ``[?(@.price < 10)]``, as a function; parsed condition in (at load), a test of one member out.

Compares as json-path 2.0 does, which AWS evaluates paths with: what is written in a filter is a text, and the value from the data decides
how it is read. ``@.a == 1`` holds for 1, 1.0 and ``"1"``; ``@.a == null`` for null and ``"null"``; objects and arrays compare with nothing.
A path that finds nothing makes every comparison false, ``!=`` too.
"""

from __future__ import annotations

import operator as operators
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from express.runtime.failures import StateError
from express.runtime.limits import PATH_STEPS

LONGEST_NUMBER = 64  # characters of a text that is read as a number
_EXACT = 2**53  # a float below this is no nearer to another integer than the decimal that it prints as
_NUMBERS: frozenset[Any] = frozenset({int, float})  # a bool's class is neither
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?", re.ASCII)


class Missing(KeyError):  # noqa: N818 - named for what happened
    """A path finds nothing; forgiven in the elements of an array under ``[*]``, and in filters."""


class Misapplied(TypeError):  # noqa: N818
    """An index, slice or filter met something that is no array. Never forgiven."""


class Search:
    """One evaluation of a path: the whole document, for ``$`` inside filters, and the steps it may still take."""

    __slots__ = ("document", "left")

    def __init__(self, document: Any) -> None:
        self.document = document
        self.left = PATH_STEPS

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise StateError("States.Runtime", f"A JSONPath selects too much: it took more than {PATH_STEPS} steps")


Test: TypeAlias = Callable[[Any, Search], bool]
_Value: TypeAlias = Callable[[Any, Search], Any]


# --- Definite paths ---------------------------------------------------------------------------------------------------------------


def array(node: Any) -> list[Any]:
    if node.__class__ is not list:
        raise Missing("null") if node is None else Misapplied("not an array")
    elements: list[Any] = node
    return elements


def at(node: Any, index: int) -> Any:
    elements = array(node)
    if -len(elements) <= index < len(elements):
        return elements[index]
    raise Missing(index)


def fields(node: Any, names: Sequence[str], *, complete: bool = False) -> dict[str, Any]:
    """Those of the fields that an object has; ``complete``: all of them, or it is Missing."""
    if node.__class__ is not dict or (complete and not all(name in node for name in names)):
        raise Missing(names)
    return {name: node[name] for name in names if name in node}


def getter(segments: Sequence[Any], *, complete: bool = False) -> Callable[[Any], Any]:
    """The one value that a definite path selects. The last segment may be several names: one object, of all fields if ``complete``."""
    keys: list[Any] = []
    for segment in segments:
        kind = type(segment).__name__
        keys.append(segment.name if kind == "Name" else segment.index if kind == "Index" else [name.name for name in segment.members])

    def get(node: Any) -> Any:
        for key in keys:
            if key.__class__ is str:
                if node.__class__ is not dict or key not in node:
                    raise Missing(key)
                node = node[key]
            elif key.__class__ is int:
                node = at(node, key)
            else:
                node = fields(node, key, complete=complete)
        return node

    return get


# --- Conditions -------------------------------------------------------------------------------------------------------------------


def cost(condition: Any) -> int:
    """Steps that one test takes: four comparisons are as much work as one step."""
    return 1 + _weight(condition) // 4


def _weight(condition: Any) -> int:
    """Comparisons, and more for long paths and for what takes longer to compare."""
    kind = type(condition).__name__
    if kind == "FilterComparison":
        slow = 4 if type(condition.right).__name__ == "FilterPath" else 12 * isinstance(_number(condition.right.text), Decimal)
        return 1 + slow + sum(len(getattr(operand, "segments", ())) for operand in (condition.left, condition.right))
    if kind == "FilterExists":
        return 1 + len(condition.path.segments)
    if kind == "FilterNot":
        return _weight(condition.condition)
    return sum(_weight(each) for each in condition.conditions)


def condition(node: Any) -> Test:
    kind = type(node).__name__
    if kind == "FilterComparison":
        return _comparison(node.operator, node.left, node.right)
    if kind == "FilterExists":
        if _one_field(node.path):
            return _field_exists(node.path.segments[0].name)
        return _exists(_value(node.path, complete=True))
    if kind == "FilterNot":
        inner = condition(node.condition)
        return lambda member, search: not inner(member, search)
    tests = [condition(each) for each in reversed(node.conditions)]  # AWS's library looks at them from the last to the first
    if kind == "FilterAll":
        return lambda member, search: all(test(member, search) for test in tests)
    return lambda member, search: any(test(member, search) for test in tests)


def _one_field(operand: Any) -> bool:
    """``@.name``."""
    if type(operand).__name__ != "FilterPath" or operand.root != "@":
        return False
    return [type(segment).__name__ for segment in operand.segments] == ["Name"]


def _field_exists(name: str) -> Test:
    return lambda member, search: member.__class__ is dict and member.get(name) is not None


def _exists(value: _Value) -> Test:
    """The path finds something that is not null."""

    def exists(member: Any, search: Search) -> bool:
        try:
            return value(member, search) is not None
        except Missing:
            return False

    return exists


def _value(operand: Any, *, complete: bool = False) -> _Value:
    if type(operand).__name__ == "FilterValue":
        text = operand.text
        return lambda member, search: text
    get = getter(operand.segments, complete=complete)
    if operand.root == "@":
        return lambda member, search: get(member)
    return lambda member, search: get(search.document)


def _comparison(operator: str, left: Any, right: Any) -> Test:
    decide = _DECIDE.get(operator)
    if decide is None:
        raise ValueError(f"a filter cannot have the operator {operator}")
    value = _value(left)
    if type(right).__name__ == "FilterValue":
        order = _order_to(right.text)
        if _one_field(left):
            return _field_comparison(left.segments[0].name, operator, right.text)
    else:
        order = None
        other = _value(right)

    def compare(member: Any, search: Search) -> bool:
        try:
            actual = value(member, search)
            if order is None:
                expected = other(member, search)
                if (expected is None) is not (actual is None) and operator not in ("==", "!="):
                    return False
                found = _order(expected, actual)
            elif actual is None and operator not in ("==", "!="):
                return False
            else:
                found = order(actual)
        except Missing:
            return False
        return found is not None and decide(found)

    return compare


def _field_comparison(name: str, operator: str, text: str) -> Test:
    """``@.name == 'x'``, as most filters are."""
    order, decide, direct = _order_to(text), _DECIDE[operator], _DIRECT[operator]
    number = _number(text)
    plain = number if number.__class__ in _NUMBERS and -_EXACT < number < _EXACT else None  # type: ignore[operator]
    alike = operator in ("==", "!=")

    def compare(member: Any, search: Search) -> bool:
        if member.__class__ is not dict or name not in member:
            return False
        actual = member[name]
        if plain is not None and actual.__class__ in _NUMBERS:
            return direct(actual, plain)
        if actual is None and not alike:
            return False
        found = order(actual)
        return found is not None and decide(found)

    return compare


_DIRECT: dict[str, Callable[[Any, Any], bool]] = {
    "==": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}
# How the expected value compares with the one from the data: below 0, 0, above 0; None if they do not compare
_DECIDE: dict[str, Callable[[int], bool]] = {
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order > 0,
    "<=": lambda order: order >= 0,
    ">": lambda order: order < 0,
    ">=": lambda order: order <= 0,
}


def _order_to(text: str) -> Callable[[Any], int | None]:
    """How a text of the path compares with a value of the data; the text is read as a number, a boolean and null once."""
    number, truth = _number(text), text.lower() == "true"
    return lambda actual: _order_of_text(text, number, truth, actual)


def _order_of_text(text: str, number: int | float | Decimal | None, truth: bool, actual: Any) -> int | None:
    if actual is None or actual == "null" or text == "null":
        return 0 if text == "null" and (actual is None or actual == "null") else -1 if text == "null" else 1
    kind = actual.__class__
    if kind is str:
        return _order_of_texts(text, actual)
    if kind in _NUMBERS:
        return None if number is None else _order_of_numbers(number, actual)
    return int(truth) - int(actual) if kind is bool else None


def _order(expected: Any, actual: Any) -> int | None:
    """The same for two values of the data."""
    if expected is actual:
        return 0  # an object or an array is equal to itself, and to no other
    kind = expected.__class__
    if kind is str:
        return _order_of_text(expected, _number(expected), expected.lower() == "true", actual)
    missing = actual is None or actual == "null"
    if expected is None or missing:
        return 0 if expected is None and missing else 1 if missing else -1
    if kind in _NUMBERS and actual.__class__ in _NUMBERS:
        return _order_of_numbers(expected, actual)
    if kind is bool and actual.__class__ is bool:
        return int(expected) - int(actual)
    return None


def _order_of_texts(one: str, other: str) -> int:
    """By UTF-16 units, as Java has it."""
    if one == other:
        return 0
    if one.isascii() or other.isascii():
        return -1 if one < other else 1
    return -1 if one.encode("utf-16-be", "surrogatepass") < other.encode("utf-16-be", "surrogatepass") else 1


def _order_of_numbers(one: Any, other: Any) -> int:
    """As decimals: 0.1 means the decimal that is written so."""
    if one.__class__ is not other.__class__:
        if one.__class__ is float and (other.__class__ is Decimal or not -_EXACT < one < _EXACT):
            one = Decimal(repr(one))
        elif other.__class__ is float and (one.__class__ is Decimal or not -_EXACT < other < _EXACT):
            other = Decimal(repr(other))
    return int(one > other) - int(one < other)


@lru_cache(maxsize=256)
def _number_of(text: str) -> int | float | Decimal | None:
    if not _NUMBER.fullmatch(text):
        return None
    exact = Decimal(text)
    if exact.adjusted() < 15 and exact == (whole := int(exact)):
        return whole
    plain = float(exact)
    return plain if -_EXACT < plain < _EXACT and Decimal(repr(plain)) == exact else exact


def _number(text: str) -> int | float | Decimal | None:
    """The number that a text is; a Decimal where neither an int nor a float says the same."""
    return _number_of(text) if len(text) <= LONGEST_NUMBER else None
