"""What generated coroutines wait for: sleeps, calls of tasks, a pause. Awaited, each is handed to the executor, which resumes the fiber."""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import CoroutineType, coroutine
from typing import TYPE_CHECKING, Any, Protocol, cast

from express.runtime.context import Execution
from express.runtime.failures import ExecutionTimedOut, StateError
from express.runtime.interrupts import is_ctrl_c

if TYPE_CHECKING:
    from express.runtime.branches import Fork

TIMEOUT = "States.Timeout"


class Host(Protocol):
    """What a suspension may ask of the executor. Nothing here steps a coroutine at once: resumptions wait their turn in a queue."""

    def resume(self, fiber: Fiber, value: Any) -> None:
        """The fiber goes on with ``value``."""

    def throw(self, fiber: Fiber, error: BaseException) -> None:
        """The fiber goes on with ``error`` raised where it waits."""

    def pause(self, turn: Callable[[], None]) -> None:
        """``turn`` is called in the next turn of the event loop."""

    def discard(self, fiber: Fiber) -> None:
        """Gives a fiber up, with all it waits for: its coroutine is closed."""

    def wake(self, sleep: Sleep, when: float) -> None:
        """``sleep.due()`` is called at ``when``."""

    def forget(self, sleep: Sleep) -> None:
        """The sleep is given up."""

    def begin(self, call: Call) -> None:
        """The call starts, and ``call.due()`` is called once it has taken too long."""

    def extend(self, call: Call) -> None:
        """The call, which has begun, has another deadline now."""

    def settled(self, call: Call) -> None:
        """The call has a result, an error, or is given up."""

    def post(self, turn: Callable[[], None]) -> None:
        """``turn`` is called on the event loop; from any thread."""


class Suspension:
    """One wait of one fiber. ``fiber`` is None before it begins and after it is over: late news reaches nobody."""

    __slots__ = ("fiber", "host")

    fiber: Fiber | None
    host: Host

    def begin(self, fiber: Fiber, host: Host) -> None:
        """Called once, when the fiber has yielded this."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Called when the fiber is given up while it waits for this, or when this is over and the fiber has yet to hear of it."""
        raise NotImplementedError


class Fiber:
    """A coroutine that the executor steps: a workflow, or one branch of it (then ``fork`` is told how it ends). ``coroutine`` is None once
    it is over."""

    __slots__ = ("coroutine", "execution", "fork", "index", "waiting")

    def __init__(
        self, coroutine: CoroutineType[Any, Any, Any], execution: Execution, waiting: Suspension, fork: Fork | None = None, index: int = 0
    ) -> None:
        self.coroutine: CoroutineType[Any, Any, Any] | None = coroutine
        self.execution, self.waiting, self.fork, self.index = execution, cast("Suspension | None", waiting), fork, index


# --- Time -------------------------------------------------------------------------------------------------------------------------


class Sleep(Suspension):
    """Until a time, or until the execution's deadline if that comes first."""

    __slots__ = ("expires", "when")

    def __init__(self, when: float, *, expires: bool) -> None:
        self.fiber = None
        self.when, self.expires = when, expires

    def begin(self, fiber: Fiber, host: Host) -> None:
        self.fiber, self.host = fiber, host
        host.wake(self, self.when)

    def due(self) -> None:
        fiber, self.fiber = self.fiber, None
        if fiber is None:
            return
        if self.expires:
            self.host.throw(fiber, ExecutionTimedOut(TIMEOUT))
        else:
            self.host.resume(fiber, None)

    def cancel(self) -> None:
        if self.fiber is not None:
            self.fiber = None
            self.host.forget(self)


@coroutine
def sleep(execution: Execution, seconds: float) -> Generator[Suspension, None, None]:
    """Waits: Wait states and the backoff of Retry. Raises ExecutionTimedOut at the execution's deadline."""
    now = execution.clock.time()
    if now >= execution.deadline:
        raise ExecutionTimedOut(TIMEOUT)
    if seconds <= 0:
        return
    when = now + seconds
    if when > execution.deadline:
        yield Sleep(execution.deadline, expires=True)
    else:
        yield Sleep(when, expires=False)


class Pause(Suspension):
    """One turn of the event loop for the others."""

    __slots__ = ()

    def begin(self, fiber: Fiber, host: Host) -> None:
        self.fiber, self.host = fiber, host
        host.pause(self._turn)

    def _turn(self) -> None:
        fiber, self.fiber = self.fiber, None
        if fiber is not None:
            self.host.resume(fiber, None)

    def cancel(self) -> None:
        self.fiber = None


@coroutine
def breathe(execution: Execution) -> Generator[Suspension, None, None]:
    """Lets others run, and sees the deadline: emitted so that a loop does it every 1,000 transitions."""
    if execution.clock.time() >= execution.deadline:
        raise ExecutionTimedOut(TIMEOUT)
    yield Pause()
    if execution.clock.time() >= execution.deadline:
        raise ExecutionTimedOut(TIMEOUT)


