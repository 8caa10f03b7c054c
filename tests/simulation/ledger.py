"""What really happened in a simulation, told by the broker's model and the workflow, held against the promises as it happens.

I1 every event has its end, the right one. I2, I3 nothing is committed, by position or map, that has not ended. I4 executions of one key
start in offset order within an ownership. I5 never two of a key at once in a process. I6 nothing ends that was never written. Besides:
an ownership runs no record more often than its retries allow, and none that the position it began with covered; a record without an end of
its own is one that the filter does not let through, or another one with the same id has its result; nothing begins that the store of
completed ids knew as done; a map leaves nothing out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from express.commits import Position, decode
from express.runtime.context import Message

Key = tuple[int, int]  # partition, offset


class Violation(AssertionError):  # noqa: N818 - not an error of the ledger's
    """A promise was broken."""


class Ownership:
    """One assignment: where it began, and what was run in it."""

    def __init__(self, member: str, partition: int, position: Position | None) -> None:
        self.member, self.partition, self.position = member, partition, position
        self.runs: Counter[int] = Counter()  # how often each record was begun
        self.last: dict[tuple[bytes | None], int] = {}  # of each key, the offset begun last


class Ledger:
    """``log`` has everything in its order: a seed replayed must make it again, line by line."""

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.expected: dict[Key, str] = {}  # result, letter, slow (a result that takes its time), either, nothing (the filter's)
        self.ids: dict[Key, int] = {}  # of each record, what makes it the same as another; empty where that does not matter
        self.completed: set[int] = set()  # ids that have a result
        self.remembered: set[int] = set()  # ids that are done, by the store
        self.attempts = 1  # executions of a record in an ownership
        self.ended: Counter[Key] = Counter()
        self.offsets: dict[int, list[int]] = {}  # of each partition, all that were written
        self.done: dict[int, int] = {}  # how many of those, from the first on, have ended
        self.running: set[tuple[str, int, tuple[bytes | None] | None]] = set()
        self.commits = self.maps = 0
        self.stalled = self.forgetful = False
        self.violations: list[str] = []

    def broken(self, promise: str) -> None:
        self.violations.append(promise)
        self.log.append(("broken", promise))
        raise Violation(promise)

    def written(self, partition: int, offset: int, expected: str) -> None:
        self.expected[partition, offset] = expected
        self.offsets.setdefault(partition, []).append(offset)

    def begun(self, ownership: Ownership, messages: Sequence[Message], order: str) -> None:
        """Called by the workflow, first thing; with several records where they are run together."""
        keys = dict.fromkeys(self._orders(message, order) for message in messages)
        for message in messages:
            partition, offset = place = message.partition, message.offset
            self.log.append(("begun", ownership.member, partition, offset))
            ownership.runs[offset] += 1
            if ownership.runs[offset] > self.attempts:
                self.broken(f"{partition}-{offset} was run {ownership.runs[offset]} times in one ownership")
            if ownership.position is not None and covers(ownership.position, offset):
                self.broken(f"{partition}-{offset} was run although {ownership.position} says that it is finished")
            if self.expected[place] == "nothing":
                self.broken(f"{partition}-{offset} was run although the filter does not let it through")
            if self.ids.get(place) in self.remembered and not (self.stalled or self.forgetful):
                self.broken(f"{partition}-{offset} was begun although its id {self.ids[place]} is known as done")
            key = self._orders(message, order)
            if key is None:
                continue
            # A batch that is tried again begins with its first one, again
            if ownership.last.get(key, -1) > (offset if ownership.runs[offset] == 1 else messages[-1].offset):
                self.broken(f"I4: {partition}-{offset} of key {key!r} was begun after {ownership.last[key]}")
            ownership.last[key] = max(offset, ownership.last.get(key, -1))
        for key in keys:
            running = (ownership.member, messages[0].partition, key)
            if key is not None and running in self.running:
                self.broken(f"I5: {running[1]}-{messages[0].offset} was begun while another execution of key {key!r} ran")
            if key is not None:
                self.running.add(running)

    @staticmethod
    def _orders(message: Message, order: str) -> tuple[bytes | None] | None:
        """What a record is in order with; None: with nothing."""
        if order == "unordered" or (order == "key" and message.key is None):
            return None
        return (message.key if order == "key" else None,)

    def over(self, ownership: Ownership, messages: Sequence[Message], order: str) -> None:
        """Called by the workflow, last thing, however it ended."""
        for message in messages:
            self.running.discard((ownership.member, message.partition, self._orders(message, order)))

    def finished(self, place: Key) -> bool:
        """Whether it may be committed."""
        return place in self.ended or self.expected[place] == "nothing" or self.ids.get(place) in self.completed

    def terminal(self, member: str, kind: str, message: Message) -> None:
        """A result or a letter is durable; whether its writer ever hears of it is another matter."""
        key = message.partition, message.offset
        self.log.append((kind, member, *key))
        if key not in self.expected:
            self.broken(f"I6: {kind} of {key}, which nobody wrote")
        expected = self.expected[key]
        if expected == "slow":  # it runs out of time when the machine stands still
            expected = "either" if self.stalled else "result"
        if expected not in (kind, "either"):
            self.broken(f"I1: {key} became a {kind}, not a {self.expected[key]}")
        self.ended[key] += 1
        if kind == "result" and key in self.ids:
            self.completed.add(self.ids[key])

    def committing(self, member: str, partition: int, position: Position) -> None:
        """I2 and I3, for every commit that is sent, whatever becomes of it."""
        self.commits += 1
        self.log.append(("commit", member, partition, *position))
        offsets, done = self.offsets.get(partition, []), self.done.get(partition, 0)
        while done < len(offsets) and self.finished((partition, offsets[done])):
            done += 1
        self.done[partition] = done
        if position.metadata:
            self.maps += 1
            if decode(position.metadata, position.offset) is None:
                self.broken(f"I3: the map of {position} cannot be read")
        for offset in offsets[done:]:
            if covers(position, offset) and not self.finished((partition, offset)):
                promise = "I2" if offset < position.offset else "I3"
                self.broken(f"{promise}: {partition}-{offset} is committed by {position} and has not ended")


def covers(position: Position, offset: int) -> bool:
    """Whether a committed position, or its map, says of an offset that it is finished."""
    if offset < position.offset:
        return True
    known = decode(position.metadata, position.offset)
    return known is not None and offset <= known.highest and offset not in known.unfinished
