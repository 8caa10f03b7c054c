"""One timer for the longest time of many requests: whoever is late is cancelled, and nobody else."""

from __future__ import annotations

import asyncio

import pytest

from express.tasks.http.watch import Watch


async def watched(watch: Watch, seconds: float) -> str:
    task = asyncio.current_task()
    assert task is not None
    watch.begin(task)
    try:
        await asyncio.sleep(seconds)
        return "in time" if not watch.end(task) else "late"
    except asyncio.CancelledError:
        if watch.end(task):
            return "cancelled for being late"
        raise


async def test_whoever_is_late_is_cancelled_and_nobody_else() -> None:
    watch = Watch(asyncio.get_running_loop(), 0.05)
    tasks = [asyncio.create_task(watched(watch, seconds)) for seconds in (60, 0, 60, 0)]
    assert await asyncio.gather(*tasks) == ["cancelled for being late", "in time"] * 2
    assert [task.cancelling() for task in tasks] == [0] * 4, "what comes next in these Tasks is not cancelled"


async def test_who_begins_later_is_late_later() -> None:
    watch = Watch(asyncio.get_running_loop(), 0.1)
    first = asyncio.create_task(watched(watch, 60))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(watched(watch, 60))
    ended: list[asyncio.Task[str]] = []
    for task in (second, first):
        task.add_done_callback(ended.append)
    assert await asyncio.gather(first, second) == ["cancelled for being late"] * 2
    assert ended == [first, second]


async def test_somebody_else_s_cancellation_stays_one() -> None:
    watch = Watch(asyncio.get_running_loop(), 60)
    task = asyncio.create_task(watched(watch, 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    watch.close()


async def test_a_cancellation_beside_being_late_stays_one() -> None:
    watch = Watch(asyncio.get_running_loop(), 0.0)
    task = asyncio.create_task(watched(watch, 60))
    await asyncio.sleep(0)
    watch.close()
    watch._due()  # both in one turn of the loop
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
