"""How far a file was read, kept in a small file beside the results: a position in, made durable; the position out, if it still fits."""

from __future__ import annotations

import logging
import os
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from express.commits import Position
from express.errors import CannotCreate, ConnectionFailed

SUFFIX = ".checkpoint"
VERSION = 1
_WINDOW = 4_096  # bytes that a fingerprint is made of

log = logging.getLogger("express")


class State(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a checkpoint file holds. ``reach`` is the offset behind the last line that was delivered, ``last`` that of its first byte.

    ``head`` and ``tail`` are fingerprints of the first bytes of the source and of those before ``reach``: a source that was replaced by
    another file is noticed. ``written`` is how long the results were: when they are gone, everything is run again.
    """

    version: int = VERSION
    source: str
    offset: int
    metadata: str
    reach: int
    last: int
    head: str
    tail: str
    written: int


def beside(results: Path) -> Checkpoint:
    """The checkpoint that belongs to a file of results."""
    return Checkpoint(results.with_name(results.name + SUFFIX), results)


class Checkpoint:
    """The position of one source, in a file. ``results`` are what came of the source up to there, if that is a file, too."""

    def __init__(self, path: Path, results: Path | None = None) -> None:
        self.path, self._results = path, results

    def load(self, source: Path, descriptor: int) -> Position | None:
        """Where to go on; None at the beginning. ConnectionFailed when the checkpoint is not one of this source."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConnectionFailed(f"{self.path}: the checkpoint cannot be read: {error.strerror}") from error
        try:
            state = msgspec.json.decode(content, type=State)
        except msgspec.DecodeError as error:
            if b'"followed":' in content:
                raise ConnectionFailed(
                    f"{self.path} was written by a run that followed {source} over rotations: go on with follow=true, or remove it to run"
                    f" {source} from its beginning"
                ) from None
            raise ConnectionFailed(f"{self.path} is not a checkpoint ({error}): remove it to run {source} from its beginning") from None
        if state.version != VERSION:
            raise ConnectionFailed(f"{self.path} was written by another version of Express: remove it to run {source} from its beginning")
        size = os.fstat(descriptor).st_size
        advice = f"remove {self.path} to run it from its beginning, or name another file for the results"
        if size < state.reach:
            raise ConnectionFailed(f"{source} has shrunk: {state.reach:,} bytes of it were read, now it has {size:,}; {advice}")
        if (state.head, state.tail) != fingerprints(descriptor, state.reach):
            raise ConnectionFailed(f"{source} is not the file that was read before ({state.source}), its contents differ; {advice}")
        if state.written and not self.written():
            log.warning("%s is empty, or gone: %s is run from its beginning", self._results, source)
            return None
        if size > state.reach and is_torn(descriptor, state.reach):
            # The last line had no newline and was taken for a whole one. It has grown since: it is another event now
            if state.offset > state.last:
                return Position(state.last, "")
            return Position(state.offset, "")
        return Position(state.offset, state.metadata)

    def written(self) -> int:
        """How long the results are; 0 where they are not in a file."""
        try:
            return 0 if self._results is None else self._results.stat().st_size
        except OSError:
            return 0

    def save(self, state: State) -> None:
        """As ``write``."""
        write(self.path, msgspec.json.encode(state) + b"\n")

    def check(self) -> None:
        """ConnectionFailed when no checkpoint could be written: better known before the first event than after the last."""
        try:
            with tempfile.TemporaryFile(dir=self.path.parent):
                pass
        except PermissionError as error:
            raise ConnectionFailed(f"{self.path}: no permission to write the checkpoint") from error
        except OSError as error:
            raise CannotCreate(f"{self.path}: the checkpoint cannot be written: {error.strerror}") from None


def write(path: Path, body: bytes) -> None:
    """Durable when it returns: whoever reads the file finds the old one or the new one, whole. OSError when it cannot."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        content = memoryview(body)
        while content:
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(new, path)
    with suppress(OSError):  # some file systems cannot
        directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def fingerprints(descriptor: int, reach: int) -> tuple[str, str]:
    """Of the beginning of a file, and of what comes just before ``reach``."""
    start = max(0, reach - _WINDOW)
    return _hash(os.pread(descriptor, min(_WINDOW, reach), 0)), _hash(os.pread(descriptor, reach - start, start))


def _hash(content: bytes) -> str:
    return sha256(content).hexdigest()[:32]


def is_torn(descriptor: int, reach: int) -> bool:
    """Whether the line before ``reach`` goes on behind it."""
    around = os.pread(descriptor, 2, reach - 1) if reach else b""
    return len(around) == 2 and b"\n" not in (around[:1], around[1:])
