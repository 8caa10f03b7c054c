"""Counters and histograms of workflows and pipelines in, Prometheus' text formats out, when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from express.observers.metrics import BOUNDS, Histogram, WorkflowMetrics
from express.observers.pipeline import PipelineMetrics
from express.observers.stall import Heartbeat

_EDGES = [*(repr(bound) for bound in BOUNDS), "+Inf"]
_FALLIBLE = frozenset({"Task", "Parallel", "Map"})
_END = b"# EOF\n"  # ends a body in the OpenMetrics format, and only there


class Exposition:
    """Everything one process shows at /metrics. Reads the cells of the hot path as they are: the loop that writes them never waits.

    May be used from another thread: each cell is read by one operation, so a scrape is consistent within a histogram and at most a few
    events apart between metrics.
    """

    def __init__(
        self,
        workflows: Sequence[WorkflowMetrics],
        pipelines: Sequence[PipelineMetrics],
        heartbeat: Heartbeat | None = None,
        stuck: Callable[[], int] = int,
    ) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._registry.register(_Counts(workflows, pipelines, stuck))
        self._families = _families(workflows, pipelines, heartbeat)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The body and its content type, in the format that the Accept header asks for."""
        encode, content_type = choose_encoder(accept)
        body = encode(self._registry)
        # Histograms are nearly all of a body, and the same text in every format. prometheus_client takes 18 us a line, this takes one:
        # a scrape of 1,000 states competes a twentieth of the time with the loop for the interpreter.
        histograms = "".join(family.text() for family in self._families).encode()
        if body.endswith(_END):
            return body[: -len(_END)] + histograms + _END, content_type
        return body + histograms, content_type


class _Counts(Collector):
    """Counters, gauges and infos, as prometheus_client wants them."""

    def __init__(self, workflows: Sequence[WorkflowMetrics], pipelines: Sequence[PipelineMetrics], stuck: Callable[[], int]) -> None:
        self._workflows, self._pipelines, self._stuck = workflows, pipelines, stuck

    def describe(self) -> Iterable[Metric]:
        """Called by the registry instead of a first ``collect``."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Called by the registry at each scrape."""
        yield from _executions(self._workflows)
        yield from _failures(self._workflows)
        yield from _pipelines(self._pipelines)
        yield GaugeMetricFamily("express_stuck_calls", "Calls of functions past their time that nothing can end: threads.", self._stuck())


def _executions(workflows: Iterable[WorkflowMetrics]) -> Iterator[Metric]:
    started = CounterMetricFamily("express_executions_started", "Executions started.", labels=["workflow"])
    ended = CounterMetricFamily("express_executions", "Executions ended, by status.", labels=["workflow", "status"])
    entered = CounterMetricFamily("express_state_entered", "Times a state was entered.", labels=["workflow", "state", "type"])
    info = InfoMetricFamily("express_definition", "Which definition runs.", labels=["workflow"])
    for metrics in workflows:
        started.add_metric([metrics.workflow], metrics.started[0])
        for status, count in metrics.statuses.items():
            ended.add_metric([metrics.workflow, status], count)
        for number, (name, kind) in enumerate(metrics.states):
            entered.add_metric([metrics.workflow, name, kind], metrics.entries(number))
        info.add_metric([metrics.workflow], {"sha256": metrics.sha256})
    return iter((started, ended, entered, info))


def _failures(workflows: Iterable[WorkflowMetrics]) -> Iterator[Metric]:
    failures = CounterMetricFamily(
        "express_state_failures", "Failed attempts of a state: retried, caught or uncaught.", labels=["workflow", "state", "error"]
    )
    retries = CounterMetricFamily("express_state_retries", "Failed attempts that were tried again.", labels=["workflow", "state"])
    caught = CounterMetricFamily(
        "express_state_caught", "Failures that a Catcher sent to another state.", labels=["workflow", "state", "error", "next"]
    )
    for metrics in workflows:
        names = [name for name, _ in metrics.states]
        # list() copies in one step: the loop may add an error value while this thread iterates.
        for (state, error), count in list(metrics.failures.items()):
            failures.add_metric([metrics.workflow, names[state], error], count)
        for (state, error, following), count in list(metrics.catches.items()):
            caught.add_metric([metrics.workflow, names[state], error, following], count)
        for number, (name, kind) in enumerate(metrics.states):
            if kind in _FALLIBLE:
                retries.add_metric([metrics.workflow, name], metrics.retries.get(number, 0))
    return iter((failures, retries, caught))


