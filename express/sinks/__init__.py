"""Where results and dead letters go: the contract. One file per kind of sink beside this one, found by the scheme of its address."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import msgspec

from express.runtime.context import Message
from express.sources import Assignment


class Entry(msgspec.Struct, gc=False):
    """One record on its way out. ``value`` and ``headers`` are what is written; ``message`` is the record it answers, whose key it keeps."""

    assignment: Assignment
    message: Message
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


Acknowledged = Callable[[Sequence[Entry]], None]
Rejected = Callable[[Entry, str], None]


class Sink(ABC):
    """Writes entries and reports each exactly once: acknowledged (durable), or rejected with one sentence (this entry can never be written:
    too large). What fails for now is retried inside, with backoff, for as long as the process runs; duplicates are allowed, loss is not.
    """

    @abstractmethod
    async def start(self, acknowledged: Acknowledged, rejected: Rejected, failed: Callable[[Exception], None]) -> None:
        """Connects. Raises ConnectionFailed with one sentence. The callbacks are called on the event loop, in batches; ``failed`` at most
        once, when the sink is gone for good."""

    @abstractmethod
    def put(self, entries: Sequence[Entry]) -> None:
        """Takes entries over; never blocks, never raises. The dispatcher's in-flight limits bound what is held here."""

    @abstractmethod
    async def flush(self) -> None:
        """Returns when everything put so far was acknowledged or rejected. May be cancelled by a deadline; then what is left is simply unacknowledged."""

    @abstractmethod
    async def stop(self) -> None:
        """Closes, bounded in time. Never raises."""

    def ready(self) -> bool:
        """Connected and writing."""
        return True
