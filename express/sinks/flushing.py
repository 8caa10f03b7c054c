"""Counts entries in and out; ``flush`` waits for those that were in when it was called, whatever else is put meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque


class Flushing:
    """Entries leave in the order in which they came."""

    def __init__(self) -> None:
        self._put = self._done = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def put(self, entries: int) -> None:
        self._put += entries

    def done(self, entries: int) -> None:
        """So many were acknowledged or rejected."""
        self._done += entries
        while self._waiting and self._waiting[0][0] <= self._done:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)

    async def wait(self) -> None:
        if self._done < self._put:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((self._put, future))
            await future
