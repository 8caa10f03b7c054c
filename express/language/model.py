"""A definition as typed, frozen data: what ``parse`` makes and the compiler reads. No behaviour, no environment.

Every place where a definition computes something holds an ``Expression``: JSONPath's are the classes below, a JSONata expression is one
``Jsonata``. A variable is a root of a ``Path``.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from express.language import jsonata_nodes


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """Frozen data of a definition. A ``location`` is a JSON pointer (``/States/Charge``, ``/States/Fan/Branches/0/States/A``)."""


# --- Expressions ------------------------------------------------------------------------------------------------------------------


class Name(msgspec.Struct, frozen=True):
    """``.name`` or ``['name']``."""

    name: str


class Index(msgspec.Struct, frozen=True):
    """``[3]``; ``[-1]`` and ``[(@.length-1)]`` for the last."""

    index: int


class Slice(msgspec.Struct, frozen=True):
    """``[start:stop:step]``, each absent or an integer."""

    start: int | None
    stop: int | None
    step: int | None


class Wildcard(msgspec.Struct, frozen=True):
    """``.*`` or ``[*]``: all members, in order."""


class Union(msgspec.Struct, frozen=True):
    """``['a','b']`` or ``[0,2]``: several names, indexes or slices."""

    members: tuple[Name | Index | Slice, ...]


class Descendants(msgspec.Struct, frozen=True):
    """``..``: the value and everything below it; the segment that follows selects from each."""


class Filter(msgspec.Struct, frozen=True):
    """``[?(...)]``: the members for which ``condition`` holds."""

    condition: FilterCondition


class FilterComparison(msgspec.Struct, frozen=True):
    """``@.price < 10``. ``operator`` is one of ``== != < <= > >=``; an operand is a path from ``@`` or ``$``, or a plain value."""

    operator: str
    left: FilterOperand
    right: FilterOperand


class FilterExists(msgspec.Struct, frozen=True):
    """``@.isbn``: the path selects something that is not null."""

    path: FilterPath


class FilterNot(msgspec.Struct, frozen=True):
    condition: FilterCondition


class FilterAll(msgspec.Struct, frozen=True):
    """``a && b``."""

    conditions: tuple[FilterCondition, ...]


class FilterAny(msgspec.Struct, frozen=True):
    """``a || b``."""

    conditions: tuple[FilterCondition, ...]


class FilterPath(msgspec.Struct, frozen=True):
    """A definite path inside a filter. ``root`` is ``@`` (the member looked at) or ``$`` (the whole document)."""

    root: str
    segments: tuple[Segment, ...]


class FilterValue(msgspec.Struct, frozen=True):
    """A plain value inside a filter as a text, whether it was quoted, a number, true, false or null: what it is compared with decides."""

    text: str


FilterCondition: TypeAlias = FilterComparison | FilterExists | FilterNot | FilterAll | FilterAny
FilterOperand: TypeAlias = FilterPath | FilterValue
Segment: TypeAlias = Name | Index | Slice | Wildcard | Union | Descendants | Filter


class Path(msgspec.Struct, frozen=True):
    """A JSONPath. ``root`` is ``$`` (the state's effective data), ``$$`` (the Context Object) or a variable's name with its ``$``.

    ``text`` is the path as written. ``definite`` paths (only names and indexes >= 0... see ``paths.definite``) select exactly one value.
    """

    root: str
    segments: tuple[Segment, ...]
    text: str


class Literal(msgspec.Struct, frozen=True):
    """A JSON value that does not depend on the data. Never mutated by anybody."""

    value: Any


class Call(msgspec.Struct, frozen=True):
    """An intrinsic function: ``States.Format('{}', $.a)``. ``function`` is the name without ``States.``.

    Literal texts have lost their escapes, but for Format's template: it keeps them as written, since ``{}`` and ``\\{\\}`` differ there.
    """

    function: str
    arguments: tuple[Expression, ...]
    text: str


class ObjectTemplate(msgspec.Struct, frozen=True):
    """An object of a payload template with at least one dynamic field below it. Keys have lost their ``.$``; order is kept."""

    fields: tuple[tuple[str, Expression], ...]


class ArrayTemplate(msgspec.Struct, frozen=True):
    """An array of a payload template with at least one dynamic item below it."""

    items: tuple[Expression, ...]


class Jsonata(msgspec.Struct, frozen=True):
    """A JSONata expression. ``text`` is what stands between ``{%`` and ``%}``, without the blanks around it.

    ``variables`` are the names ``$name`` that are neither bound in the expression nor functions of JSONata or AWS: workflow variables, or
    undefined. ``functions`` are the built-in functions that it names. ``states`` are the members of ``$states`` that it may read: input,
    result, errorOutput, context.
    """

    text: str
    node: jsonata_nodes.Node
    variables: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    states: tuple[str, ...] = ()


Expression: TypeAlias = Literal | Path | Call | ObjectTemplate | ArrayTemplate | Jsonata

Assignments: TypeAlias = tuple[tuple[str, Expression], ...]
"""Assign: variables with their new values, in the definition's order. All are computed before the first is set."""

Scalar: TypeAlias = Literal | Path | Jsonata
"""What a field holds that takes one number or text."""

ROOT = Path("$", (), "$")


# --- Failures ---------------------------------------------------------------------------------------------------------------------


class Retrier(Node, frozen=True, kw_only=True):
    """One entry of Retry. Seconds are numbers; ``jitter`` is JitterStrategy FULL."""

    error_equals: tuple[str, ...]
    interval_seconds: float = 1
    max_attempts: int = 3
    backoff_rate: float = 2.0
    max_delay_seconds: float | None = None
    jitter: bool = False


class Catcher(Node, frozen=True, kw_only=True):
    """One entry of Catch. ``result_path`` None means ``null``: the error output is dropped and the input goes on."""

    error_equals: tuple[str, ...]
    next: str
    result_path: Path | None = ROOT
    assign: Assignments = ()
    output: Expression | None = None


# --- Choice -----------------------------------------------------------------------------------------------------------------------


class Comparison(msgspec.Struct, frozen=True):
    """One data-test expression. ``operator`` is ASL's name without the ``Path`` suffix (``NumericGreaterThan``, ``IsPresent``, ...).

    ``operand`` is a Literal, or a Path where the definition used the ``...Path`` form.
    """

    operator: str
    variable: Path
    operand: Literal | Path


class And(msgspec.Struct, frozen=True):
    conditions: tuple[Condition, ...]


class Or(msgspec.Struct, frozen=True):
    conditions: tuple[Condition, ...]


class Not(msgspec.Struct, frozen=True):
    condition: Condition


Condition: TypeAlias = Comparison | And | Or | Not


class Rule(Node, frozen=True, kw_only=True):
    """One entry of Choices; in JSONata its Condition is an expression."""

    condition: Condition | Jsonata | Literal
    next: str
    location: str
    assign: Assignments = ()
    output: Expression | None = None


# --- States -----------------------------------------------------------------------------------------------------------------------


class State(Node, frozen=True, kw_only=True):
    """What all states have. ``input_path`` None is ``null`` (an empty object), likewise ``output_path``.

    ``jsonata``: the state's expressions are JSONata: its paths stay as they are here, its Arguments are ``parameters``, and ``output`` is
    its Output (None: what the state gives out by itself).
    """

    name: str
    location: str
    comment: str | None = None
    jsonata: bool = False
    output: Expression | None = None
    input_path: Path | None = ROOT
    output_path: Path | None = ROOT


class Step(State, frozen=True, kw_only=True):
    """A state with a successor: ``next`` is a state's name, or None for ``End: true``."""

    next: str | None = None
    assign: Assignments = ()


class Producer(Step, frozen=True, kw_only=True):
    """A state with a result. ``result_path`` None is ``null``: the result is dropped and the raw input goes on."""

    parameters: Expression | None = None
    result_path: Path | None = ROOT


class Pass(Producer, frozen=True, kw_only=True):
    result: Literal | None = None


class Fallible(Producer, frozen=True, kw_only=True):
    """Task, Parallel and Map."""

    result_selector: Expression | None = None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()


class Task(Fallible, frozen=True, kw_only=True):
    """``timeout_seconds`` and ``heartbeat_seconds`` are a Literal number, a Path (the ``...Path`` forms) or JSONata; None is absent."""

    resource: str
    timeout_seconds: Scalar | None = None
    heartbeat_seconds: Scalar | None = None
    credentials: Expression | None = None


class Parallel(Fallible, frozen=True, kw_only=True):
    branches: tuple[Machine, ...]


class Map(Fallible, frozen=True, kw_only=True):
    """Inline Map (``mode`` INLINE); DISTRIBUTED is parsed and refused by the compiler. ``parameters`` holds ItemSelector (or the older
    Parameters): it is evaluated once per item, with ``$$.Map.Item``. ``max_concurrency`` 0 is no limit. ``items`` is JSONata's Items:
    without it the input is the array."""

    processor: Machine
    items_path: Path = ROOT
    items: Expression | None = None
    max_concurrency: Scalar = Literal(0)
    mode: str = "INLINE"
    label: str | None = None
    tolerated_failure_count: Scalar | None = None
    tolerated_failure_percentage: Scalar | None = None


class Choice(State, frozen=True, kw_only=True):
    """``assign`` and ``output`` belong to ``default``: a rule that is taken has its own."""

    rules: tuple[Rule, ...]
    default: str | None = None
    assign: Assignments = ()


class Wait(Step, frozen=True, kw_only=True):
    """Exactly one of ``seconds`` and ``timestamp``; a Literal, JSONata, or a Path for SecondsPath and TimestampPath."""

    seconds: Scalar | None = None
    timestamp: Scalar | None = None


class Succeed(State, frozen=True, kw_only=True):
    pass


class Fail(State, frozen=True, kw_only=True):
    """``error`` and ``cause``: a Literal text, JSONata, a Path or an intrinsic Call (ErrorPath, CausePath), or None when absent."""

    error: Scalar | Call | None = None
    cause: Scalar | Call | None = None


class Machine(Node, frozen=True, kw_only=True):
    """States with a start: a workflow, a branch of Parallel, the processor of Map. ``states`` keeps the definition's order."""

    location: str
    start_at: str
    states: dict[str, State]
    comment: str | None = None


class Workflow(Machine, frozen=True, kw_only=True):
    """A whole definition. ``sha256`` is of the canonical JSON of the definition as given (after substitutions), 64 hex digits."""

    sha256: str
    timeout_seconds: float | None = None
    version: str | None = None
