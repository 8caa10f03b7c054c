"""Where results and dead letters go: the contract. One file per kind of sink beside this one, found by the scheme of its address."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import msgspec

from express.runtime.context import Message
from express.sources import Assignment


class Entry(msgspec.Struct, gc=False):
    """One record on its way out. ``value`` and ``headers`` are what is written; ``message`` is the record it answers, whose key it keeps.
    Of several headers with one name the last is ours."""

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
        """Connects. Raises ConnectionFailed with one sentence. The callbacks are called on the event loop, possibly from inside ``put``;
        ``acknowledged`` in batches, ``rejected`` one by one, ``failed`` at most once, when the sink is gone for good (then nothing is
        acknowledged any more)."""

    @abstractmethod
    def put(self, entries: Sequence[Entry]) -> None:
        """Takes entries over, in the order in which they are to be written as far as there is one; never blocks, never raises. The
        sequence belongs to the sink. The dispatcher's in-flight limits bound what is held here."""

    @abstractmethod
    async def flush(self) -> None:
        """Returns when everything put so far was acknowledged or rejected, without lingering. Others go on putting meanwhile. May be
        cancelled by a deadline; then what is left is simply unacknowledged."""

    @abstractmethod
    async def stop(self) -> None:
        """Closes, bounded in time; what is not written by then is given up, unacknowledged. Also called when ``start`` failed or was
        never called. Never raises."""

    def forget(self) -> None:  # noqa: B027 - most sinks make nothing
        """Called after ``stop`` when the pipeline could not start: what ``start`` made and nobody has used yet goes again. Never raises."""

    def ready(self) -> bool:
        """Connected and writing."""
        return True
