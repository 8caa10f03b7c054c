"""Where advice looks: every state of a workflow with what is around it, and the ways that lead from state to state."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from express.errors import Problem
from express.language.model import Fallible, Machine, State, Workflow
from express.language.transitions import inner, transitions


class Place(NamedTuple):
    """A state, the machine it is in, the Map and Parallel states around it from the outermost, and whether its machine begins here."""

    state: State
    machine: Machine
    around: tuple[Fallible, ...]
    first: bool
    in_loop: bool


def places(workflow: Workflow) -> Iterator[Place]:
    """All states at all depths, in the order of the definition."""
    todo: list[tuple[Machine, tuple[Fallible, ...]]] = [(workflow, ())]
    while todo:
        machine, around = todo.pop()
        loops = _looping(machine)
        below: list[tuple[Machine, tuple[Fallible, ...]]] = []
        for number, state in enumerate(machine.states.values()):
            yield Place(state, machine, around, number == 0, state.name in loops)
            if isinstance(state, Fallible):
                below += [(part, (*around, state)) for part in inner(state)]
        todo += reversed(below)


def onward(state: State) -> list[str]:
    """Where a state goes when it succeeds."""
    return [transition.target for transition in transitions(state) if transition.kind != "catch"]


def caught(state: State) -> list[str]:
    """Where a state goes when it fails."""
    return [transition.target for transition in transitions(state) if transition.kind == "catch"]


def reached(machine: Machine, starts: Collection[str], failures: bool = True) -> set[str]:
    """The states that can be entered from ``starts``, themselves included; with ``failures`` through Catch too."""
    found = set(starts)
    todo = list(starts)
    while todo:
        state = machine.states[todo.pop()]
        for name in (*onward(state), *(caught(state) if failures else ())):
            if name not in found:
                found.add(name)
                todo.append(name)
    return found


def advice(code: str, location: str, message: str) -> Problem:
    return Problem("ADVICE", code, location, message)


def _looping(machine: Machine) -> set[str]:
    """The states that can be entered again after they were left: those of every strongly connected part (Tarjan, without recursion)."""
    following = {name: [*onward(state), *caught(state)] for name, state in machine.states.items()}
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: set[str] = set()
    for root in following:
        if root in index:
            continue
        path = [(root, iter(following[root]))]
        index[root] = lowest[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while path:
            name, rest = path[-1]
            target = next(rest, None)
            if target is None:
                path.pop()
                if path:
                    lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[name])
                if lowest[name] == index[name]:
                    part: list[str] = []
                    while not part or part[-1] != name:
                        part.append(stack.pop())
                    on_stack.difference_update(part)
                    if len(part) > 1 or name in following[name]:
                        found.update(part)
            elif target not in index:
                index[target] = lowest[target] = len(index)
                stack.append(target)
                on_stack.add(target)
                path.append((target, iter(following[target])))
            elif target in on_stack:
                lowest[name] = min(lowest[name], index[target])
    return found
