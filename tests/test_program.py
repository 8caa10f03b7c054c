"""Programs as their users see them: compile, run, execute, the public names."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import express
from express.testing import VirtualClock
from tests.compiler.machines import machine, pass_, task

HELLO = machine(Hello=pass_(Parameters={"text.$": "States.Format('Hello, {}', $.name)"}))

YAML = """
StartAt: Hello
States:
  Hello:
    Type: Pass
    Parameters: {text.$: "States.Format('Hello, {}', $.name)"}
    End: true
"""


def test_the_public_names_are_there() -> None:
    assert {"check", "compile", "function", "Program", "Outcome", "TaskError", "DefinitionError", "Problem"} <= set(express.__all__)
    assert all(hasattr(express, name) for name in express.__all__)


@pytest.mark.parametrize("form", ["dict", "json", "bytes", "yaml", "path"])
def test_a_definition_is_a_mapping_a_text_or_a_path(form: str, tmp_path: Path) -> None:
    path = tmp_path / "hello.asl.json"
    path.write_text(json.dumps(HELLO))
    definition: Any = {
        "dict": HELLO,
        "json": json.dumps(HELLO),
        "bytes": json.dumps(HELLO).encode(),
        "yaml": YAML,
        "path": path,
    }[form]
    program = express.compile(definition)
    assert program.run({"name": "you"}).output == {"text": "Hello, you"}
    assert program.name == ("hello" if form == "path" else "workflow")


def test_substitutions_are_filled_in() -> None:
    program = express.compile(machine(P=pass_(Result="${Greeting}")), substitutions={"Greeting": "hi"})
    assert program.run({}).output == "hi"


def test_all_problems_of_a_definition_are_told_at_once() -> None:
    broken = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "C": {"Type": "Nonsense"}}}
    with pytest.raises(express.DefinitionError) as caught:
        express.compile(broken)
    assert len(caught.value.problems) > 1
    assert {problem.location for problem in express.check(broken)} == {problem.location for problem in caught.value.problems}


def test_a_distributed_map_is_refused_with_its_own_code() -> None:
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}, **machine(A=pass_())}
    with pytest.raises(express.DefinitionError) as caught:
        express.compile(machine(M={"Type": "Map", "ItemProcessor": processor}))
    assert [problem.location for problem in caught.value.problems] == ["/States/M"]


def test_an_outcome_has_what_became_of_the_event() -> None:
    program = express.compile(machine(A=pass_(), F={"Type": "Fail", "Error": "E", "Cause": "C"}))
    outcome = program.run({})
    assert (outcome.status, outcome.output, outcome.error, outcome.cause) == ("FAILED", None, "E", "C")
    assert (outcome.state, outcome.location, outcome.attempts) == ("F", "/States/F", 0)


def test_run_never_changes_the_event_it_was_given() -> None:
    @express.function("f", run="inline")
    def spoil(event: dict[str, Any]) -> dict[str, Any]:
        event["list"].append("spoilt")
        return event

    event = {"list": [1]}
    assert express.compile(machine(T=task("f")), functions={"f": spoil}).run(event).output == {"list": [1, "spoilt"]}
    assert event == {"list": [1]}


@pytest.mark.parametrize(
    ("event", "error"),
    [({"a": object()}, "Runtime.MarshalError"), ({"a": float("nan")}, "Runtime.MarshalError"), ("x" * 300_000, "States.DataLimitExceeded")],
)
def test_an_event_that_cannot_be_one_fails(event: Any, error: str) -> None:
    outcome = express.compile(machine(P=pass_())).run(event)
    assert (outcome.status, outcome.error) == ("FAILED", error)


def test_run_works_inside_a_running_loop_too() -> None:
    program = express.compile(machine(W={"Type": "Wait", "Seconds": 0}, T=task("f")), functions={"f": express.function("f")(_slow)})

    async def notebook() -> express.Outcome:
        return program.run({"a": 1})

    assert asyncio.run(notebook()).output == {"a": 1}
    assert program.run({"a": 2}).output == {"a": 2}


async def _slow(event: Any) -> Any:
    await asyncio.sleep(0.01)
    return event


async def test_execute_runs_many_events_side_by_side() -> None:
    program = express.compile(machine(T=task("f")), functions={"f": express.function("f")(_slow)})
    began = time.monotonic()
    outcomes = await asyncio.gather(*(program.execute(number) for number in range(50)))
    assert [outcome.output for outcome in outcomes] == list(range(50))
    assert time.monotonic() - began < 5


def test_waiting_takes_no_time_with_a_virtual_clock() -> None:
    began = time.monotonic()
    outcome = express.compile(machine(W={"Type": "Wait", "Seconds": 200})).run({}, clock=VirtualClock())
    assert outcome.status == "SUCCEEDED"
    assert time.monotonic() - began < 5


def test_the_workflow_s_timeout_is_five_minutes_at_most() -> None:
    definition = machine(W={"Type": "Wait", "Seconds": 1_000})
    for seconds, limit in ((None, 300), (20, 20), (10_000, 300)):
        clock = VirtualClock()
        began = clock.time()
        timed = definition if seconds is None else {**definition, "TimeoutSeconds": seconds}
        outcome = express.compile(timed).run({}, clock=clock)
        assert (outcome.status, outcome.error) == ("TIMED_OUT", "States.Timeout")
        assert clock.time() - began == pytest.approx(limit, abs=0.01)


def test_programs_may_be_run_from_several_threads() -> None:
    program = express.compile(machine(P=pass_(Parameters={"n.$": "States.MathAdd($.n, 1)"})), metrics=False)
    results: list[list[int]] = []

    def work() -> None:
        results.append([program.run({"n": number}).output["n"] for number in range(300)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [list(range(1, 301))] * 4


def test_the_lines_of_one_state_can_be_shown() -> None:
    program = express.compile(machine(A=pass_(), Charge=pass_(Result=1, ResultPath="$.charged")), metrics=False)
    assert program.lines("Charge")[0].strip() == "# 'Charge': Pass"
    assert any('"charged": 1' in line for line in program.lines("Charge"))


def test_python_dash_m_express_is_the_command_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import runpy
    import sys

    monkeypatch.setattr(sys, "argv", ["express", "--help"])
    with pytest.raises(SystemExit) as left:
        runpy.run_module("express", run_name="__main__", alter_sys=False)
    assert left.value.code == 0
    assert "express" in capsys.readouterr().out
