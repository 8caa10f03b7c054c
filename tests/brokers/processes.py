"""What every broker of the test bed needs: processes tied to ours, free ports, folders that do not pile up."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

TIED = Path(__file__).with_name("tied.py")
PREFIX = "express-kafka-"


# Linux ties a process to the *thread* that started it, so they are all started by one thread that lives as long as this process.
_starter = ThreadPoolExecutor(1, thread_name_prefix="starter")


def start_tied(command: Sequence[str], output: IO[bytes] | int | None = None) -> subprocess.Popen[bytes]:
    """Starts a process that is gone when this one is, even after kill -9."""
    tied = [sys.executable, "-S", str(TIED), str(os.getpid()), *command]
    return _starter.submit(lambda: subprocess.Popen(tied, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)).result()


def free_port() -> int:
    """A free port of 127.0.0.1 below the range that outgoing connections take theirs from, so that a broker that was stopped finds it free
    again."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def folder() -> Path:
    """A new folder for a broker's data. Those whose owner was killed before it could remove them are removed first."""
    root = Path(tempfile.gettempdir())
    for left in root.glob(f"{PREFIX}*"):
        owner = left.name.removeprefix(PREFIX).split("-")[0]
        if owner.isdigit() and not _lives(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=root))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
