"""The API beside pipelines: their workflows are listed and run, events go durable into what the pipeline reads."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from express.config import Api, Pipeline, Settings, Workflow
from tests.api.served import ACCOUNT, ROLE, Served, passing, served, task
from tests.brokers.kafka_bed import Kafka


def settings(source: str, **pipeline: Any) -> Settings:
    workflows = {"orders": Workflow(definition="orders.asl.json", functions=("functions.py",))}
    return Settings(workflows=workflows, pipelines=(Pipeline(source=source, workflow="orders", **pipeline),))


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("beside")
    (folder / "orders.asl.json").write_text(json.dumps(task("double")))
    files = {"sink": "file:done.jsonl", "dead_letter": "file:dead.jsonl"}
    with served(folder, Api(listen="127.0.0.1:0"), settings("queue:orders.db", **files)) as running:
        yield running


def written(file: Path, count: int) -> list[dict[str, Any]]:
    end = time.monotonic() + 30
    while not file.exists() or len(file.read_bytes().splitlines()) < count:
        assert time.monotonic() < end
        time.sleep(0.01)
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def test_the_workflow_of_a_pipeline_is_a_state_machine(beside: Served) -> None:
    (machine,) = beside.client.list_state_machines()["stateMachines"]
    assert machine["stateMachineArn"] == f"{ACCOUNT}:stateMachine:orders"
    found = beside.client.describe_state_machine(stateMachineArn=machine["stateMachineArn"])
    assert json.loads(found["definition"]) == task("double")
    run = beside.client.start_sync_execution(stateMachineArn=machine["stateMachineArn"], input='{"total": 2}')
    assert (run["status"], run["output"]) == ("SUCCEEDED", '{"total":4}')


def test_an_acknowledged_event_goes_through_the_pipeline(beside: Served) -> None:
    arn = f"{ACCOUNT}:stateMachine:orders"
    done = beside.directory / "done.jsonl"
    before = len(done.read_bytes().splitlines()) if done.exists() else 0
    beside.client.start_execution(stateMachineArn=arn, input='{"total": 21}', name="mine")
    found = written(done, before + 1)[-1]
    assert found["value"] == {"total": 42}
    assert found["express-execution"] == "mine"


def test_one_that_fails_goes_where_the_pipeline_s_failures_go(beside: Served) -> None:
    beside.client.start_execution(stateMachineArn=f"{ACCOUNT}:stateMachine:orders", input="{}", name="lost")
    (letter,) = written(beside.directory / "dead.jsonl", 1)
    assert (letter["express-execution"], letter["express-error"]) == ("lost", "KeyError")


def test_what_a_file_defines_is_not_changed_over_the_api_and_nothing_is_kept_without_a_directory(beside: Served) -> None:
    client, arn = beside.client, f"{ACCOUNT}:stateMachine:orders"
    calls = [
        lambda: client.update_state_machine(stateMachineArn=arn, definition=passing(1)),
        lambda: client.delete_state_machine(stateMachineArn=arn),
        lambda: client.publish_state_machine_version(stateMachineArn=arn),
        lambda: client.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "b"}]),
        lambda: client.create_state_machine(name="other", definition=passing(1), roleArn=ROLE, type="EXPRESS"),
    ]
    for call in calls:
        with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
            call()
    assert client.start_sync_execution(stateMachineArn=arn, input='{"total": 2}')["output"] == '{"total":4}'


def test_the_metrics_count_what_was_started_over_the_api(beside: Served) -> None:
    import urllib.request

    assert beside.worker.url is not None
    beside.client.start_sync_execution(stateMachineArn=f"{ACCOUNT}:stateMachine:orders", input='{"total": 2}')
    with urllib.request.urlopen(f"{beside.worker.url}/metrics") as response:
        lines = response.read().decode().splitlines()
    counted = [line for line in lines if line.startswith('express_executions_total{status="SUCCEEDED",workflow="orders"}')]
    assert counted
    assert float(counted[0].rpartition(" ")[2]) >= 1


def test_kept_state_machines_live_beside_a_pipeline_that_takes_no_events(tmp_path: Path) -> None:
    (tmp_path / "orders.asl.json").write_text(json.dumps(task("double")))
    (tmp_path / "events.jsonl").write_text("")
    running = settings("memory:", sink="drop:", dead_letter="drop:")
    with served(tmp_path, Api(listen="127.0.0.1:0", data="data", functions=("functions.py",)), running) as server:
        own = server.create("own", passing(1))
        assert [each["name"] for each in server.client.list_state_machines()["stateMachines"]] == ["orders", "own"]
        server.client.start_execution(stateMachineArn=own)
        with pytest.raises(server.client.exceptions.ClientError, match="takes no events from here"):
            server.client.start_execution(stateMachineArn=f"{ACCOUNT}:stateMachine:orders")
        with pytest.raises(server.client.exceptions.StateMachineAlreadyExists):
            server.create("orders", passing(1))


@pytest.mark.kafka
def test_an_acknowledged_event_is_in_the_pipeline_s_topic(tmp_path: Path, kafka: Kafka) -> None:
    (tmp_path / "orders.asl.json").write_text(json.dumps(task("double")))
    orders, done = kafka.topic(), kafka.topic()
    address = f"kafka://{kafka.servers}/{{}}"
    running = settings(f"{address.format(orders)}?group={kafka.group()}", sink=address.format(done), dead_letter="file:dead.jsonl")
    with served(tmp_path, Api(listen="127.0.0.1:0"), running) as server:
        arn = f"{ACCOUNT}:stateMachine:orders"
        started = server.client.start_execution(stateMachineArn=arn, input='{"total": 21}')["executionArn"]
        (event,) = kafka.read(orders, 1)
        assert event.value == b'{"total": 21}'
        assert dict(event.headers)["express-execution-arn"] == started.encode()
        (result,) = kafka.read(done, 1)
        assert json.loads(result.value or b"") == {"total": 42}
