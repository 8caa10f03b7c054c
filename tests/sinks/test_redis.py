"""The sink of a Redis stream keeps the contract on a real server, which is killed, full, or only a copy."""

from __future__ import annotations

import asyncio
import logging

import pytest

from express import addresses
from express.errors import ConfigurationError, ConnectionFailed
from express.options import SinkOptions
from express.sinks.redis import RedisSink, open_sink
from tests.brokers.redis_server import Server
from tests.sinks.contract import Answers, Bed, SinkContract, entries


class RedisBed(Bed):
    def __init__(self, server: Server) -> None:
        self.server = server

    def open(self, query: str = "") -> RedisSink:
        return open_sink(addresses.parse(f"redis://{self.server.address}/done{query}"), SinkOptions(name="test"))

    async def written(self) -> list[bytes | None]:
        return [fields[1] for _, fields in await asyncio.to_thread(self.server.do, "XRANGE", "done", "-", "+")]


@pytest.fixture
def bed(redis: Server) -> RedisBed:
    return RedisBed(redis)


class TestRedis(SinkContract):
    pass


async def test_keys_and_headers_are_fields(bed: RedisBed) -> None:
    answers = await Answers(bed.open()).start()
    answers.sink.put(entries(1))
    await answers.until(1)
    ((_, fields),) = bed.server.do("XRANGE", "done", "-", "+")
    assert fields == [
        b"value", b'{"n":0}', b"key", b"key", b"express-execution", b"orders-0-0", b"express-workflow", b"orders",
    ]  # fmt: skip
    await answers.sink.stop()


async def test_a_stream_is_trimmed_when_asked_for(bed: RedisBed) -> None:
    answers = await Answers(bed.open("?maxlen=100")).start()
    answers.sink.put(entries(2_000))
    await answers.until(2_000)
    assert 100 <= len(await bed.written()) < 400
    await answers.sink.stop()


async def test_a_server_that_is_killed_is_waited_for_and_nothing_acknowledged_is_lost(
    bed: RedisBed, caplog: pytest.LogCaptureFixture
) -> None:
    answers = await Answers(bed.open()).start()
    answers.sink.put(entries(300))
    await answers.until(300)
    await asyncio.to_thread(bed.server.kill)
    with caplog.at_level(logging.INFO, "express"):
        answers.sink.put(entries(300, 300))
        await asyncio.sleep(0.5)
        assert len(answers.acknowledged) == 300
        assert not answers.sink.ready()
        await asyncio.to_thread(bed.server.start)
        await answers.until(600)
    assert {entry.value for entry in answers.acknowledged} <= set(await bed.written())
    assert len([record for record in caplog.records if "trying again" in record.getMessage()]) == 1
    await answers.sink.stop()
    assert not answers.failures


async def test_a_server_without_memory_is_waited_for(bed: RedisBed) -> None:
    answers = await Answers(bed.open()).start()
    try:
        bed.server.do("CONFIG", "SET", "maxmemory", "1mb")
        answers.sink.put(entries(100))
        await asyncio.sleep(0.3)
        assert not answers.acknowledged
        assert not answers.failures
    finally:
        bed.server.do("CONFIG", "SET", "maxmemory", "0")
    await answers.until(100)
    await answers.sink.stop()


async def test_what_is_not_a_stream_is_said_at_the_start_and_ends_the_pipeline_later(bed: RedisBed) -> None:
    bed.server.do("SET", "done", "text")
    sink = bed.open()
    with pytest.raises(ConnectionFailed, match="'done' is not a stream"):
        await Answers(sink).start()
    await sink.stop()
    bed.server.do("DEL", "done")
    answers = await Answers(bed.open()).start()
    bed.server.do("SET", "done", "text")
    answers.sink.put(entries(3))
    patience = asyncio.get_running_loop().time() + 10
    while not answers.failures:
        assert asyncio.get_running_loop().time() < patience
        await asyncio.sleep(0.01)
    assert "'done' is not a stream" in str(answers.failures[0])
    assert not answers.acknowledged
    await answers.sink.stop()


def test_addresses_of_streams() -> None:
    with pytest.raises(ConfigurationError) as wrong:
        open_sink(addresses.parse("redis://a:1/done?maxlen=many&group=g"), SinkOptions(name="test"))
    assert len(wrong.value.problems) == 2
