"""A JSONata expression as frozen data. Paths are lists of steps, as an evaluator walks them; nothing here knows how to evaluate."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Text(msgspec.Struct, frozen=True):
    """A text in quotes, without its escapes."""

    value: str


class Number(msgspec.Struct, frozen=True):
    """A number: an int where the double that JSONata computes with is a whole number below 1e21."""

    value: int | float


class Constant(msgspec.Struct, frozen=True):
    """``true``, ``false`` or ``null``."""

    value: bool | None


class Variable(msgspec.Struct, frozen=True):
    """``$name``; the name is "" for ``$`` and "$" for ``$$``. ``position`` is where the ``$`` stands."""

    name: str
    position: int


class Field(msgspec.Struct, frozen=True):
    """A name as a step: the member of an object."""

    name: str
    position: int


class Wildcard(msgspec.Struct, frozen=True):
    """``*``, at ``position``."""

    position: int


class Descendants(msgspec.Struct, frozen=True):
    """``**``, at ``position``."""

    position: int


class Parent(msgspec.Struct, frozen=True):
    """``%``."""


class Regex(msgspec.Struct, frozen=True):
    """``/pattern/flags``. ``flags`` are of ``i`` and ``m``, ``position`` is that of the first ``/``."""

    pattern: str
    flags: str
    position: int


class Placeholder(msgspec.Struct, frozen=True):
    """``?`` as an argument: a partial application."""


class Range(msgspec.Struct, frozen=True):
    """``a..b`` inside an array constructor, and where in the text it begins, where the dots are, where it ends."""

    start: Node
    stop: Node
    begins: int
    dots: int
    ends: int


class Array(msgspec.Struct, frozen=True):
    items: tuple[Node, ...]


class Object(msgspec.Struct, frozen=True):
    pairs: tuple[tuple[Node, Node], ...]


class Negation(msgspec.Struct, frozen=True):
    """``-x``, x not being a number literal."""

    operand: Node


class Binary(msgspec.Struct, frozen=True):
    """``operator`` is one of ``+ - * / % = != < <= > >= & and or in``."""

    operator: str
    left: Node
    right: Node


class Condition(msgspec.Struct, frozen=True):
    """``test ? then : otherwise``; ``otherwise`` may be missing."""

    test: Node
    then: Node
    otherwise: Node | None


class Bind(msgspec.Struct, frozen=True):
    """``$name := value``."""

    name: str
    value: Node


class Block(msgspec.Struct, frozen=True):
    """``(a; b; c)``."""

    expressions: tuple[Node, ...]


class Call(msgspec.Struct, frozen=True):
    """``procedure(arguments)``; with a Placeholder among the arguments it is a partial application."""

    procedure: Node
    arguments: tuple[Node, ...]


class Lambda(msgspec.Struct, frozen=True):
    """``function($a, $b)<signature>{ body }``."""

    parameters: tuple[str, ...]
    signature: str | None
    body: Node


class Chain(msgspec.Struct, frozen=True):
    """``left ~> right``."""

    left: Node
    right: Node


class Transform(msgspec.Struct, frozen=True):
    """``|pattern|update, delete|``."""

    pattern: Node
    update: Node
    delete: Node | None


class SortTerm(msgspec.Struct, frozen=True):
    expression: Node
    descending: bool


class Sort(msgspec.Struct, frozen=True):
    """``^(>a, b)`` as a step."""

    terms: tuple[SortTerm, ...]


class Position(msgspec.Struct, frozen=True):
    """``#$name`` behind a predicate of a step."""

    name: str


class Step(msgspec.Struct, frozen=True):
    """One step of a path. ``stages`` are predicates in order; ``keep`` is ``[]``; ``focus`` and ``index`` are the variables of ``@$name``
    and ``#$name``."""

    node: Node
    stages: tuple[Node, ...] = ()
    keep: bool = False
    focus: str | None = None
    index: str | None = None


class Path(msgspec.Struct, frozen=True):
    """Steps, one after the other. ``keep``: a single result stays an array. ``group`` is ``{key: value}`` behind the path."""

    steps: tuple[Step, ...]
    keep: bool = False
    group: tuple[tuple[Node, Node], ...] | None = None


class Filtered(msgspec.Struct, frozen=True):
    """An expression that is no path, with predicates, ``[]``, or a group behind it."""

    node: Node
    predicates: tuple[Node, ...] = ()
    keep: bool = False
    group: tuple[tuple[Node, Node], ...] | None = None


Node: TypeAlias = (
    Text
    | Number
    | Constant
    | Variable
    | Field
    | Wildcard
    | Descendants
    | Parent
    | Regex
    | Placeholder
    | Range
    | Array
    | Object
    | Negation
    | Binary
    | Condition
    | Bind
    | Block
    | Call
    | Lambda
    | Chain
    | Transform
    | Sort
    | Position
    | Path
    | Filtered
)
