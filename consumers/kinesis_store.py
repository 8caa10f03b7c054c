"""Who reads which shard, and how far it is done: the contract of the stores that remember it (``kinesis_sqlite``, ``kinesis_dynamodb``).

A shard has one row for each group. Its ``fence`` grows whenever its owner changes, and whatever an owner writes is written only where owner
and fence are still its own: somebody who was cut off, or stood still, can move nothing. Its ``beat`` grows whenever its owner shows that it
lives. No clock is compared with another machine's: a lease has run out when somebody has watched the beat stand still for as long.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence

import msgspec

WORKER = "worker/"  # what the rows of workers begin with: they say who is there to share the shards


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A shard. ``after``: the sequence number up to which everything is finished, "" = from its beginning, ``@MILLISECONDS`` = from this
    time. ``metadata``: what is finished beyond (``kinesis_progress``). ``done``: read to its end, and all of it is finished."""

    shard: str
    owner: str = ""
    fence: int = 0
    beat: int = 0
    after: str = ""
    metadata: str = ""
    done: bool = False


class Lease(msgspec.Struct, frozen=True):
    """The right to one shard, until somebody else takes it."""

    shard: str
    owner: str
    fence: int


class Checkpoint(msgspec.Struct, frozen=True):
    """How far a shard is done; the fields of a Row."""

    after: str
    metadata: str
    done: bool = False


class Store(ABC):
    """The rows of one group and stream. Every method raises ``transient`` for what may work the next time, ConnectionFailed for what an
    operator has to mend; what was asked for has happened as a whole for each row, or not at all."""

    transient: tuple[type[BaseException], ...] = (OSError,)

    @abstractmethod
    async def open(self) -> None:
        """Raises ConnectionFailed with one sentence."""

    @abstractmethod
    async def close(self) -> None:
        """Also called when ``open`` failed, or was never called. Bounded in time."""

    @abstractmethod
    async def rows(self) -> list[Row]:
        """All of them, those of workers too."""

    @abstractmethod
    async def add(self, rows: Sequence[Row]) -> None:
        """Those of whose shards there is no row yet."""

    @abstractmethod
    async def take(self, seen: Row, owner: str) -> Lease | None:
        """The shard's lease, if nothing has happened to the row since it was ``seen`` (fence 0: there was none); its position stays."""

    @abstractmethod
    async def renew(self, leases: Sequence[Lease]) -> Collection[Lease]:
        """One more beat for each; returns those that are lost."""

    @abstractmethod
    async def save(self, checkpoints: Mapping[Lease, Checkpoint]) -> Collection[Lease]:
        """Durable when it returns; returns those that were saved. The others are lost."""

    @abstractmethod
    async def release(self, leases: Sequence[Lease]) -> None:
        """Lets others have these at once."""

    @abstractmethod
    async def greet(self, worker: str) -> None:
        """A worker lives: its row is made, or has one more beat."""

    @abstractmethod
    async def forget(self, shards: Sequence[str]) -> None:
        """Removes rows."""
