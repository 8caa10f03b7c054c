"""Checkpoints and leases of Kinesis shards in one SQLite file, for the workers of one machine."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from consumers.kinesis_store import Checkpoint, Lease, Row, Store
from express import sqlite_files
from express.errors import CannotCreate, ConnectionFailed

CLOSING = 2.0
_APPLICATION = 0x4558504B  # "EXPK", in the header of the file
_SCHEMA = """
CREATE TABLE IF NOT EXISTS shard (
    stream TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL, fence INTEGER NOT NULL, beat INTEGER NOT NULL,
    after TEXT NOT NULL, metadata TEXT NOT NULL, done INTEGER NOT NULL,
    PRIMARY KEY (stream, name)
) STRICT, WITHOUT ROWID
"""
_OURS = "stream = ? AND name = ? AND owner = ? AND fence = ?"

Result = TypeVar("Result")


class SqliteStore(Store):
    """The rows of ``stream`` (a group's name and the stream's) in the file ``path``, made when it is not there. SQLite blocks, so
    everything is done in one thread of its own; every method is one transaction."""

    transient = (sqlite3.OperationalError, OSError)

    def __init__(self, path: str, stream: str) -> None:
        self.path, self.stream = path, stream
        self._thread: ThreadPoolExecutor | None = None
        self._database: sqlite3.Connection | None = None

    async def open(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="express-kinesis")
        self._database = await asyncio.get_running_loop().run_in_executor(self._thread, self._open)

    def _open(self) -> sqlite3.Connection:
        if not os.path.isdir(os.path.dirname(self.path) or "."):
            raise CannotCreate(f"checkpoint={self.path}: there is no directory {os.path.dirname(self.path)}")
        database = None
        try:
            database = sqlite_files.connect(self.path)
            if sqlite_files.belongs_to(database, _APPLICATION) is False:
                database.close()
                raise ConnectionFailed(f"checkpoint={self.path} is an SQLite file of something else: expected a name that is free")
            sqlite_files.write_ahead(database)
            database.execute("BEGIN IMMEDIATE")
            database.execute(_SCHEMA)
            database.execute(f"PRAGMA application_id = {_APPLICATION}")
            database.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if database is not None:
                database.close()
            what = "cannot be opened" if isinstance(error, sqlite3.OperationalError) else "is not a file of checkpoints"
            raise ConnectionFailed(f"checkpoint={self.path} {what}: {error}") from error
        return database

    async def close(self) -> None:
        thread, self._thread = self._thread, None
        database, self._database = self._database, None
        if thread is not None:
            closing = asyncio.get_running_loop().run_in_executor(thread, database.close if database is not None else os.getpid)
            thread.shutdown(wait=False)
            await asyncio.wait({closing}, timeout=CLOSING)

    async def _do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """In the thread, in one transaction that has the write lock from its beginning: one that is asked for later cannot be waited
        for."""
        database, thread = self._database, self._thread
        if database is None or thread is None:
            raise OSError("the checkpoints are closed")

        def transaction() -> Result:
            database.execute("BEGIN IMMEDIATE")
            try:
                result = work(database)
                database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    database.execute("ROLLBACK")
                raise
            return result

        return await asyncio.get_running_loop().run_in_executor(thread, transaction)

    async def rows(self) -> list[Row]:
        def read(database: sqlite3.Connection) -> list[Row]:
            found = database.execute("SELECT name, owner, fence, beat, after, metadata, done FROM shard WHERE stream = ?", (self.stream,))
            return [
                Row(shard=name, owner=owner, fence=fence, beat=beat, after=after, metadata=metadata, done=bool(done))
                for name, owner, fence, beat, after, metadata, done in found
            ]

        return await self._do(read)

    async def add(self, rows: Sequence[Row]) -> None:
        await self._do(lambda database: [self._insert(database, row) for row in rows])

    def _insert(self, database: sqlite3.Connection, row: Row) -> bool:
        values = (self.stream, row.shard, row.owner, row.fence, row.beat, row.after, row.metadata, int(row.done))
        return database.execute("INSERT OR IGNORE INTO shard VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values).rowcount == 1

    async def take(self, seen: Row, owner: str) -> Lease | None:
        lease = Lease(seen.shard, owner, seen.fence + 1)

        def take(database: sqlite3.Connection) -> bool:
            if seen.fence == 0 and self._insert(database, Row(shard=seen.shard, owner=owner, fence=1)):
                return True
            changed = database.execute(
                "UPDATE shard SET owner = ?, fence = fence + 1, beat = beat + 1 WHERE stream = ? AND name = ? AND fence = ? AND beat = ?",
                (owner, self.stream, seen.shard, seen.fence, seen.beat),
            )
            return changed.rowcount == 1

        return lease if await self._do(take) else None

    def _key(self, lease: Lease) -> tuple[str, str, str, int]:
        return (self.stream, lease.shard, lease.owner, lease.fence)

    async def renew(self, leases: Sequence[Lease]) -> Collection[Lease]:
        def renew(database: sqlite3.Connection) -> list[Lease]:
            more = f"UPDATE shard SET beat = beat + 1 WHERE {_OURS}"
            return [lease for lease in leases if database.execute(more, self._key(lease)).rowcount != 1]

        return await self._do(renew)

    async def save(self, checkpoints: Mapping[Lease, Checkpoint]) -> Collection[Lease]:
        def save(database: sqlite3.Connection) -> list[Lease]:
            write = f"UPDATE shard SET beat = beat + 1, after = ?, metadata = ?, done = ? WHERE {_OURS}"
            return [
                lease
                for lease, each in checkpoints.items()
                if database.execute(write, (each.after, each.metadata, int(each.done), *self._key(lease))).rowcount == 1
            ]

        return await self._do(save)

    async def release(self, leases: Sequence[Lease]) -> None:
        free = f"UPDATE shard SET owner = '' WHERE {_OURS}"
        await self._do(lambda database: [database.execute(free, self._key(lease)) for lease in leases])

    async def greet(self, worker: str) -> None:
        def greet(database: sqlite3.Connection) -> None:
            self._insert(database, Row(shard=worker))
            database.execute("UPDATE shard SET beat = beat + 1 WHERE stream = ? AND name = ?", (self.stream, worker))

        await self._do(greet)

    async def forget(self, shards: Sequence[str]) -> None:
        remove = "DELETE FROM shard WHERE stream = ? AND name = ?"
        await self._do(lambda database: [database.execute(remove, (self.stream, shard)) for shard in shards])
