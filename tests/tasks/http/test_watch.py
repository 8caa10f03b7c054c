"""One timer for the longest time of many requests: whoever is late is cancelled, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from express.tasks.http.watch import Watch

SECONDS = 60.0


class Clock:
    """The part of an event loop that a Watch uses; time passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.watch = Watch(cast("Any", self), SECONDS)

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> object:
        return self.call_at(self.now + seconds, callback)

    def call_at(self, when: float, callback: Callable[[], None]) -> object:
        self.timers.append((when, callback))
        return object()

    async def passes(self, seconds: float) -> None:
        """Time, what is due by then, and a turn of the real loop for those that it concerns."""
        self.now += seconds
        due = [callback for when, callback in self.timers if when <= self.now]
        self.timers = [timer for timer in self.timers if timer[0] > self.now]
        for callback in due:
            callback()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def begins(self) -> asyncio.Task[str]:
        """A Task that waits for a long time."""

        async def waits() -> str:
            task = asyncio.current_task()
            assert task is not None
            self.watch.begin(task)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if self.watch.end(task):
                    return "late"
                raise
            raise AssertionError

        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        return task


async def test_each_is_late_after_its_own_time_and_one_timer_is_enough() -> None:
    clock = Clock()
    first = await clock.begins()
    await clock.passes(20)
    second = await clock.begins()
    assert len(clock.timers) == 1
    await clock.passes(39)
    assert not first.done()
    await clock.passes(1)
    assert (first.result(), second.done(), len(clock.timers)) == ("late", False, 1)
    await clock.passes(20)
    assert (second.result(), clock.timers) == ("late", [])
    assert (first.cancelling(), second.cancelling()) == (0, 0), "what comes next in these Tasks is not cancelled"
    third = await clock.begins()
    await clock.passes(SECONDS)
    assert third.result() == "late", "a timer is set again"


async def test_whoever_has_ended_is_not_late() -> None:
    clock = Clock()
    task = asyncio.current_task()
    assert task is not None
    clock.watch.begin(task)
    assert clock.watch.end(task) is False
    await clock.passes(SECONDS)
    assert task.cancelling() == 0


async def test_somebody_else_s_cancellation_stays_one() -> None:
    clock = Clock()
    before, beside = await clock.begins(), await clock.begins()
    before.cancel()
    await clock.passes(1)
    clock.timers[0] = (clock.timers[0][0], lambda due=clock.timers[0][1]: (due(), beside.cancel()))  # type: ignore[misc]  # in one turn
    await clock.passes(SECONDS)
    for task in (before, beside):
        with pytest.raises(asyncio.CancelledError):
            await task
