"""What really happened, read from the topics by somebody outside: every event, result, dead letter and commit, in the broker's own time.

Result and dead-letter topics are stamped by the broker as it appends (LogAppendTime), commits as it stores them: one clock for "before".
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right
from collections import defaultdict
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import msgspec
import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from express.commits import OffsetMap, decode
from tests.brokers.kafka_bed import QUIET, Kafka
from tests.chaos.events import Event

Place = tuple[int, int]  # partition and offset in the source topic


class Terminal(NamedTuple):
    """A result or a dead letter, as it stands in its topic."""

    milliseconds: int
    result: bytes | None  # None: a dead letter,
    reason: bytes | None  # with this error

    def process(self) -> int | None:
        """Who wrote it; a dead letter does not say."""
        return None if self.result is None else int(orjson.loads(self.result)["by"][0])


class Commit(NamedTuple):
    milliseconds: int
    partition: int
    offset: int
    metadata: str


class Ledger(threading.Thread):
    """Reads the three topics as they grow. ``events`` is filled by the producing thread: where each stands, and what must become of it."""

    def __init__(self, kafka: Kafka, topic: str, results: str, dead: str, group: str) -> None:
        super().__init__(name="ledger", daemon=True)
        self.kafka, self.topic, self.results, self.dead, self.group = kafka, topic, results, dead, group
        self.terminals: dict[Place, list[Terminal]] = defaultdict(list)
        self.results_read: list[Place] = []
        self.stood: dict[int, float] = defaultdict(float)  # partition -> the longest time without a terminal, in seconds, as it is read
        self._moved: dict[int, int] = {}
        self.commits: list[Commit] = []
        self.strange: list[str] = []
        self._enough = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        # Some at a time: answered record by record, it would keep the brokers busier than the members do
        gathering = {"fetch.min.bytes": 16_384, "fetch.wait.max.ms": 200}
        consumer = Consumer(
            {"bootstrap.servers": self.kafka.servers, "group.id": "ledger", "enable.auto.commit": False, **gathering, **QUIET}
        )
        try:
            parts = []
            for topic in (self.results, self.dead, "__consumer_offsets"):
                while not (found := consumer.list_topics(topic, timeout=10).topics[topic].partitions):
                    time.sleep(0.2)  # the group's own topic is made when the first group comes
                parts += [TopicPartition(topic, number, OFFSET_BEGINNING) for number in found]
            consumer.assign(parts)
            while not self._enough.is_set():
                for record in consumer.consume(1000, timeout=0.1):
                    if record.error():
                        continue  # the broker restarts
                    if record.topic() == "__consumer_offsets":
                        self._commit(record.key(), record.value())
                    else:
                        self._terminal(record)
        except BaseException as error:
            self.failure = error
        finally:
            consumer.close()

    def stop(self) -> None:
        self._enough.set()
        self.join(30)
        if self.failure:
            raise self.failure

    def _terminal(self, record) -> None:  # type: ignore[no-untyped-def]
        headers = dict(record.headers() or [])
        topic, partition, offset = headers["express-execution"].decode().rsplit("-", 2)
        if topic != self.topic:
            self.strange.append(f"a record of another topic: {headers}")
            return
        dead = record.topic() == self.dead
        found = Terminal(record.timestamp()[1], None if dead else record.value(), headers.get("express-error") if dead else None)
        number = int(partition)
        self.terminals[number, int(offset)].append(found)
        before = self._moved.get(number, found.milliseconds)
        self.stood[number] = max(self.stood[number], (found.milliseconds - before) / 1000)
        self._moved[number] = max(before, found.milliseconds)
        if not dead:
            self.results_read.append((int(partition), int(offset)))

    def _commit(self, key: bytes, value: bytes | None) -> None:
        """The broker's own record of a commit (OffsetCommitKey 0-1, OffsetCommitValue 1-4)."""
        if key[:2] not in (b"\0\0", b"\0\1") or value is None:
            return
        group, at = _text(key, 2)
        topic, at = _text(key, at)
        if (group, topic) != (self.group, self.topic):
            return
        version, offset = int.from_bytes(value[:2]), int.from_bytes(value[2:10])
        at = 10 if version < 3 else 14  # a leader epoch in between
        metadata, at = _compact_text(value, at) if version >= 4 else _text(value, at)
        milliseconds = int.from_bytes(value[at : at + 8])
        self.commits.append(Commit(milliseconds, int.from_bytes(key[at_partition(key) :]), offset, metadata))

    def missing(self, events: dict[Place, Event]) -> list[Place]:
        return [place for place in events if place not in self.terminals]


def at_partition(key: bytes) -> int:
    return len(key) - 4


def _text(content: bytes, at: int) -> tuple[str, int]:
    length = int.from_bytes(content[at : at + 2])
    return content[at + 2 : at + 2 + length].decode(), at + 2 + length


