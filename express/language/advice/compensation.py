"""A saga whose chain of compensations leaves a step out: it was completed, a later one failed, and nothing undoes it.

What undoes what is read from names: a Task that only a Catch leads to, with a word such as Cancel, Undo or Refund in its name, undoes the
step it shares most words with (``Cancel Hotel`` and ``Book Hotel``), or whose verb it is the opposite of (``Refund`` and ``Charge Card``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from express.errors import Problem
from express.language.advice.places import advice, caught, onward, reached
from express.language.codes import NOT_UNDONE
from express.language.findings import below, shown
from express.language.model import Fail, Fallible, Machine, State, Task

_OPPOSITES: dict[str, frozenset[str]] = {
    "cancel": frozenset({"book", "order", "create", "schedule", "reserve", "submit", "place", "start"}),
    "refund": frozenset({"charge", "pay", "payment", "bill", "debit", "purchase", "collect", "process"}),
    "credit": frozenset({"charge", "pay", "payment", "bill", "debit", "withdraw"}),
    "void": frozenset({"charge", "authorize", "authorise", "payment", "issue"}),
    "release": frozenset({"reserve", "hold", "allocate", "lock", "acquire", "claim"}),
    "free": frozenset({"reserve", "allocate", "lock"}),
    "unlock": frozenset({"lock"}),
    "unreserve": frozenset({"reserve"}),
    "unbook": frozenset({"book"}),
    "delete": frozenset({"create", "add", "insert", "put", "upload", "write", "save", "store", "register", "provision"}),
    "remove": frozenset({"create", "add", "insert", "put", "upload", "save", "store", "register", "attach"}),
    "deregister": frozenset({"register"}),
    "unregister": frozenset({"register"}),
    "deprovision": frozenset({"provision"}),
    "restore": frozenset({"update", "change", "delete", "remove", "decrease", "withdraw"}),
    "restock": frozenset({"reserve", "take", "decrease", "deduct"}),
    "return": frozenset({"take", "withdraw", "ship", "borrow"}),
    "undo": frozenset(),
    "revert": frozenset(),
    "reverse": frozenset(),
    "rollback": frozenset(),
    "compensate": frozenset(),
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_EMPTY = frozenset({"a", "an", "the", "of", "for", "to", "and", "task", "step", "state", "back", "roll", "try"})
_EVERYTHING = ("States.ALL", "States.TaskFailed")
_MONEY = frozenset({"charge", "payment", "pay", "debit", "withdraw"})  # what nobody leaves done who undoes anything at all
_STATES = 1_000  # of one machine: names are compared each with each


def incomplete(machine: Machine) -> Iterator[Problem]:
    """Every place where a completed step stays done although the workflow fails."""
    if len(machine.states) > _STATES:
        return
    normal = reached(machine, [machine.start_at], failures=False)
    undone_by = _pairs(machine, normal)
    if not undone_by:
        return
    paid = _never_undone(machine, normal, undone_by)
    before = {step: normal - _reached_around(machine, step) for step in (*undone_by, *paid)}  # what cannot be entered but through the step
    for name in machine.states:
        if name not in normal:
            continue
        state = machine.states[name]
        done = [step for step in undone_by if step != name and name in before[step]]
        if not done or (not isinstance(state, Fallible) and not isinstance(state, Fail)):
            continue
        if isinstance(state, Fail):
            for step in done:
                yield advice(NOT_UNDONE, state.location, f"here the workflow fails and {_left(step, undone_by)}")
            continue
        for number, catcher in enumerate(state.catch):
            handled = reached(machine, [catcher.next])
            if _goes_on(machine, handled & normal):
                continue
            if any(handled & undone_by[step] for step in done):
                for step in paid:
                    if step != name and name in before[step]:
                        message = f"when {shown(name)} fails what {shown(step)} did stays done: no state undoes it"
                        yield advice(NOT_UNDONE, below(state.location, "Catch", number), message)
            for step in done:
                if not handled & undone_by[step]:
                    location = below(state.location, "Catch", number)
                    yield advice(NOT_UNDONE, location, f"when {shown(name)} fails {_left(step, undone_by)}")
        if not any(error in _EVERYTHING for catcher in state.catch for error in catcher.error_equals):
            for step in done:
                yield advice(NOT_UNDONE, state.location, f"when {shown(name)} fails {_left(step, undone_by, 'no Catch for it')}")


def _left(step: str, undone_by: dict[str, set[str]], reason: str = "no way from here") -> str:
    undoing = " or ".join(shown(name) for name in sorted(undone_by[step]))
    return f"what {shown(step)} did stays done: {reason} leads to {undoing}"


def _goes_on(machine: Machine, rejoined: set[str]) -> bool:
    """Whether a handler leads back into the work: then the failure was dealt with and nothing has to be undone."""
    return any(onward(machine.states[name]) or isinstance(machine.states[name], Fallible) for name in rejoined)


def _reached_around(machine: Machine, step: str) -> set[str]:
    """What can be entered, without failures, without ``step`` having been completed."""
    if machine.start_at == step:
        return {step}
    found, todo = {machine.start_at}, [machine.start_at]
    while todo:
        for name in onward(machine.states[todo.pop()]):
            if name not in found:
                found.add(name)
                if name != step:
                    todo.append(name)
    return found


# --- What undoes what -------------------------------------------------------------------------------------------------------------


def _pairs(machine: Machine, normal: set[str]) -> dict[str, set[str]]:
    """Steps, each with the states that undo it."""
    steps = {name: _words(name) for name in machine.states if name in normal and isinstance(machine.states[name], Fallible)}
    handlers = reached(machine, [target for name in normal for target in caught(machine.states[name])]) - normal
    found: dict[str, set[str]] = {}
    for name in machine.states:
        if name in handlers and (step := _undoes(machine.states[name], steps)) is not None:
            found.setdefault(step, set()).add(name)
    return found


def _never_undone(machine: Machine, normal: set[str], undone_by: dict[str, set[str]]) -> list[str]:
    """Steps that take money, in a saga of which every state that undoes something is known to undo something else."""
    known = set().union(*undone_by.values())
    handlers = reached(machine, [target for name in normal for target in caught(machine.states[name])]) - normal
    if any(isinstance(machine.states[name], Fallible) and name not in known for name in handlers):
        return []
    tasks = (name for name in machine.states if name in normal and isinstance(machine.states[name], Task))
    return [name for name in tasks if name not in undone_by and _MONEY & set(_words(name))]


def _undoes(state: State, steps: dict[str, list[str]]) -> str | None:
    words = _words(state.name)
    verb = next((word for word in words if word in _OPPOSITES), None)
    if not isinstance(state, Fallible) or verb is None:
        return None
    objects = set(words) - {verb}
    scores = {}
    for name, theirs in steps.items():
        shared = len(objects & set(theirs))
        opposite = bool(_OPPOSITES[verb] & (set(theirs) - objects))  # the order of Ship Order is what it ships
        if shared or (opposite and not objects):
            scores[name] = (shared, opposite)
        elif opposite:
            scores[name] = (0, True)
    most = max(scores.values(), default=None)
    best = [name for name, score in scores.items() if score == most]
    return best[0] if len(best) == 1 else None


def _words(name: str) -> list[str]:
    """``BookHotels`` is ``book hotel``."""
    words = [word.lower() for word in _WORD.findall(name)]
    return [word.removesuffix("s") if len(word) > 3 and not word.endswith("ss") else word for word in words if word not in _EMPTY]
