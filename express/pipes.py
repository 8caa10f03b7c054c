"""What stands around a workflow in a pipeline, as in EventBridge Pipes: typed, checked, and nothing of it where nothing is configured."""

from __future__ import annotations

from typing import Any

import msgspec

from express.batches import BatchLimits
from express.dedup import Dedup
from express.reruns import Retry


class Pipe(msgspec.Struct, frozen=True, kw_only=True):
    """``filter``: a pattern, or a list of them of which one has to match (``express.filtering``). ``dedup``: what makes two events
    the same, and where that is remembered. ``batch``: how many records are one
    execution. ``retry``: of executions that failed, before they become dead letters. None is none, and costs nothing per event."""

    filter: Any = None
    dedup: Dedup | None = None
    batch: BatchLimits | None = None
    retry: Retry | None = None
