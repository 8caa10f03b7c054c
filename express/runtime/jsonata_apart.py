"""Expressions whose values may outgrow any process are evaluated in another one, which may run out of memory, stack or time and be killed.

There is one such process (``jsonata_process``), made by ``begin`` or when it is first needed, and anew after it has died. It gets questions
on its standard input and answers on its standard output, each with its length before it, and ends when its input does.
"""

from __future__ import annotations

import atexit
import os
import select
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from express.runtime.values import dumps, loads

PROGRAM = Path(__file__).with_name("jsonata_process.py")
PROCESSOR_SECONDS = 0.5  # for one answer; the library's own budget ends most evaluations long before
SECONDS = 10.0  # by the clock, for one answer
START = 60.0  # by the clock, until it is ready
LOOK = 0.02  # seconds between two looks at the time it had
LENGTH = struct.Struct(">I")
READY, VALUE = b"r", b"v"


class Gone(Exception):  # noqa: N818 - what happened, not a defect
    """The process has not answered. ``late``: it was given up, else it ended by itself."""

    def __init__(self, late: bool) -> None:
        self.late = late
        super().__init__()


class _Process:
    def __init__(self) -> None:
        command = [sys.executable, "-I", "-S", str(PROGRAM), *(path for path in sys.path if path)]
        # A session of its own: what is typed at the terminal is not meant for it
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._questions: IO[bytes] = self._process.stdin
        self._answers: IO[bytes] = self._process.stdout
        self.pid = self._process.pid
        self._clock = (~self.pid << 3) | 2  # what Linux calls the clock of its processor's time
        self._receive(None, START)

    def ask(self, question: bytes) -> bytes:
        began = self._processor_time()
        try:
            self._questions.write(LENGTH.pack(len(question)) + question)
            self._questions.flush()
        except OSError:
            raise Gone(False) from None
        return self._receive(None if began is None else began + PROCESSOR_SECONDS, SECONDS)

    def _receive(self, processor: float | None, seconds: float) -> bytes:
        until = time.monotonic() + seconds
        (length,) = LENGTH.unpack(self._read(LENGTH.size, processor, until))
        return self._read(length, processor, until)

    def _read(self, length: int, processor: float | None, until: float) -> bytes:
        descriptor, parts = self._answers.fileno(), []
        while length:
            while not select.select([descriptor], (), (), LOOK)[0]:
                had = None if processor is None else self._processor_time()
                if time.monotonic() > until or (had is not None and processor is not None and had > processor):
                    raise Gone(True)
            part = os.read(descriptor, min(length, 1 << 20))
            if not part:
                raise Gone(False)
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def _processor_time(self) -> float | None:
        try:
            return time.clock_gettime(self._clock)
        except (AttributeError, OSError):  # not on Linux, or it has ended
            return None

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self.forget()

    def forget(self) -> None:
        """It is somebody else's."""
        self._process.returncode = 0
        for pipe in (self._questions, self._answers):
            with suppress(OSError):  # what it was not asked any more
                pipe.close()


_lock = threading.Lock()
_process: _Process | None = None


def begin() -> None:
    """Makes the process now, so that no event waits for it. OSError or Gone where that cannot be."""
    global _process
    with _lock:
        if _process is None:
            _process = _Process()


def evaluate(text: str, field: str, source: str, document: dict[str, Any]) -> tuple[bool, Any]:
    """Whether an expression has a value, and the value, or else the cause of the failure. Raises Gone, or OSError without a process."""
    global _process
    question = dumps([text, field, source, document])
    with _lock:
        try:
            if _process is None:
                _process = _Process()
            answer = _process.ask(question)
        except BaseException:  # a KeyboardInterrupt too: its answer would come to the next question
            if _process is not None:
                _process.end()
                _process = None
            raise
    kind, found = answer[:1], answer[1:]
    return kind == VALUE, loads(found) if kind == VALUE else found.decode("utf-8", "surrogatepass")


def _end() -> None:
    global _process
    if _process is not None:
        _process.end()
        _process = None


def _after_fork() -> None:
    global _lock, _process
    _lock = threading.Lock()
    if _process is not None:
        _process.forget()
        _process = None


atexit.register(_end)
os.register_at_fork(after_in_child=_after_fork)
