"""Parallel and Map at run time: branches side by side in fibers, results in order, the first failure stops the others."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from types import CoroutineType, coroutine
from typing import Any

from express.runtime.access import too_large
from express.runtime.context import Execution
from express.runtime.failures import ExecutionTimedOut
from express.runtime.limits import PAYLOAD, TRANSITIONS_PER_BREATH
from express.runtime.suspensions import TIMEOUT, Fiber, Host, Suspension

# AWS runs at most 40 iterations of an inline Map at a time (Developer Guide, "Using Map state in Inline mode"); without a MaxConcurrency of
# its own a Map here does the same, which is also what bounds its memory. A greater MaxConcurrency is honoured.
CONCURRENCY = 40


class Fork(Suspension):
    """Several branches of one execution, of which at most ``limit`` are under way; ``results`` in their order once all have ended.

    A branch that never waits is a plain call: it costs no fiber, and a fork of only such branches never reaches the executor. Between
    branches it lets others run after every 1,000 transitions (``weight`` is one branch's) and looks at the deadline.
    """

    __slots__ = ("children", "count", "execution", "first", "limit", "next", "results", "start", "weight")

    def __init__(self, execution: Execution, start: Callable[[int], Any], count: int, limit: int, weight: int) -> None:
        self.execution, self.start, self.count, self.limit, self.weight = execution, start, count, limit, weight
        self.fiber = None
        self.results: list[Any] = [None] * count
        self.children: dict[int, Fiber] = {}  # under way
        self.next = 0  # the first branch not yet started
        self.first: Fiber | None = None  # the first to wait, before the executor has it

    def ahead(self) -> bool:
        """Starts branches up to the first that waits, or that a breath is due; True if all have ended. Raises the first failure."""
        spent = 0
        while self.next < self.count:
            if spent >= TRANSITIONS_PER_BREATH:
                return False
            index = self.next
            self.next += 1
            value = self.start(index)
            if value.__class__ is CoroutineType:
                try:
                    waiting = value.send(None)
                except StopIteration as stop:
                    value = stop.value
                else:
                    self.first = self.children[index] = Fiber(value, self.execution, waiting, self, index)
                    return False
            self.results[index] = value
            spent += self.weight
        return True

    def begin(self, fiber: Fiber, host: Host) -> None:
        self.fiber, self.host = fiber, host
        first, self.first = self.first, None
        if first is None:
            host.pause(self._go_on)
        else:
            assert first.waiting is not None
            first.waiting.begin(first, host)
            self._go_on()

    def _go_on(self) -> None:
        """Starts as many branches as may be under way; ends the fork when none is left."""
        fiber = self.fiber
        if fiber is None:
            return
        if self.execution.clock.time() >= self.execution.deadline:
            self.failed(ExecutionTimedOut(TIMEOUT))
            return
        while len(self.children) < self.limit:
            try:
                ended = self.ahead()
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self.failed(error)
                return
            first, self.first = self.first, None
            if first is not None:
                assert first.waiting is not None
                first.waiting.begin(first, self.host)
            elif not ended:
                self.host.pause(self._go_on)
                return
            else:
                if not self.children:
                    self.fiber = None
                    self.host.resume(fiber, self.results)
                return

    def ended(self, child: Fiber, value: Any) -> None:
        """Called by the executor when a branch has returned."""
        del self.children[child.index]
        self.results[child.index] = value
        self._go_on()

    def failed(self, error: BaseException, child: Fiber | None = None) -> None:
        """Called when a branch has failed: the others are given up, and the parent gets the error."""
        if child is not None:
            self.children.pop(child.index, None)
        fiber, host = self.fiber, self.host
        self.cancel()
        if fiber is not None:
            host.throw(fiber, error)

    def cancel(self) -> None:
        self.fiber = None
        children, self.children = self.children, {}
        for child in children.values():
            self.host.discard(child)


@coroutine
def parallel(execution: Execution, branches: Sequence[Callable[[Any, Execution], Any]], data: Any) -> Generator[Suspension, Any, list[Any]]:
    """Runs every branch, a plain or a coroutine function called as ``branch(data, execution)``; their results in order.

    The first failure stops the other branches and is raised. ``data`` is shared: nobody mutates it.
    """
    fork = Fork(execution, lambda index: branches[index](data, execution), len(branches), len(branches), 1)
    if fork.ahead():
        return fork.results
    results: list[Any] = yield fork
    return results


@coroutine
def each(
    execution: Execution,
    body: Callable[[Any, Execution, int, Any], Any],
    items: Sequence[Any],
    max_concurrency: int = 0,
    make_input: Callable[[int, Any], Any] | None = None,
    transitions: int = 1,
) -> Generator[Suspension, Any, list[Any]]:
    """Runs ``body(input, execution, index, item)``, a plain or a coroutine function, for every item; the results in order.

    ``make_input(index, item)`` computes an iteration's input just before it starts; without it that is the item. ``transitions`` is the
    most that one iteration of a plain body may take. The first failure stops the other iterations and is raised.
    """

    def start(index: int) -> Any:
        item = items[index]
        return body(item if make_input is None else make_input(index, item), execution, index, item)

    fork = Fork(execution, start, len(items), max_concurrency or CONCURRENCY, transitions)
    if fork.ahead():
        return fork.results
    results: list[Any] = yield fork
    return results


def measured(make_input: Callable[[int, Any], Any] | None, state: str, at_most: Callable[[Any, int], bool]) -> Callable[[int, Any], Any]:
    """``make_input`` of ``each``, with every iteration's input measured against the 256 KiB; ``state`` is the Map's name."""

    def made(index: int, item: Any) -> Any:
        value = item if make_input is None else make_input(index, item)
        if not at_most(value, PAYLOAD):
            raise too_large(state)
        return value

    return made
