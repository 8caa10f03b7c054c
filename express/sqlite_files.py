"""What every file of SQLite that Express keeps has in common: several processes may open, and make, it at the same moment."""

from __future__ import annotations

import sqlite3
import time

BUSY_SECONDS = 5.0  # that another process is waited for


def connect(path: str) -> sqlite3.Connection:
    """Used from one thread at a time, which need not be the one that opened it; transactions are begun by who wants one."""
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=64)


def belongs_to(database: sqlite3.Connection, application: int) -> bool | None:
    """Whether the file is that application's (``PRAGMA application_id``); None while it is empty.

    Both questions are asked of one moment: another process may be making the file, and between them it would look like somebody else's.
    """
    database.execute("BEGIN")
    try:
        found = database.execute("PRAGMA application_id").fetchone()[0]
        tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    finally:
        database.execute("COMMIT")
    if found == application:
        return True
    return False if found or tables else None


def write_ahead(database: sqlite3.Connection) -> str:
    """Turns on the write-ahead log, every commit on the disk (``synchronous=FULL``), and returns the mode that the file system could give.

    SQLite does not wait by itself for another process that changes the mode, too.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            mode = str(database.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
        time.sleep(0.01)
    database.execute("PRAGMA synchronous = FULL")
    return mode
