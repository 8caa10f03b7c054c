"""What Tasks call over a network: one async operation each, over pools of connections that belong to the executor."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple, Protocol, TypeVar

from express.options import Connection
from express.runtime.context import Execution
from express.runtime.failures import StateError
from express.runtime.limits import PAYLOAD
from express.runtime.suspensions import Call
from express.runtime.values import adopt
from express.tasks.coroutines import Job, Workers

FAILED = "States.TaskFailed"
MESSAGE = 8_192  # characters of an error that nobody has a name for

_RESOURCE = re.compile(
    r"arn:(?P<partition>[\w-]+):states:(?P<region>[\w-]*):\d*:(?P<service>(?:aws-sdk:)?[\w-]+):(?P<action>\w+)"
    r"|arn:express:tasks:::(?P<own>[\w-]+):(?P<verb>\w+)",
    re.ASCII,
)

P = TypeVar("P")


class Seconds(Protocol):
    def observe(self, seconds: float) -> None: ...


class Counts(Protocol):
    """The metrics of one resource."""

    scheduled: int
    started: int
    succeeded: int
    failed: int
    timed_out: int

    @property
    def schedule(self) -> Seconds: ...
    @property
    def run(self) -> Seconds: ...


class Resource(NamedTuple):
    """An integration's resource taken apart. ``service``: ``sqs``, ``aws-sdk:sqs``, or for one of Express' own ``express:kafka``.
    ``region`` is mostly empty."""

    arn: str
    service: str
    action: str
    region: str = ""
    partition: str = "aws"

    @property
    def name(self) -> str:
        """``sqs:sendMessage``."""
        return f"{self.service}:{self.action}"


def resource(arn: str) -> Resource | None:
    """None for what is no integration: a function's ARN, an activity's, anything else."""
    found = _RESOURCE.fullmatch(arn)
    if found is None:
        return None
    if found["own"]:
        return Resource(arn, f"express:{found['own']}", found["verb"], partition="express")
    return Resource(arn, found["service"], found["action"], found["region"] or "", found["partition"])


def pool(call: Call, kind: Callable[[Any], P]) -> P:
    """The executor's own ``kind(executor)``: made at the first call that needs it, closed (``await close()``) when the executor ends."""
    made: P = call.host.service(kind)  # type: ignore[attr-defined]
    return made


class Integration:
    """A Binding over one async operation: ``perform`` is all that a subclass must write.

    It runs in a Task of the engine, is cancelled at the state's timeout and at the execution's deadline, and whatever it raises fails the
    state: a StateError under its own name, anything else as States.TaskFailed.
    """

    inline: Callable[[Any, Execution, str, int], Any] | None = None
    counts: Counts | None = None  # set once, by a program that has metrics

    def __init__(self, resource: str, label: str) -> None:
        """``label``: what AWS calls it where a result is too large: ``sqs``, ``aws-sdk:s3``."""
        self.resource, self.label = resource, label

    async def perform(self, payload: Any, call: Call) -> Any:
        """The result of one call with what Parameters or Arguments made: JSON, which may be anybody's. Raises StateError with AWS's error
        name and cause. ``call`` is for looking: its ``execution``, ``state``, ``attempt``, ``deadline`` and, through ``pool``, connections.
        """
        raise NotImplementedError

    def start(self, call: Call) -> None:
        perform, counts = self.perform, self.counts
        if counts is not None:
            counts.scheduled += 1
            perform = partial(self._counted, counts, perf_counter())
        pool(call, Workers).run(Job(call, perform, call.payload, call, None))

    async def _counted(self, counts: Counts, scheduled: float, payload: Any, call: Call) -> Any:
        began = perf_counter()
        counts.started += 1
        counts.schedule.observe(began - scheduled)
        try:
            result = await self.perform(payload, call)
        except BaseException:
            counts.run.observe(perf_counter() - began)
            if call.fiber is not None:  # nobody has given it up before
                counts.failed += 1
            raise
        counts.run.observe(perf_counter() - began)
        if call.fiber is not None:
            counts.succeeded += 1
        return result

    def cancel(self, call: Call) -> None:
        if self.counts is not None and call.execution.clock.time() >= call.deadline:
            self.counts.timed_out += 1
        if call.job is not None:
            call.job.cancel()

    def result(self, value: Any) -> Any:
        return adopt(value, PAYLOAD, self.label)

    def failure(self, error: BaseException, execution: Execution) -> StateError:
        if isinstance(error, StateError):
            return StateError(error.error, error.cause, error.state, error.location)
        message = " ".join(str(error).split())[:MESSAGE]
        return StateError(FAILED, f"{self.label}: {type(error).__name__}{f': {message}' if message else ''}")

    def saturated(self) -> bool:
        return False


def only(connections: Mapping[str, Connection], kind: type[Connection]) -> list[str]:
    """The names of the connections of one kind."""
    return [name for name, connection in connections.items() if isinstance(connection, kind)]