def _compact_text(content: bytes, at: int) -> tuple[str, int]:
    length = shift = 0
    while True:
        length |= (content[at] & 0x7F) << shift
        at += 1
        if content[at - 1] < 0x80:
            break
        shift += 7
    return content[at : at + length - 1].decode(), at + length - 1


class Fault(msgspec.Struct):
    """Something that was done to a member. ``unfinished``: its executions at that moment; ``partitions``: what it held. ``in_flight``: how
    much may have been, where that is not the one member's. ``process``: what was killed."""

    what: str
    milliseconds: int
    member: str
    partitions: list[int]
    unfinished: int
    completed: int = 0  # since its last commits, by the ledger
    duplicates: int = 0
    in_flight: int = 0
    process: int = 0

    @property
    def budget(self) -> int:
        return self.in_flight + self.completed


class Verdict(msgspec.Struct):
    """What the ledger says of a run. ``violations`` has one line for each promise that was broken, empty when all were kept."""

    events: int
    results: int
    dead_letters: int
    commits: int
    maps: int
    skipped_by_maps: int
    duplicates: int
    violations: list[str]
    faults: list[Fault]


def judge(ledger: Ledger, events: dict[Place, Event], faults: list[Fault], in_flight: int) -> Verdict:
    """Holds the ledger against the promises. I1: every event has its result or dead letter, the right one. I2: no commit passed an event
    before that. I3: nor did a map of finished work. I6: nothing came out that did not go in. Duplicates: for each fault at most what was in
    flight and what was completed since the last commits of the partitions concerned."""
    violations: list[str] = list(ledger.strange)
    first: dict[Place, int] = {place: min(found.milliseconds for found in terminals) for place, terminals in ledger.terminals.items()}
    results = dead = 0
    for place, event in events.items():
        terminals = ledger.terminals.get(place, [])
        if not terminals:
            violations.append(f"I1: event {event.number} at {place} has neither result nor dead letter")
        for terminal in terminals:
            if event.reason is None and terminal.result is not None:
                results += 1
                said = orjson.loads(terminal.result)
                if (said["n"], said["square"]) != (event.number, event.number**2):
                    violations.append(f"I1: the result of event {event.number} at {place} is {terminal.result!r}")
            elif event.reason is not None and terminal.reason == event.reason:
                dead += 1
            else:
                violations.append(f"I1: event {event.number} at {place}, expected {event.reason or 'a result'}, became {terminal}")
    violations += [f"I6: a terminal for {place}, which nobody produced" for place in ledger.terminals if place not in events]
    maps, skipped = _audit(ledger, events, first, violations)
    duplicates = sum(len(terminals) - 1 for terminals in ledger.terminals.values())
    blamed = _blame(ledger, faults, in_flight, violations)
    if duplicates > blamed:
        violations.append(f"{duplicates - blamed} duplicates that no fault explains")
    return Verdict(len(events), results, dead, len(ledger.commits), maps, skipped, duplicates, violations, faults)


def _audit(ledger: Ledger, events: dict[Place, Event], first: dict[Place, int], violations: list[str]) -> tuple[int, int]:
    """I2 and I3 after every commit. Returns how many of them had a map, and how much those said to be finished, all in all."""
    never = 1 << 62
    audits: dict[int, _Audit] = {}
    for partition, offset in sorted(events):
        audits.setdefault(partition, _Audit()).add(offset, first.get((partition, offset), never))
    maps = finished = 0
    for commit in sorted(ledger.commits, key=lambda commit: commit.milliseconds):
        audit = audits[commit.partition]
        if early := audit.passed(commit):
            violations.append(f"I2: {commit} passed events without a terminal: {early[:5]}")
        if commit.metadata:
            told = decode(commit.metadata, commit.offset)
            if told is None:
                violations.append(f"I3: {commit} has a map that cannot be read")
                continue
            count, early = audit.told(commit, told)
            maps, finished = maps + 1, finished + count
            if early:
                violations.append(f"I3: {commit} says finished of events without a terminal: {early[:5]}")
    return maps, finished


