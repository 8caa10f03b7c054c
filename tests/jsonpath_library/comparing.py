"""Pairs of path and document in, those for which Express and the library differ out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from express.language.paths import parse
from express.runtime.paths import compile_path
from tests.jsonpath_library.library import ask

# Where the library breaks off with an error of its own, which docs/language.md names
EXPECTED = ("NumberFormatException", "Multi properties can only be used as path leafs", "root can not be null")


def differences(pairs: Iterable[tuple[str, Any]]) -> Iterator[str]:
    pairs = list(pairs)
    for (path, document), answer in zip(pairs, ask(pairs), strict=True):
        theirs = "fails" if "error" in answer else json.dumps(answer["value"], sort_keys=True)
        ours = selected(path, document)
        if theirs != ours and not any(known in answer.get("error", "") for known in EXPECTED):
            yield f"{path} of {json.dumps(document)}: here {ours}, the library {theirs} {answer.get('error', '')}"


def selected(path: str, document: Any) -> str:
    try:
        return json.dumps(compile_path(parse(path).segments)(document), sort_keys=True)
    except (KeyError, IndexError, TypeError):
        return "fails"
