"""The lines that measure: one reading of the clock where a state ends, added to the cells of the workflow's metrics.

States that neither wait nor call anything almost always take less than the first bound of the histograms. They are not counted one by one:
where an execution leaves a function, one number says which way it came, and so which states it has passed. Their seconds are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from express.compiler.unit import Unit

FIRST = "1e-06"  # the first bound of the histograms


class Measures:
    """Writes nothing when nothing is measured. Cells get their names when they are first used.

    ``passages`` are the ways through functions, each a tuple of states passed, whether the execution began and whether it succeeded on it;
    ``passed`` counts how often each was gone.
    """

    def __init__(self, unit: Unit, *, plain: bool) -> None:
        self._unit, self._plain = unit, plain
        self.on = unit.metrics is not None
        self.passed: list[int] = []
        self.passages: dict[tuple[tuple[int, ...], bool, bool], int] = {}
        self._names: dict[tuple[str, int], tuple[str, str]] = {}

    def start(self, *, root: bool) -> None:
        """At the beginning of a machine's first function."""
        if not self.on:
            return
        line = self._unit.source.line
        if root:
            line("since = begun = clock()")
            if not self._plain:
                line("started[0] += 1")  # of a plain execution nobody can see that it has only started
        else:
            line("since = clock()")

    def entered(self, number: int) -> None:
        """A state that can wait begins: whoever looks now must find it counted, and what came before it."""
        if self.on:
            self.handed_on()
            self._unit.metrics.derived.discard(number)
            self._unit.source.line(f"entered[{number}] += 1")

    def left(self, number: int, name: str, *, quick: bool) -> None:
        """A state ends. ``quick``: it usually takes less than the first bound."""
        if not self.on:
            return
        self._unit.source.passed = (*self._unit.source.passed, number if quick else ~number)
        counts, total = self._cells("seconds", number, name)
        source = self._unit.source
        source.line("left = clock()")
        source.line("seconds, since = left - since, left")
        source.line(f"{total}[0] += seconds")
        if quick:
            with source.block(f"if seconds > {FIRST}:"):
                # Not in the first bucket, where its passage will count it
                source.line(f"{counts}[bucket(BOUNDS, seconds)] += 1")
                source.line(f"{counts}[0] -= 1")
        else:
            source.line(f"{counts}[bucket(BOUNDS, seconds)] += 1")

    def attempt(self, number: int, name: str) -> None:
        """An attempt of a task has succeeded; it began at ``tried``."""
        if not self.on:
            return
        counts, total = self._cells("attempts", number, name)
        line = self._unit.source.line
        line("seconds = clock() - tried")
        line("tried = None")  # observed: what fails from here on in the state is no second attempt
        line(f"{total}[0] += seconds")
        line(f"{counts}[bucket(BOUNDS, seconds)] += 1")

    def handed_on(self) -> None:
        """The way goes on outside this function, or after a wait."""
        if self.on and any(number >= 0 for number in self._unit.source.passed):
            self._passage(started=False, succeeded=False)
        self._unit.source.passed = ()

    def end(self) -> None:
        """The execution has succeeded, right after its last state."""
        if not self.on:
            return
        line = self._unit.source.line
        line("seconds = since - begun")
        line("run_seconds[0] += seconds")
        line("run_counts[bucket(BOUNDS, seconds)] += 1")
        self._passage(started=self._plain, succeeded=True)

    @contextmanager
    def branch(self) -> Iterator[None]:
        """What is passed inside is not passed after it."""
        passed = self._unit.source.passed
        yield
        self._unit.source.passed = passed

    def aborted(self) -> None:
        """The execution is given up: its coroutine is closed where it waits."""
        if self.on:
            with self._unit.source.block("except GeneratorExit:"):
                self._unit.source.line('statuses["ABORTED"] += 1')
                self._unit.source.line("raise")

    def _passage(self, *, started: bool, succeeded: bool) -> None:
        source = self._unit.source
        passage = tuple(number for number in source.passed if number >= 0), started, succeeded
        if passage not in self.passages:
            self.passages[passage] = len(self.passed)
            self.passed.append(0)
        source.line(f"passed[{self.passages[passage]}] += 1")
        source.passed = ()

    def _cells(self, kind: str, number: int, name: str) -> tuple[str, str]:
        """The names of a histogram's cells."""
        found = self._names.get((kind, number))
        if found is None:
            metrics = self._unit.metrics
            histogram = metrics.seconds[number] if kind == "seconds" else metrics.attempts[number]
            prefix = "" if kind == "seconds" else "_attempt"
            counts = self._unit.object(histogram.counts, name, f"{prefix}_counts")
            found = self._names[kind, number] = counts, self._unit.object(histogram.total, name, f"{prefix}_seconds")
        return found
