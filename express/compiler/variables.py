"""The variables of a machine: which local holds each, which are certain to be set where, which its functions hand to each other.

What a definition assigns and reads stands in it, so all of this is known before anything runs: a variable is a Python local, and costs what
one costs. Only where a state may be reached without it does it hold ``UNSET`` until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from express.compiler.facts import bound
from express.compiler.graph import Plan, Plans
from express.compiler.names import Names
from express.compiler.queries import ENDLESS
from express.language.model import Assignments, Choice, Expression, Fallible, Jsonata, Literal, Machine, Map, Parallel, Path, State, Step
from express.runtime.branches import CONCURRENCY
from express.runtime.limits import PAYLOAD


class Variable(msgspec.Struct, frozen=True):
    """One variable: the local that holds it, and the most bytes that its value has as JSON."""

    local: str
    bound: int


class Variables:
    """The variables that the states of one machine can read: its own and those of the machines around it, ``known`` by their names.

    ``given`` are the locals that its first function gets from the machine around, ``carried`` those that its other functions are given,
    ``own`` the ones among them that it assigns. ``unset`` are those that hold UNSET when the machine begins.
    """

    def __init__(
        self, machine: Machine, plan: Plan, names: Names, around: Variables | None = None, certain: frozenset[str] = frozenset()
    ) -> None:
        outer: dict[str, Variable] = {} if around is None else around.known
        bounds = _bounds(machine, outer)
        self.known: dict[str, Variable] = {**outer, **{name: Variable(names.new(name), size) for name, size in bounds.items()}}
        self.given: list[str] = []
        self.own: list[str] = []
        self.unset: list[str] = []
        self._certain: dict[str, frozenset[str]] = {}
        if not self.known:
            return
        self._certain = _certain(machine, plan, certain)
        read = {name: reads(state) for name, state in machine.states.items()}
        anywhere = frozenset().union(*read.values())
        self.given = [variable.local for name, variable in self.known.items() if name in anywhere and name not in bounds]
        # A function that does not begin the machine is given all of them
        handed_on = plan.heads - {machine.start_at} if plan.alone else plan.heads
        for name in bounds:
            if name in anywhere:
                local = self.known[name].local
                self.own.append(local)
                if any(name not in self.certain(state) and (state in handed_on or name in read[state]) for state in plan.reached):
                    self.unset.append(local)

    @property
    def carried(self) -> list[str]:
        return self.given + self.own

    def certain(self, state: str) -> frozenset[str]:
        """The variables that are set whenever a state begins."""
        return self._certain.get(state, frozenset())


def assigns(state: State) -> Iterator[Assignments]:
    """All that a state may assign, each on a way of its own."""
    if isinstance(state, (Step, Choice)):
        yield state.assign
    if isinstance(state, Choice):
        for rule in state.rules:
            yield rule.assign
    elif isinstance(state, Fallible):
        for catcher in state.catch:
            yield catcher.assign


def _bounds(machine: Machine, outer: Iterable[str]) -> dict[str, int]:
    """The most bytes that each variable of a machine has as JSON; ``outer`` are the names of those around it."""
    values: dict[str, list[Expression]] = {}
    for state in machine.states.values():
        for name, node in (pair for assign in assigns(state) for pair in assign):
            values.setdefault(name, []).append(node)
    most = dict.fromkeys([*outer, *values], Variable("", PAYLOAD))
    return {name: min(PAYLOAD, max(bound(node, PAYLOAD, most) for node in nodes)) for name, nodes in values.items()}


def most_stored(machine: Machine, plans: Plans, outer: frozenset[str] = frozenset()) -> int:
    """The most bytes that all variables of a machine and of those inside it have at one time: branches and iterations that cannot wait
    run one after the other, and take theirs with them."""
    bounds = _bounds(machine, outer)
    names = outer | bounds.keys()
    inside = [0]
    for state in machine.states.values():
        if plans.mock(state) is not None:
            continue
        if isinstance(state, Map):
            limit = state.max_concurrency.value if isinstance(state.max_concurrency, Literal) else ENDLESS
            times = 1 if plans.of(state.processor).plain else limit or CONCURRENCY
            inside.append(times * most_stored(state.processor, plans, names))
        elif isinstance(state, Parallel):
            most = [most_stored(branch, plans, names) for branch in state.branches]
            inside.append(max(most) if all(plans.of(branch).plain for branch in state.branches) else sum(most))
    return sum(bounds.values()) + max(inside)


def _ways(state: State) -> Iterator[tuple[str | None, Assignments]]:
    """Where a state can go, with what is assigned on the way."""
    if isinstance(state, Choice):
        for rule in state.rules:
            yield rule.next, rule.assign
        yield state.default, state.assign
    elif isinstance(state, Step):
        yield state.next, state.assign
    if isinstance(state, Fallible):
        for catcher in state.catch:
            yield catcher.next, catcher.assign


def _certain(machine: Machine, plan: Plan, before: frozenset[str]) -> dict[str, frozenset[str]]:
    """For every state that is reached, the variables that every way there has set."""
    found = {machine.start_at: before}
    pending = [machine.start_at]
    while pending:
        name = pending.pop()
        for target, assign in _ways(machine.states[name]):
            if target is None:
                continue
            then = found[name].union(variable for variable, _ in assign)
            now = then if target not in found else found[target] & then
            if target not in found or now != found[target]:
                found[target] = now
                pending.append(target)
    return found


def reads(node: Any) -> frozenset[str]:
    """The names of the variables that a state, or anything else of the model, may read; those that the machines inside it read, too."""
    return frozenset(_reads(node))


def _reads(node: Any) -> Iterator[str]:
    if isinstance(node, Path):
        if node.root not in ("$", "$$"):
            yield node.root[1:]
    elif isinstance(node, Jsonata):
        yield from node.variables
        yield from node.functions  # a variable may have the name of one
    elif isinstance(node, msgspec.Struct):
        for name in node.__struct_fields__:
            yield from _reads(getattr(node, name))
    elif isinstance(node, tuple):
        for inner in node:
            yield from _reads(inner)
    elif isinstance(node, dict):
        for inner in node.values():
            yield from _reads(inner)
