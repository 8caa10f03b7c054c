"""Async functions: in Tasks that are used again, in which asyncio behaves as under ``asyncio.run``."""

from __future__ import annotations

import asyncio
import contextvars
import json
from typing import Any

import pytest

from express.runtime.context import Execution
from express.runtime.suspensions import call, call_inline, sleep
from express.tasks.coroutines import Workers
from express.tasks.function import function
from tests.handmade import Runs, bound, by_status, calling, execution_of

NAME: contextvars.ContextVar[str] = contextvars.ContextVar("NAME", default="nobody")


async def test_a_functions_result_is_the_states() -> None:
    async def work(event: Any) -> Any:
        await asyncio.sleep(0)
        return {"got": event}

    async with Runs() as runs:
        assert (await runs.outcome(runs.start(calling(work), 1))).output == {"got": 1}


async def test_what_a_function_changes_later_changes_nothing() -> None:
    kept: dict[str, Any] = {"list": [1]}

    async def work(event: Any) -> Any:
        return kept

    async with Runs() as runs:
        outcome = await runs.outcome(runs.start(calling(work)))
        kept["list"].append(2)
        assert outcome.output == {"list": [1]}


async def test_a_function_with_two_parameters_gets_lambdas_context() -> None:
    async def work(event: Any, context: Any) -> Any:
        assert 0 < context.get_remaining_time_in_millis() <= 2_000
        return [
            context.function_name,
            context.invoked_function_arn,
            context.execution_id,
            context.state,
            context.attempt,
            len(context.aws_request_id),
            context.aws_request_id == context.aws_request_id,
        ]

    async with Runs() as runs:
        execution = runs.start(calling(work, timeout=2))
        arn = "arn:aws:lambda:us-east-1:000000000000:function:work"
        assert (await runs.outcome(execution)).output == ["work", arn, execution.name, "Work", 1, 36, True]


async def test_an_exception_gives_its_class_and_lambdas_cause_with_the_request_the_function_saw() -> None:
    seen = []

    async def work(event: Any, context: Any) -> Any:
        seen.append(context.aws_request_id)
        raise KeyError("x")

    async with Runs() as runs:
        outcome = await runs.outcome(runs.start(calling(work)))
    assert outcome.error == "KeyError"
    cause = json.loads(outcome.cause or "")
    assert (cause["errorMessage"], cause["errorType"], cause["requestId"]) == ("'x'", "KeyError", seen[0])
    assert len(cause["stackTrace"]) == 1
    assert cause["stackTrace"][0].endswith(', in work\n    raise KeyError("x")\n')


# --- Workers are used again -------------------------------------------------------------------------------------------------------


@pytest.mark.uvloop_only
async def test_ten_thousand_calls_use_as_many_tasks_as_run_at_a_time() -> None:
    tasks = set()

    async def work(event: Any) -> Any:
        tasks.add(asyncio.current_task())
        await asyncio.sleep(0)

    program = calling(work)
    async with Runs() as runs:
        for _ in range(1_000):
            for _ in range(10):
                runs.start(program)
            assert "FAILED" not in by_status(await runs.all())
        assert len(tasks) <= 20
        assert runs.executor.service(Workers).made <= 20


async def test_a_worker_whose_context_variables_changed_is_not_used_again() -> None:
    seen = []

    async def work(event: Any) -> Any:
        seen.append(NAME.get())
        NAME.set("somebody")

    program = calling(work)
    async with Runs() as runs:
        for _ in range(5):
            await runs.outcome(runs.start(program))
        assert seen == ["nobody"] * 5
        assert runs.executor.service(Workers).made == 5


async def test_what_a_function_sets_in_its_context_is_seen_by_nothing_that_follows() -> None:
    seen = []

    async def work(event: Any) -> Any:
        NAME.set("somebody")

    @function("inline", run="inline")
    def inline(event: Any) -> Any:
        seen.append(NAME.get())

    first, second = bound(work), bound(inline)

    async def workflow(data: Any, execution: Execution) -> Any:
        await call(execution, first, data, "First", 1)
        call_inline(execution, second, data, "Second", 1)
        await sleep(execution, 0.001)
        call_inline(execution, second, data, "Third", 1)

    async with Runs() as runs:
        await runs.outcome(runs.start(workflow))
        await runs.outcome(runs.start(calling(inline)))
    assert seen == ["nobody"] * 3


async def test_a_context_variable_that_is_reset_keeps_the_worker() -> None:
    async def work(event: Any) -> Any:
        token = NAME.set("somebody")
        await asyncio.sleep(0)
        NAME.reset(token)

    program = calling(work)
    async with Runs() as runs:
        for _ in range(5):
            await runs.outcome(runs.start(program))
        assert runs.executor.service(Workers).made == 1


async def test_a_context_variable_that_cannot_be_compared_retires_the_worker() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise TypeError("not comparable")

    odd: contextvars.ContextVar[Odd] = contextvars.ContextVar("odd")
    odd.set(Odd())

    async def work(event: Any) -> Any:
        odd.set(Odd())
        return 1

    program = calling(work)
    async with Runs() as runs:
        for _ in range(3):
            assert (await runs.outcome(runs.start(program))).output == 1


