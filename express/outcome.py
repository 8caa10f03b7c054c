"""How an execution ended: what ``run`` and ``execute`` return, what the dispatcher routes by."""

from __future__ import annotations

import logging
from typing import Any, Literal, Protocol

import msgspec

from express.runtime.context import Execution
from express.runtime.failures import ExecutionAborted, ExecutionTimedOut, StateError

Status = Literal["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]

log = logging.getLogger("express")


class Explains(Protocol):
    """The part of a Program that knows which state a line of generated code belongs to."""

    name: str

    def explain(self, error: BaseException) -> str | None: ...


class Outcome(msgspec.Struct):
    """``output`` where it succeeded, else ``error`` and ``cause``, the failing ``state`` with its ``location`` (a JSON pointer) and how
    many ``attempts`` its Task had."""

    status: Status
    output: Any = None
    error: str | None = None
    cause: str | None = None
    state: str | None = None
    location: str | None = None
    attempts: int = 0


def unsuccessful(error: BaseException, program: Explains, execution: Execution) -> Outcome:
    """The outcome of an execution whose code raised ``error``. Keeps nothing of the exception but text: its traceback holds the event."""
    if isinstance(error, StateError):
        status: Status = "TIMED_OUT" if isinstance(error, ExecutionTimedOut) else "FAILED"
        return Outcome(status, None, error.error, error.cause, error.state, error.location, execution.attempts)
    if isinstance(error, ExecutionAborted):
        return Outcome("ABORTED")
    # Not something a workflow can do: a defect of the engine. The execution fails, the traceback is kept where an operator looks
    log.error("workflow %s: the engine failed %s", program.name, program.explain(error) or "", exc_info=error)
    return Outcome("FAILED", None, "States.Runtime", f"{type(error).__name__}: {error}", attempts=execution.attempts)
