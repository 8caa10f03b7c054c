"""Records leased one by one in, each acknowledged when it is finished; what every source without offsets shares (queue, Redis, SQS).

A lease keeps a record from everybody else for a while. It is extended at a third of that while the record is in flight, so a long execution
keeps its record, and one whose process died is given to somebody else when the lease has run out. An acknowledgement carries the lease: one
that somebody else holds by now acknowledges nothing.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

import msgspec

from express.commits import Position
from express.errors import ConnectionFailed
from express.runtime.context import Message
from express.sources import Assignment, Intake, Source

FETCH_SECONDS = 0.2  # how long a fetch waits when there is nothing
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds between two attempts to receive
UNACKNOWLEDGED = 20_000  # finished records whose acknowledgement does not succeed, from which on no more are taken
CLOSING = 2.0  # seconds to give back what is not finished

log = logging.getLogger("express")


class Leased(msgspec.Struct, gc=False):
    """A record. ``id`` is what it is called at its source, ``offset`` the number of this delivery, ``receives`` how often it was given out
    (0: not known)."""

    topic: str
    id: str
    value: bytes | None
    timestamp: int
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    receives: int = 0
    offset: int = -1
    partition: int = 0


Lease = TypeVar("Lease")  # what a source needs to acknowledge, extend or give back a record; hashable


class Leases(Generic[Lease]):
    """The ``Tracking`` of leased records, by the numbers of their deliveries.

    A record is held from its delivery until it is acknowledged at the source, or known to be lost: leased to somebody else by now, given
    back. ``settled`` is called when records were finished, or (then with True) are to be given back.
    """

    __slots__ = ("_finished", "_refused", "_total", "full", "held", "settled")

    def __init__(self, settled: Callable[[Collection[int], bool], None] = lambda offsets, refused: None) -> None:
        self.held: dict[int, Lease] = {}
        self._finished: dict[int, None] = {}  # in order, waiting for their acknowledgement
        self._refused: dict[int, None] = {}  # in order, waiting to be given back
        self._total = 0  # records finished or refused, ever
        self.full = False
        self.settled = settled

    def room(self, offsets: Sequence[int]) -> int:
        return len(offsets)

    def deliver(self, offsets: Sequence[int]) -> Collection[int]:
        """Those that were lost before they were begun need not be run: somebody else has them."""
        return [offset for offset in offsets if offset not in self.held]

    def finish(self, offsets: Collection[int]) -> None:
        held = self.held
        self._finished.update((offset, None) for offset in offsets if offset in held and offset not in self._refused)
        self._changed(offsets, False)

    def refuse(self, offsets: Collection[int]) -> None:
        """These are not to be acknowledged but given back, so that their source decides what becomes of them. ``finish`` after it does
        nothing."""
        held = self.held
        self._refused.update((offset, None) for offset in offsets if offset in held)
        self._changed(offsets, True)

    def _changed(self, offsets: Collection[int], refused: bool) -> None:
        self._total += len(offsets)
        self.full = len(self._finished) + len(self._refused) > UNACKNOWLEDGED
        self.settled(offsets, refused)

    def position(self) -> Position | None:
        return Position(self._total, "") if self._finished or self._refused else None

    def committed(self, position: Position) -> None:
        """Nothing: what was acknowledged was ``dropped``."""

    def finished(self) -> list[int]:
        return list(self._finished)

    def refused(self) -> list[int]:
        return list(self._refused)

    def drop(self, offsets: Iterable[int]) -> None:
        """Not held any more: acknowledged, given back, or lost."""
        for offset in offsets:
            self.held.pop(offset, None)
            self._finished.pop(offset, None)
            self._refused.pop(offset, None)
        self.full = len(self._finished) + len(self._refused) > UNACKNOWLEDGED

    def unfinished(self) -> int:
        return len(self.held) - len(self._finished) - len(self._refused)

    def behind(self) -> int:
        return len(self.held)


class Failing:
    """Says once that something fails for now, and once that it works again."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._failing = False

    def failed(self, error: BaseException) -> None:
        if not self._failing:
            log.error("%s: %s; trying again", self._what, str(error) or type(error).__name__)
        self._failing = True

    def worked(self) -> None:
        if self._failing:
            log.info("%s works again", self._what)
        self._failing = False


