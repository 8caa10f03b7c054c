"""Dead letters in a Redis stream; a letter's id is its entry's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any

from redis.asyncio import Redis

from express import redis
from express.addresses import Address
from express.dlq.boxes import Box
from express.dlq.letters import Letter, letter
from express.errors import ConfigurationError
from express.options import Connection

PAGE = 500  # entries read, or removed, at once
OWN = ("value", "key")  # fields that are no headers


def open_box(address: Address, connection: Connection | None) -> Box:
    """``redis://HOST:PORT/STREAM?database=0&connection=NAME``"""
    endpoint, problems = redis.endpoint(address, connection, ())
    if problems:
        raise ConfigurationError(*problems)
    return RedisBox(endpoint)


class RedisBox(Box):
    """Reads the stream, not a group of it."""

    def __init__(self, endpoint: redis.Endpoint) -> None:
        self._endpoint = endpoint
        self._client: Redis | None = None

    async def start(self) -> None:
        self._client = self._endpoint.client()
        try:
            await redis.started(self._command("PING"), self._endpoint)
        except BaseException:
            await self.stop()
            raise

    async def _command(self, *words: Any) -> Any:
        client: Any = self._client
        return await client.execute_command(*words)

    async def letters(self) -> AsyncIterator[Letter]:
        stream = self._endpoint.stream
        newest = await redis.running(self._command("XREVRANGE", stream, "+", "-", "COUNT", 1), self._endpoint)
        if not newest:
            return
        after, last = "-", newest[0][0].decode()
        while page := await redis.running(self._command("XRANGE", stream, after, last, "COUNT", PAGE), self._endpoint):
            for identity, flat in page:
                fields = list(zip(flat[::2], flat[1::2], strict=True))
                own = {name.decode(errors="replace"): content for name, content in reversed(fields) if name.decode(errors="replace") in OWN}
                names = [name.decode(errors="replace") for name, _ in fields]
                headers = [(redis.header_of(name), content) for name, (_, content) in zip(names, fields, strict=True) if name not in OWN]
                yield letter(identity.decode(), own.get("key"), own.get("value"), headers)
            after = f"({page[-1][0].decode()}"

    async def remove(self, ids: Collection[str]) -> None:
        gone = list(ids)
        for begin in range(0, len(gone), PAGE):
            await redis.running(self._command("XDEL", self._endpoint.stream, *gone[begin : begin + PAGE]), self._endpoint)

    async def stop(self) -> None:
        client, self._client = self._client, None
        await redis.close(client)
