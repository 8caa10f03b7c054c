"""The executor: executions end once, at their time, one after the other and many at once."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from typing import Any

import pytest

from express.executor import execute, run
from express.runtime.branches import each, parallel
from express.runtime.context import Execution
from express.runtime.failures import StateError
from express.runtime.suspensions import breathe, call, sleep
from express.testing import VirtualClock
from tests.handmade import Handmade, Runs, bound, by_status, calling, execution_of


async def heartbeat(gaps: list[float]) -> None:
    """How long the loop lets others wait."""
    before = time.perf_counter()
    while True:
        await asyncio.sleep(0)
        now = time.perf_counter()
        gaps.append(now - before)
        before = now


# --- Starting and ending ----------------------------------------------------------------------------------------------------------


async def test_an_execution_that_never_waits_ends_in_start() -> None:
    async def workflow(data: Any, execution: Execution) -> Any:
        return {"seen": data}

    async with Runs() as runs:
        program = Handmade(workflow)
        outcome = runs.executor.start(program, 1, execution_of(program, 1), lambda *_: pytest.fail("done was called"))
        assert outcome is not None
        assert (outcome.status, outcome.output) == ("SUCCEEDED", {"seen": 1})
        assert runs.executor.parked == 0


async def test_a_plain_program_ends_in_start() -> None:
    async with Runs() as runs:
        program = Handmade(lambda data, execution: data + 1, plain=True)
        assert runs.executor.start(program, 1, execution_of(program), lambda *_: None).output == 2  # type: ignore[union-attr]


async def test_an_execution_that_waits_ends_once_through_done() -> None:
    async def workflow(data: Any, execution: Execution) -> Any:
        await sleep(execution, 0.02)
        return data

    async with Runs() as runs:
        began = time.monotonic()
        execution = runs.start(workflow, {"a": 1})
        assert runs.executor.parked == 1
        assert (await runs.outcome(execution)).output == {"a": 1}
        assert time.monotonic() - began >= 0.02  # never early
        assert runs.executor.parked == 0


async def test_a_failure_has_the_error_the_cause_and_the_state() -> None:
    async def workflow(data: Any, execution: Execution) -> Any:
        await breathe(execution)
        raise StateError("OutOfStock", "no more s1", "Charge", "/States/Charge")

    async with Runs() as runs:
        outcome = await runs.outcome(runs.start(workflow))
        assert (outcome.status, outcome.error, outcome.cause) == ("FAILED", "OutOfStock", "no more s1")
        assert (outcome.state, outcome.location) == ("Charge", "/States/Charge")


async def test_a_defect_of_the_engine_fails_the_execution_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def workflow(data: Any, execution: Execution) -> Any:
        await breathe(execution)
        return data["x"]

    async with Runs() as runs:
        outcome = await runs.outcome(runs.start(workflow, {}))
        assert (outcome.status, outcome.error, outcome.cause) == ("FAILED", "States.Runtime", "KeyError: 'x'")
        assert "KeyError" in caplog.text


async def test_sleeps_end_in_the_order_of_their_times() -> None:
    ended: list[float] = []

    async def workflow(data: Any, execution: Execution) -> Any:
        await sleep(execution, data)
        ended.append(data)

    async with Runs(VirtualClock()) as runs:
        for seconds in (3, 1, 2, 1.5, 0):
            runs.start(workflow, seconds)
        await runs.all()
    assert ended == [0, 1, 1.5, 2, 3]


# --- Deadlines --------------------------------------------------------------------------------------------------------------------


async def test_a_sleep_past_the_deadline_times_the_execution_out_at_the_deadline() -> None:
    async def workflow(data: Any, execution: Execution) -> Any:
        await sleep(execution, 1000)

    clock = VirtualClock()
    async with Runs(clock) as runs:
        outcome = await runs.outcome(runs.start(workflow, seconds=300))
        assert (outcome.status, outcome.error) == ("TIMED_OUT", "States.Timeout")
        assert clock.time() == 300


async def test_a_call_past_the_deadline_times_the_execution_out() -> None:
    async def hangs(event: Any) -> None:
        await asyncio.Event().wait()

    async with Runs() as runs:
        execution = runs.start(calling(hangs, timeout=50), seconds=0.2)
        began = time.monotonic()
        outcome = await runs.outcome(execution)
        assert (outcome.status, outcome.error) == ("TIMED_OUT", "States.Timeout")
        assert 0.15 < time.monotonic() - began < 20


async def test_a_calls_own_timeout_is_a_failure_of_the_state() -> None:
    async def hangs(event: Any) -> None:
        await asyncio.Event().wait()

    async with Runs() as runs:
        outcome = await runs.outcome(runs.start(calling(hangs, timeout=0.1)))
        assert (outcome.status, outcome.error, outcome.cause) == ("FAILED", "States.Timeout", None)


async def test_a_branch_past_the_deadline_times_the_whole_execution_out() -> None:
    async def quick(data: Any, execution: Execution) -> Any:
        return 1

    async def slow(data: Any, execution: Execution) -> Any:
        await sleep(execution, 500)

    async def workflow(data: Any, execution: Execution) -> Any:
        return await parallel(execution, (quick, slow, slow), data)

    async with Runs(VirtualClock()) as runs:
        assert (await runs.outcome(runs.start(workflow))).status == "TIMED_OUT"
        assert runs.executor._timers.next() is None or not runs.executor.parked


async def test_a_loop_that_breathes_sees_its_deadline() -> None:
    async def forever(data: Any, execution: Execution) -> Any:
        while True:
            await breathe(execution)

    async with Runs() as runs:
        outcome = await runs.outcome(runs.start(forever, seconds=0.05))
        assert outcome.status == "TIMED_OUT"


async def test_a_retry_after_the_deadline_is_not_begun() -> None:
    calls = []

    async def count(event: Any) -> None:
        calls.append(event)

    binding = bound(count)

    async def workflow(data: Any, execution: Execution) -> Any:
        execution.deadline = execution.clock.time()
        await call(execution, binding, data, "Work", 2)

    async with Runs() as runs:
        assert (await runs.outcome(runs.start(workflow))).status == "TIMED_OUT"
    assert not calls


# --- Parallel and Map -------------------------------------------------------------------------------------------------------------


async def test_branches_run_side_by_side_and_give_their_results_in_order() -> None:
    async def slow(data: Any, execution: Execution) -> Any:
        await sleep(execution, 2)
        return "slow"

    async def slower(data: Any, execution: Execution) -> Any:
        await sleep(execution, 3)
        return "slower"

    def plain(data: Any, execution: Execution) -> Any:
        return "plain"

    async def workflow(data: Any, execution: Execution) -> Any:
        return await parallel(execution, (slower, plain, slow), data)

    clock = VirtualClock()
    async with Runs(clock) as runs:
        assert (await runs.outcome(runs.start(workflow))).output == ["slower", "plain", "slow"]
    assert clock.time() == 3


@pytest.mark.parametrize(("concurrency", "most", "seconds"), [(1, 1, 10), (3, 3, 4), (0, 10, 1), (100, 10, 1)])
async def test_max_concurrency_is_honoured(concurrency: int, most: int, seconds: int) -> None:
    running, seen = 0, []

    async def body(data: Any, execution: Execution, index: int, item: Any) -> Any:
        nonlocal running
        running += 1
        seen.append(running)
        await sleep(execution, 1)
        running -= 1
        return index

    async def workflow(data: Any, execution: Execution) -> Any:
        return await each(execution, body, data, concurrency)

    clock = VirtualClock()
    async with Runs(clock) as runs:
        assert (await runs.outcome(runs.start(workflow, list("abcdefghij")))).output == list(range(10))
    assert max(seen) == most
    assert clock.time() == seconds


async def test_an_unlimited_map_runs_forty_at_a_time_as_on_aws() -> None:
    running, most = 0, 0

    async def body(data: Any, execution: Execution, index: int, item: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await sleep(execution, 1)
        running -= 1

    async def workflow(data: Any, execution: Execution) -> Any:
        return await each(execution, body, data)

    async with Runs(VirtualClock()) as runs:
        assert (await runs.outcome(runs.start(workflow, [0] * 100))).status == "SUCCEEDED"
    assert most == 40


async def test_an_iterations_input_is_made_just_before_it_starts() -> None:
    made: list[int] = []

    def make(index: int, item: Any) -> Any:
        made.append(index)
        return {"item": item, "index": index}

    async def body(data: Any, execution: Execution, index: int, item: Any) -> Any:
        assert made == list(range(index + 1))
        await sleep(execution, 1)
        return [data, index, item]

    async def workflow(data: Any, execution: Execution) -> Any:
        return await each(execution, body, data, 1, make)

    async with Runs(VirtualClock()) as runs:
        outcome = await runs.outcome(runs.start(workflow, ["a", "b"]))
    assert outcome.output == [[{"item": "a", "index": 0}, 0, "a"], [{"item": "b", "index": 1}, 1, "b"]]


async def test_a_failing_input_of_an_iteration_fails_the_map() -> None:
    def make(index: int, item: Any) -> Any:
        if index == 2:
            raise StateError("States.ParameterPathFailure", "no $.x")
        return item

    async def body(data: Any, execution: Execution, index: int, item: Any) -> Any:
        await sleep(execution, 1)

    async def workflow(data: Any, execution: Execution) -> Any:
        return await each(execution, body, data, 0, make)

    async with Runs(VirtualClock()) as runs:
        assert (await runs.outcome(runs.start(workflow, [1, 2, 3]))).error == "States.ParameterPathFailure"


@pytest.mark.parametrize("items", [[], ()])
async def test_a_map_over_nothing_gives_nothing(items: Any) -> None:
    async def body(data: Any, execution: Execution, index: int, item: Any) -> Any:
        raise AssertionError

    async def workflow(data: Any, execution: Execution) -> Any:
        return await each(execution, body, items)

    async with Runs() as runs:
        assert (await runs.outcome(runs.start(workflow))).output == []


async def test_maps_in_maps_in_parallels_give_nested_results() -> None:
    async def innermost(data: Any, execution: Execution, index: int, item: Any) -> Any:
        await sleep(execution, item)
        return item * 10

    async def middle(data: Any, execution: Execution, index: int, item: Any) -> Any:
        return await each(execution, innermost, item)

    async def branch(data: Any, execution: Execution) -> Any:
        return await each(execution, middle, data, 1)

    async def workflow(data: Any, execution: Execution) -> Any:
        return await parallel(execution, (branch, branch), data)

    async with Runs(VirtualClock()) as runs:
        outcome = await runs.outcome(runs.start(workflow, [[1, 2], [3]]))
    assert outcome.output == [[[10, 20], [30]]] * 2


@pytest.mark.parametrize("concurrency", [0, 1])
async def test_a_hundred_thousand_children_that_end_at_once_do_not_recurse(concurrency: int) -> None:
    async def body(data: Any, execution: Execution, index: int, item: Any) -> Any:
        if index == 0:
            await breathe(execution)  # the rest is started from where this one ends
        return item

    async def workflow(data: Any, execution: Execution) -> Any:
        return len(await each(execution, body, data, concurrency))

    async with Runs() as runs:
        assert (await runs.outcome(runs.start(workflow, [1] * 100_000))).output == 100_000


async def test_a_long_chain_of_forks_does_not_recurse() -> None:
    async def branch(data: Any, execution: Execution) -> Any:
        return data

    async def waits(data: Any, execution: Execution) -> Any:
        await breathe(execution)
        return data

    async def workflow(data: Any, execution: Execution) -> Any:
        for _ in range(5_000):
            data = (await parallel(execution, (branch, waits), data))[1]
        return data

    async with Runs() as runs:
        assert (await runs.outcome(runs.start(workflow, 7))).output == 7


# --- Fairness ---------------------------------------------------------------------------------------------------------------------


async def test_a_pure_map_over_131_000_items_lets_others_run() -> None:
    def body(data: Any, execution: Execution, index: int, item: Any) -> Any:
        return [item, {"a": item}]

    async def workflow(data: Any, execution: Execution) -> Any:
        return len(await each(execution, body, data, transitions=2))

    gaps: list[float] = []
    async with Runs() as runs:
        beat = asyncio.ensure_future(heartbeat(gaps))
        execution = runs.start(workflow, [1] * 131_000)
        assert (await runs.outcome(execution)).output == 131_000
        beat.cancel()
    assert len(gaps) > 200  # a turn for the loop after every 500 items


async def test_a_pure_map_sees_its_deadline() -> None:
    def body(data: Any, execution: Execution, index: int, item: Any) -> Any:
        return item

    async def workflow(data: Any, execution: Execution) -> Any:
        await each(execution, body, range(10_000_000))

    async with Runs() as runs:
        assert (await runs.outcome(runs.start(workflow, seconds=0.05))).status == "TIMED_OUT"


@pytest.mark.large
async def test_waking_many_at_once_leaves_the_loop_its_turns() -> None:
    async def workflow(data: Any, execution: Execution) -> Any:
        await sleep(execution, 0.3)
        return sum(range(200))

    gaps: list[float] = []
    async with Runs() as runs:
        for _ in range(20_000):
            runs.start(workflow)
        beat = asyncio.ensure_future(heartbeat(gaps))
        assert by_status(await runs.all()) == {"SUCCEEDED": 20_000}
        beat.cancel()
    gaps.sort()
    assert gaps[-1] < 0.25  # in one go it would be longer; the rest is the machine's noise


# --- Giving up --------------------------------------------------------------------------------------------------------------------


async def test_abort_closes_the_coroutine_and_says_aborted() -> None:
    closed = []

    async def workflow(data: Any, execution: Execution) -> Any:
        try:
            await sleep(execution, 100)
        finally:
            closed.append(True)

    async with Runs() as runs:
        execution = runs.start(workflow)
        runs.executor.abort(execution)
        assert closed
        assert runs.outcomes[execution].status == "ABORTED"
        runs.executor.abort(execution)  # it has ended: nothing
        assert runs.executor.parked == 0


async def test_an_execution_may_be_aborted_while_it_is_about_to_go_on() -> None:
    async def workflow(data: Any, execution: Execution) -> Any:
        await breathe(execution)
        raise AssertionError

    async with Runs() as runs:
        execution = runs.start(workflow)
        runs.executor._turns.popleft()()  # resumed, not yet stepped
        runs.executor.abort(execution)
        await asyncio.sleep(0.01)
        assert runs.outcomes[execution].status == "ABORTED"


async def test_an_execution_may_be_aborted_by_its_own_function() -> None:
    async with Runs() as runs:
        box: list[Execution] = []

        async def workflow(data: Any, execution: Execution) -> Any:
            await breathe(execution)
            runs.executor.abort(box[0])
            await sleep(execution, 100)

        box.append(runs.start(workflow))
        assert (await runs.outcome(box[0])).status == "ABORTED"
        await asyncio.sleep(0.01)
        assert runs.executor.parked == 0


async def test_close_aborts_what_is_left() -> None:
    async def workflow(data: Any, execution: Execution) -> Any:
        await sleep(execution, 100)

    runs = Runs()
    for _ in range(10):
        runs.start(workflow)
    await runs.executor.close()
    assert by_status(list(runs.outcomes.values())) == {"ABORTED": 10}


async def test_given_up_sleeps_leave_the_heap() -> None:
    async def workflow(data: Any, execution: Execution) -> Any:
        await sleep(execution, 100)

    async with Runs() as runs:
        for execution in [runs.start(workflow) for _ in range(1_000)]:
            runs.executor.abort(execution)
        assert len(runs.executor._timers._sleeps) < 200


# --- Memory -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.uvloop_only
@pytest.mark.large
async def test_nothing_is_kept_of_ten_thousand_executions() -> None:
    async def work(event: Any) -> Any:
        return {"ok": event}

    async def fails(event: Any) -> Any:
        raise ValueError("no")

    works, failing = bound(work), bound(fails)

    async def body(data: Any, execution: Execution, index: int, item: Any) -> Any:
        await breathe(execution)
        return await call(execution, works, data, "Work", 1)

    async def workflow(data: Any, execution: Execution) -> Any:
        await sleep(execution, 0.0001)
        try:
            await call(execution, failing, data, "Fails", 1)
        except StateError:
            return await each(execution, body, [1, 2, data])

    async with Runs() as runs:

        async def some(count: int) -> None:
            for _ in range(count):
                for _ in range(50):
                    runs.start(workflow, {"a": 1})
                assert by_status(await runs.all()) == {"SUCCEEDED": 50}
                runs.outcomes.clear()

        await some(20)
        gc.collect()
        before = sys.getallocatedblocks()
        gc.disable()  # nothing may depend on the collector, either
        try:
            await some(200)
            assert sys.getallocatedblocks() - before < 1_500
        finally:
            gc.enable()


@pytest.mark.uvloop_only
@pytest.mark.large
async def test_memory_is_flat_over_a_hundred_thousand_events() -> None:
    async def work(event: Any) -> Any:
        return {"ok": event["a"]}

    program = calling(work)
    async with Runs() as runs:

        async def some(count: int) -> None:
            for number in range(count):
                for _ in range(500):
                    runs.start(program, {"a": number})
                assert by_status(await runs.all()) == {"SUCCEEDED": 500}
                runs.outcomes.clear()

        await some(4)
        gc.collect()
        before = sys.getallocatedblocks()
        await some(200)
        gc.collect()
        assert abs(sys.getallocatedblocks() - before) < 1_500


# --- run and execute --------------------------------------------------------------------------------------------------------------


def test_run_makes_no_loop_when_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "Runner", lambda **_: pytest.fail("a loop was made"))
    program = Handmade(lambda data, execution: data, plain=True)
    assert run(program, 1, execution_of(program)).output == 1


def test_run_waits_for_real() -> None:
    async def workflow(data: Any, execution: Execution) -> Any:
        await sleep(execution, 0.05)
        return data

    began = time.monotonic()
    program = Handmade(workflow)
    assert run(program, 1, execution_of(program)).output == 1
    assert 0.05 <= time.monotonic() - began < 20


async def test_run_works_inside_a_running_loop_as_in_a_notebook() -> None:
    async def waits(event: Any) -> Any:
        await asyncio.sleep(0.01)
        return event

    program = calling(waits)
    assert run(program, 1, execution_of(program)).output == 1


async def test_execute_runs_on_the_running_loop() -> None:
    loop = asyncio.get_running_loop()

    async def where(event: Any) -> Any:
        assert asyncio.get_running_loop() is loop
        return event

    program = calling(where)
    assert (await execute(program, 5, execution_of(program))).output == 5


async def test_execute_gives_the_execution_up_when_it_is_cancelled() -> None:
    closed = []

    async def workflow(data: Any, execution: Execution) -> Any:
        try:
            await sleep(execution, 100)
        finally:
            closed.append(True)

    program = Handmade(workflow)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await execute(program, 1, execution_of(program))
    assert closed
