"""A real Redis on 127.0.0.1, from the system's package: started on a free port, killed and started again, gone with the tests."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.brokers.processes import free_port, start_tied

START_SECONDS = 20.0


def missing() -> str | None:
    """What this machine lacks, or None."""
    if shutil.which("redis-server") is None:
        return "needs redis-server (on Debian: apt-get install redis-server)"
    return None


class Server:
    """A server that keeps what it acknowledged (appendonly, fsync always), also over ``kill``."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.settings: list[str] = []

    def start(self) -> None:
        self.home.mkdir(exist_ok=True)
        settings = [
            "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.home), "--save", "", "--appendonly", "yes",
            "--appendfsync", "always", "--daemonize", "no", *self.settings,
        ]  # fmt: skip
        with (self.home / "redis.log").open("ab") as log:
            self.process = start_tied(["redis-server", *settings], log)
        patience = time.monotonic() + START_SECONDS
        while time.monotonic() < patience and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as wire:
                wire.sendall(b"PING\r\n")
                if wire.recv(100).startswith((b"+PONG", b"-NOAUTH")):
                    return
            time.sleep(0.02)
        raise RuntimeError(f"Redis did not start:\n{(self.home / 'redis.log').read_text()[-2000:]}")

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    def client(self) -> Any:
        """A plain client whose answers are as the server gives them."""
        import redis

        client = redis.Redis(port=self.port, protocol=2)
        for name in [name for name in client.response_callbacks if str(name).startswith("X")]:
            del client.response_callbacks[name]
        return client

    def do(self, *words: Any) -> Any:
        with self.client() as client:
            return client.execute_command(*words)

    def add(self, stream: str, entries: Iterable[Sequence[Any]]) -> None:
        """Entries, each a flat list of fields and values."""
        with self.client() as client, client.pipeline(transaction=False) as pipeline:
            for fields in entries:
                pipeline.execute_command("XADD", stream, "*", *fields)
            pipeline.execute()
