"""The heartbeat of an event loop: on time when nothing blocks it, late by what blocked it."""

from __future__ import annotations

import asyncio
import time

from express.observers.stall import PERIOD, Heartbeat


async def test_a_loop_that_is_blocked_shows_how_long() -> None:
    heartbeat = Heartbeat()
    heartbeat.start(asyncio.get_running_loop())
    await asyncio.sleep(1.5 * PERIOD)
    assert heartbeat.lateness.count == 1
    before = heartbeat.lateness.total[0]
    time.sleep(4 * PERIOD)
    assert heartbeat.silence() >= 4 * PERIOD
    await asyncio.sleep(0.5 * PERIOD)
    assert heartbeat.lateness.total[0] - before >= 3 * PERIOD
    assert heartbeat.silence() < 2 * PERIOD
    heartbeat.stop()


async def test_a_stopped_heartbeat_leaves_no_timer() -> None:
    heartbeat = Heartbeat()
    heartbeat.start(asyncio.get_running_loop())
    heartbeat.stop()
    await asyncio.sleep(1.5 * PERIOD)
    assert heartbeat.lateness.count == 0
