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
from typing import TypeVar

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

POLL = 0.5  # seconds between two looks at what somebody else runs
AGAIN = 0.5  # seconds until a store that did not answer is asked again
FEW = 16  # expressions evaluated between two turns of the loop

log = logging.getLogger("express")
T = TypeVar("T")


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
    ) -> None:
        self._settings, self._key_of, self._store = memory.settings, memory.key_of, memory.store
        self._endings, self._metrics, self._run, self._over, self._fail = endings, metrics, run, over, fail
        self._held: dict[tuple[Assignment, int], bytes] = {}
        self._ours: set[bytes] = set()  # claimed, or being claimed
        self._waiting: dict[bytes, deque[tuple[Lane, Message]]] = {}
        self._ended: list[tuple[Sequence[Entry], bool]] = []
        self._given_back: list[bytes] = []
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self._store.start()
        self._tasks = [asyncio.create_task(each()) for each in (self._write, self._renew, self._ask)]
        for task in self._tasks:
            task.add_done_callback(self._broken)

    def _broken(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._fail(error)

    # --- Before the workflow ------------------------------------------------------------------------------------------------------

    async def through(self, lane: Lane, messages: Sequence[Message]) -> Sequence[Message]:
        """What is to be run now, in its order; duplicates are finished, the rest waits."""
        passed: list[Message] = []
        asked: dict[bytes, Message] = {}
        for number, message in enumerate(messages):
            if number % FEW == FEW - 1:
                await asyncio.sleep(0)
            key = self._key_of(message)
            if key is None:
                passed.append(message)
            elif key in self._ours or key in asked or key in self._waiting:
                self._waiting.setdefault(key, deque()).append((lane, message))
            else:
                asked[key] = message
                self._ours.add(key)
        if not asked:
            return passed
        answers = await self._claims(list(asked))
        if answers is None:  # the pipeline is over: the caller gives them up
            self._ours.difference_update(asked)
            return [*passed, *asked.values()]
        for (key, message), answer in zip(asked.items(), answers, strict=True):
            if answer is Claim.OURS:
                self._held[lane.assignment, message.offset] = key
                passed.append(message)
            elif answer is Claim.DONE:
                self._ours.discard(key)
                self._duplicate(lane, message)
                self._duplicates(key)
            else:
                self._ours.discard(key)
                self._waiting.setdefault(key, deque()).appendleft((lane, message))
        passed.sort(key=lambda message: message.offset)
        return passed

    def give_up(self, lane: Lane) -> list[Message]:
        """All of a lane that wait: they will not run here."""
        found = [message for queue in self._waiting.values() for owner, message in queue if owner is lane]
        for key, queue in list(self._waiting.items()):
            kept = deque(each for each in queue if each[0] is not lane)
            if kept:
                self._waiting[key] = kept
            else:
                del self._waiting[key]
        return found

    def _duplicate(self, lane: Lane, message: Message) -> None:
        self._metrics.duplicates += self._endings.pass_over(lane.assignment, (message,))

    def _duplicates(self, key: bytes) -> None:
        for lane, message in self._waiting.pop(key, ()):
            self._duplicate(lane, message)

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
                    self._held[lane.assignment, message.offset] = key
                    await self._run(lane, message)
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
