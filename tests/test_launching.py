"""startExecution of one's own workflows: asynchronous, and succeeded only when the event is durable in the other pipeline's source."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import express
from express.config import Configuration, Ops, Pipeline, Settings, Workflow
from express.errors import ConfigurationError
from express.options import AwsConnection
from express.queue import Queue
from express.runtime.context import ACCOUNT
from express.tasks.launching import Launch
from express.worker import Worker, prepare
from tests.api.served import served
from tests.brokers.kafka_bed import Kafka

pytestmark = pytest.mark.uvloop_only

CHILD = {"StartAt": "Double", "States": {"Double": {"Type": "Pass", "Parameters": {"double.$": "States.MathAdd($.n, $.n)"}, "End": True}}}
RESOURCE = "arn:aws:states:::states:startExecution"


def parent(target: str = f"{ACCOUNT}:stateMachine:child", **more: Any) -> dict[str, Any]:
    state = {"Type": "Task", "Resource": RESOURCE, "Parameters": {"StateMachineArn": target, "Input.$": "$", **more}, "End": True}
    return {"StartAt": "Start", "States": {"Start": state}}


def configuration(folder: Path, child_source: str, definition: Any = None, child_order: str = "unordered") -> Configuration:
    (folder / "child.asl.json").write_text(json.dumps(CHILD))
    (folder / "parent.asl.json").write_text(json.dumps(definition or parent()))
    (folder / "events.jsonl").write_text('{"n": 21}\n{"n": 4}\n')
    workflows = {name: Workflow(definition=f"{name}.asl.json") for name in ("parent", "child")}
    pipelines = (
        Pipeline(source=f"file:{folder}/events.jsonl", workflow="parent", sink=f"file:{folder}/started.jsonl"),
        Pipeline(source=child_source, workflow="child", sink=f"file:{folder}/done.jsonl"),
    )
    return Configuration(settings=Settings(workflows=workflows, pipelines=pipelines, ops=Ops(listen="127.0.0.1:0")), directory=folder)


def values(file: Path) -> list[Any]:
    return [json.loads(line)["value"] for line in file.read_bytes().splitlines()] if file.exists() else []


async def run(configured: Configuration, folder: Path) -> None:
    """Until the child has done both."""
    worker = Worker(configured)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(60):
        while len(values(folder / "done.jsonl")) < 2 and not running.done():
            await asyncio.sleep(0.02)
    worker.stop()
    await running


async def test_what_a_workflow_starts_goes_through_the_pipeline_of_the_other(tmp_path: Path) -> None:
    await run(configuration(tmp_path, f"queue:{tmp_path}/child.db"), tmp_path)
    assert sorted(each["double"] for each in values(tmp_path / "done.jsonl")) == [8, 42]
    started = values(tmp_path / "started.jsonl")
    assert [set(each) for each in started] == [{"ExecutionArn", "StartDate"}] * 2
    assert all(each["ExecutionArn"].startswith(f"{ACCOUNT}:express:child:") for each in started)


async def test_a_topic_of_kafka_takes_the_events_too(tmp_path: Path, kafka: Kafka) -> None:
    await run(configuration(tmp_path, f"kafka://{kafka.servers}/{kafka.topic()}?group={kafka.group()}&start=earliest"), tmp_path)
    assert sorted(each["double"] for each in values(tmp_path / "done.jsonl")) == [8, 42]


async def test_the_state_succeeds_after_the_event_is_on_the_disk_and_not_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that cannot be written: nothing is started, and the parent's state fails with what says so."""
    import sqlite3

    def full(self: Queue, records: Any, delay: float = 0.0) -> list[int]:
        raise sqlite3.DatabaseError("disk image is malformed")

    configured = configuration(tmp_path, f"queue:{tmp_path}/child.db")
    monkeypatch.setattr(Queue, "put", full)
    with pytest.raises(Exception, match=r"ServiceUnavailableException|damaged"):
        await run(configured, tmp_path)
    assert values(tmp_path / "started.jsonl") == []


def test_a_workflow_whose_pipeline_takes_no_events_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "child.jsonl").write_text("")
    with pytest.raises(ConfigurationError) as refused:
        prepare(configuration(tmp_path, f"file:{tmp_path}/child.jsonl"))
    assert list(refused.value.problems) == [
        "workflows.parent: it starts 'child', which no pipeline runs from a Kafka topic, a queue, a Redis stream or SQS"
    ]


def test_the_api_s_state_machines_start_each_other(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        server.create("child", CHILD)
        arn = server.create("parent", parent())
        found = server.client.start_sync_execution(stateMachineArn=arn, input='{"n": 1}')
        assert found["status"] == "SUCCEEDED", found
        assert json.loads(found["output"])["ExecutionArn"].startswith(f"{ACCOUNT}:express:child:")
        bad = server.create("bad", parent(Name="no spaces"))
        found = server.client.start_sync_execution(stateMachineArn=bad, input="{}")
        assert (found["error"], found["cause"]) == ("StepFunctions.InvalidNameException", "Invalid Name: 'no spaces'")


def bound(target: str, connections: Any = None) -> Any:
    child = express.compile(CHILD, name="child")
    (binding,) = express.compile(parent(target), workflows={"child": child}, connections=connections or {}).bindings
    return binding


def test_with_a_connection_to_aws_only_an_arn_of_here_stays_here() -> None:
    account = {"account": AwsConnection(region="eu-west-1", access_key_id="test", secret_access_key="test")}
    assert isinstance(bound(f"{ACCOUNT}:stateMachine:child", account), Launch)
    there = "arn:aws:states:eu-west-1:123456789012:stateMachine:child"
    assert not isinstance(bound(there, account), Launch)
    assert isinstance(bound(there), Launch)


def test_where_no_pipeline_runs_nothing_is_started() -> None:
    child = express.compile(CHILD, name="child")
    outcome = express.compile(parent(), workflows={"child": child}).run({"n": 1})
    assert outcome.error == "StepFunctions.StateMachineDoesNotExistException"
    assert outcome.cause is not None
    assert outcome.cause.endswith("no pipeline runs in this process that would take the event")
