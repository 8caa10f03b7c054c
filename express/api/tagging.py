"""Tags of state machines, as the operations of AWS's API."""

from __future__ import annotations

from typing import Any

import msgspec

from express.api import arns, shapes
from express.api.defining import TAGS, tags_of
from express.api.machines import Machines
from express.api.store import Machine
from express.errors import RequestError


async def tag(machines: Machines, request: shapes.TagResource) -> dict[str, Any]:
    added = tags_of(request.tags)
    async with machines.changing:
        machine = _find(machines, request.resource_arn)
        tags = {**machine.tags, **added}
        if len(tags) > TAGS:
            raise RequestError("TooManyTags", f"a state machine has at most {TAGS} tags, these would be {len(tags)}")
        await _put(machines, machine, tags)
    return {}


async def untag(machines: Machines, request: shapes.UntagResource) -> dict[str, Any]:
    async with machines.changing:
        machine = _find(machines, request.resource_arn)
        await _put(machines, machine, {key: value for key, value in machine.tags.items() if key not in request.tag_keys})
    return {}


def listed(machines: Machines, request: shapes.ListTagsForResource) -> dict[str, Any]:
    machine = _find(machines, request.resource_arn)
    return {"tags": [{"key": key, "value": value} for key, value in machine.tags.items()]}


async def _put(machines: Machines, machine: Machine, tags: dict[str, str]) -> None:
    if tags != machine.tags:
        await machines.put(msgspec.structs.replace(machine, tags=tags))


def _find(machines: Machines, arn: str) -> Machine:
    """Versions and aliases have no tags of their own."""
    found = arns.state_machine(arn)
    machine = machines.get(found.name) if found.qualifier is None else None
    if machine is None:
        raise RequestError("ResourceNotFound", f"Resource not found: '{arn}'")
    return machine
