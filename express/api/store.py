"""State machines in one SQLite file: what was answered is on the disk (write-ahead log, synchronous=FULL)."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from express import sqlite_files
from express.errors import CannotCreate, ConnectionFailed

FILE = "state-machines.db"
_APPLICATION = 0x4558504D  # "EXPM", in the header of the file
_VERSION = 1
_SCHEMA = """
CREATE TABLE machine (name TEXT PRIMARY KEY, document BLOB NOT NULL) STRICT;
CREATE TABLE revision (id INTEGER PRIMARY KEY AUTOINCREMENT, machine TEXT NOT NULL, document BLOB NOT NULL) STRICT;
CREATE INDEX revision_machine ON revision (machine);
"""


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """What a state machine was at one time. ``revision`` is its UUID; the first one has none until AWS's API asks (INITIAL)."""

    definition: str
    role: str
    revision: str | None
    updated: float
    logging: dict[str, Any]
    tracing: bool = False
    encryption: dict[str, Any] | None = None


class Version(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    created: float
    revision: int  # its key in the store
    description: str | None = None


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """``routing``: one or two versions with their weights, which make 100."""

    name: str
    created: float
    updated: float
    routing: tuple[tuple[int, int], ...]
    description: str | None = None


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """``revision`` is the present one's key. ``counted``: version numbers given so far, those of deleted versions too."""

    name: str
    created: float
    revision: int
    counted: int = 0
    versions: tuple[Version, ...] = ()
    aliases: tuple[Alias, ...] = ()
    tags: dict[str, str] = {}

    def version(self, number: int | None) -> Version | None:
        return next((version for version in self.versions if version.number == number), None)

    def alias(self, name: str | None) -> Alias | None:
        return next((alias for alias in self.aliases if alias.name == name), None)

    def revisions(self) -> set[int]:
        """The keys of those that somebody can still run."""
        return {self.revision, *(version.revision for version in self.versions)}


_machine_of = msgspec.json.Decoder(Machine).decode
_revision_of = msgspec.json.Decoder(Revision).decode
_text = msgspec.json.Encoder().encode


class Store:
    """Blocking, to be used from one thread at a time. Every method is one transaction, durable when it returns."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE
        try:
            self._database = sqlite_files.connect(str(self.path))
            self._open()
        except sqlite3.OperationalError as error:
            raise CannotCreate(f"{self.path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise ConnectionFailed(f"{self.path} does not hold state machines: {error}") from error

    def _open(self) -> None:
        ours = sqlite_files.belongs_to(self._database, _APPLICATION)
        if ours is False:
            raise ConnectionFailed(f"{self.path} is an SQLite file of something else: expected state machines, or a name that is free")
        sqlite_files.write_ahead(self._database)
        if not ours:
            with self._transaction():
                for statement in _SCHEMA.split(";"):
                    self._database.execute(statement)
                self._pragma(f"application_id = {_APPLICATION}")
                self._pragma(f"user_version = {_VERSION}")
        elif (version := self._pragma("user_version")) != _VERSION:
            raise ConnectionFailed(f"{self.path} was written by another version of Express: format {version}, expected {_VERSION}")
        with suppress(OSError):
            os.chmod(self.path, 0o600)  # definitions may be nobody else's business

    def _pragma(self, text: str) -> Any:
        row = self._database.execute(f"PRAGMA {text}").fetchone()
        return row[0] if row else None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            raise

    def load(self) -> tuple[list[Machine], dict[int, Revision]]:
        """Everything there is."""
        machines = [_machine_of(document) for (document,) in self._database.execute("SELECT document FROM machine ORDER BY name")]
        revisions = {key: _revision_of(document) for key, document in self._database.execute("SELECT id, document FROM revision")}
        return machines, revisions

    def add(self, machine: str, revision: Revision, change: Callable[[int], Machine], before: Collection[int]) -> tuple[Machine, int]:
        """A new revision, and the machine that ``change`` makes of its key; what that no longer has of the revisions ``before`` goes."""
        with self._transaction():
            added = self._database.execute("INSERT INTO revision (machine, document) VALUES (?, ?)", (machine, _text(revision)))
            key = added.lastrowid or 0
            made = change(key)
            self._put(made)
            self._drop(set(before) - made.revisions())
        return made, key

    def put(self, machine: Machine, unused: Iterable[int] = ()) -> None:
        """A machine as it is now; ``unused`` are keys of revisions that go."""
        with self._transaction():
            self._put(machine)
            self._drop(unused)

    def _drop(self, keys: Iterable[int]) -> None:
        self._database.executemany("DELETE FROM revision WHERE id = ?", [(key,) for key in keys])

    def _put(self, machine: Machine) -> None:
        self._database.execute("INSERT OR REPLACE INTO machine (name, document) VALUES (?, ?)", (machine.name, _text(machine)))

    def remove(self, name: str) -> None:
        """A machine and all its revisions."""
        with self._transaction():
            self._database.execute("DELETE FROM machine WHERE name = ?", (name,))
            self._database.execute("DELETE FROM revision WHERE machine = ?", (name,))

    def close(self) -> None:
        self._database.close()
