"""Constants of a definition that are larger than the data of a state may be: whoever reaches them fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from express.errors import Problem
from express.language.codes import TOO_LARGE_A_CONSTANT
from express.language.findings import below

PAYLOAD = 256 * 1024  # AWS: bytes of a state's data
_VALUES = ("Result", "Parameters", "Arguments", "Output", "ResultSelector", "ItemSelector", "Items")  # what becomes data, whole or in part


def check(raw: Any) -> list[Problem]:
    """A WARNING for each; AWS accepts the definition and fails when the state runs. ``raw`` is the definition's JSON value."""
    if len(json.dumps(raw)) <= PAYLOAD:
        return []  # nothing in it can be
    found = []
    for location, state in _states(raw):
        for name in _VALUES:
            size = len(json.dumps(state.get(name), separators=(",", ":"), ensure_ascii=False).encode())
            if size > PAYLOAD:
                message = f"a state's data may have {PAYLOAD} bytes, this alone has {size}: the state fails with States.DataLimitExceeded"
                found.append(Problem("WARNING", TOO_LARGE_A_CONSTANT, below(location, name), message))
    return found


def _states(raw: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object that stands where a state is, with its place."""
    todo: list[tuple[str, Any]] = [("", raw)]
    while todo:
        location, machine = todo.pop()
        states = machine.get("States") if isinstance(machine, dict) else None
        for name, state in states.items() if isinstance(states, dict) else ():
            if not isinstance(state, dict):
                continue
            here = below(location, "States", name)
            yield here, state
            todo += [(below(here, field), state.get(field)) for field in ("ItemProcessor", "Iterator")]
            branches = state.get("Branches")
            todo += [(below(here, "Branches", number), each) for number, each in enumerate(branches if isinstance(branches, list) else ())]
