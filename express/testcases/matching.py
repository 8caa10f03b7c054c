"""Two JSON values in, what differs between them out, one sentence a place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

LONGEST = 200  # characters of a value that is shown


def differences(expected: Any, found: Any, *, partly: bool = False, place: str = "$") -> Iterator[str]:
    """``$.total: expected 65, found 66``, for every place where the values are not the same JSON.

    ``partly``: ``found`` may have fields that ``expected`` does not name, at every depth; lists are as long as expected either way.
    """
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, value in expected.items():
            below = f"{place}{_step(name)}"
            if name not in found:
                yield f"{below}: expected {shown(value)}, it is not there"
            else:
                yield from differences(value, found[name], partly=partly, place=below)
        if not partly:
            for name, value in found.items():
                if name not in expected:
                    yield f"{place}{_step(name)}: not expected, found {shown(value)}"
    elif isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        for number, (one, other) in enumerate(zip(expected, found, strict=False)):
            yield from differences(one, other, partly=partly, place=f"{place}[{number}]")
        for number, value in enumerate(expected[len(found) :], len(found)):
            yield f"{place}[{number}]: expected {shown(value)}, the list ends before it"
        for number, value in enumerate(found[len(expected) :], len(expected)):
            yield f"{place}[{number}]: not expected, found {shown(value)}"
    elif not _same(expected, found):
        yield f"{place}: expected {shown(expected)}, found {shown(found)}"


def has(found: Any, expected: Any) -> bool:
    """Whether ``found`` has everything that ``expected`` names."""
    return next(differences(expected, found, partly=True), None) is None


def _same(one: Any, other: Any) -> bool:
    """As JSON: 1 and 1.0 are the same number, true is not a number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return type(one) is type(other) and one == other if not _number(one) else _number(other) and one == other


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _step(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{json.dumps(name, ensure_ascii=False)}]"


def shown(value: Any) -> str:
    """A value as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
