"""Clients of AWS made before the first call."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

import express
from express import aws
from express.executor import Executor
from express.functions import LambdaFunction
from express.options import AwsConnection
from express.outcome import Outcome
from express.runtime.context import Execution
from express.tasks.warming import warm
from tests.handmade import Runs

pytestmark = pytest.mark.uvloop_only

STATES = {
    "Send": {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sqs:listQueues",
        "Parameters": {},
        "Next": "Again",
    },
    "Again": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sqs:listQueues", "Parameters": {}, "Next": "Charge"},
    "Charge": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:charge", "End": True},
}


def program(connection: AwsConnection) -> express.Program:
    functions = {"charge": LambdaFunction("charge", connection)}
    return express.compile({"StartAt": "Send", "States": STATES}, connections={"account": connection}, functions=functions)


async def ran(executor: Executor, compiled: express.Program) -> Outcome:
    now = executor.clock.time()
    ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    executor.start(compiled, {}, Execution(compiled, {}, now, now + 300), lambda _, outcome: ended.set_result(outcome))
    return await ended


async def test_every_client_that_is_sure_to_be_asked_for_is_made_once_and_before(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    real = aws.client_of

    async def client_of(given: AwsConnection, service: str, *more: Any) -> Any:
        made.append(service)
        return await real(given, service, *more)

    monkeypatch.setattr(aws, "client_of", client_of)
    there = AwsConnection(region="eu-west-1", endpoint="http://127.0.0.1:1", access_key_id="a", secret_access_key="b")
    compiled = program(there)
    async with Runs() as runs:
        await warm(runs.executor, compiled.bindings)
        assert sorted(made) == ["lambda", "sqs"]
        outcome = await ran(runs.executor, compiled)
    assert outcome.error == "Sqs.SdkClientException"
    assert len(made) == 2, "the first call has made none"


async def test_a_client_that_cannot_be_made_is_said_and_fails_what_calls_it(caplog: pytest.LogCaptureFixture) -> None:
    compiled = program(AwsConnection(region="eu-west-1", profile="nobody-s"))
    async with Runs() as runs:
        with caplog.at_level(logging.WARNING, "express"):
            await warm(runs.executor, compiled.bindings)
        assert (await ran(runs.executor, compiled)).status == "FAILED"
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"no client for {service} of AwsConnection(eu-west-1) can be made: The config profile (nobody-s) could not be found"
        for service in ("lambda", "sqs")
    ]


async def test_what_calls_no_service_of_aws_makes_none() -> None:
    compiled = express.compile({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    async with Runs() as runs:
        await warm(runs.executor, compiled.bindings)
        assert runs.executor._services == {}
