"""The ``express`` command in a process of its own that need not import everything again: it is forked from one that has.

Arguments, folder, environment, standard streams, signals and exit code are a real process's; what is spared is most of a start, about a
second of processor time.
"""

from __future__ import annotations

import gc
import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

IMPORTED = [
    "tests.forked",
    "express.cli",
    "express.worker",
    "express.dlq.replaying",
    "consumers.file",
    "consumers.queue",
    "express.sinks.file",
]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(IMPORTED)


def run(
    arguments: Sequence[str], cwd: Path, text: str | None, environment: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[str]:
    """The command, run to its end. ``text`` is its standard input. After ``seconds`` it is killed, and that is an error."""
    with tempfile.TemporaryDirectory(prefix="express-forked-") as name:
        given, out, err = streams = [Path(name) / stream for stream in ("in", "out", "err")]
        given.write_text(text or "", encoding="utf-8")
        process = _context.Process(target=_child, args=([*arguments], str(cwd), dict(environment), [*map(str, streams)]))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([*arguments], seconds, out.read_bytes(), err.read_bytes())
        result = subprocess.CompletedProcess([*arguments], process.exitcode, out.read_text("utf-8"), err.read_text("utf-8"))
        process.close()
        return result


def _child(arguments: list[str], cwd: str, environment: dict[str, str], streams: list[str]) -> NoReturn:
    for number, (path, flags) in enumerate(zip(streams, (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT), strict=True)):
        opened = os.open(path, flags)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = io.TextIOWrapper(open(0, "rb", closefd=False), "utf-8")  # noqa: SIM115 - as long as the process
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(open(1, "wb", closefd=False), "utf-8")  # type: ignore[misc]  # noqa: SIM115
    sys.stderr = sys.__stderr__ = io.TextIOWrapper(  # type: ignore[misc]
        open(2, "wb", 0, closefd=False), "utf-8", "backslashreplace", write_through=True  # noqa: SIM115
    )  # fmt: skip
    gc.freeze()  # a collection would touch, and so copy, everything that was imported
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["express", *arguments]
    sys.path[0] = cwd  # as `python -m express` has it
    from express.cli import main

    main()
