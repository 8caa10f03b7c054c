"""Records of a log in memory in, shared by the members of one group; finished positions out, as the group's commits.

A real source without a broker: several partitions, gaps, members that come and go, commits that are refused. For tests and notebooks.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from zlib import crc32

import msgspec

from express.addresses import Address
from express.commits import Position, Tracker
from express.errors import ConfigurationError
from express.options import SourceOptions
from express.runtime.context import Message
from express.sources import Assignment, EndOfSource, Intake, Source, fetch_seconds


class Record(msgspec.Struct):
    """One record of a log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = 0


class Log:
    """A topic: its records, and what the group has committed. Outlives the sources that read it, as a broker would."""

    def __init__(self, name: str = "memory", partitions: int = 1) -> None:
        self.name = name
        self.partitions: list[list[Record]] = [[] for _ in range(partitions)]
        self.ends = [0] * partitions  # the next offset of each partition
        self.committed: dict[int, Position] = {}
        self.members: set[MemorySource] = set()

    def append(
        self, value: bytes | None, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = (), partition: int | None = None
    ) -> Record:
        """Adds a record; without ``partition`` its key chooses."""
        if partition is None:
            partition = crc32(key or b"") % len(self.partitions)
        record = Record(self.name, partition, self.ends[partition], key, value, headers, int(time.time() * 1000))
        self.partitions[partition].append(record)
        self.ends[partition] += 1
        for member in self.members:
            member.wake()
        return record

    def skip(self, partition: int, offsets: int = 1) -> None:
        """Offsets without a record: transaction markers, compacted records."""
        self.ends[partition] += offsets

    def clear(self) -> None:
        """Made anew: the same name, no records, offsets from 0. What the group has committed is still there."""
        self.partitions = [[] for _ in self.partitions]
        self.ends = [0] * len(self.partitions)


_logs: dict[str, Log] = {}


def log(name: str, partitions: int = 1) -> Log:
    """The log of this process behind ``memory:NAME``, made when first asked for."""
    return _logs.setdefault(name, Log(name, partitions))


def open_source(address: Address, options: SourceOptions) -> MemorySource:
    """``memory:NAME?finite=true``: the log of this name in this process."""
    problems = [f"{address}: there is no option {option!r}: expected finite" for option in address.options if option != "finite"]
    finite = address.options.get("finite", "false")
    if finite not in ("true", "false"):
        problems.append(f"{address}: finite={finite!r}: expected true or false")
    if address.servers:
        problems.append(f"{address}: a log in memory has no servers: expected memory:NAME")
    if problems:
        raise ConfigurationError(*problems)
    return MemorySource(log(address.name or options.name), finite=finite == "true")


