"""What is due when: sleeps to the instant in one heap, calls of tasks in coarse buckets. Pure: no loop, no clock."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import ceil

from express.runtime.suspensions import Call, Sleep

TICK = 0.05  # seconds: a call is given up at most so late. ASL's timeouts are whole seconds


class Timers:
    """Sleeps and calls with a time each, such that the earliest is known at once.

    Nearly every call ends long before its time, so that giving its place up must be cheap: it is in a set, one per tick. Nearly every
    sleep comes due: it is in a heap, and one that was given up (its fiber is None) stays there until its time, or until half are such.
    """

    def __init__(self) -> None:
        self._sleeps: list[tuple[float, int, Sleep]] = []
        self._number = 0  # equal times come due in the order they were added
        self._forgotten = 0
        self._calls: dict[int, set[Call]] = {}
        self._ticks: list[int] = []  # heap of the keys of ``_calls``

    def sleep(self, sleep: Sleep, when: float) -> None:
        self._number += 1
        heappush(self._sleeps, (when, self._number, sleep))

    def forget(self) -> None:
        """Called when a sleep was given up."""
        self._forgotten += 1
        if self._forgotten > 64 and self._forgotten * 2 > len(self._sleeps):
            self._sleeps = [entry for entry in self._sleeps if entry[2].fiber is not None]
            heapify(self._sleeps)
            self._forgotten = 0

    def limit(self, call: Call) -> float:
        """Keeps a call until it is released or due; returns when that is: ``call.deadline``, rounded up to a tick."""
        call.tick = tick = ceil(call.deadline / TICK)
        bucket = self._calls.get(tick)
        if bucket is None:
            self._calls[tick] = {call}
            heappush(self._ticks, tick)
        else:
            bucket.add(call)
        return tick * TICK

    def release(self, call: Call) -> None:
        bucket = self._calls.get(call.tick)
        if bucket is not None:
            bucket.discard(call)

    def next(self) -> float | None:
        """When to look again; None when nothing is kept."""
        ticks, sleeps = self._ticks, self._sleeps
        while ticks and not self._calls[ticks[0]]:
            del self._calls[heappop(ticks)]
        if not ticks:
            return sleeps[0][0] if sleeps else None
        tick = ticks[0] * TICK
        return min(tick, sleeps[0][0]) if sleeps else tick

    def due(self, now: float, most: int) -> list[Sleep | Call]:
        """Takes out what is due, about ``most`` of them, the earliest first."""
        found: list[Sleep | Call] = []
        sleeps = self._sleeps
        while sleeps and sleeps[0][0] <= now and len(found) < most:
            sleep = heappop(sleeps)[2]
            if sleep.fiber is None:
                self._forgotten = max(0, self._forgotten - 1)
            else:
                found.append(sleep)
        while self._ticks and self._ticks[0] * TICK <= now and len(found) < most:
            found.extend(self._calls.pop(heappop(self._ticks)))
        return found
