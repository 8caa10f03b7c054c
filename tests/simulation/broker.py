"""A broker, one consumer group and a store of claims as members see them: what is durable, who owns what, requests that are lost, late or
refused."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from consumers.memory import Record
from express.commits import Position, Tracker
from express.dedup import stores as claims
from express.runtime.context import Message, records_of
from express.sinks import Acknowledged, Entry, Rejected, Sink
from express.sinks.flushing import Flushing
from express.sources import Assignment, Intake, Source
from tests.simulation.ledger import Ledger, Ownership

FETCH_SECONDS = 2.0  # how long a fetch waits when there is nothing,
CROWDED_SECONDS = 0.1  # or what there is must wait
ANSWER_SECONDS = 2.0  # how long a commit waits for its answer
T = TypeVar("T")


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

    def append(self, partition: int, key: bytes | None, value: bytes, milliseconds: int, expected: str, identity: int | None) -> None:
        record = Record("orders", partition, self.ends[partition], key, value, (), milliseconds)
        if identity is not None:
            self.ledger.ids[partition, record.offset] = identity
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
        if not member.resumed(partition, self.committed.get(partition), self.epochs[partition]):
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
        self.joining: set[int] = set()  # suspended, and drained: nothing of them is committed until they come back
        self.gone: list[Assignment] = []  # lost: what is on its way to a sink may never hear of its arrival
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

    async def suspended(self, partition: int) -> None:
        """The member learns that a partition may go."""
        if partition in self.held and partition not in self._leaving:
            self._leaving.add(partition)
            await self.intake.suspended([self.held[partition]])
            self.joining.add(partition)

    def resumed(self, partition: int, position: Position | None, epoch: int) -> bool:
        """Whether a partition comes back to the member that it was taken from, where it can go on as if nothing had been."""
        if partition not in self.joining:
            return False
        assignment = self.held[partition]
        tracker = assignment.tracker
        assert isinstance(tracker, Tracker)
        if position is None or not tracker.goes_on_from(*position):
            self.lost(partition)
            return False
        self.broker.ledger.log.append(("resumed", self.name, partition, *position))
        self._epochs[assignment], self.ownerships[assignment].position = epoch, position
        self._next[partition] = tracker.delivered + 1
        self._leaving.discard(partition)
        self.joining.discard(partition)
        self.intake.resumed([assignment])
        self.wake()
        return True

    def lost(self, partition: int) -> None:
        """The member learns that a partition has gone."""
        if partition in self.held:
            self.gone.append(self.held.pop(partition))
            self.intake.lost(self.gone[-1:])
            self._next.pop(partition, None)
        self._leaving.discard(partition)
        self.joining.discard(partition)

    async def revoked(self, partitions: Sequence[int]) -> None:
        """The member learns that partitions are to go for good."""
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
            crowded = any(held.crowded for held in self.held.values())
            late = loop.call_later(CROWDED_SECONDS if crowded else FETCH_SECONDS, self.wake)
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
            if limit <= 0 or partition in self._leaving or not records or records[-1].offset < after or self.held[partition].crowded:
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
        sent = {
            assignment: position
            for assignment, position in positions.items()
            if not assignment.fenced and assignment.partition not in self.joining
        }
        for assignment, position in sent.items():
            self.broker.ledger.committing(self.name, assignment.partition, position)
            if assignment.tracker.full:
                self.broker.ledger.broken(f"the map of {assignment} leaves something out")
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
            self.missed += not arriving.done()
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
                for message in records_of((entry.message,)):
                    self.member.broker.ledger.terminal(self.member.name, self.kind, message)
                written.append(entry)
        asyncio.get_running_loop().call_later(self._after(), self._answered, written, refused)

    def _answered(self, written: list[Entry], refused: list[tuple[Entry, str]]) -> None:
        self._busy = False
        if self.stopped or self.member.dead:
            return
        for entry, reason in refused:
            self._rejected(entry, reason)
        if written:
            ours = [entry for entry in written if not entry.assignment.fenced]
            self.acknowledged.update((entry.assignment, message.offset) for entry in ours for message in records_of((entry.message,)))
            self._acknowledge(written)
        self._flushing.done(len(written) + len(refused))
        self._go_on()

    async def flush(self) -> None:
        await self._flushing.wait()

    async def stop(self) -> None:
        self.stopped = True


class Memory(claims.Store):
    """Which ids are done, and which are being run, as one member reaches it; ``claims`` is what all of them share: key to (owner, until),
    done for ever without an owner. It answers late, not at all, or is told and its answer is lost."""

    def __init__(self, member: Member, shared: dict[bytes, tuple[str | None, float]], trouble: float, now: Callable[[], float]) -> None:
        self.member, self.shared, self.trouble, self._now = member, shared, trouble, now
        member.broker.ledger.forgetful |= trouble > 0  # leases run out while it cannot be told

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def _asked(self, act: Callable[[], T]) -> T:
        chooser = self.member.chooser
        if self.member.dead or chooser.random() < self.trouble:
            raise OSError("the store cannot be reached")
        if self.trouble:
            await asyncio.sleep(chooser.random() * 0.2)
            if self.member.dead:
                raise OSError("the store cannot be reached")
        answer = act()
        if chooser.random() < self.trouble:
            raise OSError("its answer was lost")
        return answer

    def _free(self, key: bytes) -> bool:
        owner, until = self.shared.get(key, (self.member.name, 0.0))
        return owner == self.member.name or (owner is not None and until <= self._now())

    async def claim(self, keys: Sequence[bytes], lease: float) -> list[claims.Claim]:
        def act() -> list[claims.Claim]:
            answers = []
            for key in keys:
                if self._free(key):
                    self.shared[key] = (self.member.name, self._now() + lease)
                    answers.append(claims.Claim.OURS)
                else:
                    answers.append(claims.Claim.DONE if self.shared[key][0] is None else claims.Claim.TAKEN)
            return answers

        return await self._asked(act)

    def _ours(self, keys: Sequence[bytes]) -> list[bytes]:
        return [key for key in keys if key in self.shared and self.shared[key][0] == self.member.name]

    async def renew(self, keys: Sequence[bytes], lease: float) -> None:
        await self._asked(lambda: self.shared.update({key: (self.member.name, self._now() + lease) for key in self._ours(keys)}))

    async def complete(self, keys: Sequence[bytes], window: float) -> None:
        def act() -> None:
            self.shared.update(dict.fromkeys(keys, (None, 0.0)))
            self.member.broker.ledger.remembered.update(int(key) for key in keys)

        await self._asked(act)

    async def release(self, keys: Sequence[bytes]) -> None:
        def act() -> None:
            for key in self._ours(keys):
                del self.shared[key]

        await self._asked(act)
