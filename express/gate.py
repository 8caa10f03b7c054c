"""What was taken from the source in, what is to be run of it out; the rest is finished without an execution."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter

from express.endings import Endings
from express.filtering import Filter
from express.lane import Lane
from express.observers.pipeline import PipelineMetrics
from express.runtime.context import Message

STINT = 0.010  # seconds of looking at events after which the loop gets a turn
FEW = 16  # events between two looks at the clock


class Gate:
    """Stands between the source and the workflow of a pipeline that filters."""

    def __init__(self, admission: Filter, endings: Endings, metrics: PipelineMetrics) -> None:
        self._filter, self._endings, self._metrics = admission, endings, metrics

    async def through(self, lane: Lane, messages: Sequence[Message]) -> Sequence[Message]:
        """What is to be run, in its order. What a filter does not let through is finished: it may be committed past."""
        admitted: list[Message] = []
        until = perf_counter() + STINT
        for start in range(0, len(messages), FEW):
            passed, refused = self._filter.sorted(messages[start : start + FEW])
            admitted += passed
            if refused:
                self._metrics.filtered += self._endings.pass_over(lane.assignment, refused)
            if perf_counter() >= until:
                await asyncio.sleep(0)
                until = perf_counter() + STINT
        return admitted