def _pipelines(pipelines: Sequence[PipelineMetrics]) -> Iterator[Metric]:
    records = CounterMetricFamily("express_source_records", "Records taken from the source.", labels=["pipeline"])
    inflight = GaugeMetricFamily("express_inflight", "Records taken and not yet acknowledged.", labels=["pipeline"])
    dead = CounterMetricFamily("express_dead_letters", "Records acknowledged by the dead-letter sink.", labels=["pipeline"])
    behind = GaugeMetricFamily("express_commit_lag", "Records taken that no committed position covers yet.", labels=["pipeline"])
    lag = GaugeMetricFamily("express_source_lag", "Records behind the newest of a partition held.", labels=["topic", "partition"])
    lags: dict[tuple[str, int], int] = {}
    for pipeline in pipelines:
        records.add_metric([pipeline.name], pipeline.source_records)
        inflight.add_metric([pipeline.name], pipeline.in_flight)
        dead.add_metric([pipeline.name], pipeline.dead_letters)
        behind.add_metric([pipeline.name], pipeline.commit_lag)
        for partition, count in _lag(pipeline):
            # Two pipelines may read one topic, each with its group: the one that is further behind counts.
            lags[partition] = max(count, lags.get(partition, 0))
    for (topic, number), count in lags.items():
        lag.add_metric([topic, str(number)], count)
    return iter((records, inflight, dead, behind, lag))


def _lag(pipeline: PipelineMetrics) -> list[tuple[tuple[str, int], int]]:
    for _ in range(3):
        try:
            return list(pipeline.lag().items())
        except (RuntimeError, OSError):  # the source's partitions changed, or its file was closed, on its own thread, while we looked
            continue
    return []


class _Family:
    """One histogram metric: its header and, for each series, the text in front of every bucket's bound."""

    def __init__(self, name: str, documentation: str) -> None:
        self.name, self.documentation = name, documentation
        self.series: list[tuple[str, str, Histogram]] = []

    def add(self, histogram: Histogram, **labels: str) -> None:
        text = ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())
        self.series.append((f'{self.name}_bucket{{{text}{"," if text else ""}le="', f"{{{text}}}" if text else "", histogram))

    def text(self) -> str:
        lines = [f"# HELP {self.name} {self.documentation}\n# TYPE {self.name} histogram\n"]
        for bucket, labels, histogram in self.series:
            counts = list(accumulate(list(histogram.counts)))
            lines += [f'{bucket}{edge}"}} {count}\n' for edge, count in zip(_EDGES, counts, strict=True)]
            lines.append(f"{self.name}_count{labels} {counts[-1]}\n{self.name}_sum{labels} {histogram.total[0]!r}\n")
        return "".join(lines)


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _families(workflows: Iterable[WorkflowMetrics], pipelines: Iterable[PipelineMetrics], heartbeat: Heartbeat | None) -> list[_Family]:
    executions = _Family("express_execution_seconds", "From the start to the end of an execution.")
    states = _Family("express_state_seconds", "From entry to exit of a state, retries and backoff included.")
    attempts = _Family("express_task_attempt_seconds", "One attempt of a Task, without backoff.")
    events = _Family("express_event_seconds", "From a record's timestamp to its acknowledged result or dead letter.")
    stalls = _Family("express_loop_stall_seconds", "How late the event loop came to a timer that is due every 100 ms.")
    for metrics in workflows:
        executions.add(metrics.execution, workflow=metrics.workflow)
        for number, (name, kind) in enumerate(metrics.states):
            states.add(metrics.seconds[number], workflow=metrics.workflow, state=name, type=kind)
            if number in metrics.attempts:
                attempts.add(metrics.attempts[number], workflow=metrics.workflow, state=name)
    for pipeline in pipelines:
        events.add(pipeline.event_seconds, pipeline=pipeline.name)
    if heartbeat is not None:
        stalls.add(heartbeat.lateness)
    return [executions, states, attempts, events, stalls]
