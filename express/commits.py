"""Delivered and finished offsets in, the offset that may be committed out, with a map of what is finished beyond it. Pure, no I/O."""

from __future__ import annotations

import binascii
from bisect import bisect_left
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

MAX_METADATA = 4_096  # characters of text that a Kafka broker takes by default (offset.metadata.max.bytes)

VERSION = 1
_CHECKSUM = 4  # bytes
_MAX_MAP = MAX_METADATA // 4 * 3  # bytes, before base64
_MAX_OFFSET = 2**63 - 1
_LONGEST = 10  # bytes of a varint
_HEAD = 1 + _LONGEST + _LONGEST  # bytes before the steps of a map, at most


class Position(NamedTuple):
    """What is committed: the first offset that is not finished, and the map of finished work beyond it ("" when there is none)."""

    offset: int
    metadata: str


class Tracking(Protocol):
    """What became of the records of one assignment. ``Tracker``, below, is that of a log with offsets; a source that leases single records
    and acknowledges each has ``consumers.leasing.Leases``. What is promised is the same: what is not finished is never committed."""

    full: bool  # what is finished and not committed has become so much that intake should pause

    def room(self, offsets: Sequence[int]) -> int:
        """How many of these records, the next ones, may be delivered now; the others later, when something has finished."""
        ...

    def deliver(self, offsets: Sequence[int]) -> Collection[int]:
        """Records are about to be run; returns those that need not be."""
        ...

    def finish(self, offsets: Collection[int]) -> None:
        """These are finished *and acknowledged*."""
        ...

    def position(self) -> Position | None:
        """What may be committed now; None when there is nothing new."""
        ...

    def committed(self, position: Position) -> None:
        """``position`` was committed successfully."""
        ...

    def unfinished(self) -> int:
        """How many delivered records are not finished."""
        ...

    def behind(self) -> int:
        """How far what is committed is behind what was delivered."""
        ...


class OffsetMap(NamedTuple):
    """Finished work beyond a committed offset: everything from there up to ``highest`` is finished except ``unfinished`` (ascending).

    Offsets that were never delivered (transaction markers, compacted records) count as finished: they never come.
    """

    highest: int
    unfinished: tuple[int, ...]


