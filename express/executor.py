"""Steps the coroutines of workflows: a program and an event in, an Outcome out, at once or through a callback; no Task per execution."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections import deque
from collections.abc import Callable
from math import inf
from time import perf_counter
from types import CoroutineType
from typing import Any, Protocol, TypeVar

from express.clock import REAL, Clock
from express.outcome import Explains, Outcome, unsuccessful
from express.runtime.context import Execution
from express.runtime.suspensions import Call, Fiber, Host, Sleep
from express.timers import Timers

STINT = 0.005  # seconds of stepping after which the loop gets a turn
BATCH = 1_000  # of what is due, before the loop gets a turn
LATE = 0.000_6  # uvloop rounds to milliseconds, possibly down; nothing may be due before its time
GRACE = 0.25  # real seconds that an async function gets under a virtual clock, before time passes without it
NEAR = 1e-6  # seconds: sums of floats that mean the same instant

log = logging.getLogger("express")


class Runnable(Explains, Protocol):
    """The part of a Program that the executor uses."""

    plain: bool
    evaluate: Callable[[Any, Execution], Any]


Done = Callable[[Execution, Outcome], None]


class Service(Protocol):
    """Something of which every executor has its own: a pool that runs tasks. Made as ``kind(executor)`` when first asked for."""

    stuck: int  # what still runs although nobody waits for it any more

    async def close(self) -> None: ...


S = TypeVar("S", bound=Service)


class Executor(Host):
    """Runs executions on one event loop such that each ends exactly once: as the Outcome that ``start`` returns, or through ``done``.

    Everything that can go on is in one queue, worked off in stints that leave the loop its turns; everything that waits for a time is
    behind one timer. ``threads``: how many calls of thread functions may run at a time.
    """

    def __init__(self, clock: Clock | None = None, threads: int = 32) -> None:
        self.clock = clock or REAL
        self.threads = threads
        # What a function sets in its context is nobody else's: everything starts from the context that the executor was made in
        self._context = contextvars.copy_context()
        self.loop: asyncio.AbstractEventLoop | None = None  # without one, calls are held back until ``attach``
        with contextlib.suppress(RuntimeError):
            self.loop = asyncio.get_running_loop()
        self._live: set[Execution] = set()
        self._ready: deque[tuple[Fiber, Any, BaseException | None]] = deque()
        self._turns: deque[Callable[[], None]] = deque()
        self._scheduled = False
        self._timers = Timers()
        self._timer: asyncio.TimerHandle | None = None
        self._armed = inf
        self._steps = 0  # stints so far
        self._patience: asyncio.TimerHandle | None = None
        self._held: list[Call] = []
        self._calls = 0  # under way
        self._inbox: deque[Callable[[], None]] = deque()
        self._rung = False
        self._services: dict[type[Any], Any] = {}

    # --- What the dispatcher and programs use -------------------------------------------------------------------------------------

    @property
    def parked(self) -> int:
        """Executions that wait for something."""
        return len(self._live)

    @property
    def stuck(self) -> int:
        """Calls that still run although their time is over: threads that cannot be stopped."""
        return sum(service.stuck for service in self._services.values())

    def start(self, program: Runnable, value: Any, execution: Execution, done: Done) -> Outcome | None:
        """Steps at once. An execution that ends without waiting returns its Outcome (``done`` is not called); otherwise None, and ``done``
        is called once, later."""
        try:
            if program.plain:
                return Outcome("SUCCEEDED", program.evaluate(value, execution))
            coroutine: CoroutineType[Any, Any, Any] = program.evaluate(value, execution)
            waiting = coroutine.send(None)
        except StopIteration as stop:
            return Outcome("SUCCEEDED", stop.value)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return unsuccessful(error, program, execution)
        execution.fiber = fiber = Fiber(coroutine, execution, waiting)
        execution.done = done
        self._live.add(execution)
        waiting.begin(fiber, self)
        return None

    def abort(self, execution: Execution) -> None:
        """Gives an execution up: its calls are cancelled, its coroutine is closed, ``done`` is called with ABORTED. One that has ended is
        left alone."""
        if execution in self._live:
            self.discard(execution.fiber)
            self._end(execution, Outcome("ABORTED"))

    async def close(self) -> None:
        """Aborts what is left and ends the pools; waits only briefly for functions that do not end."""
        for execution in list(self._live):
            self.abort(execution)
        for service in reversed(list(self._services.values())):  # what was made later may need what was made before
            await service.close()
        for timer in (self._timer, self._patience):
            if timer is not None:
                timer.cancel()
        self._timer, self._patience, self._armed = None, None, inf

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Gives an executor that was made outside of any loop the one it goes on with."""
        self.loop = loop
        held, self._held = self._held, []
        for call in held:
            if call.fiber is not None:
                self._run(call)
        if self._ready or self._turns:
            self._schedule()
        self._armed = inf
        self._arm()

    # --- What suspensions use -----------------------------------------------------------------------------------------------------

    def resume(self, fiber: Fiber, value: Any) -> None:
        self._ready.append((fiber, value, None))
        if not self._scheduled:
            self._schedule()

    def throw(self, fiber: Fiber, error: BaseException) -> None:
        self._ready.append((fiber, None, error))
        if not self._scheduled:
            self._schedule()

    def pause(self, turn: Callable[[], None]) -> None:
        self._turns.append(turn)
        if not self._scheduled:
            self._schedule()

    def discard(self, fiber: Fiber) -> None:
        coroutine, fiber.coroutine = fiber.coroutine, None
        waiting, fiber.waiting = fiber.waiting, None
        if coroutine is None:
            return
        if waiting is not None:
            waiting.cancel()
        if not coroutine.cr_running:  # else it gives itself up in its own step: ``_step`` sees that it is over
            _close(coroutine)

    def wake(self, sleep: Sleep, when: float) -> None:
        self._timers.sleep(sleep, when)
        if when < self._armed:
            self._arm()

    def forget(self, sleep: Sleep) -> None:
        self._timers.forget()

    def begin(self, call: Call) -> None:
        self._calls += 1
        when = self._timers.limit(call)
        if self.loop is None:
            self._held.append(call)
            return
        if when < self._armed:
            self._arm()
        self._run(call)

    def extend(self, call: Call) -> None:
        """The call, which is under way, has another deadline now."""
        self._timers.release(call)
        if self._timers.limit(call) < self._armed:
            self._arm()

    def settled(self, call: Call) -> None:
        self._timers.release(call)
        self._calls -= 1
        if self.clock.virtual and not self._calls and not self._scheduled:
            self._schedule()  # time may pass again

    # --- What runs tasks uses -----------------------------------------------------------------------------------------------------

    def service(self, kind: Callable[[Executor], S]) -> S:
        """This executor's own ``kind``, made when first asked for."""
        found: S | None = self._services.get(kind)  # type: ignore[call-overload]
        if found is None:
            found = self._services[kind] = kind(self)  # type: ignore[index]
        return found

    def outside(self, change: int) -> None:
        """Counts calls that run in threads or processes: a virtual clock stands still meanwhile."""
        if self.clock.virtual:
            self.clock.outside += change

    def post(self, turn: Callable[[], None]) -> None:
        """``turn`` is called on the event loop. May be called from any thread; after the loop has ended it does nothing."""
        self._inbox.append(turn)
        # One wake-up for all that arrive until the loop looks. It clears the bell before it empties the inbox, so that what is appended
        # while the bell still rings is seen; that two ring at once does no harm
        if not self._rung and self.loop is not None:
            self._rung = True
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon_threadsafe(self._open, context=self._context.copy())

    # --- Stepping -----------------------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if self.loop is not None:
            self._scheduled = True
            self.loop.call_soon(self._work, context=self._context.copy())

    def _work(self) -> None:
        """One stint: everything that paused before it, and everything that can go on, up to a few milliseconds."""
        ready, turns = self._ready, self._turns
        paused = len(turns)
        stop = perf_counter() + STINT
        steps = 0
        self._steps += 1
        try:
            while True:
                if ready:
                    fiber, value, error = ready.popleft()
                    self._step(fiber, value, error)
                elif paused:
                    paused -= 1
                    turns.popleft()()
                else:
                    break
                steps += 1
                if not steps % 8 and perf_counter() >= stop:
                    break
        finally:
            self._scheduled = False
            if ready or turns:
                self._schedule()
            elif self.clock.virtual and self._drives_time():
                self._let_time_pass()

    def _step(self, fiber: Fiber, value: Any, error: BaseException | None) -> None:
        coroutine = fiber.coroutine
        if coroutine is None:  # given up in the meantime
            return
        fiber.waiting = None
        try:
            waiting = coroutine.send(value) if error is None else coroutine.throw(error)
        except StopIteration as stop:
            if fiber.coroutine is None:  # it gave itself up
                return
            fiber.coroutine = None
            if fiber.fork is not None:
                fiber.fork.ended(fiber, stop.value)
            else:
                self._end(fiber.execution, Outcome("SUCCEEDED", stop.value))
        except KeyboardInterrupt:
            fiber.coroutine = None
            raise
        except BaseException as failure:
            if fiber.coroutine is None:
                return
            fiber.coroutine = None
            if fiber.fork is not None:
                fiber.fork.failed(failure, fiber)
            else:
                self._end(fiber.execution, unsuccessful(failure, fiber.execution.program, fiber.execution))
        else:
            if fiber.coroutine is None:
                _close(coroutine)
            else:
                fiber.waiting = waiting
                waiting.begin(fiber, self)

    def _end(self, execution: Execution, outcome: Outcome) -> None:
        if execution not in self._live:
            return
        self._live.discard(execution)
        done = execution.done
        execution.fiber = execution.done = None
        assert done is not None
        done(execution, outcome)

    def _run(self, call: Call) -> None:
        try:
            call.binding.start(call)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            call.fail(error)

    def _open(self) -> None:
        self._rung = False
        inbox = self._inbox
        try:
            while inbox:
                inbox.popleft()()
        finally:
            if inbox and self.loop is not None:
                self.loop.call_soon(self._open, context=self._context.copy())

    # --- Time ---------------------------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        """Sets the one timer to the earliest time there is."""
        when = self._timers.next()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._armed = inf if when is None else when
        if when is None or self.loop is None:
            return
        if self._drives_time():
            if not self._scheduled:
                self._schedule()
            return
        late = 0.0 if self.clock.virtual else LATE
        self._timer = self.loop.call_later(max(0.0, when - self.clock.time()) + late, self._due, context=self._context.copy())

    def _due(self) -> None:
        self._timer, self._armed = None, inf
        for suspension in self._timers.due(self.clock.time() + NEAR, BATCH):
            suspension.due()
        self._arm()

    def _drives_time(self) -> bool:
        """Whether nobody else moves the virtual clock: the loop, if there is one, lives in real time."""
        return self.clock.virtual and getattr(self.loop, "clock", None) is not self.clock

    def _let_time_pass(self) -> None:
        """At once, if no task runs. An async function in real time gets a moment to end in, before it is left behind."""
        if not self._calls:
            self._pass_time()
        elif self.loop is not None and not self.clock.outside and self._patience is None:
            self._patience = self.loop.call_later(GRACE, self._lose_patience, self._steps)

    def _lose_patience(self, steps: int) -> None:
        self._patience = None
        if steps == self._steps and not self.clock.outside:
            self._pass_time()
        else:
            self._let_time_pass()

    def _pass_time(self) -> bool:
        """Moves the virtual clock to the next thing that is due; False when there is none."""
        when = self._timers.next()
        if when is None:
            return False
        self.clock.advance(when - self.clock.time())
        self._due()
        return True

    def pump(self) -> None:
        """Runs without any loop as far as that goes: until everything has ended, or only calls are left. For virtual clocks."""
        while True:
            while self._ready or self._turns:
                self._work()
            if self._calls or not self._pass_time():
                return


