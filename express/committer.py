"""Assignments in, commits of what they have finished out: one at a time, a tick's or a rebalance's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from express.commits import Position
from express.observers.pipeline import PipelineMetrics
from express.sources import Assignment, Source


class Committer:
    """Commits through the source such that nothing is committed that a tracker did not call a position, and nothing counts as committed
    that the source did not say is. ``held`` are the assignments of this process; ``fail`` is called with what should not happen."""

    def __init__(
        self, name: str, source: Source, held: Mapping[Assignment, Any], metrics: PipelineMetrics, fail: Callable[[Exception], None]
    ) -> None:
        self._name, self._source, self._held, self._metrics, self._fail = name, source, held, metrics, fail
        self._ticking: asyncio.Task[None] | None = None
        self._sending: asyncio.Task[None] | None = None

    def start(self, every: float) -> None:
        """A commit every so many seconds, if there is anything new."""
        self._ticking = asyncio.get_running_loop().create_task(self._tick(every), name=f"express-commit-{self._name}")
        self._ticking.add_done_callback(self._ended)

    def stop(self) -> None:
        """No more ticks. A commit under way goes on."""
        if self._ticking is not None:
            self._ticking.cancel()

    async def _tick(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            await self.commit(list(self._held))
            self.measure()

    def measure(self) -> None:
        """Counts what was taken and is not covered by a commit."""
        self._metrics.commit_lag = sum(assignment.tracker.behind() for assignment in self._held)

    async def commit(self, assignments: Iterable[Assignment], patience: float | None = None) -> None:
        """Commits what these have finished. One commit at a time: a second waits for the first, for ``patience`` seconds, without a lock
        that a rebalance could find held by somebody who waits for the rebalance."""
        loop = asyncio.get_running_loop()
        until = None if patience is None else loop.time() + patience
        while self._sending is not None and not self._sending.done():
            if until is not None and loop.time() >= until:
                return
            await asyncio.wait({self._sending}, timeout=None if until is None else until - loop.time())
        self._sending = loop.create_task(self._send(assignments), name=f"express-committing-{self._name}")
        self._sending.add_done_callback(self._ended)
        await asyncio.wait({self._sending}, timeout=None if until is None else max(0.0, until - loop.time()))

    async def _send(self, assignments: Iterable[Assignment]) -> None:
        """1. Asks the trackers of what is still ours. 2. Sends. 3. Only what the source says it has committed counts as committed."""
        # 1
        positions: dict[Assignment, Position] = {}
        for assignment in assignments:
            if not assignment.fenced and (position := assignment.tracker.position()) is not None:
                positions[assignment] = position
        if not positions:
            return
        # 2
        committed = await self._source.commit(positions)
        # 3
        for assignment in committed:
            if not assignment.fenced:
                assignment.tracker.committed(positions[assignment])
        if committed:
            self._metrics.commits += 1

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._fail(error)
