"""The source of a Redis stream keeps both contracts of a source, on a real server: killed, emptied, without the group."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from consumers.redis import RedisSource, open_source
from express import addresses
from express.errors import ConfigurationError, ConnectionFailed
from express.options import KafkaConnection, RedisConnection, SourceOptions
from tests.brokers.redis_server import Server
from tests.consumers.contract import Reader, numbered, numbers
from tests.consumers.lease_contract import LeaseBed, LeaseContract, vanish
from tests.consumers.survival import VISIBILITY, Place, survive

OPTIONS = SourceOptions(name="test")


class RedisBed(LeaseBed):
    fences = False  # XACK does not ask who has claimed the entry

    def __init__(self, server: Server, stream: str = "orders") -> None:
        self.server, self.stream = server, stream

    async def append(
        self, values: Sequence[bytes], partition: int = 0, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        fields = [b"key", key] if key is not None else []
        for name, content in headers:
            fields += (name.encode(), content)
        await asyncio.to_thread(self.server.add, self.stream, [[b"value", value, *fields] for value in values])

    def open(self) -> RedisSource:
        source = open_source(addresses.parse(f"redis://{self.server.address}/{self.stream}?group=workers"), OPTIONS)
        assert isinstance(source, RedisSource)
        source.lease_seconds, source._idle = self.lease, int(self.lease * 1000)
        return source

    def missing(self) -> RedisSource:
        source = open_source(addresses.parse("redis://127.0.0.1:9/orders?group=workers"), OPTIONS)
        assert isinstance(source, RedisSource)
        return source

    def consumers(self) -> int:
        return len(self.server.do("XINFO", "CONSUMERS", self.stream, "workers"))

    def pending(self) -> int:
        return int(self.server.do("XPENDING", self.stream, "workers")[0])


@pytest.fixture
def bed(redis: Server) -> RedisBed:
    return RedisBed(redis)


class TestRedis(LeaseContract):
    pass


async def reading(bed: RedisBed) -> Reader:
    reader = Reader(bed.open())
    await reader.source.start(reader)
    return reader


async def test_an_entry_without_the_field_is_an_object_of_its_fields(bed: RedisBed) -> None:
    bed.server.do("XADD", "orders", "1700000000123-7", "total", "65", "customer", "žluť".encode())
    reader = await reading(bed)
    (message,) = await reader.read(1)
    assert orjson.loads(message.value or b"") == {"total": "65", "customer": "žluť"}
    assert (message.key, list(message.headers), message.timestamp) == (None, [], 1_700_000_000_123)
    assert message.id == "orders-1700000000123-7"  # type: ignore[attr-defined]
    await reader.source.stop()


async def test_a_server_that_is_killed_and_started_again_is_waited_for(bed: RedisBed, caplog: pytest.LogCaptureFixture) -> None:
    await bed.append(numbered(50))
    reader = await reading(bed)
    await reader.read(20, limit=20)
    reader.finish(reader.taken)
    await asyncio.to_thread(bed.server.kill)
    with caplog.at_level(logging.INFO, "express"):
        assert await reader.commit() == [], "nothing was acknowledged"
        until = time.monotonic() + 1
        while time.monotonic() < until:
            reader.take(await reader.fetch(30))
        assert not reader.source.ready()
        await asyncio.to_thread(bed.server.start)
        await reader.read(50)
        reader.finish(reader.taken[20:])
        assert await reader.commit()
    assert numbers(reader.taken) == list(range(50))
    assert bed.pending() == 0
    said = " | ".join(record.getMessage() for record in caplog.records)
    assert said.count("trying again") <= 3, said
    assert "receiving works again" in said
    await reader.source.stop()


async def test_a_group_that_is_gone_is_made_anew_and_what_is_in_the_stream_is_run_again(bed: RedisBed) -> None:
    await bed.append(numbered(5))
    reader = await reading(bed)
    reader.finish(await reader.read(5))
    assert await reader.commit()
    bed.server.do("XGROUP", "DESTROY", "orders", "workers")
    assert numbers((await reader.read(10))[5:]) == [0, 1, 2, 3, 4]
    await reader.source.stop()


async def test_a_pending_entry_that_was_trimmed_is_forgotten(bed: RedisBed) -> None:
    await bed.append(numbered(10))
    reader = await reading(bed)
    await reader.read(10)
    await vanish(reader)
    bed.server.do("XTRIM", "orders", "MAXLEN", 3)
    again = await reading(bed)
    assert numbers(await again.read(3)) == [7, 8, 9]
    again.finish(again.taken)
    assert await again.commit()
    assert bed.pending() == 0
    await again.source.stop()


async def test_a_consumer_that_leaves_is_removed_unless_something_is_pending_for_it(bed: RedisBed) -> None:
    await bed.append(numbered(10))
    one, two = await reading(bed), await reading(bed)
    await one.read(10)
    await bed.append(numbered(1, 10))
    two.finish(await two.read(1))
    assert await two.commit()
    assert bed.consumers() == 2
    await two.source.stop()
    assert bed.consumers() == 1
    one.finish(one.taken[:4])
    await one.commit()
    await one.source.stop()
    assert (bed.consumers(), bed.pending()) == (1, 6), "what is pending would be lost with its consumer"


async def test_start_latest_begins_with_what_comes_after_the_group_was_made(bed: RedisBed) -> None:
    await bed.append(numbered(5))
    source = open_source(addresses.parse(f"redis://{bed.server.address}/orders?group=late&start=latest"), OPTIONS)
    reader = Reader(source)
    await source.start(reader)
    await bed.append(numbered(5, 5))
    assert numbers(await reader.read(5)) == [5, 6, 7, 8, 9]
    await source.stop()


@pytest.mark.parametrize(
    ("before", "connection", "sentence"),
    [
        (("SET", "orders", "text"), {}, "'orders' is not a stream"),
        ((), {"password": "wrong"}, "refused the connection's username and password"),
        (("ACL", "SETUSER", "guest", "on", ">pw", "-@all", "+ping"), {"username": "guest", "password": "pw"}, "no permission"),
    ],
)
async def test_what_cannot_start_is_a_sentence(bed: RedisBed, before: tuple[str, ...], connection: dict[str, str], sentence: str) -> None:
    if before:
        bed.server.do(*before)
    options = SourceOptions(name="test", connection=RedisConnection(server=bed.server.address, **connection))  # type: ignore[arg-type]
    source = open_source(addresses.parse(f"redis://{bed.server.address}/orders?group=workers"), options)
    with pytest.raises(ConnectionFailed, match=sentence) as failed:
        await source.start(Reader(source))
    assert "\n" not in str(failed.value)
    await source.stop()


def test_addresses_of_streams() -> None:
    source = open_source(addresses.parse("redis://here/orders?group=g&visibility=2m&field=event&database=3"), OPTIONS)
    assert isinstance(source, RedisSource)
    assert (source._endpoint.server, source._endpoint.connection.database) == ("here:6379", 3)
    assert (source.lease_seconds, source._field) == (120, b"event")
    with pytest.raises(ConfigurationError) as wrong:
        open_source(addresses.parse("redis://a,b/?start=now&visibility=0s&database=x&speed=9"), OPTIONS)
    assert len(wrong.value.problems) == 7, wrong.value.problems
    with pytest.raises(AssertionError):
        open_source(addresses.parse("redis://a/b?group=g"), SourceOptions(name="x", connection=KafkaConnection(servers=("a",))))


class RedisPlace(Place):
    def __init__(self, folder: Path, server: Server) -> None:
        super().__init__(folder)
        self.server = server

    def command(self) -> list[str]:
        url = f"redis://{self.server.address}"
        return ["--source", f"{url}/events?group=g&visibility={VISIBILITY}s", "--sink", f"{url}/done", "--dead-letter", f"{url}/dead"]

    def send(self, values: Sequence[bytes]) -> None:
        self.server.add("events", [["value", value] for value in values])

    def held(self) -> int:
        return int(self.server.do("XPENDING", "events", "g")[0])

    def left(self) -> int:
        group = self.server.do("XINFO", "GROUPS", "events")[0]
        about = dict(zip(group[::2], group[1::2], strict=True))
        return int(about[b"lag"]) + int(about[b"pending"])

    def sent(self) -> int:
        return int(self.server.do("XLEN", "done"))

    def ended(self) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
        def read(stream: str) -> list[tuple[str, bytes]]:
            entries = [dict(zip(f[::2], f[1::2], strict=True)) for _, f in self.server.do("XRANGE", stream, "-", "+")]
            return [(entry[b"express-execution"].decode(), entry[b"value"]) for entry in entries]

        return read("done"), read("dead")


@pytest.mark.kills
def test_two_workers_one_of_them_killed_over_and_over_lose_nothing_and_repeat_at_most_what_was_in_flight(
    tmp_path: Path, redis: Server
) -> None:
    survive(RedisPlace(tmp_path, redis))
