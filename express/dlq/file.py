"""Dead letters in a file, one JSON envelope a line; a letter's id is the beginning of its line's sha256: it stays when others go."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import BinaryIO

from express.addresses import Address
from express.dlq.boxes import Box
from express.dlq.letters import Letter, from_line
from express.errors import ConfigurationError, ConnectionFailed
from express.options import Connection

ID = 12  # hex digits


def open_box(address: Address, connection: Connection | None) -> Box:
    """``file:PATH``"""
    if address.options or not address.name:
        raise ConfigurationError(f"{address}: expected file:PATH, such as file:dead-letters.jsonl")
    return FileBox(address.name)


class FileBox(Box):
    """``remove`` writes the file anew beside itself and puts it in its place: a crash leaves the old one or the new one."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def start(self) -> None:
        name = f"file:{self._path}"
        try:
            with open(self._path, "rb"):
                pass
        except FileNotFoundError as error:
            raise ConnectionFailed(f"{name}: there is no such file") from error
        except OSError as error:
            raise ConnectionFailed(f"{name}: {error.strerror}") from error

    async def letters(self) -> AsyncIterator[Letter]:
        with open(self._path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return  # a sink is writing it
                try:
                    found = from_line(_id(line), line)
                except ValueError:
                    raise ConnectionFailed(f"file:{self._path}: line {number} is no dead letter") from None
                yield found

    @contextmanager
    def _alone(self) -> Iterator[BinaryIO]:
        """The file while nobody else writes it. It may have been put in place anew between opening and locking: then that one counts."""
        with open(self._path, "rb") as file:
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigurationError(f"file:{self._path}: a pipeline is writing it; stop that before anything is removed") from None
            if not os.path.samestat(os.fstat(file.fileno()), os.stat(self._path)):
                raise ConfigurationError(f"file:{self._path}: it was written anew just now; try again")
            yield file

    async def removable(self, ids: Collection[str]) -> None:
        with self._alone():
            pass

    async def remove(self, ids: Collection[str]) -> None:
        gone = frozenset(ids)
        with self._alone() as file:
            directory, name = os.path.split(os.path.abspath(self._path))
            descriptor, beside = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
            try:
                with open(descriptor, "wb") as kept:
                    os.fchmod(descriptor, os.fstat(file.fileno()).st_mode & 0o7777)
                    kept.writelines(line for line in file if _id(line) not in gone)
                    kept.flush()
                    os.fsync(descriptor)
                os.replace(beside, self._path)
            except BaseException:
                os.unlink(beside)
                raise

    async def stop(self) -> None:
        pass


def _id(line: bytes) -> str:
    return sha256(line).hexdigest()[:ID]
