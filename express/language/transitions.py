"""The ways out of a state, as the definition has them: Next, the rules of a Choice and its Default, the catchers of Catch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

from express.language.model import Choice, Fallible, Machine, Map, Parallel, State, Step

Kind: TypeAlias = Literal["next", "choice", "default", "catch"]


class Transition(msgspec.Struct, frozen=True):
    """One way from a state to another of the same machine. ``position`` is the rule's or the catcher's place in its list."""

    source: State
    target: str
    kind: Kind
    position: int = 0


def transitions(state: State) -> Iterator[Transition]:
    """All ways out of a state but its End."""
    if isinstance(state, Choice):
        for number, rule in enumerate(state.rules):
            yield Transition(state, rule.next, "choice", number)
        if state.default is not None:
            yield Transition(state, state.default, "default")
    if isinstance(state, Step) and state.next is not None:
        yield Transition(state, state.next, "next")
    if isinstance(state, Fallible):
        for number, catcher in enumerate(state.catch):
            yield Transition(state, catcher.next, "catch", number)


def inner(state: State) -> tuple[Machine, ...]:
    """The machines in a state: the branches of a Parallel, the processor of a Map."""
    return state.branches if isinstance(state, Parallel) else (state.processor,) if isinstance(state, Map) else ()


def machines(machine: Machine) -> Iterator[Machine]:
    """A machine and all machines inside it."""
    yield machine
    for state in machine.states.values():
        for each in inner(state):
            yield from machines(each)
