"""Records of an embedded queue (``express.queue``) in, one SQLite file; each leased, and removed when it is finished."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePath
from typing import TypeVar

from consumers.leasing import CLOSING, Leased, LeaseSource
from express import units
from express.addresses import Address
from express.errors import ConfigurationError, ConnectionFailed
from express.options import SourceOptions
from express.queue import Headers, Lease, Queue, Taken
from express.sources import Source

LEASE_SECONDS = 30.0
LOOK = 0.025  # seconds between looks for what other processes have sent
RECEIVE_SECONDS = 1.0  # how long one receive waits
COUNT_EVERY = 1.0  # seconds between two countings of what waits

Result = TypeVar("Result")


def open_source(address: Address, options: SourceOptions) -> Source:
    """``queue:PATH?visibility=30s``"""
    unknown = [option for option in address.options if option != "visibility"]
    problems = [f"{address}: queue has no option {option!r} here: expected visibility" for option in unknown]
    if address.servers:
        problems.append(f"{address}: a queue is a file of this machine: expected queue:PATH")
    if not address.name:
        problems.append(f"{address}: expected queue:PATH, such as queue:orders.db")
    seconds = LEASE_SECONDS
    try:
        seconds = units.lease(address.options.get("visibility"), LEASE_SECONDS)
    except ValueError as error:
        problems.append(f"{address}: visibility: {error}")
    if problems:
        raise ConfigurationError(*problems)
    return QueueSource(address.name, seconds)


def _given(headers: Headers) -> str | None:
    """The name that somebody gave the execution: StartExecution's."""
    for name, value in headers:
        if name == "express-execution-arn":
            parts = value.decode(errors="replace").split(":")
            return parts[7] if len(parts) == 9 and parts[7] else None
    return None


class QueueSource(LeaseSource[Lease]):
    """A queue. SQLite blocks, so everything is done in one thread of its own."""

    transient = (sqlite3.OperationalError, OSError)

    def __init__(self, path: str, visibility: float = LEASE_SECONDS) -> None:
        super().__init__(PurePath(path).name.removesuffix(".db"), f"queue:{path}", visibility)
        self._path = path
        self._queue: Queue | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._waiting = 0
        self._counted = 0.0  # when

    async def _do(self, work: Callable[[Queue], Result]) -> Result:
        """In the thread. What SQLite says of a damaged file ends the pipeline."""
        assert self._thread is not None
        assert self._queue is not None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._queue)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise ConnectionFailed(f"{self.name} is damaged: {error}") from error

    async def _connect(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="express-queue")
        self._queue = await asyncio.get_running_loop().run_in_executor(self._thread, Queue, self._path)

    async def _receive(self, limit: int) -> Sequence[tuple[Leased, Lease]]:
        until = time.monotonic() + RECEIVE_SECONDS
        seconds, looked = self.lease_seconds, 0.0

        def take(queue: Queue) -> Sequence[tuple[Leased, Lease]]:
            nonlocal looked
            # Without news only a lease that runs out could bring something
            if not queue.changed() and time.monotonic() - looked < COUNT_EVERY / 2:
                return ()
            looked = time.monotonic()
            taken = queue.take(limit, seconds)
            self._count(queue, len(taken) < limit)
            return [(self._record(each), each.lease) for each in taken]

        while True:
            if received := await self._do(take):
                return received
            if time.monotonic() > until:
                return ()
            await asyncio.sleep(LOOK)

    def _record(self, each: Taken) -> Leased:
        name = _given(each.headers) or f"{self.topic}-{each.lease.id}"
        return Leased(self.topic, name, each.value, each.timestamp, each.key, each.headers, each.lease.receives)

    def _count(self, queue: Queue, emptied: bool) -> None:
        """What waits; a deep queue is counted rarely."""
        if emptied:
            self._waiting = 0
        elif (began := time.monotonic()) > self._counted:
            self._waiting = queue.waiting()
            ended = time.monotonic()
            self._counted = ended + max(COUNT_EVERY, 20 * (ended - began))

    async def _acknowledge(self, leases: Mapping[int, Lease]) -> Collection[int]:
        await self._do(lambda queue: queue.acknowledge(leases.values()))
        return leases.keys()

    async def _extend(self, leases: Mapping[int, Lease]) -> Collection[int]:
        lost = await self._do(lambda queue: queue.extend(leases.values(), self.lease_seconds))
        return [offset for offset, lease in leases.items() if lease in lost]

    async def _give_back(self, leases: Mapping[int, Lease]) -> None:
        if leases:
            await self._do(lambda queue: queue.give_back(leases.values()))

    async def _disconnect(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        queue, self._queue = self._queue, None
        closing = asyncio.get_running_loop().run_in_executor(thread, queue.close if queue is not None else os.getpid)
        thread.shutdown(wait=False)
        await asyncio.wait({closing}, timeout=CLOSING)

    def lag(self) -> Mapping[tuple[str, int], int]:
        """Records that nobody has taken, as of a second ago (of a deep queue, as of the last counting)."""
        return {(self.topic, 0): self._waiting + len(self._buffer)}
