"""The virtual clock: waits, retries and timeouts take no time; threads and processes do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from express.executor import execute, run
from express.runtime.branches import each, parallel
from express.runtime.context import Execution
from express.runtime.failures import StateError
from express.runtime.suspensions import call, sleep
from express.testing import VirtualClock
from tests.handmade import Handmade, Runs, bound, by_status, calling, execution_of
from tests.tasks.process_functions import nap

HOUR = 3600
DAY = 24 * HOUR


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < seconds, f"took {took:.2f} s"


async def waits_an_hour(data: Any, execution: Execution) -> Any:
    await sleep(execution, HOUR)
    return data


def test_an_hour_takes_no_time_and_passes_on_the_clock() -> None:
    clock = VirtualClock()
    program = Handmade(waits_an_hour)
    with within(1):
        assert run(program, 1, execution_of(program, 1, clock, DAY)).output == 1
    assert clock.time() == HOUR


def test_twenty_thousand_hours_one_after_the_other_take_seconds() -> None:
    clock = VirtualClock()
    program = Handmade(waits_an_hour)
    with within(10):
        for number in range(20_000):
            assert run(program, number, execution_of(program, number, clock, DAY)).output == number
    assert clock.time() == 20_000 * HOUR


async def test_twenty_thousand_hours_side_by_side_take_seconds() -> None:
    clock = VirtualClock()
    async with Runs(clock) as runs:
        with within(10):
            for number in range(20_000):
                runs.start(waits_an_hour, number, DAY)
            assert by_status(await runs.all()) == {"SUCCEEDED": 20_000}
    assert clock.time() == HOUR


def test_the_wall_clock_starts_where_it_is_told_and_goes_along() -> None:
    clock = VirtualClock(start=datetime(2026, 1, 31, 23, 30, tzinfo=UTC).timestamp())
    seen = []

    async def workflow(data: Any, execution: Execution) -> Any:
        await sleep(execution, HOUR)
        seen.extend([execution.start_time, execution.now()])

    program = Handmade(workflow)
    run(program, 1, execution_of(program, 1, clock, DAY))
    assert seen == ["2026-01-31T23:30:00.000Z", "2026-02-01T00:30:00.000Z"]


def test_sleeping_in_an_async_function_takes_no_time_either() -> None:
    clock = VirtualClock()

    async def work(event: Any) -> Any:
        await asyncio.sleep(60)
        async with asyncio.timeout(120):
            await asyncio.sleep(60)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(HOUR), 30)
        return asyncio.get_running_loop().time()

    program = calling(work)
    with within(2):
        assert run(program, 1, execution_of(program, 1, clock, DAY)).output == 150
    assert clock.time() == 150


def test_a_timeout_of_a_call_takes_no_time() -> None:
    async def hangs(event: Any) -> Any:
        await asyncio.sleep(DAY)

    clock = VirtualClock()
    program = calling(hangs, timeout=30)
    with within(2):
        assert run(program, 1, execution_of(program, 1, clock, HOUR)).error == "States.Timeout"
    assert 30 <= clock.time() < 30.1


def test_a_function_that_waits_for_nothing_ends_at_the_deadline() -> None:
    async def hangs(event: Any) -> Any:
        await asyncio.Event().wait()

    clock = VirtualClock()
    program = calling(hangs)
    with within(2):
        assert run(program, 1, execution_of(program, 1, clock, 300)).status == "TIMED_OUT"
    assert 300 <= clock.time() < 300.1


def test_the_clock_stands_still_while_a_thread_runs() -> None:
    clock = VirtualClock()
    times: list[float] = []

    def blocks(event: Any) -> Any:
        times.append(clock.time())
        time.sleep(0.1)
        times.append(clock.time())
        return event

    binding = bound(blocks)

    async def calls(data: Any, execution: Execution) -> Any:
        return await call(execution, binding, data, "Work", 1, 5)

    async def workflow(data: Any, execution: Execution) -> Any:
        return await parallel(execution, (calls, waits_an_hour), data)

    program = Handmade(workflow)
    with within(2):
        assert run(program, 1, execution_of(program, 1, clock, DAY)).output == [1, 1]
    assert times == [0, 0]
    assert clock.time() == HOUR


def test_the_clock_stands_still_while_a_process_runs() -> None:
    clock = VirtualClock()
    binding = bound(nap)

    async def calls(data: Any, execution: Execution) -> Any:
        before = execution.clock.time()
        await call(execution, binding, 0.1, "Work", 1, 5)
        return execution.clock.time() - before

    async def workflow(data: Any, execution: Execution) -> Any:
        return await parallel(execution, (calls, waits_an_hour), data)

    program = Handmade(workflow)
    assert run(program, 1, execution_of(program, 1, clock, DAY)).output == [0, 1]


def test_the_clock_stands_still_while_an_async_function_uses_threads() -> None:
    clock = VirtualClock()

    async def work(event: Any) -> Any:
        async with asyncio.timeout(1):
            await asyncio.to_thread(time.sleep, 0.2)
        return clock.time()

    program = calling(work)
    with within(2):
        assert run(program, 1, execution_of(program, 1, clock, DAY)).output == 0


def test_an_async_function_may_talk_to_a_server_that_answers_soon() -> None:
    clock = VirtualClock()

    async def work(event: Any) -> Any:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        async with asyncio.timeout(5):
            writer.write(b"hello\n")
            line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return line.decode().strip()

    program = calling(work)
    assert run(program, 1, execution_of(program, 1, clock, DAY)).output == "hello"


def test_a_map_with_retries_of_async_tasks_takes_no_time() -> None:
    attempts: dict[int, int] = {}

    async def flaky(event: int) -> int:
        attempts[event] = attempts.get(event, 0) + 1
        await asyncio.sleep(1)
        if attempts[event] < 3:
            raise ConnectionError
        return event

    binding = bound(flaky)

    async def body(data: Any, execution: Execution, index: int, item: Any) -> Any:
        for attempt in range(1, 4):
            try:
                return await call(execution, binding, data, "Work", attempt)
            except StateError:
                await sleep(execution, 10 * 2**attempt)
        raise AssertionError

    async def workflow(data: Any, execution: Execution) -> Any:
        return await each(execution, body, data, 5)

    clock = VirtualClock()
    program = Handmade(workflow)
    with within(5):
        assert run(program, 1, execution_of(program, list(range(20)), clock, DAY)).status == "FAILED"  # 1 is not a list
        assert run(program, list(range(20)), execution_of(program, None, clock, DAY)).output == list(range(20))
    assert clock.time() == pytest.approx(4 * (3 + 20 + 40), abs=0.1)


# --- Inside a loop that lives in real time ----------------------------------------------------------------------------------------


async def test_execute_takes_a_virtual_clock_too() -> None:
    clock = VirtualClock()
    program = Handmade(waits_an_hour)
    with within(1):
        assert (await execute(program, 1, execution_of(program, 1, clock, DAY))).output == 1
    assert clock.time() == HOUR


async def test_execute_lets_async_functions_end_before_time_passes() -> None:
    clock = VirtualClock()

    async def work(event: Any) -> Any:
        await asyncio.sleep(0.05)
        return clock.time()

    binding = bound(work)

    async def calls(data: Any, execution: Execution) -> Any:
        return await call(execution, binding, data, "Work", 1, 5)

    async def workflow(data: Any, execution: Execution) -> Any:
        return await parallel(execution, (calls, waits_an_hour), data)

    program = Handmade(workflow)
    with within(2):
        assert (await execute(program, 1, execution_of(program, 1, clock, DAY))).output == [0, 1]


async def test_execute_leaves_a_hanging_async_function_behind() -> None:
    clock = VirtualClock()

    async def hangs(event: Any) -> Any:
        await asyncio.Event().wait()

    program = calling(hangs, timeout=30)
    with within(3):
        assert (await execute(program, 1, execution_of(program, 1, clock, DAY))).error == "States.Timeout"
    assert 30 <= clock.time() < 30.1


async def test_several_executions_may_share_a_virtual_clock() -> None:
    clock = VirtualClock()
    program = Handmade(waits_an_hour)
    with within(2):
        outcomes = await asyncio.gather(*(execute(program, number, execution_of(program, number, clock, DAY)) for number in range(50)))
    assert [outcome.output for outcome in outcomes] == list(range(50))
