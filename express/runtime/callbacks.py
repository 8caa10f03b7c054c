"""Tasks that wait to be called back: parked under their token, without a thread or an asyncio Task, until somebody answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from types import coroutine
from typing import Any

from express.runtime.context import Execution
from express.runtime.failures import ExecutionTimedOut, StateError
from express.runtime.suspensions import TIMEOUT, Binding, Call, Fiber, Host, Suspension

HEARTBEAT = "States.HeartbeatTimeout"

# The tokens of this process, and what waits under them. Whoever takes one out has the right to end it: only one answer counts, whatever
# thread it comes from
WAITING: dict[str, CallBack] = {}


class CallBack(Call):
    """One attempt. ``binding`` starts what is to call back (its own result means nothing, its failure fails the attempt); ``answered`` or
    ``refused`` end it. ``heartbeat``: seconds that it may go without ``beat``.

    ``limit`` is when it ends in any case, ``deadline`` when it ends without a beat. ``sending`` belongs to the binding.
    """

    __slots__ = ("heartbeat", "limit", "sending", "token")

    def __init__(
        self,
        execution: Execution,
        binding: Binding,
        payload: Any,
        state: str,
        attempt: int,
        token: str,
        timeout: float | None,
        heartbeat: float | None,
    ) -> None:
        super().__init__(execution, binding, payload, state, attempt, timeout)
        self.token, self.heartbeat = token, heartbeat
        self.limit = execution.deadline
        self.sending: Any = None

    def begin(self, fiber: Fiber, host: Host) -> None:
        self.fiber, self.host = fiber, host
        now = self.execution.clock.time()
        if self.timeout is not None:
            self.limit = min(self.limit, now + self.timeout)
        self._extend(now)
        WAITING[self.token] = self
        host.begin(self)

    def _extend(self, now: float) -> None:
        self.deadline = self.limit if self.heartbeat is None else min(self.limit, now + self.heartbeat)

    def beat(self) -> None:
        """Somebody still works on it."""
        if self.fiber is not None:
            self._extend(self.execution.clock.time())
            self.host.extend(self)

    def answered(self, output: Any) -> None:
        """``output`` is JSON that nobody else has."""
        fiber = self.fiber
        if fiber is not None:
            self._settle()
            self.host.resume(fiber, output)

    def refused(self, error: StateError) -> None:
        fiber = self.fiber
        if fiber is not None:
            self._settle()
            self.host.throw(fiber, error)

    def due(self) -> None:
        fiber = self.fiber
        if fiber is None:
            return
        expired = self.deadline >= self.execution.deadline
        silent = self.deadline < self.limit
        self.cancel()
        self.host.throw(fiber, ExecutionTimedOut(TIMEOUT) if expired else StateError(HEARTBEAT if silent else TIMEOUT))

    def _settle(self) -> None:
        WAITING.pop(self.token, None)
        super()._settle()

    def soon(self, turn: Callable[[], None]) -> None:
        """``turn`` on the event loop that runs the workflow: at once if this is it, or if there is none."""
        loop = getattr(self.host, "loop", None)
        try:
            here = loop is None or asyncio.get_running_loop() is loop
        except RuntimeError:
            here = False
        if here:
            turn()
        else:
            self.host.post(turn)


@coroutine
def call_back(
    execution: Execution,
    binding: Binding,
    payload: Any,
    state: str,
    attempt: int,
    token: str,
    timeout: float | None = None,
    heartbeat: float | None = None,
) -> Generator[Suspension, Any, Any]:
    """``call`` for a Task with ``.waitForTaskToken``: what SendTaskSuccess brought. StateError as SendTaskFailure said, States.Timeout
    after ``timeout`` seconds, States.HeartbeatTimeout after ``heartbeat`` seconds without a sign."""
    if execution.clock.time() >= execution.deadline:
        raise ExecutionTimedOut(TIMEOUT)
    return (yield CallBack(execution, binding, payload, state, attempt, token, timeout, heartbeat))
