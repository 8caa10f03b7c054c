"""The JSON value of a definition in, a typed Workflow out, or None and every problem with its place."""

from __future__ import annotations

from typing import Any

from express.language import graph, states, variables
from express.language.fields import Fields
from express.language.findings import DUPLICATE_STATE, STATE_NAME, TOO_DEEP, Findings, below, shown
from express.language.model import Machine, State, Workflow

STATES = 10_000
NESTING = 16  # Map and Parallel states within each other
NAME = 80  # AWS: characters of a state's name

JSONPATH, JSONATA = "JSONPath", "JSONata"

_PARTS = ("Comment", "StartAt", "States", "QueryLanguage")
_WORKFLOW = (*_PARTS, "TimeoutSeconds", "Version")


def workflow(raw: Any, sha256: str, findings: Findings) -> Workflow | None:
    """The whole definition."""
    if not isinstance(raw, dict):
        findings.error("", f"a definition is an object with States and StartAt, found {shown(raw)}")
        return None
    fields = Fields(raw, "", findings)
    fields.known(_WORKFLOW, "a state machine")
    version = fields.one_of("Version", ("1.0",))
    timeout = fields.integer("TimeoutSeconds", 1)
    reading = Reading(findings)
    machine = reading.machine(fields, JSONPATH, 0)
    reading.scopes.check(findings)
    reading.scopes.undefined(findings)
    if machine is None or findings.failed:
        return None
    reading.scopes.too_early(machine, findings)
    return Workflow(
        location="",
        start_at=machine.start_at,
        states=machine.states,
        comment=machine.comment,
        sha256=sha256,
        timeout_seconds=timeout,
        version=version,
    )


class Reading:
    """What is known across one definition while it is read: the names that must be unique, the limits."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.language = JSONPATH  # of the whole definition
        self.labels: dict[str, str] = {}
        self.scopes = variables.Scopes()
        self._names: dict[str, str] = {}
        self._states = 0

    def part(self, raw: Any, location: str, language: str, depth: int, extra: tuple[str, ...] = ()) -> Machine | None:
        """A branch of Parallel or the processor of Map."""
        if not isinstance(raw, dict):
            self.findings.error(location, f"expected an object with States and StartAt, found {shown(raw)}")
            return None
        if depth > NESTING:
            self.findings.error(location, f"Map and Parallel states may be nested {NESTING} deep, these are deeper", TOO_DEEP)
            return None
        fields = Fields(raw, location, self.findings)
        fields.known((*_PARTS, *extra), "a part of a state machine")
        return self.machine(fields, language, depth)

    def machine(self, fields: Fields, language: str, depth: int) -> Machine | None:
        comment = fields.text("Comment")
        language = self._language(fields, language)
        if depth == 0:
            self.language = language
        if not fields.required("States", "StartAt"):
            return None
        raw = fields.raw["States"]
        start_at = fields.text("StartAt")
        if not isinstance(raw, dict) or not raw:
            fields.error("States", f"expected an object with at least one state, found {shown(raw) if raw != {} else 'none'}")
            return None
        self._states += len(raw)
        if self._states > STATES:
            fields.error("States", f"a definition may have {STATES} states, this one has more")
            return None
        for name in raw:
            self._name(name, below(fields.at("States"), name))
        made: dict[str, State] = {}
        for name, state in raw.items():
            location = below(fields.at("States"), name)
            if not isinstance(state, dict):
                self.findings.error(location, f"expected an object with the fields of a state, found {shown(state)}")
                continue
            read = self._state(name, Fields(state, location, self.findings), fields.location, language, depth)
            if read is not None:
                made[name] = read
        graph.check(fields, start_at, self._names, self.findings)
        if len(made) < len(raw) or start_at is None:
            return None
        return Machine(location=fields.location, start_at=start_at, states=made, comment=comment)

    def _language(self, fields: Fields, inherited: str) -> str:
        """The query language of a machine or a state."""
        return fields.one_of("QueryLanguage", (JSONPATH, JSONATA), inherited) or inherited

    def _name(self, name: str, location: str) -> None:
        if not name or len(name) > NAME:
            what = f"one of {len(name)}" if name else "none"
            self.findings.error(location, f"a state's name has 1 to {NAME} characters, found {what}", STATE_NAME)
        if name in self._names:
            self.findings.error(location, f"there are two states named {shown(name)}, the other at {self._names[name]}", DUPLICATE_STATE)
        else:
            self._names[name] = location

    def _state(self, name: str, fields: Fields, machine: str, language: str, depth: int) -> State | None:
        if language == JSONATA and fields.raw.get("QueryLanguage") == JSONPATH:
            fields.error("QueryLanguage", "a state of a JSONata state machine cannot go back to JSONPath")
        language = self._language(fields, language)
        kind = fields.one_of("Type", tuple(states.KINDS)) if fields.required("Type") else None
        if kind is None:
            return None
        read = states.KINDS[kind]
        return read(states.Context(self, name, machine, language == JSONATA, depth), fields)
