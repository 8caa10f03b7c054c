"""For tests of workflows: a clock on which Wait, Retry and timeouts take no time, and a recording of what every state did."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Mapping
from typing import Any

from express.clock import Clock
from express.observers.recording import Failure, Recording, Visit

__all__ = ["Failure", "Recording", "VirtualClock", "VirtualLoop", "Visit"]


class VirtualClock(Clock):
    """Time that passes only when nothing else is left to do, and then at once. It stands still while a thread or process function runs.

    ``start``: the wall clock's time at the beginning, in seconds since the epoch (default: now).
    """

    virtual = True

    def __init__(self, start: float | None = None) -> None:
        self._start = time.time() if start is None else start
        self._now = 0.0
        self.outside = 0

    def time(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._start + self._now

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        if seconds > 0:
            self._now += seconds

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return VirtualLoop(self)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that lives in a virtual clock's time: ``asyncio.sleep`` in an async function takes none either."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        super().__init__(_Selector(clock))
        self._own = len(self._selector.get_map())  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.clock.time()

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Threads that async functions start (``asyncio.to_thread``, name resolution) are waited for like the engine's own."""
        future = super().run_in_executor(executor, func, *args)
        self.clock.outside += 1
        future.add_done_callback(self._back)
        return future

    async def shutdown_default_executor(self, *arguments: Any, **named: Any) -> None:
        """Joining those threads has a timeout, too."""
        self.clock.outside += 1
        try:
            await super().shutdown_default_executor(*arguments, **named)
        finally:
            self.clock.outside -= 1

    def _back(self, _: asyncio.Future[Any]) -> None:
        self.clock.outside -= 1


class _Selector(selectors.BaseSelector):
    """The loop's selector: where it would wait for a time, time passes instead."""

    GRACE = 0.25  # real seconds given to sockets that an async function uses, before time passes without them

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._selector = selectors.DefaultSelector()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._selector.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._selector.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._selector.modify(fileobj, events, data)

    def close(self) -> None:
        self._selector.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._selector.get_map()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._clock.outside or timeout is None:
            # A thread or a process rings when it is done. The virtual time to wait is never waited for
            return self._selector.select(None if timeout is None or timeout > 0 else 0)
        sockets = timeout > 0 and len(self._selector.get_map()) > 1  # beside the loop's own
        ready = self._selector.select(self.GRACE if sockets else 0)
        if not ready:
            self._clock.advance(timeout)
        return ready
