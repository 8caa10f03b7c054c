"""A TCP proxy between members and brokers, in a process of its own: latency, partitions, connections whose other end is gone.

``python -m tests.chaos.proxy CONTROL LISTEN:UPSTREAM ...``; ports of 127.0.0.1. The control port takes lines of JSON: ``{"latency": 0.2,
"jitter": 0.1, "cut": [0], "half open": [1]}``. What is not named is as usual again; each line is answered with ``ok``.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from tests.brokers.apache import Node
from tests.brokers.processes import free_port, start_tied


class Way:
    """The way to one broker. ``cut``: nothing goes through, in either direction, and nobody is told; what was sent arrives once it is whole
    again, as with TCP."""

    def __init__(self, upstream: int) -> None:
        self.upstream, self.latency, self.jitter = upstream, 0.0, 0.0
        self.whole = asyncio.Event()
        self.whole.set()
        self.half_open = False
        self._upstreams: set[asyncio.StreamWriter] = set()

    def set(self, latency: float, jitter: float, cut: bool, half_open: bool) -> None:
        self.latency, self.jitter = latency, jitter
        if cut:
            self.whole.clear()
        else:
            self.whole.set()
        if half_open and not self.half_open:
            for writer in self._upstreams:
                writer.transport.abort()  # the broker's end is gone; the member's never hears of it
        self.half_open = half_open

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other: asyncio.StreamWriter | None = None
        passing: set[asyncio.Task[None]] = set()
        try:
            await self.whole.wait()
            away, other = await asyncio.open_connection("127.0.0.1", self.upstream)
            self._upstreams.add(other)
            passing = {asyncio.create_task(self._pass(reader, other)), asyncio.create_task(self._pass(away, writer))}
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass
        finally:
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
            if other is not None:
                self._upstreams.discard(other)
                other.transport.abort()
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Bytes in one direction, each piece late by the latency, in their order; the end of one direction ends the connection."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)
        loop, due = asyncio.get_running_loop(), 0.0

        async def deliver() -> None:
            while True:
                when, piece = await queue.get()
                if (wait := when - loop.time()) > 0:
                    await asyncio.sleep(wait)
                await self.whole.wait()
                if not piece:
                    raise ConnectionError
                writer.write(piece)
                await writer.drain()

        delivering = asyncio.create_task(deliver())
        try:
            while True:
                try:
                    piece = await reader.read(65_536)
                except OSError:
                    piece = b""
                if not piece and self.half_open:
                    await asyncio.sleep(3600)
                due = max(due, loop.time() + max(0.0, self.latency + random.uniform(-self.jitter, self.jitter)))
                put = asyncio.ensure_future(queue.put((due, piece)))
                await asyncio.wait({put, delivering}, return_when=asyncio.FIRST_COMPLETED)
                if delivering.done():
                    put.cancel()
                    if self.half_open:
                        await asyncio.sleep(3600)
                    delivering.result()
                if not piece:
                    await delivering
        finally:
            delivering.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await delivering


async def serve(control: int, ways: Sequence[tuple[int, int]]) -> None:
    made = [Way(upstream) for _, upstream in ways]

    async def commands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            said = json.loads(line)
            for number, way in enumerate(made):
                cut, half_open = (number in said.get(name, ()) for name in ("cut", "half open"))
                way.set(said.get("latency", 0.0), said.get("jitter", 0.0), cut, half_open)
            writer.write(b"ok\n")
            await writer.drain()
        writer.close()

    servers = [await asyncio.start_server(way.accept, "127.0.0.1", listen) for way, (listen, _) in zip(made, ways, strict=True)]
    servers.append(await asyncio.start_server(commands, "127.0.0.1", control))
    await asyncio.gather(*(server.serve_forever() for server in servers))


class Proxy:
    """The process, and what it is told. It ends with the process that made it."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._control = free_port()
        ways = [f"{node.outer}:{node.inner}" for node in nodes]
        self._process: subprocess.Popen[bytes] = start_tied([sys.executable, "-m", "tests.chaos.proxy", str(self._control), *ways])
        until = time.monotonic() + 20
        while True:
            try:
                self.tell()
                break
            except OSError:
                assert self._process.poll() is None, "the proxy has ended"
                assert time.monotonic() < until, "the proxy did not start"
                time.sleep(0.05)

    def tell(self, **what: object) -> None:
        with socket.create_connection(("127.0.0.1", self._control), timeout=5) as connection:
            connection.sendall(json.dumps({name.replace("_", " "): value for name, value in what.items()}).encode() + b"\n")
            assert connection.recv(16) == b"ok\n"

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


if __name__ == "__main__":
    random.seed(1)
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1]), [tuple(map(int, way.split(":"))) for way in sys.argv[2:]]))  # type: ignore[misc]
