"""Process functions: called over pipes, killed when their time is over, replaced when they are gone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from express.errors import ConfigurationError
from express.runtime.context import Execution
from express.runtime.failures import StateError
from express.runtime.suspensions import call
from express.tasks.function import function, load
from tests.handmade import Runs, bound, calling
from tests.tasks import process_functions
from tests.tasks.process_functions import echo, fails, nap, starter

PROJECT = Path(__file__).parent.parent.parent


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def gone(process: int, seconds: float = 5) -> None:
    patience = time.monotonic() + seconds
    while alive(process):
        assert time.monotonic() < patience, f"process {process} is still there"
        await asyncio.sleep(0.01)


async def test_a_function_runs_in_a_process_that_is_used_again() -> None:
    async with Runs() as runs:
        event = {"a": [1, "ü", None, 2**80, 1.5]}
        outcomes = []
        for _ in range(3):
            execution = runs.start(calling(echo), event)
            outcomes.append((await runs.outcome(execution)).output)
            assert outcomes[-1]["context"] == ["echo", "Work", 1, execution.name]
            assert 0 < outcomes[-1]["milliseconds"] <= 300_000
    assert [outcome["event"] for outcome in outcomes] == [event] * 3
    assert len({outcome["process"] for outcome in outcomes}) == 1
    assert outcomes[0]["process"] != os.getpid()


async def test_a_hanging_function_is_killed_at_its_timeout_and_replaced() -> None:
    async with Runs() as runs:
        binding = bound(nap)

        async def workflow(data: Any, execution: Execution) -> Any:
            first = await call(execution, binding, 0, "Work", 1)
            with pytest.raises(StateError, match=r"States\.Timeout"):
                await call(execution, binding, 60, "Work", 1, 0.2)
            return [first, await call(execution, binding, 0, "Work", 2)]

        began = time.monotonic()
        outcome = await runs.outcome(runs.start(workflow))
        assert time.monotonic() - began < 50  # and not the 60 of the function
        first, second = outcome.output
        assert first != second
        await gone(first)
        assert runs.executor.stuck == 0


async def test_what_a_killed_function_has_started_is_killed_too(tmp_path: Path) -> None:
    async with Runs() as runs:
        await runs.outcome(runs.start(calling(starter), None))
        outcome = await runs.outcome(runs.start(calling(starter, timeout=1), str(tmp_path / "ids")))
        assert outcome.error == "States.Timeout"
        for number in (tmp_path / "ids").read_text().split():
            await gone(int(number))


async def test_failures_are_those_of_any_other_mode() -> None:
    async with Runs() as runs:
        program = calling(fails)
        found = {}
        for kind in ("raise", "task error", "exit", "not json", "nan", "large"):
            outcome = await runs.outcome(runs.start(program, kind))
            found[kind] = (outcome.error, outcome.cause or "")
    assert found["raise"][0] == "ValueError"
    cause = json.loads(found["raise"][1])
    assert (cause["errorMessage"], len(cause["stackTrace"])) == ("no", 1)
    assert "process_functions.py" in cause["stackTrace"][0]
    assert found["task error"] == ("OutOfStock", "no more s1")
    assert found["exit"][0] == "Runtime.ExitError"
    assert found["not json"][0] == found["nan"][0] == "Runtime.MarshalError"
    assert found["large"][0] == "States.DataLimitExceeded"
    assert "arn:aws:lambda:us-east-1:000000000000:function:work" in found["large"][1]


@pytest.mark.parametrize(("kind", "how"), [("die", "exit status 7"), ("signal", "signal: SIGSEGV")])
async def test_a_crash_fails_the_call_and_not_the_next(kind: str, how: str) -> None:
    async with Runs() as runs:
        program = calling(fails)
        outcome = await runs.outcome(runs.start(program, kind))
        assert outcome.error == "Lambda.Unknown"
        assert how in (outcome.cause or "")
        assert (await runs.outcome(runs.start(program, "fine"))).output == "fine"


async def test_a_process_that_was_killed_from_outside_is_replaced() -> None:
    async with Runs() as runs:
        program = calling(nap)
        process = (await runs.outcome(runs.start(program, 0))).output
        os.kill(process, signal.SIGKILL)
        await gone(process)
        assert (await runs.outcome(runs.start(program, 0))).output != process


async def test_calls_beyond_the_limit_wait_and_show_as_saturated() -> None:
    async with Runs() as runs:
        binding = bound(nap)
        assert not binding.saturated()
        program = calling(nap)
        executions = [runs.start(program, 0.05) for _ in range(4)]
        assert binding.saturated()
        processes = {(await runs.outcome(execution)).output for execution in executions}
        assert len(processes) == 1
        assert not binding.saturated()


async def test_children_leave_soon_after_the_last_executor_that_used_them() -> None:
    async with Runs() as runs:
        process = (await runs.outcome(runs.start(calling(nap), 0))).output
        await asyncio.sleep(1.3)
        assert alive(process)
    await gone(process)


PARENT = """
import asyncio, sys
from tests.handmade import Runs, calling
from tests.tasks.process_functions import nap

async def main():
    runs = Runs()
    program = calling(nap)
    print((await runs.outcome(runs.start(program, 0))).output, flush=True)
    runs.start(program, 60)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_children_die_with_a_killed_parent_in_the_middle_of_a_call() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        await asyncio.sleep(0.2)
        assert alive(child)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()  # type: ignore[union-attr]
    await gone(child)


async def test_a_signal_to_the_group_does_not_end_a_call() -> None:
    async with Runs() as runs:
        program = calling(nap)
        process = (await runs.outcome(runs.start(program, 0))).output
        execution = runs.start(program, 0.3)
        await asyncio.sleep(0.1)
        os.kill(process, signal.SIGTERM)
        os.kill(process, signal.SIGINT)
        assert (await runs.outcome(execution)).output == process


def test_a_function_that_another_process_cannot_import_is_refused_when_it_is_bound() -> None:
    @function("local", run="process")
    def local(event: Any) -> Any:
        return event

    with pytest.raises(ConfigurationError, match="expected a function at the top of a Python file"):
        bound(local)


ONLY_ONCE = """
import os
from express.tasks.function import function

if os.environ.get("BROKEN"):
    raise ValueError("not in a child")

@function("once", run="process")
def once(event):
    return event
"""


async def test_a_file_that_cannot_be_run_in_the_child_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "only_once.py"
    file.write_text(ONLY_ONCE)
    once = load(file)["once"]
    monkeypatch.setenv("BROKEN", "1")
    async with Runs() as runs:
        outcome = await runs.outcome(runs.start(calling(once), 1))
    assert outcome.error == "Lambda.Unknown"
    assert "only_once.py, line 6: fails when it is imported: ValueError: not in a child" in (outcome.cause or "")


def test_the_functions_stay_callable() -> None:
    assert process_functions.nap(0) == os.getpid()
