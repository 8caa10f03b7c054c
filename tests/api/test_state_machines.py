"""State machines created, changed, described, listed, deleted, tagged, validated and tested, all through boto3's own client."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.api.served import ACCOUNT, ROLE, Served, passing, task

LOGS = [{"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:orders:*"}}]


def refused(code: str, call: Any, **parameters: Any) -> str:
    """The sentence of the error class that boto3 made for ``code``."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


def test_a_state_machine_is_described_as_it_was_created(server: Served) -> None:
    definition = passing({"kept": True})
    created = server.client.create_state_machine(
        name="described", definition=definition, roleArn=ROLE, type="EXPRESS", tags=[{"key": "team", "value": "orders"}]
    )
    assert created["stateMachineArn"] == f"{ACCOUNT}:stateMachine:described"
    found = server.client.describe_state_machine(stateMachineArn=created["stateMachineArn"])
    del found["ResponseMetadata"]
    assert found == {
        "stateMachineArn": created["stateMachineArn"],
        "name": "described",
        "status": "ACTIVE",
        "definition": definition,
        "roleArn": ROLE,
        "type": "EXPRESS",
        "creationDate": created["creationDate"],
        "loggingConfiguration": {"level": "OFF", "includeExecutionData": False},
        "tracingConfiguration": {"enabled": False},
    }
    metadata = server.client.describe_state_machine(stateMachineArn=created["stateMachineArn"], includedData="METADATA_ONLY")
    assert metadata["definition"] == "{}"


def test_an_arn_of_another_region_and_account_names_the_same_state_machine(server: Served) -> None:
    server.create("everywhere", passing(1))
    arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:everywhere"
    assert server.client.describe_state_machine(stateMachineArn=arn)["name"] == "everywhere"
    assert server.client.start_sync_execution(stateMachineArn=arn)["output"] == "1"


def test_creating_is_idempotent_but_for_role_and_tags(server: Served) -> None:
    first = server.client.create_state_machine(name="again", definition=passing(1), roleArn=ROLE, type="EXPRESS")
    second = server.client.create_state_machine(
        name="again", definition=passing(1), roleArn=f"{ROLE}-2", type="EXPRESS", tags=[{"key": "a", "value": "b"}]
    )
    assert (second["stateMachineArn"], second["creationDate"]) == (first["stateMachineArn"], first["creationDate"])
    assert server.client.describe_state_machine(stateMachineArn=first["stateMachineArn"])["roleArn"] == ROLE
    assert server.client.list_tags_for_resource(resourceArn=first["stateMachineArn"])["tags"] == []
    for changed in (
        {"definition": passing(2)},
        {"loggingConfiguration": {"level": "ERROR", "destinations": LOGS}},
        {"tracingConfiguration": {"enabled": True}},
        {"publish": True},
    ):
        parameters = {"name": "again", "definition": passing(1), "roleArn": ROLE, "type": "EXPRESS", **changed}
        sentence = refused("StateMachineAlreadyExists", server.client.create_state_machine, **parameters)
        assert sentence == f"State Machine Already Exists: '{first['stateMachineArn']}'"


@pytest.mark.parametrize("kind", [{}, {"type": "STANDARD"}])
def test_a_standard_state_machine_is_refused_with_a_sentence(server: Served, kind: dict[str, str]) -> None:
    create = server.client.create_state_machine
    sentence = refused("StateMachineTypeNotSupported", create, name="standard", definition=passing(1), roleArn=ROLE, **kind)
    assert "expected type EXPRESS, found STANDARD" in sentence


@pytest.mark.parametrize(
    "name", ["a b", "a<b", "a{", "a?", "a*", 'a"', "a#", "a%", "a\\", "a^", "a|", "a~", "a`", "a$", "a&", "a,", "a;", "a:"]
)
def test_names_that_aws_refuses_are_refused(server: Served, name: str) -> None:
    create = server.client.create_state_machine
    assert refused("InvalidName", create, name=name, definition=passing(1), roleArn=ROLE, type="EXPRESS") == f"Invalid Name: '{name}'"


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        ("{}", "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /'"),
        (json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}), "MISSING_TRANSITION_TARGET"),
        ("{", "INVALID_JSON_DESCRIPTION"),
    ],
)
def test_a_definition_that_cannot_run_is_refused_with_its_problems(server: Served, definition: str, sentence: str) -> None:
    create = server.client.create_state_machine
    assert sentence in refused("InvalidDefinition", create, name="invalid", definition=definition, roleArn=ROLE, type="EXPRESS")


