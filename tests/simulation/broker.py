"""A broker and one consumer group as its members see them: what is durable, who owns what, and requests that are lost, late or refused."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence

from consumers.memory import Record
from express.commits import Position, Tracker
from express.runtime.context import Message
from express.sinks import Acknowledged, Entry, Rejected, Sink
from express.sinks.flushing import Flushing
from express.sources import Assignment, Intake, Source
from tests.simulation.ledger import Ledger, Ownership

FETCH_SECONDS = 2.0  # how long a fetch waits when there is nothing
ANSWER_SECONDS = 2.0  # how long a commit waits for its answer


class Broker:
    """The topic, and what the group has committed. Every owner of a partition has an epoch of its own: commits of former ones are refused,
    as by a group's generation."""

    def __init__(self, partitions: int, chooser: random.Random, ledger: Ledger) -> None:
        self.chooser, self.ledger = chooser, ledger
        self.records: list[list[Record]] = [[] for _ in range(partitions)]
        self.ends = [0] * partitions
        self.committed: dict[int, Position] = {}
        self.epochs = [0] * partitions
        self.owners: dict[int, Member] = {}

    def append(self, partition: int, key: bytes | None, value: bytes, milliseconds: int, expected: str) -> None:
        record = Record("orders", partition, self.ends[partition], key, value, (), milliseconds)
        self.records[partition].append(record)
        self.ends[partition] += 1
        self.ledger.written(partition, record.offset, expected)
        if (owner := self.owners.get(partition)) is not None:
            owner.wake()

    def skip(self, partition: int, offsets: int) -> None:
        """Transaction markers, compacted records."""
        self.ends[partition] += offsets

    def give(self, partition: int, member: Member) -> None:
        self.epochs[partition] += 1
        self.owners[partition] = member
        member.given(partition, self.committed.get(partition), self.epochs[partition])

    def commit(self, partition: int, epoch: int, position: Position) -> bool:
        """A commit arrives."""
        if epoch != self.epochs[partition]:
            return False
        self.committed[partition] = position
        self.ledger.log.append(("committed", partition, *position))
        return True

    def finished(self, partition: int) -> bool:
        """Whether everything in it is committed."""
        records = self.records[partition]
        return not records or (partition in self.committed and self.committed[partition].offset > records[-1].offset)


class Member(Source):
    """A member of the group. ``trouble`` is the share of its commits that go wrong; ``dead``: its process is gone, nothing of it is sent
    any more."""

    def __init__(self, name: str, broker: Broker) -> None:
        self.name, self.broker, self.chooser = name, broker, broker.chooser
        self.trouble, self.dead, self.paused, self.pauses = 0.0, False, False, 0
        self.held: dict[int, Assignment] = {}
        self.ownerships: dict[Assignment, Ownership] = {}
        self._epochs: dict[Assignment, int] = {}
        self._next: dict[int, int] = {}
        self._leaving: set[int] = set()
        self._late = 0  # commits that have not arrived yet
        self.missed = 0  # commits that it was not told of, or that were refused
        self._waiting: asyncio.Future[None] | None = None

    async def start(self, intake: Intake) -> None:
        self.intake = intake

    # The group

    def given(self, partition: int, position: Position | None, epoch: int) -> None:
        assignment = Assignment("orders", partition, Tracker() if position is None else Tracker(*position))
        self.held[partition], self._epochs[assignment] = assignment, epoch
        self.ownerships[assignment] = Ownership(self.name, partition, position)
        self._next[partition] = 0 if position is None else position.offset
        self.broker.ledger.log.append(("given", self.name, partition, *(position or ())))
        self.intake.assigned([assignment])
        self.wake()

    async def revoked(self, partitions: Sequence[int]) -> None:
        """The member learns that partitions are to go, or have gone."""
        leaving = [partition for partition in partitions if partition in self.held and partition not in self._leaving]
        self._leaving.update(leaving)
        await self.intake.revoked([self.held[partition] for partition in leaving])
        for partition in leaving:
            self.held.pop(partition, None)
            self._next.pop(partition, None)
        self._leaving.difference_update(leaving)

    # The contract

    async def fetch(self, limit: int) -> Mapping[Assignment, Sequence[Message]]:
        taken = self._take(limit)
        if not taken:
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_future()
            late = loop.call_later(FETCH_SECONDS, self.wake)
            await self._waiting
            late.cancel()
            taken = self._take(limit)
        return taken

    def wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _take(self, limit: int) -> dict[Assignment, Sequence[Message]]:
        taken: dict[Assignment, Sequence[Message]] = {}
        if self.paused or self.dead:
            return taken
        for partition in self.chooser.sample(sorted(self._next), len(self._next)):
            records, after = self.broker.records[partition], self._next[partition]
            if limit <= 0 or partition in self._leaving or not records or records[-1].offset < after:
                continue
            start = bisect_left(records, after, key=lambda record: record.offset)
            batch = records[start : start + self.chooser.randint(1, limit)]
            taken[self.held[partition]] = batch
            limit -= len(batch)
            self._next[partition] = batch[-1].offset + 1
        return taken

    async def commit(self, positions: Mapping[Assignment, Position]) -> Sequence[Assignment]:
        """One request for each assignment that is still ours. It may be lost, its answer may be, and it may arrive long after nobody waits
        for it any more: until then no other is sent."""
        if self.dead:
            return []
        sent = {assignment: position for assignment, position in positions.items() if not assignment.fenced}
        for assignment, position in sent.items():
            self.broker.ledger.committing(self.name, assignment.partition, position)
        if self._late:
            return []
        kind = "" if self.chooser.random() >= self.trouble else self.chooser.choice(["lost", "unanswered", "late"])
        if kind == "lost":
            return []
        if kind == "late":
            self._late += 1
            arriving: asyncio.Future[list[Assignment]] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(self.chooser.random() * 4, self._arrives, sent, arriving)
            await asyncio.wait({arriving}, timeout=ANSWER_SECONDS)
            return arriving.result() if arriving.done() else []
        committed = self._send(sent)
        self.missed += len(committed) < len(sent)
        return [] if kind == "unanswered" else committed

    def _arrives(self, sent: Mapping[Assignment, Position], arriving: asyncio.Future[list[Assignment]]) -> None:
        self._late -= 1
        committed = self._send(sent)
        if not arriving.done():
            arriving.set_result(committed)

    def _send(self, sent: Mapping[Assignment, Position]) -> list[Assignment]:
        return [each for each, position in sent.items() if self.broker.commit(each.partition, self._epochs[each], position)]

    def pause(self) -> None:
        self.paused = True
        self.pauses += 1

    def resume(self) -> None:
        self.paused = False
        self.wake()

    async def stop(self) -> None:
        self.wake()

    def lag(self) -> Mapping[tuple[str, int], int]:
        return {}


