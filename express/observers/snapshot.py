"""Cells of the hot path in, a consistent copy of them out: taken on the loop that counts, between two steps of its executions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from express.observers.metrics import Histogram, ResourceMetrics, WorkflowMetrics
from express.observers.pipeline import PipelineMetrics


class Cells(msgspec.Struct, frozen=True):
    """A histogram's."""

    counts: list[int]
    total: float


class ResourceFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A resource's, of one workflow."""

    scheduled: int
    started: int
    succeeded: int
    failed: int
    timed_out: int
    schedule: Cells
    run: Cells


class WorkflowFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow's, its states in their order."""

    entered: list[int]
    seconds: list[Cells]
    attempts: list[Cells]  # of its Tasks
    failures: Mapping[tuple[int, str], int]
    retries: Mapping[int, int]
    catches: Mapping[tuple[int, str, str], int]
    started: int
    statuses: Mapping[str, int]
    execution: Cells
    resources: Mapping[str, ResourceFigures]


class PipelineFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline's."""

    source_records: int
    in_flight: int
    dead_letters: int
    commit_lag: int
    lost: int
    reruns: int
    filtered: int
    duplicates: int
    event_seconds: Cells
    lag: Mapping[tuple[str, int], int]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a process counts, at one moment."""

    workflows: list[WorkflowFigures]
    pipelines: list[PipelineFigures]
    lateness: Cells
    stuck: int


def take(
    workflows: Sequence[WorkflowMetrics], pipelines: Sequence[PipelineMetrics], lateness: Histogram, stuck: Callable[[], int]
) -> Snapshot:
    """Called on the loop that counts. What is only added up now and then is added up before it is copied."""
    return Snapshot(
        workflows=[_workflow(metrics) for metrics in workflows],
        pipelines=[_pipeline(metrics) for metrics in pipelines],
        lateness=_cells(lateness),
        stuck=stuck(),
    )


def _cells(histogram: Histogram) -> Cells:
    return Cells(histogram.counts.copy(), histogram.total[0])


def _workflow(metrics: WorkflowMetrics) -> WorkflowFigures:
    seconds = [_cells(histogram) for histogram in metrics.seconds]
    return WorkflowFigures(
        entered=[sum(seconds[number].counts) if number in metrics.derived else entered for number, entered in enumerate(metrics.entered)],
        seconds=seconds,
        attempts=[_cells(histogram) for histogram in metrics.attempts.values()],
        failures=metrics.failures.copy(),
        retries=metrics.retries.copy(),
        catches=metrics.catches.copy(),
        started=metrics.started[0],
        statuses=metrics.statuses.copy(),
        execution=_cells(metrics.execution),
        resources={arn: _resource(each) for arn, each in metrics.resources.items()},
    )


def _resource(metrics: ResourceMetrics) -> ResourceFigures:
    return ResourceFigures(
        scheduled=metrics.scheduled,
        started=metrics.started,
        succeeded=metrics.succeeded,
        failed=metrics.failed,
        timed_out=metrics.timed_out,
        schedule=_cells(metrics.schedule),
        run=_cells(metrics.run),
    )


def _pipeline(metrics: PipelineMetrics) -> PipelineFigures:
    return PipelineFigures(
        source_records=metrics.source_records,
        in_flight=metrics.in_flight,
        dead_letters=metrics.dead_letters,
        commit_lag=metrics.commit_lag,
        lost=metrics.lost(),
        filtered=metrics.filtered,
        duplicates=metrics.duplicates,
        reruns=0 if metrics.reruns is None else metrics.reruns.executions,
        event_seconds=_cells(metrics.event_seconds),
        lag=dict(metrics.lag()),
    )
