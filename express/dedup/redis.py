"""Claims in Redis, for processes of many machines."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from redis import exceptions

from express.dedup.stores import Claim, Store
from express.errors import ConnectionFailed
from express.redis import Endpoint

CLAIM = """
local answers = {}
for place, key in ipairs(KEYS) do
    local owner = redis.call('GET', key)
    if not owner or owner == ARGV[1] then
        redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
        answers[place] = 1
    elseif owner == 'done' then
        answers[place] = 2
    else
        answers[place] = 3
    end
end
return answers
"""
RENEW = """
for _, key in ipairs(KEYS) do
    if redis.call('GET', key) == ARGV[1] then redis.call('PEXPIRE', key, ARGV[2]) end
end
"""
COMPLETE = "for _, key in ipairs(KEYS) do redis.call('SET', key, 'done', 'PX', ARGV[2]) end"
RELEASE = """
for _, key in ipairs(KEYS) do
    if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
"""


class RedisStore(Store):
    """One key of Redis for each of ours, below the endpoint's name; it lets them expire. How durable they are, ``appendfsync`` says."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint, self._owner = endpoint, uuid.uuid4().hex
        self._client: Any = None

    async def start(self) -> None:
        self._client = self._endpoint.client()
        try:
            await self._client.ping()
        except (exceptions.RedisError, OSError) as error:
            raise ConnectionFailed(f"{self._endpoint} cannot be reached: {error}") from error

    async def claim(self, keys: Sequence[bytes], lease: float) -> list[Claim]:
        return [Claim(answer) for answer in await self._run(CLAIM, keys, lease)]

    async def renew(self, keys: Sequence[bytes], lease: float) -> None:
        await self._run(RENEW, keys, lease)

    async def complete(self, keys: Sequence[bytes], window: float) -> None:
        await self._run(COMPLETE, keys, window)

    async def release(self, keys: Sequence[bytes]) -> None:
        await self._run(RELEASE, keys, 0)

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def _run(self, script: str, keys: Sequence[bytes], seconds: float) -> Any:
        names = [f"{self._endpoint.stream}:{key.hex()}" for key in keys]
        try:
            return await self._client.eval(script, len(names), *names, self._owner, max(1, int(seconds * 1000)))
        except exceptions.RedisError as error:
            raise OSError(str(error)) from error
