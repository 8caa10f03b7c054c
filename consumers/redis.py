"""Entries of a Redis stream in, read by a consumer group; each pending until it is acknowledged, after its execution has ended.

An entry that was read and not acknowledged stays pending, with the time since when it has been idle. The entries of a process that is gone
are claimed once they have been idle for a lease; those of a running one are refreshed at a third of it, since a running entry looks idle,
too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from consumers.leasing import CLOSING, Leased, LeaseSource
from express import redis, units
from express.addresses import Address
from express.errors import ConfigurationError
from express.options import SourceOptions
from express.sources import Source

LEASE_SECONDS = 30.0
RECEIVE_SECONDS = 1.0  # how long a read waits for entries
MOST = 1_000  # entries of one command
LOOK_EVERY = 1.0  # seconds between two looks at the lag
FORGET = 3_600_000  # milliseconds after which a consumer of ours that has nothing pending is removed from the group
START = {"earliest": "0", "latest": "$"}
PREFIX = "express-"  # of the names of consumers

# A consumer that leaves is removed, unless something is still pending for it: that would be lost with it. At once, or nobody could say.
TIDY = """
local left = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local about = {}
  for i = 1, #consumer, 2 do about[consumer[i]] = consumer[i + 1] end
  local ours = about.name == ARGV[2] or (string.sub(about.name, 1, #ARGV[3]) == ARGV[3] and about.idle > tonumber(ARGV[4]))
  if ours and about.pending == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], about.name)
    left = left + 1
  end
end
return left
"""

log = logging.getLogger("express")


def open_source(address: Address, options: SourceOptions) -> Source:
    """``redis://HOST:PORT/STREAM?group=NAME&start=earliest|latest&visibility=30s&field=value&database=0&connection=NAME``"""
    given = address.options
    endpoint, problems = redis.endpoint(address, options.connection, ("group", "start", "visibility", "field"))
    if not given.get("group"):
        problems.append(f"{address}: expected ?group=NAME, the consumer group that remembers what is done")
    if given.get("start", "earliest") not in START:
        problems.append(f"{address}: start={given['start']!r}: expected earliest or latest")
    seconds = LEASE_SECONDS
    try:
        seconds = units.lease(given.get("visibility"), LEASE_SECONDS)
    except ValueError as error:
        problems.append(f"{address}: visibility: {error}")
    if problems:
        raise ConfigurationError(*problems)
    return RedisSource(endpoint, given["group"], seconds, START[given.get("start", "earliest")], given.get("field", "value"))


