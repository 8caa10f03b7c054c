"""A mocked result must have the shape that the service's API gives it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

import express
from express.errors import ConfigurationError, RequestError
from express.teststate import schema

START = "arn:aws:states:::states:startExecution"
ITEM = "arn:aws:states:::dynamodb:getItem"
FIELD = "Mock result schema validation error: Field "
GOOD = {"ExecutionArn": "arn", "StartDate": "2026-01-01T00:00:00Z"}


def refused(resource: str, result: Any, mode: str | None = None) -> str | None:
    pytest.importorskip("botocore", reason="the shapes of AWS's services come with botocore")
    try:
        schema.check(resource, result, mode)
    except RequestError as error:
        return error.message if error.code == "ValidationException" else str(error)
    return None


@pytest.mark.parametrize(
    ("resource", "result", "reason"),
    [
        (START, GOOD, None),
        (START, {**GOOD, "Other": 1}, None),
        (START, [], "Mocked result must be a JSON object."),
        (START, {"ExecutionArn": 1}, f"{schema.PREFIX}Required field 'StartDate' is missing"),
        (START, {**GOOD, "ExecutionArn": 1}, f"{FIELD}'ExecutionArn' must be a string"),
        (START, {**GOOD, "StartDate": 17}, f"{FIELD}'StartDate' must be a string"),
        ("arn:aws:states:::aws-sdk:sfn:startExecution", {}, f"{schema.PREFIX}Required field 'ExecutionArn' is missing"),
        (ITEM, {"Item": {"a": {"S": "x"}, "b": {"L": [{"N": "1"}]}}}, None),
        (ITEM, {"Item": []}, f"{FIELD}'Item' must be an object"),
        (ITEM, {"Item": {"a": "x"}}, f"{FIELD}'Item' must be an object"),
        (ITEM, {"Item": {"a": {"L": [{"N": 1}]}}}, f"{FIELD}'N' must be a string"),
        (ITEM, {"Item": {"a": {"Ss": "x"}}}, f"{FIELD}'Ss' must be an array"),
        (ITEM, {"Item": {"a": {"Bool": 1}}}, f"{FIELD}'Bool' must be a boolean"),
        (ITEM, {"ConsumedCapacity": {"CapacityUnits": "1"}}, f"{FIELD}'CapacityUnits' must be a number"),
        ("arn:aws:states:::lambda:invoke", {"StatusCode": True}, f"{FIELD}'StatusCode' must be a number"),
        ("arn:aws:states:::aws-sdk:kms:encrypt", {"CiphertextBlob": ""}, f"{FIELD}'CiphertextBlob' is smaller than the minimum length"),
        (
            "arn:aws:states:::aws-sdk:kms:encrypt",
            {"EncryptionAlgorithm": "ROT13"},
            f"{FIELD}'EncryptionAlgorithm' is not an expected value",
        ),
        ("arn:aws:states:::aws-sdk:cloudwatchlogs:describeLogGroups", {"LogGroups": {}}, f"{FIELD}'LogGroups' must be an array"),
    ],
)
def test_results_are_held_against_the_services_shape(resource: str, result: Any, reason: str | None) -> None:
    assert refused(resource, result) == refused(resource, result, "STRICT") == reason


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("executionArn", "ExecutionArn"),
        ("DBInstances", "DbInstances"),
        ("MD5OfMessageBody", "Md5OfMessageBody"),
        ("KMSKeyId", "KmsKeyId"),
        ("SSEAlgorithm", "SseAlgorithm"),
        ("ETag", "ETag"),
        ("S3Key", "S3Key"),
        ("x-amz-id", "XAmzId"),
        ("BOOL", "Bool"),
        ("S", "S"),
    ],
)
def test_fields_have_the_names_that_step_functions_gives_them(name: str, expected: str) -> None:
    assert schema.named(name) == expected


def test_a_name_that_only_the_api_knows_is_let_through() -> None:
    assert refused("arn:aws:states:::sqs:sendMessage", {"MD5OfMessageBody": {}}) is None
    assert refused("arn:aws:states:::sqs:sendMessage", {"Md5OfMessageBody": {}}) == f"{FIELD}'Md5OfMessageBody' must be a string"


def test_only_what_is_there_must_fit_if_that_is_wanted() -> None:
    assert refused(START, {}, "PRESENT") is None
    assert refused(START, {"StartDate": False}, "PRESENT") == f"{FIELD}'StartDate' must be a string"


def test_nothing_must_fit_if_that_is_wanted() -> None:
    assert refused(START, {"StartDate": False}, "NONE") is None


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:lambda:us-east-1:123456789012:function:f",
        "arn:aws:states:us-east-1:123456789012:activity:a",
        "arn:aws:states:::http:invoke",
        "arn:aws:states:::apigateway:invoke",
        "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "arn:aws:states:::batch:submitJob.sync",
        "arn:aws:states:::aws-sdk:nosuchservice:anything",
        "arn:aws:states:::aws-sdk:s3:noSuchOperation",
    ],
)
def test_what_no_api_answers_has_no_shape(resource: str) -> None:
    assert refused(resource, 5) is None


def test_without_botocore_only_an_explicit_wish_fails(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(schema, "import_module", missing)
    monkeypatch.setattr(schema, "_said", [])
    with caplog.at_level(logging.WARNING, "express"):
        schema.check(START, {}, None)
        schema.check(START, {}, None)
    assert caplog.messages == ["mocked results of AWS's services are not validated: pip install botocore, or say fieldValidationMode NONE"]
    with pytest.raises(ConfigurationError, match="fieldValidationMode STRICT needs the shapes of AWS's services: pip install botocore"):
        schema.check(START, {}, "STRICT")
    schema.check(START, {}, "NONE")


def test_the_mode_of_a_request_is_used() -> None:
    pytest.importorskip("botocore", reason="the shapes of AWS's services come with botocore")
    state = {"Type": "Task", "Resource": START, "Parameters": {"StateMachineArn": "arn"}, "End": True}
    with pytest.raises(express.RequestError, match="Required field 'ExecutionArn' is missing"):
        express.test_state(state, mock={"result": {}})
    assert express.test_state(state, mock={"result": {}, "fieldValidationMode": "PRESENT"})["status"] == "SUCCEEDED"
    assert express.test_state(state, mock={"result": 1, "fieldValidationMode": "NONE"})["output"] == 1
