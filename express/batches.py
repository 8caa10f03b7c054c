"""Records in, batches of them out: one execution with all their events as its input array, which finishes all of them or none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

import msgspec

from express import dead_letters
from express.documents import Duration, Size
from express.endings import Endings
from express.lane import Lane
from express.runtime.context import Batch, Message, identity
from express.runtime.values import loads
from express.units import size_text

STINT = 0.010  # seconds of looking at events after which the loop gets a turn
FEW = 16  # events between two looks at the clock
MOST_RECORDS = 10_000
LONGEST_WINDOW = 300.0


class BatchLimits(msgspec.Struct, frozen=True, kw_only=True):
    """A batch is complete with so many ``records``, or before it has more than so many ``bytes`` of input, or ``window`` seconds after its
    first record."""

    records: int = 100
    window: Duration = 0.5
    bytes: Size = 262_144


def problems(batch: BatchLimits, in_flight: int, payload: int) -> Iterator[tuple[str, str]]:
    """What is wrong with a pipeline's batches, beside its other limits: the field and a sentence for each."""
    if not 1 <= batch.records <= MOST_RECORDS:
        yield "records", f"expected 1 to {MOST_RECORDS:,}"
    elif batch.records > in_flight:
        yield "records", f"expected at most in_flight.records ({in_flight:,}): a batch of that many could never be taken"
    if not 0 < batch.window <= LONGEST_WINDOW:
        yield "window", "expected a duration up to 5m, such as 500ms"
    if not 1_024 <= batch.bytes <= payload:
        yield "bytes", f"expected 1 KiB to limits.payload ({size_text(payload)}): a batch is the input of one execution"


class _Open:
    """A batch that is not complete."""

    __slots__ = ("key", "lane", "records", "size", "timer")

    def __init__(self, lane: Lane, key: bytes | None) -> None:
        self.lane, self.key = lane, key
        self.records: list[Message] = []
        self.size = 1  # of the input array: a bracket, and a comma or a bracket behind each event
        self.timer: asyncio.TimerHandle | None = None


class Batcher:
    """Gathers what is to be run, per assignment, and by key where keys have an order. What an open batch holds is in flight.

    ``run`` is called with a batch whose window is over; full ones are returned by ``gather``.
    """

    def __init__(self, limits: BatchLimits, payload: int, endings: Endings, run: Callable[[Lane, Batch], None], by_key: bool) -> None:
        self._limits, self._payload, self._endings, self._run, self._by_key = limits, payload, endings, run, by_key
        self._open: dict[tuple[Lane, bytes | None], _Open] = {}
        self._beginning: set[Lane] = set()

    @contextmanager
    def beginning(self, lane: Lane) -> Iterator[None]:
        """From ``gather`` until what it returned is begun: a batch whose window is over meanwhile is a later one, and waits."""
        self._beginning.add(lane)
        try:
            yield
        finally:
            self._beginning.discard(lane)

    async def gather(self, lane: Lane, messages: Sequence[Message]) -> Sequence[Message]:
        """The batches that these complete, and those messages that came too late to begin: the lane is closing."""
        ready: list[Message] = []
        until = perf_counter() + STINT
        for start in range(0, len(messages), FEW):
            if lane.closing or self._endings.unsaved:
                ready += messages[start:]
                break
            for message in messages[start : start + FEW]:
                self._add(lane, message, ready)
            if perf_counter() >= until:
                await asyncio.sleep(0)
                until = perf_counter() + STINT
        self._endings.hand_over_soon()
        return ready

    def _add(self, lane: Lane, message: Message, ready: list[Message]) -> None:
        value = b"null" if message.value is None else message.value
        if len(value) > self._payload:
            self._endings.poison(lane, message, dead_letters.TOO_LARGE, dead_letters.too_large(len(value), self._payload))
            return
        try:
            loads(value)  # one record that cannot be decoded must not be the end of a hundred that can
        except ValueError as error:
            self._endings.poison(lane, message, dead_letters.UNDECODABLE, str(error))
            return
        key = message.key if self._by_key else None
        batch = self._open.get((lane, key))
        if batch is not None and batch.size + len(value) + 1 > self._limits.bytes:
            ready.append(self._close(batch))
            batch = None
        if batch is None:
            batch = self._open[lane, key] = _Open(lane, key)
            batch.timer = asyncio.get_running_loop().call_later(self._limits.window, self._window_over, batch)
        batch.records.append(message)
        batch.size += len(value) + 1
        if len(batch.records) >= self._limits.records:
            ready.append(self._close(batch))

    def _window_over(self, batch: _Open) -> None:
        if batch.lane in self._beginning:
            batch.timer = asyncio.get_running_loop().call_later(STINT, self._window_over, batch)
        else:
            self._run(batch.lane, self._close(batch))

    async def flush(self, lanes: Iterable[Lane] | None = None) -> None:
        """Runs what is open, of some lanes or of all."""
        wanted = None if lanes is None else set(lanes)
        for batch in [each for each in self._open.values() if wanted is None or each.lane in wanted]:
            while batch.lane in self._beginning:
                await asyncio.sleep(0)
            if self._open.get((batch.lane, batch.key)) is batch:
                self._run(batch.lane, self._close(batch))
                await asyncio.sleep(0)

    def forget(self, lane: Lane) -> list[Message]:
        """The lane is gone: what was open of it will not run here."""
        gone = [each for each in self._open.values() if each.lane is lane]
        return [self._close(batch) for batch in gone]

    def _close(self, batch: _Open) -> Batch:
        del self._open[batch.lane, batch.key]
        if batch.timer is not None:
            batch.timer.cancel()
        return made_of(batch.records)


def made_of(records: Sequence[Message]) -> Batch:
    """A batch is a message: its value is the array of their values, its key theirs if they have the same, its name that of the first and
    how many there are, its time that of the oldest."""
    first = records[0]
    keys = {record.key for record in records}
    name = identity(first) or f"{first.topic}-{first.partition}-{first.offset}"
    return Batch(
        topic=first.topic,
        partition=first.partition,
        offset=first.offset,
        key=keys.pop() if len(keys) == 1 else None,
        value=b"[%b]" % b",".join(b"null" if record.value is None else record.value for record in records),
        timestamp=min(record.timestamp for record in records),
        id=f"{name}-{len(records)}",
        records=records,
    )
