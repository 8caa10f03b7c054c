"""Signals in, the end of the process out: the first asks it to drain, the second leaves at once, and a deadline leaves what hangs."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

from express.runtime import interrupts

SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = logging.getLogger("express")


class Leaving:
    """While entered, SIGTERM and SIGINT call ``drain`` once (from the main thread, between two instructions: it must only schedule).

    A second signal ends the process with 128 + its number. ``seconds`` after the first the process ends with ``status()``, whatever still
    hangs: a broker that does not answer, a thread, a loop that a function blocks. Hence plain handlers and a thread: a loop's own handlers
    and timers would wait for the loop.
    """

    def __init__(self, drain: Callable[[], None], seconds: float, status: Callable[[], int]) -> None:
        self._drain, self._seconds, self._status = drain, seconds, status
        self._asked = False
        self._deadline: threading.Timer | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._received) for number in SIGNALS}
        interrupts.handle(True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        interrupts.handle(False)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        if self._deadline is not None:
            self._deadline.cancel()

    def _received(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            leave(128 + number)
        self._asked = True
        self._deadline = threading.Timer(self._seconds, self._too_late)
        self._deadline.daemon = True
        self._deadline.start()
        self._drain()

    def _too_late(self) -> None:
        log.warning("left %.1f s after the signal, although not everything had ended; what is not committed comes again", self._seconds)
        leave(self._status())


def leave(status: int) -> NoReturn:
    """Ends the process now: no thread is waited for, no ``finally`` runs. Its child processes are killed."""
    if "multiprocessing" in sys.modules:
        from multiprocessing import active_children

        for child in active_children():
            with suppress(Exception):
                child.kill()
    with suppress(Exception):
        if sys.stderr.isatty():
            sys.stderr.write("\x1b[?25h")  # a progress bar had hidden the cursor
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)
