"""Counts and latencies of workflows, kept in flat arrays on the hot path, exposed by a prometheus_client collector (``exposition``)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

# 1 us to 300 s in steps 1-2.5-5; an observation v falls into the first bucket whose bound is >= v (Prometheus' ``le``).
BOUNDS: tuple[float, ...] = (
    *(round(step * 10.0**power, 9) for power in range(-6, 2) for step in (1, 2.5, 5)),
    100.0, 250.0, 300.0,
)  # fmt: skip


class Histogram:
    """Observations in seconds. ``counts`` has one cell per bound and one for the rest; ``total`` is a one-cell list. Generated code writes
    both itself."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = [0.0]

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total[0] += seconds

    @property
    def count(self) -> int:
        return sum(self.counts)


class ResourceMetrics:
    """What a workflow's Tasks asked of one resource that is no function: what AWS counts as ServiceIntegration*.

    A call is ``scheduled`` when its state begins it, ``started`` when its code runs (``schedule`` seconds later), and then takes ``run``
    seconds. One that is given up with its execution is none of succeeded, failed and timed out."""

    __slots__ = ("failed", "run", "schedule", "scheduled", "started", "succeeded", "timed_out")

    def __init__(self) -> None:
        self.scheduled = self.started = self.succeeded = self.failed = self.timed_out = 0
        self.schedule, self.run = Histogram(), Histogram()


class Passage(NamedTuple):
    """What an execution has behind it on one way through one function: ``states`` that took no longer than the first bound (one that took
    longer is taken off the first bucket where it is put into its own), and whether the execution began and succeeded on the way."""

    states: tuple[int, ...]
    started: bool = False
    succeeded: bool = False


class WorkflowMetrics:
    """Everything one workflow counts. States are numbered in the order of ``states``: (name, type) pairs.

    ``entered``: generated code adds to it for states that can suspend; for the others (``derived``) entered = observations of ``seconds``,
    since nobody can look while they run.
    Failures, retries and catches are exact and counted on the failure path only, through ``failed``, ``retried`` and ``caught``:
    failures = retried + caught + uncaught.
    """

    MAX_ERRORS = 64  # error values a state; the rest is "other"
    MAX_ERROR_LENGTH = 128  # characters of an error name that become a label

    def __init__(self, workflow: str, sha256: str, states: Sequence[tuple[str, str]]) -> None:
        self.workflow, self.sha256, self.states = workflow, sha256, tuple(states)
        self.entered = [0] * len(self.states)
        self.derived: set[int] = set()
        self._seconds = [Histogram() for _ in self.states]
        self.attempts: dict[int, Histogram] = {number: Histogram() for number, (_, kind) in enumerate(self.states) if kind == "Task"}
        self.failures: dict[tuple[int, str], int] = {}
        self.retries: dict[int, int] = {}
        self.catches: dict[tuple[int, str, str], int] = {}
        self.resources: dict[str, ResourceMetrics] = {}  # those that the definition names, and no others
        self._started = [0]
        self._statuses = {"SUCCEEDED": 0, "FAILED": 0, "TIMED_OUT": 0, "ABORTED": 0}
        self.execution = Histogram()
        self._tallies: list[tuple[list[int], list[Passage]]] = []
        self._distinct = [0] * len(self.states)  # error values of each state so far

    def resource(self, arn: str) -> ResourceMetrics:
        """Bound when the program is made: nothing is looked up for a call."""
        return self.resources.setdefault(arn, ResourceMetrics())

    # --- Cells. Whoever asks for them finds everything added that is still in tallies ---------------------------------------------

    @property
    def seconds(self) -> list[Histogram]:
        self.settle()
        return self._seconds

    @property
    def started(self) -> list[int]:
        self.settle()
        return self._started

    @property
    def statuses(self) -> dict[str, int]:
        self.settle()
        return self._statuses

    def tally(
        self,
        passed: list[int],
        passages: Sequence[tuple[tuple[int, ...], bool, bool]],
    ) -> None:
        """Generated code adds 1 to ``passed[i]`` for all that ``passages[i]`` stands for."""
        self._tallies.append((passed, [Passage(*passage) for passage in passages]))

    def settle(self) -> None:
        """Adds what is in tallies to the cells. Never called while an execution is between two of its waits."""
        for passed, passages in self._tallies:
            for number, times in enumerate(passed):
                if times:
                    passed[number] = 0
                    self.passage(passages[number], times)

    def passage(self, passage: Passage, times: int = 1) -> None:
        for state in passage.states:
            self._seconds[state].counts[0] += times
        if passage.started:
            self._started[0] += times
        if passage.succeeded:
            self._statuses["SUCCEEDED"] += times

    # --- Called on the failure path -----------------------------------------------------------------------------------------------

    def failed(self, state: int, error: str | None) -> None:
        """A failed attempt (of a Task, Map or Parallel) or a failed state of another kind. Called before ``retried`` or ``caught``."""
        key = (state, error or "none")
        if key not in self.failures:
            key = (state, self._label(state, error))
        self.failures[key] = self.failures.get(key, 0) + 1

    def retried(self, state: int) -> None:
        """The failed attempt will be tried again."""
        self.retries[state] = self.retries.get(state, 0) + 1

    def caught(self, state: int, error: str | None, next_state: str) -> None:
        """The failed state goes on at ``next_state``."""
        key = (state, self._label(state, error), next_state)
        self.catches[key] = self.catches.get(key, 0) + 1

    def entries(self, state: int) -> int:
        """How often a state was entered."""
        return self.seconds[state].count if state in self.derived else self.entered[state]

    def _label(self, state: int, error: str | None) -> str:
        """The value an error name is counted under: bounded in number and length, and writable as UTF-8 (a function may raise any text)."""
        label = (error or "none")[: self.MAX_ERROR_LENGTH].encode(errors="replace").decode()
        if (state, label) in self.failures:
            return label
        if self._distinct[state] == self.MAX_ERRORS:
            return "other"
        self._distinct[state] += 1
        self.failures[state, label] = 0
        return label
