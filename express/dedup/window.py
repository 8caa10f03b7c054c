"""Records in, those out that are to be run here; the results that were acknowledged in, and only then finished records out.

A record is claimed before its execution begins. Its claim becomes *done* after its result was acknowledged and before its offset is
finished; a failed one's is given back. A process that dies leaves claims that run out: then the record runs again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeAlias, TypeVar

import msgspec

from express.dedup import Dedup
from express.dedup.keys import KeyOf
from express.dedup.stores import Claim, Store
from express.endings import Endings
from express.lane import Lane
from express.observers.pipeline import PipelineMetrics
from express.runtime.context import Message, records_of
from express.sinks import Entry
from express.sources import Assignment
from express.turns import Order

POLL = 0.5  # seconds between two looks at what somebody else runs
AGAIN = 0.5  # seconds until a store that did not answer is asked again
FEW = 16  # expressions evaluated between two turns of the loop

log = logging.getLogger("express")
T = TypeVar("T")
Place: TypeAlias = tuple[Lane, bytes | None]  # of what keeps an order: a lane, and a key where it is that of keys


class Remembered(msgspec.Struct, frozen=True):
    """A pipeline's memory, opened: what makes two records the same, and where that is kept."""

    settings: Dedup
    key_of: KeyOf
    store: Store


