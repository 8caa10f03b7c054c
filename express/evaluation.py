"""Messages in, executions: each run to its end, or begun; how it ended goes to the endings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from express import dead_letters
from express.endings import Endings
from express.executor import Executor, Runnable
from express.lane import Lane
from express.outcome import Outcome, unsuccessful
from express.reruns import Reruns, Retry
from express.runtime.context import Execution, Message
from express.runtime.decoding import Undecodable
from express.runtime.values import loads
from express.sinks import Entry
from express.turns import Turns

STINT = 0.010  # seconds of running events after which the loop gets a turn,
STINT_EVENTS = 500  # or so many events
NULL = b"null"  # what a tombstone is


class Bound(Protocol):
    """The part of a Binding that decides about intake."""

    def saturated(self) -> bool: ...


class Workload(Runnable, Protocol):
    """The part of a Program that a pipeline uses."""

    sha256: str
    seconds: float  # the longest execution, by its definition
    anonymous: bool  # ``process`` never looks at the execution: None does for it

    @property
    def process(self) -> Callable[[bytes, Execution | None], bytes]:
        """Of a plain program: an event's text to its output's; raises Undecodable."""
        ...

    @property
    def bindings(self) -> Sequence[Bound]: ...


class Evaluation:
    """Runs messages in stints, so that the loop has its turns. No task, timer or log line per event.

    ``step`` is the whole of it: runs messages from an index on until the loop should get a turn, and returns where to go on. ``done`` is
    called by the executor for each execution that waited.
    """

    def __init__(
        self,
        program: Workload,
        executor: Executor,
        endings: Endings,
        payload: int,
        seconds: float,
        kind: str,
        retry: Retry | None = None,
        in_turn: bool = False,
    ) -> None:
        """``in_turn``: records may have to wait for each other, so that even a plain program is run one record at a time."""
        self._program, self._executor, self._endings, self._payload, self._kind = program, executor, endings, payload, kind
        self._seconds = min(seconds, program.seconds)
        self._clock = executor.clock
        self.step = self._evaluate if program.plain and not in_turn else self._begin
        self._process = program.process if program.plain else None
        self.reruns = None if retry is None else Reruns(retry, executor, self._again)
        # An execution has ended; True when its message waits for another one. Without retries not even a call more
        self._ended: Callable[[Lane, Message, Outcome], bool | None] = endings.route if retry is None else self._routed_or_again

    def _evaluate(self, lane: Lane, messages: Sequence[Message], index: int) -> int:
        """Runs a plain program on messages from ``index`` on until the loop should get a turn; returns where to go on. The hot path."""
        program, kind, clock, endings = self._program, self._kind, self._clock, self._endings
        process, time, payload, seconds = self._process, clock.time, self._payload, self._seconds
        workflow = endings.workflow_header
        assert process is not None
        assignment, prefix, anonymous = lane.assignment, lane.prefix, program.anonymous
        results: list[Entry] = []
        result = results.append
        told = 0  # of the results, those that endings knows of: it hears of all ends in their order
        until = time() + STINT
        for message in messages[index : index + STINT_EVENTS]:
            now = time()
            if now >= until or endings.unsaved:
                break
            index += 1
            value = message.value
            if value is not None and len(value) > payload:
                told = endings.succeeded(len(results), told)
                self._too_large(lane, message)
                continue
            execution: Any = None if anonymous else Execution(program, None, now, now + seconds, message, kind, clock)
            try:
                output = process(NULL if value is None else value, execution)
            except Undecodable as error:
                told = endings.succeeded(len(results), told)
                endings.poison(lane, message, dead_letters.UNDECODABLE, str(error))
            except Exception as error:
                failed = execution or Execution(program, None, now, now + seconds, message, kind, clock)
                told = endings.succeeded(len(results), told)
                self._ended(lane, message, unsuccessful(error, program, failed))
            else:
                name = lane.name(message) if prefix is None else b"%b%d" % (prefix, message.offset)
                result(Entry(assignment, message, output, (("express-execution", name), workflow)))
        if results:
            endings.succeeded(len(results), told)
            endings.put(results)
        endings.hand_over()
        return index

    def _begin(self, lane: Lane, messages: Sequence[Message], index: int) -> int:
        """As ``_evaluate`` for a program that can wait: what has not ended by itself ends through ``done``."""
        time, endings, turns = self._clock.time, self._endings, lane.turns
        until = time() + STINT
        for message in messages[index : index + STINT_EVENTS]:
            now = time()
            if now >= until or endings.unsaved:
                break
            index += 1
            if turns is None or not turns.waits(message):
                self._one(lane, message, now)
        endings.hand_over()
        return index

    def _one(self, lane: Lane, message: Message, now: float) -> bool:
        """Runs a message as far as it goes; True when it waits for something."""
        value = message.value
        if value is not None and len(value) > self._payload:
            self._too_large(lane, message)
            return False
        try:
            event = None if value is None else loads(value)
        except ValueError as error:
            self._endings.poison(lane, message, dead_letters.UNDECODABLE, str(error))
            return False
        program = self._program
        execution = Execution(program, event, now, now + self._seconds, message, self._kind, self._clock)
        outcome = self._executor.start(program, event, execution, lane.done)
        if outcome is None:
            lane.running.add(execution)
        elif not self._ended(lane, message, outcome):
            return False
        if lane.turns is not None:
            lane.turns.take(message)
        return True

    def done(self, lane: Lane, execution: Execution, outcome: Outcome) -> None:
        """Called by the executor, once for each execution that waited."""
        lane.running.discard(execution)
        assert execution.message is not None
        if not self._ended(lane, execution.message, outcome):
            if lane.turns is not None:
                self._next(lane, lane.turns, execution.message)
            self._endings.hand_over_soon()

    def _over(self, lane: Lane, message: Message) -> None:
        """Something that waited is through with a message."""
        if lane.turns is not None:
            self._next(lane, lane.turns, message)
        self._endings.hand_over_soon()

    def _routed_or_again(self, lane: Lane, message: Message, outcome: Outcome) -> bool:
        """Where what failed is tried again. What would be tried again when the pipeline stops comes again instead."""
        reruns, endings = self.reruns, self._endings
        assert reruns is not None
        if outcome.status in ("FAILED", "TIMED_OUT") and reruns.failed(lane, message, outcome):
            if (lane.suspended or not lane.closing) and not endings.unsaved:
                reruns.park(lane, message, self._gave_up)
                return True
            outcome = Outcome("ABORTED")
        endings.route(lane, message, outcome, reruns.forget(lane, message))
        return False

    def _again(self, lane: Lane, message: Message) -> None:
        """A pause before another try is over."""
        if (lane.closing and not lane.suspended) or self._endings.unsaved:
            self._gave_up(lane, message, Outcome("ABORTED"))
        elif not self._one(lane, message, self._clock.time()):
            self._over(lane, message)

    def _gave_up(self, lane: Lane, message: Message, aborted: Outcome) -> None:
        self._ended(lane, message, aborted)
        self._over(lane, message)

    def _next(self, lane: Lane, turns: Turns, message: Message) -> None:
        """The turn of a message is over; the next ones of its key run, until one of them waits. Results are handed over in this order."""
        time, endings = self._clock.time, self._endings
        until = time() + STINT
        while not lane.closing and not endings.unsaved:
            now = time()
            if now >= until:
                asyncio.get_running_loop().call_soon(self._next, lane, turns, message)
                break
            following = turns.next(message)
            if following is None or self._one(lane, following, now):
                break
            message = following
        else:
            turns.end(message)
        endings.hand_over_soon()

    def _too_large(self, lane: Lane, message: Message) -> None:
        cause = dead_letters.too_large(len(message.value or b""), self._payload)
        self._endings.poison(lane, message, dead_letters.TOO_LARGE, cause)
