"""How late an event loop comes to a timer: the stall every other timer, heartbeat and poll of that loop suffers too."""

from __future__ import annotations

import asyncio
import time

from express.observers.metrics import Histogram

PERIOD = 0.1  # seconds between two beats


class Heartbeat:
    """Beats on a loop every 100 ms. ``lateness`` is what Prometheus sees as the loop's stalls; ``silence`` is asked from another thread."""

    __slots__ = ("_due", "_handle", "_last", "lateness")

    def __init__(self) -> None:
        self.lateness = Histogram()
        self._handle: asyncio.TimerHandle | None = None
        self._due = self._last = time.monotonic()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called once, on the loop that is watched."""
        self._last = time.monotonic()
        self._due = self._last + PERIOD
        self._handle = loop.call_later(PERIOD, self._beat, loop)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def silence(self) -> float:
        """Seconds since the last beat."""
        return time.monotonic() - self._last

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        # uvloop rounds timers to the millisecond, either way: a beat that comes early was not late.
        self.lateness.observe(max(0.0, now - self._due))
        self._last = now
        self._due = now + PERIOD
        self._handle = loop.call_later(PERIOD, self._beat, loop)
