"""State machines created, changed, described, listed and deleted, as the operations of AWS's API."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from express.api import arns, pages, shapes
from express.api.machines import OFF, Machines, missing
from express.api.store import Machine, Revision, Version
from express.errors import RequestError

TAGS = 50  # of one state machine, AWS's
VERSIONS = 1_000  # of one state machine, AWS's

NOT_STANDARD = (
    "Express runs Express workflows only: expected type EXPRESS, found {} (AWS's default); "
    "what must run for more than five minutes, or exactly once, belongs on AWS"
)

Answer = dict[str, Any]


async def create(machines: Machines, request: shapes.CreateStateMachine) -> Answer:
    """Idempotent by name, definition, type and configurations, like AWS's: role and tags of a repeated request are passed over."""
    arns.check_name(request.name)
    if request.type != "EXPRESS":
        raise RequestError("StateMachineTypeNotSupported", NOT_STANDARD.format(request.type or "STANDARD"))
    _check_description(request.publish, request.version_description)
    tags = tags_of(request.tags)
    async with machines.changing:
        if (known := machines.get(request.name)) is not None:
            return await _created_again(machines, known, request)
        machines.changeable(request.name)
        program = await machines.compile(request.definition, request.name)
        now = time.time()
        revision = Revision(
            definition=request.definition,
            role=request.role_arn,
            revision=None,
            updated=now,
            logging=_logging(request.logging_configuration),
            tracing=_tracing(request.tracing_configuration),
            encryption=_encryption(request.encryption_configuration),
        )

        def made(key: int) -> Machine:
            machine = Machine(name=request.name, created=now, revision=key, tags=tags)
            return published(machine, key, now, request.version_description) if request.publish else machine

        return _created(await machines.add(request.name, revision, program, made), request.publish)


async def _created_again(machines: Machines, known: Machine, request: shapes.CreateStateMachine) -> Answer:
    revision = machines.revision(known.revision)
    same = (
        revision.definition == request.definition
        and revision.logging == _logging(request.logging_configuration)
        and revision.tracing == _tracing(request.tracing_configuration)
        and revision.encryption == _encryption(request.encryption_configuration)
    )
    version = _version_of(known, known.revision)
    if request.publish:
        same = same and version is not None and version.description == request.version_description
    if not same or known.name in machines.given:
        raise RequestError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arns.of_machine(known.name)}'")
    return _created(known, request.publish)


def _created(machine: Machine, publish: bool | None) -> Answer:
    answer = {"stateMachineArn": arns.of_machine(machine.name), "creationDate": stamp(machine.created)}
    if publish and (version := _version_of(machine, machine.revision)) is not None:
        answer["stateMachineVersionArn"] = arns.of_machine(machine.name, version.number)
    return answer


async def update(machines: Machines, request: shapes.UpdateStateMachine) -> Answer:
    """Running executions go on with what they began with. A request that changes nothing makes no new revision."""
    arns.state_machine(request.state_machine_arn)
    given = (request.definition, request.role_arn, request.logging_configuration, request.tracing_configuration)
    if all(each is None for each in (*given, request.encryption_configuration)):
        sentence = "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified"
        raise RequestError("MissingRequiredParameter", sentence)
    _check_description(request.publish, request.version_description)
    async with machines.changing:
        machine = machines.unqualified(request.state_machine_arn)
        machines.changeable(machine.name)
        before = machines.revision(machine.revision)
        now = time.time()
        after = msgspec.structs.replace(
            before,
            definition=request.definition or before.definition,
            role=request.role_arn or before.role,
            logging=_logging(request.logging_configuration, before.logging),
            tracing=_tracing(request.tracing_configuration, before.tracing),
            encryption=_encryption(request.encryption_configuration, before.encryption),
        )
        if after != before:
            after = msgspec.structs.replace(after, revision=arns.unique(), updated=now)
            program = await machines.compile(after.definition, machine.name)

            def changed(key: int) -> Machine:
                return msgspec.structs.replace(machine, revision=key)

            machine = await machines.add(machine.name, after, program, changed)
        if request.publish:
            machine = await publish(machines, machine, request.version_description)
    answer: Answer = {"updateDate": stamp(now)}
    if after.revision is not None:
        answer["revisionId"] = after.revision
    if request.publish and (version := _version_of(machine, machine.revision)) is not None:
        answer["stateMachineVersionArn"] = arns.of_machine(machine.name, version.number)
    return answer


async def publish(machines: Machines, machine: Machine, description: str | None) -> Machine:
    """The present revision as a version, unless it is one already."""
    if _version_of(machine, machine.revision) is not None:
        return machine
    if len(machine.versions) >= VERSIONS:
        raise RequestError(
            "ServiceQuotaExceededException", f"a state machine has at most {VERSIONS} versions: delete those that nobody uses"
        )
    return await machines.put(published(machine, machine.revision, time.time(), description))


