"""An address and a connection in, a Redis client out; its errors as one sentence each. Shared by the source and the sink."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar

import msgspec
from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from express.addresses import Address
from express.errors import ConfigurationError, ConnectionFailed
from express.options import Connection, RedisConnection

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 5.0  # for any answer but that of a read that waits
CLOSE_SECONDS = 1.0

FOR_NOW: tuple[type[BaseException], ...] = (exceptions.RedisError, OSError)  # what another try may change
FATAL = (exceptions.AuthenticationError, exceptions.NoPermissionError)  # what it does not: the operator must act

Answer = TypeVar("Answer")


_TAKEN = re.compile(r"(header:)*(key|value)")


def field_of(header: str) -> str:
    """The name of a header's field in an entry, where ``key`` and ``value`` are fields of the record itself."""
    return f"header:{header}" if _TAKEN.fullmatch(header) else header


def header_of(field: str) -> str:
    """The other way round."""
    return field.removeprefix("header:") if _TAKEN.fullmatch(field) else field


class Endpoint(msgspec.Struct, frozen=True):
    """A stream and how to reach it."""

    stream: str
    server: str
    connection: RedisConnection

    def __str__(self) -> str:
        return f"redis://{self.server}/{self.stream}"

    def client(self, **others: Any) -> Redis:
        """A client, not connected; a read that waits must wait for less than ANSWER_SECONDS. ``others``: settings in the place of these."""
        host, _, port = self.server.rpartition(":")
        connection = self.connection
        settings: dict[str, Any] = {
            "protocol": 2,  # flat lists of fields: a field that is there twice stays there twice,
            "retry": Retry(NoBackoff(), 1),  # once, for a connection that was idle for too long; the rest is up to us
            **others,
        }
        client = Redis(
            host=host.removeprefix("[").removesuffix("]"),
            port=int(port),
            db=connection.database,
            username=connection.username,
            password=connection.password,
            ssl=connection.tls,
            ssl_ca_certs=connection.ca,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            client_name="express",
            **settings,
        )
        for name in [name for name in client.response_callbacks if str(name).startswith("X")]:
            del client.response_callbacks[name]  # and nobody makes a dict of them
        return client


def endpoint(address: Address, connection: Connection | None, allowed: Iterable[str]) -> tuple[Endpoint, list[str]]:
    """Where to connect to, and everything that is wrong with the address, one sentence each."""
    found = []
    known = ("connection", "database", *allowed)
    found += [f"{address}: redis has no option {name!r} here: expected {', '.join(known)}" for name in address.options if name not in known]
    if not address.name:
        found.append(f"{address}: expected the name of a stream, as in redis://HOST:6379/STREAM")
    if len(address.servers) != 1:
        found.append(f"{address}: expected one server, as in redis://HOST:6379/STREAM")
    server = address.servers[0] if address.servers else ""
    if not server.rpartition(":")[2].isdigit():
        server += ":6379"
    assert connection is None or isinstance(connection, RedisConnection), "the configuration's check lets no other kind through"
    settings = connection or RedisConnection(server=server)
    if "database" in address.options:
        if address.options["database"].isdecimal():
            settings = msgspec.structs.replace(settings, database=int(address.options["database"]))
        else:
            found.append(f"{address}: database: expected a number from 0, found {address.options['database']!r}")
    return Endpoint(address.name, server, settings), found


def checked(address: Address, connection: Connection | None, allowed: Iterable[str]) -> Endpoint:
    """As ``endpoint``; ConfigurationError with all that is wrong."""
    where, problems = endpoint(address, connection, allowed)
    if problems:
        raise ConfigurationError(*problems)
    return where


def sentence(error: BaseException, where: Endpoint) -> str:
    """What happened, and where."""
    text = str(error)
    if isinstance(error, exceptions.AuthenticationError) or "NOAUTH" in text:
        return f"{where}: the server refused the connection's username and password"
    if isinstance(error, exceptions.NoPermissionError):
        return f"{where}: no permission: {text}"
    if "WRONGTYPE" in text:
        return f"{where}: {where.stream!r} is not a stream"
    if isinstance(error, (exceptions.ConnectionError, OSError)) and not isinstance(error, exceptions.BusyLoadingError):
        return f"no Redis server answers at {where.server}"
    return f"{where}: {text or type(error).__name__}"


async def started(steps: Awaitable[Answer], where: Endpoint) -> Answer:
    """The result of the steps of a start; whatever goes wrong or takes too long becomes a ConnectionFailed with one sentence."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await steps
    except TimeoutError as error:
        raise ConnectionFailed(f"{where} did not answer within {CONNECT_SECONDS:.0f} s") from error
    except FOR_NOW as error:
        raise ConnectionFailed(sentence(error, where)) from error


async def running(steps: Awaitable[Answer], where: Endpoint) -> Answer:
    """The result of steps while running; what another try does not change becomes a ConnectionFailed with one sentence."""
    try:
        return await steps
    except FATAL as error:
        raise ConnectionFailed(sentence(error, where)) from error
    except exceptions.ResponseError as error:
        if "WRONGTYPE" in str(error):
            raise ConnectionFailed(sentence(error, where)) from error
        raise


async def close(client: Redis | None) -> None:
    if client is not None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await client.aclose()
        except FOR_NOW:
            pass
