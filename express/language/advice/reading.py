"""What an expression reads, in either query language, and where a template puts it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from express.language import jsonata
from express.language import jsonata_nodes as nodes
from express.language.model import ArrayTemplate, Call, Expression, Index, Jsonata, Name, ObjectTemplate, Path, Segment

Steps = tuple[Segment, ...]
INPUT, RESULT, ERROR, CONTEXT = "$", "result", "errorOutput", "$$"
_MEMBERS = {"input": INPUT, "result": RESULT, "errorOutput": ERROR, "context": CONTEXT}
_APPEND = ("Array", "Format")  # a value that holds all of its arguments; JsonMerge has the same keys again and again
_APPEND_JSONATA = ("append", "join")


def inside(expression: Expression) -> Iterator[Expression]:
    """The expression and all below it."""
    todo = [expression]
    while todo:
        each = todo.pop()
        yield each
        if isinstance(each, Call):
            todo += reversed(each.arguments)
        elif isinstance(each, ArrayTemplate):
            todo += reversed(each.items)
        elif isinstance(each, ObjectTemplate):
            todo += [inner for _, inner in reversed(each.fields)]


def sources(expression: Expression) -> Iterator[tuple[str, Steps]]:
    """Everything that is read: INPUT, RESULT, ERROR, CONTEXT or a variable with its ``$``, and the steps that certainly follow. In JSONPath
    ``$`` is INPUT, whatever it stands for at this place."""
    for each in inside(expression):
        if isinstance(each, Path):
            yield each.root, certain(each)
        elif isinstance(each, Jsonata):
            for member, root in _MEMBERS.items():
                for names in jsonata.reads(each, member):
                    yield root, tuple(map(Name, names))
            for node in jsonata.walk(each.node):
                if isinstance(node, nodes.Variable) and node.name in each.variables:
                    yield f"${node.name}", ()


def whole(expression: Expression | None, root: str) -> bool:
    """Whether all of ``root`` is read somewhere."""
    return expression is not None and (root, ()) in sources(expression)


def fields(expression: Expression, steps: Steps = ()) -> Iterator[tuple[Steps, Expression]]:
    """What a template puts where: objects are opened, everything else is a field's value."""
    todo = [(steps, expression)]
    while todo:
        at, each = todo.pop()
        if isinstance(each, ObjectTemplate):
            todo += [((*at, Name(name)), inner) for name, inner in reversed(each.fields)]
        else:
            yield at, each


def joined(expression: Expression) -> Iterator[Expression]:
    """The parts of a value that hold all of what they are made of: arrays, texts put together, appended lists. A part that is cut off
    again (``$append($a, $b)[[-9..-1]]``) is none."""
    for each in inside(expression):
        if isinstance(each, ArrayTemplate) or (isinstance(each, Call) and each.function in _APPEND):
            yield each
        elif isinstance(each, Jsonata):
            yield from (msgspec.structs.replace(each, node=node) for node in _joined(each.node))


def _joined(node: nodes.Node) -> Iterator[nodes.Node]:
    match node:
        case nodes.Array() | nodes.Binary("&"):
            yield node
        case nodes.Call(nodes.Variable(name)) | nodes.Chain(_, nodes.Call(nodes.Variable(name))) if name in _APPEND_JSONATA:
            yield node
        case nodes.Condition(_, then, otherwise):
            yield from _joined(then)
            if otherwise is not None:
                yield from _joined(otherwise)
        case nodes.Block(expressions):
            for each in expressions:
                yield from _joined(each)
        case nodes.Bind(_, value):
            yield from _joined(value)
        case nodes.Object(pairs):
            for _, value in pairs:
                yield from _joined(value)


def certain(path: Path) -> Steps:
    """The steps up to where the path begins to select several values: ``$.items`` of ``$.items[*].price``."""
    steps: list[Segment] = []
    for segment in path.segments:
        if not isinstance(segment, Name | Index):
            break
        steps.append(segment)
    return tuple(steps)


def holds(outer: Steps, inner: Steps) -> bool:
    """Whether what is at ``inner`` is part of what is at ``outer``, or the same."""
    return inner[: len(outer)] == outer
