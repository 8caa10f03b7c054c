"""Tasks that wait for SendTask*, and workflows that wait for workflows, over the API: extensions, through boto3's own client."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from express.config import Settings
from tests.api.served import Served, passing, served


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("extended"), settings=Settings(extensions=("callbacks", "nested"))) as running:
        yield running


def asking(file: Path) -> dict[str, Any]:
    parameters = {"FunctionName": "ask", "Payload": {"file": str(file), "token.$": "$$.Task.Token"}}
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Parameters": parameters, "End": True}
    return {"StartAt": "Ask", "States": {"Ask": {**state, "TimeoutSeconds": 30, "HeartbeatSeconds": 20}}}


class Asked:
    """An execution that waits for somebody, and its token."""

    def __init__(self, server: Served, name: str) -> None:
        file = server.directory / f"{name}.token"
        arn = server.create(name, asking(file))
        self._pool = ThreadPoolExecutor(1)
        self.answer: Future[Any] = self._pool.submit(server.client.start_sync_execution, stateMachineArn=arn)
        end = time.monotonic() + 30
        while not (file.exists() and file.read_text()):
            assert time.monotonic() < end
            assert not self.answer.done(), self.answer.result()
            time.sleep(0.01)
        self.token = file.read_text()

    def result(self) -> Any:
        found = self.answer.result(30)
        self._pool.shutdown()
        return found


def code(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


def test_whoever_has_the_token_ends_the_task_once(extended: Served) -> None:
    client = extended.client
    asked = Asked(extended, "approved")
    client.send_task_heartbeat(taskToken=asked.token)
    assert code(client.send_task_success, taskToken=asked.token, output="{") == "InvalidOutput"
    client.send_task_success(taskToken=asked.token, output='{"approved": true}')
    found = asked.result()
    assert (found["status"], json.loads(found["output"])) == ("SUCCEEDED", {"approved": True})
    for call, more in ((client.send_task_success, {"output": "1"}), (client.send_task_failure, {}), (client.send_task_heartbeat, {})):
        assert code(call, taskToken=asked.token, **more) == "TaskTimedOut"
        assert code(call, taskToken="made-up", **more) == "InvalidToken"


def test_whoever_has_the_token_fails_the_task(extended: Served) -> None:
    asked = Asked(extended, "rejected")
    extended.client.send_task_failure(taskToken=asked.token, error="Rejected", cause="too dear")
    found = asked.result()
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "Rejected", "too dear")


def test_a_workflow_waits_for_another_state_machine_as_it_is_by_then(extended: Served) -> None:
    child = extended.create("child", passing("first"))
    resource = "arn:aws:states:::states:startExecution.sync:2"
    parent = {
        "StartAt": "Call",
        "States": {
            "Call": {
                "Type": "Task",
                "Resource": resource,
                "Parameters": {"StateMachineArn": child, "Input": {}},
                "OutputPath": "$.Output",
                "End": True,
            }
        },
    }
    arn = extended.create("parent", parent)
    assert extended.client.start_sync_execution(stateMachineArn=arn)["output"] == '"first"'
    extended.client.update_state_machine(stateMachineArn=child, definition=passing("second"))
    assert extended.client.start_sync_execution(stateMachineArn=arn)["output"] == '"second"'
    assert extended.client.validate_state_machine_definition(definition=json.dumps(parent))["result"] == "OK"
