"""Servers and a DNS of our own, for HTTP Tasks over real sockets: one to be called, on 127.0.0.2, and one that nobody may reach."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult

from express.language.model import Literal
from express.options import HttpConnection
from express.outcome import Outcome
from express.runtime.context import Execution
from express.runtime.suspensions import call
from express.tasks import http
from express.tasks.http import sessions
from express.tasks.integration import resource
from tests.handmade import Handmade, Runs

OUTER = "127.0.0.2"
ARN = "arn:aws:events:eu-west-1:123456789012:connection/NAME/0a1b2c3d-0000-0000-0000-000000000000"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Seen(msgspec.Struct):
    """One request as the server got it; names of headers in lower case, and ``names`` as often as they were there."""

    method: str
    path: str
    headers: dict[str, str]
    body: str
    names: list[str]


class Servers:
    """``outer`` answers what ``handler`` says (by default 200 and ``{"ok": true}``) and keeps what it saw; ``inner`` counts who connects
    to any loopback address but the outer's. Both have the same port."""

    def __init__(self) -> None:
        self.port = 0
        self.seen: list[Seen] = []
        self.connected = 0
        self.handler: Handler = self._ok
        self._inner: list[asyncio.Server] = []
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Servers:
        runner = web.ServerRunner(web.Server(self._handle))  # type: ignore[arg-type]
        await runner.setup()
        self._runner = runner  # type: ignore[assignment]
        for _ in range(20):
            site = web.TCPSite(runner, OUTER, 0)
            await site.start()
            self.port = int(runner.addresses[0][1])
            try:
                self._inner.append(await asyncio.start_server(self._reached, "127.0.0.1", self.port))
                break
            except OSError:  # somebody has that port there
                await site.stop()
        with suppress(OSError):  # a machine without IPv6
            self._inner.append(await asyncio.start_server(self._reached, "::1", self.port))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for server in self._inner:
            server.close()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode()
        names = [name.lower() for name in request.headers]
        headers = dict(zip(names, request.headers.values(), strict=True))
        self.seen.append(Seen(request.method, request.raw_path, headers, body, names))
        return await self.handler(request)

    async def _ok(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"ok": True})

    async def _reached(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
        writer.close()


class Names:
    """A DNS: what each name leads to, in turn if it is a list of lists; ``asked`` are the questions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.of: dict[str, list[str] | list[list[str]]] = {}
        self.asked: list[str] = []
        monkeypatch.setattr(sessions, "lookup", self.lookup)

    async def lookup(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        self.asked.append(host)
        found = self.of.get(host.rstrip("."))
        if not found:
            # What is not one of ours is the system's business: it knows 127.1, 0x7f000001 and localhost
            return await _system(host, port, family)
        addresses: list[str] = found if isinstance(found[0], str) else found[0]  # type: ignore[assignment]
        if isinstance(found[0], list) and len(found) > 1:
            del found[0]
        return [
            ResolveResult(
                hostname=host,
                host=each,
                port=port,
                family=socket.AF_INET6 if ":" in each else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for each in addresses
        ]


_system = sessions.lookup


class Client:
    """HTTP Tasks through connections, in one executor: what becomes of a call with its parameters. ``said``: the definition says all of
    them outright, so that they are judged when it is loaded; otherwise the data do."""

    def __init__(self, connections: Mapping[str, HttpConnection], *, said: bool = False) -> None:
        self._connections, self._said = connections, said
        self._program = self._made(None)
        self.runs = Runs()

    def _made(self, parameters: Any) -> Handmade:
        known = resource("arn:aws:states:::http:invoke")
        assert known is not None
        binding = http.bind(known, parameters, self._connections)

        async def workflow(data: Any, execution: Execution) -> Any:
            return await call(execution, binding, data, "Call", 1)

        return Handmade(workflow)

    async def __aenter__(self) -> Client:
        await self.runs.__aenter__()
        return self

    async def __aexit__(self, *about: Any) -> None:
        await self.runs.__aexit__(*about)

    async def call(self, endpoint: str, method: str = "GET", name: str = "api", **parameters: Any) -> Outcome:
        arn = ARN.replace("NAME", name)
        given = {"ApiEndpoint": endpoint, "Method": method, "Authentication": {"ConnectionArn": arn}, **parameters}
        try:
            program = self._made(Literal(given)) if self._said else self._program
        except http.NotAllowed as refused:
            return Outcome("FAILED", None, "States.Permissions", str(refused))
        return await self.runs.outcome(self.runs.start(program, given))
