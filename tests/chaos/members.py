"""Real ``express run`` processes as members of one group: started, asked, killed, drained."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tests.brokers.processes import free_port, start_tied

CARGO = Path(__file__).parent / "cargo"


class Member:
    """One process. It ends with the process that made it, whatever happens to that."""

    def __init__(self, name: str, arguments: Sequence[str], folder: Path, definition: Path = CARGO / "chaos.asl.json") -> None:
        self.name, self.port = name, free_port()
        self.log = folder / f"{name}.log"
        command = [sys.executable, "-m", "express", "run", str(definition), "--functions", str(CARGO / "functions.py"), *arguments]
        with self.log.open("ab") as log:
            self.process: subprocess.Popen[bytes] = start_tied([*command, "--ops", f"127.0.0.1:{self.port}"], log)

    def ask(self, path: str, seconds: float = 2.0) -> str | None:
        """The operations endpoint's answer; None when it has none, or not a good one."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=seconds) as answer:
                return str(answer.read().decode())
        except OSError:
            return None

    def until_ready(self, seconds: float = 60.0) -> None:
        patience = time.monotonic() + seconds
        while self.ask("/readyz") is None:
            assert self.process.poll() is None, f"{self.name} ended:\n{self.tail()}"
            assert time.monotonic() < patience, f"{self.name} was not ready within {seconds} s:\n{self.tail()}"
            time.sleep(0.05)

    def state(self) -> tuple[int, list[int]]:
        """(executions unfinished, partitions held) now; (0, []) when it does not answer."""
        metrics = self.ask("/metrics") or ""
        unfinished = re.search(r"^express_inflight\{.*\} ([\d.e+]+)$", metrics, re.MULTILINE)
        held = re.findall(r'^express_source_lag\{partition="(\d+)"', metrics, re.MULTILINE)
        return (int(float(unfinished[1])) if unfinished else 0), sorted(map(int, held))

    def worker(self) -> int:
        """The number of the process that works: what is started becomes it."""
        return self.process.pid

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def ended(self, seconds: float) -> tuple[int, float]:
        """(exit code, seconds it took)."""
        began = time.monotonic()
        try:
            return self.process.wait(seconds), time.monotonic() - began
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.kill()
            raise AssertionError(f"{self.name} did not end within {seconds} s:\n{self.tail()}") from None

    def tail(self, characters: int = 3000) -> str:
        return self.log.read_text(errors="replace")[-characters:]
