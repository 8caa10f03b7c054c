"""Snapshots of the counters in, Prometheus' text formats out, when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import NamedTuple

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from express.observers.metrics import BOUNDS, Histogram, WorkflowMetrics
from express.observers.pipeline import PipelineMetrics
from express.observers.snapshot import Cells, Snapshot, take
from express.observers.stall import Heartbeat

_EDGES = [*(repr(bound) for bound in BOUNDS), "+Inf"]
_FALLIBLE = frozenset({"Task", "Parallel", "Map"})
_END = b"# EOF\n"  # ends a body in the OpenMetrics format, and only there


class Exposition:
    """Everything one process shows at /metrics. ``look`` copies the counters on the loop that counts, in microseconds; ``render`` writes
    the last copy and may be called from any thread: no event waits for it.
    """

    def __init__(
        self,
        workflows: Sequence[WorkflowMetrics] | Callable[[], Sequence[WorkflowMetrics]],
        pipelines: Sequence[PipelineMetrics],
        heartbeat: Heartbeat | None = None,
        stuck: Callable[[], int] = int,
    ) -> None:
        """``workflows`` may be a function, where they come and go: it is called on the loop that counts."""
        self._workflows = workflows if callable(workflows) else lambda: workflows
        self._pipelines, self._stuck = pipelines, stuck
        self._lateness = Histogram() if heartbeat is None else heartbeat.lateness
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shown = _Shown((), [], take((), pipelines, self._lateness, stuck))
        self._look(lambda: None)
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(_Counts(pipelines, lambda: self._shown))

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on ``loop`` is the one that counts. Until then, and without one, nothing counts."""
        self._loop = loop

    def look(self, looked: Callable[[], object]) -> None:
        """Copies the counters, then calls ``looked``, both on the loop that counts. May be called from any thread; when that loop stands
        still it comes late, when it has ended it does not come: then the last copy is what there is."""
        if self._loop is None:
            self._look(looked)
            return
        with suppress(RuntimeError):  # closed
            self._loop.call_soon_threadsafe(self._look, looked)

    def _look(self, looked: Callable[[], object]) -> None:
        workflows = tuple(self._workflows())
        families = self._shown.families
        labels = [metrics.workflow for metrics in workflows]
        if not families or workflows != self._shown.workflows or labels != self._shown.labels:
            families = _families(workflows, self._pipelines)
        # One object, since another thread may be writing the last one
        self._shown = _Shown(workflows, families, take(workflows, self._pipelines, self._lateness, self._stuck), labels)
        looked()

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The body and its content type, in the format that the Accept header asks for."""
        encode, content_type = choose_encoder(accept)
        body = encode(self._registry)
        # Histograms are nearly all of a body, and the same text in every format. prometheus_client takes 18 us a line, this takes one:
        # a scrape of 1,000 states competes a twentieth of the time with the loop for the interpreter.
        shown = self._shown
        histograms = "".join(family.text(shown.latest) for family in shown.families).encode()
        if body.endswith(_END):
            return body[: -len(_END)] + histograms + _END, content_type
        return body + histograms, content_type


class _Shown(NamedTuple):
    """The last copy of the counters, and of what they are."""

    workflows: tuple[WorkflowMetrics, ...]
    families: list[_Family]
    latest: Snapshot
    labels: Sequence[str] = ()


class _Counts(Collector):
    """Counters, gauges and infos, as prometheus_client wants them."""

    def __init__(self, pipelines: Sequence[PipelineMetrics], shown: Callable[[], _Shown]) -> None:
        self._pipelines, self._shown = pipelines, shown

    def describe(self) -> Iterable[Metric]:
        """Called by the registry instead of a first ``collect``."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Called by the registry at each scrape."""
        shown = self._shown()
        latest = shown.latest
        yield from _executions(shown.workflows, latest)
        yield from _failures(shown.workflows, latest)
        yield from _integrations(shown.workflows, latest)
        yield from _pipeline_counts(self._pipelines, latest)
        yield GaugeMetricFamily("express_stuck_calls", "Calls of functions past their time that nothing can end: threads.", latest.stuck)


