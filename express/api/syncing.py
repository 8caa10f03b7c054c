"""StartSyncExecution: a request in, the execution's whole answer out, run in this process, at most once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, Literal

import msgspec

from express.api import arns, shapes
from express.api.answers import encode
from express.api.machines import Machines, Target
from express.api.validation import decoder
from express.errors import RequestError
from express.executor import Executor
from express.outcome import Outcome, unsuccessful
from express.program import Program
from express.runtime.context import Execution
from express.runtime.decoding import Undecodable
from express.runtime.values import dumps, loads

GLANCE = 0.05  # seconds between looks at whether the last has ended
BILLED = 100  # milliseconds: AWS bills so many at a time
MEMORY = 64  # megabytes that AWS bills for a small execution: here it is nobody's bill
LONGEST_ERROR, LONGEST_CAUSE = 256, 32_768  # characters, AWS's

STOPPED = Outcome("FAILED", None, "States.Runtime", "the process was stopped before the execution had ended")


class Details(msgspec.Struct, frozen=True):
    included: bool = True


class Billing(msgspec.Struct, frozen=True, rename={"memory": "billedMemoryUsedInMB", "duration": "billedDurationInMilliseconds"}):
    memory: int
    duration: int


class Answer(msgspec.Struct, omit_defaults=True, rename="camel", kw_only=True, gc=False):
    """StartSyncExecutionOutput."""

    execution_arn: str
    state_machine_arn: str
    name: str
    start_date: float
    stop_date: float
    status: Literal["SUCCEEDED", "FAILED", "TIMED_OUT"]
    error: str | None = None
    cause: str | None = None
    input: str | None = None
    input_details: Details | None = None
    output: str | None = None
    output_details: Details | None = None
    trace_header: str | None = None
    billing_details: Billing


INCLUDED, LEFT_OUT = Details(True), Details(False)

_decode = decoder(shapes.StartSyncExecution)


class Syncing:
    """No task and no timer of its own for an execution: what does not wait ends in the call, what waits is the executor's.

    It is run at most once because nothing keeps it: a process that dies forgets it, and the caller sees a broken connection. Whoever
    stops the process in the middle makes it FAILED, not an error that an SDK would try again.
    """

    def __init__(self, machines: Machines, executor: Executor, payload: int, seconds: float) -> None:
        self._machines, self._executor, self._payload, self._seconds = machines, executor, payload, seconds
        self._clock = executor.clock
        self._running: dict[Execution, asyncio.Future[Outcome]] = {}

    @property
    def running(self) -> int:
        return len(self._running)

    def start(self, body: bytes, trace: str | None) -> bytes | Awaitable[bytes]:
        """The answer's body, at once if the execution does not wait. ``trace``: the request's X-Amzn-Trace-Id."""
        request = _decode(body)
        target = self._machines.target(request.state_machine_arn)
        program = self._machines.program(target)
        name = request.name
        if name is None:
            name = arns.unique()
        else:
            arns.check_name(name)
        text = b"{}" if request.input is None else request.input.encode()
        check_input(text, self._payload)
        now, wall = self._clock.time(), self._clock.wall()
        execution = Execution(
            program,
            None,
            now,
            now + min(self._seconds, program.seconds),
            kind="api",
            clock=self._clock,
            given_name=name,
            started_wall=wall,
            given_id=arns.of_execution(target.name, name),
        )
        if program.plain:
            return self._answer(request, target, execution, self._process(program, text, execution), trace)
        try:
            execution.input = value = loads(text)
        except ValueError as error:
            raise invalid(error) from None
        outcome = self._executor.start(program, value, execution, self._done)
        if outcome is not None:
            return self._answer(request, target, execution, _written(outcome), trace)
        ended = self._running[execution] = asyncio.get_running_loop().create_future()
        return self._wait(request, target, execution, ended, trace)

    def _process(self, program: Program, text: bytes, execution: Execution) -> bytes | Outcome:
        """Text in, text out: decoded only as far as the workflow looks."""
        try:
            return program.process(text, execution)
        except Undecodable as error:
            raise invalid(error) from None
        except Exception as error:
            return unsuccessful(error, program, execution)

    async def _wait(
        self, request: shapes.StartSyncExecution, target: Target, execution: Execution, ended: asyncio.Future[Outcome], trace: str | None
    ) -> bytes:
        return self._answer(request, target, execution, _written(await ended), trace)

    def _done(self, execution: Execution, outcome: Outcome) -> None:
        ended = self._running.pop(execution, None)
        if ended is not None and not ended.done():
            ended.set_result(outcome)

    def _answer(
        self, request: shapes.StartSyncExecution, target: Target, execution: Execution, ended: bytes | Outcome, trace: str | None
    ) -> bytes:
        seconds = self._clock.time() - execution.started
        billed = -(-int(seconds * 1000 + 0.999) // BILLED) * BILLED
        whole = request.included_data != "METADATA_ONLY"
        answer = Answer(
            execution_arn=execution.id,
            state_machine_arn=target.arn,
            name=execution.name,
            start_date=round(execution.started_wall, 3),
            stop_date=round(execution.started_wall + seconds, 3),
            status="SUCCEEDED",
            input_details=INCLUDED if whole else LEFT_OUT,
            trace_header=trace or request.trace_header,
            billing_details=Billing(MEMORY, billed or BILLED),
        )
        if whole:
            answer.input = "{}" if request.input is None else request.input
        if isinstance(ended, bytes):
            answer.output_details = INCLUDED if whole else LEFT_OUT
            if whole:
                answer.output = ended.decode()
            return encode(answer)
        if ended.status == "ABORTED":
            ended = STOPPED
        answer.status = "TIMED_OUT" if ended.status == "TIMED_OUT" else "FAILED"
        answer.error, answer.cause = cut(ended.error, LONGEST_ERROR), cut(ended.cause, LONGEST_CAUSE)
        return encode(answer)

    async def drain(self, seconds: float) -> None:
        """Lets what runs end, then gives the rest up: their callers hear of it."""
        until = time.monotonic() + seconds
        while self._running and time.monotonic() < until:
            await asyncio.sleep(GLANCE)
        for execution in list(self._running):
            self._executor.abort(execution)


def check_input(text: bytes, limit: int) -> None:
    if not text:
        raise invalid("Invalid execution input.")
    if len(text) > limit:
        raise invalid(f"it has {len(text):,} bytes, the limit is {limit:,}")


def invalid(reason: Any) -> RequestError:
    return RequestError("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{reason}'")


def cut(text: str | None, limit: int) -> str | None:
    """As much of an error or a cause as AWS's API takes, and only what can be written as UTF-8: a function may raise any text."""
    return None if text is None else text[:limit].encode(errors="replace").decode()


def _written(outcome: Outcome) -> bytes | Outcome:
    if outcome.status != "SUCCEEDED":
        return outcome
    try:
        return dumps(outcome.output)
    except Exception as error:
        return Outcome("FAILED", None, "States.Runtime", f"the output cannot be written: {error}")
