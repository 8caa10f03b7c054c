"""Versions and aliases with weights, through boto3's own client: what is recorded of AWS, and what its documentation says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.api.served import ACCOUNT, ROLE, Served, passing


def refused(code: str, call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


def versions(server: Served, arn: str) -> list[str]:
    return [
        each["stateMachineVersionArn"] for each in server.client.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
    ]


def two_versions(server: Served, name: str) -> str:
    arn = server.create(name, passing(1), publish=True)
    server.client.update_state_machine(stateMachineArn=arn, definition=passing(2), publish=True)
    return arn


def routing(*weights: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"stateMachineVersionArn": arn, "weight": weight} for arn, weight in weights]


def test_a_version_keeps_running_what_it_was_published_with(server: Served) -> None:
    arn = server.create("kept", passing(1), publish=True, versionDescription="the first")
    server.client.update_state_machine(stateMachineArn=arn, definition=passing(2))
    run = server.client.start_sync_execution
    assert [run(stateMachineArn=each)["output"] for each in (arn, f"{arn}:1")] == ["2", "1"]
    found = server.client.describe_state_machine(stateMachineArn=f"{arn}:1")
    assert (found["stateMachineArn"], found["definition"], found["description"]) == (f"{arn}:1", passing(1), "the first")
    assert run(stateMachineArn=f"{arn}:1")["stateMachineArn"] == arn


def test_publishing_a_revision_again_is_the_same_version(server: Served) -> None:
    arn = server.create("published", passing(1))
    publish = server.client.publish_state_machine_version
    first, again = publish(stateMachineArn=arn), publish(stateMachineArn=arn)
    assert first["stateMachineVersionArn"] == again["stateMachineVersionArn"] == f"{arn}:1"
    assert (
        server.client.update_state_machine(stateMachineArn=arn, definition=passing(1), publish=True)["stateMachineVersionArn"] == f"{arn}:1"
    )
    revision = server.client.update_state_machine(stateMachineArn=arn, definition=passing(2))["revisionId"]
    assert publish(stateMachineArn=arn, revisionId=revision)["stateMachineVersionArn"] == f"{arn}:2"
    later = server.client.update_state_machine(stateMachineArn=arn, definition=passing(3))["revisionId"]
    assert refused("ConflictException", publish, stateMachineArn=arn, revisionId=revision) == (
        f"Failed to publish the State Machine version for revision {revision}. The current State Machine revision is {later}."
    )
    assert versions(server, arn) == [f"{arn}:2", f"{arn}:1"]


def test_a_number_is_never_given_twice(server: Served) -> None:
    arn = two_versions(server, "numbered")
    for _ in range(2):
        server.client.delete_state_machine_version(stateMachineVersionArn=f"{arn}:2")
    assert versions(server, arn) == [f"{arn}:1"]
    assert server.client.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"] == f"{arn}:3"
    refused("ValidationException", server.client.delete_state_machine_version, stateMachineVersionArn=arn)


def test_a_description_needs_something_to_describe(server: Served) -> None:
    create = server.client.create_state_machine
    found = refused("ValidationException", create, name="x", definition=passing(1), roleArn=ROLE, type="EXPRESS", versionDescription="x")
    assert found == "Version description can only be set when publish is true"


def test_versions_are_listed_page_by_page(server: Served) -> None:
    arn = server.create("pages", passing(0), publish=True)
    for number in range(1, 5):
        server.client.update_state_machine(stateMachineArn=arn, definition=passing(number), publish=True)
    page = server.client.list_state_machine_versions(stateMachineArn=arn, maxResults=3)
    rest = server.client.list_state_machine_versions(stateMachineArn=arn, maxResults=3, nextToken=page["nextToken"])
    assert [len(each["stateMachineVersions"]) for each in (page, rest)] == [3, 2]
    assert "nextToken" not in rest
    refused("InvalidToken", server.client.list_state_machine_aliases, stateMachineArn=arn, nextToken=page["nextToken"])


def test_an_alias_sends_executions_to_its_versions_by_weight(server: Served) -> None:
    arn = two_versions(server, "weighted")
    alias = server.client.create_state_machine_alias(name="PROD", routingConfiguration=routing((f"{arn}:1", 70), (f"{arn}:2", 30)))
    assert alias["stateMachineAliasArn"] == f"{arn}:PROD"
    found = Counter(server.client.start_sync_execution(stateMachineArn=f"{arn}:PROD")["output"] for _ in range(200))
    assert set(found) == {"1", "2"}
    assert 100 < found["1"] < 180  # 140 on average; further away happens once in a million runs
    server.client.update_state_machine_alias(stateMachineAliasArn=f"{arn}:PROD", routingConfiguration=routing((f"{arn}:2", 100)))
    assert {server.client.start_sync_execution(stateMachineArn=f"{arn}:PROD")["output"] for _ in range(10)} == {"2"}


def test_an_alias_is_created_described_changed_listed_and_deleted(server: Served) -> None:
    arn = two_versions(server, "aliased")
    first = routing((f"{arn}:1", 100))
    create = server.client.create_state_machine_alias
    created = create(name="dev", description="for trying", routingConfiguration=first)
    again = create(name="dev", description="for trying", routingConfiguration=first)
    assert (again["stateMachineAliasArn"], again["creationDate"]) == (created["stateMachineAliasArn"], created["creationDate"])
    for changed in ({"description": "other"}, {"routingConfiguration": routing((f"{arn}:2", 100))}):
        sentence = refused(
            "ConflictException", create, **{"name": "dev", "description": "for trying", "routingConfiguration": first, **changed}
        )
        assert (
            sentence == "Failed to create alias because an alias with the same name and a different routing configuration already exists."
        )
    server.client.update_state_machine_alias(stateMachineAliasArn=f"{arn}:dev", description="new")
    found = server.client.describe_state_machine_alias(stateMachineAliasArn=f"{arn}:dev")
    assert (found["name"], found["description"], found["routingConfiguration"]) == ("dev", "new", first)
    assert found["updateDate"] >= found["creationDate"]
    create(name="second", routingConfiguration=routing((f"{arn}:2", 100)))
    listing = server.client.list_state_machine_aliases
    assert [each["stateMachineAliasArn"] for each in listing(stateMachineArn=arn)["stateMachineAliases"]] == [f"{arn}:dev", f"{arn}:second"]
    assert [each["stateMachineAliasArn"] for each in listing(stateMachineArn=f"{arn}:2")["stateMachineAliases"]] == [f"{arn}:second"]
    assert listing(stateMachineArn=arn, maxResults=1)["nextToken"]
    for _ in range(2):
        server.client.delete_state_machine_alias(stateMachineAliasArn=f"{arn}:dev")
    refused("ResourceNotFound", server.client.describe_state_machine_alias, stateMachineAliasArn=f"{arn}:dev")
    refused("StateMachineDoesNotExist", server.client.start_sync_execution, stateMachineArn=f"{arn}:dev")


def test_a_version_that_an_alias_names_stays(server: Served) -> None:
    arn = two_versions(server, "named")
    server.client.create_state_machine_alias(name="live", routingConfiguration=routing((f"{arn}:1", 100)))
    sentence = refused("ConflictException", server.client.delete_state_machine_version, stateMachineVersionArn=f"{arn}:1")
    assert sentence == (
        "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: [live]"
    )
    assert server.client.start_sync_execution(stateMachineArn=f"{arn}:live")["output"] == "1"


def test_a_routing_that_makes_no_sense_is_refused_in_aws_s_words(server: Served) -> None:
    arn = two_versions(server, "routed")
    one, two = f"{arn}:1", f"{arn}:2"
    wrong = [
        (routing((arn, 100)), f"Routing configuration must contain state machine version ARNs. Received: [{arn}]"),
        (
            routing((one, 50), (one, 50)),
            f"Routing configuration must contain distinct state machine version ARNs. Received: [{one}, {one}]",
        ),
        (routing((one, 70), (two, 29)), "Sum of routing configuration weights must equal 100. Received: [70, 29]"),
    ]
    create = server.client.create_state_machine_alias
    for given, sentence in wrong:
        assert refused("ValidationException", create, name="a", routingConfiguration=given) == sentence
    weight = refused("ValidationException", create, name="a", routingConfiguration=routing((one, 101)))
    assert "Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint" in weight
    pattern = r"Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$"
    for name in ("123", "a b", "!a", "a@"):
        assert pattern in refused("ValidationException", create, name=name, routingConfiguration=routing((one, 100)))
    refused("ResourceNotFound", create, name="a", routingConfiguration=routing((f"{arn}:9", 100)))
    nobody = f"{ACCOUNT}:stateMachine:routed:nobody"
    update = server.client.update_state_machine_alias
    refused("ResourceNotFound", update, stateMachineAliasArn=nobody, description="x")
    refused("ValidationException", update, stateMachineAliasArn=nobody)
