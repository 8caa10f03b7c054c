"""Names that an expression reads of ``$states`` or of the Context Object in; the first that does not exist out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from express.language import jsonata
from express.language import jsonata_nodes as nodes
from express.language.findings import UNKNOWN_FIELD, Findings, shown
from express.language.model import Jsonata, Name, Path

Fields: TypeAlias = "Mapping[str, Fields | None]"  # None: whatever is below is free

CONTEXT: Fields = {
    "Execution": dict.fromkeys(("Id", "Input", "Name", "RoleArn", "StartTime", "RedriveCount", "RedriveTime")),
    "State": dict.fromkeys(("EnteredTime", "Name", "RetryCount")),
    "StateMachine": dict.fromkeys(("Id", "Name")),
    "Task": {"Token": None},
    "Map": {"Item": dict.fromkeys(("Index", "Value", "Key", "Source"))},
    "Source": None,  # ours: the record that the input came from
}  # developer guide, "Accessing execution data from the Context object"; State.RetryCount and Map.Item.Key as well
_STATES: Fields = {"input": None, "result": None, "errorOutput": None, "context": CONTEXT}


def check_path(path: Path, location: str, findings: Findings) -> None:
    """A path into the Context Object: ``$$.Execution.Id``."""
    names = []
    for segment in path.segments:
        if not isinstance(segment, Name):
            break
        names.append(segment.name)
    _check(names, CONTEXT, "$$", location, findings)


def check_jsonata(expression: Jsonata, location: str, findings: Findings) -> None:
    """What follows ``$states`` in an expression."""
    every = list(jsonata.walk(expression.node))
    if any("states" in jsonata.names_bound(node) for node in every):  # a function's parameter of that name
        return
    for names in dict.fromkeys(_after_states(every)):
        _check(names, _STATES, "$states", location, findings)


def _after_states(every: Sequence[nodes.Node]) -> Iterator[tuple[str, ...]]:
    for node in every:
        if not isinstance(node, nodes.Path) or not isinstance(first := node.steps[0].node, nodes.Variable) or first.name != "states":
            continue
        names: list[str] = []
        for step in node.steps[1:]:
            if not isinstance(step.node, nodes.Field):
                break
            names.append(step.node.name)
        yield tuple(names)


def _check(names: Sequence[str], known: Fields, walked: str, location: str, findings: Findings) -> None:
    for name in names:
        if name not in known:
            if "${" not in name:  # a placeholder without a value can be any name
                near = findings.suggestion(name, known)
                findings.warning(location, f"there is no {shown(f'{walked}.{name}')}{near}: nothing is found there", UNKNOWN_FIELD)
            return
        below = known[name]
        if below is None:
            return
        known, walked = below, f"{walked}.{name}"
