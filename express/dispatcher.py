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

All of 1 to 3 end in ``_settle``, the one place that calls ``Tracker.finish``; every commit is made by ``_send_commit``, the one place that
calls ``Source.commit``, from ``Tracker.position``, which never passes an offset that is not finished. ABORTED executions, dead letters
that were rejected, failures without a dead letter, and what an assignment finishes after it was fenced do not finish anything.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any, Literal, Protocol

import msgspec

from express import dead_letters
from express.clock import Clock
from express.commits import Position
from express.dead_letters import Header
from express.errors import PipelineStopped
from express.executor import Executor, Runnable
from express.observers.metrics import BOUNDS, Histogram
from express.observers.pipeline import PipelineMetrics
from express.outcome import Outcome, unsuccessful
from express.room import Room, size_of
from express.runtime.context import Execution, Message, execution_name
from express.runtime.limits import EXECUTION_SECONDS, NAME_CHARACTERS, PAYLOAD
from express.runtime.values import dumps, loads
from express.sinks import Entry, Sink
from express.sources import LEAVING, Assignment, EndOfSource, Source

STINT = 0.010  # seconds of running events after which the loop gets a turn,
STINT_EVENTS = 500  # or so many events
PATIENCE = 0.2  # seconds to wait for room before the source is paused; shorter than it takes a source to pause and resume
GLANCE = 0.05  # seconds between looks at what does not announce that it has room again
FLUSH = LEAVING / 2  # seconds for the last acknowledgements, should the drain deadline leave less
LAST_COMMIT = LEAVING / 2 - 0.5  # seconds for the commit after that
CLOSING = 3.0  # seconds for source and sinks to close

log = logging.getLogger("express")


class Bound(Protocol):
    """The part of a Binding that decides about intake."""

    def saturated(self) -> bool: ...


