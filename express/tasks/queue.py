"""``arn:express:tasks:::queue:send``: one record to an embedded queue, on the disk before the state succeeds."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from express.errors import ExpressError
from express.options import Connection, QueueConnection
from express.queue import Outgoing, Queue
from express.runtime.failures import StateError
from express.runtime.suspensions import Call
from express.tasks import own
from express.tasks.integration import Resource, pool

LABEL = "queue:send"
LONGEST_DELAY = 7 * 86_400
CLOSING = 2.0


def bind(resource: Resource, parameters: Any, connections: Mapping[str, Connection]) -> Send:
    """ResourceMissing without a connection to a queue."""
    return Send(resource, own.connection(resource, parameters, connections, QueueConnection, "queue"))


class Writer:
    """One file, one thread. What comes while a transaction is under way goes together into the next: a disk syncs a few hundred times a
    second, however many records each time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="express-queue-task")
        self._queue: Queue | None = None
        self._waiting: list[tuple[Outgoing, float, asyncio.Future[int]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._opened)

    def _opened(self) -> Queue:
        if self._queue is None:
            self._queue = Queue(self._path)
        return self._queue

    async def send(self, record: Outgoing, delay: float) -> int:
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((record, delay, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="express-queue-task")
        return int(await done)

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                delays: dict[float, list[tuple[Outgoing, asyncio.Future[int]]]] = {}
                for record, delay, done in batch:
                    if not done.done():  # given up before it was written
                        delays.setdefault(delay, []).append((record, done))
                for delay, together in delays.items():
                    try:
                        ids = await loop.run_in_executor(self._thread, self._put, [record for record, _ in together], delay)
                    except Exception as error:
                        for _, done in together:
                            if not done.done():
                                done.set_exception(error)
                    else:
                        for (_, done), number in zip(together, ids, strict=True):
                            if not done.done():
                                done.set_result(number)
        finally:
            self._writing = None

    def _put(self, records: list[Outgoing], delay: float) -> list[int]:
        return self._opened().put(records, delay)

    async def close(self) -> None:
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=CLOSING)
        if self._queue is not None:
            # After a transaction that is under way: the queue must not be closed below it
            closing = asyncio.get_running_loop().run_in_executor(self._thread, self._queue.close)
            await asyncio.wait({closing}, timeout=CLOSING)
        self._thread.shutdown(wait=False)


class Writers:
    """The files that one executor writes."""

    stuck = 0

    def __init__(self, executor: Any) -> None:
        self._of: dict[str, Writer] = {}

    def of(self, connection: QueueConnection) -> Writer:
        found = self._of.get(connection.path)
        if found is None:
            found = self._of[connection.path] = Writer(connection.path)
        return found

    async def open(self, connection: QueueConnection) -> Any:
        await self.of(connection).open()

    async def close(self) -> None:
        writers, self._of = list(self._of.values()), {}
        for writer in writers:
            await writer.close()


class Send(own.Own):
    """``{Body, Key?, Headers?, DelaySeconds?, Connection?}``; the result is ``{MessageId}``, a number."""

    connection: QueueConnection
    opened = Writers

    async def perform(self, payload: Any, call: Call) -> Any:
        given = own.fields(LABEL, payload)
        delay = own.whole(LABEL, "DelaySeconds", given.get("DelaySeconds"), LONGEST_DELAY) or 0
        record = Outgoing(own.content(given["Body"]), own.key(LABEL, given.get("Key")), own.headers(LABEL, given.get("Headers")))
        try:
            return {"MessageId": await pool(call, Writers).of(self.connection).send(record, delay)}
        except sqlite3.OperationalError as error:
            raise StateError("Queue.Unavailable", f"queue:{self.connection.path}: {error}") from None
        except (sqlite3.DatabaseError, ExpressError, OSError) as error:
            raise StateError("Queue.Failed", f"queue:{self.connection.path}: {error}") from None
