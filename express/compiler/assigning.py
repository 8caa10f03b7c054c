"""Assign to Python: all new values first, from the old ones; then the variables, once nobody in the state looks at them any more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from express.compiler import data, shaping
from express.compiler.facts import bound
from express.compiler.source import Display, Leaf, Piece, call, literal
from express.compiler.variables import reads
from express.language.model import ArrayTemplate, Assignments, Call, Expression, Jsonata, ObjectTemplate, Path, State
from express.runtime.limits import PAYLOAD, VARIABLES

if TYPE_CHECKING:
    from express.compiler.flow import Frame


class Assigned(msgspec.Struct):
    """What an Assign has computed. ``variables`` are names with their locals; ``held`` are pairs of such a local and the one that has its
    new value until the state ends; ``captures``: parts of the state's data or result are now a variable's, too, ``whole``: all of it.
    ``sizes`` is the local with their sizes, where all variables are counted."""

    variables: tuple[tuple[str, str], ...] = ()
    held: tuple[tuple[str, str], ...] = ()
    captures: bool = False
    whole: bool = False
    sizes: str | None = None


def assign(
    frame: Frame,
    state: State,
    assignments: Assignments,
    scope: data.Scope,
    size: int,
    *,
    hold: bool = False,
    later: Sequence[Any] = (),
    field: str = "Assign",
) -> Assigned:
    """Assign: all new values, from the old ones. ``size`` bounds ``$``.

    What the state still evaluates, ``later``, sees the old values, and so does a Catcher (``hold``): then the new ones wait for ``commit``.
    """
    if not assignments:
        return Assigned()
    names = frozenset(name for name, _ in assignments)
    variables = [scope.variables[name].local for name, _ in assignments]
    hold = hold or bool(names & reads(tuple(later)))
    targets = [frame.names.new(name, "_next") for name, _ in assignments] if hold else variables
    pieces = [_value(name, node, scope, field) for name, node in assignments]
    if not hold and any(names - {name} & reads(node) for name, node in assignments):
        frame.source.together(targets, pieces)
    else:
        for target, piece in zip(targets, pieces, strict=True):
            frame.source.statement(f"{target} = ", piece)
    sizes = [bound(node, size, scope.variables) for _, node in assignments]
    if sum(sizes) > PAYLOAD:
        frame.unit.because(state, "check", f"what it assigns {shaping.may_have(sum(sizes))}")
        values = targets[0] if len(targets) == 1 else f"[{', '.join(targets)}]"
        with frame.source.block(f"if not {shaping.measure(sum(sizes))}({values}, {PAYLOAD}):"):
            frame.source.line(f"raise too_large({shaping.text(frame, state.name)})")
    weights = None
    if frame.unit.stored:
        frame.unit.because(state, "check", f"all variables together may have more than {VARIABLES // 1_048_576} MiB")
        weights = frame.names.new(state.name, "_sizes")
        new = Display("[", tuple(("", Leaf(target)) for target in targets), "]")
        frame.source.statement(f"{weights} = ", call("weigh", "stored", shaping.text(frame, state.name), _named(assignments), new))
    return Assigned(
        tuple((name, local) for (name, _), local in zip(assignments, variables, strict=True)),
        tuple(zip(variables, targets, strict=True)) if hold else (),
        any(captures(node) for _, node in assignments),
        any(data.holds_whole_input(node) for _, node in assignments),
        weights,
    )


def commit(frame: Frame, assigned: Assigned) -> None:
    """The state has computed everything: its variables get their new values."""
    for variable, value in assigned.held:
        frame.source.line(f"{variable} = {value}")
    if assigned.sizes is not None:
        frame.source.statement("", call("keep", "stored", _named(assigned.variables), assigned.sizes))
    frame.traces.assigned(assigned.variables)
    facts, new = frame.facts, {local for _, local in assigned.variables}
    known = {key: local for key, local in facts.known.items() if key[0] not in new}
    frame.facts = replace(facts, known=known, own=facts.own and not assigned.whole, exclusive=facts.exclusive and not assigned.captures)


def _named(assignments: Iterable[tuple[str, object]]) -> Piece:
    """The names of variables, as a list."""
    return Display("[", tuple(("", Leaf(literal(name))) for name, _ in assignments), "]")


def _value(name: str, node: Expression, scope: data.Scope, place: str) -> Piece:
    """The new value of a variable; ``place`` is that of its Assign."""
    field = f"{place}/{name}" if data.holds_jsonata(node) else f"{name}.$" if isinstance(node, (Path, Call)) else name
    return data.expression(node, scope, field)


# Their values are texts, numbers or made by them: no part of an argument
_MAKES_ITS_OWN = frozenset({
    "ArrayRange", "Base64Encode", "Base64Decode", "Hash", "StringToJson", "JsonToString", "MathRandom", "MathAdd", "StringSplit", "UUID",
    "Format", "ArrayLength", "ArrayContains",
})  # fmt: skip


def captures(node: Expression) -> bool:
    """Whether the value of an expression may contain a part of ``$``, not only what is computed from it."""
    if isinstance(node, Path):
        return node.root == "$"
    if isinstance(node, ObjectTemplate):
        return any(captures(inner) for _, inner in node.fields)
    if isinstance(node, ArrayTemplate):
        return any(captures(inner) for inner in node.items)
    if isinstance(node, Call):
        return node.function not in _MAKES_ITS_OWN and any(captures(inner) for inner in node.arguments)
    return isinstance(node, Jsonata)
