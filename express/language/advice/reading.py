"""What an expression reads, and where a template puts it."""

from __future__ import annotations

from collections.abc import Iterator

from express.language.model import ArrayTemplate, Call, Expression, Index, Name, ObjectTemplate, Path, Segment

Steps = tuple[Segment, ...]


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


def reads(expression: Expression) -> Iterator[Path]:
    """Every path in it."""
    return (each for each in inside(expression) if isinstance(each, Path))


def fields(expression: Expression, steps: Steps = ()) -> Iterator[tuple[Steps, Expression]]:
    """What a template puts where: objects are opened, everything else is a field's value."""
    todo = [(steps, expression)]
    while todo:
        at, each = todo.pop()
        if isinstance(each, ObjectTemplate):
            todo += [((*at, Name(name)), inner) for name, inner in reversed(each.fields)]
        else:
            yield at, each


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