class Tracker:
    """Offsets of one assignment, such that an unfinished offset is never committed.

    The position is the lowest delivered offset that is not finished, or the highest delivered one plus one when all are. It only goes up;
    gaps between offsets are normal; a commit that fails changes nothing here.

    What is finished beyond the position always fits into the metadata where no more is delivered than ``room`` says: a map is at its
    longest when nothing that was delivered has finished but the last, and never grows when something finishes. ``full`` is true when a map
    had to leave something out, which would be replayed after a restart: after deliveries that did not ask.
    """

    __slots__ = ("_base", "_bytes", "_changed", "_delivered", "_finished", "_last", "_pending", "_position", "_resumed", "full")

    def __init__(self, committed: int | None = None, metadata: str = "") -> None:
        """``committed`` is the group's committed offset (None: nothing yet), ``metadata`` what came with it (malformed = replay)."""
        self._pending: set[int] = set()
        self._delivered = -1  # the highest delivered
        self._finished = -1  # the highest finished
        self._base = -1 if committed is None else committed  # what is committed, or was delivered first; -1: neither
        self._last = None if committed is None else Position(committed, metadata)
        self._resumed = None if committed is None else decode(metadata, committed)  # of the former owner, until delivery has passed it
        self._position: Position | None = None
        self._changed = False
        self._bytes: int | None = None  # the longest that the steps of a map can be, whatever finishes; None: to be measured
        self.full = False

    def room(self, offsets: Sequence[int]) -> int:
        """How many of these offsets, from the first on, may be delivered such that every map of what finishes still fits."""
        limit, count = _MAX_MAP - _CHECKSUM - _HEAD, len(offsets)
        if not offsets:
            return 0
        before = self._delivered if self._delivered >= 0 else offsets[0] - 1
        # At most: without gaps one byte each
        needed = count if offsets[-1] - before == count else count * _LONGEST
        if self._bytes is not None and self._bytes + needed <= limit:
            return count
        size = self._bytes = self._longest()
        if size + needed <= limit:
            return count
        told = -1 if self._resumed is None or self._anew(offsets[0]) else self._resumed.highest
        for index, offset in enumerate(offsets):
            if offset > told:  # else it is in the map already, or finished
                size += _length(offset - before)
                if size > limit:
                    return index
            before = offset
        return count

    def _longest(self) -> int:
        """Bytes of the steps from one offset that may stay unfinished to the next, up to the last one delivered. When one of them finishes,
        two steps become one, whose number is not longer than theirs together."""
        points = sorted(self._pending)
        points.append(max(self._delivered, 0))
        if self._resumed is not None:
            points += self._resumed.unfinished
        return 1 + sum([_length(after - before) for before, after in pairwise(points)])

    def resumes(self, offset: int) -> bool:
        """Whether a map of finished work says anything of what is read from ``offset`` on. Below the committed position another log has
        begun: what it holds beyond that is new, too."""
        return self._resumed is not None and offset >= self._base

    def skips(self, first: int, last: int) -> bool:
        """Whether every offset from ``first`` to ``last`` was finished before a restart and lies below the highest one that was: records
        that need not even be read, nor delivered. To be asked only of what is read from an offset that ``resumes``."""
        known = self._resumed
        if known is None or first < self._base or last >= known.highest:
            return False
        index = bisect_left(known.unfinished, first)
        return index == len(known.unfinished) or known.unfinished[index] > last

    def next_needed(self, offset: int) -> int:
        """The first one from ``offset`` on that must be read: unfinished before a restart, or the highest one that was finished, or new."""
        if not self.resumes(offset) or (known := self._resumed) is None:
            return offset
        index = bisect_left(known.unfinished, offset)
        return known.unfinished[index] if index < len(known.unfinished) else max(offset, known.highest)

    def deliver(self, offsets: Sequence[int]) -> Collection[int]:
        """Records offsets as delivered; returns those that were finished before a restart and must be skipped (usually none).

        Offsets ascend, within a call and from call to call. A source whose position goes back (a topic made anew) starts a new assignment;
        without one this raises ValueError, because going on could only lose the records or commit backwards.
        """
        if not offsets:
            return ()
        first, last = offsets[0], offsets[-1]
        if first <= self._delivered or last < first:
            raise ValueError(f"offset {first} was delivered after offset {self._delivered} of the same assignment")
        if self._anew(first):
            self._base, self._last, self._resumed = first, None, None
        skipped: Collection[int] = ()
        if self._resumed is None:
            self._pending.update(offsets)
            if self._bytes is not None and last - self._delivered == len(offsets):
                self._bytes += len(offsets)
            else:
                self._bytes = None
        else:
            self._bytes = None
            skipped = self._resume(offsets, self._resumed)
        self._delivered = last
        self._changed = True
        return skipped

    def _anew(self, first: int) -> bool:
        """Whether nothing was committed, or the log begins anew below what was: other records, of which the map says nothing."""
        return self._delivered < 0 and (first < self._base or self._base < 0)

    def _resume(self, offsets: Sequence[int], known: OffsetMap) -> Collection[int]:
        """Delivers offsets some of which the former owner may have finished; returns those."""
        unfinished = set(known.unfinished)
        skipped = {offset for offset in offsets if offset <= known.highest and offset not in unfinished}
        self._pending.update(offset for offset in offsets if offset not in skipped)
        if skipped:
            self._finished = max(skipped)
        last = offsets[-1]
        if last >= known.highest:
            self._resumed = None
        else:
            self._resumed = OffsetMap(known.highest, tuple(offset for offset in known.unfinished if offset > last))
        return skipped

    def finish(self, offsets: Collection[int]) -> None:
        """Marks delivered offsets as finished *and acknowledged*, in any order. An offset that was never delivered is ignored."""
        if not offsets:
            return
        highest = max(offsets)
        if highest > self._delivered:
            offsets = [offset for offset in offsets if offset <= self._delivered]
            highest = max(offsets, default=-1)
        self._pending.difference_update(offsets)
        if highest > self._finished:
            self._finished = highest
        self._changed = True

    def position(self) -> Position | None:
        """What may be committed now, or None when that is what was committed last (or nothing was delivered yet)."""
        if self._changed:
            self._changed = False
            self._position = self._measure()
        return None if self._position == self._last else self._position

    @property
    def delivered(self) -> int:
        """The highest delivered offset, -1 when there is none."""
        return self._delivered

    def goes_on_from(self, offset: int, metadata: str) -> bool:
        """Whether what is committed is what was committed here last, and something was delivered since: then what this tracker knows
        still holds, and is more than a new one would know."""
        return self._delivered >= 0 and self._last == Position(offset, metadata)

    def committed(self, position: Position) -> None:
        """``position`` was committed successfully."""
        if self._last is None or position.offset >= self._last.offset:
            self._last, self._base = position, position.offset

    def unfinished(self) -> int:
        """How many delivered offsets are not finished."""
        return len(self._pending)

    def pending(self) -> Collection[int]:
        """The delivered offsets that are not finished, in no order; not to be changed."""
        return self._pending

    @property
    def finished(self) -> int:
        """The highest finished offset, -1 when there is none."""
        return self._finished

    def behind(self) -> int:
        """How far what is committed is behind what was delivered, in offsets."""
        return self._delivered + 1 - self._base if self._delivered >= 0 else 0

    def _measure(self) -> Position | None:
        self.full = False
        if self._delivered < 0:
            return None
        pending, highest = self._pending, self._finished
        offset = min(pending) if pending else self._delivered + 1
        known = self._resumed
        if known is not None:
            highest = max(highest, known.highest)
        if highest <= offset:
            return Position(offset, "")
        unfinished = sorted(offset for offset in pending if offset < highest)
        if known is not None:
            unfinished += known.unfinished  # not delivered yet, so beyond every pending one
        metadata, self.full = encode(offset, OffsetMap(highest, tuple(unfinished)))
        return Position(offset, metadata)


