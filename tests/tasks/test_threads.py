"""Thread functions: a bounded pool of them, whose threads a stuck function keeps."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import Any

from express.tasks.function import function
from express.tasks.threads import Threads
from tests.handmade import Runs, bound, by_status, calling

NAME: contextvars.ContextVar[str] = contextvars.ContextVar("NAME", default="nobody")


async def test_a_plain_function_runs_in_another_thread_and_does_not_block_the_loop() -> None:
    all_at_once = threading.Barrier(8, timeout=60)

    def work(event: Any) -> Any:
        all_at_once.wait()
        return threading.current_thread().name

    async with Runs() as runs:
        executions = [runs.start(calling(work)) for _ in range(8)]
        names = {(await runs.outcome(execution)).output for execution in executions}
    assert len(names) == 8
    assert all(name.startswith("express-thread-") for name in names)


async def test_threads_are_used_again_and_bounded() -> None:
    names: set[str] = set()

    def work(event: Any) -> None:
        names.add(threading.current_thread().name)
        time.sleep(0.001)

    async with Runs(threads=4) as runs:
        for _ in range(100):
            runs.start(calling(work))
        assert by_status(await runs.all()) == {"SUCCEEDED": 100}
    assert len(names) == 4


async def test_a_full_pool_is_saturated_until_a_thread_is_free() -> None:
    release = threading.Event()
    binding = bound(lambda event: release.wait(10))

    async with Runs(threads=2) as runs:
        assert not binding.saturated()
        program = calling(lambda event: release.wait(10))
        first = [runs.start(program) for _ in range(2)]
        pool = runs.executor.service(Threads)
        assert pool.full
        release.set()
        for execution in first:
            await runs.outcome(execution)
        assert not pool.full
        assert runs.executor.stuck == 0


async def test_context_variables_of_one_call_are_not_seen_by_the_next() -> None:
    seen: list[str] = []

    def work(event: Any) -> None:
        seen.append(NAME.get())
        NAME.set("somebody")

    async with Runs(threads=1) as runs:
        for _ in range(3):
            await runs.outcome(runs.start(calling(work)))
    assert seen == ["nobody"] * 3


async def test_exceptions_and_exits_in_threads_fail_the_state() -> None:
    def work(event: Any) -> None:
        raise {"value": ValueError("no"), "exit": SystemExit(2), "interrupt": KeyboardInterrupt()}[event]

    async with Runs() as runs:
        errors = [(await runs.outcome(runs.start(calling(work), kind))).error for kind in ("value", "exit", "interrupt")]
    assert errors == ["ValueError", "Runtime.ExitError", "KeyboardInterrupt"]


async def test_a_function_gets_a_context_with_the_remaining_time() -> None:
    def work(event: Any, context: Any) -> Any:
        return [context.get_remaining_time_in_millis() <= 500, context.state]

    async with Runs() as runs:
        assert (await runs.outcome(runs.start(calling(work, timeout=0.5)))).output == [True, "Work"]


async def test_a_function_with_its_own_limit_makes_the_others_wait() -> None:
    running, most, lock = 0, 0, threading.Lock()

    @function("limited", concurrency=3)
    def work(event: Any) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    async with Runs() as runs:
        programs = [calling(work), calling(work)]  # two states, one limit
        for number in range(40):
            runs.start(programs[number % 2])
        assert by_status(await runs.all()) == {"SUCCEEDED": 40}
    assert most == 3


async def test_an_async_functions_own_limit_survives_timeouts() -> None:
    entered = []

    @function("limited", concurrency=1)
    async def work(event: Any) -> Any:
        entered.append(event)
        if event == "hangs":
            await asyncio.sleep(100)
        return event

    async with Runs() as runs:
        first = runs.start(calling(work, timeout=0.1), "hangs")
        never = runs.start(calling(work, timeout=0.05), "never")
        last = runs.start(calling(work), "last")
        assert (await runs.outcome(never)).error == "States.Timeout"
        assert (await runs.outcome(first)).error == "States.Timeout"
        assert (await runs.outcome(last)).output == "last"
    assert entered == ["hangs", "last"]


async def test_a_thread_that_comes_back_after_close_finds_nobody() -> None:
    release = threading.Event()

    runs = Runs()
    runs.start(calling(lambda event: release.wait(10)))
    await asyncio.sleep(0.02)
    await runs.executor.close()
    release.set()
    await asyncio.sleep(0.05)
    assert by_status(list(runs.outcomes.values())) == {"ABORTED": 1}
