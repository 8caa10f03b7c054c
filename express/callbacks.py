"""Ends Tasks that wait to be called back (``.waitForTaskToken``), by the token that the workflow has handed out: SendTask* in Python."""

from __future__ import annotations

from typing import Any

from express.errors import RequestError
from express.runtime.callbacks import WAITING, CallBack
from express.runtime.failures import StateError
from express.runtime.limits import PAYLOAD
from express.runtime.tokens import well_formed
from express.runtime.values import adopt


class InvalidToken(RequestError):  # noqa: N818 - AWS's names
    """No Express has ever made this token."""

    def __init__(self) -> None:
        super().__init__("InvalidToken", "Invalid Token: 'Invalid token'")


class TaskTimedOut(RequestError):  # noqa: N818
    """Nobody waits under this token any more: the Task has ended, was answered, or its process was started again (then the event has come
    again, with another token)."""

    def __init__(self) -> None:
        super().__init__("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")


class InvalidOutput(RequestError):  # noqa: N818
    """The output is no JSON value, or has more than 256 KiB."""

    def __init__(self, reason: str) -> None:
        super().__init__("InvalidOutput", f"Invalid Output: '{reason}'")


class Callbacks:
    """The waiting Tasks of this process, whatever program and event loop they belong to. Every method may be called from any thread; of two
    answers to one Task one counts, and the other is told TaskTimedOut."""

    def succeed(self, token: str, output: Any) -> None:
        """SendTaskSuccess: ``output`` (a JSON value) is the Task's result. Raises InvalidToken, TaskTimedOut, InvalidOutput."""
        self._find(token)
        try:
            made = adopt(output, PAYLOAD, "output")
        except StateError as error:
            raise InvalidOutput(error.cause or str(error)) from None
        waiting = self._take(token)
        waiting.soon(lambda: waiting.answered(made))

    def fail(self, token: str, error: str | None = None, cause: str | None = None) -> None:
        """SendTaskFailure: the Task fails with ``error`` and ``cause``, which Retry and Catch see. Raises InvalidToken, TaskTimedOut."""
        waiting = self._take(token)
        waiting.soon(lambda: waiting.refused(StateError(error, cause)))

    def heartbeat(self, token: str) -> None:
        """SendTaskHeartbeat: HeartbeatSeconds begin anew. Raises InvalidToken, TaskTimedOut."""
        waiting = self._find(token)
        waiting.soon(waiting.beat)

    def _find(self, token: str) -> CallBack:
        waiting = WAITING.get(token)
        if waiting is None:
            raise TaskTimedOut() if well_formed(token) else InvalidToken()
        return waiting

    def _take(self, token: str) -> CallBack:
        waiting = WAITING.pop(token, None)
        return self._find(token) if waiting is None else waiting
