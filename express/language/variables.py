"""Assign, as JSON, in; typed Assignments out. Also: may a variable have this name, may this scope assign it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from express.language import embedded, templates
from express.language.fields import Fields
from express.language.findings import UNDEFINED_VARIABLE, Findings, below, shown
from express.language.model import Assignments, Expression, Machine
from express.language.reaching import assigned_before
from express.language.transitions import machines

NAME = 80  # AWS: characters of a variable's name
RESERVED = "states"


class Scopes:
    """The Assigns of one definition. Every machine is a scope: it reads the variables of those around it, and cannot assign them.

    AWS lets the Catch of a Parallel or Map assign what the states inside have assigned for themselves: what only Catchers assign is nobody
    else's.
    """

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], str] = {}  # by machine and name, the place of the first Assign
        self._assigns: list[tuple[str, str, str]] = []

    def assigns(self, machine: str, name: str, location: str) -> None:
        """Somewhere in ``machine`` (its location) ``name`` is assigned, at ``location``."""
        if "/Catch/" not in location.removeprefix(machine):
            self._first.setdefault((machine, name), location)
        self._assigns.append((machine, name, location))

    def check(self, findings: Findings) -> None:
        """Once everything is read: an outer Assign may come after an inner one."""
        for machine, name, location in self._assigns:
            for around in _around(machine):
                if (outer := self._first.get((around, name))) is not None:
                    findings.error(location, f"the variable {shown(name)} belongs to a scope around this one, which assigns it at {outer}")
                    break

    def undefined(self, findings: Findings) -> None:
        """Variables that are read and that no state assigns where the reader could see it: AWS finds out when it runs."""
        assigned = {(machine, name): location for machine, name, location in self._assigns}
        for name, location in findings.reads:
            machine = _machine(location)
            seen = {*_around(machine), machine}
            if not any((scope, name) in assigned for scope in seen):
                near = findings.suggestion(name, {known for scope, known in assigned if scope in seen})
                inner = next((place for (_, known), place in assigned.items() if known == name), None)
                hint = near or (f" (the one that {inner} assigns ends with its Map or Parallel state)" if inner else "")
                findings.warning(location, f"no state assigns the variable {shown('$' + name)}{hint}", UNDEFINED_VARIABLE)

    def too_early(self, workflow: Machine, findings: Findings) -> None:
        """Variables that are read where none of the states that assign them can have come before. For a definition without errors."""
        places = {(machine, name): location for machine, name, location in reversed(self._assigns)}
        by_state: dict[str, dict[str, set[str]]] = {}
        for machine, name, location in self._assigns:
            by_state.setdefault(machine, {}).setdefault(_state(machine, location), set()).add(name)
        known: dict[str, dict[str, set[str]] | None] = {}
        for each in machines(workflow):
            if assigned := by_state.get(each.location):
                at = {state.location: name for name, state in each.states.items()}
                before = assigned_before(each, {at[location]: names for location, names in assigned.items()})
                known[each.location] = None if before is None else {each.states[name].location: seen for name, seen in before.items()}
        for name, location in findings.reads:
            inmost = _machine(location)
            scopes = [scope for scope in (inmost, *_around(inmost)) if (scope, name) in places]
            seen = [known.get(scope) for scope in scopes]
            if scopes and all(
                before is not None and name not in before.get(_state(scope, location), ())
                for scope, before in zip(scopes, seen, strict=True)
            ):
                message = (
                    f"no state that assigns the variable {shown('$' + name)} can have come before: {places[scopes[0], name]} comes later"
                )
                findings.warning(location, message, UNDEFINED_VARIABLE)


def _state(machine: str, location: str) -> str:
    """The location of the state of ``machine`` that ``location`` is in."""
    return machine + "/".join(location[len(machine) :].split("/", 3)[:3])


_MACHINE = re.compile(r"(?:/States/[^/]*/(?:Branches/[0-9]+|ItemProcessor|Iterator)(?=/))*")


def _machine(location: str) -> str:
    """The location of the machine that the state at ``location``, or above it, is in."""
    found = _MACHINE.match(location)
    return found[0] if found else ""


def _around(machine: str) -> Iterator[str]:
    """The machines around a machine, from the inside."""
    while machine:
        machine = machine.rpartition("/States/")[0]
        yield machine


def assignments(fields: Fields, machine: str, scopes: Scopes, members: tuple[str, ...] | None = None) -> Assignments:
    """The Assign of a state, a rule or a Catcher of ``machine``. In JSONata ``members`` are those of ``$states`` that there are."""
    if "Assign" not in fields:
        return ()
    raw, location, findings = fields.raw["Assign"], fields.at("Assign"), fields.findings
    if not isinstance(raw, dict):
        findings.error(location, f"expected an object with variables and their values, found {shown(raw)}")
        return ()
    found: list[tuple[str, Expression]] = []
    for key, value in raw.items():
        name = key if members is not None else key.removesuffix(".$")
        _check_name(name, below(location, key), findings)
        scopes.assigns(machine, name, below(location, key))
        if members is not None:
            found.append((name, embedded.parse(value, below(location, key), findings, members)))
        elif name != key and name in raw:
            findings.error(location, f"The variable {shown(name)} is given twice: as {shown(name)} and as {shown(key)}")
        elif name == key:
            found.append((name, templates.parse(value, below(location, key), findings)))
        elif (expression := templates.dynamic(key, value, location, findings)) is not None:
            found.append((name, expression))
    return tuple(found)


def _check_name(name: str, location: str, findings: Findings) -> None:
    if name == RESERVED:
        findings.error(location, f"the variable {shown(name)} is reserved: it cannot be assigned")
    elif not name.isidentifier():
        findings.error(location, f"a variable's name is a letter followed by letters, digits or '_', found {shown(name)}")
    elif len(name) > NAME:
        findings.error(location, f"a variable's name has 1 to {NAME} characters, found one of {len(name)}")
