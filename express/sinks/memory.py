"""Entries in, a list in memory out. A real sink without a broker, that waits, rejects or fails when told to: for tests and notebooks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from express.addresses import Address
from express.errors import ConfigurationError, ConnectionFailed
from express.options import SinkOptions
from express.sinks import Acknowledged, Entry, Rejected, Sink
from express.sinks.flushing import Flushing

_sinks: dict[str, MemorySink] = {}


def sink(name: str) -> MemorySink:
    """The sink of this process behind ``memory:NAME``, made when first asked for."""
    return _sinks.setdefault(name, MemorySink())


def open_sink(address: Address, options: SinkOptions) -> MemorySink:
    if address.options or address.servers or not address.name:
        raise ConfigurationError(f"{address}: expected memory:NAME, without options")
    return sink(address.name)


class MemorySink(Sink):
    """Keeps what was acknowledged in ``entries``, in the order of acknowledgement.

    ``held``: nothing is acknowledged while it is true. ``reject``: a sentence for an entry that can never be written. ``unreachable``: why
    ``start`` fails. Entries are acknowledged in a later turn of the loop, as by a broker.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.batches = 0
        self.held = False
        self.reject: Callable[[Entry], str | None] = lambda entry: None
        self.unreachable: str | None = None
        self.stopped = False
        self._waiting: list[Entry] = []
        self._scheduled = False
        self._flushing = Flushing()

    async def start(self, acknowledged: Acknowledged, rejected: Rejected, failed: Callable[[Exception], None]) -> None:
        if self.unreachable is not None:
            raise ConnectionFailed(self.unreachable)
        self._acknowledged, self._rejected, self._failed = acknowledged, rejected, failed
        self._waiting, self._scheduled, self.stopped = [], False, False
        self._flushing = Flushing()

    def put(self, entries: Sequence[Entry]) -> None:
        self._waiting.extend(entries)
        self._flushing.put(len(entries))
        self.batches += 1
        self._write_soon()

    def release(self) -> None:
        """No longer ``held``: everything that waits is acknowledged."""
        self.held = False
        self._write_soon()

    def fail(self, error: Exception) -> None:
        """Gone for good."""
        self.held = True
        self._failed(error)

    def _write_soon(self) -> None:
        if not self._scheduled and not self.held:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        self._scheduled = False
        if self.held or self.stopped:
            return
        waiting, self._waiting = self._waiting, []
        written = []
        for entry in waiting:
            if (reason := self.reject(entry)) is not None:
                self._rejected(entry, reason)
            else:
                written.append(entry)
        if written:
            self.entries.extend(written)
            self._acknowledged(written)
        self._flushing.done(len(waiting))

    async def flush(self) -> None:
        await self._flushing.wait()

    async def stop(self) -> None:
        self.stopped = True

    def values(self) -> list[bytes | None]:
        """What was written, without the rest."""
        return [entry.value for entry in self.entries]
