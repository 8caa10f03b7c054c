"""Where events come from: the contract between the dispatcher and everything under ``consumers/``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from express.commits import Position, Tracking
from express.runtime.context import Message


class Assignment:
    """One partition from the moment it is given to this process until it is taken away. A partition that comes back is a new Assignment,
    unless it was only suspended: what finishes late lands on an object nobody reads.

    ``tracker`` was made from the committed offset and its metadata. ``fenced`` is set when the partition is gone: nothing of it may be
    committed or counted any more. ``in_flight`` is the dispatcher's: records taken and not yet acknowledged; so is ``crowded``: so many of
    them wait for their turn that a source with several assignments gives out those of the others meanwhile. ``partitions`` is how many the
    topic has, 0 where that means nothing.

    A source without partitions and offsets, which leases records one by one and acknowledges each (a queue), has one Assignment for as long
    as it runs. Its offsets number the deliveries of this process, so a record that comes again is another one to everybody here; what it is
    to the world is its ``id`` (``identified``), which names its execution. Its tracker gathers what is finished, ``commit`` acknowledges
    that.
    """

    __slots__ = ("crowded", "fenced", "identified", "in_flight", "partition", "partitions", "topic", "tracker")

    def __init__(self, topic: str, partition: int, tracker: Tracking, identified: bool = False) -> None:
        self.topic, self.partition, self.tracker, self.identified = topic, partition, tracker, identified
        self.fenced = self.crowded = False
        self.in_flight = 0
        self.partitions = 0

    def __repr__(self) -> str:
        return f"<{self.topic}-{self.partition}{' fenced' if self.fenced else ''}>"


FETCH_SECONDS = 0.2  # how long a fetch waits when there is nothing,
CROWDED_SECONDS = 0.01  # and when there may be something of an assignment that is crowded just now


def fetch_seconds(assignments: Iterable[Assignment]) -> float:
    """How long a fetch that has nothing to give may wait."""
    return CROWDED_SECONDS if any(assignment.crowded for assignment in assignments) else FETCH_SECONDS


LEAVING = 6.0  # seconds after the drain deadline within which the last acknowledgements and the last commit arrive, or are given up


class Intake(Protocol):
    """What a source tells the dispatcher."""

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """Called when partitions were given to us, before the first of their records is fetched. Also when a source's position in a
        partition went back (the topic was made anew): then the old assignment is revoked and a new one is given."""

    async def revoked(self, assignments: Sequence[Assignment]) -> None:
        """Called when partitions are about to be taken away: drains them within the drain deadline, waits for the acknowledgement of what
        finished, commits through ``Source.commit``, and only then fences them. Takes at most the drain deadline and ``LEAVING`` seconds.
        Never raises. Not called by ``stop``."""

    async def suspended(self, assignments: Sequence[Assignment]) -> None:
        """As ``revoked``, where they may come back soon (a rebalance takes all partitions from everybody and gives most of them back): what
        runs longer than the drain deadline goes on, nothing new begins, and they are not fenced. ``resumed``, ``lost`` or ``revoked``
        follows."""

    def resumed(self, assignments: Sequence[Assignment]) -> None:
        """Called when suspended partitions came back, nothing of them was committed by anybody else, and they will be read on behind what
        was delivered last (``Tracker.delivered``)."""

    def lost(self, assignments: Sequence[Assignment]) -> None:
        """Called when partitions are somebody else's already, or their records are others now: fenced, and all that runs given up."""

    def failed(self, error: Exception) -> None:
        """Called when the source cannot go on (a fatal error of the client); the pipeline stops with this error's sentence."""


class Source(ABC):
    """Delivers records at least once and remembers what was committed.

    Lifecycle: ``start`` once, then ``fetch`` over and over from one task, ``commit`` one at a time (a tick's, or that of ``revoked``),
    ``stop`` once. A source object is not reused after ``stop``.
    """

    lost = 0  # leases (of records, of shards) that ran out or were taken by somebody else while records of them were in flight
    finite = False  # a finite source ends its run: ``fetch`` raises EndOfSource after its last record

    @abstractmethod
    async def start(self, intake: Intake) -> None:
        """Connects. Raises ConnectionFailed with one sentence (unreachable, no such topic, no permission)."""

    @abstractmethod
    async def fetch(self, limit: int) -> Mapping[Assignment, Sequence[Message]]:
        """The next records, at most ``limit``, each partition's in offset order; waits at most ``fetch_seconds`` and returns {} when none
        came. Of several assignments, those that are crowded are left out.

        Never cancelled by the caller. While paused it goes on being called, at least every second (a Kafka consumer must poll to stay in
        its group), and returns {}. Records of an assignment that is being revoked may still be returned; they are not taken. A record
        that was returned once is not returned again in the same assignment. Transient errors are handled inside (logged, retried);
        raises EndOfSource at the end of a finite source, ConnectionFailed when it cannot go on.
        """

    @abstractmethod
    async def commit(self, positions: Mapping[Assignment, Position]) -> Sequence[Assignment]:
        """Makes positions durable; returns the assignments for which that succeeded. A failure is logged, never raised: the next commit
        tries again, the tracker must not advance. Fenced assignments are left out just before sending. Bounded in time; the caller does
        not cancel it."""

    @abstractmethod
    def pause(self) -> None:
        """No more room: ``fetch`` returns {} from now on, buffered records are kept."""

    @abstractmethod
    def resume(self) -> None:
        """Room again. A ``fetch`` that waits may go on at once."""

    @abstractmethod
    async def stop(self) -> None:
        """Leaves and closes, bounded in time. The dispatcher has drained and committed before. Also called when ``start`` failed or was
        never called, and possibly while a last ``commit`` hangs. Never raises."""

    def lag(self) -> Mapping[tuple[str, int], int]:
        """Records behind the newest, for each partition held; as of the last fetch."""
        return {}

    def ready(self) -> bool:
        """Group joined (an empty assignment is ready too) or, for other sources, started."""
        return True


class EndOfSource(Exception):  # noqa: N818 - as StopIteration
    """Raised by ``fetch`` when a finite source has delivered everything."""
