"""What a function is told about its call: Lambda's context object, with the execution's id, the state and the attempt."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

from express.clock import Clock
from express.runtime.context import Execution
from express.tasks.outcome import mark

Ended = Callable[[], None]

PARTIAL = re.compile(r"^(?:\d{12}:)?(?:function:)?")


def function_arn(name: str) -> str:
    """The full ARN of a function given by name, ARN or partial ARN (``123456789012:function:NAME``)."""
    return name if name.startswith("arn:") else f"arn:aws:lambda:us-east-1:000000000000:function:{PARTIAL.sub('', name)}"


class Context:
    """Lambda's context object. ``execution_id`` is the same every time the same event is executed: an idempotency key. ``attempt`` counts
    from 1."""

    __slots__ = ("_clock", "_deadline", "_request", "attempt", "execution_id", "function_name", "invoked_function_arn", "state")

    function_version = "$LATEST"
    memory_limit_in_mb = "128"
    log_group_name = log_stream_name = "express"
    client_context = identity = None

    def __init__(
        self, name: str, arn: str, execution_id: str, state: str, attempt: int, clock: Clock, deadline: float, request: str | None = None
    ) -> None:
        self.function_name, self.invoked_function_arn, self.execution_id = name, arn, execution_id
        self.state, self.attempt = state, attempt
        self._clock, self._deadline = clock, deadline
        self._request = request

    @property
    def aws_request_id(self) -> str:
        """Another one for every attempt."""
        if self._request is None:
            self._request = str(uuid.uuid4())
        return self._request

    def get_remaining_time_in_millis(self) -> int:
        """Until TimeoutSeconds or the execution's deadline, whichever comes first."""
        return max(0, int((self._deadline - self._clock.time()) * 1000))


def context_for(name: str, arn: str, execution: Execution, state: str, attempt: int, deadline: float) -> Context:
    return Context(name, arn, execution.name, state, attempt, execution.clock, deadline)


def invoke(function: Callable[..., Any], payload: Any, context: Context | None) -> Any:
    """Calls a function that cannot wait; an exception carries the request id that the function was given."""
    if context is None:
        return function(payload)
    try:
        return function(payload, context)
    except BaseException as error:
        mark(error, context.aws_request_id)
        raise
