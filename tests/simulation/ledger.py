"""What really happened in a simulation, told by the broker's model and the workflow, held against the promises as it happens.

I1 every event has its end, the right one. I2, I3 nothing is committed, by position or map, that has not ended. I4 executions of one key
start in offset order within an ownership. I5 never two of a key at once in a process. I6 nothing ends that was never written. Besides:
an ownership runs no record twice, and none that the position it began with covered.
"""

from __future__ import annotations

from collections import Counter
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
        self.started: set[int] = set()
        self.last: dict[bytes | None, int] = {}  # of each key, the offset begun last


class Ledger:
    """``log`` has everything in its order: a seed replayed must make it again, line by line."""

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.expected: dict[Key, str] = {}  # result, letter, slow (a result that takes its time), either
        self.ended: Counter[Key] = Counter()
        self.offsets: dict[int, list[int]] = {}  # of each partition, all that were written
        self.done: dict[int, int] = {}  # how many of those, from the first on, have ended
        self.running: set[tuple[str, int, bytes | None]] = set()
        self.commits = self.maps = 0
        self.stalled = False
        self.violations: list[str] = []

    def broken(self, promise: str) -> None:
        self.violations.append(promise)
        self.log.append(("broken", promise))
        raise Violation(promise)

    def written(self, partition: int, offset: int, expected: str) -> None:
        self.expected[partition, offset] = expected
        self.offsets.setdefault(partition, []).append(offset)

    def begun(self, ownership: Ownership, message: Message, order: str) -> None:
        """Called by the workflow, first thing."""
        partition, offset = message.partition, message.offset
        self.log.append(("begun", ownership.member, partition, offset))
        if offset in ownership.started:
            self.broken(f"{partition}-{offset} was run twice in one ownership")
        ownership.started.add(offset)
        if ownership.position is not None and covers(ownership.position, offset):
            self.broken(f"{partition}-{offset} was run although {ownership.position} says that it is finished")
        if order == "unordered" or (order == "key" and message.key is None):
            return
        key = message.key if order == "key" else None
        if ownership.last.get(key, -1) > offset:
            self.broken(f"I4: {partition}-{offset} of key {key!r} was begun after {ownership.last[key]}")
        ownership.last[key] = offset
        running = (ownership.member, partition, key)
        if running in self.running:
            self.broken(f"I5: {partition}-{offset} was begun while another execution of key {key!r} ran")
        self.running.add(running)

    def over(self, ownership: Ownership, message: Message, order: str) -> None:
        """Called by the workflow, last thing, however it ended."""
        self.running.discard((ownership.member, message.partition, message.key if order == "key" else None))

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

    def committing(self, member: str, partition: int, position: Position) -> None:
        """I2 and I3, for every commit that is sent, whatever becomes of it."""
        self.commits += 1
        self.log.append(("commit", member, partition, *position))
        offsets, done = self.offsets.get(partition, []), self.done.get(partition, 0)
        while done < len(offsets) and (partition, offsets[done]) in self.ended:
            done += 1
        self.done[partition] = done
        if position.metadata:
            self.maps += 1
            if decode(position.metadata, position.offset) is None:
                self.broken(f"I3: the map of {position} cannot be read")
        for offset in offsets[done:]:
            if covers(position, offset) and (partition, offset) not in self.ended:
                promise = "I2" if offset < position.offset else "I3"
                self.broken(f"{promise}: {partition}-{offset} is committed by {position} and has not ended")


def covers(position: Position, offset: int) -> bool:
    """Whether a committed position, or its map, says of an offset that it is finished."""
    if offset < position.offset:
        return True
    known = decode(position.metadata, position.offset)
    return known is not None and offset <= known.highest and offset not in known.unfinished
