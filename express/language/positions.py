"""The text of a definition in, the line and column of each of its values out: for reports that point into a file."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import MappingEndEvent, MappingStartEvent, NodeEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent

from express.language.findings import WHOLE, below

Position = tuple[int, int]  # line and column, both from 1

# The third is a placeholder without quotes, as SAM has it
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]|\$\{[^{}"\n]*\}|[^\s{}\[\],":]+', re.DOTALL)


class Positions:
    """``of`` finds the place of a problem: that of its field, or of the nearest thing around it that is in the text."""

    def __init__(self, text: str) -> None:
        self._found: dict[str, Position] = {}
        # What is wrong with the text is said elsewhere, with its line; what was found until there counts.
        with contextlib.suppress(YAMLError, ValueError, IndexError, RecursionError, AttributeError, AssertionError):
            (_json if text.lstrip("\ufeff \t\r\n")[:1] == "{" else _yaml)(text, self._found.setdefault)

    def of(self, location: str) -> Position:
        while location and location != WHOLE:
            if location in self._found:
                return self._found[location]
            location = location.rpartition("/")[0]
        return (1, 1)


Note = Callable[[str, Position], Any]


class _Open:
    """An object or array that is not closed yet; ``key`` is the field that comes next, None where a key must come."""

    __slots__ = ("index", "key", "location")

    def __init__(self, location: str, is_object: bool) -> None:
        self.location, self.key = location, None if is_object else ""
        self.index = -1 if is_object else 0

    @property
    def key_expected(self) -> bool:
        return self.index < 0 and self.key is None

    def inside(self) -> str:
        return below(self.location, self.index if self.index >= 0 else self.key or "")


def _json(text: str, note: Note) -> None:
    line, start, last = 1, 0, 0
    stack: list[_Open] = []
    for token in _TOKEN.finditer(text):
        breaks = text.count("\n", last, token.start())
        if breaks:
            line, start = line + breaks, text.rindex("\n", last, token.start()) + 1
        last = token.start()
        place = (line, token.start() - start + 1)
        sign = token[0][0]
        if sign == ",":
            stack[-1].index += stack[-1].index >= 0
            stack[-1].key = None if stack[-1].index < 0 else ""
        elif sign in "}]":
            stack.pop()
        elif stack and stack[-1].key_expected:
            stack[-1].key = json.loads(token[0], strict=False)
            note(stack[-1].inside(), place)
        else:
            location = stack[-1].inside() if stack else ""
            if stack and stack[-1].index >= 0:
                note(location, place)
            if sign in "{[":
                stack.append(_Open(location, sign == "{"))


def _yaml(text: str, note: Note) -> None:
    stack: list[_Open] = []
    for event in YAML(typ="safe").parse(text):
        if isinstance(event, MappingEndEvent | SequenceEndEvent):
            stack.pop()
            _passed(stack)
        elif isinstance(event, NodeEvent):
            place = (event.start_mark.line + 1, event.start_mark.column + 1)
            if stack and stack[-1].key_expected:
                stack[-1].key = str(event.value) if isinstance(event, ScalarEvent) else ""
                note(stack[-1].inside(), place)
                continue
            location = stack[-1].inside() if stack else ""
            note(location, place)
            if isinstance(event, MappingStartEvent | SequenceStartEvent):
                stack.append(_Open(location, isinstance(event, MappingStartEvent)))
            else:
                _passed(stack)


def _passed(stack: list[_Open]) -> None:
    """A value has ended: the next is another field, or the next item."""
    if stack:
        stack[-1].index += stack[-1].index >= 0
        stack[-1].key = None if stack[-1].index < 0 else ""
