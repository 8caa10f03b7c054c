"""How much may be in flight: closed at 100 %, open again when half of what is not waiting for its turn is free."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from express.observers.pipeline import PipelineMetrics


class Room:
    """Counts records, and the bytes of their values, from delivery to acknowledgement. ``busy`` says that there is another reason to take
    nothing more (a task without a free slot, an offset map that is full). ``waiting`` and ``waiting_bytes``: of what is in flight, that of
    which nothing runs, since others of their key do. However much it is, what comes must not wait for it.
    """

    __slots__ = ("_bytes", "_closed", "_metrics", "_records", "busy", "bytes", "records", "waiting", "waiting_bytes")

    def __init__(self, records: int, size: int, metrics: PipelineMetrics, busy: Callable[[], bool]) -> None:
        self._records, self._bytes, self._metrics, self.busy = records, size, metrics, busy
        self.records = self.bytes = self.waiting = self.waiting_bytes = 0
        self._closed = False

    def take(self, records: int, size: int) -> None:
        self.records += records
        self.bytes += size
        self._metrics.in_flight, self._metrics.in_flight_bytes = self.records, self.bytes

    def give_back(self, records: int, size: int) -> None:
        self.take(-records, -size)

    def closed(self) -> bool:
        """Whether nothing more may be taken now."""
        if self._closed:
            records, size = self.records * 2 - self.waiting, self.bytes * 2 - self.waiting_bytes
            self._closed = records > self._records or size > self._bytes or self.busy()
        else:
            self._closed = not self.free() or self.busy()
        return self._closed

    def free(self) -> int:
        """``left``, or 0 when a limit is reached."""
        return 0 if self.records >= self._records or self.bytes >= self._bytes else self.left()

    def left(self) -> int:
        """How many records may be taken, should they be as large as those in flight are on average."""
        left = self._records - self.records
        if self.bytes:
            left = min(left, (self._bytes - self.bytes) * self.records // self.bytes)
        return max(1, left)

    def part(self, parts: int) -> int:
        """How many records are one of so many equal parts of all there may be, should all be as large as those in flight on average."""
        most = self._records
        if self.bytes:
            most = min(most, self._bytes * self.records // self.bytes)
        return max(1, most // parts)


def size_of(values: Iterable[bytes | None]) -> int:
    return sum([len(value) for value in values if value is not None])
