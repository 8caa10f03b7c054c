"""Messages in, executions, results and dead letters, commits out: the at-least-once promise is kept here.

**A record's offset is committed only when its execution ended and its result, or its dead letter, was acknowledged.** In full, an offset
gets behind a committed position on these paths and no other:

1. its execution SUCCEEDED, its output was put into the result sink, and the sink acknowledged it; without a result sink the end of the
   execution counts as its acknowledgement
2. its execution FAILED or TIMED_OUT, or it never became one (poison), its dead letter was put into the dead-letter sink, and that sink
   acknowledged it
3. as 1, but the result sink rejected the output for good (too large): a dead letter says so, and 2 holds
4. a former owner did 1, 2 or 3, and the committed metadata says so (``Tracker.deliver`` skips it)
5. there never was such a record: gaps between the delivered offsets
6. the pipeline's filter does not let it through
7. the same event was completed before, and its result was acknowledged

All of 1 to 3, 6 and 7 end in ``Endings._finish``, the one place that calls ``Tracker.finish`` (a batch: for all its records); every commit
is made by ``Committer._send``, the one place that calls ``Source.commit``, from ``Tracker.position``, which never passes an offset that is
not finished. ABORTED executions, dead letters that were rejected, failures without a dead letter, and what an assignment ends after it was
fenced do not finish anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from express.batches import Batcher
from express.committer import Committer
from express.dead_letter_limit import DeadLetterLimit
from express.dedup.window import Remembered, Window
from express.endings import Endings
from express.errors import PipelineStopped
from express.evaluation import Evaluation, Workload
from express.executor import Executor
from express.filtering import Filter
from express.gate import Gate
from express.lane import Lane
from express.observers.pipeline import PipelineMetrics
from express.pipes import Pipe
from express.room import Room, size_of
from express.runtime.context import Message, records_of
from express.runtime.limits import EXECUTION_SECONDS, PAYLOAD
from express.sinks import Sink
from express.sources import LEAVING, Assignment, EndOfSource, Source
from express.turns import Order, Turns

PATIENCE = 0.2  # seconds to wait for room before the source is paused; shorter than it takes a source to pause and resume
GLANCE = 0.05  # seconds between looks at what does not announce that it has room again
FLUSH = LEAVING / 2  # seconds for the last acknowledgements, should the drain deadline leave less
LAST_COMMIT = LEAVING / 2 - 0.5  # seconds for the commit after that
CLOSING = 3.0  # seconds for source and sinks to close

log = logging.getLogger("express")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds a pipeline: records and bytes in flight, bytes of one event, seconds of one execution, of a drain, between commits, and
    how many dead letters are too many."""

    records: int = 500
    bytes: int = 64 * 1024 * 1024
    payload: int = PAYLOAD
    execution: float = EXECUTION_SECONDS
    commit_every: float = 0.2
    drain: float = 20.0
    dead_letters: DeadLetterLimit | None = None


class Summary(msgspec.Struct, frozen=True):
    """What became of the records of one run. ``abandoned`` were taken and not finished: they come again."""

    records: int
    results: int
    dead_letters: int
    abandoned: int
    ended: Literal["end of source", "stopped"]


