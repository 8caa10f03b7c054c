"""What is kept below --data: state machines after a restart, one process at a time, and files of somebody else."""

from __future__ import annotations

import json
import socket
import sqlite3
from pathlib import Path

import pytest

from express.api.store import Machine, Revision, Store
from express.config import Api
from express.errors import ConnectionFailed
from tests.api.served import Served, passing, served, task


def test_everything_is_there_again_after_a_restart(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        arn = server.create("orders", task("double"), publish=True, tags=[{"key": "a", "value": "b"}])
        server.client.update_state_machine(stateMachineArn=arn, definition=passing(2), publish=True)
        weights = [{"stateMachineVersionArn": f"{arn}:1", "weight": 100}]
        server.client.create_state_machine_alias(name="PROD", routingConfiguration=weights)
        gone = server.create("gone", passing(1))
        server.client.delete_state_machine(stateMachineArn=gone)

        def state(running: Served) -> list[object]:
            client = running.client
            found = [
                client.list_state_machines()["stateMachines"],
                client.describe_state_machine(stateMachineArn=arn),
                client.describe_state_machine(stateMachineArn=f"{arn}:1"),
                client.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"],
                client.describe_state_machine_alias(stateMachineAliasArn=f"{arn}:PROD"),
                client.list_tags_for_resource(resourceArn=arn)["tags"],
                [client.start_sync_execution(stateMachineArn=each, input='{"total": 4}')["output"] for each in (arn, f"{arn}:PROD")],
            ]
            for each in found:
                if isinstance(each, dict):
                    del each["ResponseMetadata"]
            return found

        before = state(server)
        assert before[-1] == ["2", '{"total":8}']
        server.stop()
        server.start()
        assert state(server) == before
        assert server.client.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"] == f"{arn}:2"


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    with served(tmp_path), pytest.raises(ConnectionFailed, match="another process serves it"), served(tmp_path):
        pass


def test_a_port_that_is_in_use_is_refused_and_the_directory_is_free_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = pytest.raises(ConnectionFailed, match=f"the API cannot listen on {address}: the port is in use")
        with refused, served(tmp_path, Api(listen=address, data="data")):
            pass
    with served(tmp_path):
        pass


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state-machines.db") as database:
        database.execute("CREATE TABLE other (x)")
    database.close()
    with pytest.raises(ConnectionFailed, match="an SQLite file of something else"):
        Store(tmp_path)
    (tmp_path / "state-machines.db").write_bytes(b"not a database, and long enough to be looked at as one" * 100)
    with pytest.raises(ConnectionFailed, match="does not hold state machines"):
        Store(tmp_path)


def test_what_was_kept_and_cannot_be_compiled_any_more_answers_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    store = Store(tmp_path / "data")
    revision = Revision(definition='{"StartAt": "A"}', role="r", revision=None, updated=1.0, logging={})
    store.add("broken", revision, lambda key: Machine(name="broken", created=1.0, revision=key), ())
    store.close()
    with served(tmp_path) as server:
        arn = server.client.list_state_machines()["stateMachines"][0]["stateMachineArn"]
        for call in (server.client.start_sync_execution, server.client.start_execution):
            with pytest.raises(server.client.exceptions.ClientError, match="The field 'States' is required"):
                call(stateMachineArn=arn)
        server.client.update_state_machine(stateMachineArn=arn, definition=passing("mended"))
        assert server.client.start_sync_execution(stateMachineArn=arn)["output"] == '"mended"'


def test_revisions_that_nobody_can_run_any_more_go(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        arn = server.create("many", passing(0), publish=True)
        for number in range(1, 6):
            server.client.update_state_machine(stateMachineArn=arn, definition=passing(number))
        server.client.delete_state_machine_version(stateMachineVersionArn=f"{arn}:1")
    store = Store(tmp_path / "data")
    (machine,), revisions = store.load()
    store.close()
    assert [json.loads(each.definition)["States"]["Pass"]["Result"] for each in revisions.values()] == [5]
    assert machine.revisions() == set(revisions)
