"""A Workflow in, boxes and arrows out: what every kind of picture draws. Knows of no coordinates."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from express.drawing import wording
from express.language.model import Machine, State, Step, Succeed, Workflow
from express.language.transitions import Kind, inner, transitions


class Arrow(msgspec.Struct, frozen=True):
    """From one state of a diagram to another, with every reason to go that way."""

    source: str
    target: str
    kind: Kind
    labels: tuple[str, ...]


class Box(msgspec.Struct, frozen=True):
    """A state; ``inside`` are the diagrams of a Parallel's branches or of a Map's processor. ``ends``: the machine may end after it."""

    state: State
    detail: str
    inside: tuple[Diagram, ...]
    ends: bool


class Diagram(msgspec.Struct, frozen=True):
    """One machine: its boxes by name, in the definition's order."""

    start_at: str
    boxes: dict[str, Box]
    arrows: tuple[Arrow, ...]

    def everything(self) -> Iterator[Box]:
        """All boxes, inner ones after the one around them."""
        for box in self.boxes.values():
            yield box
            for diagram in box.inside:
                yield from diagram.everything()


def draw(workflow: Workflow) -> Diagram:
    return _machine(workflow)


def _machine(machine: Machine) -> Diagram:
    boxes = {}
    arrows: dict[tuple[str, str, bool], Arrow] = {}
    for name, state in machine.states.items():
        ends = isinstance(state, Succeed) or (isinstance(state, Step) and state.next is None)
        boxes[name] = Box(state, wording.detail(state), tuple(_machine(each) for each in inner(state)), ends)
        for each in transitions(state):
            key = (name, each.target, each.kind == "catch")
            label = wording.label(each)
            before = arrows.get(key)
            labels = (*(before.labels if before else ()), *((label,) if label else ()))
            arrows[key] = Arrow(name, each.target, before.kind if before else each.kind, labels)
    return Diagram(machine.start_at, boxes, tuple(arrows.values()))
