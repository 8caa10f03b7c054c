"""Entries that wait become the next batch; a batch that fails for now is tried again until it works. What most sinks share."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence

from express.sinks import Acknowledged, Entry, Rejected, Sink
from express.sinks.flushing import Flushing

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between two attempts to write
CLOSING = 1.5  # seconds for a write that is under way when the sink is stopped

log = logging.getLogger("express")


class BatchingSink(Sink):
    """One batch at a time, of all that came while the one before was under way. Its parts say how a batch is written; they raise
    ``transient`` for what may work the next time.

    ``most`` bounds a batch. What of a batch was written need not be written again: ``_write`` returns it even when it could not write all.
    """

    transient: tuple[type[BaseException], ...] = (OSError,)
    most = 1_000

    def __init__(self, name: str) -> None:
        self.name = name  # as an operator knows it
        self._waiting: list[Entry] = []
        self._flushing = Flushing()
        self._news = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._pause = 0.0  # before the next attempt; 0 while all is well
        self._connected = False
        self._acknowledged: Acknowledged
        self._rejected: Rejected
        self._failed: Callable[[Exception], None]

    @abstractmethod
    async def _connect(self) -> None:
        """Raises ConnectionFailed with one sentence."""

    @abstractmethod
    async def _write(self, entries: Sequence[Entry]) -> tuple[Collection[int], dict[int, str]]:
        """Writes a batch; returns the places (from 0) of what is durable, and of what can never be written, with a sentence each. What is
        in neither is tried again, as is everything when it raises ``transient``."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Also called when ``_connect`` failed or was never called. Bounded in time."""

    async def start(self, acknowledged: Acknowledged, rejected: Rejected, failed: Callable[[Exception], None]) -> None:
        self._acknowledged, self._rejected, self._failed = acknowledged, rejected, failed
        await self._connect()
        self._connected = True
        self._writing = asyncio.create_task(self._go_on(), name=f"express-sink-{self.name}")

    def put(self, entries: Sequence[Entry]) -> None:
        self._waiting.extend(entries)
        self._flushing.put(len(entries))
        self._news.set()

    async def _go_on(self) -> None:
        try:
            while True:
                self._news.clear()
                if not self._waiting:
                    await self._news.wait()
                batch, self._waiting = self._waiting[: self.most], self._waiting[self.most :]
                size = len(batch)
                while batch:
                    batch = await self._attempt(batch)
                self._flushing.done(size)
        except Exception as error:
            self._failed(error)

    async def _attempt(self, batch: list[Entry]) -> list[Entry]:
        """Writes, reports; returns what is to be tried again, after a pause."""
        try:
            written, refused = await self._write(batch)
        except self.transient as error:
            await self._back_off(str(error) or type(error).__name__)
            return batch
        if written:
            self._acknowledged([batch[place] for place in sorted(written)])
        for place, reason in refused.items():
            self._rejected(batch[place], reason)
        if left := [entry for place, entry in enumerate(batch) if place not in written and place not in refused]:
            await self._back_off(f"{len(left)} of {len(batch)} were not taken")
        elif self._pause:
            log.info("%s: writing works again", self.name)
            self._pause = 0.0
        return left

    async def _back_off(self, why: str) -> None:
        if not self._pause:
            log.error("%s: writing failed: %s; trying again until it works", self.name, why)
        self._pause = min(max(FIRST_PAUSE, self._pause * 2), LONGEST_PAUSE)
        await asyncio.sleep(self._pause)

    async def flush(self) -> None:
        await self._flushing.wait()

    async def stop(self) -> None:
        self._connected = False
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.cancel()
            await asyncio.wait({writing}, timeout=CLOSING)
        await self._disconnect()

    def ready(self) -> bool:
        return self._connected and not self._pause
