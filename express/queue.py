"""A durable queue in one SQLite file, for machines without a broker: any number of processes send, any number take.

What ``send`` returned from is on the disk (write-ahead log, synchronous=FULL). A record that was taken is leased: nobody else gets it until
the lease has run out, and it is gone only when it was acknowledged by whoever holds its lease.

    with Queue("orders.db") as queue:
        queue.send([b'{"total": 65}'], key=b"customer-7")
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import msgspec

from express import sqlite_files
from express.errors import CannotCreate, ConnectionFailed

BATCH_BYTES = 8 * 1024 * 1024  # of values that one ``take`` returns at most (one value may be larger)
LARGEST = 64 * 1024 * 1024  # bytes of a value; the workflow's own limit is far below
_APPLICATION = 0x45585051  # "EXPQ", in the header of the file
_VERSION = 1
_CHUNK = 500  # ids in one statement

# ``visible``: 0 = was never taken, or given back; otherwise the time, in milliseconds since the epoch, from which it may be taken.
# ``receives`` counts how often it was taken, and is the lease: whoever took it last holds it.
_SCHEMA = """
CREATE TABLE record (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    visible INTEGER NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0,
    timestamp INTEGER NOT NULL,
    key BLOB,
    headers BLOB,
    value BLOB
) STRICT;
CREATE INDEX record_visible ON record (visible, id);
"""

Headers = Sequence[tuple[str, bytes]]


class Lease(NamedTuple):
    """The right to one record, until somebody else takes it."""

    id: int
    receives: int


class Taken(NamedTuple):
    """A record with its lease; ``timestamp`` is when it was sent, in milliseconds since the epoch."""

    lease: Lease
    timestamp: int
    key: bytes | None
    headers: Headers
    value: bytes | None


class Outgoing(NamedTuple):
    """A record to be sent."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()


_decoder = msgspec.msgpack.Decoder(list[tuple[str, bytes]])
_headers_to = msgspec.msgpack.Encoder().encode


def _headers_of(content: bytes | None) -> Headers:
    """What somebody else has put there and is no headers must not stop whoever reads the queue: it is kept as one."""
    if not content:
        return ()
    try:
        return _decoder.decode(content)
    except msgspec.DecodeError:
        return (("express-damaged-headers", content),)


