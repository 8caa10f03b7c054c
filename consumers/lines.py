"""Bytes in, the lines of them out, each with the offset of its first byte. What a file and standard input share."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import msgspec

# A line beyond this is cut: it is far over every payload limit, becomes a dead letter, and must not fill the memory first
HUGE = 16 * 1024 * 1024
WHOLE_LENGTH = "express-line-bytes"  # the header of a cut line: how long it is

_MARK = b"\xef\xbb\xbf"  # some editors begin a file with it


class Line(msgspec.Struct):
    """A record. Its offset is that of its first byte, so it stays the same whatever is read before."""

    topic: str
    offset: int
    value: bytes | None
    timestamp: int  # when it was read
    headers: Sequence[tuple[str, bytes]] = ()
    key: bytes | None = None
    partition: int = 0


class Lines:
    """Cuts a stream of bytes at newlines. Empty lines are left out. ``reach`` is the offset behind the last line that was given out."""

    def __init__(self, topic: str, offset: int = 0, huge: int = HUGE) -> None:
        self._topic, self._huge = topic, huge
        self.reach = offset  # = the offset of the first byte of ``_rest``
        self._rest = b""
        self._left_out = 0  # bytes of a huge line that are not in ``_rest``

    def feed(self, chunk: bytes) -> list[Line]:
        """The lines that ``chunk`` completes."""
        first, *others = chunk.split(b"\n")
        self._grow(first)
        if not others:
            return []
        lines = list(self._take(1))
        now = int(time.time() * 1000)
        self._rest = others.pop()
        offset = self.reach
        for value in others:
            if value and not value.isspace():
                lines.append(Line(self._topic, offset, value, now))
            offset += len(value) + 1
        self.reach = offset
        return lines

    def end(self) -> list[Line]:
        """The last line, when it has no newline."""
        return list(self._take(0))

    def _grow(self, part: bytes) -> None:
        room = self._huge - len(self._rest)
        self._rest += part[:room]
        self._left_out += max(0, len(part) - room)

    def _take(self, newline: int) -> Iterator[Line]:
        value, left_out, offset = self._rest, self._left_out, self.reach
        self.reach += len(value) + left_out + newline
        self._rest, self._left_out = b"", 0
        if offset == 0:
            value = value.removeprefix(_MARK)
        if value and not value.isspace():
            headers = ((WHOLE_LENGTH, b"%d" % (len(value) + left_out)),) if left_out else ()
            yield Line(self._topic, offset, value, int(time.time() * 1000), headers)
