"""Retry and Catch at run time: which failures an ErrorEquals means, and how long to wait before the next attempt."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol

from express.runtime.access import OutputTooLarge
from express.runtime.failures import StateError

ALL = "States.ALL"
TASK_FAILED = "States.TaskFailed"
TERMINAL = frozenset({"States.Runtime", "States.DataLimitExceeded"})  # States.ALL does not mean these
LONGEST_DELAY = 31_622_400  # seconds: AWS


def matcher(error_equals: Sequence[str]) -> Callable[[StateError], bool]:
    """Whether a failure is one of ``error_equals``.

    States.Runtime always ends an execution. States.ALL means everything else but a state's output over 256 KiB (a *task's result* over it
    is the task's failure, and meant); States.TaskFailed means what a task can fail with, all but its timeout.
    """
    names = frozenset(error_equals)
    everything, tasks = ALL in names, TASK_FAILED in names

    def matches(failure: StateError) -> bool:
        error = failure.error
        if error == "States.Runtime":
            return False
        if error in names:
            return True
        if error == "States.DataLimitExceeded":
            return everything and not isinstance(failure, OutputTooLarge)
        return everything or (tasks and error != "States.Timeout")

    return matches


class Retrier(Protocol):
    """The part of a model's Retrier that counts here."""

    @property
    def error_equals(self) -> tuple[str, ...]: ...
    @property
    def interval_seconds(self) -> float: ...
    @property
    def max_attempts(self) -> int: ...
    @property
    def backoff_rate(self) -> float: ...
    @property
    def max_delay_seconds(self) -> float | None: ...
    @property
    def jitter(self) -> bool: ...


class Retries:
    """The Retry of one state. Every retrier has its own counter in the list that ``counters`` makes for one visit of the state."""

    def __init__(self, retriers: Sequence[Retrier]) -> None:
        self._retriers = [(matcher(retrier.error_equals), retrier) for retrier in retriers]

    def counters(self) -> list[int]:
        return [0] * len(self._retriers)

    def delay(self, failure: StateError, counters: list[int]) -> float | None:
        """Seconds until the next attempt, or None if there is none. The first retrier that means the failure decides."""
        for number, (matches, retrier) in enumerate(self._retriers):
            if matches(failure):
                tried = counters[number]
                if tried >= retrier.max_attempts:
                    return None
                counters[number] = tried + 1
                longest = LONGEST_DELAY if retrier.max_delay_seconds is None else retrier.max_delay_seconds
                try:
                    delay = min(retrier.interval_seconds * retrier.backoff_rate**tried, longest)
                except OverflowError:
                    delay = longest
                return random.uniform(0, delay) if retrier.jitter else delay
        return None
