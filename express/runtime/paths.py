"""JSONPaths as functions: the parsed segments of a path in (at load), a callable from a value to what the path selects out.

A path of plain names and indexes is compiled to subscripts and never comes here. AWS evaluates paths with Jayway's library, and so do we:

- A path is definite if every segment selects one thing. It gives that value; where there is none it raises KeyError, IndexError or
  TypeError, and the caller knows which error of the States Language that is for its field.
- With a wildcard, slice, filter, union or ``..`` anywhere it is indefinite. It gives the list of what it found, which may be empty;
  whatever is missing on the way is skipped, also before the first such segment.
- ``['a','b']`` at the end is one object with those of the fields that exist. A filter on an object asks the object itself, not its fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from express.runtime.failures import StateError
from express.runtime.limits import PATH_STEPS
from express.runtime.values import dumps, equal

Select: TypeAlias = Callable[[Any], Any]


class _Search:
    """One evaluation: the whole document, for ``$`` inside filters, and the steps it may still take."""

    __slots__ = ("document", "left")

    def __init__(self, document: Any, left: int = PATH_STEPS) -> None:
        self.document = document
        self.left = left

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise StateError("States.Runtime", f"A JSONPath selects too much: it took more than {PATH_STEPS} steps")


_Step: TypeAlias = Callable[[list[Any], _Search], list[Any]]
_Test: TypeAlias = Callable[[Any, _Search], bool]
_Operand: TypeAlias = Callable[[Any, _Search], Any]


class _Absent:
    """What a path inside a filter gives where there is nothing."""


_ABSENT = _Absent()


# --- For generated code -----------------------------------------------------------------------------------------------------------


def item(value: Any, index: int) -> Any:
    """``value[index]`` of a list only (a text has items in Python); negative from the end."""
    if value.__class__ is not list:
        raise TypeError("not an array")
    return value[index]


def put(value: Any, names: Sequence[str | int], new: Any) -> Any:
    """``value`` with ``new`` at the place that ``names`` leads to; ``value`` stays as it is, what lies beside the place is shared.

    Objects that are missing on the way are made, array items are not.
    """
    containers: list[Any] = []
    here = value
    last = len(names) - 1
    for position, name in enumerate(names):
        if here.__class__ is dict and name.__class__ is str:
            containers.append(here)
            if position < last:
                here = here.get(name, {})
        elif here.__class__ is list and name.__class__ is int and -len(here) <= name < len(here):
            containers.append(here)
            here = here[name]
        else:
            raise StateError(
                "States.ResultPathMatchFailure", f"Unable to apply ReferencePath {_written(names)} to input {dumps(value).decode()}"
            )
    for container, name in zip(reversed(containers), reversed(names), strict=True):
        made = container.copy()
        made[name] = new
        new = made
    return new


def _written(names: Iterable[str | int]) -> str:
    return "$" + "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in names)


def compile_path(segments: Sequence[Any]) -> Select:
    """The value, or for an indefinite path the list, that the path selects. A definite path: KeyError, IndexError or TypeError for none."""
    step, definite = _chain(segments)
    if definite:
        return lambda value: step([value], _Search(value))[0]
    return lambda value: step([value], _Search(value))


def compile_segments(segments: Sequence[Any]) -> Callable[[Any], list[Any]]:
    """Everything that the path selects, always as a list; for what is missing as ``compile_path``."""
    step, _ = _chain(segments)
    return lambda value: step([value], _Search(value))


def select(value: Any, segments: Sequence[Any]) -> list[Any]:
    """``compile_segments`` for once."""
    return compile_segments(segments)(value)


# --- Segments ---------------------------------------------------------------------------------------------------------------------
# Each is a function from the nodes selected so far to the next ones. `strict`, in definite paths: what is missing is an error.


def _chain(segments: Sequence[Any]) -> tuple[_Step, bool]:
    """One function for all segments, and whether they are definite."""
    definite = all(type(segment).__name__ in ("Name", "Index") for segment in segments[:-1])
    definite = definite and (not segments or type(segments[-1]).__name__ in ("Name", "Index") or _is_fields(segments[-1]))
    steps = [_segment(segments, position, definite) for position in range(len(segments))]

    def chain(nodes: list[Any], search: _Search) -> list[Any]:
        for step in steps:
            nodes = step(nodes, search)
            search.spend(len(nodes))
        return nodes

    return chain, definite


def _is_fields(segment: Any) -> bool:
    return type(segment).__name__ == "Union" and all(type(member).__name__ == "Name" for member in segment.members)


def _segment(segments: Sequence[Any], position: int, strict: bool) -> _Step:
    segment = segments[position]
    kind = type(segment).__name__
    if kind == "Name":
        return _name(segment.name, strict)
    if kind == "Index":
        return _index(segment.index, strict)
    if kind == "Wildcard":
        return _wildcard
    if kind == "Slice":
        return _slice(slice(segment.start, segment.stop, segment.step))
    if kind == "Union":
        if position == len(segments) - 1 and _is_fields(segment):
            below = position > 0 and type(segments[position - 1]).__name__ == "Descendants"
            return _fields(tuple(member.name for member in segment.members), strict, complete=below)
        return _union([_segment([member], 0, False) for member in segment.members])
    if kind == "Descendants":
        return _descendants
    if kind == "Filter":
        return _filter(_condition(segment.condition))
    raise ValueError(f"a path cannot have a segment {segment!r}")


def _name(name: str, strict: bool) -> _Step:
    if strict:
        return lambda nodes, search: [nodes[0][name]]
    return lambda nodes, search: [node[name] for node in nodes if node.__class__ is dict and name in node]


def _index(index: int, strict: bool) -> _Step:
    if strict:
        return lambda nodes, search: [item(nodes[0], index)]
    return lambda nodes, search: [node[index] for node in nodes if node.__class__ is list and -len(node) <= index < len(node)]


def _fields(names: tuple[str, ...], strict: bool, *, complete: bool) -> _Step:
    """``['a','b']`` at the end: one object. ``complete`` (behind ``..``): only of objects that have all of them."""

    def fields(nodes: list[Any], search: _Search) -> list[Any]:
        if strict and nodes[0].__class__ is not dict:
            raise TypeError("not an object")
        return [
            {name: node[name] for name in names if name in node}
            for node in nodes
            if node.__class__ is dict and (not complete or all(name in node for name in names))
        ]

    return fields


def _wildcard(nodes: list[Any], search: _Search) -> list[Any]:
    found: list[Any] = []
    for node in nodes:
        if node.__class__ is dict:
            found.extend(node.values())
        elif node.__class__ is list:
            found.extend(node)
        search.spend(1)
    return found


def _slice(part: slice) -> _Step:
    return lambda nodes, search: [member for node in nodes if node.__class__ is list for member in node[part]]


def _union(members: list[_Step]) -> _Step:
    """Several indexes, slices or names, node by node."""
    return lambda nodes, search: [found for node in nodes for member in members for found in member([node], search)]


def _descendants(nodes: list[Any], search: _Search) -> list[Any]:
    """Every node and everything below it, parents first."""
    found: list[Any] = []
    for node in nodes:
        left = [node]
        while left:
            here = left.pop()
            found.append(here)
            if here.__class__ is dict:
                below = list(here.values())
            elif here.__class__ is list:
                below = here
            else:
                continue
            search.spend(len(below))
            left.extend(reversed(below))
    return found


def _filter(test: _Test) -> _Step:
    def keep(nodes: list[Any], search: _Search) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            candidates = node if node.__class__ is list else [node] if node.__class__ is dict else []
            search.spend(len(candidates))
            found.extend(candidate for candidate in candidates if test(candidate, search))
        return found

    return keep


# --- Filters ----------------------------------------------------------------------------------------------------------------------


def _condition(condition: Any) -> _Test:
    kind = type(condition).__name__
    if kind == "FilterComparison":
        left, right = _operand(condition.left), _operand(condition.right)
        if condition.operator == "in":
            return lambda candidate, search: _within(left(candidate, search), right(candidate, search), search)
        if condition.operator not in _COMPARE:
            raise ValueError(f"a filter cannot have the operator {condition.operator}")
        compare = _COMPARE[condition.operator]
        return lambda candidate, search: compare(left(candidate, search), right(candidate, search))
    if kind == "FilterExists":
        found = _operand(condition.path)
        return lambda candidate, search: found(candidate, search) is not _ABSENT
    if kind == "FilterNot":
        test = _condition(condition.condition)
        return lambda candidate, search: not test(candidate, search)
    tests = [_condition(each) for each in condition.conditions]
    if kind == "FilterAll":
        return lambda candidate, search: all(test(candidate, search) for test in tests)
    return lambda candidate, search: any(test(candidate, search) for test in tests)


def _operand(operand: Any) -> _Operand:
    """A plain value, what a path selects, or ``_ABSENT``."""
    if type(operand).__name__ == "FilterValue":
        value = list(operand.value) if isinstance(operand.value, tuple) else operand.value
        return lambda candidate, search: value
    step, definite = _chain(operand.segments)
    of_member = operand.root == "@"

    def selected(candidate: Any, search: _Search) -> Any:
        search.spend(1)
        try:
            nodes = step([candidate if of_member else search.document], search)
        except (KeyError, IndexError, TypeError):
            return _ABSENT
        if definite:
            return nodes[0]
        return nodes or _ABSENT

    return selected


def _equal(one: Any, other: Any) -> bool:
    return one is not _ABSENT and other is not _ABSENT and equal(one, other)


def _within(one: Any, others: Any, search: _Search) -> bool:
    if others.__class__ is not list:
        return False
    search.spend(len(others))
    return any(_equal(one, other) for other in others)


def _ordered(one: Any, other: Any) -> bool:
    numbers = (int, float)
    return (one.__class__ in numbers and other.__class__ in numbers) or (one.__class__ is str and other.__class__ is str)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": _equal,
    "!=": lambda one, other: not _equal(one, other),
    "<": lambda one, other: _ordered(one, other) and one < other,
    "<=": lambda one, other: _ordered(one, other) and one <= other,
    ">": lambda one, other: _ordered(one, other) and one > other,
    ">=": lambda one, other: _ordered(one, other) and one >= other,
}
