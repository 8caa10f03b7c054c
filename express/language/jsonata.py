"""JSONata as AWS Step Functions takes it: the text between ``{%`` and ``%}`` in, a ``Jsonata`` out, and what of it AWS would not take.

AWS runs jsonata 2.0.6 without ``$eval`` and with six functions of its own. No document stands at the top level: there is nothing for ``$``,
``$$`` or a bare field name to mean, so AWS refuses them there; everything comes from ``$states`` and the workflow's variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from express.language import jsonata_nodes as nodes
from express.language.jsonata_parser import parse as parse_nodes
from express.language.model import Jsonata
from express.language.scanner import SyntaxProblem

STATES = ("input", "result", "errorOutput", "context")
OF_AWS = frozenset({"partition", "range", "hash", "random", "uuid", "parse"})
OF_JSONATA = frozenset({
    "sum", "count", "max", "min", "average", "string", "substring", "substringBefore", "substringAfter", "lowercase", "uppercase", "length",
    "trim", "pad", "match", "contains", "replace", "split", "join", "formatNumber", "formatBase", "formatInteger", "parseInteger", "number",
    "floor", "ceil", "round", "abs", "sqrt", "power", "random", "boolean", "not", "map", "zip", "filter", "single", "reduce", "sift",
    "keys", "lookup", "append", "exists", "spread", "merge", "reverse", "each", "error", "assert", "type", "sort", "shuffle", "distinct",
    "base64encode", "base64decode", "encodeUrlComponent", "encodeUrl", "decodeUrlComponent", "decodeUrl", "toMillis", "fromMillis", "clone",
    "now", "millis",
})  # fmt: skip
FUNCTIONS = OF_JSONATA | OF_AWS


def is_expression(text: str) -> bool:
    """Whether a text of a definition is JSONata: ``{%`` comes first, ``%}`` last, without a blank outside."""
    return len(text) >= 4 and text.startswith("{%") and text.endswith("%}")


def parse(text: str) -> Jsonata:
    """The expression between ``{%`` and ``%}``. Raises SyntaxProblem for what AWS refuses, position counted in the text without the blanks
    around it; what only a newer JSONata knows (``?:``, ``??``) is refused as well."""
    text = text.strip()
    node = parse_nodes(text)
    reader = _Reader()
    reader.read(node, _Frame(None), True)
    names = tuple(sorted(reader.free - FUNCTIONS - {"states"}))
    parts = tuple(part for part in STATES if part in reader.parts)
    return Jsonata(text, node, names, tuple(sorted(reader.free & FUNCTIONS)), parts)


def unknown_functions(expression: Jsonata) -> tuple[str, ...]:
    """Names called as functions that are neither JSONata's nor AWS's nor defined in the expression. On AWS they fail when they are reached
    (T1006), unless a variable of that name holds... nothing can: variables hold no functions."""
    called = {name for node in walk(expression.node) for name in _called(node)}
    return tuple(sorted(called & set(expression.variables)))


def _called(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.Call) and isinstance(node.procedure, nodes.Variable):
        yield node.procedure.name
    if isinstance(node, nodes.Chain) and isinstance(node.right, nodes.Variable):
        yield node.right.name


# --- What only others take --------------------------------------------------------------------------------------------------------


class Finding(msgspec.Struct, frozen=True):
    """What an expression uses that AWS does not have; one sentence."""

    message: str


_NEWER = re.compile(r"\?\?|\?:")


def not_portable(expression: Jsonata) -> tuple[Finding, ...]:
    """What Express accepts and AWS does not. Empty: Express refuses itself what AWS refuses."""
    return ()


def advice(text: str, problem: SyntaxProblem) -> str | None:
    """For an expression that was refused: what its author probably meant."""
    if _NEWER.search(text) and str(problem).startswith(("S0211", "S0202", "S0204")):
        return "?: and ?? came after JSONata 2.0.6, which AWS runs: write $exists(a) ? a : b"
    return None


def _is_states(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Variable) and node.name == "states"


def reads(expression: Jsonata, part: str) -> Iterator[tuple[str, ...]]:
    """What an expression may read of ``$states.part``: the names behind it; no names for all of it."""
    if part not in expression.states:
        return
    whole = 0  # the $states that are not followed by a name
    for node in walk(expression.node):
        if _is_states(node):
            whole += 1
        if isinstance(node, nodes.Path) and _is_states(node.steps[0].node):
            names = []
            for step in node.steps[1:]:
                if not isinstance(step.node, nodes.Field):
                    break
                names.append(step.node.name)
                if step.stages:
                    break
            if names and not node.steps[0].stages:
                whole -= 1
                if names[0] == part:
                    yield tuple(names[1:])
    if whole:
        yield ()


# --- What an expression reads -----------------------------------------------------------------------------------------------------


class _Frame:
    """Variables bound so far, inside those of ``outer``."""

    __slots__ = ("names", "outer")

    def __init__(self, outer: _Frame | None, names: tuple[str, ...] = ()) -> None:
        self.outer, self.names = outer, set(names)

    def knows(self, name: str) -> bool:
        frame: _Frame | None = self
        while frame is not None:
            if name in frame.names:
                return True
            frame = frame.outer
        return False


class _Reader:
    """Goes through an expression as its evaluation would. ``top`` is whether the context is still that of the whole expression: none."""

    def __init__(self) -> None:
        self.free: set[str] = set()
        self.parts: set[str] = set()

    def read(self, node: nodes.Node, frame: _Frame, top: bool) -> None:
        match node:
            case nodes.Variable(name, position):
                self._variable(name, position, frame, top)
            case nodes.Path(steps, _, group):
                self._path(steps, group, frame, top)
            case nodes.Filtered(inner, predicates, _, group):
                self.read(inner, frame, top)
                for predicate in predicates:
                    self.read(predicate, frame, False)
                for key, value in group or ():
                    self.read(key, frame, False)
                    self.read(value, frame, False)
            case nodes.Field(name, position):
                if top:
                    raise SyntaxProblem(f"there is nothing to select '{name}' from: begin with $states.input or a variable", position)
            case nodes.Wildcard() | nodes.Descendants() | nodes.Parent():
                if top:
                    raise SyntaxProblem("there is nothing to select from: begin with $states.input or a variable", 0)
            case nodes.Block(expressions):
                inner_frame = _Frame(frame)
                for expression in expressions:
                    self.read(expression, inner_frame, top)
            case nodes.Bind(name, value):
                self.read(value, frame, top)
                if name == "states":
                    raise SyntaxProblem("$states is AWS's own: it cannot be assigned to", 0)
                frame.names.add(name)
            case nodes.Lambda(parameters, _, body):
                self.read(body, _Frame(frame, parameters), top)
            case nodes.Transform(pattern, update, delete):
                for part in (pattern, update, delete):
                    if part is not None:
                        self.read(part, frame, False)
            case nodes.Sort(terms):
                for term in terms:
                    self.read(term.expression, frame, False)
            case _:
                for child in children(node):
                    self.read(child, frame, top)

    def _variable(self, name: str, position: int, frame: _Frame, top: bool) -> None:
        if name in ("", "$"):
            if top:
                raise SyntaxProblem(f"'${name}' has no meaning at the top level: begin with $states.input or a variable", position)
            return
        if frame.knows(name):
            return
        if name == "eval":
            raise SyntaxProblem("Step Functions has no $eval: $parse reads JSON", position)
        self.free.add(name)
        if name == "states":
            self.parts.update(STATES)

    def _path(
        self, steps: tuple[nodes.Step, ...], group: tuple[tuple[nodes.Node, nodes.Node], ...] | None, frame: _Frame, top: bool
    ) -> None:
        frame = _Frame(frame)
        rest = steps
        first, second = steps[0], steps[1].node if len(steps) > 1 else None
        if (
            _is_states(first.node)
            and isinstance(second, nodes.Field)
            and not (first.stages or first.focus or first.index)
            and not frame.knows("states")
        ):
            self.free.add("states")
            self.parts.add(second.name)
            rest = steps[1:]
            top = False
        for number, step in enumerate(rest):
            self.read(step.node, frame, top and number == 0)
            if step.focus is not None:
                frame.names.add(step.focus)
            if step.index is not None:
                frame.names.add(step.index)
            for stage in step.stages:
                if isinstance(stage, nodes.Position):
                    frame.names.add(stage.name)
                else:
                    self.read(stage, frame, False)
        for key, value in group or ():
            self.read(key, frame, False)
            self.read(value, frame, False)


def names_bound(node: nodes.Node) -> tuple[str, ...]:
    """The variables that a node gives a value to, for what is inside it or comes after it."""
    match node:
        case nodes.Bind(name, _) | nodes.Position(name):
            return (name,)
        case nodes.Lambda(parameters, _, _):
            return parameters
        case nodes.Path(steps, _, _):
            return tuple(name for step in steps for name in (step.focus, step.index) if name is not None)
    return ()


def walk(node: nodes.Node) -> Iterator[nodes.Node]:
    """A node and all below it."""
    pending = [node]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(children(node))


def children(node: nodes.Node) -> Iterator[nodes.Node]:
    """The nodes right below one, in the order of evaluation."""
    match node:
        case nodes.Path(steps, _, group):
            for step in steps:
                yield step.node
                yield from step.stages
            for key, value in group or ():
                yield key
                yield value
        case nodes.Filtered(inner, predicates, _, group):
            yield inner
            yield from predicates
            for key, value in group or ():
                yield key
                yield value
        case nodes.Object(pairs):
            for key, value in pairs:
                yield key
                yield value
        case nodes.Sort(terms):
            for term in terms:
                yield term.expression
        case nodes.Call(procedure, arguments):
            yield procedure
            yield from arguments
        case nodes.Array(items):
            yield from items
        case nodes.Block(expressions):
            yield from expressions
        case nodes.Binary(_, left, right) | nodes.Chain(left, right) | nodes.Range(left, right):
            yield left
            yield right
        case nodes.Condition(test, then, otherwise):
            yield test
            yield then
            if otherwise is not None:
                yield otherwise
        case nodes.Transform(pattern, update, delete):
            yield pattern
            yield update
            if delete is not None:
                yield delete
        case nodes.Bind(_, inner) | nodes.Negation(inner) | nodes.Lambda(_, _, inner):
            yield inner
