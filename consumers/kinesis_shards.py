"""The shards of a stream and what is known of them in, which of them may be read now and whose share they are out. Pure, no I/O.

A shard that was split or merged is closed, and its children go on with the same keys: they are begun when all of their parents were read to
the end and everything of them is finished.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from consumers.kinesis_store import WORKER, Row


class Shard(NamedTuple):
    """``number``: of its name, which is what its partition is called. ``open``: it may still grow."""

    name: str
    number: int
    parents: tuple[str, ...]
    open: bool


def shard_of(found: Mapping[str, Any]) -> Shard:
    """A shard as ListShards says it."""
    name: str = found["ShardId"]
    digits = name.rpartition("-")[2]
    parents = tuple(found[each] for each in ("ParentShardId", "AdjacentParentShardId") if found.get(each))
    open_ = not found.get("SequenceNumberRange", {}).get("EndingSequenceNumber")
    return Shard(name, int(digits) if digits.isdecimal() else 0, parents, open_)


def readable(shards: Iterable[Shard], rows: Mapping[str, Row]) -> list[Shard]:
    """Those that are not done, and whose parents are (a parent that retention has removed is done, too); the oldest first."""
    shards = list(shards)
    names = {shard.name for shard in shards}

    def done(name: str) -> bool:
        return name not in names or (name in rows and rows[name].done)

    found = [shard for shard in shards if not done(shard.name) and all(map(done, shard.parents))]
    return sorted(found, key=lambda shard: (shard.number, shard.name))


def quota(shards: int, workers: Sequence[str], me: str) -> int:
    """How many of the shards are mine, so that everybody has as many as the others, or one more."""
    everybody = sorted({*workers, me})
    least, more = divmod(shards, len(everybody))
    return least + (everybody.index(me) < more)


class Watch:
    """Whose beats stand still: for how long by our own clock."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._seen: dict[str, tuple[str, int, int, float]] = {}  # shard -> owner, fence, beat, since when

    def look(self, rows: Iterable[Row], now: float) -> None:
        """Called with all rows, more often than a lease lasts."""
        seen = self._seen
        self._seen = {}
        for row in rows:
            state = (row.owner, row.fence, row.beat)
            before = seen.get(row.shard)
            self._seen[row.shard] = before if before is not None and before[:3] == state else (*state, now)

    def silent(self, row: Row, now: float) -> bool:
        """Whether nothing was heard of the row's owner for as long as a lease lasts."""
        seen = self._seen.get(row.shard)
        return seen is not None and now - seen[3] > self.seconds

    def workers(self, rows: Iterable[Row], now: float) -> list[str]:
        """Those that live."""
        return [row.shard for row in rows if row.shard.startswith(WORKER) and not self.silent(row, now)]

    def gone(self, rows: Iterable[Row], now: float) -> list[str]:
        """Workers that nothing was heard of for so long that they are not coming back."""
        return [
            row.shard
            for row in rows
            if row.shard.startswith(WORKER) and (seen := self._seen.get(row.shard)) and now - seen[3] > 10 * self.seconds
        ]