class Workload(Runnable, Protocol):
    """The part of a Program that the dispatcher uses."""

    sha256: str
    seconds: float  # the longest execution, by its definition
    anonymous: bool  # ``evaluate`` never looks at the execution: None does for it

    @property
    def bindings(self) -> Sequence[Bound]: ...


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds a pipeline: records and bytes in flight, bytes of one event, seconds of one execution, of a drain, between commits."""

    records: int = 500
    bytes: int = 64 * 1024 * 1024
    payload: int = PAYLOAD
    execution: float = EXECUTION_SECONDS
    commit_every: float = 0.2
    drain: float = 20.0


class Summary(msgspec.Struct, frozen=True):
    """What became of the records of one run. ``abandoned`` were taken and not finished: they come again."""

    records: int
    results: int
    dead_letters: int
    abandoned: int
    ended: Literal["end of source", "stopped"]


class Lane:
    """One assignment as the dispatcher sees it. ``closing``: nothing more of it is taken or begun. ``running``: executions that wait for
    something."""

    __slots__ = ("assignment", "closing", "done", "prefix", "running")

    def __init__(self, assignment: Assignment, done: Callable[[Lane, Execution, Outcome], None]) -> None:
        self.assignment, self.closing = assignment, False
        self.running: set[Execution] = set()
        self.done = partial(done, self)
        prefix = f"{assignment.topic}-{assignment.partition}-"
        # With the largest offset the name is within AWS's limit, or it has to be hashed each time
        self.prefix = prefix.encode() if len(prefix) + 19 <= NAME_CHARACTERS else None


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
    ) -> None:
        self.name, self.program, self.source, self.executor, self.metrics = name, program, source, executor, metrics
        self.limits = limits or Limits()
        self.kind = kind
        self._clock: Clock = executor.clock
        self._sink, self._dead_letter = sink, dead_letter
        self._put = self._results_acknowledged if sink is None else sink.put
        self._dumps: Callable[[Any], bytes | None] = (lambda _: None) if sink is None else dumps
        self._workflow_header: Header = ("express-workflow", program.name.encode())
        self._seconds = min(self.limits.execution, program.seconds)
        self._room = Room(self.limits.records, self.limits.bytes, metrics, self._busy)
        self._lanes: dict[Assignment, Lane] = {}
        self._results: list[Entry] = []  # ended in this turn of the loop, not yet put into a sink
        self._letters: list[Entry] = []
        self._handing_over = False
        self._stopping = False
        self._failure: Exception | None = None
        self._sink_gone = False
        self._started = False
        self._paused = False
        self._abandoned = 0
        self._committing: asyncio.Task[None] | None = None
        self._noticed: asyncio.Future[None] | None = None  # what somebody who waits for progress waits for

    # --- Life -----------------------------------------------------------------------------------------------------------------

    async def run(self) -> Summary:
        """Start, main loop, shutdown. Raises ConnectionFailed when something cannot be reached, PipelineStopped when the promise could
        only be kept by stopping; everything that finished before is committed then, too."""
        await self._startup()
        committer = asyncio.create_task(self._commit_now_and_then(), name=f"express-commit-{self.name}")
        committer.add_done_callback(self._watch)
        finite = False
        try:
            try:
                finite = await self._main_loop()
            except Exception as error:
                self._fail(error)
            await self._shutdown(committer)
        except asyncio.CancelledError:  # out at once: nothing is waited for, nothing more is committed
            committer.cancel()
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
        return self._started and self.source.ready() and all(sink.ready() for sink in self._sinks())

    async def _startup(self) -> None:
        """Sinks first: nothing is taken before it can be written."""
        begun: list[Source | Sink] = []
        try:
            if self._sink is not None:
                begun.append(self._sink)
                await self._sink.start(self._results_acknowledged, self._result_rejected, self._sink_failed)
            if self._dead_letter is not None:
                begun.append(self._dead_letter)
                await self._dead_letter.start(self._letters_acknowledged, self._letter_rejected, self._sink_failed)
            begun.append(self.source)
            await self.source.start(self)
        except BaseException:
            await self._in_time(CLOSING, *(each.stop() for each in reversed(begun)))
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
                await self._take(await self.source.fetch(self._room.left()))
        except EndOfSource:
            while self._room.records and not self._over:
                await self._progress(None)
            return not self._over
        return False

    async def _shutdown(self, committer: asyncio.Task[None]) -> None:
        """In the order that keeps the promise: take no more, finish what is in flight, commit, close."""
        if self._room.records:
            log.info("%s: draining %d in flight", self.name, self._room.records)
        lanes = list(self._lanes.values())
        await self._drain(lanes)
        committer.cancel()
        await self._commit([lane.assignment for lane in lanes], LAST_COMMIT)
        self._fence([lane.assignment for lane in lanes])
        await self._in_time(CLOSING, *(each.stop() for each in self._parts()))
        self._started = False

    def _sinks(self) -> list[Sink]:
        return [sink for sink in (self._sink, self._dead_letter) if sink is not None]

    def _parts(self) -> list[Sink | Source]:
        return [*self._sinks(), self.source]

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
            self._lanes[assignment] = lane = Lane(assignment, self._done)
            lane.closing = self._over

    async def revoked(self, assignments: Sequence[Assignment]) -> None:
        """Drain first, fence second: what finishes while draining is still ours to commit."""
        lanes = [self._lanes[assignment] for assignment in assignments if assignment in self._lanes]
        try:
            await self._drain(lanes)
            await self._commit(assignments, LAST_COMMIT)
        except Exception as error:  # the client's rebalance must go on, whatever happens here
            self._fail(error)
        self._fence(assignments)

    def failed(self, error: Exception) -> None:
        self._fail(error)

    async def _drain(self, lanes: Sequence[Lane]) -> None:
        """Takes no more of these, lets executions end within the drain deadline, gives up the rest, waits for acknowledgements."""
        for lane in lanes:
            lane.closing = True
        self._notice()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (0.0 if self._sink_gone else self.limits.drain)
        while any(lane.running for lane in lanes) and not self._sink_gone and (remaining := deadline - loop.time()) > 0:
            await self._progress(remaining)
        for lane in lanes:
            for execution in list(lane.running):
                self.executor.abort(execution)
        self._hand_over()
        if any(lane.assignment.in_flight for lane in lanes) and not self._sink_gone:
            await self._in_time(max(FLUSH, deadline - loop.time()), self._flush())

    async def _flush(self) -> None:
        if self._sink is not None:
            await self._sink.flush()
        # A result that was rejected has become a dead letter
        self._hand_over()
        if self._dead_letter is not None:
            await self._dead_letter.flush()

    def _fence(self, assignments: Sequence[Assignment]) -> None:
        """From here on nothing of these is committed or counted."""
        for assignment in assignments:
            if self._lanes.pop(assignment, None) is not None:
                self._abandoned += assignment.tracker.unfinished()
            assignment.fenced = True
        self._count_commit_lag()

    # --- Taking ---------------------------------------------------------------------------------------------------------------

    def _busy(self) -> bool:
        """Reasons to take nothing more although there is room: a task that could not begin another call, an offset map that is full."""
        return any(binding.saturated() for binding in self.program.bindings) or any(each.tracker.full for each in self._lanes)

    async def _wait_for_room(self) -> None:
        """Until there is room, for a moment: what ends within it is cheaper to wait for than to pause the source."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while self._room.closed() and not self._over and (remaining := until - loop.time()) > 0:
            await self._progress(min(GLANCE, remaining))

    def _resume(self) -> None:
        self._paused = False
        self.source.resume()

    async def _take(self, batches: Mapping[Assignment, Sequence[Message]]) -> None:
        """Counts and runs what was fetched; the loop gets its turns in between."""
        if self._over:
            return
        taken: list[tuple[Lane, Sequence[Message]]] = []
        for assignment, messages in batches.items():
            lane = self._lanes.get(assignment)
            if lane is not None and not lane.closing and messages:
                taken.append((lane, self._deliver(lane, messages)))
        step = self._evaluate if self.program.plain else self._begin
        for lane, messages in taken:
            index = 0
            while index < len(messages):
                if self._over or lane.closing:
                    # Given up before they began: they stay unfinished
                    self._release(lane.assignment, messages[index:])
                    break
                index = step(lane, messages, index)
                await asyncio.sleep(0)

    def _deliver(self, lane: Lane, messages: Sequence[Message]) -> Sequence[Message]:
        """What of these is to be run, counted from here until it is acknowledged or given up."""
        try:
            finished = lane.assignment.tracker.deliver([message.offset for message in messages])
        except ValueError as error:
            self._fail(PipelineStopped(f"{self.name}: {lane.assignment.topic}, partition {lane.assignment.partition}: {error}"))
            return ()
        if finished:
            messages = [message for message in messages if message.offset not in finished]
        lane.assignment.in_flight += len(messages)
        self._room.take(len(messages), size_of(message.value for message in messages))
        self.metrics.source_records += len(messages)
        return messages

    def _release(self, assignment: Assignment, messages: Sequence[Message]) -> None:
        """Not in flight any more: finished (``_settle``), or given up."""
        assignment.in_flight -= len(messages)
        self._room.give_back(len(messages), size_of(message.value for message in messages))
        if self._paused and not self._room.closed():
            self._resume()
        if self._noticed is not None:
            self._notice()

    # --- Running --------------------------------------------------------------------------------------------------------------

    def _evaluate(self, lane: Lane, messages: Sequence[Message], index: int) -> int:
        """Runs a plain program on messages from ``index`` on until the loop should get a turn; returns where to go on. The hot path."""
        program, kind, clock, text, workflow = self.program, self.kind, self._clock, self._dumps, self._workflow_header
        evaluate, time, payload, seconds = program.evaluate, clock.time, self.limits.payload, self._seconds
        assignment, prefix, anonymous = lane.assignment, lane.prefix, program.anonymous
        results: list[Entry] = []
        result = results.append
        until = time() + STINT
        for message in messages[index : index + STINT_EVENTS]:
            now = time()
            if now >= until or self._failure is not None:
                break
            index += 1
            value = message.value
            if value is not None and len(value) > payload:
                self._too_large(lane, message)
                continue
            try:
                event = None if value is None else loads(value)
            except ValueError as error:
                self._poison(lane, message, dead_letters.UNDECODABLE, str(error))
                continue
            execution: Any = None if anonymous else Execution(program, event, now, now + seconds, message, kind, clock)
            try:
                output = text(evaluate(event, execution))
            except Exception as error:
                failed = execution or Execution(program, event, now, now + seconds, message, kind, clock)
                self._route(lane, message, unsuccessful(error, program, failed))
            else:
                name = execution_name(message).encode() if prefix is None else b"%b%d" % (prefix, message.offset)
                result(Entry(assignment, message, output, (("express-execution", name), workflow)))
        if results:
            self._put(results)
        if self._letters:
            self._hand_over()
        return index

    def _begin(self, lane: Lane, messages: Sequence[Message], index: int) -> int:
        """As ``_evaluate`` for a program that can wait: what has not ended by itself ends through ``_done``."""
        program, time, payload, seconds = self.program, self._clock.time, self.limits.payload, self._seconds
        until = time() + STINT
        for message in messages[index : index + STINT_EVENTS]:
            now = time()
            if now >= until or self._failure is not None:
                break
            index += 1
            value = message.value
            if value is not None and len(value) > payload:
                self._too_large(lane, message)
                continue
            try:
                event = None if value is None else loads(value)
            except ValueError as error:
                self._poison(lane, message, dead_letters.UNDECODABLE, str(error))
                continue
            execution = Execution(program, event, now, now + seconds, message, self.kind, self._clock)
            outcome = self.executor.start(program, event, execution, lane.done)
            if outcome is None:
                lane.running.add(execution)
            else:
                self._route(lane, message, outcome)
        self._hand_over()
        return index

    def _done(self, lane: Lane, execution: Execution, outcome: Outcome) -> None:
        """Called by the executor, once for each execution that waited."""
        lane.running.discard(execution)
        assert execution.message is not None
        self._route(lane, execution.message, outcome)
        self._hand_over_soon()

    def _route(self, lane: Lane, message: Message, outcome: Outcome) -> None:
        """Every way an execution can end: a result, a dead letter, or nothing."""
        if outcome.status == "SUCCEEDED":
            try:
                output = self._dumps(outcome.output)
            except Exception as error:
                self._bury(lane.assignment, message, Outcome("FAILED", None, "States.Runtime", f"the output cannot be written: {error}"))
            else:
                name = execution_name(message).encode() if lane.prefix is None else b"%b%d" % (lane.prefix, message.offset)
                self._results.append(Entry(lane.assignment, message, output, (("express-execution", name), self._workflow_header)))
        elif outcome.status == "ABORTED":
            self.metrics.aborted += 1
            self._release(lane.assignment, (message,))
        else:
            self._bury(lane.assignment, message, outcome)

    def _too_large(self, lane: Lane, message: Message) -> None:
        size = len(message.value or b"")
        self._poison(lane, message, dead_letters.TOO_LARGE, f"the event has {size:,} bytes, the limit is {self.limits.payload:,}")

    def _poison(self, lane: Lane, message: Message, error: str, cause: str) -> None:
        self.metrics.poison += 1
        self._bury(lane.assignment, message, Outcome("FAILED", None, error, cause))

    def _bury(self, assignment: Assignment, message: Message, outcome: Outcome) -> None:
        """A dead letter; without a place for it the pipeline stops, and the record stays unfinished."""
        if self._dead_letter is not None:
            found = dead_letters.headers(message, outcome, self.program, self.kind, self._clock.wall())
            self._letters.append(Entry(assignment, message, message.value, found))
            return
        self._release(assignment, (message,))
        self._fail(
            PipelineStopped(
                f"{self.name}: {dead_letters.sentence(message, outcome)}; there is no dead letter to put it into, "
                "so the pipeline stops and nothing past this record is committed"
            )
        )

    def _hand_over_soon(self) -> None:
        """All that end in this turn of the loop go into the sinks together."""
        if not self._handing_over:
            self._handing_over = True
            asyncio.get_running_loop().call_soon(self._hand_over)

    def _hand_over(self) -> None:
        """What has ended goes into the sinks, a batch each."""
        self._handing_over = False
        if self._results:
            results, self._results = self._results, []
            self._put(results)
        if self._letters and self._dead_letter is not None:
            letters, self._letters = self._letters, []
            self._dead_letter.put(letters)

    # --- What the sinks call --------------------------------------------------------------------------------------------------

    def _results_acknowledged(self, entries: Sequence[Entry]) -> None:
        self.metrics.results += self._settle(entries)

    def _letters_acknowledged(self, entries: Sequence[Entry]) -> None:
        self.metrics.dead_letters += self._settle(entries)

    def _result_rejected(self, entry: Entry, reason: str) -> None:
        self._bury(entry.assignment, entry.message, Outcome("FAILED", None, dead_letters.RESULT_REJECTED, reason))
        self._hand_over_soon()

    def _letter_rejected(self, entry: Entry, reason: str) -> None:
        """Never commit past a failure that nobody kept."""
        self._release(entry.assignment, (entry.message,))
        place = dead_letters.place(entry.message)
        self._fail(
            PipelineStopped(
                f"{self.name}: the dead letter of the record at {place} was rejected: {reason}; "
                "so the pipeline stops and nothing past this record is committed"
            )
        )

    def _sink_failed(self, error: Exception) -> None:
        """Nothing will be acknowledged any more, so there is nothing to wait for."""
        self._sink_gone = True
        self._fail(error)

    def _settle(self, entries: Sequence[Entry]) -> int:
        """Acknowledged: these are finished. Entries of fenced assignments only leave; returns how many counted."""
        wall, counted = self._clock.wall(), 0
        for assignment, group in groupby(entries, _ASSIGNMENT):
            messages = [entry.message for entry in group]
            if not assignment.fenced:
                assignment.tracker.finish([message.offset for message in messages])
                _observe(self.metrics.event_seconds, wall, [message.timestamp for message in messages])
                counted += len(messages)
            self._release(assignment, messages)
        return counted

    # --- Commits --------------------------------------------------------------------------------------------------------------

    async def _commit_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self.limits.commit_every)
            await self._commit(list(self._lanes), None)
            self._count_commit_lag()

    def _count_commit_lag(self) -> None:
        self.metrics.commit_lag = sum(assignment.tracker.behind() for assignment in self._lanes)

    async def _commit(self, assignments: Iterable[Assignment], patience: float | None) -> None:
        """Commits what these have finished. One commit at a time: a second waits for the first, for ``patience`` seconds, without a lock
        that a rebalance could find held by somebody who waits for the rebalance."""
        loop = asyncio.get_running_loop()
        until = None if patience is None else loop.time() + patience
        while self._committing is not None and not self._committing.done():
            if until is not None and loop.time() >= until:
                return
            await asyncio.wait({self._committing}, timeout=None if until is None else until - loop.time())
        self._committing = loop.create_task(self._send_commit(assignments), name=f"express-committing-{self.name}")
        self._committing.add_done_callback(self._watch)
        await asyncio.wait({self._committing}, timeout=None if until is None else max(0.0, until - loop.time()))

    async def _send_commit(self, assignments: Iterable[Assignment]) -> None:
        """1. Asks the trackers of what is still ours. 2. Sends. 3. Only what the source says it has committed counts as committed."""
        # 1
        positions: dict[Assignment, Position] = {}
        for assignment in assignments:
            if not assignment.fenced and (position := assignment.tracker.position()) is not None:
                positions[assignment] = position
        if not positions:
            return
        # 2
        committed = await self.source.commit(positions)
        # 3
        for assignment in committed:
            if not assignment.fenced:
                assignment.tracker.committed(positions[assignment])
        if committed:
            self.metrics.commits += 1

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

    def _watch(self, task: asyncio.Task[None]) -> None:
        """A task of ours that fails stops the pipeline."""
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._fail(error)

    async def _in_time(self, seconds: float, *steps: Coroutine[Any, Any, None]) -> None:
        """Runs the steps side by side; what takes longer is cancelled, what fails is logged."""
        tasks = {asyncio.ensure_future(step) for step in steps}
        done, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            log.warning("%s: gave up after %.1f s: %s", self.name, seconds, task.get_coro().__qualname__)  # type: ignore[union-attr]
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=0.1)
        for task in done:
            if (error := task.exception()) is not None:
                log.error("%s: while closing: %s", self.name, error, exc_info=error)


_ASSIGNMENT = attrgetter("assignment")


def _observe(histogram: Histogram, wall: float, timestamps: list[int]) -> None:
    """Seconds from the records' timestamps (milliseconds) until now, into one bucket at once where that is the same for all of them."""
    if min(timestamps) > 0:
        bucket = bisect_left(BOUNDS, wall - min(timestamps) / 1000)
        if bucket == bisect_left(BOUNDS, wall - max(timestamps) / 1000):
            histogram.counts[bucket] += len(timestamps)
            histogram.total[0] += max(0.0, wall * len(timestamps) - sum(timestamps) / 1000)
            return
    for timestamp in timestamps:
        if timestamp > 0:  # a record need not have one
            histogram.observe(max(0.0, wall - timestamp / 1000))
