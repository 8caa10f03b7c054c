"""What the Tasks of Express' own have in common (``arn:express:tasks:::...``): parameters that are checked, a connection that is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Protocol, TypeVar

from express.language.model import Literal, ObjectTemplate
from express.language.resources import OWN
from express.options import Connection
from express.runtime.failures import StateError
from express.runtime.values import dumps
from express.tasks import ResourceMissing
from express.tasks.aws_models import Trouble
from express.tasks.constants import constant
from express.tasks.integration import Integration, Resource

C = TypeVar("C", bound=Connection)


class Opened(Protocol):
    """What an executor has open for Tasks of one kind."""

    async def open(self, connection: Any) -> Any:
        """Connects, once. Raises what the client does."""


class Own(Integration):
    """A Task over one named connection, which ``opened`` (an executor's service) opens when the process starts."""

    opened: Any

    def __init__(self, resource: Resource, connection: Connection) -> None:
        super().__init__(resource.arn, resource.name.removeprefix("express:"))
        self.connection = connection

    async def warm(self, executor: Any) -> None:
        """Before the first event: connects. Raises what the client does."""
        await executor.service(self.opened).open(self.connection)


def check(resource: Resource, parameters: Any) -> Iterator[Trouble]:
    """What is wrong with the parameters, as far as the definition spells them out."""
    label = resource.name.removeprefix("express:")
    if label not in OWN:
        return
    needed, others = OWN[label]
    known = (*needed, *others)
    if isinstance(parameters, ObjectTemplate):
        given = {name for name, _ in parameters.fields}
    elif parameters is None:
        given = set()
    elif isinstance(parameters, Literal) and isinstance(parameters.value, dict):
        given = set(parameters.value)
    else:
        return  # JSONPath or JSONata: only the data tell
    for name in sorted(given):
        if name not in known:
            near = get_close_matches(name, known, 1)
            yield Trouble("parameter", f"{label} has no parameter {name!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
    for name in needed:
        if name not in given:
            yield Trouble("required", f"{label} needs the parameter {name}")


def connection(resource: Resource, parameters: Any, connections: Mapping[str, Connection], kind: type[C], called: str) -> C:
    """The connection that the definition names, or the only one of its kind. ResourceMissing where there is none, or where the data would
    choose: an event must not say whom its workflow talks to."""
    label = resource.name.removeprefix("express:")
    names = [name for name, each in connections.items() if isinstance(each, kind)]
    there = ", ".join(names) or "none"
    given = constant(parameters, "Connection")
    if given is None:
        if len(names) != 1:
            raise ResourceMissing(f"{label} needs Connection, the name of a connection of kind {called} (there are: {there})")
        given = names[0]
    elif not isinstance(given, str):
        raise ResourceMissing(f"{label}: Connection must be a text that does not depend on the data")
    found = connections.get(given)
    if not isinstance(found, kind):
        near = get_close_matches(given, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {there}"
        raise ResourceMissing(f"{label}: there is no connection {given!r} of kind {called}: {hint}")
    return found


def fields(label: str, payload: Any) -> dict[str, Any]:
    """What a call was given. StateError ``States.Runtime`` for what is no object, or has what is not known, or lacks what is needed."""
    if not isinstance(payload, dict):
        raise runtime(f"The parameters of {label} must be an object.")
    needed, others = OWN[label]
    for name in payload:
        if name not in needed and name not in others:
            raise runtime(f"{label} has no parameter {name[:80]!r}.")
    for name in needed:
        if name not in payload:
            raise runtime(f"{label} needs the parameter {name}.")
    return payload


def content(value: Any) -> bytes:
    """A value as a record has it: JSON text."""
    return dumps(value)


def key(label: str, value: Any) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise runtime(f"{label}: Key must be a text.")
    return value.encode()


def headers(label: str, value: Any) -> list[tuple[str, bytes]]:
    if value is None:
        return []
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise runtime(f"{label}: Headers must be an object of texts.")
    return [(name, each.encode()) for name, each in value.items()]


def whole(label: str, name: str, value: Any, most: int) -> int | None:
    """A number from 0, or None for null."""
    if value is None:
        return None
    if value.__class__ is float and value.is_integer():
        value = int(value)
    if value.__class__ is not int or not 0 <= value <= most:
        raise runtime(f"{label}: {name} must be a whole number from 0 to {most:,}.")
    return int(value)


def runtime(sentence: str) -> StateError:
    """A request that is not even sent."""
    return StateError("States.Runtime", sentence)


__all__ = ["Own", "check", "connection", "content", "fields", "headers", "key", "runtime", "whole"]
