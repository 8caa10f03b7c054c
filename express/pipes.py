"""What stands around a workflow in a pipeline, as in EventBridge Pipes: typed, checked, and nothing of it where nothing is configured."""

from __future__ import annotations

import msgspec

from express.reruns import Retry


class Pipe(msgspec.Struct, frozen=True, kw_only=True):
    """``retry``: of executions that failed, before they become dead letters. None is none, and costs nothing per event."""

    retry: Retry | None = None
