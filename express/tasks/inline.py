"""``run="inline"``: a plain call, for functions that promise not to block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from express.runtime.context import Execution
from express.runtime.interrupts import is_ctrl_c
from express.runtime.suspensions import Call
from express.tasks.function import Function
from express.tasks.invocation import Ended, context_for, invoke


class Inline:
    """An inline function where a call could wait (lambda:invoke with a FunctionName from the data): it ends the call at once."""

    def __init__(self, function: Function[Any]) -> None:
        self._function = function

    def start(self, call: Call, payload: Any, arn: str, ended: Ended | None = None) -> None:
        function = self._function
        context = (
            context_for(function.name, arn, call.execution, call.state, call.attempt, call.deadline) if function.takes_context else None
        )
        try:
            result = invoke(function.wrapped, payload, context)
        except BaseException as error:
            if is_ctrl_c(error):
                raise
            call.fail(error)
        else:
            call.finish(result)
        if ended is not None:
            ended()

    def cancel(self, call: Call) -> None:
        pass

    def saturated(self) -> bool:
        return False


def adapter(function: Function[Any], arn: str) -> Callable[[Any, Execution, str, int], Any]:
    """``Binding.inline`` of a function."""
    wrapped, name = function.wrapped, function.name
    if not function.takes_context:
        return lambda payload, execution, state, attempt: wrapped(payload)

    def inline(payload: Any, execution: Execution, state: str, attempt: int) -> Any:
        return invoke(wrapped, payload, context_for(name, arn, execution, state, attempt, execution.deadline))

    return inline