class Store(Sink):
    """Results or letters, as ``kind`` says. Writing and hearing of it are two things: in between a process can be gone.

    ``held``: it cannot be reached. ``latency``: the most that either takes, in seconds. ``reject``: a sentence for what can never be
    written.
    """

    def __init__(self, kind: str, member: Member, latency: float) -> None:
        self.kind, self.member, self.latency = kind, member, latency
        self.held = self.stopped = False
        self.reject: Callable[[Entry], str | None] = lambda entry: None
        self.acknowledged: set[tuple[Assignment, int]] = set()
        self._waiting: list[Entry] = []
        self._busy = False
        self._flushing = Flushing()

    async def start(self, acknowledged: Acknowledged, rejected: Rejected, failed: Callable[[Exception], None]) -> None:
        self._acknowledge, self._rejected = acknowledged, rejected

    def put(self, entries: Sequence[Entry]) -> None:
        self._waiting.extend(entries)
        self._flushing.put(len(entries))
        self._go_on()

    def release(self) -> None:
        self.held = False
        self._go_on()

    def _after(self) -> float:
        return self.member.chooser.random() * self.latency if self.latency else 0.0

    def _go_on(self) -> None:
        if self._waiting and not self._busy and not self.held and not self.stopped:
            self._busy = True
            batch, self._waiting = self._waiting, []
            asyncio.get_running_loop().call_later(self._after(), self._arrives, batch)

    def _arrives(self, batch: list[Entry]) -> None:
        """What was sent arrives even when its sender is gone in the meantime, unless the store cannot be reached."""
        if self.held:
            self._busy, self._waiting = False, batch + self._waiting
            return
        written, refused = [], []
        for entry in batch:
            if (reason := self.reject(entry)) is not None:
                refused.append((entry, reason))
            else:
                self.member.broker.ledger.terminal(self.member.name, self.kind, entry.message)
                written.append(entry)
        asyncio.get_running_loop().call_later(self._after(), self._answered, written, refused)

    def _answered(self, written: list[Entry], refused: list[tuple[Entry, str]]) -> None:
        self._busy = False
        if self.stopped or self.member.dead:
            return
        for entry, reason in refused:
            self._rejected(entry, reason)
        if written:
            self.acknowledged.update((entry.assignment, entry.message.offset) for entry in written)
            self._acknowledge(written)
        self._flushing.done(len(written) + len(refused))
        self._go_on()

    async def flush(self) -> None:
        await self._flushing.wait()

    async def stop(self) -> None:
        self.stopped = True
