"""The heartbeat of an event loop: on time when nothing blocks it, late by what blocked it."""

from __future__ import annotations

import asyncio
import io
import logging
import threading
import time
from pathlib import Path

import pytest

from express.observers.stall import LONG, PERIOD, Heartbeat, write_stacks


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


async def test_a_long_stall_writes_the_stacks_while_it_lasts_and_a_line_after_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def culprit() -> None:
        time.sleep(LONG + 4 * PERIOD)

    with (tmp_path / "stacks").open("w") as stacks, caplog.at_level(logging.WARNING, "express"):
        heartbeat = Heartbeat(stacks)
        heartbeat.start(asyncio.get_running_loop())
        await asyncio.sleep(2.5 * PERIOD)
        assert (tmp_path / "stacks").read_text() == ""
        culprit()
        written = (tmp_path / "stacks").read_text()
        await asyncio.sleep(1.5 * PERIOD)
        heartbeat.stop()
        await asyncio.sleep(LONG + 2 * PERIOD)
    assert "in culprit" in written
    assert (tmp_path / "stacks").read_text() == written
    (record,) = caplog.records
    assert record.getMessage().startswith("the event loop stood still for 1.")


async def test_looking_at_the_stacks_of_a_loop_that_runs_on_ends_nothing() -> None:
    """As after a SIGSTOP: the stall is over when somebody looks. faulthandler's timer looked at frames that were gone."""

    def deep(depth: int) -> int:
        return depth and deep(depth - 1)

    stacks, until = io.StringIO(), time.monotonic() + 0.3
    looking = [threading.Thread(target=lambda: [write_stacks(stacks) for _ in range(200)]) for _ in range(2)]
    for thread in looking:
        thread.start()
    while time.monotonic() < until or any(thread.is_alive() for thread in looking):
        deep(50)
    assert stacks.getvalue().count("in deep") > 0


async def test_a_stopped_heartbeat_leaves_no_timer_and_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    with (tmp_path / "stacks").open("w") as stacks:
        heartbeat = Heartbeat(stacks)
        heartbeat.start(asyncio.get_running_loop())
        assert threading.active_count() == before + 1
        heartbeat.stop()
        await asyncio.sleep(1.5 * PERIOD)
    assert heartbeat.lateness.count == 0
    assert threading.active_count() == before
