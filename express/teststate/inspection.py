"""What was recorded of the state under test in, AWS's ``inspectionData`` out: which of it a type of state shows, in which language."""

from __future__ import annotations

from typing import Any

from express.language.model import ROOT, Choice, Fail, Map, Parallel, Pass, Succeed, Task, Wait
from express.observers.recording import Visit
from express.teststate.definitions import Subject

_LIMITS = ("maxConcurrency", "toleratedFailureCount", "toleratedFailurePercentage")


def of(subject: Subject, visit: Visit, variables: dict[str, Any], error_details: dict[str, int]) -> dict[str, Any]:
    """Values are decoded; a state that failed shows what it had come to."""
    shown = {"input": visit.input, **(_jsonata(subject, visit) if subject.jsonata else _jsonpath(subject, visit))}
    for name in _LIMITS:
        if name in visit.data:
            value = visit.data[name]
            shown[name] = float(value) if name == "toleratedFailurePercentage" else int(value)
    if variables:
        shown["variables"] = variables
    if error_details:
        shown["errorDetails"] = error_details
    return shown


def _jsonata(subject: Subject, visit: Visit) -> dict[str, Any]:
    state, seen = subject.state, visit.data
    if isinstance(state, Task):
        # Without Arguments a resource is called with the input
        shown = (
            {"afterArguments": seen.get("afterArguments", visit.input)}
            if "Arguments" not in subject.raw
            else _picked(seen, "afterArguments")
        )
        return {**shown, **_picked(seen, "result")}
    if isinstance(state, Map):
        return _picked(seen, "afterItemSelector")
    return {}


def _jsonpath(subject: Subject, visit: Visit) -> dict[str, Any]:
    """Filter by filter, as far as the state came: one that it does not have gives what it was given."""
    state, seen = subject.state, visit.data
    shown: dict[str, Any] = {}
    if isinstance(state, Fail):
        return shown
    if not _pass_on(shown, seen, "afterInputPath", visit.input, state.input_path != ROOT):
        return shown
    if isinstance(state, (Choice, Wait, Succeed)):
        return shown
    assert isinstance(state, (Pass, Task, Map, Parallel))
    given = shown["afterInputPath"]
    if isinstance(state, Map):
        if "ItemReader" not in subject.raw:
            shown |= _picked(seen, "afterItemsPath")
        shown |= _picked(seen, "afterItemSelector")
    elif not _pass_on(shown, seen, "afterParameters", given, state.parameters is not None):
        return shown
    if isinstance(state, Parallel):
        shown = {}  # of what its branches were given, a mock shows nothing
    if isinstance(state, Pass):
        shown["afterResultSelector"] = shown["afterParameters"] if state.result is None else state.result.value
    elif "result" in seen:
        if isinstance(state, Task):
            shown["result"] = seen["result"]
        if not _pass_on(shown, seen, "afterResultSelector", seen["result"], state.result_selector is not None):
            return shown
    return shown | _picked(seen, "afterResultPath")


def _picked(seen: dict[str, Any], field: str) -> dict[str, Any]:
    return {field: seen[field]} if field in seen else {}


def _pass_on(shown: dict[str, Any], seen: dict[str, Any], field: str, given: Any, there: bool) -> bool:
    """Shows what a filter made, or what it was ``given`` if the state has none; False if it failed."""
    if there and field not in seen:
        return False
    shown[field] = seen[field] if there else given
    return True
