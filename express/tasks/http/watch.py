"""The longest time of a request, for all that are under way: one timer, however many there are. Whoever is late is cancelled."""

from __future__ import annotations

import asyncio


class Watch:
    """``seconds`` are the same for everybody: whoever began first is late first. A timer of its own for each, as ``asyncio.timeout`` has
    it, costs more than the rest of what Express does around a request."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop, self._seconds = loop, seconds
        self._until: dict[asyncio.Task[object], float] = {}  # in the order in which they end
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, task: asyncio.Task[object]) -> None:
        """From now on ``task`` has so many seconds until ``end``."""
        self._until[task] = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._due)

    def end(self, task: asyncio.Task[object]) -> bool:
        """Called once for each ``begin``, whatever happened. True if the task was late, and nobody but this has cancelled it."""
        if self._until.pop(task, None) is not None:
            return False
        return task.uncancel() == 0

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._until:
            task, until = next(iter(self._until.items()))
            if until > now:
                self._timer = self._loop.call_at(until, self._due)
                return
            del self._until[task]
            task.cancel()
