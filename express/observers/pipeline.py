"""What one pipeline counts between its source and its sinks, in plain cells that cost an addition each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from express.observers.metrics import Histogram


class Reruns(Protocol):
    """The part of what runs failures again that is shown."""

    executions: int


def _no_lag() -> Mapping[tuple[str, int], int]:
    return {}


def _none_lost() -> int:
    return 0


class PipelineMetrics:
    """Written by the dispatcher on the event loop, read by the exposition and the progress bar on the same loop: no lock.

    - ``source_records``: records taken from the source (those skipped as finished before a restart are not counted)
    - ``in_flight``: records taken and not yet acknowledged; ``in_flight_bytes``: their values
    - ``results``, ``dead_letters``: entries acknowledged by the result sink and by the dead-letter sink (without a sink: successes)
    - ``poison``: records that never became an execution (not JSON, too large); they are dead letters too
    - ``aborted``: executions given up at a drain deadline or with a lost partition; they come again
    - ``event_seconds``: from the record's timestamp to its acknowledged result or dead letter
    - ``commit_lag``: records taken that the committed positions do not cover yet, finished or not; as of the last commit tick
    - ``filtered``: records that the pipeline's filter does not let through; ``duplicates``: records of which another one was the same
    - ``reruns``: what counts executions that were tries after the first; None where nothing is tried again
    - ``lost``: leases that ran out while their records were in flight; what ``Source.lost`` says, asked when somebody looks
    - ``lag``: what ``Source.lag`` says, asked when somebody looks
    """

    __slots__ = (
        "aborted", "commit_lag", "commits", "dead_letters", "duplicates", "event_seconds", "filtered", "in_flight", "in_flight_bytes",
        "lag", "lost", "name", "poison", "reruns", "results", "source_records",
    )  # fmt: skip

    def __init__(self, name: str, lag: Callable[[], Mapping[tuple[str, int], int]] = _no_lag, lost: Callable[[], int] = _none_lost) -> None:
        self.name = name
        self.source_records = 0
        self.in_flight = 0
        self.in_flight_bytes = 0
        self.results = 0
        self.dead_letters = 0
        self.poison = 0
        self.aborted = 0
        self.commits = 0
        self.commit_lag = 0
        self.filtered = 0
        self.duplicates = 0
        self.reruns: Reruns | None = None
        self.event_seconds = Histogram()
        self.lag, self.lost = lag, lost
