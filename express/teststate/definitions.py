"""A definition of one state, or of a whole machine and a state's name, in; the state to be tested out."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from express import language
from express.compiler.module import machines
from express.errors import Problem, RequestError
from express.language import text
from express.language.findings import Findings
from express.language.model import State, Workflow
from express.teststate.contexts import SETTER

NAME = "StateName"  # what AWS calls a state that is given alone

_PATTERN = re.compile(r"(\.sync(?::[0-9]+)?|\.waitForTaskToken)$")
_ACTIVITY = re.compile(r"arn:[^:]*:states:[^:]*:[^:]*:activity:")
_SOME_FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:activity"


class Subject(msgspec.Struct):
    """The state under test: as checked, and as it was written; the machine it is in; whether its query language is JSONata.

    ``prelude`` is the state that sets the variables given, if there are any.
    """

    state: State
    raw: dict[str, Any]
    workflow: Workflow
    jsonata: bool
    prelude: State | None


def find(definition: Any, name: str | None, variables: Mapping[str, Any], setter: Mapping[str, Any]) -> Subject:
    """RequestError ``InvalidDefinition`` for what AWS would not accept, ``ValidationException`` if there is no state of this name.

    ``setter`` is a Pass state that sets the ``variables``.
    """
    prelude = _prelude(setter) if variables else None
    findings = Findings()
    raw = text.read(definition, findings)
    if raw is text.ABSENT or not isinstance(raw, dict):
        raise invalid(findings.problems or [Problem("ERROR", "INVALID_JSON_DESCRIPTION", "/", "a definition is an object")])
    whole = name is not None
    if name is None:
        name = NAME
        raw = _alone(raw, variables, setter)
    loaded = language.load(_without_patterns(raw))
    if loaded.workflow is None:
        raise invalid([_of_the_state(problem) for problem in loaded.problems] if not whole else loaded.problems)
    workflow = loaded.workflow
    state = next((machine.states[name] for machine in machines(workflow) if name in machine.states), None)
    if state is None:
        raise RequestError("ValidationException", "State not found in definition")
    written = _at(raw, state.location)
    jsonata = (written.get("QueryLanguage") or raw.get("QueryLanguage")) == "JSONata"
    return Subject(state, written, workflow, jsonata, prelude)


def invalid(problems: list[Problem]) -> RequestError:
    """AWS's sentence for a definition that it rejects, with everything that is wrong with it."""
    errors = ", ".join(f"{problem.code}: {problem.message} at {problem.location}" for problem in problems if problem.severity == "ERROR")
    return RequestError("InvalidDefinition", f"Invalid State Machine Definition: '{errors}'")


def _alone(state: dict[str, Any], variables: Mapping[str, Any], setter: Mapping[str, Any]) -> dict[str, Any]:
    """A machine around one state: where it leads to is some other state."""
    states: dict[str, Any] = {NAME: state}
    for target in _targets(state):
        states.setdefault(target, {"Type": "Succeed"})
    if not variables:
        return {"StartAt": NAME, "States": states}
    return {"StartAt": SETTER, "States": {**states, SETTER: {**setter, "Next": NAME}}}


def _prelude(setter: Mapping[str, Any]) -> State:
    """The state that sets the variables, checked."""
    loaded = language.load({"StartAt": SETTER, "States": {SETTER: {**setter, "Next": NAME}, NAME: {"Type": "Succeed"}}})
    if loaded.workflow is None:
        raise RequestError("ValidationException", "Invalid variables: " + "; ".join(problem.message for problem in loaded.problems))
    return loaded.workflow.states[SETTER]


def _targets(state: Mapping[str, Any]) -> Iterator[str]:
    """Every state that is named as the next one."""
    inner = [each for field in ("Choices", "Catch") if isinstance(found := state.get(field), list) for each in found]
    for place in (state, *inner):
        if isinstance(place, dict):
            yield from (place[field] for field in ("Next", "Default") if isinstance(place.get(field), str) and place[field])


def _of_the_state(problem: Problem) -> Problem:
    """The place in a definition that is one state alone."""
    location = problem.location.removeprefix(f"/States/{NAME}") or "/"
    return msgspec.structs.replace(problem, location=location)


def _without_patterns(raw: dict[str, Any]) -> dict[str, Any]:
    """The same without what Express workflows may not have and single states may: how the end of a service's job is waited for."""
    raw = copy.deepcopy(raw)
    pending: list[Any] = [raw]
    while pending:
        machine = pending.pop()
        states = machine.get("States") if isinstance(machine, dict) else None
        for state in states.values() if isinstance(states, dict) else ():
            if not isinstance(state, dict):
                continue
            resource = state.get("Resource")
            if state.get("Type") == "Task" and isinstance(resource, str):
                state["Resource"] = _SOME_FUNCTION if _ACTIVITY.match(resource) else _PATTERN.sub("", resource)
            branches = state.get("Branches")
            pending.extend((*(branches if isinstance(branches, list) else ()), state.get("ItemProcessor"), state.get("Iterator")))
    return raw


def needs_mock(raw: Mapping[str, Any]) -> bool:
    """Whether a Task waits for the end of what only AWS can run: an activity, ``.sync``, ``.waitForTaskToken``."""
    resource = raw.get("Resource")
    return isinstance(resource, str) and bool(_ACTIVITY.match(resource) or _PATTERN.search(resource))


def _at(raw: Any, pointer: str) -> dict[str, Any]:
    """What a JSON pointer leads to."""
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        raw = raw[int(step)] if isinstance(raw, list) else raw[step]
    found: dict[str, Any] = raw
    return found
