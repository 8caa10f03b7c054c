"""YAML text in, one plain JSON value out, of YAML 1.2's core types only. Duplicate keys and what JSON cannot say are problems.

Built from the parser's events with a stack of our own: hostile nesting and aliases that multiply are refused before they cost anything.
"""

from __future__ import annotations

import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from express.language.findings import EMPTY, SYNTAX, TOO_DEEP, TOO_LARGE, WHOLE, Findings, below

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_CONSTANTS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_CORE = "tag:yaml.org,2002:"
_MERGE = "<<"
_DIGITS = 1_000


class _Refused(Exception):  # noqa: N818 - never leaves this file
    def __init__(self, message: str, mark: Any, code: str = SYNTAX) -> None:
        self.code = code
        super().__init__(f"{message} at line {mark.line + 1} column {mark.column + 1}")


def read(text: str, depth: int, values: int, findings: Findings, absent: Any) -> Any:
    """The value of a single document, or ``absent``. It may be nested ``depth`` deep and hold ``values`` values."""
    builder = _Builder(depth, values, findings)
    try:
        for event in YAML(typ="safe").parse(text):
            builder.take(event)
    except _Refused as error:
        findings.error(WHOLE, str(error), error.code)
        return absent
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        what = ", ".join(part.strip().splitlines()[0] for part in (error.context, error.problem) if part and part.strip())
        # the C parser, as every tool over libyaml, takes no ':' in a bare text between braces or brackets
        hint = ": a text with ':' in it needs quotes here" if "unexpected ':'" in what else ""
        findings.error(WHOLE, f"not YAML: {what}{place}{hint}", SYNTAX)
        return absent
    except (YAMLError, ValueError, RecursionError, IndexError, AttributeError, AssertionError) as error:
        # ruamel lets some malformed text out as plain Python errors
        findings.error(WHOLE, f"not YAML: {(str(error) or type(error).__name__).splitlines()[0]}", SYNTAX)
        return absent
    if builder.result is None:
        if findings.failed:
            return absent
        findings.error(WHOLE, "the definition is empty", EMPTY)
        return absent
    return builder.result


class _Open:
    """An object or array that is not closed yet."""

    __slots__ = ("anchor", "height", "key", "location", "merged", "size", "value")

    def __init__(self, value: dict[str, Any] | list[Any], location: str, anchor: str | None) -> None:
        self.value, self.location, self.anchor = value, location, anchor
        self.key: str | None = None
        self.merged: list[Any] = []
        self.size = 1  # values, itself included
        self.height = 1  # objects and arrays within each other, itself included


class _Builder:
    def __init__(self, depth: int, values: int, findings: Findings) -> None:
        self.result: Any = None
        self._depth, self._values, self._findings = depth, values, findings
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int, int]] = {}  # value, how many values it holds, how deep it is
        self._documents = 0

    def take(self, event: Any) -> None:
        if isinstance(event, ScalarEvent):
            if self._key_expected():
                self._key(event)
            else:
                self._add(_scalar(event), 1, 0, event.anchor, event)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            if self._key_expected():
                raise _Refused("a key must be text", event.start_mark)
            _check_tag(event, "map" if isinstance(event, MappingStartEvent) else "seq")
            if len(self._open) >= self._depth:
                raise _Refused(f"objects and arrays may be nested {self._depth} deep, these are deeper", event.start_mark, TOO_DEEP)
            self._open.append(_Open({} if isinstance(event, MappingStartEvent) else [], self._location(), event.anchor))
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            closed = self._open.pop()
            for source in closed.merged:
                closed.value = {**source, **closed.value} if isinstance(closed.value, dict) else closed.value
            self._add(closed.value, closed.size, closed.height, closed.anchor, event)
        elif isinstance(event, AliasEvent):
            if event.anchor not in self._anchors:
                raise _Refused(f"there is no anchor '&{event.anchor}' before this alias", event.start_mark)
            if self._key_expected():
                raise _Refused("a key must be text, not an alias", event.start_mark)
            value, size, height = self._anchors[event.anchor]
            if len(self._open) + height > self._depth:
                raise _Refused(f"objects and arrays may be nested {self._depth} deep, these are deeper", event.start_mark, TOO_DEEP)
            self._add(value, size, height, None, event)
        elif isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _Refused("a second document begins", event.start_mark)

    def _key_expected(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._open[-1].key is None

    def _location(self) -> str:
        if not self._open:
            return ""
        outer = self._open[-1]
        return below(outer.location, outer.key or "" if isinstance(outer.value, dict) else len(outer.value))

    def _key(self, event: Any) -> None:
        outer = self._open[-1]
        outer.key = event.value
        if event.value in outer.value:
            self._findings.duplicate(self._location(), event.value, event.start_mark.line + 1, event.start_mark.column + 1)

    def _add(self, value: Any, size: int, height: int, anchor: str | None, event: Any) -> None:
        if anchor:
            self._anchors[anchor] = (value, size, height)
        if not self._open:
            self.result = value
            return
        outer = self._open[-1]
        outer.size += size
        outer.height = max(outer.height, height + 1)
        if outer.size > self._values:
            raise _Refused(f"a definition may have {self._values} values, this one has more", event.start_mark, TOO_LARGE)
        if isinstance(outer.value, list):
            outer.value.append(value)
            return
        key, outer.key = outer.key or "", None
        if key == _MERGE:
            sources = value if isinstance(value, list) else [value]
            if not all(isinstance(source, dict) for source in sources):
                raise _Refused("'<<' takes an object or a list of objects", event.start_mark)
            outer.merged += sources
        else:
            outer.value[key] = value


def _check_tag(event: Any, kind: str) -> None:
    tag = str(event.tag) if event.tag else None
    if tag not in (None, "!", _CORE + kind):
        shown = tag.replace(_CORE, "!!") if tag else ""
        raise _Refused(f"the tag {shown} has no meaning in a definition", event.start_mark)


def _scalar(event: Any) -> Any:
    text = event.value
    tag = str(event.tag) if event.tag else None
    if tag in ("!", f"{_CORE}str") or (tag is None and event.style in ("'", '"', "|", ">")):
        return text
    if tag not in (None, f"{_CORE}int", f"{_CORE}float", f"{_CORE}bool", f"{_CORE}null"):
        _check_tag(event, "str")
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) <= _DIGITS:
        if _INTEGER.fullmatch(text):
            return int(text, 0 if text[:2] in ("0o", "0x") else 10)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if number in (float("inf"), float("-inf")):
                raise _Refused(f"the number {text} is too large", event.start_mark)
            return number
    return text
