"""The heartbeat of an event loop: on time when nothing blocks it, late by what blocked it."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import pytest

from express.observers.stall import LONG, PERIOD, Heartbeat


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


async def test_a_stopped_heartbeat_leaves_no_timer() -> None:
    heartbeat = Heartbeat()
    heartbeat.start(asyncio.get_running_loop())
    heartbeat.stop()
    await asyncio.sleep(1.5 * PERIOD)
    assert heartbeat.lateness.count == 0
