"""Sequence numbers of one shard, delivered and finished, in; how far it may be checkpointed out. Pure, no I/O.

A sequence number has 186 bits and says nothing about its neighbours, so records are numbered as they are read, an ordinary ``Tracker``
follows those numbers, and what is checkpointed is said in sequence numbers again. The user records of an aggregated record have numbers of
their own and one sequence number: it counts as done when all of them are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence

import msgspec

from consumers.kinesis_store import Checkpoint
from express.commits import Position, Tracker

FAR = 100_000  # records between the checkpoint and the newest one, from which on no more are taken


class Beyond(msgspec.Struct, frozen=True):
    """What is finished beyond a checkpoint: everything up to ``through`` except ``unfinished``."""

    through: str
    unfinished: tuple[str, ...]


class Progress:
    """The ``Tracking`` of one shard: an unfinished record is never behind the checkpoint, and what a former owner has finished beyond it
    is not run again."""

    def __init__(self, after: str = "", metadata: str = "") -> None:
        self._tracker = Tracker()
        self._after = after  # the checkpoint that we begin with
        self._names: deque[str] = deque()  # sequence numbers, from that of record ``_first`` on
        self._first = 0
        self._parts: set[int] = set()  # numbers of user records behind which there are more of the same record
        self._delivered = self._last = -1  # what was delivered last: its number, its sequence number
        self._known = _decoded(metadata)
        self._offered: tuple[Position, Position] | None = None  # what was asked for last, and the tracker's own of it
        self.full = False

    def number(self, sequence: str, more: bool = False) -> int:
        """The next record's number. ``more``: of the same sequence number, the next one, too."""
        self._names.append(sequence)
        number = self._first + len(self._names) - 1
        if more:
            self._parts.add(number)
        return number

    def _name(self, number: int) -> str:
        return self._names[number - self._first]

    def room(self, offsets: Sequence[int]) -> int:
        return len(offsets)  # a checkpoint has room for any map

    def deliver(self, offsets: Sequence[int]) -> Collection[int]:
        if not offsets:
            return ()
        self._tracker.deliver(offsets)
        self._delivered = offsets[-1]
        self._last = int(self._name(offsets[-1]))
        self._measure()
        if self._known is None:
            return ()
        through, unfinished = int(self._known.through), set(self._known.unfinished)
        skipped = [offset for offset in offsets if int(self._name(offset)) <= through and self._name(offset) not in unfinished]
        self._tracker.finish(skipped)
        if int(self._name(offsets[-1])) >= through and offsets[-1] not in self._parts:
            self._known = None
        return skipped

    def finish(self, offsets: Collection[int]) -> None:
        self._tracker.finish(offsets)

    def position(self) -> Position | None:
        """Its offset is a record's number, its metadata the Checkpoint as JSON."""
        inner = self._tracker.position()
        self._measure()
        if inner is None:
            return None
        outer = Position(inner.offset, msgspec.json.encode(self._checkpoint(inner.offset)).decode())
        self._offered = (outer, inner)
        return outer

    def _checkpoint(self, offset: int) -> Checkpoint:
        whole = self._last_whole(offset)
        after = self._after if whole is None else self._name(whole)
        unfinished = sorted(self._tracker.pending())
        highest = self._tracker.finished
        known, through, names = self._known, "", [self._name(number) for number in unfinished if number < highest]
        if highest >= offset:
            through = self._name(highest)
            names += [through] if highest in self._parts else []  # the rest of it is not finished
        if known is not None:  # not all of it was read again yet
            names = [self._name(number) for number in unfinished]
            names += [str(self._last)] if self._delivered in self._parts and self._to_run(known, self._last) else []
            names += [name for name in known.unfinished if int(name) > self._last]
            through = known.through
        metadata = msgspec.json.encode(Beyond(through, tuple(dict.fromkeys(names)))).decode() if through else ""
        return Checkpoint(after, metadata)

    @staticmethod
    def _to_run(known: Beyond, sequence: int) -> bool:
        return sequence > int(known.through) or str(sequence) in known.unfinished

    def _last_whole(self, offset: int) -> int | None:
        """The number before ``offset`` that is the last of its record; None when all such are behind the checkpoint that we began with."""
        number = offset - 1
        while number >= self._first and number in self._parts:
            number -= 1
        return number if number >= self._first else None

    def committed(self, position: Position) -> None:
        if self._offered is None or self._offered[0] != position:
            return  # somebody has asked for a newer one meanwhile, which will be committed, too
        self._tracker.committed(self._offered[1])
        kept = self._last_whole(position.offset)
        while kept is not None and self._first < kept:
            self._names.popleft()
            self._parts.discard(self._first)
            self._first += 1
        self._measure()

    def _measure(self) -> None:
        self.full = self._tracker.full or len(self._names) > FAR

    def whole(self) -> bool:
        """Whether everything that was ever numbered was delivered, is finished, and is checkpointed."""
        read = self._first + len(self._names)
        return self._delivered == read - 1 and not self._tracker.unfinished() and self._tracker.position() is None

    def unfinished(self) -> int:
        return self._tracker.unfinished()

    def behind(self) -> int:
        return self._tracker.behind()


def checkpoint(position: Position) -> Checkpoint:
    """What a position of ``Progress`` says."""
    return msgspec.json.decode(position.metadata, type=Checkpoint)


def _decoded(metadata: str) -> Beyond | None:
    """Nothing, when it cannot be understood: then it is run again."""
    try:
        found = msgspec.json.decode(metadata, type=Beyond) if metadata else None
        return found if found is not None and found.through.isdecimal() else None
    except msgspec.DecodeError:
        return None
