"""How late an event loop comes to a timer: the stall every other timer, heartbeat and poll of that loop suffers too."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import TextIO

from express.observers.metrics import Histogram

PERIOD = 0.1  # seconds between two beats
LONG = 1.0  # seconds of a stall after which somebody wants to know what it is

log = logging.getLogger("express")


class Heartbeat:
    """Beats on a loop every 100 ms. ``lateness`` is what Prometheus sees as the loop's stalls; ``silence`` is asked from another thread.

    A stall of more than a second is logged when it is over, and while it lasts the stacks of all threads are written to ``stacks``, by a
    thread that looks at them with the interpreter's lock held: faulthandler's own timer looks without, and ended a process whose loop
    went on at that moment. What blocks with the lock held is seen when it lets go of it.
    """

    __slots__ = ("_due", "_handle", "_last", "_stacks", "_stopped", "_watch", "lateness")

    def __init__(self, stacks: TextIO | None = None) -> None:
        self._stacks = stacks
        self.lateness = Histogram()
        self._handle: asyncio.TimerHandle | None = None
        self._due = self._last = time.monotonic()
        self._stopped = threading.Event()
        self._watch: threading.Thread | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called once, on the loop that is watched."""
        self._last = time.monotonic()
        self._due = self._last + PERIOD
        self._handle = loop.call_later(PERIOD, self._beat, loop)
        if self._stacks is not None:
            self._watch = threading.Thread(target=self._watching, args=(self._stacks,), name="express-stalls", daemon=True)
            self._watch.start()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._stopped.set()
        if self._watch is not None:
            self._watch.join(1.0)
            self._watch = None

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

    def _watching(self, stacks: TextIO) -> None:
        """Writes the stacks once for each stall."""
        told, wait = 0.0, LONG / 2
        while not self._stopped.wait(wait):
            last, silence = self._last, self.silence()
            wait = LONG / 2
            if silence <= PERIOD + LONG:
                if silence > LONG / 2:
                    wait = PERIOD + LONG - silence + 0.01
            elif last != told:
                told = last
                with suppress(OSError, ValueError):  # nobody reads them any more
                    write_stacks(stacks)


def write_stacks(stacks: TextIO) -> None:
    """Where every thread is, the one that asks left out."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for identity, frame in sys._current_frames().items():
        if identity != threading.get_ident():
            lines = "".join(traceback.format_stack(frame))
            stacks.write(f"Thread {names.get(identity, identity)} (most recent call last):\n{lines}\n")
    stacks.flush()
