"""The embedded queue keeps both contracts of a source; what concerns its file alone is in tests/test_queue.py."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from consumers.queue import QueueSource, open_source
from express import addresses
from express.errors import ConfigurationError, ConnectionFailed
from express.options import SourceOptions
from express.queue import Queue
from tests.consumers.contract import Reader, numbered
from tests.consumers.lease_contract import LeaseBed, LeaseContract


class QueueBed(LeaseBed):
    def __init__(self, path: Path) -> None:
        self.path = path

    async def append(
        self, values: Sequence[bytes], partition: int = 0, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        with Queue(self.path) as queue:
            queue.send(values, key, headers)

    def open(self) -> QueueSource:
        return QueueSource(str(self.path), self.lease)

    def missing(self) -> QueueSource:
        return QueueSource(str(self.path / "nowhere" / "orders.db"))


class TestQueue(LeaseContract):
    @pytest.fixture
    def bed(self, tmp_path: Path) -> QueueBed:
        return QueueBed(tmp_path / "orders.db")


async def test_a_file_that_is_damaged_while_it_is_read_ends_the_pipeline_with_a_sentence(tmp_path: Path) -> None:
    bed = QueueBed(tmp_path / "orders.db")
    await bed.append(numbered(2_000))
    with Queue(bed.path) as queue:
        queue._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(bed.path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    bed.path.write_bytes(content)
    reader = Reader(bed.open())
    await reader.source.start(reader)
    with pytest.raises(ConnectionFailed, match=r"orders\.db is damaged"):
        await reader.read(2_000)
    await reader.source.stop()


async def test_a_queue_that_is_locked_for_a_while_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bed = QueueBed(tmp_path / "orders.db")
    await bed.append(numbered(10))
    reader = Reader(bed.open())
    await reader.source.start(reader)
    assert isinstance(reader.source, QueueSource)
    assert reader.source._queue is not None
    reader.source._queue._connection.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(bed.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with caplog.at_level(logging.INFO, "express"):
        assert not await reader.fetch(10)
        await asyncio.sleep(0.3)
        assert not await reader.fetch(10)
        assert not reader.source.ready()
        other.execute("COMMIT")
        other.close()
        await reader.read(10)
    said = [record.getMessage() for record in caplog.records]
    assert [line for line in said if "receiving" in line] == [
        f"queue:{bed.path}: receiving: database is locked; trying again",
        f"queue:{bed.path}: receiving works again",
    ]
    await reader.source.stop()


def test_addresses_of_queues() -> None:
    options = SourceOptions(name="orders")
    source = open_source(addresses.parse("queue:data/orders.db?visibility=2m"), options)
    assert isinstance(source, QueueSource)
    assert (source.topic, source.lease_seconds) == ("orders", 120)
    with pytest.raises(ConfigurationError) as wrong:
        open_source(addresses.parse("queue://host/orders.db?visibility=0s&speed=9"), options)
    assert wrong.value.problems == (
        "queue://host/orders.db?visibility=0s&speed=9: queue has no option 'speed' here: expected visibility",
        "queue://host/orders.db?visibility=0s&speed=9: a queue is a file of this machine: expected queue:PATH",
        "queue://host/orders.db?visibility=0s&speed=9: visibility: expected 1s to 12h, found '0s'",
    )
