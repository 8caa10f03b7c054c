"""What Express runs and AWS would not: for definitions that must run in both places."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from express.errors import Problem
from express.language.codes import NOT_PORTABLE
from express.language.findings import WHOLE, below, shown

_PLACEHOLDER = re.compile(r"\$\{[^{}]+\}")
_SOURCE = re.compile(r"\$\$\s*(?:\.\s*Source\b|\[\s*['\"]Source['\"]\s*\])|\$states\s*\.\s*context\s*\.\s*(?:Source\b|`Source`)")


def check(raw: Any, wider: Iterable[tuple[str, str]]) -> list[Problem]:
    """An ERROR for each place. ``raw`` is the definition's JSON value, after substitutions; ``wider`` was noted when it was read."""
    found = [(location, reason) for location, text in _texts(raw) for reason in _reasons(text)]
    return [Problem("ERROR", NOT_PORTABLE, location or WHOLE, reason) for location, reason in [*found, *wider]]


def _reasons(text: str) -> Iterator[str]:
    if found := _SOURCE.search(text):
        yield f"{shown(found[0])} is an extension of Express: AWS's Context Object has no Source"
    if found := _PLACEHOLDER.search(text):
        yield f"{found[0]} is a substitution without a value: AWS takes it as it stands (--substitute {found[0][2:-1]}=VALUE gives it one)"


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """Every text in it but Comments, with its place, in the order of the definition."""
    todo: list[tuple[str, Any]] = [("", value)]
    while todo:
        location, each = todo.pop()
        if isinstance(each, str):
            yield location, each
        elif isinstance(each, dict):
            todo += [(below(location, name), inner) for name, inner in reversed(each.items()) if name != "Comment"]
        elif isinstance(each, list):
            todo += [(below(location, number), inner) for number, inner in reversed(list(enumerate(each)))]