class Window:
    """What of a pipeline's records is claimed here, and what waits until it is known whether it has to run. What waits is in flight.

    ``run`` begins a record that waited, ``over`` says that nothing should begin any more.
    """

    def __init__(
        self,
        memory: Remembered,
        endings: Endings,
        metrics: PipelineMetrics,
        run: Callable[[Lane, Message], Awaitable[None]],
        over: Callable[[], bool],
        fail: Callable[[Exception], None],
        order: Order = "unordered",
    ) -> None:
        self._order = order
        self._settings, self._key_of, self._store = memory.settings, memory.key_of, memory.store
        self._endings, self._metrics, self._run, self._over, self._fail = endings, metrics, run, over, fail
        self._held: dict[tuple[Assignment, int], bytes] = {}
        self._ours: set[bytes] = set()  # claimed, or being claimed
        self._waiting: dict[bytes, deque[tuple[Lane, Message]]] = {}
        self._behind: dict[Place | None, deque[Message]] = {}  # what may not overtake what waits
        self._going_on: list[Place] = []
        self._next = asyncio.Event()
        self.taking = asyncio.Lock()  # held from when records are let through until they are begun: nothing that waited begins in between
        self._ended: list[tuple[Sequence[Entry], bool]] = []
        self._given_back: list[bytes] = []
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self._store.start()
        self._tasks = [asyncio.create_task(each()) for each in (self._write, self._renew, self._ask, self._go_on)]
        for task in self._tasks:
            task.add_done_callback(self._broken)

    def _broken(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._fail(error)

    # --- Before the workflow ------------------------------------------------------------------------------------------------------

    async def through(self, lane: Lane, messages: Sequence[Message]) -> Sequence[Message]:
        """What is to be run now, in its order; duplicates are finished, the rest waits. Where order matters, what comes after a record that
        waits, and may not overtake it, waits behind it, unclaimed: who waits holds nothing that somebody else could wait for."""
        asked: dict[bytes, Message] = {}
        keys: list[bytes | None] = []
        for number, message in enumerate(messages):
            if number % FEW == FEW - 1:
                await asyncio.sleep(0)
            # What was let through before, and given up while its partition was suspended, still has its claim
            key = None if (lane.assignment, message.offset) in self._held else self._key_of(message)
            keys.append(key)
            if key is None or key in self._ours or key in asked or key in self._waiting or self._place(lane, message) in self._behind:
                continue
            asked[key] = message
            self._ours.add(key)
        answers = await self._claims(list(asked)) if asked else []
        if answers is None:  # the pipeline is over: the caller gives them up
            self._ours.difference_update(asked)
            return messages
        answered = dict(zip(asked, answers, strict=True))
        if lane.closing:  # meanwhile: the caller gives them up, and whoever has the partition next must find them free
            self._give_back([key for key, answer in answered.items() if answer is Claim.OURS])
            self._ours.difference_update(key for key, answer in answered.items() if answer is not Claim.OURS)
            return messages
        passed: list[Message] = []
        for key, message in zip(keys, messages, strict=True):
            place = self._place(lane, message)
            answer = answered[key] if key is not None and asked.get(key) is message else None
            if key is not None and answer is Claim.DONE:
                self._ours.discard(key)
                self._duplicate(lane, message)
                self._duplicates(key)
            elif place in self._behind:
                if key is not None and answer is Claim.OURS:
                    self._give_back([key])
                elif key is not None and answer is not None:
                    self._ours.discard(key)
                self._behind[place].append(message)
            elif key is None:
                passed.append(message)
            elif answer is Claim.OURS:
                self._held[lane.assignment, message.offset] = key
                passed.append(message)
            else:
                waiting = self._waiting.setdefault(key, deque())
                if answer is None:
                    waiting.append((lane, message))
                else:
                    self._ours.discard(key)
                    waiting.appendleft((lane, message))
                if place is not None:
                    self._behind[place] = deque()
        return passed

    def _place(self, lane: Lane, message: Message) -> Place | None:
        """What keeps its order; None where there is none to keep."""
        if self._order == "unordered" or (self._order == "key" and message.key is None):
            return None
        return lane, message.key if self._order == "key" else None

    def _waits_no_more(self, lane: Lane, message: Message) -> None:
        """What waited is a duplicate, or was begun: what is behind it may go on."""
        if (place := self._place(lane, message)) is not None and place in self._behind:
            self._going_on.append(place)
            self._next.set()

    async def _go_on(self) -> None:
        """One after the other; what comes meanwhile goes behind them. Nothing overtakes."""
        while True:
            await self._next.wait()
            self._next.clear()
            going_on, self._going_on = self._going_on, []
            for place in going_on:
                queue = self._behind.get(place)
                while queue and not self._waits(place):
                    async with self.taking:
                        if self._over() or not queue or not await self._goes_on(place[0], queue):
                            break
                if queue is not None and not queue and self._behind.get(place) is queue and not self._waits(place):
                    del self._behind[place]

    def _waits(self, place: Place) -> bool:
        return any(self._place(lane, message) == place for queue in self._waiting.values() for lane, message in queue)

    async def _goes_on(self, lane: Lane, queue: deque[Message]) -> bool:
        """The next of what is behind: begun, a duplicate, or (False) it waits now."""
        message = queue.popleft()
        key = self._key_of(message)
        if key is None or lane.closing or (lane.assignment, message.offset) in self._held:
            await self._run(lane, message)
            return True
        if key in self._ours or key in self._waiting:
            self._waiting.setdefault(key, deque()).append((lane, message))
            return False
        self._ours.add(key)
        answers = await self._claims([key])
        if answers is None:
            self._ours.discard(key)
            queue.appendleft(message)
            return False
        (answer,) = answers
        if answer is not Claim.OURS:
            self._ours.discard(key)
        if answer is Claim.TAKEN and not lane.closing:
            self._waiting.setdefault(key, deque()).appendleft((lane, message))
            if (place := self._place(lane, message)) is not None:
                self._behind.setdefault(place, queue)  # a drain may have taken it away, and the lane may have gone on since
            return False
        if answer is Claim.DONE:
            self._duplicate(lane, message)
            self._duplicates(key)
            return True
        self._begins(lane, message, key, answer)
        await self._run(lane, message)
        return True

    def _begins(self, lane: Lane, message: Message, key: bytes, answer: Claim) -> None:
        """What is run holds its claim; what is given up since its partition is leaving must not."""
        if answer is Claim.OURS:
            if lane.closing:
                self._give_back([key])
            else:
                self._held[lane.assignment, message.offset] = key

    def give_up(self, lane: Lane) -> list[Message]:
        """All of a lane that wait: they will not run here."""
        found = [message for queue in self._waiting.values() for owner, message in queue if owner is lane]
        for key, queue in list(self._waiting.items()):
            kept = deque(each for each in queue if each[0] is not lane)
            if kept:
                self._waiting[key] = kept
            else:
                del self._waiting[key]
        for place in [place for place in self._behind if place is not None and place[0] is lane]:
            behind = self._behind.pop(place)
            found += behind
            behind.clear()
        return found

    def _duplicate(self, lane: Lane, message: Message) -> None:
        self._metrics.duplicates += self._endings.pass_over(lane.assignment, (message,))

    def _duplicates(self, key: bytes) -> None:
        for lane, message in self._waiting.pop(key, ()):
            self._duplicate(lane, message)
            self._waits_no_more(lane, message)

    async def _claims(self, keys: list[bytes]) -> list[Claim] | None:
        while not self._over():
            try:
                return await self._store.claim(keys, self._settings.lease)
            except OSError as error:
                await self._complain(error)
        return None

    async def _ask(self) -> None:
        """What waits for somebody else is asked about again and again; what waited for one of ours that failed, soon."""
        while True:
            await asyncio.sleep(min(POLL, self._settings.lease / 3))
            keys = [key for key in self._waiting if key not in self._ours]
            if not keys or self._over():
                continue
            self._ours.update(keys)
            answers = await self._claims(keys) or [Claim.TAKEN] * len(keys)
            for key, answer in zip(keys, answers, strict=True):
                if answer is Claim.DONE:
                    self._duplicates(key)
                queue = self._waiting.get(key)
                if answer is Claim.OURS and queue:
                    lane, message = queue.popleft()
                    if not queue:
                        del self._waiting[key]
                    self._begins(lane, message, key, answer)
                    async with self.taking:
                        await self._run(lane, message)
                    self._waits_no_more(lane, message)
                elif answer is Claim.OURS:
                    self._give_back([key])
                else:
                    self._ours.discard(key)

    # --- After the workflow -------------------------------------------------------------------------------------------------------

    def ended(self, entries: Sequence[Entry], completed: bool) -> None:
        """Acknowledged: results (``completed``) or dead letters. They are finished once the store knows."""
        self._ended.append((entries, completed))
        self._wake()

    def forget(self, assignment: Assignment) -> None:
        """The assignment is gone; what of it is not finished may run elsewhere."""
        gone = [place for place in self._held if place[0] is assignment]
        self._give_back([self._held.pop(place) for place in gone])

    async def flush(self) -> None:
        await self._idle.wait()

    async def stop(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self.flush()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._store.stop()

    def _give_back(self, keys: list[bytes]) -> None:
        if keys:
            self._given_back += keys
            self._wake()

    def _wake(self) -> None:
        self._idle.clear()
        self._work.set()

    async def _write(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            ended, self._ended = self._ended, []
            given_back, self._given_back = self._given_back, []
            done: list[bytes] = []
            failed: list[bytes] = list(given_back)
            for entries, completed in ended:
                for entry in entries:
                    places = [(entry.assignment, record.offset) for record in records_of((entry.message,))]
                    (done if completed else failed).extend(self._held.pop(place) for place in places if place in self._held)
            if done:
                await self._until_written(lambda done=done: self._store.complete(done, self._settings.window))  # type: ignore[misc]
            if failed:
                await self._until_written(lambda failed=failed: self._store.release(failed))  # type: ignore[misc]
            self._ours.difference_update(done, failed)
            for entries, completed in ended:
                self._endings.settled(entries, completed)
            for key in done:
                self._duplicates(key)
            if not self._work.is_set():
                self._idle.set()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease / 3)
            if keys := list(self._ours):
                with suppress(OSError):  # the next time is early enough
                    await self._store.renew(keys, self._settings.lease)

    async def _until_written(self, write: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await write()
            except OSError as error:
                await self._complain(error)

    async def _complain(self, error: OSError) -> None:
        log.warning("the memory of a pipeline that looks for duplicates does not answer: %s", error)
        await asyncio.sleep(AGAIN)
