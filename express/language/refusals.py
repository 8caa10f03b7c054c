"""What a checked Workflow may hold and Express cannot run: for whoever compiles it. Checking and testing single states accept it."""

from __future__ import annotations

from express.errors import Problem
from express.language.findings import DISTRIBUTED
from express.language.model import Machine, Map, Parallel


def refusals(machine: Machine) -> list[Problem]:
    """An ERROR for every Distributed Map, at any depth."""
    found: list[Problem] = []
    todo: list[Machine] = [machine]
    while todo:
        for state in todo.pop().states.values():
            if isinstance(state, Map):
                if state.mode == "DISTRIBUTED":
                    message = "a Distributed Map cannot be run: Express workflows have the inline Map only"
                    found.append(Problem("ERROR", DISTRIBUTED, state.location, message))
                todo.append(state.processor)
            elif isinstance(state, Parallel):
                todo.extend(state.branches)
    return found
