"""The ``express`` command as a real process, for tests: run to its end, or started, watched and signalled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import forked

COMMAND = [sys.executable, "-m", "express"]


def express(
    *arguments: str | Path,
    cwd: Path,
    text: str | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = 60,
    before: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """The command, run to its end; ``text`` is its standard input, ``before`` a command that starts it."""
    if not before:
        return forked.run([*map(str, arguments)], cwd, text, {**os.environ, **(environment or {})}, seconds)
    return subprocess.run(
        [*before, *COMMAND, *map(str, arguments)],
        cwd=cwd,
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
        timeout=seconds,
    )


class Running:
    """A command that goes on. What it writes to stderr is in a file: no pipe of ours can block it."""

    def __init__(self, process: subprocess.Popen[bytes], stderr: Path) -> None:
        self.process, self._stderr = process, stderr

    @property
    def stderr(self) -> str:
        return self._stderr.read_text()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 30) -> int:
        return self.process.wait(seconds)

    def until(self, true: Callable[[], bool], what: str, seconds: float = 30) -> None:
        """Waits; fails when the process ends or the time is over first."""
        end = time.monotonic() + seconds
        while not true():
            assert self.process.poll() is None, f"ended with {self.process.returncode} before {what}:\n{self.stderr}"
            assert time.monotonic() < end, f"not within {seconds} s: {what}\n{self.stderr}"
            time.sleep(0.02)

    def until_said(self, text: str, seconds: float = 30) -> None:
        self.until(lambda: text in self.stderr, f"it said {text!r}", seconds)

    def url(self) -> str:
        """Where the operations endpoint is."""
        self.until_said("metrics at ")
        return self.stderr.partition("metrics at ")[2].partition("/metrics")[0]

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{self.url()}/{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metric(self, line: str) -> float:
        """The value of a sample, by its name and labels as they are written at /metrics; 0 when it is not there."""
        for sample in self.get("metrics")[1].splitlines():
            if sample.startswith(f"{line} "):
                return float(sample.rpartition(" ")[2])
        return 0.0


@contextmanager
def running(
    *arguments: str | Path, cwd: Path, stdin: int = subprocess.DEVNULL, environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """A started command, gone at the end. Its operations endpoint is on a free port unless the arguments say otherwise."""
    words = [str(argument) for argument in arguments]
    if "--ops" not in words:
        words += ["--ops", "127.0.0.1:0"]
    path = cwd / f"stderr-{time.monotonic_ns()}.txt"
    with path.open("wb") as stderr:
        process = subprocess.Popen(
            [*COMMAND, *words],
            cwd=cwd,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )
    try:
        yield Running(process, path)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