# --- Tasks ------------------------------------------------------------------------------------------------------------------------


class Binding(Protocol):
    """A resource bound once, at load.

    A binding with ``inline`` cannot wait: it is called as ``inline(payload, execution, state, attempt)`` through ``call_inline``, returns
    what the function returned, raises what it raised. The others are started, and end the call themselves.
    """

    resource: str
    inline: Callable[[Any, Execution, str, int], Any] | None

    def start(self, call: Call) -> None:
        """Begins ``call``, which it ends with ``call.finish(result)`` or ``call.fail(error)``, on the event loop, at most once; after
        ``cancel`` that has no effect. What it raises fails the call."""

    def cancel(self, call: Call) -> None:
        """The call has timed out or is given up. A coroutine is cancelled, a thread goes on until it returns, a process is killed."""

    def result(self, value: Any) -> Any:
        """What a function returned, as the state's result: checked, copied, wrapped as the resource does. StateError if it is not JSON."""

    def failure(self, error: BaseException, execution: Execution) -> StateError:
        """What a function raised, as the error name and cause that the workflow sees."""

    def saturated(self) -> bool:
        """True while no further call could begin: the dispatcher pauses intake."""


class Call(Suspension):
    """One attempt of a Task. What runs it ends it with ``finish`` or ``fail``, once, on the event loop; after its time it is given up.

    ``deadline`` is its own (TimeoutSeconds) or the execution's, whichever comes first. ``job`` belongs to what runs it.
    """

    __slots__ = ("attempt", "binding", "deadline", "execution", "job", "payload", "state", "tick", "timeout")

    def __init__(self, execution: Execution, binding: Binding, payload: Any, state: str, attempt: int, timeout: float | None) -> None:
        self.fiber = None
        self.execution, self.binding, self.payload = execution, binding, payload
        self.state, self.attempt, self.timeout = state, attempt, timeout
        self.job: Any = None
        self.deadline = execution.deadline
        self.tick = 0  # where the executor keeps it

    def begin(self, fiber: Fiber, host: Host) -> None:
        self.fiber, self.host = fiber, host
        if self.timeout is not None:
            own = self.execution.clock.time() + self.timeout
            if own < self.deadline:
                self.deadline = own
        host.begin(self)

    def finish(self, result: Any) -> None:
        """Called with what the function returned."""
        fiber = self.fiber
        if fiber is None:
            return
        try:
            value = self.binding.result(result)
        except StateError as error:
            self._settle()
            self.host.throw(fiber, error)
        else:
            self._settle()
            self.host.resume(fiber, value)

    def fail(self, error: BaseException) -> None:
        """Called with what the function raised. Does not keep it: its traceback holds the event."""
        fiber = self.fiber
        if fiber is not None:
            self._settle()
            self.host.throw(fiber, self.binding.failure(error, self.execution))

    def due(self) -> None:
        """Called when its time is over: the workflow goes on at once, whatever the function does now."""
        fiber = self.fiber
        if fiber is None:
            return
        expired = self.deadline >= self.execution.deadline
        self.cancel()
        self.host.throw(fiber, ExecutionTimedOut(TIMEOUT) if expired else StateError(TIMEOUT))

    def cancel(self) -> None:
        if self.fiber is not None:
            self._settle()
            self.binding.cancel(self)

    def _settle(self) -> None:
        self.fiber = None
        self.host.settled(self)
        self.payload = None


@coroutine
def call(
    execution: Execution, binding: Binding, payload: Any, state: str, attempt: int, timeout: float | None = None
) -> Generator[Suspension, Any, Any]:
    """One attempt of a Task (``attempt`` counts from 1): what it returned, checked and copied.

    StateError as the function failed; States.Timeout after ``timeout`` seconds; ExecutionTimedOut at the execution's deadline.
    """
    if execution.clock.time() >= execution.deadline:
        raise ExecutionTimedOut(TIMEOUT)
    return (yield Call(execution, binding, payload, state, attempt, timeout))


def call_inline(execution: Execution, binding: Binding, payload: Any, state: str, attempt: int, timeout: float | None = None) -> Any:
    """``call`` for a binding with ``inline``: a plain call. Its ``timeout`` can only be judged after it has returned."""
    inline = binding.inline
    assert inline is not None
    began = execution.clock.time() if timeout is not None else 0.0
    try:
        result = inline(payload, execution, state, attempt)
    except BaseException as error:
        if is_ctrl_c(error):
            raise
        failure = binding.failure(error, execution)
    else:
        if timeout is None or execution.clock.time() - began <= timeout:
            return binding.result(result)
        failure = StateError(TIMEOUT)
    raise failure  # outside the handler, so that it does not hold the function's own exception and with it the event
