"""What stops, and what does not, when a call is too late, a sibling fails or an execution is given up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import express
from express.clock import Clock
from express.executor import run
from express.runtime.branches import each, parallel
from express.runtime.context import Execution
from express.runtime.failures import StateError
from express.runtime.suspensions import breathe, call, sleep
from express.tasks.coroutines import Workers
from express.tasks.threads import Threads
from tests.handmade import Handmade, Runs, bound, calling, execution_of
from tests.tasks.process_functions import starter


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    patience = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < patience, "it did not happen in time"
        await asyncio.sleep(0.005)


@pytest.fixture
async def runs() -> AsyncIterator[Runs]:
    async with Runs() as runs:
        yield runs


# --- A call that is too late ------------------------------------------------------------------------------------------------------


async def test_a_timed_out_async_function_is_cancelled_and_its_worker_retired(runs: Runs) -> None:
    cancelled = []

    async def hangs(event: Any) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            cancelled.append(True)

    outcome = await runs.outcome(runs.start(calling(hangs, timeout=0.1)))
    assert outcome.error == "States.Timeout"
    await until(lambda: bool(cancelled))
    assert not runs.executor.service(Workers).idle
    assert runs.executor.stuck == 0


async def test_a_function_that_swallows_its_cancellation_holds_nothing_up() -> None:
    release = asyncio.Event()

    async def stubborn(event: Any) -> str:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return "too late"

    async with Runs() as runs:
        began = time.monotonic()
        execution = runs.start(calling(stubborn, timeout=0.1))
        assert (await runs.outcome(execution)).error == "States.Timeout"
        assert time.monotonic() - began < 20
        await until(lambda: runs.executor.stuck == 1)  # visible, but nobody waits for it
        release.set()
        await until(lambda: runs.executor.stuck == 0)
        assert len(runs.outcomes) == 1


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_function_that_never_gives_in_does_not_keep_run_from_returning(loop: str) -> None:
    import uvloop

    class Own(Clock):
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            return uvloop.new_event_loop() if loop == "uvloop" else asyncio.SelectorEventLoop()

    async def stubborn(event: Any) -> None:
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)

    program = calling(stubborn, timeout=0.1)
    began = time.monotonic()
    assert run(program, 1, execution_of(program, clock=Own())).error == "States.Timeout"
    assert time.monotonic() - began < 5


async def test_what_a_timed_out_function_returns_after_all_reaches_nobody(runs: Runs) -> None:
    async def late(event: Any) -> str:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            return "late"
        return "never"

    async def workflow(data: Any, execution: Execution) -> Any:
        with pytest.raises(StateError, match=r"States\.Timeout"):
            await call(execution, binding, data, "Work", 1, 0.1)
        await sleep(execution, 0.1)
        return "went on"

    binding = bound(late)
    assert (await runs.outcome(runs.start(workflow))).output == "went on"


async def test_a_timed_out_thread_keeps_its_place_until_it_returns() -> None:
    release = threading.Event()

    def blocks(event: Any) -> str:
        release.wait(10)
        return "late"

    async with Runs(threads=1) as runs:
        binding = bound(blocks)

        async def workflow(data: Any, execution: Execution) -> Any:
            return await call(execution, binding, data, "Work", 1, 0.1)

        outcome = await runs.outcome(runs.start(workflow))
        assert outcome.error == "States.Timeout"
        pool = runs.executor.service(Threads)
        assert (pool.active, pool.stuck, runs.executor.stuck) == (1, 1, 1)
        assert binding.saturated()
        release.set()
        await until(lambda: not binding.saturated())
        assert (pool.active, pool.stuck) == (0, 0)


async def test_a_call_that_waits_for_a_thread_times_out_without_ever_running() -> None:
    release, ran = threading.Event(), []

    def blocks(event: Any) -> None:
        ran.append(event)
        release.wait(10)

    async with Runs(threads=1) as runs:
        first = runs.start(calling(blocks), 1)
        second = runs.start(calling(blocks, timeout=0.1), 2)
        assert (await runs.outcome(second)).error == "States.Timeout"
        release.set()
        assert (await runs.outcome(first)).status == "SUCCEEDED"
        await until(lambda: runs.executor.service(Threads).active == 0)
    assert ran == [1]


# --- A sibling that fails ---------------------------------------------------------------------------------------------------------


async def fails_soon(data: Any, execution: Execution) -> Any:
    await sleep(execution, 0.02)
    raise StateError("Broken", "on purpose")


async def test_a_failing_branch_closes_the_others_wherever_they_wait(runs: Runs) -> None:
    closed: list[str] = []
    cancelled = asyncio.Event()

    async def hangs(event: Any) -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    binding = bound(hangs)

    def noting(name: str, body: Callable[[Any, Execution], Any]) -> Callable[[Any, Execution], Any]:
        async def branch(data: Any, execution: Execution) -> Any:
            try:
                await body(data, execution)
            finally:
                closed.append(name)

        return branch

    async def sleeps(data: Any, execution: Execution) -> Any:
        await sleep(execution, 100)

    async def calls(data: Any, execution: Execution) -> Any:
        await call(execution, binding, data, "Work", 1)

    async def breathes(data: Any, execution: Execution) -> Any:
        while True:
            await breathe(execution)

    async def forks(data: Any, execution: Execution) -> Any:
        await parallel(execution, (noting("inner sleep", sleeps), noting("inner call", calls)), data)

    async def workflow(data: Any, execution: Execution) -> Any:
        branches = [noting(body.__name__, body) for body in (sleeps, calls, breathes, forks)]
        await parallel(execution, (*branches, fails_soon), data)

    outcome = await runs.outcome(runs.start(workflow))
    assert (outcome.status, outcome.error) == ("FAILED", "Broken")
    assert sorted(closed) == ["breathes", "calls", "forks", "inner call", "inner sleep", "sleeps"]
    await asyncio.wait_for(cancelled.wait(), 1)
    assert runs.executor._calls == 0
    await until(lambda: runs.executor.stuck == 0)


def test_a_failed_branch_cancels_kills_and_lets_go_of_what_runs_beside_it(tmp_path: Path) -> None:
    """States Language, "Parallel State": when a branch fails, the state has failed and all branches are terminated. A coroutine is
    cancelled, a process killed, a thread let go: nothing can end it, and its result is nobody's."""
    cancelled, free, returned = threading.Event(), threading.Event(), threading.Event()
    ids = tmp_path / "ids"

    @express.function("hangs")
    async def hangs(event: Any) -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    @express.function("blocks", run="thread")
    def blocks(event: Any) -> str:
        free.wait(30)
        returned.set()
        return "late"

    @express.function("breaks")
    async def breaks(event: Any) -> None:
        while not (ids.exists() and len(ids.read_text().split()) == 2):
            await asyncio.sleep(0.01)
        raise express.TaskError("Broken", "on purpose")

    def branch(name: str) -> dict[str, Any]:
        resource = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        return {"StartAt": name, "States": {name: {"Type": "Task", "Resource": resource, "End": True}}}

    functions = {"hangs": hangs, "blocks": blocks, "breaks": breaks, "starter": starter}
    fan = {"Type": "Parallel", "Branches": [branch(name) for name in functions], "End": True}
    program = express.compile({"StartAt": "Fan", "States": {"Fan": fan}}, functions=functions)
    began = time.monotonic()
    outcome = program.run(str(ids))
    assert (outcome.status, outcome.error, outcome.cause) == ("FAILED", "Broken", "on purpose")
    assert time.monotonic() - began < 25
    assert cancelled.wait(5)
    assert not returned.is_set()
    free.set()
    for number in map(int, ids.read_text().split()):
        patience = time.monotonic() + 5
        while _lives(number):
            assert time.monotonic() < patience, "it goes on"
            time.sleep(0.01)


