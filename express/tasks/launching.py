"""``arn:aws:states:::states:startExecution`` of a workflow of this process: asynchronous, succeeded when its event is durable."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from express.errors import RequestError
from express.options import AwsConnection, Connection
from express.runtime.context import ACCOUNT
from express.runtime.failures import StateError
from express.runtime.suspensions import Call
from express.runtime.values import dumps
from express.tasks import nested
from express.tasks.constants import constant
from express.tasks.integration import Integration, Resource, only, pool

START = "states:startExecution"

# An ARN, an input as JSON text and a name in; the ARN of the execution and the time in seconds since the epoch out, once the event is
# durable. Raises RequestError.
Start = Callable[[str, str, str], Awaitable[tuple[str, float]]]


class Launches:
    """What starts executions on one executor: whoever runs pipelines sets ``start``. Without it nothing takes an event."""

    stuck = 0
    start: Start | None = None

    def __init__(self, executor: Any) -> None:
        pass

    async def close(self) -> None:
        self.start = None


def bind(resource: Resource, parameters: Any, workflows: Mapping[str, Any], connections: Mapping[str, Connection]) -> Launch | None:
    """None for what AWS is to start: with a connection to AWS that is every state machine but those whose ARN is of here; without one it is
    none that the definition names and is here."""
    if resource.name != START:
        return None
    arn = constant(parameters, "StateMachineArn")
    here = isinstance(arn, str) and arn.startswith(f"{ACCOUNT}:")
    if only(connections, AwsConnection) and not here:
        return None
    if not isinstance(arn, str):  # the data tell
        return Launch(resource, None) if len(workflows) else None
    if nested.missing(arn, workflows) is not None:
        return None
    return Launch(resource, nested.machine(arn))


class Launch(Integration):
    """``target``: the workflow's name, None where only the data tell."""

    def __init__(self, resource: Resource, target: str | None) -> None:
        super().__init__(resource.arn, "states")
        self.target = target

    async def perform(self, payload: Any, call: Call) -> Any:
        given = payload if isinstance(payload, dict) else {}
        arn, value, name = given.get("StateMachineArn"), given.get("Input"), given.get("Name")
        if not isinstance(arn, str):
            raise StateError("StepFunctions.InvalidArnException", f"Invalid Arn: '{arn}'")
        start = pool(call, Launches).start
        if start is None:
            raise StateError(
                "StepFunctions.StateMachineDoesNotExistException",
                f"State Machine Does Not Exist: '{arn}': no pipeline runs in this process that would take the event",
            )
        text = value if isinstance(value, str) else dumps({} if value is None else value).decode()
        try:
            execution, began = await start(arn, text, name if isinstance(name, str) else str(uuid.uuid4()))
        except RequestError as error:
            code = error.code if error.code.endswith("Exception") else f"{error.code}Exception"
            raise StateError(f"StepFunctions.{code}", error.message) from None
        return {"ExecutionArn": execution, "StartDate": int(began * 1000)}
