"""Entries in, one JSON line each appended to a file, acknowledged when fsync has returned. Written in batches, in a thread of its own."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from express import envelopes
from express.addresses import Address
from express.errors import CannotCreate, ConfigurationError, ConnectionFailed
from express.options import SinkOptions
from express.sinks import Acknowledged, Entry, Rejected, Sink
from express.sinks.flushing import Flushing

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between two attempts to write
CLOSING = 2.0  # seconds for a write that is under way
ROOM = 64 * 1024  # bytes that a disk must still have at the start
OURS = b'{"express-execution":'  # how every line of ours begins
_CHUNK = 64 * 1024

log = logging.getLogger("express")


def open_sink(address: Address, options: SinkOptions) -> FileSink:
    """``file:PATH``, results or dead letters."""
    problems = [f"{address}: there is no option {option!r}" for option in address.options]
    if address.servers:
        problems.append(f"{address}: files are written on this machine only: expected file:PATH")
    if not address.name:
        problems.append(f"{address}: expected file:PATH, such as file:results.jsonl")
    if problems:
        raise ConfigurationError(*problems)
    return FileSink(address.name, envelopes.dead_letter if options.for_dead_letters else envelopes.result)


class FileSink(Sink):
    """A file that only this sink writes. What was acknowledged is on the disk, whole and in order; a last line without its end is what a
    crash left of a write that nobody was told about, and is cut off before anything is appended.

    A disk that is full, or fails, is tried again for as long as it takes, from the end of what was acknowledged.
    """

    def __init__(self, path: str, envelope: Callable[[Entry], bytes]) -> None:
        self._path, self._envelope = path, envelope
        self._descriptor = -1
        self._size = 0  # acknowledged
        self._waiting: list[Entry] = []
        self._writing: list[Entry] = []
        self._idle = True
        self._flushing = Flushing()
        self._pause = 0.0  # before the next attempt; 0 while all is well
        self._stopped = False
        self._thread: ThreadPoolExecutor | None = None
        self._made = False

    async def start(self, acknowledged: Acknowledged, rejected: Rejected, failed: Callable[[Exception], None]) -> None:
        self._acknowledged, self._failed, self._loop = acknowledged, failed, asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="express-file")
        await self._loop.run_in_executor(self._thread, self._open)

    def _open(self) -> None:
        """Opens the file for this sink alone, cuts a torn last line off, and sees that there is room."""
        name = f"file:{self._path}"
        self._made = not os.path.exists(self._path)
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
        except PermissionError as error:
            raise ConnectionFailed(f"{name}: no permission to write it") from error
        except FileNotFoundError:
            raise CannotCreate(f"{name}: there is no directory {os.path.dirname(self._path) or '.'}") from None
        except OSError as error:
            raise CannotCreate(f"{name}: {error.strerror}") from None
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            raise CannotCreate(f"{name} is not a regular file: results that are lost on purpose go to drop:")
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotCreate(f"{name}: another sink, of this process or of another, is writing it") from None
        except OSError as error:  # some network file systems cannot
            log.warning("%s cannot be locked (%s): see to it that nobody else writes it", name, error.strerror)
        # `express dlq` puts a file that it has removed from in the place of the one that was opened here: what is written to that is lost
        if not os.path.samestat(os.fstat(self._descriptor), os.stat(self._path)):
            raise CannotCreate(f"{name}: it was replaced while it was opened; start again")
        self._size = self._whole_lines()
        try:
            os.ftruncate(self._descriptor, self._size)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._descriptor, self._size, ROOM)
                os.ftruncate(self._descriptor, self._size)
            os.fsync(self._descriptor)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise CannotCreate(f"{name}: {error.strerror}: there is no room for a single result") from None
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # some file systems cannot reserve room
                raise CannotCreate(f"{name}: {error.strerror}") from None

        with suppress(OSError):  # the file's name is on the disk, too, where that can be asked for
            directory = os.open(os.path.dirname(self._path) or ".", os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def _whole_lines(self) -> int:
        """How much of the file are whole lines. What comes behind them must be ours before it may be cut off."""
        size = os.fstat(self._descriptor).st_size
        end = size
        tail = b""
        while end > 0:
            start = max(0, end - _CHUNK)
            chunk = os.pread(self._descriptor, end - start, start)
            found = chunk.rfind(b"\n")
            tail = (chunk[found + 1 :] + tail)[: len(OURS)]
            end = start + found + 1
            if found >= 0:
                break
        if end < size and not tail.startswith(OURS[: len(tail)]):
            raise CannotCreate(f"file:{self._path}: its last line has no end and is not one of ours: it would have to be cut off")
        return end

    def put(self, entries: Sequence[Entry]) -> None:
        self._waiting.extend(entries)
        self._flushing.put(len(entries))
        if self._idle and not self._stopped:
            self._idle = False
            self._write_next()

    def _write_next(self) -> None:
        """Everything that waits becomes one write and one fsync."""
        assert self._thread is not None
        if not self._writing:
            self._writing, self._waiting = self._waiting, []
        self._loop.run_in_executor(self._thread, self._write, self._writing).add_done_callback(self._written)

    def _write(self, entries: Sequence[Entry]) -> int:
        """Appends and fsyncs; returns the new size. Begins at the end of what was acknowledged, so that a second attempt leaves no rest of
        the first one."""
        content = memoryview(b"".join(map(self._envelope, entries)))
        if os.fstat(self._descriptor).st_size != self._size:
            os.ftruncate(self._descriptor, self._size)
        size = self._size
        while content:
            written = os.pwrite(self._descriptor, content, size)
            content, size = content[written:], size + written
        os.fsync(self._descriptor)
        return size

    def _written(self, attempt: asyncio.Future[int]) -> None:
        if attempt.cancelled() or self._stopped:
            return
        error = attempt.exception()
        if isinstance(error, OSError):
            if not self._pause:
                log.error("file:%s: writing failed: %s; trying again until it works", self._path, error.strerror)
            self._pause = min(max(FIRST_PAUSE, self._pause * 2), LONGEST_PAUSE)
            self._loop.call_later(self._pause, self._try_again)
            return
        if isinstance(error, Exception):
            self._failed(error)
            return
        if self._pause:
            log.info("file:%s: writing works again", self._path)
            self._pause = 0.0
        self._size = attempt.result()
        written, self._writing = self._writing, []
        if self._waiting:
            self._write_next()
        else:
            self._idle = True
        self._acknowledged(written)
        self._flushing.done(len(written))

    def _try_again(self) -> None:
        if not self._stopped:
            self._write_next()

    async def flush(self) -> None:
        await self._flushing.wait()

    async def stop(self) -> None:
        self._stopped = True
        thread, self._thread = self._thread, None
        if thread is None:
            return
        # A write under way ends first: the file must not be closed below it
        closing = self._loop.run_in_executor(thread, self._close)
        thread.shutdown(wait=False)
        await asyncio.wait({closing}, timeout=CLOSING)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def forget(self) -> None:
        with suppress(OSError):
            if self._made and os.path.getsize(self._path) == 0:
                os.unlink(self._path)

    def ready(self) -> bool:
        return self._descriptor >= 0 and not self._pause
