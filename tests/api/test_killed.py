"""kill -9 after an acknowledged StartExecution: what was acknowledged runs when the process is there again."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

from tests.api.served import FUNCTIONS, ROLE, client, task
from tests.commandline import Running, running


def _api(process: Running) -> str:
    process.until_said("the API of Step Functions at ")
    return process.stderr.partition("the API of Step Functions at ")[2].partition(",")[0]


def test_what_was_acknowledged_before_a_kill_runs_after_it(tmp_path: Path) -> None:
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    file = tmp_path / "ran.txt"
    definition = task("note")
    definition["StartAt"] = "Wait"
    definition["States"]["Wait"] = {"Type": "Wait", "Seconds": 1, "Next": "Task"}
    definition["States"]["Task"]["Parameters"] = {"file": str(file), "line.$": "$$.Execution.Name"}
    command = ("serve", "--api", "127.0.0.1:0", "--functions", "functions.py")
    with running(*command, cwd=tmp_path) as process:
        boto = client(_api(process))
        arn = boto.create_state_machine(name="orders", definition=json.dumps(definition), roleArn=ROLE, type="EXPRESS")["stateMachineArn"]
        names = [f"n{number}" for number in range(20)]
        for name in names:
            boto.start_execution(stateMachineArn=arn, name=name)
        process.signal(signal.SIGKILL)
        process.wait()
    before = file.read_text().split() if file.exists() else []
    assert len(before) < len(names), "nothing was left to run again"
    with running(*command, cwd=tmp_path) as process:
        process.until(lambda: file.exists() and set(file.read_text().split()) == set(names), "all had run")
        began = time.monotonic()
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        assert time.monotonic() - began < 10


def test_a_stop_answers_what_still_runs_and_what_ended_in_time(tmp_path: Path) -> None:
    """Somebody waits for it: the process drains before it goes."""
    from concurrent.futures import ThreadPoolExecutor

    (tmp_path / "functions.py").write_text(FUNCTIONS)
    waiting = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "End": True}}}
    with running("serve", "--api", "127.0.0.1:0", cwd=tmp_path) as process, ThreadPoolExecutor(1) as pool:
        boto = client(_api(process))
        arn = boto.create_state_machine(name="w", definition=json.dumps(waiting), roleArn=ROLE, type="EXPRESS")["stateMachineArn"]
        answer = pool.submit(boto.start_sync_execution, stateMachineArn=arn, input="7")
        time.sleep(0.3)
        process.signal(signal.SIGTERM)
        assert answer.result(20)["output"] == "7"
        assert process.wait() == 0
