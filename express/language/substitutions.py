"""SAM's and CloudFormation's ``${Name}`` in the texts of a definition: replaced where a value is given, left as they are where none is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from express.language.findings import SUBSTITUTION, WHOLE, Findings, shown

_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")
_QUOTED_OR_BARE = re.compile(r'"(?:[^"\\]|\\.)*"|\$\{([^{}"\n]*)\}', re.DOTALL)


def check(values: Mapping[str, Any], findings: Findings) -> None:
    """Reports values that a definition cannot hold."""
    for name, value in values.items():
        try:
            fits = isinstance(value, str | bool | int | float) and bool(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
        except ValueError:  # not finite, too long, a lone surrogate
            fits = False
        if not fits:
            findings.error(WHOLE, f"the value of the substitution {shown(name)} must be a text, a number, true or false", SUBSTITUTION)


def bare(text: str, values: Mapping[str, Any]) -> str:
    """JSON text with the placeholders that stand outside of quotes replaced: SAM's way to write a number, ``"TimeoutSeconds": ${Seconds}``.
    A value that is JSON itself (a number, true, an array) stands as it is, another becomes a quoted text."""

    def value(found: re.Match[str]) -> str:
        given = values.get(found[1]) if found[1] is not None else None
        if given is None:
            return found[0]
        if not isinstance(given, str):
            return json.dumps(given)
        try:
            json.loads(given)
        except ValueError:
            return json.dumps(given, ensure_ascii=False)
        return given

    return _QUOTED_OR_BARE.sub(value, text) if "${" in text else text


def first_bare(text: str) -> str | None:
    """The name of the first placeholder outside of quotes."""
    return next((found[1] for found in _QUOTED_OR_BARE.finditer(text) if found[1]), None)


def quoted(text: str) -> str:
    """JSON text with quotes around the placeholders that have none: what they will be is not known, the rest can be read."""
    return _QUOTED_OR_BARE.sub(lambda found: f'"{found[0]}"' if found[1] else found[0], text)


def placeholder(value: Any) -> str | None:
    """The first ``${Name}`` in a text."""
    found = _PLACEHOLDER.search(value) if isinstance(value, str) and "${" in value else None
    return found[0] if found else None


def apply(value: Any, values: Mapping[str, Any]) -> Any:
    """``value`` (nested no deeper than ``text.DEPTH``) with every known placeholder replaced, in keys too. What a value holds is text and
    nothing else: quotes in it change no structure. A text that is one placeholder takes a number or truth value as it is given."""
    if isinstance(value, str):
        whole = _PLACEHOLDER.fullmatch(value) if value.startswith("${") else None
        if whole and isinstance(values.get(whole[1]), bool | int | float):
            return values[whole[1]]
        return _PLACEHOLDER.sub(lambda found: _text(values.get(found[1], found[0])), value) if "${" in value else value
    if isinstance(value, dict):
        return {_key(key, values): apply(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [apply(inner, values) for inner in value]
    return value


def _key(key: str, values: Mapping[str, Any]) -> str:
    return _PLACEHOLDER.sub(lambda found: _text(values.get(found[1], found[0])), key) if "${" in key else key


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