def test_a_callback_and_a_sync_integration_are_refused_like_on_aws(server: Served) -> None:
    for pattern in (".waitForTaskToken", ".sync"):
        definition = {
            "StartAt": "A",
            "States": {"A": {"Type": "Task", "Resource": f"arn:aws:states:::sqs:sendMessage{pattern}", "End": True}},
        }
        create = server.client.create_state_machine
        refused("InvalidDefinition", create, name="callback", definition=json.dumps(definition), roleArn=ROLE, type="EXPRESS")


def test_an_update_is_a_new_revision_only_if_something_changes(server: Served) -> None:
    arn = server.create("updated", passing(1))
    update = server.client.update_state_machine
    assert "revisionId" not in update(stateMachineArn=arn, definition=passing(1))
    first = update(stateMachineArn=arn, definition=passing(2))["revisionId"]
    assert update(stateMachineArn=arn, definition=passing(2))["revisionId"] == first
    logging = {"level": "ALL", "includeExecutionData": True, "destinations": LOGS}
    second = update(stateMachineArn=arn, roleArn=f"{ROLE}-2", loggingConfiguration=logging)
    found = server.client.describe_state_machine(stateMachineArn=arn)
    assert second["revisionId"] != first == first
    assert (found["revisionId"], found["roleArn"], found["definition"]) == (second["revisionId"], f"{ROLE}-2", passing(2))
    assert found["loggingConfiguration"] == logging
    assert server.client.start_sync_execution(stateMachineArn=arn)["output"] == "2"


def test_an_update_of_nothing_of_nobody_and_of_a_version_is_refused(server: Served) -> None:
    arn = server.create("refusing", passing(1), publish=True)
    update = server.client.update_state_machine
    sentence = "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified"
    assert refused("MissingRequiredParameter", update, stateMachineArn=arn) == sentence
    for other in (f"{arn}:1", f"{arn}-2"):
        found = refused("StateMachineDoesNotExist", update, stateMachineArn=other, definition=passing(2))
        assert found == f"State Machine Does Not Exist: '{other}'"
    refused("InvalidDefinition", update, stateMachineArn=arn, definition="{}")
    assert server.client.start_sync_execution(stateMachineArn=arn)["output"] == "1"


def test_arns_are_refused_in_aws_s_words(server: Served) -> None:
    describe = server.client.describe_state_machine
    assert refused("InvalidArn", describe, stateMachineArn="not_an_arn") == "Invalid Arn: 'Invalid ARN prefix: not_an_arn'"
    execution = f"{ACCOUNT}:execution:orders:1"
    assert refused("InvalidArn", describe, stateMachineArn=execution) == "Invalid Arn: 'Resource type not valid in this context: execution'"
    refused("InvalidArn", describe, stateMachineArn="arn:aws:states")
    refused("ValidationException", describe, stateMachineArn=f"{ACCOUNT}:stateMachine:orders/label")
    missing = f"{ACCOUNT}:stateMachine:nobody"
    assert refused("StateMachineDoesNotExist", describe, stateMachineArn=missing) == f"State Machine Does Not Exist: '{missing}'"


def test_a_deleted_state_machine_is_gone_and_deleting_it_again_is_no_error(server: Served) -> None:
    arn = server.create("deleted", passing(1), publish=True)
    for _ in range(2):
        server.client.delete_state_machine(stateMachineArn=arn)
    for call in (server.client.describe_state_machine, server.client.start_sync_execution, server.client.start_execution):
        refused("StateMachineDoesNotExist", call, stateMachineArn=arn)
    refused("StateMachineDoesNotExist", server.client.start_sync_execution, stateMachineArn=f"{arn}:1")
    assert server.create("deleted", passing(2)) == arn


def test_boto3_s_paginator_finds_every_state_machine_once_by_name(server: Served) -> None:
    names = [f"page-{number:02d}" for number in range(7)]
    for name in reversed(names):
        server.create(name, passing(1))
    pages = list(server.client.get_paginator("list_state_machines").paginate(PaginationConfig={"PageSize": 3}))
    found = [machine["name"] for page in pages for machine in page["stateMachines"]]
    assert found == sorted(found)
    assert [name for name in found if name.startswith("page-")] == names
    assert all(len(page["stateMachines"]) == 3 for page in pages[:-1])
    assert {machine["type"] for page in pages for machine in page["stateMachines"]} == {"EXPRESS"}


