"""A definition in, as dict, text or file; one plain JSON value out. Malformed text and duplicate keys are found with line and column."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import orjson

from express.language import substitutions, yaml
from express.language.findings import DUPLICATES, EMPTY, SYNTAX, TOO_DEEP, TOO_LARGE, UNREADABLE, UNRESOLVED, WHOLE, Findings, below, shown

SIZE = 1024 * 1024  # AWS: a definition's bytes
DEPTH = 160  # objects and arrays within each other: 16 nested Map or Parallel states with their payload templates fit
BITS = 1_024  # of a whole number: what a double could round
VALUES = 300_000  # what a Python object, or YAML with its aliases, may hold


@runtime_checkable
class FilePath(Protocol):
    """``os.PathLike``."""

    def __fspath__(self) -> str | bytes: ...


class _Absent:
    """No value could be read."""


ABSENT = _Absent()


def read(definition: Any, findings: Findings, values: Mapping[str, Any] | None = None) -> Any:
    """The JSON value that ``definition`` holds, or ABSENT. Text that begins with '{' is JSON, other text YAML; files go by their name.

    ``values`` are those of the substitutions: JSON text may have one where a value stands without quotes.
    """
    if isinstance(definition, FilePath):
        return _file(definition, findings, values or {})
    if isinstance(definition, str | bytes | bytearray | memoryview):
        return _text(definition if isinstance(definition, str) else bytes(definition), "", findings, values or {})
    if isinstance(definition, dict):
        return plain(definition, findings)
    code = EMPTY if definition is None else SYNTAX
    findings.error(WHOLE, f"a definition is an object, JSON or YAML text, or a path, found {type(definition).__name__}", code)
    return ABSENT


def _file(path: FilePath, findings: Findings, values: Mapping[str, Any]) -> Any:
    name = path.__fspath__()
    shown = name.decode(errors="replace") if isinstance(name, bytes) else name
    try:
        with open(name, "rb") as file:
            raw = file.read(SIZE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        findings.error(WHOLE, f"the file {shown} cannot be read: {reason}", UNREADABLE)
        return ABSENT
    return _text(raw, shown.rpartition(".")[2].lower(), findings, values)


def _text(raw: str | bytes, form: str, findings: Findings, values: Mapping[str, Any]) -> Any:
    try:
        encoded = raw if isinstance(raw, bytes) else raw.encode()
        text = encoded.decode("utf-8-sig")
    except UnicodeError as error:
        # a lone surrogate in str, or bytes of another encoding
        place = getattr(error, "start", 0)
        findings.error(WHOLE, f"not UTF-8 text: {'character' if isinstance(raw, str) else 'byte'} {place} cannot be read", SYNTAX)
        return ABSENT
    if len(encoded) > SIZE:
        findings.error(WHOLE, f"a definition may have {SIZE} bytes, this one has more", TOO_LARGE)
        return ABSENT
    start = text.lstrip()[:1]
    if not start:
        findings.error(WHOLE, "the definition is empty", EMPTY)
        return ABSENT
    if form == "json" or (form not in ("yaml", "yml") and start in ("{", "[", '"')):
        return _json(substitutions.bare(text, values), findings)
    value = yaml.read(text, DEPTH, VALUES, findings, ABSENT)
    if isinstance(value, str) and not form:  # a text alone is YAML, and nobody meant it
        findings.error(WHOLE, f"a definition is an object with States and StartAt, found {shown(value)}", SYNTAX)
        return ABSENT
    return value


# --- JSON -------------------------------------------------------------------------------------------------------------------------


def _json(text: str, findings: Findings) -> Any:
    try:
        # orjson first: it says well what is wrong, and refuses NaN, lone surrogates and bottomless nesting
        rough = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        reason = error.msg.partition(": line ")[0]
        place = f"at line {error.lineno} column {error.colno}"
        name = substitutions.first_bare(text)
        if name is None:
            findings.error(WHOLE, f"not JSON: {reason} {place}", SYNTAX)
            return ABSENT
        text = substitutions.quoted(text)
        try:
            rough = orjson.loads(text)
        except orjson.JSONDecodeError:
            findings.error(WHOLE, f"not JSON: {reason} {place} (the substitution ${{{name}}} has no value)", SYNTAX)
            return ABSENT
        findings.error(WHOLE, f"the substitution ${{{name}}} has no value, {place}", UNRESOLVED)
    if _too_deep(rough):
        findings.error(WHOLE, f"objects and arrays may be nested {DEPTH} deep, these are deeper", TOO_DEEP)
        return ABSENT
    twice = False

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        made = dict(members)
        twice = twice or len(made) < len(members)
        return made

    # Python's own parser next: integers of any size stay exact, and equal keys show
    value = json.loads(text, object_pairs_hook=pairs)
    if twice:
        _duplicates(text, findings)  # the last of equal keys is looked at further: nobody learns of one problem at a time
    return value


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]', re.DOTALL)


def _duplicates(text: str, findings: Findings) -> None:
    """Reports each key that its object already has; ``text`` is known to be JSON."""
    objects: list[tuple[str, set[str] | None]] = []  # location, and the keys seen; None for an array
    location = ""
    key_next = False
    index: list[int] = []
    for token in _TOKEN.finditer(text):
        sign = token[0][0]
        if sign in "{[":
            objects.append((location, set() if sign == "{" else None))
            index.append(0)
            key_next = sign == "{"
            if sign == "[":
                location = below(location, 0)
        elif sign in "}]":
            location, _ = objects.pop()
            index.pop()
            key_next = False
        elif sign == ",":
            outer, keys = objects[-1]
            index[-1] += 1
            key_next = keys is not None
            location = below(outer, index[-1])
        elif key_next:
            outer, keys = objects[-1]
            key = json.loads(token[0])
            location = below(outer, key)
            if keys is not None:
                if key in keys:
                    before = text[: token.start()]
                    findings.duplicate(location, key, before.count("\n") + 1, token.start() - before.rfind("\n"))
                    if findings.duplicates > DUPLICATES:
                        return
                keys.add(key)
            key_next = False


# --- Python objects ---------------------------------------------------------------------------------------------------------------


def plain(definition: dict[Any, Any], findings: Findings) -> Any:
    """A deep copy that is JSON and nothing else, so that what the caller does to its own dict later changes nothing here."""
    left = VALUES

    def copy(value: Any, location: str, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or depth > DEPTH:
            return None
        if isinstance(value, str):
            if not _encodable(value):
                findings.error(location, "the text holds a lone surrogate, which JSON cannot carry", SYNTAX)
            return str(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            if value.bit_length() > BITS:
                findings.error(location, f"a number may have {BITS} bits, this one has {value.bit_length()}", SYNTAX)
            return int(value)
        if isinstance(value, float):
            if not math.isfinite(value):
                findings.error(location, f"{value} is not a JSON number", SYNTAX)
            return float(value)
        if isinstance(value, dict):
            made = {}
            for key, inner in value.items():
                if not isinstance(key, str) or not _encodable(key):
                    findings.error(location, f"the keys of an object are texts, found {key!r}"[:200], SYNTAX)
                    continue
                made[str(key)] = copy(inner, below(location, key), depth + 1)
            return made
        if isinstance(value, list | tuple):
            return [copy(inner, below(location, number), depth + 1) for number, inner in enumerate(value)]
        findings.error(location, f"{type(value).__name__} is not a JSON type", SYNTAX)
        return None

    if _too_deep(definition):
        findings.error(WHOLE, f"objects and arrays may be nested {DEPTH} deep, these are deeper", TOO_DEEP)
        return ABSENT
    value = copy(definition, "", 0)
    if left < 0:
        findings.error(WHOLE, f"a definition may have {VALUES} values, this one has more", TOO_LARGE)
    return ABSENT if findings.failed else value


def _too_deep(definition: Any) -> bool:
    """Deeper than DEPTH, or it contains itself."""
    seen_depth: dict[int, int] = {}
    todo = [(definition, 1)]
    while todo:
        value, depth = todo.pop()
        if depth > DEPTH:
            return True
        if seen_depth.get(id(value), 0) >= depth:
            continue
        seen_depth[id(value)] = depth
        inside = value.values() if isinstance(value, dict) else value
        todo.extend((inner, depth + 1) for inner in inside if isinstance(inner, dict | list | tuple))
    return False


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
