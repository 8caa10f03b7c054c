"""How executions ended in; results and dead letters into the sinks; what the sinks have acknowledged out, as finished offsets."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from express import dead_letters
from express.clock import Clock
from express.dead_letter_limit import DeadLetterLimit, Watch
from express.dead_letters import Header, History
from express.errors import ConnectionFailed, PipelineStopped
from express.lane import Lane
from express.observers.metrics import BOUNDS, Histogram
from express.observers.pipeline import PipelineMetrics
from express.outcome import Outcome
from express.runtime.context import Message, execution_name, records_of
from express.runtime.values import dumps
from express.sinks import Entry, Sink
from express.sources import Assignment


class Endings:
    """Everything between the end of an execution and its record being finished. An offset is finished when its result or its dead letter
    was acknowledged, and on no other occasion: see the numbered list of ``express.dispatcher``.

    ``release`` is called for records that are not in flight any more, ``fail`` when the pipeline has to stop. ``unsaved`` is set by a
    failure that there is no dead letter for, or that is one too many: nothing more should begin. ``gone``: a sink is, and nothing will be
    acknowledged any more.
    """

    def __init__(
        self,
        name: str,
        workflow: dead_letters.Workflow,
        sink: Sink | None,
        dead_letter: Sink | None,
        metrics: PipelineMetrics,
        clock: Clock,
        kind: str,
        release: Callable[[Assignment, Sequence[Message]], None],
        fail: Callable[[Exception], None],
        limit: DeadLetterLimit | None = None,
        batched: bool = False,
    ) -> None:
        """``batched``: a message may stand for several records."""
        self._name, self._workflow, self._metrics, self._clock, self._kind = name, workflow, metrics, clock, kind
        self._sink, self._dead_letter = sink, dead_letter
        self._release, self._fail = release, fail
        self._batched = batched
        self._watch = None if limit is None else Watch(limit)
        # Told of what was acknowledged, and whether these are results; answers by ``settled``
        self.remember: Callable[[Sequence[Entry], bool], None] | None = None
        self.put = self._results_acknowledged if sink is None else sink.put
        self.dumps: Callable[[Any], bytes | None] = (lambda _: None) if sink is None else dumps
        self.workflow_header: Header = ("express-workflow", workflow.name.encode())
        self._results: list[Entry] = []  # ended in this turn of the loop, not yet put into a sink
        self._letters: list[Entry] = []
        self._handing_over = False
        self.unsaved = self.gone = False

    # --- The sinks ------------------------------------------------------------------------------------------------------------

    def sinks(self) -> list[Sink]:
        return [sink for sink in (self._sink, self._dead_letter) if sink is not None]

    async def start(self) -> None:
        """Both at once: where an answer takes long, each takes many. Raises ConnectionFailed that says what is wrong with either."""
        starts = []
        if self._sink is not None:
            starts.append(self._sink.start(self._results_acknowledged, self._result_rejected, self._sink_failed))
        if self._dead_letter is not None:
            starts.append(self._dead_letter.start(self._letters_acknowledged, self._letter_rejected, self._sink_failed))
        errors = [outcome for outcome in await asyncio.gather(*starts, return_exceptions=True) if outcome is not None]
        if len(errors) == 2 and type(errors[0]) is type(errors[1]) is ConnectionFailed and str(errors[0]) != str(errors[1]):
            raise ConnectionFailed(f"{errors[0]}; {errors[1]}") from errors[0]
        if errors:
            raise errors[0]

    async def flush(self) -> None:
        """Returns when everything that has ended is acknowledged."""
        self.hand_over()
        if self._sink is not None:
            await self._sink.flush()
        # A result that was rejected has become a dead letter
        self.hand_over()
        if self._dead_letter is not None:
            await self._dead_letter.flush()

    # --- From an outcome to a sink --------------------------------------------------------------------------------------------

    def route(self, lane: Lane, message: Message, outcome: Outcome, history: History | None = None) -> None:
        """Every way an execution can end: a result, a dead letter, or nothing. ``hand_over`` comes after it. ``history``: of the record's
        executions that failed, where there may be several."""
        if outcome.status == "SUCCEEDED":
            try:
                output = self.dumps(outcome.output)
            except Exception as error:
                self._bury(lane.assignment, message, Outcome("FAILED", None, "States.Runtime", f"the output cannot be written: {error}"))
            else:
                headers = (("express-execution", lane.name(message)), self.workflow_header)
                self._results.append(Entry(lane.assignment, message, output, headers))
                if self._watch is not None:
                    self._watch.succeeded(1)
        elif outcome.status == "ABORTED":
            self._metrics.aborted += 1
            lane.give_up((message,))
            self._release(lane.assignment, (message,))
        else:
            self._bury(lane.assignment, message, outcome, history)

    def succeeded(self, count: int, told: int) -> int:
        """``count`` results of a batch that is not put yet are there, of which ``told`` were counted before; returns ``count``."""
        if self._watch is not None:
            self._watch.succeeded(count - told)
        return count

    def poison(self, lane: Lane, message: Message, error: str, cause: str) -> None:
        """A record that never became an execution."""
        self._metrics.poison += 1
        self._bury(lane.assignment, message, Outcome("FAILED", None, error, cause))

    def _bury(self, assignment: Assignment, message: Message, outcome: Outcome, history: History | None = None) -> None:
        """A dead letter; without a place for it the pipeline stops, and the record stays unfinished."""
        if self._dead_letter is not None:
            wall, name = self._clock.wall(), None if not self._batched else execution_name(message)
            records = (message,) if name is None else records_of((message,))
            for record in records:
                found = dead_letters.headers(record, outcome, self._workflow, self._kind, wall, history, name)
                self._letters.append(Entry(assignment, record, record.value, found))
            if self._watch is not None and (too_many := self._watch.failed(len(records))) is not None:
                self._stop_at_limit(message, outcome, too_many)
            return
        self.unsaved = True
        self._release(assignment, (message,))
        self._fail(
            PipelineStopped(
                f"{self._name}: {dead_letters.sentence(message, outcome)}; there is no dead letter to put it into, "
                "so the pipeline stops and nothing past this record is committed"
            )
        )

    def _stop_at_limit(self, message: Message, outcome: Outcome, too_many: str) -> None:
        """What has failed so far is kept, and committed; the rest of the topic stays where it is."""
        self.unsaved = True
        last = dead_letters.sentence(message, outcome)
        self._fail(PipelineStopped(f"{self._name}: {too_many}: the dead-letter limit stops the pipeline; last, {last}"))

    def hand_over_soon(self) -> None:
        """All that end in this turn of the loop go into the sinks together."""
        if not self._handing_over:
            self._handing_over = True
            asyncio.get_running_loop().call_soon(self.hand_over)

    def hand_over(self) -> None:
        """What has ended goes into the sinks, a batch each."""
        self._handing_over = False
        if self._results:
            results, self._results = self._results, []
            self.put(results)
        if self._letters and self._dead_letter is not None:
            letters, self._letters = self._letters, []
            self._dead_letter.put(letters)

    # --- What the sinks call --------------------------------------------------------------------------------------------------

    def _results_acknowledged(self, entries: Sequence[Entry]) -> None:
        if self.remember is None:
            self._metrics.results += self._settle(entries)
        else:
            self.remember(entries, True)

    def _letters_acknowledged(self, entries: Sequence[Entry]) -> None:
        if self.remember is None:
            self._metrics.dead_letters += self._settle(entries)
        else:
            self.remember(entries, False)

    def settled(self, entries: Sequence[Entry], completed: bool) -> None:
        """What ``remember`` was told of is remembered."""
        if completed:
            self._metrics.results += self._settle(entries)
        else:
            self._metrics.dead_letters += self._settle(entries)

    def _result_rejected(self, entry: Entry, reason: str) -> None:
        self._bury(entry.assignment, entry.message, Outcome("FAILED", None, dead_letters.RESULT_REJECTED, reason))
        self.hand_over_soon()

    def _letter_rejected(self, entry: Entry, reason: str) -> None:
        """Never commit past a failure that nobody kept."""
        self._release(entry.assignment, (entry.message,))
        place = dead_letters.place(entry.message)
        self._fail(
            PipelineStopped(
                f"{self._name}: the dead letter of the record at {place} was rejected: {reason}; "
                "so the pipeline stops and nothing past this record is committed"
            )
        )

    def _sink_failed(self, error: Exception) -> None:
        """Nothing will be acknowledged any more, so there is nothing to wait for."""
        self.gone = True
        self._fail(error)

    def _settle(self, entries: Sequence[Entry]) -> int:
        """Acknowledged: these are finished. Entries of fenced assignments only leave; returns how many counted."""
        wall, counted = self._clock.wall(), 0
        for assignment, group in groupby(entries, _ASSIGNMENT):
            messages: Sequence[Message] = [entry.message for entry in group]
            if self._batched:
                messages = records_of(messages)
            if not assignment.fenced:
                _observe(self._metrics.event_seconds, wall, [message.timestamp for message in messages])
            counted += self._finish(assignment, messages)
        return counted

    def pass_over(self, assignment: Assignment, messages: Sequence[Message]) -> int:
        """Finished without an execution; returns how many counted."""
        return self._finish(assignment, messages)

    def _finish(self, assignment: Assignment, messages: Sequence[Message]) -> int:
        """The one place that says so to the tracker."""
        counted = 0
        if not assignment.fenced:
            assignment.tracker.finish([message.offset for message in messages])
            counted = len(messages)
        self._release(assignment, messages)
        return counted


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