# The map as text: base64 of a version byte, varints of the committed offset, of how far the highest finished lies beyond it and of the
# steps from one unfinished offset to the next, and a CRC-32, without which a text cut short would read as "more is finished".


def encode(committed: int, known: OffsetMap) -> tuple[str, bool]:
    """The longest prefix of the map that fits into commit metadata, and whether anything had to be left out."""
    head = bytearray((VERSION,))
    _put(head, committed)
    steps = bytearray()
    room = _MAX_MAP - _CHECKSUM - len(head) - 10  # 10: the longest varint of the highest finished
    highest, cut, before, fits = known.highest, False, committed, 0
    for offset in known.unfinished:
        _put(steps, offset - before)
        if len(steps) > room:
            # What comes before the first unfinished offset that does not fit may still be told.
            highest, cut = offset - 1, True
            break
        before, fits = offset, len(steps)
    _put(head, highest - committed)
    head += steps[:fits]
    head += binascii.crc32(head).to_bytes(_CHECKSUM, "big")
    return binascii.b2a_base64(head, newline=False).decode(), cut


def decode(metadata: str, committed: int) -> OffsetMap | None:
    """The map that was committed with ``committed``; None when there is none, or none that can be believed: then everything is replayed."""
    if not metadata or len(metadata) > MAX_METADATA:
        return None
    try:
        content = binascii.a2b_base64(metadata, strict_mode=True)
    except ValueError:
        return None
    body, checksum = content[:-_CHECKSUM], content[-_CHECKSUM:]
    if binascii.b2a_base64(content, newline=False) != metadata.encode() or len(body) < 3 or body[0] != VERSION:
        return None
    if binascii.crc32(body).to_bytes(_CHECKSUM, "big") != checksum:
        return None
    numbers = _numbers(body[1:])
    if numbers is None or len(numbers) < 2 or numbers[0] != committed:
        return None
    highest = committed + numbers[1]
    unfinished, offset = [], committed
    for index, step in enumerate(numbers[2:]):
        if step == 0 and index:
            return None
        offset += step
        unfinished.append(offset)
    if highest > _MAX_OFFSET or offset > highest:
        return None
    return OffsetMap(highest, tuple(unfinished))


def _length(number: int) -> int:
    """Bytes of a number as a varint."""
    return (number.bit_length() + 6) // 7 or 1


def _put(content: bytearray, number: int) -> None:
    """Appends a number as a varint: seven bits a byte, the lowest first."""
    while number > 0x7F:
        content.append(number & 0x7F | 0x80)
        number >>= 7
    content.append(number)


def _numbers(content: bytes) -> list[int] | None:
    """The varints of ``content``; None when the last one is cut short or one is longer than any offset."""
    numbers, number, shift = [], 0, 0
    for byte in content:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift > 63:
                return None
        else:
            numbers.append(number)
            number = shift = 0
    return None if shift else numbers
