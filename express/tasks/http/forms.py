"""JSON values as forms: query strings, and bodies that are URL-encoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote

from express.runtime.failures import StateError
from express.runtime.values import dumps

Pairs = list[tuple[str, str]]
DEEPEST = 64  # objects in objects


def scalar(value: Any) -> str:
    """A value as a form, a header or a query string has it: null is nothing."""
    if value.__class__ is str:
        return value
    return "" if value is None else dumps(value).decode()


def encoded(body: dict[str, Any], arrays: str) -> str:
    """An object as AWS URL-encodes it: ``metadata[order]=1``, percent-encoded, an array by one of ``http_tasks.ARRAYS``."""
    return joined(list(_fields(body, "", arrays, 0)))


def joined(pairs: Pairs) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)


def _fields(value: Any, name: str, arrays: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > DEEPEST:
        raise StateError("States.Runtime", f"RequestBody nests deeper than the {DEEPEST} levels that a form can have here.")
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _fields(inner, f"{name}[{key}]" if name else key, arrays, depth + 1)
    elif isinstance(value, list):
        if arrays == "COMMAS" and not any(isinstance(inner, dict | list) for inner in value):
            yield name, ",".join(map(scalar, value))
            return
        for index, inner in enumerate(value):
            # An object in an array keeps its index whatever the format: without, its fields could not be told from its neighbour's
            bare = not isinstance(inner, dict | list)
            suffix = {"REPEAT": "", "COMMAS": "", "BRACKETS": "[]"}.get(arrays, f"[{index}]") if bare else f"[{index}]"
            yield from _fields(inner, f"{name}{suffix}", arrays, depth + 1)
    else:
        yield name, scalar(value)


def query(given: Any, field: str = "QueryParameters") -> Pairs:
    """QueryParameters: an object (a list as value repeats the name), a text ``a=1&b=2``, or an array of those."""
    if given is None:
        return []
    if isinstance(given, str):
        return parse_qsl(given.removeprefix("?"), keep_blank_values=True)
    if isinstance(given, list):
        return [pair for each in given for pair in query(each, field)]
    if isinstance(given, dict):
        return [(name, scalar(each)) for name, value in given.items() for each in (value if isinstance(value, list) else (value,))]
    raise StateError("States.Runtime", f"{field} must be an object, an array or a text.")