def _close(coroutine: CoroutineType[Any, Any, Any]) -> None:
    try:
        coroutine.close()
    except Exception:
        log.exception("a workflow failed while it was given up")


# --- One execution by itself ------------------------------------------------------------------------------------------------------


def run(program: Runnable, value: Any, execution: Execution) -> Outcome:
    """One execution, from start to end, for callers that are not async. Makes an event loop only if something waits (with a virtual clock:
    only if a task is called that needs one); inside a running loop (a notebook) that happens in a thread of its own."""
    executor = Executor(execution.clock)
    executor.loop = None
    ended: list[Outcome] = []
    outcome = executor.start(program, value, execution, lambda _, outcome: ended.append(outcome))
    if outcome is not None:
        return outcome
    if execution.clock.virtual:
        executor.pump()
        if ended:
            return ended[0]
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run_in_loop(executor, execution, ended)
    failures: list[BaseException] = []

    def target() -> None:
        try:
            _run_in_loop(executor, execution, ended)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=target, name="express-run")
    thread.start()
    thread.join()
    if failures:
        raise failures.pop()
    return ended[0]


def _run_in_loop(executor: Executor, execution: Execution, ended: list[Outcome]) -> Outcome:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        over = loop.create_future()

        def done(_: Execution, outcome: Outcome) -> None:
            ended.append(outcome)
            if not over.done():
                over.set_result(None)

        execution.done = done
        executor.attach(loop)
        try:
            await over
        finally:
            await executor.close()

    with asyncio.Runner(loop_factory=execution.clock.new_event_loop) as runner:
        runner.run(main())
    return ended[0]


async def execute(program: Runnable, value: Any, execution: Execution) -> Outcome:
    """One execution, from start to end, on the running loop."""
    executor = Executor(execution.clock)
    over: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def done(_: Execution, outcome: Outcome) -> None:
        if not over.done():
            over.set_result(outcome)

    outcome = executor.start(program, value, execution, done)
    if outcome is not None:
        return outcome
    try:
        return await over
    finally:
        await executor.close()