def _executions(workflows: Iterable[WorkflowMetrics], latest: Snapshot) -> Iterator[Metric]:
    started = CounterMetricFamily("express_executions_started", "Executions started.", labels=["workflow"])
    ended = CounterMetricFamily("express_executions", "Executions ended, by status.", labels=["workflow", "status"])
    entered = CounterMetricFamily("express_state_entered", "Times a state was entered.", labels=["workflow", "state", "type"])
    info = InfoMetricFamily("express_definition", "Which definition runs.", labels=["workflow"])
    for metrics, figures in zip(workflows, latest.workflows, strict=True):
        started.add_metric([metrics.workflow], figures.started)
        for status, count in figures.statuses.items():
            ended.add_metric([metrics.workflow, status], count)
        for (name, kind), count in zip(metrics.states, figures.entered, strict=True):
            entered.add_metric([metrics.workflow, name, kind], count)
        info.add_metric([metrics.workflow], {"sha256": metrics.sha256})
    return iter((started, ended, entered, info))


def _failures(workflows: Iterable[WorkflowMetrics], latest: Snapshot) -> Iterator[Metric]:
    failures = CounterMetricFamily(
        "express_state_failures", "Failed attempts of a state: retried, caught or uncaught.", labels=["workflow", "state", "error"]
    )
    retries = CounterMetricFamily("express_state_retries", "Failed attempts that were tried again.", labels=["workflow", "state"])
    caught = CounterMetricFamily(
        "express_state_caught", "Failures that a Catcher sent to another state.", labels=["workflow", "state", "error", "next"]
    )
    for metrics, figures in zip(workflows, latest.workflows, strict=True):
        names = [name for name, _ in metrics.states]
        for (state, error), count in figures.failures.items():
            failures.add_metric([metrics.workflow, names[state], error], count)
        for (state, error, following), count in figures.catches.items():
            caught.add_metric([metrics.workflow, names[state], error, following], count)
        for number, (name, kind) in enumerate(metrics.states):
            if kind in _FALLIBLE:
                retries.add_metric([metrics.workflow, name], figures.retries.get(number, 0))
    return iter((failures, retries, caught))


def _integrations(workflows: Iterable[WorkflowMetrics], latest: Snapshot) -> Iterator[Metric]:
    labels = ["workflow", "resource"]
    families = {
        "scheduled": CounterMetricFamily("express_integration_scheduled", "Calls that states have begun.", labels=labels),
        "started": CounterMetricFamily("express_integration_started", "Calls whose code has begun to run.", labels=labels),
        "succeeded": CounterMetricFamily("express_integration_succeeded", "Calls that were answered.", labels=labels),
        "failed": CounterMetricFamily("express_integration_failed", "Calls that failed.", labels=labels),
        "timed_out": CounterMetricFamily("express_integration_timed_out", "Calls that took longer than they may.", labels=labels),
    }
    for metrics, figures in zip(workflows, latest.workflows, strict=True):
        for arn, counts in figures.resources.items():
            for name, family in families.items():
                family.add_metric([metrics.workflow, arn], getattr(counts, name))
    return iter(families.values())


def _pipeline_counts(pipelines: Iterable[PipelineMetrics], latest: Snapshot) -> Iterator[Metric]:
    records = CounterMetricFamily("express_source_records", "Records taken from the source.", labels=["pipeline"])
    inflight = GaugeMetricFamily("express_inflight", "Records taken and not yet acknowledged.", labels=["pipeline"])
    dead = CounterMetricFamily("express_dead_letters", "Records acknowledged by the dead-letter sink.", labels=["pipeline"])
    again = CounterMetricFamily("express_execution_retries", "Executions that were tries after a record's first.", labels=["pipeline"])
    filtered = CounterMetricFamily("express_events_filtered", "Records that the filter does not let through.", labels=["pipeline"])
    same = CounterMetricFamily("express_events_duplicate", "Records that were not run: another one was the same.", labels=["pipeline"])
    lost = CounterMetricFamily("express_leases_lost", "Leases that ran out while their records were in flight.", labels=["pipeline"])
    behind = GaugeMetricFamily("express_commit_lag", "Records taken that no committed position covers yet.", labels=["pipeline"])
    lag = GaugeMetricFamily("express_source_lag", "Records behind the newest of a partition held.", labels=["topic", "partition"])
    lags: dict[tuple[str, int], int] = {}
    for pipeline, figures in zip(pipelines, latest.pipelines, strict=True):
        records.add_metric([pipeline.name], figures.source_records)
        inflight.add_metric([pipeline.name], figures.in_flight)
        dead.add_metric([pipeline.name], figures.dead_letters)
        filtered.add_metric([pipeline.name], figures.filtered)
        same.add_metric([pipeline.name], figures.duplicates)
        again.add_metric([pipeline.name], figures.reruns)
        lost.add_metric([pipeline.name], figures.lost)
        behind.add_metric([pipeline.name], figures.commit_lag)
        for partition, count in figures.lag.items():
            # Two pipelines may read one topic, each with its group: the one that is further behind counts.
            lags[partition] = max(count, lags.get(partition, 0))
    for (topic, number), count in lags.items():
        lag.add_metric([topic, str(number)], count)
    return iter((records, inflight, dead, filtered, same, again, lost, behind, lag))