async def test_a_worker_that_its_function_has_cancelled_is_not_used_again() -> None:
    async def cancels_itself(event: Any) -> Any:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return "done"

    async def work(event: Any) -> Any:
        await asyncio.sleep(0.001)
        return "fine"

    async with Runs() as runs:
        for _ in range(3):
            assert (await runs.outcome(runs.start(calling(cancels_itself)))).output == "done"
            assert (await runs.outcome(runs.start(calling(work)))).output == "fine"


async def test_a_task_that_somebody_kept_and_cancels_later_costs_no_call() -> None:
    kept: list[asyncio.Task[Any]] = []

    async def keeps(event: Any) -> Any:
        task = asyncio.current_task()
        assert task is not None
        kept.append(task)

    async def work(event: Any) -> Any:
        return "fine"

    async with Runs() as runs:
        await runs.outcome(runs.start(calling(keeps)))
        await asyncio.sleep(0)
        execution = runs.start(calling(work))  # handed to the kept worker, which has not woken up yet
        kept[0].cancel()
        assert (await runs.outcome(execution)).output == "fine"
        await runs.outcome(runs.start(calling(keeps)))
        await asyncio.sleep(0)
        kept[1].cancel()  # idle
        assert (await runs.outcome(runs.start(calling(work)))).output == "fine"


# --- As under asyncio.run ---------------------------------------------------------------------------------------------------------


async def test_asyncio_timeout_in_a_function_ends_only_what_it_encloses() -> None:
    async def work(event: Any) -> Any:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(10)
        except TimeoutError:
            await asyncio.sleep(0.001)
            return "own timeout"

    async with Runs() as runs:
        executions = [runs.start(calling(work)) for _ in range(3)]
        assert [(await runs.outcome(execution)).output for execution in executions] == ["own timeout"] * 3
        assert runs.executor.service(Workers).made == 3  # clean again, so kept


async def test_an_asyncio_timeout_that_nobody_handles_fails_the_state_by_its_name() -> None:
    async def work(event: Any) -> Any:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(10)

    async with Runs() as runs:
        assert (await runs.outcome(runs.start(calling(work)))).error == "TimeoutError"


async def test_a_task_group_in_a_function_cancels_siblings_and_raises_a_group() -> None:
    cancelled = []

    async def sibling() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def fails() -> None:
        await asyncio.sleep(0.001)
        raise ValueError("no")

    async def work(event: Any) -> Any:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(sibling())
                group.create_task(fails())
        except* ValueError as group_of_errors:
            handled = len(group_of_errors.exceptions)
        return handled

    async with Runs() as runs:
        assert (await runs.outcome(runs.start(calling(work)))).output == 1
    assert cancelled == [True]


async def test_current_task_is_one_task_throughout_a_call() -> None:
    async def work(event: Any) -> Any:
        first = asyncio.current_task()
        await asyncio.sleep(0)
        assert first is not None
        assert first in asyncio.all_tasks()
        return asyncio.current_task() is first

    async with Runs() as runs:
        assert (await runs.outcome(runs.start(calling(work)))).output is True


async def test_functions_may_gather_wait_for_and_shield() -> None:
    async def part(number: int) -> int:
        await asyncio.sleep(0.001)
        return number

    async def work(event: Any) -> Any:
        parts = await asyncio.gather(part(1), part(2), asyncio.wait_for(part(3), 1), asyncio.shield(part(4)))
        return list(parts)

    async with Runs() as runs:
        assert (await runs.outcome(runs.start(calling(work)))).output == [1, 2, 3, 4]


async def test_a_cancellation_that_comes_from_inside_is_a_failure_like_any_other() -> None:
    async def work(event: Any) -> Any:
        inner = asyncio.ensure_future(asyncio.sleep(10))
        asyncio.get_running_loop().call_soon(inner.cancel)
        await inner

    async with Runs() as runs:
        outcome = await runs.outcome(runs.start(calling(work)))
        assert (outcome.status, outcome.error) == ("FAILED", "CancelledError")


async def test_a_function_that_leaves_with_sys_exit_fails_its_state_only() -> None:
    async def work(event: Any) -> Any:
        raise SystemExit(3)

    async with Runs() as runs:
        outcome = await runs.outcome(runs.start(calling(work)))
        assert outcome.error == "Runtime.ExitError"
        assert "exit status 3" in (outcome.cause or "")


async def test_two_states_of_one_execution_may_share_a_worker() -> None:
    tasks = []

    async def work(event: Any) -> Any:
        tasks.append(asyncio.current_task())
        return event + 1

    binding = bound(work)

    async def workflow(data: Any, execution: Execution) -> Any:
        for _ in range(3):
            data = await call(execution, binding, data, "Work", 1)
        return data

    async with Runs() as runs:
        assert (await runs.outcome(runs.start(workflow, 1))).output == 4
    assert len(set(tasks)) == 1


@pytest.mark.parametrize("factory", ["asyncio", "uvloop"])
def test_ctrl_c_in_a_function_reaches_the_caller_of_run(factory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import uvloop

    from express.clock import Clock
    from express.executor import run

    class Own(Clock):
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            return uvloop.new_event_loop() if factory == "uvloop" else asyncio.SelectorEventLoop()

    async def work(event: Any) -> Any:
        await asyncio.sleep(0)
        raise KeyboardInterrupt

    program = calling(work)
    with pytest.raises(KeyboardInterrupt):
        run(program, 1, execution_of(program, clock=Own()))
