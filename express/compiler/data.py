"""Expressions to Python: a definite path becomes subscripts, a template an object, an intrinsic a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from express.compiler import jsonata
from express.compiler.queries import picked
from express.compiler.source import Display, Leaf, Piece, Role, Use, literal
from express.compiler.unit import LONGEST_TEXT, Unit
from express.compiler.variables import Variable
from express.language.jsonata import reads
from express.language.model import (
    ArrayTemplate,
    Call,
    Descendants,
    Expression,
    Jsonata,
    Literal,
    Machine,
    Name,
    ObjectTemplate,
    Path,
    Segment,
)
from express.language.paths import definite
from express.runtime.intrinsics import FUNCTIONS
from express.runtime.paths import compile_path

INLINE = 60  # columns up to which a constant object is written where it is used


class Scope(msgspec.Struct):
    """What paths mean at one point of the code: the local that ``$`` stands for, and what ``$$`` knows of the state.

    ``retries`` and ``entered`` are the Python texts of the attempts made before and the time of entry; ``item`` the locals that hold
    index and value of the innermost Map around. ``known`` has the locals that hold a path's value already. ``variables`` are those that
    may be read, ``certain`` the names of those that are set whatever way led here.
    """

    unit: Unit
    state: str
    variable: str = "data"
    retries: str = "None"  # in all of $$, only states that can be retried have a RetryCount
    entered: str = '""'  # where nobody reads it
    item: tuple[str, str] | None = None
    variables: Mapping[str, Variable] = msgspec.field(default_factory=dict)
    certain: frozenset[str] = frozenset()
    known: dict[tuple[str, tuple[Segment, ...]], str] = msgspec.field(default_factory=dict)
    result: str | None = None  # the locals of $states.result and $states.errorOutput, where there are any
    error_output: str | None = None
    token: str | None = None  # the local of $$.Task.Token

    def on(self, variable: str) -> Scope:
        """The same, with ``$`` as another local."""
        return msgspec.structs.replace(self, variable=variable, known={})


def expression(node: Expression, scope: Scope, field: str, role: Role = "field") -> Piece:
    """Python that computes ``node``. ``field`` is what the definition calls it, for the sentence when a path selects nothing."""
    return _FORMS[type(node)](node, scope, field, role)


def path(node: Path, scope: Scope, field: str, role: Role = "field", text: str = "") -> Leaf:
    """Python that reads a path."""
    if node.root == "$$":
        return _context(node, scope, field, role, text)
    base, sure = root(node, scope)
    if not node.segments and sure:
        return Leaf(base)
    known = scope.known.get((base, node.segments))
    if known is not None:
        return Leaf(known)
    uses = (Use(node, base, role, field, text),)
    if not sure and not (node.segments and definite(node)):
        return Leaf(_select(f"assigned({base})", node.segments, scope), uses)
    return Leaf(_select(base, node.segments, scope), uses)


def root(node: Path, scope: Scope) -> tuple[str, bool]:
    """The local that a path begins at, and whether it is certain to have a value: a variable may be unset."""
    if node.root == "$":
        return scope.variable, True
    name = node.root[1:]
    variable = scope.variables.get(name)
    return ("UNSET", False) if variable is None else (variable.local, name in scope.certain)


def _select(base: str, segments: tuple[Segment, ...], scope: Scope) -> str:
    """Subscripts; an indefinite path is a function of its own."""
    if not definite(Path("$", segments, "")):
        return f"{scope.unit.object(compile_path(segments), scope.state, '_select')}({base})"
    for segment in segments:
        base = f"{base}[{literal(segment.name)}]" if isinstance(segment, Name) else f"item({base}, {segment.index})"  # type: ignore[union-attr]
    return base


# --- The Context Object -----------------------------------------------------------------------------------------------------------

_EXECUTION = {"Id": "id", "Name": "name", "StartTime": "start_time", "RoleArn": "role"}
_MACHINE = {"Id": "workflow_id", "Name": "workflow_name"}


def _context(node: Path, scope: Scope, field: str, role: Role, text: str) -> Leaf:
    """``$$``: only the parts that are used are computed."""
    uses = (Use(node, "", role, field, text),)
    head = tuple(segment.name if isinstance(segment, Name) else None for segment in node.segments)
    unit = scope.unit

    def rest(base: str, taken: int) -> Leaf:
        return Leaf(_select(base, node.segments[taken:], scope), uses)

    match None if unit.stand_in else head:
        case ("Execution", "Input", *_):
            unit.reveals_input = True
            return rest(f"{unit.execution()}.input", 2)
        case ("Execution", field_name) if field_name in _EXECUTION:
            return rest(f"{unit.execution()}.{_EXECUTION[field_name]}", 2)
        case ("StateMachine", field_name) if field_name in _MACHINE:
            return rest(f"{unit.execution()}.{_MACHINE[field_name]}", 2)
        case ("State", "Name"):
            return Leaf(literal(scope.state)) if len(scope.state) <= LONGEST_TEXT else Leaf(unit.object(scope.state, "state name"))
        case ("State", "EnteredTime"):
            return Leaf(scope.entered)
        case ("State", "RetryCount"):
            return Leaf("0" if scope.retries == "None" else scope.retries)
        case ("Map", "Item", "Index") if scope.item is not None:
            return Leaf(scope.item[0])
        case ("Map", "Item", "Value", *_) if scope.item is not None:
            return rest(scope.item[1], 3)
        case ("Task", "Token") if scope.token is not None:
            return rest(scope.token, 2)
        case ("Source", *_):
            return rest(f"{unit.execution()}.source()", 1)
    return rest(context(scope), 0)


def context(scope: Scope) -> str:
    """The whole Context Object."""
    scope.unit.reveals_input = True
    arguments = [literal(scope.state), scope.entered, scope.retries]
    if scope.item is not None:
        arguments.append(f"({', '.join(scope.item)})")
    if scope.token is not None and not scope.unit.stand_in:
        arguments.append(f"token={scope.token}")
    return f"{scope.unit.execution()}.context({', '.join(arguments)})"


def paths(node: Any, root: str) -> Iterator[Path]:
    """All paths below a node that begin at ``root``, but not those of the machines inside it."""
    if isinstance(node, Path):
        if node.root == root:
            yield node
    elif isinstance(node, Jsonata):
        for names in reads(node, "context") if root == "$$" else ():
            yield Path("$$", tuple(Name(name) for name in names), ".".join(["$states.context", *names]))
    elif isinstance(node, Machine):
        return
    elif isinstance(node, msgspec.Struct):
        for name in node.__struct_fields__:
            yield from paths(getattr(node, name), root)
    elif isinstance(node, tuple):
        for inner in node:
            yield from paths(inner, root)


def may_fail(node: Expression) -> bool:
    """Whether computing an expression can fail: whatever is not written in the definition as it is."""
    if isinstance(node, ObjectTemplate):
        return any(may_fail(inner) for _, inner in node.fields)
    if isinstance(node, ArrayTemplate):
        return any(may_fail(inner) for inner in node.items)
    return not isinstance(node, Literal)


def queries(node: Any) -> Iterator[Jsonata]:
    """All JSONata below a node, but not that of the machines inside it."""
    if isinstance(node, Jsonata):
        yield node
    elif isinstance(node, Machine):
        return
    elif isinstance(node, msgspec.Struct):
        for name in node.__struct_fields__:
            yield from queries(getattr(node, name))
    elif isinstance(node, tuple):
        for inner in node:
            yield from queries(inner)


def mentions(node: Any, *wanted: str) -> bool:
    """Whether a state may read a field of the Context Object, or something around or below it (``State``, ``EnteredTime``)."""
    return any(_may_meet(found.segments, wanted) for found in paths(node, "$$"))


def _may_meet(segments: tuple[Segment, ...], wanted: tuple[str, ...]) -> bool:
    """Whether what ``segments`` select may hold, or be in, what the names lead to."""
    for segment, name in zip(segments, wanted, strict=False):
        if isinstance(segment, Descendants):
            return True
        if isinstance(segment, Name) and segment.name != name:
            return False
    return True


# --- Literals, templates, intrinsics ----------------------------------------------------------------------------------------------


def value(constant: Any, unit: Unit, name: str) -> Leaf:
    """Python for a JSON value: as text if that is short, else a named object. Named objects are shared by all events, and never mutated."""
    text = _text(constant, INLINE if isinstance(constant, (dict, list)) else LONGEST_TEXT)
    return Leaf(unit.object(constant, name) if text is None else text)


def _text(constant: Any, room: int) -> str | None:
    """The Python text of a JSON value, or None if it does not fit into ``room`` columns."""
    if isinstance(constant, dict):
        parts = []
        for key, inner in constant.items():
            text = _text(inner, room)
            if text is None or len(key) > room:
                return None
            parts.append(f"{literal(key)}: {text}")
            room -= len(parts[-1]) + 2
        return "{" + ", ".join(parts) + "}" if room >= 0 else None
    if isinstance(constant, list):
        parts = []
        for inner in constant:
            text = _text(inner, room)
            if text is None:
                return None
            parts.append(text)
            room -= len(text) + 2
        return "[" + ", ".join(parts) + "]" if room >= 0 else None
    if isinstance(constant, int) and constant.bit_length() > 64:
        return None
    if isinstance(constant, str) and len(constant) > room:
        return None
    text = literal(constant)
    return text if len(text) <= max(room, 4) + 2 else None


def shared(node: Expression | None) -> bool:
    """Whether the value of an expression may contain an object that others have: a constant one that all events share, a variable's."""
    if isinstance(node, Literal):
        return isinstance(node.value, (dict, list))
    if isinstance(node, ObjectTemplate):
        return any(shared(inner) for _, inner in node.fields)
    if isinstance(node, ArrayTemplate):
        return any(shared(inner) for inner in node.items)
    if isinstance(node, Call):
        return any(shared(inner) for inner in node.arguments)
    if isinstance(node, Jsonata):
        return picked(node) is None
    return isinstance(node, Path) and node.root != "$"