class MemorySource(Source):
    """One member of the group of a log. Without ``partitions`` it is given all of them at the start; ``assign`` and ``revoke`` move them,
    ``suspend`` and ``give_back`` are a rebalance.

    ``refuse`` holds the numbers of the commits to refuse, counted from 0 (or everything that answers ``in``); ``late`` is how long each
    commit takes. ``history`` has every position that was committed, in order.
    """

    def __init__(self, source: Log, *, finite: bool = False, partitions: Iterable[int] | None = None) -> None:
        self.log, self.finite = source, finite
        self.refuse: Iterable[int] = ()
        self.late = 0.0
        self.commits = 0
        self.history: list[tuple[int, Position]] = []
        self.paused = False
        self.pauses = 0
        self.assignments: dict[int, Assignment] = {}
        self._first = list(range(len(source.partitions))) if partitions is None else list(partitions)
        self._next: dict[int, int] = {}  # partition -> offset to fetch next
        self._intake: Intake | None = None
        self._news: asyncio.Event | None = None
        self._leaving: set[int] = set()

    async def start(self, intake: Intake) -> None:
        self._intake, self._news = intake, asyncio.Event()
        self.log.members.add(self)
        self.assign(self._first)

    # What a group coordinator would do

    def assign(self, partitions: Iterable[int]) -> None:
        """Gives partitions to this member, from where the group has committed."""
        assert self._intake is not None, "not started"
        given = []
        for partition in partitions:
            position = self.log.committed.get(partition)
            tracker = Tracker() if position is None else Tracker(*position)
            self.assignments[partition] = assignment = Assignment(self.log.name, partition, tracker)
            self._next[partition] = 0 if position is None or position.offset > self.log.ends[partition] else position.offset
            given.append(assignment)
        self._intake.assigned(given)
        self.wake()

    async def revoke(self, partitions: Iterable[int]) -> None:
        """Takes partitions away, after the dispatcher has drained, committed and fenced them."""
        assert self._intake is not None, "not started"
        leaving = [partition for partition in partitions if partition in self.assignments]
        self._leaving.update(leaving)
        await self._intake.revoked([self.assignments[partition] for partition in leaving])
        for partition in leaving:
            del self.assignments[partition], self._next[partition]
        self._leaving.difference_update(leaving)

    async def suspend(self, partitions: Iterable[int]) -> None:
        """Takes partitions away that may come back: ``give_back``."""
        assert self._intake is not None, "not started"
        suspended = [partition for partition in partitions if partition in self.assignments]
        self._leaving.update(suspended)
        await self._intake.suspended([self.assignments[partition] for partition in suspended])

    def give_back(self, partitions: Iterable[int]) -> None:
        """Suspended partitions come back: they go on, unless somebody else has committed meanwhile."""
        assert self._intake is not None, "not started"
        for partition in partitions:
            assignment, position = self.assignments[partition], self.log.committed.get(partition)
            tracker = assignment.tracker
            assert isinstance(tracker, Tracker)
            self._leaving.discard(partition)
            if position is not None and tracker.goes_on_from(*position):
                self._next[partition] = tracker.delivered + 1
                self._intake.resumed([assignment])
            else:
                self._intake.lost([assignment])
                self.assign([partition])
        self.wake()

    def wake(self) -> None:
        """A fetch that waits looks again."""
        if self._news is not None:
            self._news.set()

    # What the dispatcher calls

    async def fetch(self, limit: int) -> Mapping[Assignment, Sequence[Message]]:
        assert self._news is not None, "not started"
        self._news.clear()
        if not (taken := self._take(limit)):
            if self.finite and not self.paused and not self._leaving and not any(self.lag().values()):
                raise EndOfSource
            with suppress(TimeoutError):
                async with asyncio.timeout(fetch_seconds(self.assignments.values())):
                    await self._news.wait()
            taken = self._take(limit)
        return taken

    def _take(self, limit: int) -> dict[Assignment, Sequence[Message]]:
        taken: dict[Assignment, Sequence[Message]] = {}
        if self.paused:
            return taken
        # Who was served is served last the next time
        for partition in list(self._next):
            if limit <= 0:
                break
            records, after = self.log.partitions[partition], self._next[partition]
            if partition in self._leaving or not records or records[-1].offset < after or self.assignments[partition].crowded:
                continue
            start = _index(records, after)
            taken[self.assignments[partition]] = batch = records[start : start + limit]
            limit -= len(batch)
            del self._next[partition]
            self._next[partition] = batch[-1].offset + 1
        return taken

    async def commit(self, positions: Mapping[Assignment, Position]) -> Sequence[Assignment]:
        number, self.commits = self.commits, self.commits + 1
        if self.late:
            await asyncio.sleep(self.late)
        if number in self.refuse:
            return []
        committed = []
        for assignment, position in positions.items():
            if not assignment.fenced:
                self.log.committed[assignment.partition] = position
                self.history.append((assignment.partition, position))
                committed.append(assignment)
        return committed

    def pause(self) -> None:
        self.paused = True
        self.pauses += 1

    def resume(self) -> None:
        self.paused = False
        self.wake()

    async def stop(self) -> None:
        self.log.members.discard(self)

    def lag(self) -> Mapping[tuple[str, int], int]:
        return {
            (self.log.name, partition): len(records) - _index(records, after)
            for partition, after in self._next.items()
            for records in (self.log.partitions[partition],)
        }


def _index(records: Sequence[Record], offset: int) -> int:
    """The place of the first record at or after ``offset``."""
    return bisect_left(records, offset, key=_OFFSET)


_OFFSET = attrgetter("offset")
