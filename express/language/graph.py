"""The transitions of one state machine: do their targets exist, is every state reached, is there an end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from express.language.fields import Fields
from express.language.findings import NO_END, TARGET, Findings, below, shown

_GO_ON = ("Task", "Pass", "Choice", "Wait", "Parallel", "Map")


def targets(state: dict[str, Any], location: str) -> Iterator[tuple[str, str]]:
    """Where the state may go on to: the place that says so, and the name there. What is not a name is reported elsewhere."""
    for name in ("Next", "Default"):
        if isinstance(state.get(name), str):
            yield below(location, name), state[name]
    for name in ("Choices", "Catch"):
        entries = state.get(name)
        if isinstance(entries, list):
            for number, entry in enumerate(entries):
                if isinstance(entry, dict) and isinstance(entry.get("Next"), str):
                    yield below(location, name, number, "Next"), entry["Next"]


def check(machine: Fields, start_at: str | None, everywhere: dict[str, str], findings: Findings) -> None:
    """``everywhere`` are the states of the whole definition so far, each with its place: a transition cannot leave its own part."""
    states: dict[str, Any] = machine.raw["States"]

    def missing(location: str, name: str) -> None:
        if name in everywhere:
            findings.error(location, f"no state is named {shown(name)} here: the one at {everywhere[name]} is out of reach", TARGET)
        else:
            findings.error(location, f"no state is named {shown(name)}{findings.suggestion(name, states)}", TARGET)

    reached: set[str] = set()
    if start_at is not None and start_at not in states:
        missing(machine.at("StartAt"), start_at)
    elif start_at is not None:
        reached.add(start_at)
    following: dict[str, list[str]] = {}
    for name, state in states.items():
        following[name] = []
        if not isinstance(state, dict):
            continue
        for location, target in targets(state, below(machine.at("States"), name)):
            if target in states:
                following[name].append(target)
            else:
                missing(location, target)
    if reached:
        _unreached(machine, states, reached, following, findings)
    if not any(_ends(state) for state in states.values()):
        message = "there is no terminal state: a Succeed, a Fail or a state with End: true"
        findings.error(machine.at("States"), message, NO_END)


def _unreached(machine: Fields, states: dict[str, Any], reached: set[str], following: dict[str, list[str]], findings: Findings) -> None:
    todo = list(reached)
    while todo:
        for target in following[todo.pop()]:
            if target not in reached:
                reached.add(target)
                todo.append(target)
    for name in states:
        if name not in reached:
            findings.error(
                below(machine.at("States"), name), f"State {shown(name)} is not reachable: no state that is reached leads to it", TARGET
            )


def _ends(state: Any) -> bool:
    """True also for what cannot be read: there the real problem is another one."""
    if not isinstance(state, dict):
        return True
    return state.get("Type") not in _GO_ON or state.get("End", False) is not False
