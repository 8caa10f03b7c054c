"""Versions of state machines published, listed and deleted, as the operations of AWS's API."""

from __future__ import annotations

from typing import Any

import msgspec

from express.api import arns, defining, pages, shapes
from express.api.machines import Machines
from express.errors import RequestError

INITIAL = "INITIAL"  # what AWS calls the revision that has no UUID


async def publish(machines: Machines, request: shapes.PublishStateMachineVersion) -> dict[str, Any]:
    """Idempotent: a revision that has a version keeps it."""
    arns.state_machine(request.state_machine_arn)
    async with machines.changing:
        machine = machines.unqualified(request.state_machine_arn)
        machines.changeable(machine.name)
        present = machines.revision(machine.revision).revision or INITIAL
        if request.revision_id is not None and request.revision_id != present:
            sentence = (
                f"Failed to publish the State Machine version for revision {request.revision_id}. "
                f"The current State Machine revision is {present}."
            )
            raise RequestError("ConflictException", sentence)
        machine = await defining.publish(machines, machine, request.description)
    version = next(version for version in machine.versions if version.revision == machine.revision)
    return {
        "creationDate": defining.stamp(version.created),
        "stateMachineVersionArn": arns.of_machine(machine.name, version.number),
    }


def listed(machines: Machines, request: shapes.ListStateMachineVersions) -> dict[str, Any]:
    """The newest first."""
    machine = machines.unqualified(request.state_machine_arn)
    what = f"versions of {machine.name}"
    newest = machine.versions[::-1]
    shown, more = pages.page(newest, lambda version: -version.number, what, request.max_results, request.next_token)
    found = [
        {"stateMachineVersionArn": arns.of_machine(machine.name, each.number), "creationDate": defining.stamp(each.created)}
        for each in shown
    ]
    return {"stateMachineVersions": found, **more}


async def delete(machines: Machines, request: shapes.DeleteStateMachineVersion) -> dict[str, Any]:
    """One that is not there is deleted already; one that an alias names stays."""
    found = arns.state_machine(request.state_machine_version_arn)
    if found.version is None:
        sentence = f"expected the ARN of a version, which ends with its number: {request.state_machine_version_arn}"
        raise RequestError("ValidationException", sentence)
    async with machines.changing:
        machine = machines.get(found.name)
        if machine is None or (version := machine.version(found.version)) is None:
            return {}
        machines.changeable(machine.name)
        if users := [alias.name for alias in machine.aliases if any(number == version.number for number, _ in alias.routing)]:
            sentence = (
                "Version to be deleted must not be referenced by an alias. "
                f"Current list of aliases referencing this version: [{', '.join(users)}]"
            )
            raise RequestError("ConflictException", sentence)
        left = tuple(each for each in machine.versions if each.number != version.number)
        await machines.put(msgspec.structs.replace(machine, versions=left))
    return {}
