"""What calls over a network: one async operation is a binding with errors, timeouts, cancellation and limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import express
from express.observers.metrics import ResourceMetrics
from express.options import AwsConnection, QueueConnection, RedisConnection
from express.outcome import Outcome
from express.runtime.context import Execution
from express.runtime.failures import StateError
from express.runtime.limits import PAYLOAD
from express.runtime.suspensions import Call, call
from express.tasks.integration import Integration, Resource, only, pool, resource
from tests.handmade import Runs

ECHO = "arn:aws:states:::echo:say"


class Made(Integration):
    """An integration of whatever a test wants done."""

    def __init__(self, perform: Callable[[Any, Call], Awaitable[Any]]) -> None:
        super().__init__(ECHO, "echo")
        self._perform = perform

    async def perform(self, payload: Any, call: Call) -> Any:
        return await self._perform(payload, call)


async def outcome_of(perform: Callable[[Any, Call], Awaitable[Any]], payload: Any = None, timeout: float | None = None) -> Outcome:
    binding = Made(perform)

    async def workflow(data: Any, execution: Execution) -> Any:
        return await call(execution, binding, data, "Work", 1, timeout)

    async with Runs() as runs:
        return await runs.outcome(runs.start(workflow, payload))


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("arn:aws:states:::sqs:sendMessage", Resource("", "sqs", "sendMessage")),
        ("arn:aws-cn:states:::aws-sdk:s3:getObject", Resource("", "aws-sdk:s3", "getObject", "", "aws-cn")),
        ("arn:aws:states:eu-west-1:123456789012:aws-sdk:emr-containers:startJobRun",
         Resource("", "aws-sdk:emr-containers", "startJobRun", "eu-west-1")),
        ("arn:express:tasks:::kafka:produce", Resource("", "express:kafka", "produce", "", "express")),
        ("arn:aws:lambda:us-east-1:123456789012:function:sqs", None),
        ("arn:aws:states:::sqs:sendMessage.waitForTaskToken", None),
        ("sqs:sendMessage", None),
    ],
)  # fmt: skip
def test_a_resource_is_taken_apart(arn: str, expected: Resource | None) -> None:
    assert resource(arn) == (None if expected is None else expected._replace(arn=arn))


async def test_the_result_is_the_states_and_nobody_else_can_change_it() -> None:
    kept = {"given": [1]}

    async def perform(payload: Any, call: Call) -> Any:
        return {"payload": payload, "state": call.state, "attempt": call.attempt, "kept": kept}

    outcome = await outcome_of(perform, {"a": 1})
    kept["given"].append(2)
    assert outcome.output == {"payload": {"a": 1}, "state": "Work", "attempt": 1, "kept": {"given": [1]}}


async def test_a_state_error_keeps_its_name_and_cause() -> None:
    async def perform(payload: Any, call: Call) -> Any:
        raise StateError("SQS.QueueDoesNotExistException", "no such queue")

    outcome = await outcome_of(perform)
    assert (outcome.status, outcome.error, outcome.cause) == ("FAILED", "SQS.QueueDoesNotExistException", "no such queue")


async def test_any_other_error_is_a_failed_task_that_shows_no_code() -> None:
    async def perform(payload: Any, call: Call) -> Any:
        raise OSError("no route\nto host")

    outcome = await outcome_of(perform)
    assert (outcome.error, outcome.cause) == ("States.TaskFailed", "echo: OSError: no route to host")


async def test_a_result_over_256_kib_fails_as_on_aws() -> None:
    async def perform(payload: Any, call: Call) -> Any:
        return "x" * PAYLOAD

    outcome = await outcome_of(perform)
    assert (outcome.error, outcome.cause) == (
        "States.DataLimitExceeded",
        "The state/task 'echo' returned a result with a size exceeding the maximum number of bytes service limit.",
    )


async def test_a_call_is_cancelled_at_its_timeout() -> None:
    ended: list[str] = []

    async def perform(payload: Any, call: Call) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    outcome = await outcome_of(perform, timeout=0.05)
    assert (outcome.error, ended) == ("States.Timeout", ["cancelled"])


async def test_a_pool_is_made_once_for_an_executor_and_closed_with_it() -> None:
    made: list[Pool] = []

    class Pool:
        stuck = 0
        closed = False

        def __init__(self, executor: Any) -> None:
            made.append(self)

        async def close(self) -> None:
            self.closed = True

    async def perform(payload: Any, call: Call) -> Any:
        assert not pool(call, Pool).closed
        return len(made)

    binding = Made(perform)

    async def workflow(data: Any, execution: Execution) -> Any:
        return [await call(execution, binding, data, "Work", 1) for _ in range(3)]

    async with Runs() as runs:
        assert (await runs.outcome(runs.start(workflow))).output == [1, 1, 1]
        assert not made[0].closed
    assert [each.closed for each in made] == [True]


def test_connections_are_told_apart_by_kind() -> None:
    connections = {"account": AwsConnection(), "streams": RedisConnection(server="redis:6379")}
    assert only(connections, AwsConnection) == ["account"]


# --- Counting ---------------------------------------------------------------------------------------------------------------------


async def test_each_end_of_a_call_is_counted_under_its_own_name() -> None:
    counts = ResourceMetrics()

    async def perform(payload: Any, call: Call) -> Any:
        if payload == "late":
            await asyncio.sleep(3600)
        if payload == "bad":
            raise StateError("Bad")
        return payload

    binding = Made(perform)
    binding.counts = counts

    async def workflow(data: Any, execution: Execution) -> Any:
        return await call(execution, binding, data, "Work", 1, 0.01 if data == "late" else None)

    async with Runs() as runs:
        errors = [(await runs.outcome(runs.start(workflow, each))).error for each in ("good", "good", "bad", "late")]
    assert errors == [None, None, "Bad", "States.Timeout"]
    assert (counts.scheduled, counts.started, counts.succeeded, counts.failed, counts.timed_out) == (4, 4, 2, 1, 1)
    assert (counts.schedule.count, counts.run.count) == (4, 4)
    assert counts.run.total[0] >= 0.01


async def test_a_call_that_is_given_up_with_its_execution_has_no_end_of_its_own() -> None:
    counts, begun = ResourceMetrics(), asyncio.Event()

    async def perform(payload: Any, call: Call) -> Any:
        begun.set()
        await asyncio.sleep(3600)

    binding = Made(perform)
    binding.counts = counts

    async def workflow(data: Any, execution: Execution) -> Any:
        return await call(execution, binding, data, "Work", 1, None)

    async with Runs() as runs:
        execution = runs.start(workflow, None)
        await begun.wait()
        runs.executor.abort(execution)
        await asyncio.sleep(0)
    assert (counts.scheduled, counts.started, counts.succeeded, counts.failed, counts.timed_out) == (1, 1, 0, 0, 0)


def test_a_program_counts_by_resource_and_only_what_its_definition_names(tmp_path: Path) -> None:
    """Two states of one resource share its cells; a resource that the data name would be a label that nothing bounds: there is none."""
    resource = "arn:express:tasks:::queue:send"
    state = {"Type": "Task", "Resource": resource, "Parameters": {"Body": 1}, "ResultPath": None}
    definition = {"StartAt": "One", "States": {"One": {**state, "Next": "Two"}, "Two": {**state, "End": True}}}
    program = express.compile(definition, connections={"jobs": QueueConnection(path=str(tmp_path / "jobs.db"))})
    assert [program.run({}).status for _ in range(3)] == ["SUCCEEDED"] * 3
    assert program.metrics is not None
    (arn,) = program.metrics.resources
    counts = program.metrics.resources[arn]
    assert (arn, counts.scheduled, counts.succeeded, counts.failed) == (resource, 6, 6, 0)


def test_a_nested_workflow_is_counted_like_a_service() -> None:
    resource = "arn:aws:states:::states:startExecution.sync:2"
    child = express.compile({"StartAt": "Bad", "States": {"Bad": {"Type": "Fail", "Error": "E"}}}, name="child")
    arn = "arn:aws:states:us-east-1:000000000000:stateMachine:child"
    state = {"Type": "Task", "Resource": resource, "Parameters": {"StateMachineArn": arn}, "End": True}
    program = express.compile({"StartAt": "Go", "States": {"Go": state}}, extensions=["nested"], workflows={"child": child})
    assert program.run({}).error == "States.TaskFailed"
    assert program.metrics is not None
    counts = program.metrics.resources[resource]
    assert (counts.scheduled, counts.started, counts.failed, counts.run.count) == (1, 1, 1, 1)
