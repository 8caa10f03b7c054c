"""Aliases of versions, with weights, as the operations of AWS's API."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from express.api import arns, pages, shapes
from express.api.defining import stamp
from express.api.machines import Machines
from express.api.store import Alias, Machine
from express.errors import RequestError

ALIASES = 100  # of one state machine, AWS's

Answer = dict[str, Any]


async def create(machines: Machines, request: shapes.CreateStateMachineAlias) -> Answer:
    """Idempotent by name, description and routing."""
    async with machines.changing:
        machine, routing = _routing(machines, request.routing_configuration)
        alias = machine.alias(request.name)
        if alias is None:
            machines.changeable(machine.name)
            if len(machine.aliases) >= ALIASES:
                raise RequestError("ServiceQuotaExceededException", f"a state machine has at most {ALIASES} aliases")
            now = time.time()
            alias = Alias(name=request.name, created=now, updated=now, routing=routing, description=request.description)
            await machines.put(msgspec.structs.replace(machine, aliases=(*machine.aliases, alias)))
        elif (alias.routing, alias.description) != (routing, request.description):
            sentence = "Failed to create alias because an alias with the same name and a different routing configuration already exists."
            raise RequestError("ConflictException", sentence)
    return {"stateMachineAliasArn": arns.of_machine(machine.name, alias.name), "creationDate": stamp(alias.created)}


async def update(machines: Machines, request: shapes.UpdateStateMachineAlias) -> Answer:
    arns.state_machine(request.state_machine_alias_arn)
    if request.description is None and request.routing_configuration is None:
        raise RequestError("ValidationException", "Either the description or the routing configuration must be specified")
    async with machines.changing:
        machine, alias = _find(machines, request.state_machine_alias_arn)
        routing = alias.routing
        if request.routing_configuration is not None:
            target, routing = _routing(machines, request.routing_configuration)
            if target.name != machine.name:
                raise RequestError("ValidationException", "Routing configuration must contain versions of the alias's own state machine")
        description = alias.description if request.description is None else request.description
        if (routing, description) != (alias.routing, alias.description):
            alias = msgspec.structs.replace(alias, routing=routing, description=description, updated=time.time())
            changed = tuple(alias if each.name == alias.name else each for each in machine.aliases)
            await machines.put(msgspec.structs.replace(machine, aliases=changed))
    return {"updateDate": stamp(alias.updated)}


def describe(machines: Machines, request: shapes.DescribeStateMachineAlias) -> Answer:
    machine, alias = _find(machines, request.state_machine_alias_arn)
    answer: Answer = {
        "stateMachineAliasArn": arns.of_machine(machine.name, alias.name),
        "name": alias.name,
        "routingConfiguration": [
            {"stateMachineVersionArn": arns.of_machine(machine.name, number), "weight": weight} for number, weight in alias.routing
        ],
        "creationDate": stamp(alias.created),
        "updateDate": stamp(alias.updated),
    }
    if alias.description is not None:
        answer["description"] = alias.description
    return answer


def listed(machines: Machines, request: shapes.ListStateMachineAliases) -> Answer:
    """In the order of their creation; for a version's ARN those that name it."""
    found = arns.state_machine(request.state_machine_arn)
    machine = machines.at(request.state_machine_arn, found)
    aliases: Sequence[Alias] = machine.aliases
    if found.qualifier is not None:
        aliases = [alias for alias in aliases if any(number == found.version for number, _ in alias.routing)]
    what = f"aliases of {machine.name}"
    shown, more = pages.page(aliases, lambda alias: (alias.created, alias.name), what, request.max_results, request.next_token)
    listing = [{"stateMachineAliasArn": arns.of_machine(machine.name, each.name), "creationDate": stamp(each.created)} for each in shown]
    return {"stateMachineAliases": listing, **more}


async def delete(machines: Machines, request: shapes.DeleteStateMachineAlias) -> Answer:
    """One that is not there is deleted already."""
    found = arns.state_machine(request.state_machine_alias_arn)
    async with machines.changing:
        machine = machines.get(found.name)
        if machine is not None and machine.alias(found.qualifier) is not None:
            left = tuple(alias for alias in machine.aliases if alias.name != found.qualifier)
            await machines.put(msgspec.structs.replace(machine, aliases=left))
    return {}


def _find(machines: Machines, arn: str) -> tuple[Machine, Alias]:
    found = arns.state_machine(arn)
    machine = machines.get(found.name)
    alias = None if machine is None else machine.alias(found.qualifier)
    if machine is None or alias is None:
        raise _not_found()
    return machine, alias


def _not_found() -> RequestError:
    return RequestError("ResourceNotFound", "Request references a resource that does not exist.")


def _routing(machines: Machines, items: Sequence[shapes.RoutingConfigurationListItem]) -> tuple[Machine, tuple[tuple[int, int], ...]]:
    """The machine and its versions that a request names, with their weights."""
    given = [item.state_machine_version_arn for item in items]
    versions = [arns.state_machine(arn) for arn in given]
    if any(version.version is None for version in versions):
        raise _invalid(f"Routing configuration must contain state machine version ARNs. Received: [{', '.join(given)}]")
    if len(set(versions)) < len(versions):
        raise _invalid(f"Routing configuration must contain distinct state machine version ARNs. Received: [{', '.join(given)}]")
    if len({version.name for version in versions}) > 1:
        raise _invalid(f"Routing configuration must contain versions of one state machine. Received: [{', '.join(given)}]")
    weights = [item.weight for item in items]
    if sum(weights) != 100:
        raise _invalid(f"Sum of routing configuration weights must equal 100. Received: {weights}")
    machine = machines.get(versions[0].name)
    routing = []
    for version, weight in zip(versions, weights, strict=True):
        if machine is None or machine.version(version.version) is None or version.version is None:
            raise _not_found()
        routing.append((version.version, weight))
    assert machine is not None, "every version of it was found"
    return machine, tuple(routing)


def _invalid(sentence: str) -> RequestError:
    return RequestError("ValidationException", sentence)
