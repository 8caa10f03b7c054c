"""Entries in, records of an embedded queue out, acknowledged when their transaction is on the disk."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from express.addresses import Address
from express.errors import ConfigurationError, ConnectionFailed
from express.options import SinkOptions
from express.queue import Outgoing, Queue
from express.sinks import Entry
from express.sinks.batching import CLOSING, BatchingSink


def open_sink(address: Address, options: SinkOptions) -> QueueSink:
    """``queue:PATH``, results or dead letters."""
    problems = [f"{address}: queue has no option {option!r} here" for option in address.options]
    if address.servers:
        problems.append(f"{address}: a queue is a file of this machine: expected queue:PATH")
    if not address.name:
        problems.append(f"{address}: expected queue:PATH, such as queue:results.db")
    if problems:
        raise ConfigurationError(*problems)
    return QueueSink(address.name)


class QueueSink(BatchingSink):
    """Any number of processes may send to one queue. Keys and headers are kept as they are."""

    transient = (sqlite3.OperationalError, OSError)

    def __init__(self, path: str) -> None:
        super().__init__(f"queue:{path}")
        self._path = path
        self._queue: Queue | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def _connect(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="express-queue")
        self._queue = await asyncio.get_running_loop().run_in_executor(self._thread, Queue, self._path)

    async def _write(self, entries: Sequence[Entry]) -> tuple[Collection[int], dict[int, str]]:
        assert self._thread is not None
        assert self._queue is not None
        records = [Outgoing(entry.value, entry.message.key, entry.headers) for entry in entries]
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._queue.put, records)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise ConnectionFailed(f"{self.name} is damaged: {error}") from error
        return range(len(entries)), {}

    async def _disconnect(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        queue, self._queue = self._queue, None
        # A transaction under way ends first: it must not be closed below it
        closing = asyncio.get_running_loop().run_in_executor(thread, queue.close if queue is not None else os.getpid)
        thread.shutdown(wait=False)
        await asyncio.wait({closing}, timeout=CLOSING)
