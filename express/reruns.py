"""Executions that failed in; those worth another try out again, after a pause that holds no thread, timer or Task of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import random
from typing import Any

import msgspec

from express.documents import Duration
from express.executor import Executor
from express.lane import Lane
from express.outcome import Outcome
from express.runtime.context import Execution, Message
from express.runtime.suspensions import sleep
from express.sources import Assignment

MOST_ATTEMPTS = 1_000


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """``attempts``: executions of one record in all, the first included. ``interval``: seconds before the second, ``backoff`` times as long
    before each further one, ``max_interval`` at most. Each pause is shortened by up to a half, by chance, so that what failed together does
    not come again together."""

    attempts: int
    interval: Duration = 1.0
    backoff: float = 2.0
    max_interval: Duration = 30.0

    def pause(self, executions: int, chance: float) -> float:
        """Seconds to wait after so many executions; ``chance`` is from 0 to below 1."""
        longest = self.interval
        for _ in range(executions - 1):
            longest *= self.backoff
            if longest >= self.max_interval:
                break
        return min(longest, self.max_interval) * (1 - chance / 2)


def problems(retry: Retry) -> Iterator[tuple[str, str]]:
    """What is wrong with one: the field and a sentence for each."""
    if not 2 <= retry.attempts <= MOST_ATTEMPTS:
        yield "attempts", f"expected 2 to {MOST_ATTEMPTS:,} executions in all, the first included"
    if retry.interval <= 0:
        yield "interval", "expected more than 0s"
    if retry.backoff < 1:
        yield "backoff", "expected at least 1: pauses that get shorter help nobody"
    if retry.max_interval < retry.interval:
        yield "max_interval", "expected at least the interval"


class History(msgspec.Struct):
    """Of one record's executions that failed: how many, the attempts of the Tasks they failed in, and when the first did (epoch)."""

    executions: int
    attempts: int
    first_failure: float


async def _wait(seconds: Any, execution: Execution) -> None:
    await sleep(execution, seconds)


class _Pause:
    """A program that only waits, for the seconds that are its input."""

    name, plain = "pause", False
    evaluate: Callable[[Any, Execution], Any] = staticmethod(_wait)

    def explain(self, error: BaseException) -> str | None:
        return None


_PAUSE = _Pause()
_SLACK = 60.0  # seconds that a pause's own deadline is behind its end


class Reruns:
    """What failed and will run again. A record that waits for its next try is in flight, and in its turn, all the while: it is an execution
    of the executor that does nothing but wait, so whatever ends executions (a drain, a lost partition) ends it, uncommitted.

    ``again`` is called when a pause is over.
    """

    def __init__(
        self, retry: Retry, executor: Executor, again: Callable[[Lane, Message], None], chance: Callable[[], float] = random
    ) -> None:
        self._retry, self._executor, self._again, self._chance = retry, executor, again, chance
        self._histories: dict[tuple[Assignment, int], History] = {}
        self.executions = 0  # that were tries after the first

    def failed(self, lane: Lane, message: Message, outcome: Outcome) -> bool:
        """Takes note of an execution that failed; whether another try is left."""
        place = (lane.assignment, message.offset)
        history = self._histories.get(place)
        if history is None:
            history = self._histories[place] = History(0, 0, self._executor.clock.wall())
        history.executions += 1
        history.attempts += outcome.attempts
        return history.executions < self._retry.attempts

    def park(self, lane: Lane, message: Message, done: Callable[[Lane, Message, Outcome], None]) -> None:
        """Waits, then calls ``again``; when the wait is given up, ``done`` with ABORTED."""
        seconds = self._retry.pause(self._histories[lane.assignment, message.offset].executions, self._chance())
        now = self._executor.clock.time()

        def over(pause: Execution, outcome: Outcome) -> None:
            lane.running.discard(pause)
            lane.pausing.discard(pause)
            if outcome.status == "SUCCEEDED":
                self.executions += 1
                self._again(lane, message)
            else:
                done(lane, message, Outcome("ABORTED"))

        pause = Execution(_PAUSE, seconds, now, now + seconds + _SLACK, message, clock=self._executor.clock)
        # Shortened to nothing it would end at once, inside of what it waits for
        if self._executor.start(_PAUSE, max(seconds, 0.001), pause, over) is None:
            lane.running.add(pause)
            lane.pausing.add(pause)

    def forget(self, lane: Lane, message: Message) -> History | None:
        """The record's executions are over, whatever became of it; those that failed, if any."""
        return self._histories.pop((lane.assignment, message.offset), None) if self._histories else None
