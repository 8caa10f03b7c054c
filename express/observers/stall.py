"""How late an event loop comes to a timer: the stall every other timer, heartbeat and poll of that loop suffers too."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import time
from typing import TextIO

from express.observers.metrics import Histogram

PERIOD = 0.1  # seconds between two beats
LONG = 1.0  # seconds of a stall after which somebody wants to know what it is

log = logging.getLogger("express")


class Heartbeat:
    """Beats on a loop every 100 ms. ``lateness`` is what Prometheus sees as the loop's stalls; ``silence`` is asked from another thread.

    A stall of more than a second is logged when it is over, and while it lasts the stacks of all threads are written to ``stacks``: by a
    thread of faulthandler's, which needs nothing that the stall could hold.
    """

    __slots__ = ("_due", "_handle", "_last", "_stacks", "lateness")

    def __init__(self, stacks: TextIO | None = None) -> None:
        self._stacks = stacks
        self.lateness = Histogram()
        self._handle: asyncio.TimerHandle | None = None
        self._due = self._last = time.monotonic()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called once, on the loop that is watched."""
        self._last = time.monotonic()
        self._due = self._last + PERIOD
        self._handle = loop.call_later(PERIOD, self._beat, loop)
        self._watch()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
            if self._stacks is not None:
                faulthandler.cancel_dump_traceback_later()

    def silence(self) -> float:
        """Seconds since the last beat."""
        return time.monotonic() - self._last

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        if now - self._due > LONG:
            where = "" if self._stacks is None else "; the stacks of that moment are on standard error"
            log.warning("the event loop stood still for %.1f s: something blocked it%s", now - self._due, where)
        # uvloop rounds timers to the millisecond, either way: a beat that comes early was not late.
        self.lateness.observe(max(0.0, now - self._due))
        self._last = now
        self._due = now + PERIOD
        self._handle = loop.call_later(PERIOD, self._beat, loop)
        self._watch()

    def _watch(self) -> None:
        if self._stacks is not None:
            faulthandler.dump_traceback_later(PERIOD + LONG, file=self._stacks)