@pytest.mark.parametrize("token", ["x", "WyJtYWNoaW5lcyIsMV0=", "bm90IGpzb24=", "WyJ2ZXJzaW9ucyIsImEiXQ==", "é" * 3])
def test_a_token_of_nobody_is_refused(server: Served, token: str) -> None:
    server.create("token", passing(1))
    refused("InvalidToken", server.client.list_state_machines, nextToken=token)


def test_bounds_are_refused_in_aws_s_words(server: Served) -> None:
    found = refused("ValidationException", server.client.list_state_machines, maxResults=1001)
    assert found == (
        "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: "
        "Member must have value less than or equal to 1000"
    )
    found = refused("ValidationException", server.client.list_state_machines, nextToken="x" * 1025)
    assert found.endswith("at 'nextToken' failed to satisfy constraint: Member must have length less than or equal to 1024")


def test_tags_are_added_replaced_listed_and_removed(server: Served) -> None:
    arn = server.create("tagged", passing(1), tags=[{"key": "a", "value": "1"}])
    server.client.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "2"}, {"key": "b", "value": ""}])
    assert server.client.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "a", "value": "2"}, {"key": "b", "value": ""}]
    server.client.untag_resource(resourceArn=arn, tagKeys=["a", "nobody"])
    assert server.client.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": ""}]
    many = [{"key": str(number), "value": "x"} for number in range(50)]
    refused("TooManyTags", server.client.tag_resource, resourceArn=arn, tags=many)
    for other in (f"{arn}:1", f"{ACCOUNT}:stateMachine:nobody"):
        found = refused("ResourceNotFound", server.client.tag_resource, resourceArn=other, tags=[])
        assert found == f"Resource not found: '{other}'"


def test_a_definition_is_validated_with_the_diagnostics_of_check(server: Served) -> None:
    validate = server.client.validate_state_machine_definition
    assert validate(definition=passing(1), type="EXPRESS")["result"] == "OK"
    wrong = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}})
    found = validate(definition=wrong)
    assert found["result"] == "FAIL"
    assert {(each["severity"], each["code"], each["location"]) for each in found["diagnostics"]} >= {
        ("ERROR", "MISSING_TRANSITION_TARGET", "/States/A/Next")
    }
    assert validate(definition=wrong, maxResults=1)["truncated"] == (len(found["diagnostics"]) > 1)
    only = validate(definition=wrong, severity="ERROR")["diagnostics"]
    assert {each["severity"] for each in only} == {"ERROR"}


def test_a_single_state_is_tested_with_the_functions_there_are(server: Served) -> None:
    state = json.dumps(task("double")["States"]["Task"])
    found = server.client.test_state(definition=state, input='{"total": 3}', inspectionLevel="DEBUG")
    assert (found["status"], json.loads(found["output"])) == ("SUCCEEDED", {"total": 6})
    assert json.loads(found["inspectionData"]["input"]) == {"total": 3}
    refused("ValidationException", server.client.test_state, definition=state, variables="[]")


@pytest.mark.parametrize(
    ("logging", "reason"),
    [
        ({"level": "ALL"}, "Must specify exactly one Log Destination."),
        ({"level": "OFF", "destinations": [*LOGS, *LOGS]}, "Must specify exactly one Log Destination."),
        ({"level": "ERROR", "destinations": [{}]}, "Must set valid CloudWatch Log Group ARN."),
    ],
)
def test_a_log_without_its_one_destination_is_refused_like_on_aws(server: Served, logging: Any, reason: str) -> None:
    create = server.client.create_state_machine
    given = {"name": "logging", "definition": passing(1), "roleArn": ROLE, "type": "EXPRESS", "loggingConfiguration": logging}
    assert refused("InvalidLoggingConfiguration", create, **given) == f"Invalid Logging Configuration: {reason}"


def test_encryption_with_a_key_of_somebody_else_is_refused(server: Served) -> None:
    own = {"type": "AWS_OWNED_KEY"}
    arn = server.create("encrypted", passing(1), encryptionConfiguration=own)
    assert server.client.describe_state_machine(stateMachineArn=arn)["encryptionConfiguration"] == own
    other = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "alias/orders"}
    update = server.client.update_state_machine
    refused("InvalidEncryptionConfiguration", update, stateMachineArn=arn, encryptionConfiguration=other)


def test_every_answer_has_a_request_id(server: Served) -> None:
    identities = {server.client.list_state_machines()["ResponseMetadata"]["RequestId"] for _ in range(3)}
    assert len(identities) == 3
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", each) for each in identities)
