from __future__ import annotations

from typing import Any

import pytest

from tests.language.definitions import ending, errors

STATES = "arn:aws:states:::"


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:lambda:us-east-1:123456789012:function:charge",
        "arn:aws:lambda:us-east-1:123456789012:function:charge:$LATEST",
        "arn:aws:lambda:us-east-1:123456789012:function:charge:live",
        "arn:aws:lambda:::function:publish-to-slack",
        "arn:aws-cn:lambda:cn-north-1:123456789012:function:charge",
        f"{STATES}dynamodb:getItem",
        f"{STATES}sqs:sendMessage",
        f"{STATES}http:invoke",
        f"{STATES}aws-sdk:s3:getObject",
        "arn:aws:states:us-east-1:123456789012:aws-sdk:transcribe:startTranscriptionJob",
        "${ChargeFunction}",
        "arn:${Partition}:states:::sqs:sendMessage",
    ],
)
def test_what_aws_knows_is_accepted(resource: str) -> None:
    assert errors(ending("Task", Resource=resource)) == []


UNKNOWN = "is not recognized. The value is not a valid resource ARN, or the resource is not available in this region."


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("charge", f"The resource provided charge {UNKNOWN}"),
        ("", f"The resource provided  {UNKNOWN}"),
        ("arn:aws:s3:::bucket", f"The resource provided arn:aws:s3:::bucket {UNKNOWN}"),
        ("arn:aws:swf:us-east-1:123456789012:task:X", f"The resource provided arn:aws:swf:us-east-1:123456789012:task:X {UNKNOWN}"),
        (f"{STATES}aws-sdk:s3:GetObject", f"The resource provided {STATES}aws-sdk:s3:GetObject {UNKNOWN}"),
        ("arn:aws:lambda:us-east-1:1:layer:x", f"The resource provided arn:aws:lambda:us-east-1:1:layer:x {UNKNOWN}"),
        (f"{STATES}sqs:sendMesage", f"The resource provided {STATES}sqs:sendMesage {UNKNOWN} (did you mean 'sendMessage'?)"),
        (f"{STATES}sqz:sendMessage", f"The resource provided {STATES}sqz:sendMessage {UNKNOWN} (did you mean 'sqs'?)"),
        (
            f"{STATES}dynamodb:query",
            (
                f"The resource provided {STATES}dynamodb:query {UNKNOWN} "
                "(Integrations of dynamodb: getItem, putItem, updateItem, deleteItem; others: aws-sdk:dynamodb:query)"
            ),
        ),
        (f"{STATES}ecs:runTask.sync", "Express state machine does not support '.sync' service integration"),
        (f"{STATES}states:startExecution.sync:2", "Express state machine does not support '.sync' service integration"),
        (f"{STATES}sqs:sendMessage.waitForTaskToken", "Express state machine does not support '.waitForTaskToken' service integration"),
        ("arn:${Partition}:states:::batch:submitJob.sync", "Express state machine does not support '.sync' service integration"),
        ("arn:aws:states:us-east-1:123456789012:activity:pick", "Express state machine does not support Activity ARN"),
    ],
)
def test_what_aws_express_refuses_is_refused_in_its_words(resource: str, expected: str) -> None:
    assert errors(ending("Task", Resource=resource)) == [f"/States/A/Resource: {expected}"]


def test_a_resource_is_a_text() -> None:
    assert errors(ending("Task", Resource=5)) == ["/States/A/Resource: expected a text, found 5"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Parameters": {"FunctionName": "charge"}}, []),
        ({"Parameters": {"FunctionName.$": "$.name", "Payload.$": "$", "InvocationType": "Event", "Qualifier": "live"}}, []),
        ({}, ["/States/A: The field 'Parameters' is required but was missing"]),
        ({"Parameters": {}}, ["/States/A/Parameters: The field 'FunctionName' is required but was missing"]),
        (
            {"Parameters": {"FunctionName": "charge", "Paylod.$": "$"}},
            [("/States/A/Parameters: The field 'Paylod.$' is not supported by Step Functions for lambda:invoke (did you mean 'Payload'?)")],
        ),
    ],
)
def test_what_lambda_invoke_is_given_is_checked(fields: dict[str, Any], expected: list[str]) -> None:
    assert errors(ending("Task", Resource=f"{STATES}lambda:invoke", **fields)) == expected
