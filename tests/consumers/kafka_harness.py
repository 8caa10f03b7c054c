"""A pipeline reduced to its source: takes records, finishes those it is told to, commits; as the dispatcher does, in thirty lines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from consumers.kafka import KafkaSource, open_source
from express import addresses
from express.commits import Position
from express.options import SourceOptions
from express.runtime.context import Message
from express.sources import Assignment
from tests.brokers.kafka_bed import Kafka

Key = tuple[int, int]  # partition, offset


def opened(kafka: Kafka, topic: str, group: str, drain: float = 5.0, **options: str) -> KafkaSource:
    if kafka.kind == "mock":
        options.setdefault("session", "2s")  # it takes no notice of a member that leaves
    query = "&".join(f"{name}={value}" for name, value in {"group": group, **options}.items())
    return open_source(addresses.parse(f"kafka://{kafka.servers}/{topic}?{query}"), SourceOptions(name="test", drain_seconds=drain))


class Taker:
    """Reads a source until told to stop. ``finishes`` says which records are finished at once; the others stay unfinished."""

    def __init__(
        self, source: KafkaSource, finishes: Callable[[Message], bool] = lambda record: True, limit: int = 500, breath: float = 0.0
    ) -> None:
        self.source, self.finishes, self.limit, self.breath = source, finishes, limit, breath
        self.taken: list[Message] = []
        self.skipped: list[Key] = []
        self.unfinished: dict[Key, tuple[Assignment, Message]] = {}
        self.held: list[Assignment] = []
        self.history: list[tuple[str, list[Key]]] = []
        self.committed: dict[int, Position] = {}
        self.failure: Exception | None = None
        self.enough = False
        self.slowness = 0.0  # of a revoke

    # Intake

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        self.held += assignments
        self.history.append(("assigned", [(held.partition, held.partitions) for held in assignments]))

    async def revoked(self, assignments: Sequence[Assignment]) -> None:
        self._note("revoked", assignments)
        await asyncio.sleep(self.slowness)
        await self.commit()
        self._fence(assignments)

    async def suspended(self, assignments: Sequence[Assignment]) -> None:
        self._note("suspended", assignments)
        await asyncio.sleep(self.slowness)
        await self.commit()

    def resumed(self, assignments: Sequence[Assignment]) -> None:
        self._note("resumed", assignments)

    def lost(self, assignments: Sequence[Assignment]) -> None:
        self._note("lost", assignments)
        self._fence(assignments)

    def _note(self, what: str, assignments: Sequence[Assignment]) -> None:
        if assignments:
            self.history.append((what, [(held.partition, 0) for held in assignments]))

    def _fence(self, assignments: Sequence[Assignment]) -> None:
        for assignment in assignments:
            assignment.fenced = True
        self.held = [held for held in self.held if not held.fenced]
        self.unfinished = {key: (held, record) for key, (held, record) in self.unfinished.items() if not held.fenced}

    def failed(self, error: Exception) -> None:
        self.failure = error

    # The loop

    async def run(self) -> None:
        last = time.monotonic()
        while not self.enough:
            for assignment, records in (await self.source.fetch(self.limit)).items():
                self.take(assignment, records)
            await asyncio.sleep(self.breath)
            if time.monotonic() - last > 0.1:
                last = time.monotonic()
                await self.commit()

    def take(self, assignment: Assignment, records: Sequence[Message]) -> None:
        assert not assignment.fenced, "records of a partition that is gone"
        skipped = set(assignment.tracker.deliver([record.offset for record in records]))
        self.skipped += [(assignment.partition, offset) for offset in sorted(skipped)]
        fresh = [record for record in records if record.offset not in skipped]
        self.taken += fresh
        assignment.tracker.finish([record.offset for record in fresh if self.finishes(record)])
        for record in fresh:
            if not self.finishes(record):
                self.unfinished[record.partition, record.offset] = (assignment, record)

    def finish(self, *keys: Key) -> None:
        for key in keys:
            assignment, record = self.unfinished.pop(key)
            assignment.tracker.finish([record.offset])

    async def commit(self) -> None:
        positions = {held: position for held in self.held if not held.fenced and (position := held.tracker.position())}
        if positions:
            for assignment in await self.source.commit(positions):
                assignment.tracker.committed(positions[assignment])
                self.committed[assignment.partition] = positions[assignment]

    async def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        patience = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < patience, f"waited {seconds} s; taken {len(self.taken)}, {self.history}"
            await asyncio.sleep(0.02)

    async def until_taken(self, count: int, seconds: float = 30.0) -> None:
        await self.until(lambda: len(self.taken) >= count, seconds)

    @property
    def keys(self) -> list[Key]:
        return [(record.partition, record.offset) for record in self.taken]


@asynccontextmanager
async def running(
    source: KafkaSource, finishes: Callable[[Message], bool] = lambda record: True, limit: int = 500, breath: float = 0.0
) -> AsyncIterator[Taker]:
    """A taker at work; stopped in the order of the dispatcher: no more records, a last commit, then the source."""
    taker = Taker(source, finishes, limit, breath)
    await source.start(taker)
    loop = asyncio.ensure_future(taker.run())
    try:
        yield taker
        taker.enough = True
        await asyncio.wait({loop}, timeout=10)
        assert loop.done()
        loop.result()
        await taker.commit()
    finally:
        if not loop.done():
            taker.enough = True
            loop.cancel()
        await source.stop()
