"""The condition of a JSONPath filter, ``?(@.price < 10 && @.isbn)``: text in, a FilterCondition out."""

from __future__ import annotations

import re
from collections.abc import Callable

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
TERMS = 256  # conditions in one filter

_OPERATOR = re.compile(r"===|!==|==|!=|<=|>=|=~|<|>")
_SAME = {"===": "==", "!==": "!="}  # Jayway's exact comparison
_WORD = re.compile(r"[A-Za-z]\w*", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?(?![\w.])", re.ASCII)
# Later versions of json-path have them, AWS has not
_UNKNOWN = frozenset({"in", "nin", "subsetof", "anyof", "noneof", "size", "empty", "contains", "type", "all"})

# Reads the steps of a path inside a filter, which must be definite
SegmentReader = Callable[[Scanner], tuple[Segment, ...]]


def read(scanner: Scanner, segments: SegmentReader) -> FilterCondition:
    """A condition in parentheses; ``segments`` reads the steps of its paths."""
    scanner.space()
    if scanner.peek() != "(":
        raise scanner.problem("expected '(' after '[?'")
    return _Reader(scanner, segments).group(PARENTHESES)


class _Reader:
    def __init__(self, scanner: Scanner, segments: SegmentReader) -> None:
        self._scanner, self._segments = scanner, segments
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
        left = self._operand()
        scanner.space()
        operator = self._operator()
        if operator is None:
            if isinstance(left, FilterPath):
                return FilterExists(left)
            raise scanner.problem("expected a comparison such as '==' or '<' after a value")
        scanner.space()
        return FilterComparison(operator, left, self._operand())

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
        if word[0].lower() in _UNKNOWN:
            raise SyntaxProblem(f"the operator {word[0]!r} is not supported in filters: there are == != < <= > >=", scanner.position)
        raise scanner.problem("expected a comparison such as '==' or '<'")

    def _operand(self) -> FilterOperand:
        scanner = self._scanner
        here = scanner.peek()
        if here and here in "@$":
            scanner.position += 1
            return FilterPath(here, self._segments(scanner))
        return FilterValue(self._value())

    def _value(self) -> str:
        """The text of a value: AWS's library compares texts, whether they were quoted or not."""
        scanner = self._scanner
        if scanner.peek() in ("'", '"') and scanner.peek():
            return scanner.quoted()
        found = _NUMBER.match(scanner.text, scanner.position)
        if found and len(found[0]) > 64:
            raise SyntaxProblem("a number in a filter has more than 64 characters", scanner.position)
        # A word without quotes is a text, as AWS has it: [?(@.OutputKey == FooBar)]
        found = found or _WORD.match(scanner.text, scanner.position)
        if found is None:
            raise scanner.problem("expected a path from '@' or '$', a quoted text, a number, true, false or null")
        scanner.position = found.end()
        return found[0]
