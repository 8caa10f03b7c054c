"""StartExecution: acknowledged when the event is durable; and what AWS answers about executions that nobody keeps."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NoReturn

from express.api import arns, shapes
from express.api.defining import stamp
from express.api.machines import Machines
from express.api.outbox import Outbox
from express.api.syncing import check_input, invalid
from express.errors import RequestError
from express.runtime.values import loads

# Headers of an event in the embedded queue, or in a pipeline's source
EXECUTION = "express-execution-arn"
MACHINE = "express-state-machine"
TRACE = "express-trace"


def headers_of(execution: str, machine: str) -> list[tuple[str, bytes]]:
    """What an event says about the execution that it becomes: both are ARNs."""
    return [(EXECUTION, execution.encode()), (MACHINE, machine.encode())]


class Starting:
    """``own`` takes the events of kept state machines; ``pipelines`` those of their workflows, by name."""

    def __init__(self, machines: Machines, payload: int, own: Outbox | None, pipelines: Mapping[str, Outbox]) -> None:
        self._machines, self._payload, self._own, self._pipelines = machines, payload, own, pipelines

    async def start(self, request: shapes.StartExecution, trace: str | None = None) -> dict[str, Any]:
        """At least once from here on: the answer says that the event is on the disk, or with the brokers."""
        target = self._machines.target(request.state_machine_arn)
        self._machines.program(target)
        name = request.name or arns.unique()
        arns.check_name(name)
        text = b"{}" if request.input is None else request.input.encode()
        check_input(text, self._payload)
        try:
            loads(text)
        except ValueError as error:
            raise invalid(error) from None
        arn = arns.of_execution(target.name, name)
        now = time.time()
        headers = headers_of(arn, target.qualified)
        if trace := trace or request.trace_header:
            headers.append((TRACE, trace.encode()))
        await self._outbox(target.name).submit(text, headers)
        return {"executionArn": arn, "startDate": stamp(now)}

    def _outbox(self, name: str) -> Outbox:
        if name not in self._machines.given:
            assert self._own is not None, "a kept state machine has a place for its events"
            return self._own
        outbox = self._pipelines.get(name)
        if outbox is None:
            raise RequestError(
                "AccessDeniedException",
                f"the pipeline of '{name}' reads from a source that takes no events from here: expected a Kafka topic or a queue; "
                "StartSyncExecution runs it in this process",
            )
        return outbox


def unknown(request: shapes.StopExecution | shapes.DescribeExecution | shapes.GetExecutionHistory | shapes.RedriveExecution) -> NoReturn:
    """AWS supports none of these for Express workflows."""
    raise arns.execution(request.execution_arn)


def listed(machines: Machines, request: shapes.ListExecutions) -> NoReturn:
    """AWS lists executions of Standard workflows only."""
    if request.state_machine_arn is None:
        raise RequestError("ValidationException", "Must provide a State Machine ARN or Map Run ARN")
    machines.target(request.state_machine_arn)
    raise RequestError("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
