"""kill -9 after an acknowledged StartExecution: what was acknowledged runs when the process is there again. And a stop that is no kill."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.api.served import FUNCTIONS, ROLE, client, served, task
from tests.api.test_executions import until
from tests.commandline import Running, running


def _api(process: Running) -> str:
    process.until_said("the API of Step Functions at ")
    return process.stderr.partition("the API of Step Functions at ")[2].partition(",")[0]


def _noting(file: Path) -> dict[str, Any]:
    """A second after its start the execution's name is a line of ``file``."""
    definition = task("note")
    definition["StartAt"] = "Wait"
    definition["States"]["Wait"] = {"Type": "Wait", "Seconds": 1, "Next": "Task"}
    definition["States"]["Task"]["Parameters"] = {"file": str(file), "line.$": "$$.Execution.Name"}
    return definition


def _asking(folder: Path, file: Path) -> dict[str, Any]:
    """A token becomes a file of the execution's name; what it is answered with is a line of ``file``."""
    payload = {"file.$": f"States.Format('{folder}/{{}}.token', $$.Execution.Name)", "token.$": "$$.Task.Token"}
    ask = {"Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Parameters": {"FunctionName": "ask", "Payload": payload}}
    definition = task("note")
    definition["StartAt"] = "Ask"
    definition["States"]["Ask"] = {"Type": "Task", "Next": "Task", **ask}
    definition["States"]["Task"]["Parameters"] = {"file": str(file), "line.$": "$"}
    return definition


def _words(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


def test_what_was_acknowledged_before_a_kill_runs_after_it_and_what_was_parked_waits_under_a_fresh_token(tmp_path: Path) -> None:
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    ran, answered = tmp_path / "ran.txt", tmp_path / "answered.txt"
    names, parked = [f"n{number}" for number in range(10)], [f"p{number}" for number in range(3)]
    tokens = {name: tmp_path / f"{name}.token" for name in parked}
    command = ("serve", "--api", "127.0.0.1:0", "--functions", "functions.py", "--extension", "callbacks")
    with running(*command, cwd=tmp_path) as process:
        boto = client(_api(process))
        orders, approvals = (
            boto.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE, type="EXPRESS")["stateMachineArn"]
            for name, definition in (("orders", _noting(ran)), ("approvals", _asking(tmp_path, answered)))
        )
        for name in parked:
            boto.start_execution(stateMachineArn=approvals, name=name)
        process.until(lambda: all(map(_words, tokens.values())), "all were parked", 60)
        for name in names:
            boto.start_execution(stateMachineArn=orders, name=name)
        process.signal(signal.SIGKILL)
        process.wait()
    assert len(_words(ran)) < len(names), "nothing was left to run again"
    before = {name: file.read_text() for name, file in tokens.items()}
    with running(*command, cwd=tmp_path) as process:
        boto = client(_api(process))
        process.until(lambda: set(_words(ran)) == set(names), "all had run", 60)
        process.until(lambda: all(_words(tokens[name]) not in ([], [before[name]]) for name in parked), "all were parked again", 60)
        for name in parked:
            with pytest.raises(boto.exceptions.TaskTimedOut):
                boto.send_task_success(taskToken=before[name], output='"old"')
            boto.send_task_success(taskToken=tokens[name].read_text(), output=json.dumps(name))
        process.until(lambda: len(_words(answered)) == len(parked), "all were answered", 60)
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
    assert sorted(_words(answered)) == parked


def test_a_stop_answers_what_still_runs_and_what_ended_in_time(tmp_path: Path) -> None:
    """Somebody waits for it: the process drains before it goes."""
    waiting = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "End": True}}}
    with served(tmp_path) as server, ThreadPoolExecutor(1) as pool:
        arn = server.create("w", waiting)
        answer = pool.submit(server.client.start_sync_execution, stateMachineArn=arn, input="7")
        executor = server.worker._executor
        assert executor is not None
        until(lambda: executor.parked == 1)
        server.stop()
        assert answer.result(30)["output"] == "7"