class Dispatcher:
    """One pipeline: takes records while there is room, runs each once per assignment, and commits what is finished and acknowledged.

    ``run`` is the whole life: start, main loop, drain, stop. ``stop`` ends the main loop, as do the end of a finite source and a failure.
    Everything happens on one event loop; nothing costs a task, a timer or a log line per event.
    """

    def __init__(
        self,
        name: str,
        program: Workload,
        source: Source,
        sink: Sink | None,
        dead_letter: Sink | None,
        executor: Executor,
        metrics: PipelineMetrics,
        limits: Limits | None = None,
        kind: str = "memory",
        order: Order = "unordered",
        pipe: Pipe | None = None,
        memory: Remembered | None = None,
    ) -> None:
        self.name, self.source, self.metrics = name, source, metrics
        self.limits = limits = limits or Limits()
        self._executor, self._bindings = executor, program.bindings
        self._lanes: dict[Assignment, Lane] = {}
        self._room = Room(limits.records, limits.bytes, metrics, self._busy)
        pipe = pipe or Pipe()
        self._endings = Endings(
            name, program, sink, dead_letter, metrics, executor.clock, kind, self._release, self._fail, limits.dead_letters,
            batched=pipe.batch is not None,
        )  # fmt: skip
        self._batched = pipe.batch is not None
        self._gate = None if pipe.filter is None else Gate(Filter(pipe.filter, kind, limits.payload), self._endings, metrics)
        self._window: Window | None = None
        if memory is not None:
            self._window = Window(memory, self._endings, metrics, self._run_soon, lambda: self._over, self._fail, order)
            self._endings.remember = self._window.ended
        self._batcher: Batcher | None = None
        if pipe.batch is not None:
            self._batcher = Batcher(pipe.batch, limits.payload, self._endings, self._run_one, by_key=order == "key")
        # A program that never waits runs one after the other as it is, unless what failed is tried again later
        in_turn = order != "unordered" and pipe.retry is not None
        self._evaluation = Evaluation(program, executor, self._endings, limits.payload, limits.execution, kind, pipe.retry, in_turn)
        metrics.reruns = self._evaluation.reruns
        self._order: Order = "unordered" if program.plain and not in_turn else order
        self._committer = Committer(name, source, self._lanes, metrics, self._fail)
        self._stopping = False
        self._failure: Exception | None = None
        self._started = False
        self._paused = False
        self._abandoned = 0
        self._noticed: asyncio.Future[None] | None = None  # what somebody who waits for progress waits for

    # --- Life -----------------------------------------------------------------------------------------------------------------

    async def run(self) -> Summary:
        """Start, main loop, shutdown. Raises ConnectionFailed when something cannot be reached, PipelineStopped when the promise could
        only be kept by stopping; everything that finished before is committed then, too."""
        await self._startup()
        self._committer.start(self.limits.commit_every)
        finite = False
        try:
            try:
                finite = await self._main_loop()
            except Exception as error:
                self._fail(error)
            await self._shutdown()
        except asyncio.CancelledError:  # out at once: nothing is waited for, nothing more is committed
            self._committer.stop()
            self._fence(list(self._lanes))
            await self._in_time(CLOSING, *(each.stop() for each in self._parts()))
            raise
        if self._failure is not None:
            raise self._failure
        return Summary(
            self.metrics.source_records,
            self.metrics.results,
            self.metrics.dead_letters,
            self._abandoned,
            "end of source" if finite else "stopped",
        )

    def stop(self) -> None:
        """Takes no more; ``run`` drains, commits and returns. May be called at any time, more than once."""
        self._stopping = True
        self._notice()

    @property
    def started(self) -> bool:
        """Connected: records may have been taken."""
        return self._started

    def ready(self) -> bool:
        """Sinks connected, group joined."""
        return self._started and self.source.ready() and all(sink.ready() for sink in self._endings.sinks())

    async def _startup(self) -> None:
        """Sinks first: nothing is taken before it can be written."""
        try:
            await self._endings.start()
            if self._window is not None:
                await self._window.start()
            await self.source.start(self)
        except BaseException:
            await self._in_time(CLOSING, *(each.stop() for each in self._parts()))
            for sink in self._endings.sinks():
                sink.forget()
            raise
        self._started = True

    async def _main_loop(self) -> bool:
        """Until somebody stops it, something fails, or everything of a finite source is done: then True."""
        try:
            while not self._over:
                if self._room.closed():
                    await self._wait_for_room()
                    if self._room.closed() and not self._paused and not self._over:
                        self._paused = True
                        self.source.pause()
                    if not self._paused:
                        continue
                elif self._paused:
                    self._resume()
                limit = self._room.left()
                if self._order != "unordered":
                    limit = min(limit, self._look_for_crowds())
                await self._take(await self.source.fetch(limit))
                await self._take_held()
        except EndOfSource:
            if self._batcher is not None:
                await self._batcher.flush()
            while (self._room.records or any(lane.again for lane in self._lanes.values())) and not self._over:
                await self._progress(GLANCE)
                await self._take_held()
            return not self._over
        return False

    async def _shutdown(self) -> None:
        """In the order that keeps the promise: take no more, finish what is in flight, commit, close."""
        if self._room.records:
            log.info("%s: draining %d in flight", self.name, self._room.records)
        lanes = list(self._lanes.values())
        await self._drain(lanes)
        self._committer.stop()
        await self._committer.commit([lane.assignment for lane in lanes], LAST_COMMIT)
        self._fence([lane.assignment for lane in lanes])
        await self._in_time(CLOSING, *(each.stop() for each in self._parts()))
        self._started = False

    def _parts(self) -> list[Sink | Source | Window]:
        return [*self._endings.sinks(), self.source, *([] if self._window is None else [self._window])]

    @property
    def _over(self) -> bool:
        return self._stopping or self._failure is not None

    def _fail(self, error: Exception) -> None:
        """The first reason to stop counts."""
        if self._failure is None:
            log.error("%s: %s", self.name, str(error).removeprefix(f"{self.name}: "))
            self._failure = error
            self._notice()

    # --- Intake: what the source calls -------------------------------------------------------------------------------------------

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        for assignment in assignments:
            turns = Turns(self._order) if self._order != "unordered" else None
            self._lanes[assignment] = lane = Lane(assignment, self._evaluation.done, turns)
            lane.closing = self._over
            if self._batched:
                lane.prefix = None  # batches have names of their own

    async def revoked(self, assignments: Sequence[Assignment]) -> None:
        """Drain first, fence second: what finishes while draining is still ours to commit."""
        lanes = self._lanes_of(assignments)
        try:
            await self._drain(lanes)
            await self._committer.commit(assignments, LAST_COMMIT)
        except Exception as error:  # the client's rebalance must go on, whatever happens here
            self._fail(error)
        self._fence(assignments)

    async def suspended(self, assignments: Sequence[Assignment]) -> None:
        """As ``revoked``, but without an end: an execution of minutes would never end in a group that is rebalanced every minute."""
        try:
            await self._drain(self._lanes_of(assignments), suspended=True)
            await self._committer.commit(assignments, LAST_COMMIT)
        except Exception as error:
            self._fail(error)

    def resumed(self, assignments: Sequence[Assignment]) -> None:
        """Takes effect where records are taken: nothing that was taken before is on its way to its execution then."""
        for lane in self._lanes_of(assignments):
            lane.resuming = lane.suspended

    def lost(self, assignments: Sequence[Assignment]) -> None:
        for assignment in assignments:
            assignment.fenced = True
        for lane in self._lanes_of(assignments):
            lane.close()
            self._give_up_what_waits(lane)
            self._give_up_what_runs(lane)
        self._fence(assignments)

    def failed(self, error: Exception) -> None:
        self._fail(error)

    def _lanes_of(self, assignments: Iterable[Assignment]) -> list[Lane]:
        return [self._lanes[assignment] for assignment in assignments if assignment in self._lanes]

    async def _drain(self, lanes: Sequence[Lane], suspended: bool = False) -> None:
        """Takes no more of these, lets executions end within the drain deadline, gives up the rest if they are not just suspended, and
        waits for acknowledgements."""
        if self._batcher is not None:
            await self._batcher.flush(lanes)
        for lane in lanes:
            lane.close(suspended)
            self._give_up_what_waits(lane)
            if not lane.suspended:
                for pause in list(lane.pausing):
                    self._executor.abort(pause)
        self._notice()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (0.0 if self._endings.gone else self.limits.drain)
        while any(lane.busy() for lane in lanes) and not self._endings.gone and (remaining := deadline - loop.time()) > 0:
            await self._progress(remaining)
        for lane in lanes:
            if not lane.suspended:
                self._give_up_what_runs(lane)
        self._endings.hand_over()
        if any(lane.assignment.in_flight for lane in lanes) and not self._endings.gone:
            await self._in_time(max(FLUSH, deadline - loop.time()), self._flush())

    async def _flush(self) -> None:
        await self._endings.flush()
        if self._window is not None:
            await self._window.flush()

    def _give_up_what_waits(self, lane: Lane) -> None:
        waiting: list[Message] = []
        if self._batcher is not None:
            waiting += self._batcher.forget(lane)
        if lane.turns is not None:
            waiting += lane.turns.give_up()
        if self._window is not None:
            waiting += self._window.give_up(lane)
        if waiting:
            self._give_up(lane, waiting)

    def _give_up_what_runs(self, lane: Lane) -> None:
        for execution in list(lane.running):
            self._executor.abort(execution)

    def _give_up(self, lane: Lane, messages: Sequence[Message]) -> None:
        """These were delivered and do not run: they stay unfinished."""
        lane.give_up(messages)
        self._release(lane.assignment, messages)

    def _fence(self, assignments: Sequence[Assignment]) -> None:
        """From here on nothing of these is committed or counted."""
        for assignment in assignments:
            if (lane := self._lanes.pop(assignment, None)) is not None:
                lane.close()  # giving up an execution of it must not be the turn of the next one of its key
                self._give_up_what_runs(lane)
                self._give_up_what_waits(lane)  # what came to wait after the drain had begun is not in flight for ever
                if self._window is not None:
                    self._window.forget(assignment)
                self._abandoned += assignment.tracker.unfinished()
            assignment.fenced = True
        self._committer.measure()

    # --- Taking ---------------------------------------------------------------------------------------------------------------

    def _busy(self) -> bool:
        """Reasons to take nothing more although there is room: a task that could not begin another call, an offset map that is full."""
        return any(binding.saturated() for binding in self._bindings) or any(
            lane.held or (lane.again and not lane.closing) or lane.assignment.tracker.full for lane in self._lanes.values()
        )

    def _look_for_crowds(self) -> int:
        """What waits for its turn must not fill the room: when it is more than a quarter, partitions of which more than their share of that
        waits give way to the others. Returns how much may be fetched at once, such that three quarters are the most that ever wait: each
        partition comes over its share once."""
        room, records, size = self._room, max(1, self.limits.records // 4), self.limits.bytes // 4
        turns = [(assignment, lane.turns) for assignment, lane in self._lanes.items() if lane.turns is not None]
        room.waiting, room.waiting_bytes = sum(each.waiting for _, each in turns), sum(each.waiting_bytes for _, each in turns)
        parts = len(turns)
        crowded = parts > 1 and (room.waiting > records or room.waiting_bytes > size)
        for assignment, each in turns:
            assignment.crowded = crowded and (each.waiting * parts > records or each.waiting_bytes * parts > size)
        return room.part(4 * parts if crowded else 4)

    async def _wait_for_room(self) -> None:
        """Until there is room, for a moment: what ends within it is cheaper to wait for than to pause the source."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while self._room.closed() and not self._over and (remaining := until - loop.time()) > 0:
            await self._progress(min(GLANCE, remaining))
            await self._take_held()

    def _resume(self) -> None:
        self._paused = False
        self.source.resume()

    async def _take(self, batches: Mapping[Assignment, Sequence[Message]]) -> None:
        """Counts and runs what was fetched; the loop gets its turns in between."""
        if self._over:
            return
        for each in self._lanes.values():
            if each.resuming:
                each.go_on()
        # What was given up comes first, and what was fetched before that was known may only have the room that is left
        again = [each for each in self._lanes.values() if each.again and not each.closing]
        taken = [(each, self._deliver(each, batches.get(each.assignment, ()))) for each in again]
        for assignment, messages in batches.items():
            lane = self._lanes.get(assignment)
            if lane is None or lane.closing or lane in again:
                continue
            if again:
                lane.held, messages = [*lane.held, *messages], ()
            taken.append((lane, self._deliver(lane, messages)))
        for lane, messages in taken:
            if self._gate is not None:
                messages = await self._gate.through(lane, messages)
            if self._window is None:
                await self._run_all(lane, messages)
            else:
                async with self._window.taking:
                    await self._run_all(lane, await self._window.through(lane, messages))

    async def _run_all(self, lane: Lane, messages: Sequence[Message]) -> None:
        """In batches, or as they are."""
        if self._batcher is None:
            await self._run_each(lane, messages)
            return
        with self._batcher.beginning(lane):
            await self._run_each(lane, await self._batcher.gather(lane, messages))

    async def _run_each(self, lane: Lane, messages: Sequence[Message]) -> None:
        """One after the other; the loop gets its turns in between."""
        index = 0
        while index < len(messages):
            if self._over or lane.closing:
                self._give_up(lane, messages[index:])
                break
            index = self._evaluation.step(lane, messages, index)
            await asyncio.sleep(0)

    async def _take_held(self) -> None:
        """What was fetched and not delivered, or given up while its lane was suspended, as far as there is room for it now."""
        held = [assignment for assignment, lane in self._lanes.items() if lane.held or lane.resuming or (lane.again and not lane.closing)]
        if held:
            await self._take(dict.fromkeys(held, ()))

    async def _run_soon(self, lane: Lane, message: Message) -> None:
        """A record that waited outside of the batches."""
        if self._batcher is None:
            self._run_one(lane, message)
            return
        with self._batcher.beginning(lane):
            for each in await self._batcher.gather(lane, (message,)):
                self._run_one(lane, each)

    def _run_one(self, lane: Lane, message: Message) -> None:
        """Something that waited to begin: begins, or is given up."""
        if self._endings.gone or lane.closing or not self._evaluation.step(lane, (message,), 0):
            self._give_up(lane, (message,))

    def _deliver(self, lane: Lane, messages: Sequence[Message]) -> Sequence[Message]:
        """What of these is to be run, counted from here until it is acknowledged or given up."""
        if lane.held or lane.again:  # nothing that came later may pass them
            lane.held = [*lane.held, *messages]
            if lane.again:
                return self._deliver_again(lane)
            room = self._room.free()
            messages, lane.held = lane.held[:room], lane.held[room:]
        tracker, offsets = lane.assignment.tracker, [message.offset for message in messages]
        if (fits := tracker.room(offsets)) < len(offsets):
            lane.held, messages, offsets = [*messages[fits:], *lane.held], messages[:fits], offsets[:fits]
        try:
            finished = tracker.deliver(offsets)
        except ValueError as error:
            self._fail(PipelineStopped(f"{self.name}: {lane.assignment.topic}, partition {lane.assignment.partition}: {error}"))
            return ()
        if finished:
            messages = [message for message in messages if message.offset not in finished]
        self._count(lane, messages)
        self.metrics.source_records += len(messages)
        return messages

    def _deliver_again(self, lane: Lane) -> Sequence[Message]:
        """What was given up while its lane was suspended, as far as there is room: the tracker waits for it already."""
        room = self._room.free()
        messages, lane.again = lane.again[:room], lane.again[room:]
        self._count(lane, messages)
        return messages

    def _count(self, lane: Lane, messages: Sequence[Message]) -> None:
        """These are in flight now."""
        lane.assignment.in_flight += len(messages)
        self._room.take(len(messages), size_of(message.value for message in messages))

    def _release(self, assignment: Assignment, messages: Sequence[Message]) -> None:
        """Not in flight any more: finished, or given up."""
        if self._batched:
            messages = records_of(messages)
        assignment.in_flight -= len(messages)
        self._room.give_back(len(messages), size_of(message.value for message in messages))
        if self._paused and not self._room.closed():
            self._resume()
        if self._noticed is not None:
            self._notice()

    # --- Waiting --------------------------------------------------------------------------------------------------------------

    def _notice(self) -> None:
        """Wakes everybody who waits for progress."""
        noticed, self._noticed = self._noticed, None
        if noticed is not None and not noticed.done():
            noticed.set_result(None)

    async def _progress(self, seconds: float | None) -> None:
        """Until something left the flight, the pipeline was stopped, or ``seconds`` have passed."""
        if self._noticed is None:
            self._noticed = asyncio.get_running_loop().create_future()
        await asyncio.wait({self._noticed}, timeout=seconds)

    async def _in_time(self, seconds: float, *steps: Coroutine[Any, Any, None]) -> None:
        """Runs the steps side by side; what takes longer is cancelled, what fails is logged."""
        tasks = [asyncio.ensure_future(step) for step in steps]
        try:
            done, late = await asyncio.wait(tasks, timeout=seconds)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            raise
        for task in late:
            log.warning("%s: gave up after %.1f s: %s", self.name, seconds, task.get_coro().__qualname__)  # type: ignore[union-attr]
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=0.1)
        for task in done:
            if (error := task.exception()) is not None:
                log.error("%s: while closing: %s", self.name, error, exc_info=error)
