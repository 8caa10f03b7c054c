"""``.waitForTaskToken`` around any other binding: it starts what is to call back, and then nothing runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from express.runtime.callbacks import CallBack
from express.runtime.context import Execution
from express.runtime.failures import StateError
from express.runtime.suspensions import Call
from express.tasks import Binding

SUFFIX = ".waitForTaskToken"


class Waiting:
    """The binding. Generated code calls it through ``call_back``, with the token that Parameters have handed out."""

    called_back = True
    inline: Callable[[Any, Execution, str, int], Any] | None = None

    def __init__(self, resource: str, binding: Binding) -> None:
        self.resource, self.binding = resource, binding

    def start(self, call: Call) -> None:
        assert isinstance(call, CallBack)
        call.sending = sending = Sending(call, self.binding)
        self.binding.start(sending)

    def cancel(self, call: Call) -> None:
        sending: Sending | None = getattr(call, "sending", None)
        if sending is not None and sending.fiber is not None:
            self.binding.cancel(sending)
            sending.fiber = None

    def result(self, value: Any) -> Any:
        return value

    def failure(self, error: BaseException, execution: Execution) -> StateError:
        return self.binding.failure(error, execution)

    def saturated(self) -> bool:
        return self.binding.saturated()


class Sending(Call):
    """The call that only starts something. Its result is thrown away, as on AWS; it may come after the answer."""

    __slots__ = ("whole",)

    def __init__(self, whole: CallBack, binding: Binding) -> None:
        super().__init__(whole.execution, binding, whole.payload, whole.state, whole.attempt, None)
        self.whole = whole
        self.fiber, self.host, self.deadline = whole.fiber, whole.host, whole.deadline

    def finish(self, result: Any) -> None:
        self.fiber = None

    def fail(self, error: BaseException) -> None:
        if self.fiber is not None:
            self.fiber = None
            self.whole.fail(error)