class LeaseSource(Source, Generic[Lease]):
    """One endless partition of leased records. Its parts say how records are received, acknowledged, extended and given back; they raise
    ``transient`` for what may work the next time, ConnectionFailed for what cannot go on.

    At most one ``_receive`` is under way; it is given no more than there is room for, so what is held is what is in flight, and what
    arrived while the pipeline paused.
    """

    transient: tuple[type[BaseException], ...] = (OSError,)

    def __init__(self, topic: str, name: str, lease_seconds: float) -> None:
        self.topic, self.name, self.lease_seconds = topic, name, lease_seconds
        self.leases: Leases[Lease] = Leases(self._settled)
        self.assignment = Assignment(topic, 0, self.leases, identified=True)
        self._under_way: Collection[int] = ()  # what is being acknowledged right now
        self._buffer: deque[Leased] = deque()
        self._receiving: asyncio.Task[None] | None = None
        self._extending: asyncio.Task[None] | None = None
        self._deliveries = 0
        self._paused = self._started = self._stopped = False
        self._pause = 0.0  # before the next attempt to receive; 0 while all is well
        self._news = asyncio.Event()
        self._intake: Intake | None = None
        self._for_now: tuple[type[BaseException], ...] = (*self.transient, ConnectionFailed)  # receiving says what cannot go on
        self._reading, self._acknowledging, self._keeping = (
            Failing(f"{name}: {what}") for what in ("receiving", "acknowledging", "extending leases")
        )

    # --- What a kind of source says -----------------------------------------------------------------------------------------------

    @abstractmethod
    async def _connect(self) -> None:
        """Raises ConnectionFailed with one sentence."""

    @abstractmethod
    async def _receive(self, limit: int) -> Sequence[tuple[Leased, Lease]]:
        """Leases at most ``limit`` records; may wait for some (longer than a fetch does). Cancelled by ``stop`` only."""

    @abstractmethod
    async def _acknowledge(self, leases: Mapping[int, Lease]) -> Collection[int]:
        """Removes records for good; returns those that need no other attempt: done, or no longer ours."""

    @abstractmethod
    async def _extend(self, leases: Mapping[int, Lease]) -> Collection[int]:
        """From now on each lasts for ``lease_seconds`` again; returns those that are lost."""

    @abstractmethod
    async def _give_back(self, leases: Mapping[int, Lease]) -> None:
        """Lets others have these at once."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Also called when ``_connect`` failed or was never called. Bounded in time."""

    # --- The contract -------------------------------------------------------------------------------------------------------------

    async def start(self, intake: Intake) -> None:
        self._intake = intake
        await self._connect()
        self._started = True
        self._extending = asyncio.create_task(self._keep(), name=f"express-leases-{self.topic}")
        intake.assigned([self.assignment])

    async def fetch(self, limit: int) -> Mapping[Assignment, Sequence[Message]]:
        self._news.clear()
        if not self._paused and not (taken := self._take(limit)):
            if self._receiving is None and len(self._buffer) < limit:
                self._receiving = asyncio.create_task(self._fill(limit), name=f"express-receiving-{self.topic}")
                self._receiving.add_done_callback(lambda _: self._news.set())
            await self._wait()
            self._look()
            taken = () if self._paused else self._take(limit)
            return {self.assignment: taken} if taken else {}
        if self._paused:
            await self._wait()
            return {}
        return {self.assignment: taken}

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(FETCH_SECONDS):
                await self._news.wait()

    def _look(self) -> None:
        """What became of the receiving; raises what it cannot go on after."""
        if self._receiving is not None and self._receiving.done():
            done, self._receiving = self._receiving, None
            done.result()

    async def _fill(self, limit: int) -> None:
        """Receives once, into the buffer; what fails for now is tried again later."""
        if self._pause:
            await asyncio.sleep(self._pause)
        try:
            received = await self._receive(limit)
        except self.transient as error:
            self._reading.failed(error)
            self._pause = min(max(FIRST_PAUSE, self._pause * 2), LONGEST_PAUSE)
            return
        self._pause = 0.0
        self._reading.worked()
        for record, lease in received:
            record.offset = self._deliveries
            self._deliveries += 1
            self.leases.held[record.offset] = lease
            self._buffer.append(record)

    def _take(self, limit: int) -> Sequence[Leased]:
        """The next records of the buffer that may be begun."""
        return [self._buffer.popleft() for _ in range(min(limit, len(self._buffer)))]

    def _settled(self, offsets: Collection[int], refused: bool) -> None:
        """Records were finished, or refused."""

    async def _refuse(self, leases: Mapping[int, Lease]) -> None:
        """As ``_give_back``, for what failed."""
        await self._give_back(leases)

    async def commit(self, positions: Mapping[Assignment, Position]) -> Sequence[Assignment]:
        """Acknowledges what is finished, gives back what was refused."""
        if self.assignment.fenced or self.assignment not in positions:
            return []
        whole = True
        finished, refused = self.leases.finished(), self.leases.refused()
        try:
            if finished:
                self._under_way = frozenset(finished)
                try:
                    done = await self._acknowledge(self._of(finished))
                finally:
                    self._under_way = ()
                self.leases.drop(done)
                whole = len(done) == len(finished)
            if refused := [offset for offset in refused if offset in self.leases.held]:  # leases may have run out meanwhile
                await self._refuse(self._of(refused))
                self.leases.drop(refused)
        except self._for_now as error:
            self._acknowledging.failed(error)
            return []
        self._acknowledging.worked()
        return [self.assignment] if whole else []

    def _of(self, offsets: Iterable[int]) -> dict[int, Lease]:
        return {offset: self.leases.held[offset] for offset in offsets}

    async def _keep(self) -> None:
        """Extends what is held, at a third of a lease, counted from when the last extension that succeeded began. One that fails, or is
        not answered within a third, is tried again at once: waiting another third would let the leases run out after a single one."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self.lease_seconds / 3
        while True:
            await asyncio.sleep(max(due - loop.time(), self.lease_seconds / 60))
            due = loop.time() + self.lease_seconds / 3
            if not self.leases.held:
                continue
            try:
                async with asyncio.timeout(self.lease_seconds / 3):
                    lost = await self._extend(dict(self.leases.held))
            except self._for_now as error:
                self._keeping.failed(error)
                due = loop.time()
                continue
            except Exception as error:  # a defect: without leases there would be duplicates for ever, and nobody would know why
                if self._intake is not None:
                    self._intake.failed(error)
                raise
            self._keeping.worked()
            # Acknowledged meanwhile is not lost. Nor is what is being acknowledged: it may be gone because of that, which the answer to the
            # acknowledgement says; that of the extension may come first
            if lost := [offset for offset in lost if offset in self.leases.held and offset not in self._under_way]:
                self._lose(lost)

    def _lose(self, offsets: Collection[int]) -> None:
        self.lost += len(offsets)
        log.warning(
            "%s: the leases of %d records ran out while they were in flight: they are run again, here or by somebody else",
            self.name,
            len(offsets),
        )
        self.leases.drop(offsets)

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._news.set()

    async def stop(self) -> None:
        self._stopped = True
        tasks = {task for task in (self._receiving, self._extending) if task is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSING)
        for task in tasks:
            if task.done() and not task.cancelled():
                task.exception()
        if self._started:
            self._started = False
            try:
                async with asyncio.timeout(CLOSING):
                    await self._give_back(dict(self.leases.held))
            except Exception as error:
                log.debug("%s: giving back: %r", self.name, error)
            self.leases.drop(list(self.leases.held))
            self._buffer.clear()
        await self._disconnect()

    def ready(self) -> bool:
        return self._started and not self._pause
