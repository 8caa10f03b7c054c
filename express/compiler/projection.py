"""A machine in; out, the fields of an event that it can ever look at. The others need not even be decoded.

Most workflows begin by looking at a few fields and picking the ones they need. What they do not pick cannot be seen by anybody after that,
unless the Context Object's Execution.Input is read somewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from express.compiler import data
from express.compiler.choice import comparisons
from express.compiler.graph import Plan, exits
from express.compiler.variables import assigns
from express.language.jsonata import reads
from express.language.model import (
    ROOT,
    ArrayTemplate,
    Call,
    Choice,
    Expression,
    Fail,
    Literal,
    Name,
    ObjectTemplate,
    Pass,
    Path,
    State,
    Succeed,
    Task,
)

Shape = dict[str, "Shape"]  # the fields of an object; {} stands for a whole value


class Projection(msgspec.Struct, frozen=True):
    """``shape`` are the fields that are looked at, ``states`` the locations of the states that look."""

    shape: Shape
    states: frozenset[str]


def described(projection: Projection | None) -> str:
    """How far an event's text is decoded, in words."""
    if projection is None:
        return "a pipeline decodes whole events: more than fields by their names may be looked at"
    return f"a pipeline decodes of an event only {', '.join(_leaves(projection.shape))}"


def _leaves(shape: Shape, around: str = "$") -> Iterator[str]:
    for name, inner in shape.items():
        if inner:
            yield from _leaves(inner, f"{around}.{name}")
        else:
            yield f"{around}.{name}"


def of(plan: Plan) -> Projection | None:
    """What the machine of ``plan`` looks at, or None if that may be everything."""
    shape: Shape = {}
    looking = set()
    pending = [plan.machine.start_at]
    seen = set(pending)
    while pending:
        state = plan.machine.states[pending.pop()]
        if state.location != plan.machine.states[plan.machine.start_at].location and state.name in plan.heads:
            return None  # another function: it would not know of the whole event
        looking.add(state.location)
        for path in _looks(state):
            if path is None or not _add(shape, path):
                return None
        if isinstance(state, Choice):
            for target, _ in exits(state):
                if target is not None and target not in seen:
                    seen.add(target)
                    pending.append(target)
    return Projection(shape, frozenset(looking)) if shape else None


def _looks(state: State) -> Iterator[Path | None]:
    """The paths that a state reads of an event; None if the event goes on behind it."""
    if any(assigns(state)):
        yield None  # a variable may hold anything, as long as it likes
    elif state.jsonata:
        yield from _queried(state)
    elif isinstance(state, Choice) and state.input_path == ROOT and state.output_path == ROOT:
        for rule in state.rules:
            for comparison in comparisons(rule.condition):
                yield comparison.variable
                if isinstance(comparison.operand, Path):
                    yield comparison.operand
    elif isinstance(state, Fail):
        yield from _paths(state.error)
        yield from _paths(state.cause)
    elif isinstance(state, (Pass, Task)) and state.input_path == ROOT and state.result_path == ROOT and state.parameters is not None:
        if isinstance(state, Pass) and state.result is not None:
            return
        yield from _paths(state.parameters)
        if isinstance(state, Task):
            for node in (state.timeout_seconds, state.heartbeat_seconds):
                yield from _paths(node)
            if any(catcher.result_path != ROOT for catcher in state.catch):
                yield None
    else:
        yield None


def _queried(state: State) -> Iterator[Path | None]:
    """The same for a state in JSONata."""
    if isinstance(state, Choice):
        seen: list[Any] = [state.output, *((rule.condition, rule.output) for rule in state.rules)]
    elif isinstance(state, Task) and state.parameters is not None:
        seen = [state.parameters, state.output, state.timeout_seconds, state.heartbeat_seconds, state.credentials, state.catch]
    elif isinstance(state, (Pass, Succeed)) and state.output is not None:
        seen = [state.output]
    elif isinstance(state, Fail):
        seen = [state.error, state.cause]
    else:
        yield None
        return
    for query in data.queries(tuple(seen)):
        for names in reads(query, "input"):
            yield Path("$", tuple(Name(name) for name in names), query.text)


def _paths(node: Expression | None) -> Iterator[Path]:
    if isinstance(node, Path):
        yield node
    elif isinstance(node, ObjectTemplate):
        for _, inner in node.fields:
            yield from _paths(inner)
    elif isinstance(node, ArrayTemplate):
        for inner in node.items:
            yield from _paths(inner)
    elif isinstance(node, Call):
        for inner in node.arguments:
            yield from _paths(inner)
    else:
        assert node is None or isinstance(node, Literal)


def _add(shape: Shape, path: Path) -> bool:
    """Puts a path into the shape; False if it may look at everything."""
    if path.root != "$":
        return True
    names = []
    for segment in path.segments:
        if not isinstance(segment, Name):
            break
        names.append(segment.name)
    if not names or not all(map(str.isascii, names)):
        return False  # msgspec's decoder of chosen fields never finds a name beyond ASCII
    here = shape
    for position, name in enumerate(names):
        whole = position == len(names) - 1
        if name in here and not here[name]:
            return True  # all of it is there already
        if whole:
            here[name] = {}
        else:
            here = here.setdefault(name, {})
    return True
