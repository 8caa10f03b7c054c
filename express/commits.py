"""Which offset may be committed: pure, synchronous, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Position(NamedTuple):
    """What is committed: the first offset that is not finished, and the map of finished work beyond it ("" when there is none)."""

    offset: int
    metadata: str


class Tracker:
    """Offsets of one assignment, such that an unfinished offset is never committed."""

    def __init__(self, committed: int | None = None, metadata: str = "") -> None:
        """``committed`` is the group's committed offset (None: nothing yet), ``metadata`` what was committed with it (malformed = replay)."""

    def deliver(self, offsets: Sequence[int]) -> Sequence[int]:
        """Records offsets as delivered, ascending; returns those that were finished before a restart and must be skipped (usually none)."""
        raise NotImplementedError

    def finish(self, offsets: Iterable[int]) -> None:
        """Marks delivered offsets as finished *and acknowledged*, in any order."""
        raise NotImplementedError

    def position(self) -> Position | None:
        """What may be committed now, or None when nothing changed since the last ``committed``."""
        raise NotImplementedError

    def committed(self, position: Position) -> None:
        """``position`` was committed successfully."""
        raise NotImplementedError

    def unfinished(self) -> int:
        """How many delivered offsets are not finished."""
        raise NotImplementedError
