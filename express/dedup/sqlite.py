"""Claims in one SQLite file, for all processes of one machine."""

from __future__ import annotations

import asyncio
import sqlite3
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from express import sqlite_files
from express.dedup.stores import Claim, Store
from express.errors import ConnectionFailed

APPLICATION = 0x45585044  # "EXPD", in the header of the file
PRUNE_SECONDS = 60.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS claims (key BLOB PRIMARY KEY, owner TEXT, until REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS claims_until ON claims (until);
"""  # owner is NULL for what is completed
CLAIM = """
INSERT INTO claims VALUES (?1, ?2, ?3)
ON CONFLICT (key) DO UPDATE SET owner = ?2, until = ?3 WHERE until <= ?4 OR owner = ?2 RETURNING 1
"""
T = TypeVar("T")


class SqliteStore(Store):
    """Write-ahead log, ``synchronous=FULL``: what is completed is on the disk. All of it happens in one thread of its own."""

    def __init__(self, path: str) -> None:
        self._path, self._owner = path, uuid.uuid4().hex
        self._thread = ThreadPoolExecutor(1, "express-dedup")
        self._database: sqlite3.Connection | None = None
        self._pruned = 0.0

    async def start(self) -> None:
        try:
            await self._do(self._open)
        except OSError as error:
            raise ConnectionFailed(f"sqlite:{self._path} cannot be opened: {error}") from error

    async def claim(self, keys: Sequence[bytes], lease: float) -> list[Claim]:
        return await self._do(lambda: self._claim(keys, lease))

    async def renew(self, keys: Sequence[bytes], lease: float) -> None:
        until = time.time() + lease
        rows = [(until, key, self._owner) for key in keys]
        await self._do(lambda: self._write("UPDATE claims SET until = ? WHERE key = ? AND owner = ?", rows))

    async def complete(self, keys: Sequence[bytes], window: float) -> None:
        until = time.time() + window
        rows = [(key, None, until) for key in keys]
        await self._do(lambda: self._write("INSERT OR REPLACE INTO claims VALUES (?, ?, ?)", rows))

    async def release(self, keys: Sequence[bytes]) -> None:
        rows = [(key, self._owner) for key in keys]
        await self._do(lambda: self._write("DELETE FROM claims WHERE key = ? AND owner = ?", rows))

    async def stop(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, database.close)
        self._thread.shutdown(wait=False)

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise OSError(str(error)) from error

    def _open(self) -> None:
        self._database = database = sqlite_files.connect(self._path)
        if sqlite_files.belongs_to(database, APPLICATION) is False:
            raise OSError("it is an SQLite file of something else: expected a name that is free")
        sqlite_files.write_ahead(database)
        with database:
            database.execute("BEGIN IMMEDIATE")
            for statement in SCHEMA.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {APPLICATION}")

    def _claim(self, keys: Sequence[bytes], lease: float) -> list[Claim]:
        assert self._database is not None
        database, now = self._database, time.time()
        answers = []
        with database:
            database.execute("BEGIN IMMEDIATE")
            if now - self._pruned > PRUNE_SECONDS:
                self._pruned = now
                database.execute("DELETE FROM claims WHERE until <= ?", (now,))
            for key in keys:
                if database.execute(CLAIM, (key, self._owner, now + lease, now)).fetchone():
                    answers.append(Claim.OURS)
                    continue
                (owner,) = database.execute("SELECT owner FROM claims WHERE key = ?", (key,)).fetchone()
                answers.append(Claim.DONE if owner is None else Claim.TAKEN)
        return answers

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        assert self._database is not None
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(statement, rows)
