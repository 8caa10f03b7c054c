"""Counters of a run in; a progress bar while it lasts and a table when it ends out. Fed by a timer, never by an event."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from itertools import accumulate

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from express.observers.metrics import BOUNDS, Histogram, WorkflowMetrics
from express.observers.pipeline import PipelineMetrics
from express.units import duration_text

log = logging.getLogger("express")

PERIOD = 0.2  # seconds between two looks at the counters
PLAIN_WIDTH = 160  # where nobody measures: a file or a pipe


def quantile(histogram: Histogram, fraction: float) -> str:
    """Where a fraction of the observations lies, interpolated within its bucket: ``3.2 ms``; "" without any, a bound at both ends."""
    counts = histogram.counts
    total = sum(counts)
    if not total:
        return ""
    rank = fraction * total
    for bucket, reached in enumerate(accumulate(counts)):
        if reached >= rank and counts[bucket]:
            if bucket == 0:
                return f"<= {duration_text(BOUNDS[0])}"
            if bucket == len(BOUNDS):
                return f"> {duration_text(BOUNDS[-1])}"
            low, high = BOUNDS[bucket - 1], BOUNDS[bucket]
            return duration_text(low + (high - low) * (rank - (reached - counts[bucket])) / counts[bucket])
    raise AssertionError("a fraction is at most 1")


class Bar:
    """A line per pipeline on a terminal: events done, how many are left where the source knows, events a second. Elsewhere nothing."""

    def __init__(self, pipelines: Sequence[PipelineMetrics]) -> None:
        self._pipelines = pipelines
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:,.0f} events/s"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            auto_refresh=False,
            transient=True,
        )
        self._shown = sys.stderr.isatty()
        self._lines: list[TaskID] = []
        self._handle: asyncio.TimerHandle | None = None
        self._began = time.monotonic()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._began = time.monotonic()
        if self._shown:
            self._lines = [self._progress.add_task(escape(pipeline.name), total=None, rate=0.0) for pipeline in self._pipelines]
            self._progress.start()
            self._tick(loop)

    def stop(self) -> None:
        """Removes the bar: what follows is the summary."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._shown:
            self._progress.stop()

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        for line, pipeline in zip(self._lines, self._pipelines, strict=True):
            done = pipeline.source_records - pipeline.in_flight
            waiting = sum(pipeline.lag().values())
            total = pipeline.source_records + waiting if waiting else None
            self._progress.update(line, completed=done, total=total, rate=done / max(time.monotonic() - self._began, 1e-9))
        self._progress.refresh()
        self._handle = loop.call_later(PERIOD, self._tick, loop)


class Ending:
    """What the summary says about one pipeline: its counters, where its records went, how long it ran."""

    def __init__(self, pipeline: PipelineMetrics, workflow: WorkflowMetrics | None, results: str | None, dead_letters: str | None) -> None:
        self.pipeline, self.workflow, self.results, self.dead_letters = pipeline, workflow, results, dead_letters


def report(endings: Sequence[Ending], seconds: float) -> None:
    """The same in one log line per pipeline, for machines."""
    for ending in endings:
        pipeline = ending.pipeline
        counts = {"records": pipeline.source_records, "results": pipeline.results, "dead_letters": pipeline.dead_letters}
        log.info("%s: ended", pipeline.name, extra={"pipeline": pipeline.name, **counts, "seconds": round(seconds, 3)})


def summarize(endings: Sequence[Ending], seconds: float, next_steps: Sequence[str] = ()) -> None:
    """Prints one table per pipeline on stderr: each state's entries, failures and latencies; then events, results, dead letters."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=True, highlight=False, width=PLAIN_WIDTH, no_color=True)
    for ending in endings:
        if ending.workflow is not None and ending.pipeline.source_records:
            console.print(_table(ending.workflow))
        for line in _lines(ending, seconds):
            console.print(line, soft_wrap=True)
    for step in next_steps:
        console.print(escape(step), soft_wrap=True)


def _table(metrics: WorkflowMetrics) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))  # 80 columns hold names of 19 characters
    table.add_column("state", overflow="fold")
    table.add_column("type")
    for column in ("entered", "failed", "retried", "caught", "p50", "p99"):
        table.add_column(column, justify="right")
    failed, caught = [0] * len(metrics.states), [0] * len(metrics.states)
    for (state, _), count in metrics.failures.items():
        failed[state] += count
    for (state, _, _), count in metrics.catches.items():
        caught[state] += count
    for number, (name, kind) in enumerate(metrics.states):
        counts = (metrics.entries(number), failed[number], metrics.retries.get(number, 0), caught[number])
        latencies = (quantile(metrics.seconds[number], 0.5), quantile(metrics.seconds[number], 0.99))
        table.add_row(escape(name), kind, *(f"{count:,}" if count else "-" for count in counts), *latencies)
    return table


def _lines(ending: Ending, seconds: float) -> list[str]:
    pipeline = ending.pipeline
    done = pipeline.results + pipeline.dead_letters
    passed_over = pipeline.filtered + pipeline.duplicates
    if not pipeline.source_records:
        lines = [f"{escape(pipeline.name)}: no new events"]
    else:
        lines = [f"{escape(pipeline.name)}: {done:,} events in {duration_text(seconds)}, {done / max(seconds, 1e-9):,.0f} events/s"]
    results, dead_letters = ending.results or "(no sink)", ending.dead_letters or "(none: the first failure stops the pipeline)"
    lines.append(f"  results       {pipeline.results:>9,}  {escape(results)}")
    lines.append(f"  dead letters  {pipeline.dead_letters:>9,}  {escape(dead_letters)}")
    if pipeline.filtered:
        lines.append(f"  filtered      {pipeline.filtered:>9,}  the filter does not let them through")
    if pipeline.duplicates:
        lines.append(f"  duplicates    {pipeline.duplicates:>9,}  the same events were completed before")
    if pipeline.source_records > done + passed_over:
        lines.append(f"  not finished  {pipeline.source_records - done - passed_over:>9,}  not committed: they come again")
    return lines
