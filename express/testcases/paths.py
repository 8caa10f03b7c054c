"""The visits of an execution in, its way through the workflow out, in the form in which a file expects one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from express.observers.recording import Visit

ARROW = " -> "


def inside(visits: Sequence[Visit], parent: int | None, index: int | None) -> list[Visit]:
    """The visits in one branch or iteration of a visit, or in the workflow itself (None, None), in order."""
    return [visit for visit in visits if visit.parent == parent and visit.index == index]


def problems(expected: Sequence[Any], visits: Sequence[Visit]) -> list[str]:
    """Where the way differs from the expected one: the first place on each level, with both ways to compare."""
    return _compare(expected, visits, None, None, "path")


def _compare(expected: Sequence[Any], visits: Sequence[Visit], parent: int | None, index: int | None, where: str) -> list[str]:
    found = inside(visits, parent, index)
    wanted = [_name(step) for step in expected]
    names = [visit.name for visit in found]
    if wanted != names:
        at = next(
            (number for number, (one, other) in enumerate(zip(wanted, names, strict=False)) if one != other), min(len(wanted), len(names))
        )
        return [f"{where}: differs at step {at + 1}", f"  expected  {_way(wanted, at)}", f"  found     {_way(names, at)}"]
    made = []
    for step, visit in zip(expected, found, strict=True):
        if isinstance(step, dict):
            made += _branches(next(iter(step.values())), visits, visit, where)
    return made


def _branches(expected: list[list[Any]], visits: Sequence[Visit], visit: Visit, where: str) -> list[str]:
    count = len({below.index for below in visits if below.parent == visit.number})
    if count != len(expected):
        return [f"{where}: {visit.name} has {count} branches or iterations with states, expected {len(expected)}"]
    made = []
    for index, path in enumerate(expected):
        made += _compare(path, visits, visit.number, index, f"{where} in {visit.name}[{index}]")
    return made


def _name(step: Any) -> str:
    return step if isinstance(step, str) else str(next(iter(step)))


def _way(names: Sequence[str], at: int) -> str:
    """``A -> B -> [C] -> D``, with the step that differs in brackets."""
    shown = [f"[{name}]" if number == at else name for number, name in enumerate(names)]
    return ARROW.join(shown if at < len(names) else [*shown, "[the end]"])
