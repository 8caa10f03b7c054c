"""The condition of a JSONPath filter, ``?(@.price < 10 && @.isbn)``: text in, a FilterCondition out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from express.language.model import (
    FilterAll,
    FilterAny,
    FilterComparison,
    FilterCondition,
    FilterExists,
    FilterNot,
    FilterOperand,
    FilterPath,
    FilterValue,
    Segment,
)
from express.language.scanner import Scanner, SyntaxProblem

PARENTHESES = 32
TERMS = 256  # conditions in one filter, members of one list

_OPERATOR = re.compile(r"===|!==|==|!=|<=|>=|=~|<|>")
_SAME = {"===": "==", "!==": "!="}  # Jayway's exact comparison
_WORD = re.compile(r"[A-Za-z]\w*", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?(?![\w.])", re.ASCII)
_CONSTANTS = {"true": True, "false": False, "null": None}
_UNKNOWN = frozenset({"subsetof", "anyof", "noneof", "size", "empty", "contains", "type", "all"})  # Jayway has them, AWS has not

SegmentReader = Callable[[Scanner, int], tuple[Segment, ...]]


def read(scanner: Scanner, nesting: int, segments: SegmentReader) -> FilterCondition:
    """A condition in parentheses. ``nesting`` is how many filters may still be inside it, ``segments`` reads the steps of its paths."""
    scanner.space()
    if scanner.peek() != "(":
        raise scanner.problem("expected '(' after '[?'")
    return _Reader(scanner, nesting, segments).group(PARENTHESES)


class _Reader:
    def __init__(self, scanner: Scanner, nesting: int, segments: SegmentReader) -> None:
        self._scanner, self._nesting, self._segments = scanner, nesting, segments
        self._terms = 0

    def group(self, depth: int) -> FilterCondition:
        scanner = self._scanner
        if depth == 0:
            raise SyntaxProblem(f"parentheses may be nested {PARENTHESES} deep, these are deeper", scanner.position)
        scanner.expect("(", "")
        condition = self._any(depth)
        scanner.space()
        scanner.expect(")", "to close '('")
        return condition

    def _any(self, depth: int) -> FilterCondition:
        conditions = [self._all(depth)]
        self._scanner.space()
        while self._scanner.take("||"):
            conditions.append(self._all(depth))
            self._scanner.space()
        return conditions[0] if len(conditions) == 1 else FilterAny(tuple(conditions))

    def _all(self, depth: int) -> FilterCondition:
        conditions = [self._not(depth)]
        self._scanner.space()
        while self._scanner.take("&&"):
            conditions.append(self._not(depth))
            self._scanner.space()
        return conditions[0] if len(conditions) == 1 else FilterAll(tuple(conditions))

    def _not(self, depth: int) -> FilterCondition:
        scanner = self._scanner
        self._terms += 1
        if self._terms > TERMS:
            raise SyntaxProblem(f"a filter may have {TERMS} conditions, this one has more", scanner.position)
        scanner.space()
        if scanner.take("!"):
            if depth == 0:
                raise SyntaxProblem(f"parentheses may be nested {PARENTHESES} deep, these are deeper", scanner.position)
            return FilterNot(self._not(depth - 1))
        if scanner.peek() == "(":
            return self.group(depth - 1)
        return self._comparison()

    def _comparison(self) -> FilterCondition:
        scanner = self._scanner
        left = self._operand("")
        scanner.space()
        operator = self._operator()
        if operator is None:
            if isinstance(left, FilterPath):
                return FilterExists(left)
            raise scanner.problem("expected a comparison such as '==' or '<' after a value")
        scanner.space()
        negated = operator == "nin"
        right = self._operand("in" if negated else operator)
        comparison = FilterComparison("in" if negated else operator, left, right)
        return FilterNot(comparison) if negated else comparison

    def _operator(self) -> str | None:
        scanner = self._scanner
        found = _OPERATOR.match(scanner.text, scanner.position)
        if found:
            if found[0] == "=~":
                # as AWS's documentation has it ("Reference Paths"); a pattern could also keep a worker busy for hours
                raise SyntaxProblem("filtering by regular expression (=~) is not supported", scanner.position)
            scanner.position = found.end()
            return _SAME.get(found[0], found[0])
        word = _WORD.match(scanner.text, scanner.position)
        if word is None:
            return None
        if word[0].lower() in ("in", "nin"):
            scanner.position = word.end()
            return word[0].lower()
        if word[0].lower() in _UNKNOWN:
            raise SyntaxProblem(f"the operator {word[0]!r} is not supported in filters", scanner.position)
        raise scanner.problem("expected a comparison such as '==' or '<'")

    def _operand(self, operator: str) -> FilterOperand:
        scanner = self._scanner
        here = scanner.peek()
        if here in ("@", "$") and here:
            scanner.position += 1
            return FilterPath(here, self._segments(scanner, self._nesting))
        if here == "[" and operator == "in":
            return self._list()
        if operator == "in":
            raise scanner.problem("expected a list such as [1, 2] or a path after 'in'")
        return FilterValue(self._value())

    def _value(self) -> Any:
        scanner = self._scanner
        if scanner.peek() in ("'", '"') and scanner.peek():
            return scanner.quoted()
        number = _NUMBER.match(scanner.text, scanner.position)
        if number:
            if len(number[0]) > 64:
                raise SyntaxProblem("a number in a filter has more than 64 characters", scanner.position)
            value = float(number[0]) if number[1] or number[2] else int(number[0])
            if value in (float("inf"), float("-inf")):
                raise SyntaxProblem(f"the number {number[0]} is too large", scanner.position)
            scanner.position = number.end()
            return value
        word = _WORD.match(scanner.text, scanner.position)
        if word is None:
            raise scanner.problem("expected a path from '@' or '$', a quoted text, a number, true, false or null")
        scanner.position = word.end()
        # A word without quotes is a text, as AWS has it: [?(@.OutputKey == FooBar)]
        return _CONSTANTS.get(word[0], word[0])

    def _list(self) -> FilterValue:
        scanner = self._scanner
        scanner.expect("[", "")
        values: list[Any] = []
        scanner.space()
        if scanner.take("]"):
            return FilterValue(())
        while len(values) < TERMS:
            scanner.space()
            values.append(self._value())
            scanner.space()
            if scanner.take("]"):
                return FilterValue(tuple(values))
            scanner.expect(",", "or ']' in a list of values")
        raise SyntaxProblem(f"a list in a filter may have {TERMS} values, this one has more", scanner.position)
