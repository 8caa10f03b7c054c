"""What is known of the data at one point of the code: how large it can be, and who else may look at it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Protocol

import msgspec

from express.compiler import queries
from express.compiler.queries import ENDLESS, ITEM, SHORT, SHORT_CONTEXT
from express.language.model import (
    ArrayTemplate,
    Call,
    Descendants,
    Expression,
    Index,
    Jsonata,
    Literal,
    Name,
    ObjectTemplate,
    Path,
    Segment,
    State,
    Union,
)
from express.runtime.limits import PAYLOAD
from express.runtime.values import size


class Facts(msgspec.Struct, frozen=True):
    """``bound``: no more bytes as JSON than this. ``own``: the outermost object was made here, so a field may be set in place.
    ``exclusive``: nobody else can reach anything inside, so a function may have it without a copy.
    ``fields``: the names of the outermost object's fields, where all are known.
    ``known``: locals that hold the value of a path on the data already.
    ``owed``: a state whose output may be over the limit, which is yet to be checked; since then the data has only grown, by the fields that
    the states in ``grown`` have set, in this order."""

    bound: int = PAYLOAD
    own: bool = False
    exclusive: bool = False
    fields: frozenset[str] | None = None
    known: Mapping[tuple[str, tuple[Segment, ...]], str] = msgspec.field(default_factory=dict)
    owed: State | None = None
    grown: tuple[tuple[State, str], ...] = ()


class Bounded(Protocol):
    """A variable, as far as it counts here: the most bytes that its value has as JSON."""

    @property
    def bound(self) -> int: ...


Variables = Mapping[str, Bounded]  # by name


def bound(node: Expression, data: int, variables: Variables, item: Path | None = None) -> int:
    """The most bytes that the value of an expression has as JSON, when ``$`` has at most ``data``.

    ``item`` is the path of the array that a Map takes its items from, where they are parts of ``$``."""
    whole: list[Path] = []
    fixed = _fixed(node, data, variables, whole, item)
    paths = [path for path in whole if path.root == "$"]
    # Parts that do not overlap are together no larger than the whole, with their names and brackets to spare
    if _apart(paths):
        saved = sum(_wrapping(path) for path in paths)
        return max(2, fixed + (max(0, data - saved) if paths else 0))
    return fixed + data * len(paths)


def _fixed(node: Expression, data: int, variables: Variables, paths: list[Path], item: Path | None) -> int:
    """The bytes around the paths of an expression; definite paths are collected in ``paths``."""
    if isinstance(node, Literal):
        return size(node.value)
    if isinstance(node, ObjectTemplate):
        return 2 + sum(size(name) + 2 + _fixed(inner, data, variables, paths, item) for name, inner in node.fields)
    if isinstance(node, ArrayTemplate):
        return 2 + sum(1 + _fixed(inner, data, variables, paths, item) for inner in node.items)
    if isinstance(node, Path):
        if node.root == "$" and all(isinstance(segment, (Name, Index)) for segment in node.segments):
            paths.append(node)
            return 0
        if any(isinstance(segment, (Descendants, Union)) for segment in node.segments[:-1]) or _several(node.segments):
            return ENDLESS  # what lies deep is selected once for every level around it, and [0,0,0] selects one item three times
        if node.root == "$$":
            names = tuple(segment.name if isinstance(segment, Name) else None for segment in node.segments)
            of = queries.of_item(names, node.segments, item)
            if of is not None and all(isinstance(segment, (Name, Index)) for segment in node.segments):
                paths.append(of)
                return 0
            return SHORT if names in SHORT_CONTEXT else 2 * PAYLOAD
        if node.root == "$":
            return 2 * data
        variable = variables.get(node.root[1:])
        most = 0 if variable is None else variable.bound
        return most if all(isinstance(segment, (Name, Index)) for segment in node.segments) else 2 * most
    if isinstance(node, Jsonata):
        return queries.fixed(node, variables, paths, item)
    return _call(node, data, variables, item)


def _several(segments: tuple[Segment, ...]) -> bool:
    """Whether a path ends in several indexes; several names make one object."""
    last = segments[-1] if segments else None
    return isinstance(last, Union) and not all(isinstance(member, Name) for member in last.members)


def _call(node: Call, data: int, variables: Variables, item: Path | None) -> int:
    """Intrinsics: a text in a text has its quotes escaped, an array in pieces has more brackets."""
    if node.function in ("MathAdd", "MathRandom", "ArrayLength", "ArrayContains"):
        return 24
    if node.function in ("UUID", "Hash"):
        return 256
    if node.function == "ArrayRange":
        return 16_384
    if node.function in ("Base64Encode", "Base64Decode"):
        return 65_536
    inside = 64 + sum(2 + bound(argument, data, variables, item) for argument in node.arguments)
    return inside if node.function in ("Array", "JsonMerge", "ArrayGetItem", "ArrayUnique") else 4 * inside


def only_once(node: Expression | None) -> bool:
    """Whether no two places in the value of an expression may be the same object: its paths select different parts of the data."""
    paths: list[Path] = []
    return node is None or (_all_definite(node, paths) and _apart(paths))


def _all_definite(node: Expression, paths: list[Path]) -> bool:
    """Collects the paths of an expression; False if one of them, or an intrinsic, may give an object that another place has, too."""
    if isinstance(node, ObjectTemplate):
        return all(_all_definite(inner, paths) for _, inner in node.fields)
    if isinstance(node, ArrayTemplate):
        return all(_all_definite(inner, paths) for inner in node.items)
    if isinstance(node, Call):
        return all(_all_definite(inner, paths) for inner in node.arguments)
    if isinstance(node, Path):
        paths.append(node)
        return node.root == "$" and all(isinstance(segment, (Name, Index)) for segment in node.segments)
    if isinstance(node, Jsonata):
        path = queries.picked(node)
        return path is not None and _all_definite(path, paths)
    return True


def _apart(paths: list[Path]) -> bool:
    """Whether no path selects something that another one selects, too."""
    keys = sorted(tuple(str(getattr(segment, "name", getattr(segment, "index", ""))) for segment in path.segments) for path in paths)
    if any(isinstance(segment, Index) and segment.index < 0 for path in paths for segment in path.segments) and len(paths) > 1:
        return False  # [-1] may be [3]
    if any(_same_item(path, other) for path in paths if ITEM in path.segments for other in paths):
        return False
    return all(key != after[: len(key)] for key, after in pairwise(keys))


def _same_item(path: Path, other: Path) -> bool:
    """Whether the item that ``path`` is about may be the one that ``other`` counts, or in what it selects of all of them."""
    place = path.segments.index(ITEM)
    return other.segments[:place] == path.segments[:place] and other.segments[place : place + 1] not in ((), (ITEM,))


def _wrapping(path: Path) -> int:
    """Bytes in the data that belong to the path itself: its last name with quotes and colon."""
    last = path.segments[-1] if path.segments else None
    return size(last.name) + 1 if isinstance(last, Name) else 0