class _Audit:
    """The events of one partition, held against its commits in the order of time: a map of a hundred thousand finished events is compared
    with the few that had no terminal then."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self._ended: list[int] = []  # of each: when it had a terminal,
        self._latest: list[int] = []  # and when it and all before it had
        self._order: list[int] = []  # by that time
        self._over = self._horizon = 0  # so many of the order are over; so many events were in a map
        self._open: set[int] = set()  # those of them without a terminal now

    def add(self, offset: int, ended: int) -> None:
        self.offsets.append(offset)
        self._ended.append(ended)
        self._latest.append(max(ended, self._latest[-1]) if self._latest else ended)

    def passed(self, commit: Commit) -> list[int]:
        passed = bisect_left(self.offsets, commit.offset)
        if not passed or self._latest[passed - 1] <= commit.milliseconds:
            return []
        return [self.offsets[index] for index in range(passed) if self._ended[index] > commit.milliseconds]

    def told(self, commit: Commit, told: OffsetMap) -> tuple[int, list[int]]:
        """How many events the map says to be finished, and which of them were not."""
        now, ended = commit.milliseconds, self._ended
        if not self._order:
            self._order = sorted(range(len(ended)), key=ended.__getitem__)
        begin, end = bisect_left(self.offsets, commit.offset), bisect_right(self.offsets, told.highest)
        self._open.update(index for index in range(self._horizon, end) if ended[index] > now)
        self._horizon = max(self._horizon, end)
        while self._over < len(ended) and ended[self._order[self._over]] <= now:
            self._open.discard(self._order[self._over])
            self._over += 1
        unfinished = set(told.unfinished)
        early = [self.offsets[index] for index in self._open if begin <= index < end and self.offsets[index] not in unfinished]
        return end - begin - len(unfinished), sorted(early)


REACH = 60_000  # milliseconds for which a fault has effects: a zombie wakes up, a session ends, a producer is made anew


class Covered:
    """Whether the commits that stand in the broker at a moment say that an event is finished."""

    def __init__(self, commits: list[Commit]) -> None:
        self._commits: dict[int, list[Commit]] = defaultdict(list)
        for commit in commits:
            self._commits[commit.partition].append(commit)
        for own in self._commits.values():
            own.sort(key=lambda commit: commit.milliseconds)
        self.moments = {partition: [commit.milliseconds for commit in own] for partition, own in self._commits.items()}
        self._told = lru_cache(64)(lambda commit: decode(commit.metadata, commit.offset))

    def last(self, partition: int, moment: int) -> Commit | None:
        at = bisect_right(self.moments.get(partition, []), moment)
        return self._commits[partition][at - 1] if at else None

    def at(self, place: Place, moment: int) -> bool:
        commit = self.last(place[0], moment)
        if commit is None or place[1] < commit.offset:
            return commit is not None
        known = self._told(commit)
        if known is None or place[1] > known.highest:
            return False
        index = bisect_left(known.unfinished, place[1])
        return index == len(known.unfinished) or known.unfinished[index] != place[1]


def _blame(ledger: Ledger, faults: list[Fault], in_flight: int, violations: list[str]) -> int:
    """Holds each fault against its budget. Returns how many duplicates a fault explains.

    An event that ended twice in a row was ended by a process that did not have that committed: the first one, or, where a commit had
    covered it in between, a zombie that ended it once more. When that process was killed, that kill is to blame, and no other fault.

    Otherwise (the process lived, or is not known, as of a dead letter) a fault explains a duplicate when it concerns the partition, no
    commit before it covered the event (what was committed comes again after no fault whatever), and the event was run within its effects:
    first ended before it or at most REACH after it, and, if a commit has covered it since then, ended again within REACH, as a zombie's
    does. Of those that explain it the last one is charged that has not used its budget up, or else the last one. A kill explains nothing
    that another process than the killed one left.
    """
    faults = sorted(faults, key=lambda fault: fault.milliseconds)
    moments = [fault.milliseconds for fault in faults]
    covered = Covered(ledger.commits)
    begun: dict[int, list[int]] = defaultdict(list)  # of each partition, when its events first had a terminal
    killed = {fault.process: fault for fault in faults if fault.process}
    again: list[tuple[int, Place, int, Terminal, Terminal]] = []  # when, what, when it had ended first; how before, and how now
    for place, terminals in ledger.terminals.items():
        found = sorted(terminals, key=lambda terminal: terminal.milliseconds)
        first = found[0].milliseconds
        begun[place[0]].append(first)
        again.extend((later.milliseconds, place, first, earlier, later) for earlier, later in pairwise(found))
    for each in begun.values():
        each.sort()
    for fault in faults:
        fault.in_flight, fault.completed, fault.duplicates = fault.in_flight or in_flight, 0, 0
        for partition in fault.partitions:
            last = covered.last(partition, fault.milliseconds)
            own = begun[partition]
            fault.completed += bisect_right(own, fault.milliseconds) - bisect_left(own, 0 if last is None else last.milliseconds)
    given = 0
    for moment, place, first, earlier, later in sorted(again, key=lambda each: each[:2]):
        late = covered.at(place, moment - 1)
        process = (later if late else earlier).process()
        kill = killed.get(process or 0)
        if kill is not None and place[0] in kill.partitions and not covered.at(place, kill.milliseconds):
            kill.duplicates += 1
            given += 1
            continue
        explaining = [
            fault
            for fault in reversed(faults[: bisect_right(moments, moment)])
            if place[0] in fault.partitions
            and not (process and fault.process)
            and first <= fault.milliseconds + REACH
            and (moment <= fault.milliseconds + REACH or not late)
            and not covered.at(place, fault.milliseconds)
        ]
        able = [fault for fault in explaining if fault.duplicates < fault.budget]
        for fault in (able or explaining)[:1]:
            fault.duplicates += 1
            given += 1
    violations += [
        f"{fault.what} of {fault.member}: {fault.duplicates} duplicates, the budget was {fault.in_flight} + {fault.completed}"
        for fault in faults
        if fault.duplicates > fault.budget
    ]
    return given
