"""Executions over the API: synchronous ones answered, others acknowledged once they are durable, both as boto3's own client sees them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from express.queue import Queue
from tests.api.served import ACCOUNT, Served, passing, task


def refused(code: str, call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


CONTEXT = {
    "StartAt": "Pass",
    "States": {
        "Pass": {
            "Type": "Pass",
            "Parameters": {"name.$": "$$.Execution.Name", "id.$": "$$.Execution.Id", "role.$": "$$.Execution.RoleArn"},
            "End": True,
        }
    },
}


def test_a_synchronous_execution_is_answered_with_everything(server: Served) -> None:
    arn = server.create("sync", task("double"))
    found = server.client.start_sync_execution(stateMachineArn=arn, name="mine", input='{"total": 4}', traceHeader="Root=1-5")
    del found["ResponseMetadata"]
    assert found["executionArn"].startswith(f"{ACCOUNT}:express:sync:mine:")
    assert found["stopDate"] >= found["startDate"]
    assert {name: value for name, value in found.items() if name not in ("executionArn", "startDate", "stopDate")} == {
        "stateMachineArn": arn,
        "name": "mine",
        "status": "SUCCEEDED",
        "input": '{"total": 4}',
        "inputDetails": {"included": True},
        "output": '{"total":8}',
        "outputDetails": {"included": True},
        "traceHeader": "Root=1-5",
        "billingDetails": {"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": 100},
    }


def test_an_execution_knows_its_name_its_arn_and_its_role(server: Served) -> None:
    arn = server.create("context", CONTEXT)
    found = server.client.start_sync_execution(stateMachineArn=arn, name="me")
    assert json.loads(found["output"]) == {
        "name": "me",
        "id": found["executionArn"],
        "role": "arn:aws:iam::000000000000:role/orders",
    }


def test_metadata_alone_leaves_the_data_out(server: Served) -> None:
    arn = server.create("metadata", task("double"))
    found = server.client.start_sync_execution(stateMachineArn=arn, input='{"total": 4}', includedData="METADATA_ONLY")
    assert (found["status"], found["inputDetails"], found["outputDetails"]) == ("SUCCEEDED", {"included": False}, {"included": False})
    assert "input" not in found
    assert "output" not in found


def test_a_failure_is_an_answer_and_no_error(server: Served) -> None:
    failing = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Empty", "Cause": "no total"}}}
    found = server.client.start_sync_execution(stateMachineArn=server.create("failing", failing))
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "Empty", "no total")
    assert "output" not in found


def test_an_execution_that_runs_out_of_time_says_so_and_is_billed_for_it(server: Served) -> None:
    waiting = {"TimeoutSeconds": 1, "StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}}
    found = server.client.start_sync_execution(stateMachineArn=server.create("late", waiting))
    assert found["status"] == "TIMED_OUT"
    billed, took = found["billingDetails"]["billedDurationInMilliseconds"], (found["stopDate"] - found["startDate"]).total_seconds()
    assert billed >= 1000
    assert billed % 100 == 0
    assert abs(billed - 1000 * took) <= 101, "each begun tenth of a second, by a clock of milliseconds"


def test_executions_that_wait_run_beside_each_other(server: Served) -> None:
    arn = server.create("beside", task("meet"))  # each waits for all the others
    with ThreadPoolExecutor(8) as pool:
        run = lambda _: server.client.start_sync_execution(stateMachineArn=arn)["status"]  # noqa: E731
        assert set(pool.map(run, range(8))) == {"SUCCEEDED"}


def test_a_machine_of_which_nobody_gave_the_function_fails_when_it_gets_there(server: Served) -> None:
    found = server.client.start_sync_execution(stateMachineArn=server.create("nobody", task("nobody")))
    assert found["status"] == "FAILED"
    assert found["error"].startswith("Lambda.")


@pytest.mark.parametrize("text", ["", "not json", "{'a': 1}", "[1,]", '{"a": NaN}', "[" * 70 + "]" * 70])
@pytest.mark.parametrize("operation", ["start_execution", "start_sync_execution"])
def test_an_input_that_is_not_json_is_refused(server: Served, operation: str, text: str) -> None:
    arn = server.create("input", passing(1))
    refused("InvalidExecutionInput", getattr(server.client, operation), stateMachineArn=arn, input=text)


@pytest.mark.parametrize("text", ["1", '"text"', "null", "[]"])
def test_any_json_value_is_an_input(server: Served, text: str) -> None:
    arn = server.create("any", {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    assert server.client.start_sync_execution(stateMachineArn=arn, input=text)["output"] == text


def test_an_input_over_the_limit_is_refused(server: Served) -> None:
    arn = server.create("large", passing(1))
    refused("ValidationException", server.client.start_sync_execution, stateMachineArn=arn, input=json.dumps("x" * 262_143))
    refused(
        "InvalidExecutionInput", server.client.start_execution, stateMachineArn=arn, input=json.dumps("é" * 200_000, ensure_ascii=False)
    )


def test_a_name_that_aws_refuses_is_refused(server: Served) -> None:
    arn = server.create("named", passing(1))
    for operation in (server.client.start_execution, server.client.start_sync_execution):
        assert refused("InvalidName", operation, stateMachineArn=arn, name="a/b") == "Invalid Name: 'a/b'"


def test_an_acknowledged_execution_runs_under_its_name(server: Served) -> None:
    file = server.directory / "asynchronous.txt"
    definition = task("note")
    definition["States"]["Task"]["Parameters"] = {"file": str(file), "line.$": "States.Format('{} {}', $$.Execution.Id, $.n)"}
    arn = server.create("asynchronous", definition)
    started = [server.client.start_execution(stateMachineArn=arn, name=f"n{number}", input=f'{{"n": {number}}}') for number in range(5)]
    until(lambda: len(lines(file)) == 5)
    assert sorted(lines(file)) == sorted(f"{each['executionArn']} {number}" for number, each in enumerate(started))
    assert started[0]["executionArn"].startswith(f"{ACCOUNT}:express:asynchronous:n0:")


def test_two_executions_of_one_name_are_two_executions(server: Served) -> None:
    file = server.directory / "twice.txt"
    arn = server.create("twice", task("note"))
    text = json.dumps({"file": str(file), "line": "x"})
    arns = {server.client.start_execution(stateMachineArn=arn, name="same", input=text)["executionArn"] for _ in range(2)}
    until(lambda: len(lines(file)) == 2)
    assert len(arns) == 2


def test_an_acknowledged_execution_of_a_version_runs_that_version(server: Served) -> None:
    file = server.directory / "version.txt"
    definition = task("note")
    definition["States"]["Task"]["Parameters"] = {"file": str(file), "line": "first"}
    arn = server.create("version", definition, publish=True)
    definition["States"]["Task"]["Parameters"]["line"] = "second"
    server.client.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))
    for each in (f"{arn}:1", arn):
        server.client.start_execution(stateMachineArn=each)
    until(lambda: len(lines(file)) == 2)
    assert sorted(lines(file)) == ["first", "second"]


def test_one_that_fails_becomes_a_dead_letter_with_its_name_and_its_machine(server: Served) -> None:
    failing = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Empty", "Cause": "no total"}}}
    arn = server.create("buried", failing)
    started = server.client.start_execution(stateMachineArn=arn, name="lost", input='{"n": 7}')["executionArn"]

    def found() -> list[dict[str, str]]:
        with Queue(server.directory / "data" / "failed.db") as queue:
            letters = [letter for _, letter in queue.look(0, queue.newest(), 1000)]
        assert all(letter.value is not None for letter in letters)
        return [{name: value.decode() for name, value in letter.headers} for letter in letters]

    until(lambda: any(letter["express-execution"] == "lost" for letter in found()))
    (letter,) = (letter for letter in found() if letter["express-execution"] == "lost")
    assert (letter["express-error"], letter["express-state"]) == ("Empty", "F")
    assert (letter["express-execution-arn"], letter["express-state-machine"]) == (started, arn)


def test_what_aws_does_not_offer_for_express_is_refused_like_there(server: Served) -> None:
    arn = server.create("unknown", passing(1))
    execution = server.client.start_sync_execution(stateMachineArn=arn)["executionArn"]
    client = server.client
    operations = (
        client.describe_execution,
        client.stop_execution,
        client.get_execution_history,
        client.describe_state_machine_for_execution,
    )
    for operation in (*operations, client.redrive_execution):
        assert refused("InvalidArn", operation, executionArn=execution) == "Invalid Arn: 'Resource type not valid in this context: express'"
        standard = f"{ACCOUNT}:execution:unknown:1"
        assert refused("ExecutionDoesNotExist", operation, executionArn=standard) == f"Execution Does Not Exist: '{standard}'"
    sentence = refused("StateMachineTypeNotSupported", client.list_executions, stateMachineArn=arn)
    assert sentence == "This operation is not supported by this type of state machine"
    with pytest.raises(ClientError):
        next(iter(client.get_paginator("get_execution_history").paginate(executionArn=execution)))


def test_a_token_that_nobody_was_given_is_invalid(server: Served) -> None:
    client = server.client
    refused("InvalidToken", client.send_task_success, taskToken="x", output="{}")
    refused("InvalidToken", client.send_task_failure, taskToken="x", error="E", cause="c")
    refused("InvalidToken", client.send_task_heartbeat, taskToken="x")


def test_boto3_has_a_class_for_each_error(server: Served) -> None:
    with pytest.raises(server.client.exceptions.StateMachineDoesNotExist):
        server.client.start_sync_execution(stateMachineArn=f"{ACCOUNT}:stateMachine:none")
    with pytest.raises(server.client.exceptions.InvalidExecutionInput):
        server.client.start_sync_execution(stateMachineArn=server.create("classes", passing(1)), input="x")
    assert server.client.waiter_names == []  # AWS's model has none for Step Functions


def test_a_synchronous_execution_costs_no_task_but_aiohttp_s_own(server: Served) -> None:
    arns = [server.create("plain", task("double")), server.create("waiting", task("slow"))]
    with server.counting_tasks() as made:
        for _ in range(25):
            for arn in arns:
                found = server.client.start_sync_execution(stateMachineArn=arn, input='{"total": 1, "seconds": 0}')
                assert found["status"] == "SUCCEEDED"
    behind = ("Committer.", "LeaseSource.", "Served.")  # the pipeline of StartExecution, which has its own rhythm, and the counting itself
    assert [name for name in made if not name.startswith(("RequestHandler.", *behind))] == []
