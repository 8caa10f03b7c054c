"""Where the engine's time comes from: passed in, so that a test of Wait or Retry takes none."""

from __future__ import annotations

import asyncio
import time


class Clock:
    """The real one."""

    virtual = False  # True: time passes only when nothing else is left to do (express.testing.VirtualClock)

    outside = 0  # calls that run in threads or processes; a virtual clock waits for them

    def time(self) -> float:
        """Seconds, monotonic, from anywhere."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def advance(self, seconds: float) -> None:
        """Called on a virtual clock when nothing is left to do before then."""
        raise NotImplementedError

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A loop on which this clock's time passes."""
        return asyncio.new_event_loop()


class Real(Clock):
    # straight to C: read for every execution
    time, wall = staticmethod(time.monotonic), staticmethod(time.time)


REAL: Clock = Real()