def holds_whole_input(node: Expression | None) -> bool:
    """Whether the value of an expression may contain all of ``$`` itself, not only parts of it."""
    if isinstance(node, Path):
        # ``$..*`` and the like may select anything, but not the root
        return node.root == "$" and not node.segments
    if isinstance(node, ObjectTemplate):
        return any(holds_whole_input(inner) for _, inner in node.fields)
    if isinstance(node, ArrayTemplate):
        return any(holds_whole_input(inner) for inner in node.items)
    if isinstance(node, Call):
        return any(holds_whole_input(inner) for inner in node.arguments)
    return isinstance(node, Jsonata) and "input" in node.states


def _jsonata(node: Jsonata, scope: Scope, field: str, role: Role) -> Piece:
    return jsonata.expression(node, scope, field)


def _literal(node: Literal, scope: Scope, field: str, role: Role) -> Piece:
    return value(node.value, scope.unit, f"{scope.state} {field}")


def _path(node: Path, scope: Scope, field: str, role: Role) -> Piece:
    return path(node, scope, field, role)


def holds_jsonata(node: Expression) -> bool:
    """Whether an expression is, or holds, JSONata: its fields are named by their place, not by themselves."""
    if isinstance(node, ObjectTemplate):
        return any(holds_jsonata(inner) for _, inner in node.fields)
    return isinstance(node, Jsonata) or (isinstance(node, ArrayTemplate) and any(map(holds_jsonata, node.items)))


