"""SendTask*: what ends a waiting Task, through the operations of the API."""

from __future__ import annotations

import asyncio

import pytest

from express.api import calling_back, shapes
from express.callbacks import InvalidOutput, InvalidToken, TaskTimedOut
from tests.test_callbacks import Asked, asking


async def test_the_operations_end_a_task_that_waits() -> None:
    asked = Asked()
    running = asyncio.create_task(asking(asked.function).execute({"order": 1}))
    token = await asked.next()
    with pytest.raises(InvalidOutput, match="Invalid Output"):
        calling_back.succeed(shapes.SendTaskSuccess(task_token=token, output="{oops"))
    assert calling_back.heartbeat(shapes.SendTaskHeartbeat(task_token=token)) == {}
    assert calling_back.succeed(shapes.SendTaskSuccess(task_token=token, output='{"yes": true}')) == {}
    assert (await running).output == {"yes": True}
    with pytest.raises(TaskTimedOut):
        calling_back.fail(shapes.SendTaskFailure(task_token=token))
    with pytest.raises(InvalidToken):
        calling_back.fail(shapes.SendTaskFailure(task_token="x"))


async def test_a_failure_s_error_and_cause_are_the_task_s() -> None:
    asked = Asked()
    running = asyncio.create_task(asking(asked.function).execute({"order": 1}))
    calling_back.fail(shapes.SendTaskFailure(task_token=await asked.next(), error="Refused", cause="too dear"))
    outcome = await running
    assert (outcome.error, outcome.cause) == ("Refused", "too dear")
