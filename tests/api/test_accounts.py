"""Several connections to AWS behind the API: which of them a state machine uses is the configuration's to say."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from express.config import Api, Configuration, Connection, Settings, StateMachine, validate
from express.errors import ConfigurationError
from express.options import AwsConnection
from express.tasks.aws_clients import Clients
from tests.api.served import served
from tests.api.test_executions import until

# Nobody is there: what a failure says is where somebody was looked for
PORTS = {"main": 1, "other": 2}
ASKING = {
    "Type": "Task",
    "Resource": "arn:aws:states:::sqs:sendMessage",
    "Parameters": {"QueueUrl": "http://127.0.0.1/q", "MessageBody": "m"},
    "End": True,
}


def connections(*names: str) -> dict[str, Connection]:
    return {
        name: Connection(
            aws=AwsConnection(
                region="eu-west-1", endpoint=f"http://127.0.0.1:{PORTS[name]}", access_key_id="test", secret_access_key="test"
            )
        )
        for name in names
    }


def test_a_state_machine_uses_the_connection_that_the_configuration_names_for_it(tmp_path: Path) -> None:
    api = Api(listen="127.0.0.1:0", data="data", aws="main", machines={"special": StateMachine(aws="other")})
    with served(tmp_path, api, Settings(connections=connections("main", "other"))) as server:
        assert server.worker._executor is not None
        clients = server.worker._executor.service(Clients)
        for name, port in (("usual", 1), ("special", 2)):
            arn = server.create(name, {"StartAt": "Ask", "States": {"Ask": ASKING}})
            until(lambda: len(clients) == port)  # made when the state machine is, not at its first call  # noqa: B023
            found = server.client.start_sync_execution(stateMachineArn=arn)
            assert (found["status"], f"127.0.0.1:{port} failed" in found["cause"]) == ("FAILED", True), found["cause"]


def test_without_a_choice_one_sentence_at_the_start_and_in_each_failure_says_what_to_choose(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "express")
    api = Api(listen="127.0.0.1:0", data="data", functions=("functions.py",))
    with served(tmp_path, api, Settings(connections=connections("main", "other"))) as server:
        arn = server.create("ambiguous", {"StartAt": "Ask", "States": {"Ask": ASKING}})
        found = server.client.start_sync_execution(stateMachineArn=arn)
    sentence = "sqs:sendMessage could use main, other: say which of them in workflows.NAME.aws or api.aws"
    assert (found["error"], found["cause"]) == (
        "States.TaskFailed",
        f"Nothing here provides the resource '{ASKING['Resource']}': {sentence}.",
    )
    said = [record.getMessage() for record in caplog.records if "connections to AWS" in record.getMessage()]
    assert said == ["there are several connections to AWS (main, other): say in api.aws or api.machines which one state machines use"]


@pytest.mark.parametrize(
    ("api", "field"),
    [(Api(data="d", aws="none"), "api.aws"), (Api(data="d", machines={"m": StateMachine(aws="none")}), "api.machines.m.aws")],
)
def test_a_connection_that_is_not_there_is_said_at_the_start(tmp_path: Path, api: Api, field: str) -> None:
    def where(place: tuple[Any, ...]) -> str:
        return ".".join(map(str, place))

    settings = Settings(connections=connections("main"), api=api)
    with pytest.raises(ConfigurationError) as raised:
        validate(Configuration(settings=settings, directory=tmp_path, where=where))
    assert raised.value.problems == (f"{field}: there is no connection to AWS named 'none' (there are: main)",)


def test_a_definition_is_validated_against_the_models_of_the_services_that_it_calls(tmp_path: Path) -> None:
    wrong = {**ASKING, "Parameters": {**ASKING["Parameters"], "Colour": "red"}}
    unknown = {**ASKING, "Resource": "arn:aws:states:::aws-sdk:sqs:sendMesage", "Parameters": {}}
    with served(tmp_path) as server:
        found = [
            server.client.validate_state_machine_definition(definition=json.dumps({"StartAt": "Ask", "States": {"Ask": state}}))
            for state in (ASKING, wrong, unknown)
        ]
    assert [each["result"] for each in found] == ["OK", "FAIL", "FAIL"]
    assert [[(each["code"], each["location"]) for each in one["diagnostics"]] for one in found] == [
        [],
        [("UNKNOWN_PARAMETER", "/States/Ask/Parameters")],
        [("UNKNOWN_OPERATION", "/States/Ask/Resource")],
    ]
