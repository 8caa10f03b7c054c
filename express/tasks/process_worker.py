"""A process that runs one function: JSON lines in, JSON lines out. ``python -m express.tasks.process_worker FILE_OR_MODULE NAME``."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import queue
import signal
import sys
import threading
from functools import reduce
from typing import Any, BinaryIO

import msgspec

from express.clock import REAL
from express.runtime.failures import StateError
from express.runtime.limits import PAYLOAD
from express.runtime.values import adopt, dumps
from express.tasks.function import Function, load_module
from express.tasks.invocation import Context, invoke
from express.tasks.outcome import failure

SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def main(place: str, name: str) -> None:
    """Answers every line of stdin with one line on stdout, until there are no more."""
    _die_with_parent()
    # Stopping is the parent's decision, which kills: a signal to the whole group must not fail calls that are being drained
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    requests, answers = _take_over_streams()
    try:
        module = load_module(place) if place.endswith(".py") else importlib.import_module(place)
        found: Any = reduce(getattr, name.split("."), module)
    except BaseException as error:
        _write(answers, dumps(str(error).encode(errors="backslashreplace").decode()) + b"\n")
        return
    function = found if isinstance(found, Function) else Function(found, name)
    _write(answers, b"null\n")
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, waiting), daemon=True).start()
    while True:
        _write(answers, answer(function, waiting.get()))


def answer(function: Function[Any], request: bytes) -> bytes:
    """One call: ``["result", value]``, or ``["failure", [error, cause]]``, as a line."""
    payload, about, label, compact = msgspec.json.decode(request)
    context = None
    if about is not None:
        name, arn, execution_id, state, attempt, request_id, seconds = about
        context = Context(name, arn, execution_id, state, attempt, REAL, REAL.time() + seconds, request_id)
    reply: list[Any]
    try:
        reply = ["result", adopt(invoke(function.wrapped, payload, context), PAYLOAD, label)]
    except StateError as error:
        reply = ["failure", [error.error, error.cause]]
    except BaseException as error:
        failed = failure(error, compact=compact)
        reply = ["failure", [failed.error, failed.cause]]
    return dumps(reply) + b"\n"


def _read(requests: BinaryIO, waiting: queue.SimpleQueue[bytes]) -> None:
    """Reads ahead, so that the parent's end is noticed in the middle of a call, too."""
    for line in requests:
        waiting.put(line)
    os._exit(0)


def _take_over_streams() -> tuple[BinaryIO, int]:
    """The pipes to the parent, for us alone: what a function prints goes to stderr, what it reads is empty."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _write(answers: int, data: bytes) -> None:
    """All of it: a pipe may take less than it is given. Without a reader the parent is gone, and so are we."""
    try:
        while data:
            data = data[os.write(answers, data) :]
    except BrokenPipeError:
        os._exit(0)


def _die_with_parent() -> None:
    """Linux: killed when the thread that started us ends, however it ends. Elsewhere the end of stdin has to do."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
