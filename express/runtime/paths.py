"""JSONPaths as functions: the parsed segments of a path in (at load), a callable from a value to what the path selects out.

A path of plain names and indexes is compiled to subscripts and never comes here. AWS evaluates paths with Jayway's library, and so do we:

- A path is definite while every segment selects one thing. Then a missing name is an error: KeyError, IndexError or TypeError, and the
  caller knows which error of the States Language that is for its field. Behind the first wildcard, slice, filter, union or ``..`` whatever
  is missing is skipped.
- A definite path gives the value, an indefinite one the list of what it found, which may be empty.
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
    """The value, or for an indefinite path the list, that the path selects; KeyError, IndexError or TypeError where there is none."""
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
# Each is a function from the nodes selected so far to the next ones. `strict` says that the path is definite up to here.


def _chain(segments: Sequence[Any]) -> tuple[_Step, bool]:
    steps: list[_Step] = []
    strict = True
    for position, segment in enumerate(segments):
        kind = type(segment).__name__
        is_last = position == len(segments) - 1
        if kind == "Name":
            steps.append(_name(segment.name, strict))
            continue
        if kind == "Index":
            steps.append(_index(segment.index, strict))
            continue
        if kind == "Union" and is_last and all(type(member).__name__ == "Name" for member in segment.members):
            below = position > 0 and type(segments[position - 1]).__name__ == "Descendants"
            steps.append(_fields(tuple(member.name for member in segment.members), strict, complete=below))
            continue
        if kind == "Wildcard":
            steps.append(_wildcard)
        elif kind == "Slice":
            steps.append(_slice(slice(segment.start, segment.stop, segment.step), strict))
        elif kind == "Union":
            steps.append(_union([_chain([member])[0] for member in segment.members], strict))
        elif kind == "Descendants":
            steps.append(_descendants)
        elif kind == "Filter":
            steps.append(_filter(_condition(segment.condition), strict))
        else:
            raise ValueError(f"a path cannot have a segment {segment!r}")
        strict = False

    def chain(nodes: list[Any], search: _Search) -> list[Any]:
        for step in steps:
            nodes = step(nodes, search)
            search.spend(len(nodes))
        return nodes

    return chain, strict


def _name(name: str, strict: bool) -> _Step:
    if strict:

        def one(nodes: list[Any], search: _Search) -> list[Any]:
            return [nodes[0][name]]

        return one
    return lambda nodes, search: [node[name] for node in nodes if node.__class__ is dict and name in node]


def _index(index: int, strict: bool) -> _Step:
    if strict:

        def one(nodes: list[Any], search: _Search) -> list[Any]:
            return [item(nodes[0], index)]

        return one
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


def _slice(part: slice, strict: bool) -> _Step:
    def cut(nodes: list[Any], search: _Search) -> list[Any]:
        if strict and nodes[0].__class__ is not list:
            raise TypeError("not an array")
        return [member for node in nodes if node.__class__ is list for member in node[part]]

    return cut


def _union(members: list[_Step], strict: bool) -> _Step:
    """Several indexes, slices or names: what is missing is skipped."""

    def union(nodes: list[Any], search: _Search) -> list[Any]:
        if strict and nodes[0].__class__ is not list and nodes[0].__class__ is not dict:
            raise TypeError("neither an array nor an object")
        found: list[Any] = []
        for node in nodes:
            for member in members:
                try:
                    found.extend(member([node], search))
                except (KeyError, IndexError, TypeError):
                    continue
        return found

    return union


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


def _filter(test: _Test, strict: bool) -> _Step:
    def keep(nodes: list[Any], search: _Search) -> list[Any]:
        if strict and nodes[0].__class__ is not list and nodes[0].__class__ is not dict:
            raise TypeError("neither an array nor an object")
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