def _object(node: ObjectTemplate, scope: Scope, field: str, role: Role) -> Piece:
    entries = []
    for name, inner in node.fields:
        key = literal(name) if len(name) <= LONGEST_TEXT else scope.unit.object(name, "key")
        dynamic = not isinstance(inner, (Literal, ObjectTemplate, ArrayTemplate))
        if holds_jsonata(inner):
            place = f"{field}/{name}"
        else:
            place = f"{name}.$" if dynamic else name
        entries.append((f"{key}: ", expression(inner, scope, place, role)))
    return Display("{", tuple(entries), "}")


def _array(node: ArrayTemplate, scope: Scope, field: str, role: Role) -> Piece:
    items = []
    for number, inner in enumerate(node.items):
        items.append(("", expression(inner, scope, f"{field}[{number}]" if holds_jsonata(inner) else field, role)))
    return Display("[", tuple(items), "]")


def _call(node: Call, scope: Scope, field: str, role: Role) -> Piece:
    function = FUNCTIONS[node.function].__name__
    arguments: list[tuple[str, Piece]] = []
    for argument in node.arguments:
        if isinstance(argument, Path):
            arguments.append(("", path(argument, scope, field, "argument", node.text)))
        else:
            arguments.append(("", expression(argument, scope, field, role)))
    return Display(f"{function}(", tuple(arguments), ")")


_FORMS: dict[type, Callable[[Any, Scope, str, Role], Piece]] = {
    Literal: _literal,
    Jsonata: _jsonata,
    Path: _path,
    Call: _call,
    ObjectTemplate: _object,
    ArrayTemplate: _array,
}
