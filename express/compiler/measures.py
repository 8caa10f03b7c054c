"""The lines that measure: one reading of the clock where a state ends, added to the cells of the workflow's metrics."""

from __future__ import annotations

from express.compiler.unit import Unit

FIRST = "1e-06"  # the first bound of the histograms: what most states without a task stay below


class Measures:
    """Writes nothing when nothing is measured. Cells get their names when they are first used."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self.on = unit.metrics is not None
        self._cells: dict[tuple[str, int], tuple[str, str]] = {}

    def start(self, *, root: bool) -> None:
        """At the beginning of a machine's first function."""
        if not self.on:
            return
        line = self._unit.source.line
        if root:
            line("since = begun = clock()")
            line("started[0] += 1")
        else:
            line("since = clock()")

    def entered(self, number: int) -> None:
        """A state that can wait begins: whoever looks now must find it counted."""
        if self.on:
            self._unit.metrics.derived.discard(number)
            self._unit.source.line(f"entered[{number}] += 1")

    def left(self, number: int, name: str, *, quick: bool) -> None:
        """A state ends. ``quick``: it usually takes less than the first bound."""
        if not self.on:
            return
        counts, total = self._histogram("seconds", number, name)
        line = self._unit.source.line
        line("left = clock()")
        line("seconds, since = left - since, left")
        line(f"{counts}[{f'0 if seconds <= {FIRST} else ' if quick else ''}bucket(BOUNDS, seconds)] += 1")
        line(f"{total}[0] += seconds")

    def attempt(self, number: int, name: str) -> None:
        """An attempt of a task has succeeded; it began at ``tried``."""
        if not self.on:
            return
        counts, total = self._histogram("attempts", number, name)
        line = self._unit.source.line
        line("seconds = clock() - tried")
        line(f"{counts}[bucket(BOUNDS, seconds)] += 1")
        line(f"{total}[0] += seconds")

    def end(self) -> None:
        """The execution has succeeded, right after its last state."""
        if not self.on:
            return
        line = self._unit.source.line
        line("seconds = since - begun")
        line("run_counts[bucket(BOUNDS, seconds)] += 1")
        line("run_seconds[0] += seconds")
        line('statuses["SUCCEEDED"] += 1')

    def aborted(self) -> None:
        """The execution is given up: its coroutine is closed where it waits."""
        if self.on:
            with self._unit.source.block("except GeneratorExit:"):
                self._unit.source.line('statuses["ABORTED"] += 1')
                self._unit.source.line("raise")

    def _histogram(self, kind: str, number: int, name: str) -> tuple[str, str]:
        found = self._cells.get((kind, number))
        if found is None:
            metrics = self._unit.metrics
            histogram = metrics.seconds[number] if kind == "seconds" else metrics.attempts[number]
            prefix = "" if kind == "seconds" else "_attempt"
            counts = self._unit.object(histogram.counts, name, f"{prefix}_counts")
            found = self._cells[kind, number] = counts, self._unit.object(histogram.total, name, f"{prefix}_seconds")
        return found
