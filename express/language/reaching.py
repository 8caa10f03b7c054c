"""A machine and who assigns what in; out, for each state, the variables that can have been assigned by the time it begins."""

from __future__ import annotations

from collections.abc import Mapping

from express.language.model import Machine
from express.language.transitions import transitions

_ROUNDS = 50  # over all states; as many as loops within each other, and one more


def assigned_before(machine: Machine, assigned: Mapping[str, set[str]]) -> dict[str, set[str]] | None:
    """``assigned``: states of the machine with the variables that they, their rules or Catchers assign. A state does not see its own,
    unless a loop leads back to it. None: the loops are too deep to tell."""
    names = sorted({name for each in assigned.values() for name in each})
    bits = {name: 1 << number for number, name in enumerate(names)}
    own = {state: sum(bits[name] for name in assigned.get(state, ())) for state in machine.states}
    following = {name: [transition.target for transition in transitions(state)] for name, state in machine.states.items()}
    before = dict.fromkeys(machine.states, 0)
    order = _order(machine.start_at, following)
    for _ in range(_ROUNDS):
        changed = False
        for name in order:
            after = before[name] | own[name]
            for target in following[name]:
                if after & ~before[target]:
                    before[target] |= after
                    changed = True
        if not changed:
            return {state: {name for name in names if seen & bits[name]} for state, seen in before.items() if seen}
    return None


def _order(start: str, following: Mapping[str, list[str]]) -> list[str]:
    """States before those that follow them, but for the ways back of loops."""
    found: list[str] = []
    seen = {start}
    path = [(start, iter(following[start]))]
    while path:
        name, rest = path[-1]
        for target in rest:
            if target not in seen:
                seen.add(target)
                path.append((target, iter(following[target])))
                break
        else:
            path.pop()
            found.append(name)
    return found[::-1]
