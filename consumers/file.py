"""Lines of a file or of standard input in, one JSON event each; for a file, how far it is done out, into a checkpoint beside the results.

A file is one partition. The offset of a record is that of its line's first byte, and the record is the same whatever was read before. A
finite source: the run ends with the file as it is then. A last line without a newline counts.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from consumers.checkpoints import Checkpoint, State, beside, fingerprints
from consumers.lines import Line, Lines
from express.addresses import Address
from express.commits import Position, Tracker
from express.errors import ConfigurationError, ConnectionFailed
from express.options import SourceOptions
from express.runtime.context import Message
from express.sources import Assignment, EndOfSource, Intake, Source

CHUNK = 256 * 1024  # bytes read at a time
AHEAD = 4  # chunks of standard input that may wait
FETCH_SECONDS = 0.2  # how long a fetch waits when there is nothing

log = logging.getLogger("express")


def open_source(address: Address, options: SourceOptions) -> Source:
    """``file:PATH?checkpoint=PATH&follow=true`` or ``stdin:?follow=true``."""
    expected = ("checkpoint", "follow") if address.scheme == "file" else ("follow",)
    problems = [f"{address}: there is no option {option!r}" for option in address.options if option not in expected]
    if address.servers:
        problems.append(f"{address}: files are read from this machine only: expected file:PATH")
    if address.scheme == "file" and not address.name:
        problems.append(f"{address}: expected file:PATH, such as file:events.jsonl")
    if address.scheme == "stdin" and address.name:
        problems.append(f"{address}: stdin: has no name")
    follow = address.options.get("follow", "false")
    if follow not in ("true", "false"):
        problems.append(f"{address}: follow={follow!r}: expected true or false")
    if problems:
        raise ConfigurationError(*problems)
    if address.scheme == "stdin":
        return InputSource(follow=follow == "true")
    checkpoint = beside(Path(options.checkpoint_beside)) if options.checkpoint_beside else None
    if "checkpoint" in address.options:
        checkpoint = Checkpoint(Path(address.options["checkpoint"]))
    if follow == "true":
        from consumers.following import FollowSource

        return FollowSource(Path(address.name), checkpoint)
    return FileSource(Path(address.name), checkpoint)


class LineSource(Source):
    """Lines, taken in order, as the one partition of a source that ends. Its parts say where more come from."""

    finite = True

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self._lines = Lines(topic)
        self._queue: deque[Line] = deque()
        self._ended = self._paused = False
        self._resumed = asyncio.Event()
        self._assignment: Assignment | None = None
        self._last = 0  # the offset of the last line that was delivered
        self._delivered = 0  # lines

    async def _more(self) -> None:
        """Adds to the queue, or sets ``_ended``; waits a moment at most."""
        raise NotImplementedError

    def _assign(self, intake: Intake, position: Position | None) -> None:
        self._assignment = Assignment(self.topic, 0, Tracker() if position is None else Tracker(*position))
        intake.assigned([self._assignment])

    async def fetch(self, limit: int) -> Mapping[Assignment, Sequence[Message]]:
        assert self._assignment is not None, "not started"
        if self._paused:
            with suppress(TimeoutError):
                async with asyncio.timeout(FETCH_SECONDS):
                    await self._resumed.wait()
            return {}
        if not self._queue and not self._ended:
            await self._more()
        if not self._queue:
            if self._ended:
                raise EndOfSource
            return {}
        taken = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        self._last = taken[-1].offset
        self._delivered += len(taken)
        return {self._assignment: taken}

    def _reach(self) -> int:
        """The offset behind the last line that was delivered."""
        return self._queue[0].offset if self._queue else self._lines.reach

    def lag(self) -> Mapping[tuple[str, int], int]:
        """Lines that were read and not yet delivered."""
        return {(self.topic, 0): len(self._queue)}

    def pause(self) -> None:
        self._paused = True
        self._resumed.clear()

    def resume(self) -> None:
        self._paused = False
        self._resumed.set()


class FileSource(LineSource):
    """A file, read from where the checkpoint says."""

    def __init__(self, path: Path, checkpoint: Checkpoint | None) -> None:
        super().__init__(path.name)
        self._path, self._checkpoint = path, checkpoint
        self._descriptor = -1
        self._begin = self._read = 0  # from here, up to here
        self._failing = False

    async def start(self, intake: Intake) -> None:
        position = await asyncio.to_thread(self._open)
        if self._checkpoint is None:
            log.warning("file:%s: nothing remembers how far it was read, since no sink is a file: every run begins anew", self._path)
        self._assign(intake, position)

    def _open(self) -> Position | None:
        """Opens the file, finds where to go on."""
        name = f"file:{self._path}"
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError as error:
            raise ConnectionFailed(f"{name}: there is no such file") from error
        except PermissionError as error:
            raise ConnectionFailed(f"{name}: no permission to read it") from error
        except OSError as error:
            raise ConnectionFailed(f"{name}: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            raise ConnectionFailed(f"{name} is not a regular file: what comes from a pipe is read with stdin:")
        if self._checkpoint is None:
            return None
        self._checkpoint.check()
        position = self._checkpoint.load(self._path, self._descriptor)
        if position is not None:
            self._begin = self._read = self._start_of_line(position.offset)
            self._lines = Lines(self.topic, self._read)
        return position

    def _start_of_line(self, offset: int) -> int:
        """Where the first line begins that begins at ``offset`` or behind it."""
        if offset == 0:
            return 0
        place = offset - 1
        while chunk := os.pread(self._descriptor, CHUNK, place):
            if (found := chunk.find(b"\n")) >= 0:
                return place + found + 1
            place += len(chunk)
        return place

    async def _more(self) -> None:
        while not self._queue and not self._ended:
            try:
                chunk = await asyncio.to_thread(os.pread, self._descriptor, CHUNK, self._read)
                size = os.fstat(self._descriptor).st_size
            except OSError as error:
                raise ConnectionFailed(f"file:{self._path}: reading failed: {error.strerror}") from None
            if size < self._read:
                raise ConnectionFailed(f"file:{self._path} has shrunk while it was read: {self._read:,} bytes were read, it has {size:,}")
            self._read += len(chunk)
            self._ended = not chunk
            self._queue.extend(self._lines.feed(chunk) if chunk else self._lines.end())

    async def commit(self, positions: Mapping[Assignment, Position]) -> Sequence[Assignment]:
        assignment = self._assignment
        if assignment is None or assignment.fenced or assignment not in positions:
            return []
        if self._checkpoint is not None:
            try:
                await asyncio.to_thread(self._save, self._checkpoint, positions[assignment], self._reach(), self._last)
            except OSError as error:
                if not self._failing:
                    log.error("%s: the checkpoint cannot be written: %s; trying again", self._checkpoint.path, error.strerror)
                self._failing = True
                return []
            self._failing = False
        return [assignment]

    def _save(self, checkpoint: Checkpoint, position: Position, reach: int, last: int) -> None:
        head, tail = fingerprints(self._descriptor, reach)
        checkpoint.save(
            State(
                source=str(self._path.absolute()),
                offset=position.offset,
                metadata=position.metadata,
                reach=reach,
                last=last,
                head=head,
                tail=tail,
                written=checkpoint.written(),
            )
        )

    async def stop(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def lag(self) -> Mapping[tuple[str, int], int]:
        """Lines not yet delivered; those not yet read are estimated from the length of those that were."""
        if self._descriptor < 0:
            return {}
        waiting = len(self._queue)
        unread = max(0, os.fstat(self._descriptor).st_size - self._lines.reach)
        mean = (self._lines.reach - self._begin) / max(1, self._delivered + waiting) or 1_000
        return {(self.topic, 0): waiting + math.ceil(unread / mean)}


class InputSource(LineSource):
    """Standard input, which nobody can read twice: what was taken and not finished when the process dies is lost with it."""

    def __init__(self, descriptor: int | None = None, follow: bool = False) -> None:
        super().__init__("stdin")
        self._descriptor, self._follow = descriptor, follow
        self._arrived: deque[bytes] = deque()
        self._room = threading.Semaphore(AHEAD)
        self._stopped = False

    async def start(self, intake: Intake) -> None:
        if self._descriptor is None:
            try:
                self._descriptor = sys.stdin.fileno()
            except (OSError, ValueError, AttributeError):
                raise ConnectionFailed("stdin: standard input is closed") from None
        log.info("stdin: nothing remembers what was read: what is not finished when the process dies does not come again")
        self._assign(intake, None)
        self._news = asyncio.Event()
        # A thread of its own that ends with the process: one of a pool would be waited for, and a read cannot be cancelled
        threading.Thread(target=self._reading, args=(asyncio.get_running_loop(),), name="express-stdin", daemon=True).start()

    def _reading(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._descriptor is not None
        chunk = b"-"
        while chunk and not self._stopped:
            self._room.acquire()
            try:
                chunk = self._next(self._descriptor)
            except OSError:
                chunk = b""
            self._arrived.append(chunk)
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(self._news.set)

    def _next(self, descriptor: int) -> bytes:
        """What comes next, b"" at the end. A file behind ``<`` may grow: followed, it has no end. A pipe ends with its writer."""
        follow = self._follow and stat.S_ISREG(os.fstat(descriptor).st_mode)
        while not (chunk := os.read(descriptor, CHUNK)) and follow and not self._stopped:
            time.sleep(FETCH_SECONDS / 2)
        return chunk

    async def _more(self) -> None:
        if not self._arrived:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(FETCH_SECONDS):
                    await self._news.wait()
        while self._arrived and not self._queue:
            chunk = self._arrived.popleft()
            self._room.release()
            self._ended = not chunk
            self._queue.extend(self._lines.feed(chunk) if chunk else self._lines.end())

    async def commit(self, positions: Mapping[Assignment, Position]) -> Sequence[Assignment]:
        return [assignment for assignment in positions if not assignment.fenced]

    async def stop(self) -> None:
        self._stopped = True
        self._room.release()
