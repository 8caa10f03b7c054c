"""A compiled workflow in, why the code of each state is as it is out: what became code, what did not, what is paid and for what.

What concerns expressions follows from the definition; the rest is what the compiler has written down where it decided (``Unit.because``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from express.compiler import data, jsonata
from express.compiler.unit import About
from express.language.model import Call, Jsonata, Machine, Path, State
from express.language.paths import definite

SHOWN = 60  # characters of an expression


class Reason(msgspec.Struct, frozen=True):
    """One thing about the code of a state. ``about``: code, library, path, call, copy, check, function, wait, text; see ``ABOUT``."""

    state: str
    location: str
    about: About
    text: str


ABOUT: dict[About, str] = {
    "code": "expressions that are Python",
    "path": "paths that are walked by a function made from them",
    "library": "expressions that jsonatapy evaluates",
    "call": "how a task is called",
    "copy": "a copy that is made",
    "check": "a size that is measured",
    "function": "where a function of its own begins",
    "wait": "why it can wait",
    "text": "how far a pipeline decodes an event, and where its output's text is measured",
}


def explain(states: Sequence[State], noted: Mapping[str, Sequence[tuple[About, str]]]) -> Iterator[Reason]:
    """State by state, in the definition's order. ``noted`` is what the compiler has written down, by the state's JSON pointer."""
    for state in states:
        for about, text in (*_expressions(state), *noted.get(state.location, ())):
            yield Reason(state.name, state.location, about, text)


def _expressions(state: State) -> Iterator[tuple[About, str]]:
    code: list[str] = []
    others: list[tuple[About, str]] = []
    for node in dict.fromkeys(_nodes(state)):
        if isinstance(node, Jsonata):
            reason = jsonata.how(node)
            if reason is None:
                code.append(node.text)
            else:
                others.append(("library", f"{_cut(node.text)}: {reason}"))
        elif isinstance(node, Call) or definite(node):
            code.append(node.text)
        else:
            others.append(("path", f"{_cut(node.text)}: it may select several values"))
    if code:
        yield "code", ", ".join(_cut(text) for text in code)
    yield from others


def _nodes(node: Any) -> Iterator[Path | Call | Jsonata]:
    """Every path, intrinsic and JSONata that a state evaluates itself; of the arguments of intrinsics what is not part of their code."""
    if isinstance(node, Path):
        if node.segments:
            yield node
    elif isinstance(node, Call | Jsonata):
        yield node
        if isinstance(node, Call):
            yield from (inner for inner in data.paths(node.arguments, "$") if not definite(inner))
    elif isinstance(node, Machine):
        return
    elif isinstance(node, msgspec.Struct):
        for name in node.__struct_fields__:
            if name != "result_path":
                yield from _nodes(getattr(node, name))
    elif isinstance(node, tuple):
        for inner in node:
            yield from _nodes(inner)


def _cut(text: str) -> str:
    shown = " ".join(text.split())
    return shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 1]}…"