class Queue:
    """One connection to a queue; blocking, to be used from one thread at a time. Made when it is not there.

    Every method is one transaction. ``sqlite3.OperationalError`` when it cannot be done for now (locked for five seconds, disk full), and
    ``sqlite3.DatabaseError`` when the file is damaged; nothing has changed then.
    """

    def __init__(self, path: str | os.PathLike[str], create: bool = True) -> None:
        self.path = os.fspath(path)
        self._database: sqlite3.Connection | None = None
        self._version = -1  # of the data, when last looked at
        try:
            self._database = self._open(create)
        except BaseException:
            self.close()
            raise

    def _open(self, create: bool) -> sqlite3.Connection:
        name = f"queue:{self.path}"
        if os.path.isdir(self.path):
            raise CannotCreate(f"{name} is a directory, expected a file")
        try:
            os.stat(self.path)
        except FileNotFoundError as error:
            if not create:
                raise ConnectionFailed(f"{name}: there is no such queue") from error
            if not os.path.isdir(os.path.dirname(self.path) or "."):
                raise CannotCreate(f"{name}: there is no directory {os.path.dirname(self.path)}") from None
        except PermissionError as error:
            raise ConnectionFailed(f"{name}: no permission to read and write it") from error
        else:
            if not os.access(self.path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
                raise ConnectionFailed(f"{name}: no permission to read and write it") from PermissionError(self.path)
        try:
            self._database = database = sqlite_files.connect(self.path)
            ours = sqlite_files.belongs_to(database, _APPLICATION)
            if ours is False:
                raise ConnectionFailed(f"{name} is an SQLite file of something else: expected a queue, or a name that is free")
            if (mode := sqlite_files.write_ahead(database)) != "wal":
                raise ConnectionFailed(f"{name}: its file system cannot hold a write-ahead log (journal_mode {mode}): expected a local one")
            self._pragma("journal_size_limit = 67108864")
            if not ours:
                self._make()
            if (version := self._pragma("user_version")) != _VERSION:
                raise ConnectionFailed(f"{name} was written by another version of Express: format {version}, expected {_VERSION}")
        except sqlite3.OperationalError as error:
            raise CannotCreate(f"{name}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise ConnectionFailed(f"{name} is not a queue: {error}") from error
        return database

    def _pragma(self, text: str) -> Any:
        row = self._connection.execute(f"PRAGMA {text}").fetchone()
        return row[0] if row else None

    def _make(self) -> None:
        """Tables, if they are not there; two processes may do it at once."""
        with self._transaction() as database:
            if self._pragma("application_id") != _APPLICATION:
                for statement in _SCHEMA.split(";"):
                    database.execute(statement)
                self._pragma(f"application_id = {_APPLICATION}")
                self._pragma(f"user_version = {_VERSION}")

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            raise sqlite3.ProgrammingError(f"queue:{self.path} is closed")
        return self._database

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing. Takes the write lock at once: a lock that is asked for later cannot be waited for."""
        database = self._connection
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise

    # --- Sending ------------------------------------------------------------------------------------------------------------------

    def send(self, values: Iterable[bytes], key: bytes | None = None, headers: Headers = (), delay: float = 0.0) -> list[int]:
        """Adds records, all or none, and returns their ids; durable when it returns. ``delay``: seconds until they may be taken."""
        return self.put([Outgoing(value, key, headers) for value in values], delay)

    def put(self, records: Sequence[Outgoing], delay: float = 0.0) -> list[int]:
        """As ``send``, each record with a key and headers of its own."""
        for record in records:
            if record.value is not None and len(record.value) > LARGEST:
                raise ValueError(f"a record has {len(record.value):,} bytes, a queue takes up to {LARGEST:,}")
        now = _now()
        visible = now + int(delay * 1000) if delay > 0 else 0
        add = "INSERT INTO record (visible, timestamp, key, headers, value) VALUES (?, ?, ?, ?, ?)"
        ids = []
        with self._transaction() as database:
            for record in records:
                headers = _headers_to(list(record.headers)) if record.headers else None
                ids.append(database.execute(add, (visible, now, record.key, headers, record.value)).lastrowid or 0)
        return ids

    # --- Taking -------------------------------------------------------------------------------------------------------------------

    def changed(self) -> bool:
        """Whether another connection has written since this was last asked; cheap."""
        before, self._version = self._version, int(self._pragma("data_version"))
        return before != self._version

    def take(self, limit: int, seconds: float) -> list[Taken]:
        """Leases at most ``limit`` records for ``seconds``: first those whose lease has run out, then the oldest; at most BATCH_BYTES."""
        now = _now()
        if self._connection.execute("SELECT 1 FROM record WHERE visible <= ? LIMIT 1", (now,)).fetchone() is None:
            return []  # without the write lock
        taken: list[Taken] = []
        size = 0
        with self._transaction() as database:
            # By index: what was leased or delayed and is due, then what was never taken
            for condition in ("visible > 0 AND visible <= :now ORDER BY visible, id", "visible = 0 ORDER BY id"):
                found = database.execute(
                    f"SELECT id, receives, timestamp, key, headers, value FROM record WHERE {condition} LIMIT :limit",
                    {"now": now, "limit": limit - len(taken)},
                )
                for number, receives, timestamp, key, headers, value in found:
                    size += len(value or b"")
                    if taken and size > BATCH_BYTES:
                        break
                    taken.append(Taken(Lease(number, receives + 1), timestamp, key, _headers_of(headers), value))
                found.close()
                if len(taken) >= limit or size > BATCH_BYTES:
                    break
            until = now + int(seconds * 1000)
            for ids in _chunks([record.lease.id for record in taken]):
                database.execute(f"UPDATE record SET visible = ?, receives = receives + 1 WHERE id IN ({_marks(ids)})", (until, *ids))
        return taken

    def acknowledge(self, leases: Collection[Lease]) -> None:
        """Removes records for good; those that somebody else has taken since stay."""
        with self._transaction() as database:
            database.executemany("DELETE FROM record WHERE id = ? AND receives = ?", leases)

    def extend(self, leases: Collection[Lease], seconds: float) -> set[Lease]:
        """From now on each lasts for ``seconds``; returns those that somebody else has taken (or acknowledged) since."""
        until, lost = _now() + int(seconds * 1000), set()
        with self._transaction() as database:
            for lease in leases:
                if not database.execute("UPDATE record SET visible = ? WHERE id = ? AND receives = ?", (until, *lease)).rowcount:
                    lost.add(lease)
        return lost

    def give_back(self, leases: Collection[Lease]) -> None:
        """Others may have these at once."""
        with self._transaction() as database:
            database.executemany("UPDATE record SET visible = 0 WHERE id = ? AND receives = ?", leases)

    def give_back_all(self) -> int:
        """Others may have every record that was taken, at once: for whoever knows that all who took them are gone. Returns how many."""
        with self._transaction() as database:
            return database.execute("UPDATE record SET visible = 0 WHERE receives > 0 AND visible > 0").rowcount

    def waiting(self) -> int:
        """How many may be taken now."""
        count: int = self._connection.execute("SELECT count(*) FROM record WHERE visible <= ?", (_now(),)).fetchone()[0]
        return count

    def held(self) -> int:
        """How many are leased, or delayed."""
        count: int = self._connection.execute("SELECT count(*) FROM record WHERE visible > ?", (_now(),)).fetchone()[0]
        return count

    # --- Looking ------------------------------------------------------------------------------------------------------------------

    def newest(self) -> int:
        """The highest id there is; 0 in an empty queue."""
        number: int = self._connection.execute("SELECT coalesce(max(id), 0) FROM record").fetchone()[0]
        return number

    def look(self, after: int, last: int, limit: int) -> list[tuple[int, Outgoing]]:
        """Records by their ids, above ``after`` and up to ``last``, oldest first, leased or not; changes nothing."""
        found = self._connection.execute(
            "SELECT id, key, headers, value FROM record WHERE id > ? AND id <= ? ORDER BY id LIMIT ?", (after, last, limit)
        )
        return [(number, Outgoing(value, key, _headers_of(headers))) for number, key, headers, value in found]

    def remove(self, ids: Collection[int]) -> None:
        """Removes records for good, whoever holds a lease of them."""
        with self._transaction() as database:
            database.executemany("DELETE FROM record WHERE id = ?", [(number,) for number in ids])

    # --- Ending -------------------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """May be called again."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def __enter__(self) -> Queue:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _now() -> int:
    return int(time.time() * 1000)


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))


def _marks(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))
