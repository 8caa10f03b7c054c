"""The sink of the embedded queue keeps the contract; keys and headers are kept as they are."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest

from express import addresses
from express.errors import CannotCreate, ConfigurationError
from express.options import SinkOptions
from express.queue import Queue
from express.sinks.queue import QueueSink, open_sink
from tests.sinks.contract import Answers, Bed, SinkContract, entries


class QueueBed(Bed):
    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> QueueSink:
        return open_sink(addresses.parse(f"queue:{self.path}"), SinkOptions(name="test"))

    async def written(self) -> list[bytes | None]:
        with Queue(self.path) as queue:
            return [record.value for record in queue.take(1_000_000, 0)]


class TestQueue(SinkContract):
    @pytest.fixture
    def bed(self, tmp_path: Path) -> QueueBed:
        return QueueBed(tmp_path / "results.db")


async def test_keys_and_headers_are_those_of_the_entry(tmp_path: Path) -> None:
    bed = QueueBed(tmp_path / "results.db")
    answers = await Answers(bed.open()).start()
    answers.sink.put(entries(1))
    await answers.until(1)
    await answers.sink.stop()
    with Queue(bed.path) as queue:
        (record,) = queue.take(10, 1)
    assert (record.key, record.value) == (b"key", b'{"n":0}')
    assert record.headers == [("express-execution", b"orders-0-0"), ("express-workflow", b"orders")]


async def test_a_full_disk_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bed = QueueBed(tmp_path / "results.db")
    sink = bed.open()
    answers = await Answers(sink).start()
    assert sink._queue is not None
    pages = sink._queue._pragma("page_count")
    sink._queue._pragma(f"max_page_count = {pages}")  # no room for another page: what SQLite says of a full disk
    with caplog.at_level(logging.INFO, "express"):
        sink.put(entries(2_000))
        await asyncio.sleep(0.3)
        assert not answers.acknowledged
        assert not sink.ready()
        sink._queue._pragma("max_page_count = 1000000")
        await answers.until(2_000)
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "writing failed: database or disk is full; trying again until it works",
        "writing works again",
    ]
    assert len(await bed.written()) == 2_000, "what failed left nothing behind"
    await sink.stop()
    assert not answers.failures


async def test_a_damaged_file_is_reported_once(tmp_path: Path) -> None:
    bed = QueueBed(tmp_path / "results.db")
    sink = bed.open()
    answers = await Answers(sink).start()
    assert sink._queue is not None

    def damaged(records: object) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    sink._queue.put = damaged  # type: ignore[method-assign,assignment]
    sink.put(entries(3))
    patience = asyncio.get_running_loop().time() + 5
    while not answers.failures:
        assert asyncio.get_running_loop().time() < patience
        await asyncio.sleep(0.01)
    (failure,) = answers.failures
    assert str(failure).endswith("results.db is damaged: database disk image is malformed")
    assert not answers.acknowledged
    await sink.stop()


async def test_one_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    sink = open_sink(addresses.parse(f"queue:{tmp_path}/nowhere/x.db"), SinkOptions(name="test"))
    with pytest.raises(CannotCreate, match="there is no directory"):
        await Answers(sink).start()
    await sink.stop()


def test_addresses_of_queues() -> None:
    with pytest.raises(ConfigurationError) as wrong:
        open_sink(addresses.parse("queue://host?speed=9"), SinkOptions(name="orders"))
    assert len(wrong.value.problems) == 3