def _lives(process: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_a_failing_iteration_stops_the_others_and_starts_no_more(runs: Runs) -> None:
    started, ended = [], []

    async def body(data: Any, execution: Execution, index: int, item: Any) -> Any:
        started.append(index)
        if index == 2:
            await sleep(execution, 0.01)
            raise StateError("Broken")
        await sleep(execution, 0.2)
        ended.append(index)

    async def workflow(data: Any, execution: Execution) -> Any:
        await each(execution, body, range(10), 4)

    assert (await runs.outcome(runs.start(workflow))).error == "Broken"
    await asyncio.sleep(0.3)
    assert (started, ended) == ([0, 1, 2, 3], [])


async def test_a_branch_that_fails_at_once_keeps_the_next_from_starting(runs: Runs) -> None:
    started = []

    async def first(data: Any, execution: Execution) -> Any:
        started.append("first")
        await sleep(execution, 100)

    def second(data: Any, execution: Execution) -> Any:
        raise StateError("Broken")

    def third(data: Any, execution: Execution) -> Any:
        started.append("third")

    async def workflow(data: Any, execution: Execution) -> Any:
        try:
            await parallel(execution, (first, second, third), data)
        except StateError as error:
            return [error.error, *started]

    assert (await runs.outcome(runs.start(workflow))).output == ["Broken", "first"]


async def test_the_first_of_several_failures_counts(runs: Runs) -> None:
    def failing(name: str, seconds: float) -> Callable[[Any, Execution], Any]:
        async def branch(data: Any, execution: Execution) -> Any:
            await sleep(execution, seconds)
            raise StateError(name)

        return branch

    async def workflow(data: Any, execution: Execution) -> Any:
        await parallel(execution, (failing("Later", 0.05), failing("First", 0.01), failing("AlsoLater", 0.05)), data)

    assert (await runs.outcome(runs.start(workflow))).error == "First"


async def test_a_caught_failure_of_branches_lets_the_workflow_go_on(runs: Runs) -> None:
    async def slow(data: Any, execution: Execution) -> Any:
        await sleep(execution, 100)

    async def workflow(data: Any, execution: Execution) -> Any:
        for _ in range(3):
            try:
                await parallel(execution, (slow, fails_soon), data)
            except StateError:
                await sleep(execution, 0.001)
        return "recovered"

    assert (await runs.outcome(runs.start(workflow))).output == "recovered"


# --- An execution that is given up ------------------------------------------------------------------------------------------------


async def test_abort_cancels_async_calls_and_leaves_threads_to_themselves(runs: Runs) -> None:
    cancelled, release, returned = asyncio.Event(), threading.Event(), threading.Event()

    async def hangs(event: Any) -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def blocks(event: Any) -> None:
        release.wait(10)
        returned.set()

    first, second = bound(hangs), bound(blocks)

    async def one(data: Any, execution: Execution) -> Any:
        await call(execution, first, data, "First", 1)

    async def other(data: Any, execution: Execution) -> Any:
        await call(execution, second, data, "Second", 1)

    async def workflow(data: Any, execution: Execution) -> Any:
        await parallel(execution, (one, other), data)

    execution = runs.start(workflow)
    await asyncio.sleep(0.05)
    runs.executor.abort(execution)
    assert runs.outcomes[execution].status == "ABORTED"
    await asyncio.wait_for(cancelled.wait(), 1)
    await until(lambda: runs.executor.stuck == 1)  # the thread
    release.set()
    await until(lambda: returned.is_set() and runs.executor.stuck == 0)
    assert len(runs.outcomes) == 1


async def test_a_call_given_up_before_its_worker_woke_never_enters_the_function(runs: Runs) -> None:
    entered = []

    async def work(event: Any) -> None:
        entered.append(event)

    await runs.outcome(runs.start(calling(work), 1))
    await asyncio.sleep(0)
    runs.executor.abort(runs.start(calling(work), 2))  # an idle worker has been told
    runs.executor.abort(runs.start(calling(work), 3))  # a new worker has been made
    await asyncio.sleep(0.02)
    assert entered == [1]
    assert (await runs.outcome(runs.start(calling(work), 4))).status == "SUCCEEDED"


async def test_close_ends_with_stubborn_functions_and_blocked_threads() -> None:
    release = threading.Event()

    async def stubborn(event: Any) -> None:
        while not release.is_set():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.05)

    def blocks(event: Any) -> None:
        release.wait(10)

    runs = Runs()
    runs.start(calling(stubborn))
    runs.start(calling(blocks))
    await asyncio.sleep(0.02)
    began = time.monotonic()
    await runs.executor.close()
    assert time.monotonic() - began < 9
    assert {outcome.status for outcome in runs.outcomes.values()} == {"ABORTED"}
    release.set()
    await asyncio.sleep(0.1)


async def test_a_coroutine_that_fails_while_it_is_closed_is_logged_and_forgotten(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    async def workflow(data: Any, execution: Execution) -> Any:
        try:
            await sleep(execution, 100)
        finally:
            raise ValueError("while closing")

    execution = runs.start(Handmade(workflow))
    runs.executor.abort(execution)
    assert runs.outcomes[execution].status == "ABORTED"
    assert "while closing" in caplog.text