class _Family:
    """One histogram metric: its header and, for each series, the text in front of every bucket's bound. ``cells`` finds the series' values
    in a snapshot, in the same order."""

    def __init__(self, name: str, documentation: str, cells: Callable[[Snapshot], Iterable[Cells]]) -> None:
        self.name, self.documentation, self.cells = name, documentation, cells
        self.series: list[tuple[str, str]] = []

    def add(self, **labels: str) -> None:
        text = ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())
        self.series.append((f'{self.name}_bucket{{{text}{"," if text else ""}le="', f"{{{text}}}" if text else ""))

    def text(self, latest: Snapshot) -> str:
        lines = [f"# HELP {self.name} {self.documentation}\n# TYPE {self.name} histogram\n"]
        for (bucket, labels), cells in zip(self.series, self.cells(latest), strict=True):
            counts = list(accumulate(cells.counts))
            lines += [f'{bucket}{edge}"}} {count}\n' for edge, count in zip(_EDGES, counts, strict=True)]
            lines.append(f"{self.name}_count{labels} {counts[-1]}\n{self.name}_sum{labels} {cells.total!r}\n")
        return "".join(lines)


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _families(workflows: Iterable[WorkflowMetrics], pipelines: Iterable[PipelineMetrics]) -> list[_Family]:
    executions = _Family(
        "express_execution_seconds",
        "From the start to the end of an execution.",
        lambda latest: [figures.execution for figures in latest.workflows],
    )
    states = _Family(
        "express_state_seconds",
        "From entry to exit of a state, retries and backoff included.",
        lambda latest: [cells for figures in latest.workflows for cells in figures.seconds],
    )
    attempts = _Family(
        "express_task_attempt_seconds",
        "One attempt of a Task, without backoff.",
        lambda latest: [cells for figures in latest.workflows for cells in figures.attempts],
    )
    schedules = _Family(
        "express_integration_schedule_seconds",
        "From a state's call of a resource to the start of its code.",
        lambda latest: [counts.schedule for figures in latest.workflows for counts in figures.resources.values()],
    )
    runs = _Family(
        "express_integration_run_seconds",
        "From the start of a call's code to its end.",
        lambda latest: [counts.run for figures in latest.workflows for counts in figures.resources.values()],
    )
    events = _Family(
        "express_event_seconds",
        "From a record's timestamp to its acknowledged result or dead letter.",
        lambda latest: [figures.event_seconds for figures in latest.pipelines],
    )
    stalls = _Family(
        "express_loop_stall_seconds",
        "How late the event loop came to a timer that is due every 100 ms.",
        lambda latest: [latest.lateness],
    )
    for metrics in workflows:
        executions.add(workflow=metrics.workflow)
        for name, kind in metrics.states:
            states.add(workflow=metrics.workflow, state=name, type=kind)
        for number in metrics.attempts:
            attempts.add(workflow=metrics.workflow, state=metrics.states[number][0])
        for arn in metrics.resources:
            schedules.add(workflow=metrics.workflow, resource=arn)
            runs.add(workflow=metrics.workflow, resource=arn)
    for pipeline in pipelines:
        events.add(pipeline=pipeline.name)
    stalls.add()
    return [executions, states, attempts, schedules, runs, events, stalls]