class RedisSource(LeaseSource[bytes]):
    """One consumer of a group. A lease is the entry's id: whoever has claimed it last is its consumer."""

    transient = redis.FOR_NOW

    def __init__(
        self, endpoint: redis.Endpoint, group: str, visibility: float = LEASE_SECONDS, start: str = "0", field: str = "value"
    ) -> None:
        super().__init__(endpoint.stream, f"{endpoint} (group {group})", visibility)
        self._endpoint, self._group, self._start, self._field = endpoint, group, start, field.encode()
        self._consumer = f"{PREFIX}{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"
        self._idle = int(visibility * 1000)
        self._client: Redis | None = None
        self._claimed = 0.0  # when we last looked for entries to claim
        self._looked = 0.0  # and at the lag
        self._lag = 0

    @property
    def _redis(self) -> Any:
        assert self._client is not None, "not started"
        return self._client

    def _do(self, *words: Any) -> Any:
        return redis.running(self._redis.execute_command(*words), self._endpoint)

    async def _connect(self) -> None:
        self._client = self._endpoint.client()
        await redis.started(self._join(self._start), self._endpoint)
        await self._tidy("")

    async def _join(self, start: str) -> None:
        """The group, made when it is not there, as is the stream."""
        try:
            await self._redis.execute_command("XGROUP CREATE", self.topic, self._group, start, "MKSTREAM")
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _tidy(self, leaving: str) -> None:
        with suppress(*redis.FOR_NOW):
            await self._redis.eval(TIDY, 1, self.topic, self._group, leaving, PREFIX, FORGET)

    # --- Receiving ----------------------------------------------------------------------------------------------------------------

    async def _receive(self, limit: int) -> Sequence[tuple[Leased, bytes]]:
        limit = min(limit, MOST)
        try:
            if claimed := await self._claim(limit):
                return claimed
            answer = await self._do(
                "XREADGROUP", "GROUP", self._group, self._consumer, "COUNT", limit,
                "BLOCK", int(min(RECEIVE_SECONDS, self.lease_seconds / 4) * 1000), "STREAMS", self.topic, ">",
            )  # fmt: skip
            received = [self._record(name, fields, 1) for _, entries in answer or () for name, fields in entries]
            await self._measure(len(received) < limit)
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            log.error("%s: the group is gone, or its stream is: made anew; everything in the stream is run again", self.name)
            await self._join("0")
            return ()
        return received

    async def _claim(self, limit: int) -> Sequence[tuple[Leased, bytes]]:
        """Entries that have been idle for longer than any that is in flight: whoever read them is gone."""
        if time.monotonic() < self._claimed:
            return ()
        claimed: list[tuple[Leased, bytes]] = []
        cursor = b"0-0"
        ours = set(self.leases.held.values())
        while True:
            answer = await self._do(
                "XAUTOCLAIM", self.topic, self._group, self._consumer, self._idle, cursor, "COUNT", limit - len(claimed)
            )
            cursor, entries = answer[0], answer[1]
            gone = [entry for entry in entries if entry is None or entry[1] is None]  # trimmed while they were pending (before Redis 7)
            if named := [entry[0] for entry in gone if entry is not None]:
                await self._do("XACK", self.topic, self._group, *named)
            # One that we hold and could not refresh in time is still running here
            claimed += [self._record(name, fields, 0) for name, fields in (e for e in entries if e not in gone) if name not in ours]
            if cursor == b"0-0":
                self._claimed = time.monotonic() + max(0.2, self.lease_seconds / 20)
                return claimed
            if len(claimed) >= limit:
                return claimed

    def _record(self, name: bytes, fields: Sequence[bytes], receives: int) -> tuple[Leased, bytes]:
        """An entry's field ``value`` is the event, ``key`` its key, the rest are headers. An entry without ``value`` is an object of its
        fields."""
        value = key = None
        headers: list[tuple[str, bytes]] = []
        for field, content in _pairs(fields):
            if field == self._field and value is None:
                value = content
            elif field == b"key" and key is None:
                key = content
            else:
                headers.append((redis.header_of(field.decode(errors="replace")), content))
        if value is None:
            key, headers = None, []
            value = orjson.dumps({field.decode(errors="replace"): content.decode(errors="replace") for field, content in _pairs(fields)})
        text = name.decode()
        timestamp = int(text.partition("-")[0])
        return Leased(self.topic, f"{self.topic}-{text}", value, timestamp, key, headers, receives), name

    async def _measure(self, emptied: bool) -> None:
        """What nobody has read yet; a server before 7 does not say."""
        if emptied:
            self._lag = 0
        elif time.monotonic() >= self._looked:
            self._looked = time.monotonic() + LOOK_EVERY
            for group in await self._do("XINFO GROUPS", self.topic):
                about = dict(_pairs(group))
                if about.get(b"name") == self._group.encode():
                    self._lag = int(about.get(b"lag") or 0)

    # --- Leases -------------------------------------------------------------------------------------------------------------------

    async def _acknowledge(self, leases: Mapping[int, bytes]) -> Collection[int]:
        for names in _chunks(list(leases.values())):
            await self._do("XACK", self.topic, self._group, *names)
        return leases.keys()

    async def _extend(self, leases: Mapping[int, bytes]) -> Collection[int]:
        return await self._touch(leases, 0)

    async def _give_back(self, leases: Mapping[int, bytes]) -> None:
        await self._touch(leases, self._idle)
        self._claimed = 0.0

    async def _touch(self, leases: Mapping[int, bytes], idle: int) -> list[int]:
        """Sets for how long these have been idle; returns those that somebody else has claimed. Only ours: a claim takes from anybody."""
        ours = await self._pending()
        kept = [name for name in leases.values() if name in ours]
        for names in _chunks(kept):
            await self._do("XCLAIM", self.topic, self._group, self._consumer, 0, *names, "IDLE", idle, "JUSTID")
        return [offset for offset, name in leases.items() if name not in ours]

    async def _pending(self) -> set[bytes]:
        """What is pending for this consumer."""
        found: set[bytes] = set()
        start = "-"
        while True:
            entries = await self._do("XPENDING", self.topic, self._group, start, "+", MOST, self._consumer)
            found.update(entry[0] for entry in entries)
            if len(entries) < MOST:
                return found
            start = f"({entries[-1][0].decode()}"

    async def _disconnect(self) -> None:
        client = self._client
        if client is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING / 2):
                await self._tidy(self._consumer)
        self._client = None
        await redis.close(client)

    def lag(self) -> Mapping[tuple[str, int], int]:
        """Entries that the group has not read yet, as of a second ago; 0 where the server does not say (before Redis 7)."""
        return {(self.topic, 0): self._lag + len(self._buffer)}


def _pairs(fields: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(fields[::2], fields[1::2], strict=True)


def _chunks(names: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (names[start : start + MOST] for start in range(0, len(names), MOST))
