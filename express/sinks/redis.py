"""Entries in, entries of a Redis stream out, acknowledged when the server has added them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from express import redis
from express.addresses import Address
from express.errors import ConfigurationError
from express.options import SinkOptions
from express.sinks import Entry
from express.sinks.batching import BatchingSink


def open_sink(address: Address, options: SinkOptions) -> RedisSink:
    """``redis://HOST:PORT/STREAM?maxlen=1000000&database=0&connection=NAME``, results or dead letters."""
    endpoint, problems = redis.endpoint(address, options.connection, ("maxlen",))
    longest = address.options.get("maxlen")
    if longest is not None and not (longest.isdecimal() and int(longest) > 0):
        problems.append(f"{address}: maxlen: expected a number of entries, found {longest!r}")
    if problems:
        raise ConfigurationError(*problems)
    return RedisSink(endpoint, None if longest is None else int(longest))


class RedisSink(BatchingSink):
    """Adds entries to a stream: ``value``, ``key`` and a field for each header. With ``maxlen`` it is trimmed to about that many."""

    transient = redis.FOR_NOW

    def __init__(self, endpoint: redis.Endpoint, longest: int | None = None) -> None:
        super().__init__(str(endpoint))
        self._endpoint = endpoint
        self._trim: tuple[Any, ...] = () if longest is None else ("MAXLEN", "~", longest)
        self._client: Redis | None = None

    async def _connect(self) -> None:
        self._client = self._endpoint.client()
        await redis.started(self._look(self._client), self._endpoint)

    async def _look(self, client: Any) -> None:
        """The server answers, and what is there by this name is a stream, or nothing."""
        kind = await client.execute_command("TYPE", self._endpoint.stream)
        if kind not in (b"stream", b"none"):
            raise ResponseError("WRONGTYPE")

    async def _write(self, entries: Sequence[Entry]) -> tuple[Collection[int], dict[int, str]]:
        assert self._client is not None
        pipeline: Any = self._client.pipeline(transaction=False)
        for entry in entries:
            pipeline.execute_command("XADD", self._endpoint.stream, *self._trim, "*", *_fields(entry))
        answers = await redis.running(pipeline.execute(raise_on_error=False), self._endpoint)
        # Refused one by one (out of memory, a replica): tried again
        failures = [answer for answer in answers if isinstance(answer, Exception)]
        if len(failures) == len(entries):
            await redis.running(_raise(failures[0]), self._endpoint)
        return [place for place, answer in enumerate(answers) if not isinstance(answer, Exception)], {}

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        await redis.close(client)


def _fields(entry: Entry) -> list[Any]:
    fields: list[Any] = ["value", b"null" if entry.value is None else entry.value]
    if entry.message.key is not None:
        fields += ("key", entry.message.key)
    for name, content in entry.headers:
        fields += (redis.field_of(name).encode(errors="replace"), content)
    return fields


async def _raise(error: Exception) -> None:
    raise error
