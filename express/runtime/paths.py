"""JSONPaths as functions: the parsed segments of a path in (at load), a callable from a value to what the path selects out.

A path of plain names and indexes is compiled to subscripts and never comes here. AWS evaluates paths with json-path 2.0 (docs/language.md
says how that is known), and so do we:

- A path is definite if every segment selects one thing. It gives that value.
- With a wildcard, slice, filter, several indexes or ``..`` anywhere it is indefinite. It gives the list of what it found, if only an
  empty one.
- Where a segment finds nothing the path has failed: KeyError, IndexError or TypeError, and the caller knows which error of the States
  Language that is for its field. Two things are forgiven instead: a name that is missing on the way to the first indefinite segment or
  right behind one (but not at the end of the path), and whatever is missing in an element that ``[*]`` looks at.
- ``['a','b']`` at the end is one object with those of the fields that exist. A filter on an object asks the object itself, not its fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from express.runtime import filters
from express.runtime.failures import StateError
from express.runtime.filters import Misapplied, Missing, Search
from express.runtime.values import dumps

Select: TypeAlias = Callable[[Any], Any]
# From a node to the results, which it appends to the list
_Step: TypeAlias = Callable[[Any, list[Any], Search], None]


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
    """The value, or for an indefinite path the list, that the path selects; KeyError, IndexError or TypeError where it fails."""
    if all(_definite(segments, position) for position in range(len(segments))):
        return filters.getter(segments)
    chain = _chains(segments)[0]

    def select(value: Any) -> list[Any]:
        if value is None:
            raise Missing("null")  # AWS: no path can be applied to a null input
        found: list[Any] = []
        chain(value, found, Search(value))
        return found

    return select


def selects(select: Select, value: Any) -> bool:
    """Whether a path finds what it asks for: IsPresent of an indefinite path. An empty list is something."""
    try:
        select(value)
    except (KeyError, IndexError, TypeError):
        return False
    return True


# --- Segments ---------------------------------------------------------------------------------------------------------------------
# Each is compiled with what comes after it already inside. Recursion is as deep as the path has indefinite segments.


def _kind(segments: Sequence[Any], position: int) -> str:
    return type(segments[position]).__name__ if 0 <= position < len(segments) else ""


def _is_fields(segment: Any) -> bool:
    return type(segment).__name__ == "Union" and all(type(member).__name__ == "Name" for member in segment.members)


def _definite(segments: Sequence[Any], position: int) -> bool:
    last = position == len(segments) - 1
    return _kind(segments, position) in ("Name", "Index") or (last and _is_fields(segments[position]))


def _required(segments: Sequence[Any], position: int) -> bool:
    """Whether a name that is missing here fails the path: at its end, or if all from the segment before it to the end are definite."""
    last = position == len(segments) - 1
    return last or all(_definite(segments, each) for each in range(max(position - 1, 0), len(segments)))


def _chains(segments: Sequence[Any]) -> list[_Step]:
    """For each position one function for the segments from there on; each is made once, from the last to the first."""
    chains: list[_Step] = [_collect] * (len(segments) + 1)
    for position in range(len(segments) - 1, -1, -1):
        kind = _kind(segments, position)
        if kind in ("Name", "Index"):
            # Nobody begins in the middle of a run but a deep scan, behind the name that it looks for
            if position and _kind(segments, position - 1) in ("Name", "Index") and _kind(segments, position - 2) != "Descendants":
                continue
            chains[position] = _run(segments, position, chains)
        elif kind == "Descendants":
            chains[position] = _descendants(segments, position, chains)
        else:
            chains[position] = _expand(segments, position, chains[position + 1])
    return chains


def _collect(node: Any, found: list[Any], search: Search) -> None:
    found.append(node)


def _run(segments: Sequence[Any], position: int, chains: list[_Step]) -> _Step:
    """Names and indexes one after the other."""
    end = position
    while _kind(segments, end) in ("Name", "Index"):
        end += 1
    steps: list[tuple[str | int, bool]] = [
        (segment.name, _required(segments, number)) if type(segment).__name__ == "Name" else (segment.index, True)
        for number, segment in enumerate(segments[position:end], position)
    ]
    cost = len(steps) // 4
    after = chains[end]
    if len(steps) == 1 and after is _collect and steps[0][0].__class__ is str:
        return _field(steps[0][0])

    def run(node: Any, found: list[Any], search: Search) -> None:
        if cost:
            search.spend(cost)
        for key, required in steps:
            if key.__class__ is int:
                node = filters.at(node, key)
            elif node.__class__ is not dict:
                raise Missing(key)
            elif key in node:
                node = node[key]
            elif required:
                raise Missing(key)
            else:
                return
        after(node, found, search)

    return run


def _field(name: str | int) -> _Step:
    """One name at the end of a path, which is where most indefinite paths end."""

    def field(node: Any, found: list[Any], search: Search) -> None:
        if node.__class__ is not dict or name not in node:
            raise Missing(name)
        found.append(node[name])

    return field


def _expand(segments: Sequence[Any], position: int, after: _Step) -> _Step:
    """A segment that may select several things, applied to one node."""
    segment = segments[position]
    kind = type(segment).__name__
    if kind == "Wildcard":
        return _wildcard(after)
    if kind == "Slice":
        return _slice(slice(segment.start, segment.stop, segment.step), after)
    if kind == "Filter":
        return _filter(filters.condition(segment.condition), filters.cost(segment.condition), after)
    if kind == "Union":
        if position == len(segments) - 1 and _is_fields(segment):
            return _fields(tuple(member.name for member in segment.members))
        members = [_member(member, after) for member in segment.members]
        return _union(members)
    raise ValueError(f"a path cannot have a segment {segment!r}")


def _wildcard(after: _Step) -> _Step:
    leaf = after is _collect

    def wildcard(node: Any, found: list[Any], search: Search) -> None:
        if node.__class__ is list:
            search.spend(len(node))
            if leaf:
                found.extend(node)
                return
            for element in node:
                try:  # noqa: SIM105 - suppress() costs ten times as much
                    after(element, found, search)
                except Missing:
                    pass
        elif node.__class__ is dict:
            search.spend(len(node))
            for value in node.values():
                after(value, found, search)

    return wildcard


def _slice(part: slice, after: _Step) -> _Step:
    def steps(node: Any, found: list[Any], search: Search) -> None:
        chosen = filters.array(node)[part]
        search.spend(len(chosen))
        for element in chosen:
            after(element, found, search)

    return steps


def _member(segment: Any, after: _Step) -> _Step:
    """One of several indexes, slices or names."""
    kind = type(segment).__name__
    if kind == "Slice":
        return _slice(slice(segment.start, segment.stop, segment.step), after)
    if kind == "Index":
        return lambda node, found, search: after(filters.at(node, segment.index), found, search)
    name = segment.name

    def named(node: Any, found: list[Any], search: Search) -> None:
        if node.__class__ is not dict:
            raise Missing(name)
        if name in node:
            after(node[name], found, search)

    return named


def _union(members: list[_Step]) -> _Step:
    def union(node: Any, found: list[Any], search: Search) -> None:
        search.spend(len(members))
        for member in members:
            member(node, found, search)

    return union


def _fields(names: tuple[str, ...]) -> _Step:
    """``['a','b']`` at the end: one object."""

    def fields(node: Any, found: list[Any], search: Search) -> None:
        search.spend(len(names))
        found.append(filters.fields(node, names))

    return fields


def _filter(test: filters.Test, cost: int, after: _Step) -> _Step:
    def keep(node: Any, found: list[Any], search: Search) -> None:
        if node.__class__ is dict:
            search.spend(cost)
            if test(node, search):
                after(node, found, search)
        elif node.__class__ is list:
            search.spend(cost * len(node))
            for element in node:
                if test(element, search):
                    after(element, found, search)
        else:
            raise Misapplied("a filter needs an array or an object")

    return keep


def _descendants(segments: Sequence[Any], position: int, chains: list[_Step]) -> _Step:
    """``..`` with the segment behind it, which is tried on the node and on everything below it, parents first.

    As in AWS's library, that segment selects from an array itself only at the end of the path: before the end, its place is taken by every
    element of the array, and only objects are asked for it.
    """
    here, beyond = chains[position + 1], chains[position + 2]
    if _kind(segments, position + 1) == "Name":
        return _named_descendants(segments[position + 1].name, beyond)
    of_object, of_array = _asked(segments, position + 1)
    leaf = position + 2 == len(segments)

    def descend(node: Any, found: list[Any], search: Search) -> None:
        left = [node]
        while left:
            node = left.pop()
            if node.__class__ is dict:
                search.spend(1 + len(node))
                if of_object(node, search):
                    here(node, found, search)
                left.extend(reversed(node.values()))
            elif node.__class__ is list:
                search.spend(1 + len(node))
                if of_array(node, search):
                    if leaf:
                        here(node, found, search)
                    else:
                        for element in node:
                            beyond(element, found, search)
                left.extend(reversed(node))

    return descend


def _named_descendants(name: str, beyond: _Step) -> _Step:
    """``..name``."""
    leaf = beyond is _collect

    def descend(node: Any, found: list[Any], search: Search) -> None:
        left = [node]
        while left:
            node = left.pop()
            if node.__class__ is dict:
                search.spend(1 + len(node))
                if name in node:
                    if leaf:
                        found.append(node[name])
                    else:
                        beyond(node[name], found, search)
                left.extend(reversed(node.values()))
            elif node.__class__ is list:
                search.spend(1 + len(node))
                left.extend(reversed(node))

    return descend


def _asked(segments: Sequence[Any], position: int) -> tuple[filters.Test, filters.Test]:
    """Which objects and which arrays the segment behind ``..`` is tried on."""
    segment = segments[position]
    kind = type(segment).__name__
    if kind == "Wildcard":
        return _always, _always
    if kind == "Filter":
        test = filters.condition(segment.condition)
        cost = filters.cost(segment.condition)

        def accepts(node: Any, search: Search) -> bool:
            search.spend(cost)
            return test(node, search)

        return accepts, accepts
    if kind == "Union" and _is_fields(segment):
        names = [member.name for member in segment.members]
        return lambda node, search: all(name in node for name in names), _never
    return _never, _always


def _always(node: Any, search: Search) -> bool:
    return True


def _never(node: Any, search: Search) -> bool:
    return False
