"""Connections to servers, kept open: one pool for each connection of the configuration, on each event loop that runs tasks."""

from __future__ import annotations

import asyncio
import socket
import ssl
from ipaddress import ip_network
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from express.options import HttpConnection
from express.tasks.http import networks
from express.tasks.http.tokens import Tokens
from express.tasks.http.watch import Watch

CLOSING = 1.0  # seconds that closing waits for the other side
DNS = 10  # seconds that an address which was judged is used for further connections
SECONDS = 60.0  # AWS's longest request, redirects and all
KEPT = 30.0  # seconds that a connection is kept open for the next request


class AddressRefused(OSError):  # noqa: N818 - named for what happened
    """A name leads where nothing may connect to; an OSError, so that aiohttp takes it for a connection that failed."""


async def lookup(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    """The system's answer for a name."""
    return await aiohttp.ThreadedResolver().resolve(host, port, family)


class Judging(AbstractResolver):
    """Asks once, and refuses a name of which any address is one that may not be connected to: which of them is taken, nobody knows."""

    def __init__(self, private: tuple[networks.Network, ...]) -> None:
        self._private = private

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        found = await lookup(host, port, family)
        for each in found:
            if (reason := networks.refused(each["host"], self._private)) is not None:
                raise AddressRefused(f"{host} leads to {each['host']}: {reason}")
        return found

    async def close(self) -> None:
        pass


class Pool:
    """What one connection of the configuration has open. Nothing is shared with another: neither sockets nor tokens nor cookies."""

    def __init__(self, connection: HttpConnection) -> None:
        self.connection = connection
        self._private = tuple(ip_network(each) for each in connection.private)
        context: ssl.SSLContext | bool = True
        if connection.ca is not None:
            context = ssl.create_default_context(cafile=connection.ca)
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=Judging(self._private),
                socket_factory=self._socket,
                ssl=context,
                limit=connection.limit,
                ttl_dns_cache=DNS,
                keepalive_timeout=KEPT,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # the caller has the clock
            auto_decompress=False,  # aiohttp unpacks as much as there is
            skip_auto_headers=("Accept-Encoding", "User-Agent"),
            trust_env=False,  # a proxy would resolve the name once more
        )
        self.tokens = Tokens(self.session, connection)

    def _socket(self, address: Any) -> socket.socket:
        """Called for every socket before it connects: the last look at where it goes, and the only one at an address written out in a
        URL, which no resolver sees."""
        family, kind, protocol, _, there = address
        if (
            reason := networks.refused(there[0] if len(there) < 4 or not there[3] else f"{there[0]}%{there[3]}", self._private)
        ) is not None:
            raise AddressRefused(f"{there[0]}: {reason}")
        return socket.socket(family, kind, protocol)


class Pools:
    """The pools of one executor."""

    stuck = 0

    def __init__(self, executor: Any) -> None:
        self.watch = Watch(executor.loop, SECONDS)
        self._of: dict[int, Pool] = {}  # by the identity of the connection, which a pool keeps alive

    def of(self, connection: HttpConnection) -> Pool:
        found = self._of.get(id(connection))
        if found is None:
            found = self._of[id(connection)] = Pool(connection)
        return found

    async def close(self) -> None:
        self.watch.close()
        pools, self._of = list(self._of.values()), {}
        if pools:
            closing = [asyncio.ensure_future(pool.session.close()) for pool in pools]
            await asyncio.wait(closing, timeout=CLOSING)