def published(machine: Machine, revision: int, now: float, description: str | None) -> Machine:
    number = machine.counted + 1
    version = Version(number=number, created=now, revision=revision, description=description)
    return msgspec.structs.replace(machine, counted=number, versions=(*machine.versions, version))


async def delete(machines: Machines, request: shapes.DeleteStateMachine) -> Answer:
    """With its versions and aliases; one that is not there is deleted already."""
    found = arns.state_machine(request.state_machine_arn)
    if found.qualifier is not None:
        raise RequestError("ValidationException", f"a version or an alias is deleted by its own operation: {request.state_machine_arn}")
    async with machines.changing:
        if (machine := machines.get(found.name)) is not None:
            await machines.remove(machine)
    return {}


def describe(machines: Machines, request: shapes.DescribeStateMachine) -> Answer:
    found = arns.state_machine(request.state_machine_arn)
    machine = machines.at(request.state_machine_arn, found)
    key, created, version = machine.revision, machine.created, None
    if found.qualifier is not None:
        version = machine.version(found.version)
        if version is None:
            raise missing(request.state_machine_arn)
        key, created = version.revision, version.created
    revision = machines.revision(key)
    answer: Answer = {
        "stateMachineArn": arns.of_machine(machine.name, version.number if version else None),
        "name": machine.name,
        "status": "ACTIVE",
        "definition": "{}" if request.included_data == "METADATA_ONLY" else revision.definition,
        "roleArn": revision.role,
        "type": "EXPRESS",
        "creationDate": stamp(created),
        "loggingConfiguration": revision.logging,
        "tracingConfiguration": {"enabled": revision.tracing},
    }
    if revision.revision is not None:
        answer["revisionId"] = revision.revision
    if version is not None and version.description is not None:
        answer["description"] = version.description
    if revision.encryption is not None:
        answer["encryptionConfiguration"] = revision.encryption
    return answer


def listed(machines: Machines, request: shapes.ListStateMachines) -> Answer:
    shown, more = pages.page(list(machines), lambda machine: machine.name, "machines", request.max_results, request.next_token)
    return {
        "stateMachines": [
            {"stateMachineArn": arns.of_machine(each.name), "name": each.name, "type": "EXPRESS", "creationDate": stamp(each.created)}
            for each in shown
        ],
        **more,
    }


# --- Parts ------------------------------------------------------------------------------------------------------------------------


def stamp(seconds: float) -> float:
    """A time as AWS's JSON protocol writes it: seconds since the epoch, with milliseconds."""
    return round(seconds, 3)


def tags_of(tags: list[shapes.Tag] | None) -> dict[str, str]:
    found = {tag.key: tag.value or "" for tag in tags or () if tag.key is not None}
    if len(found) > TAGS:
        raise RequestError("TooManyTags", f"a state machine has at most {TAGS} tags, these are {len(found)}")
    return found


def _version_of(machine: Machine, revision: int) -> Version | None:
    """The last version that was published of a revision."""
    return next((version for version in reversed(machine.versions) if version.revision == revision), None)


def _check_description(publish: bool | None, description: str | None) -> None:
    if description is not None and not publish:
        raise RequestError("ValidationException", "Version description can only be set when publish is true")


def _logging(given: shapes.LoggingConfiguration | None, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Kept and given back: what an execution logs is ``log`` of the configuration's business. Refused like on AWS, so that what is made
    here is made there."""
    if given is None:
        return dict(before or OFF)
    destinations = given.destinations or []
    if len(destinations) > 1 or (given.level not in (None, "OFF") and not destinations):
        raise _invalid_logging("Must specify exactly one Log Destination.")
    if any(each.cloud_watch_logs_log_group is None or each.cloud_watch_logs_log_group.log_group_arn is None for each in destinations):
        raise _invalid_logging("Must set valid CloudWatch Log Group ARN.")
    return {**OFF, **msgspec.to_builtins(given)}


def _invalid_logging(reason: str) -> RequestError:
    return RequestError("InvalidLoggingConfiguration", f"Invalid Logging Configuration: {reason}")


def _tracing(given: shapes.TracingConfiguration | None, before: bool = False) -> bool:
    return before if given is None else bool(given.enabled)


def _encryption(given: shapes.EncryptionConfiguration | None, before: dict[str, Any] | None = None) -> dict[str, Any] | None:
    if given is None:
        return before
    if given.type == "CUSTOMER_MANAGED_KMS_KEY":
        sentence = "there is no KMS here to encrypt with: expected type AWS_OWNED_KEY, or an encrypted file system below --data"
        raise RequestError("InvalidEncryptionConfiguration", sentence)
    found: dict[str, Any] = msgspec.to_builtins(given)
    return found
