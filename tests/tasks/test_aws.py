"""Services of AWS over real HTTP (moto's server): every optimised integration and aws-sdk, their results, their errors."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest

import express
from express.config import load
from express.connections import problems
from express.options import AwsConnection
from express.outcome import Outcome
from tests.brokers.aws_server import KEYS, Server

pytestmark = pytest.mark.uvloop_only

PAGE = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text()
REGION = "eu-west-1"


@pytest.fixture
def connections(moto: Server) -> dict[str, Any]:
    return {"account": AwsConnection(region=REGION, endpoint=moto.url, **KEYS)}


@pytest.fixture
def client(moto: Server) -> Any:
    """boto3's, of a service: not the client under test."""
    import boto3

    def client(service: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=moto.url, region_name=REGION, **keys)

    return client


def task(resource: str, parameters: Any, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Parameters": parameters, "End": True, **fields}


def ran(connections: Any, resource: str, parameters: Any, event: Any = None) -> Outcome:
    definition = {"StartAt": "Ask", "States": {"Ask": task(resource, parameters)}}
    return express.compile(definition, "ask", connections=connections).run({} if event is None else event)


def output(outcome: Outcome) -> Any:
    assert outcome.status == "SUCCEEDED", outcome
    return outcome.output


def bare(outcome: Outcome) -> Any:
    """The result of an optimised integration without what all have."""
    found = dict(output(outcome))
    about, response = found.pop("SdkHttpMetadata"), found.pop("SdkResponseMetadata")
    assert (about["HttpStatusCode"], set(about), set(response)) == (
        200,
        {"AllHttpHeaders", "HttpHeaders", "HttpStatusCode"},
        {"RequestId"},
    )
    assert all(values == [about["HttpHeaders"][name]] for name, values in about["AllHttpHeaders"].items())
    return found


@pytest.mark.parametrize("body", ["hello", {"id": 7}, 7])
def test_a_message_is_a_text_and_anything_else_its_json(connections: Any, moto: Server, body: Any) -> None:
    queue = moto.queue()
    result = bare(ran(connections, "sqs:sendMessage", {"QueueUrl": queue.url, "MessageBody.$": "$.body"}, {"body": body}))
    assert set(result) == {"MD5OfMessageBody", "MessageId"}
    (message,) = queue.client.receive_message(QueueUrl=queue.url)["Messages"]
    assert message["Body"] == (body if isinstance(body, str) else json.dumps(body, separators=(",", ":")))


def test_a_batch_of_messages_goes_by_aws_sdk(connections: Any, moto: Server) -> None:
    queue = moto.queue()
    entries = [{"Id": "one", "MessageBody": "1"}, {"Id": "two", "MessageBody": {"n": 2}}]
    result = output(ran(connections, "aws-sdk:sqs:sendMessageBatch", {"QueueUrl": queue.url, "Entries": entries}))
    assert [(each["Id"], "Md5OfMessageBody" in each) for each in result["Successful"]] == [("one", True), ("two", True)]
    assert queue.waiting == 2


def test_a_queue_that_is_not_there_has_a_name_of_its_own_in_either_integration(connections: Any, moto: Server) -> None:
    given = {"QueueUrl": f"{moto.url}/123456789012/none", "MessageBody": "hello"}
    for resource, expected, service in (
        ("sqs:sendMessage", "SQS.QueueDoesNotExistException", "(Service: AmazonSQS; Status Code: 400; Error Code: "),
        ("aws-sdk:sqs:sendMessage", "Sqs.QueueDoesNotExistException", "(Service: Sqs, Status Code: 400, Request ID: "),
    ):
        outcome = ran(connections, resource, given)
        assert outcome.error == expected
        assert service in (outcome.cause or "")


def test_a_queue_of_somebody_else_is_not_sent_to(connections: Any) -> None:
    outcome = ran(connections, "sqs:sendMessage", {"QueueUrl": "http://169.254.169.254/latest", "MessageBody": "hello"})
    assert (outcome.error, outcome.cause) == (
        "SQS.SdkClientException",
        "Unable to execute HTTP request: 169.254.169.254: Name or service not known",
    )


def test_a_topic_is_published_to(connections: Any, client: Any) -> None:
    arn = client("sns").create_topic(Name=f"t{uuid.uuid4().hex[:8]}")["TopicArn"]
    assert set(bare(ran(connections, "sns:publish", {"TopicArn": arn, "Message": {"id": 1}}))) == {"MessageId"}
    outcome = ran(connections, "sns:publish", {"TopicArn": f"{arn}none", "Message": "hello"})
    assert outcome.error == "SNS.NotFoundException"


def test_items_are_put_read_changed_and_deleted(connections: Any, client: Any) -> None:
    table = f"t{uuid.uuid4().hex[:8]}"
    client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"id": {"S": "1"}, "paid": {"BOOL": True}, "tags": {"SS": ["a"]}, "deep": {"M": {"n": {"N": "7"}}}}
    once = {"TableName": table, "Item": item, "ConditionExpression": "attribute_not_exists(id)"}
    assert bare(ran(connections, "dynamodb:putItem", once)) == {}
    outcome = ran(connections, "dynamodb:putItem", once)
    assert outcome.error == "DynamoDB.ConditionalCheckFailedException"
    key = {"TableName": table, "Key": {"id": {"S": "1"}}}
    assert bare(ran(connections, "dynamodb:getItem", key))["Item"] == item
    change = {"UpdateExpression": "SET paid = :p", "ExpressionAttributeValues": {":p": {"BOOL": False}}, "ReturnValues": "UPDATED_NEW"}
    assert bare(ran(connections, "dynamodb:updateItem", {**key, **change}))["Attributes"] == {"paid": {"BOOL": False}}
    question = {
        "TableName": table,
        "KeyConditionExpression": "id = :i",
        "ExpressionAttributeValues": {":i": {"S": "1"}},
    }
    found = output(ran(connections, "aws-sdk:dynamodb:query", question))
    assert (found["Count"], found["Items"][0]["paid"], found["Items"][0]["tags"]) == (1, {"Bool": False}, {"Ss": ["a"]})
    assert bare(ran(connections, "dynamodb:deleteItem", key)) == {}
    assert "Item" not in bare(ran(connections, "dynamodb:getItem", key))


def test_events_carry_the_execution_and_a_refused_one_fails_the_state(connections: Any) -> None:
    entry = {"Source": "orders", "DetailType": "Paid", "Detail": {"id": 1}}
    result = bare(ran(connections, "events:putEvents", {"Entries": [entry]}))
    assert (result["FailedEntryCount"], len(result["Entries"])) == (0, 1)
    outcome = ran(connections, "events:putEvents", {"Entries": [entry, {**entry, "Detail": "no JSON"}]})
    assert outcome.error == "EventBridge.FailedEntry"
    assert json.loads(outcome.cause or "")["FailedEntryCount"] == 1


def test_objects_are_put_and_got(connections: Any, client: Any) -> None:
    bucket = f"b{uuid.uuid4().hex[:8]}"
    client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    at = {"Bucket": bucket, "Key": "orders/1.json"}
    assert "ETag" in output(ran(connections, "aws-sdk:s3:putObject", {**at, "Body": {"id": 1}}))
    found = output(ran(connections, "aws-sdk:s3:getObject", at))
    assert (found["Body"], found["ContentLength"]) == ('{"id":1}', 8)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", found["LastModified"])
    outcome = ran(connections, "aws-sdk:s3:getObject", {**at, "Key": "none"})
    assert outcome.error == "S3.NoSuchKeyException"
    client("s3").put_object(**at, Body=b"x" * 300_000)
    assert ran(connections, "aws-sdk:s3:getObject", at).error == "States.DataLimitExceeded"
    client("s3").put_object(**at, Body=b"\xff\x00")
    assert output(ran(connections, "aws-sdk:s3:getObject", at))["Body"] == "/wA="


def test_an_execution_elsewhere_is_started(connections: Any, client: Any) -> None:
    definition = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    role = "arn:aws:iam::123456789012:role/x"
    arn = client("stepfunctions").create_state_machine(name=f"m{uuid.uuid4().hex[:8]}", definition=definition, roleArn=role)
    asked = {"StateMachineArn": arn["stateMachineArn"], "Input": {"id": 1}, "Name": "one"}
    result = bare(ran(connections, "states:startExecution", asked))
    assert set(result) == {"ExecutionArn", "StartDate"}
    assert isinstance(result["StartDate"], int)
    told = client("stepfunctions").describe_execution(executionArn=result["ExecutionArn"])
    assert json.loads(told["input"]) == {"id": 1}
    missing = ran(connections, "states:startExecution", {**asked, "StateMachineArn": arn["stateMachineArn"] + "none"})
    assert missing.error == "StepFunctions.StateMachineDoesNotExistException"


def test_tasks_and_queries_are_started(connections: Any) -> None:
    assert ran(connections, "ecs:runTask", {"TaskDefinition": "none", "Cluster": "none"}).error == "ECS.ClusterNotFoundException"
    query = {"QueryString": "SELECT 1", "ResultConfiguration": {"OutputLocation": "s3://results/"}}
    assert set(bare(ran(connections, "athena:startQueryExecution", query))) == {"QueryExecutionId"}


def test_a_service_that_is_not_reached_is_a_client_error(moto: Server) -> None:
    nowhere = {"account": AwsConnection(region=REGION, endpoint="http://127.0.0.1:1", **KEYS)}
    outcome = ran(nowhere, "sns:publish", {"TopicArn": "arn", "Message": "hello"})
    assert (outcome.error, outcome.cause) == (
        "SNS.SdkClientException",
        "Unable to execute HTTP request: Connect to 127.0.0.1:1 failed: Connection refused",
    )


def test_a_service_has_an_endpoint_of_its_own(moto: Server) -> None:
    apart = {"account": AwsConnection(region=REGION, endpoint="http://127.0.0.1:1", endpoints={"secretsmanager": moto.url}, **KEYS)}
    assert "SecretList" in output(ran(apart, "aws-sdk:secretsmanager:listSecrets", {}))


def test_credentials_that_are_not_there_are_a_matter_of_permissions(moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    outcome = ran({"account": AwsConnection(region=REGION, endpoint=moto.url)}, "aws-sdk:secretsmanager:listSecrets", {})
    assert (outcome.error, outcome.cause) == ("States.Permissions", "Unable to locate credentials (Service: SecretsManager)")


async def test_a_secret_is_in_no_cause_and_no_log(moto: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    connection = AwsConnection(region=REGION, endpoint=moto.url, access_key_id="AKIAEXAMPLE", secret_access_key="hunter2-very-secret")
    outcome = ran({"account": connection}, "aws-sdk:sqs:sendMessage", {"QueueUrl": f"{moto.url}/1/none", "MessageBody": "hello"})
    assert outcome.status == "FAILED"
    assert "hunter2" not in repr(outcome) + caplog.text + repr(connection)


def test_parameters_of_the_wrong_kind_cannot_start_the_task(connections: Any) -> None:
    given = {"QueueUrl": "u", "MessageBody": "m", "DelaySeconds.$": "$.delay"}
    outcome = ran(connections, "sqs:sendMessage", given, {"delay": "soon"})
    assert outcome.error == "States.Runtime"
    assert (outcome.cause or "").endswith(
        "could not be used to start the Task: [The value for the field 'DelaySeconds' must be an INTEGER]"
    )


def test_without_a_connection_nothing_is_compiled_and_with_two_the_workflow_must_say_which() -> None:
    given = {"QueueUrl": "u", "MessageBody": "m"}
    with pytest.raises(express.DefinitionError, match="sqs:sendMessage needs a connection to AWS, and there is none"):
        ran({}, "sqs:sendMessage", given)
    with pytest.raises(express.DefinitionError, match=r"could use one, two: say which of them in workflows\.NAME\.aws or api\.aws"):
        ran({"one": AwsConnection(), "two": AwsConnection()}, "sqs:sendMessage", given)


def test_the_page_s_configuration_goes_with_its_workflow(moto: Server, client: Any, tmp_path: Path) -> None:
    (configuration,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (workflow,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "secret").write_text("test\n")
    text = configuration.replace("/run/secrets/aws", "secret").replace("http://127.0.0.1:5000", moto.url)
    (tmp_path / "express.yaml").write_text(text.replace("http://127.0.0.1:9324", moto.url))
    connection = load(tmp_path / "express.yaml", {}).settings.connections["account"].aws
    assert connection is not None
    assert list(problems(connection)) == []
    assert [each.severity for each in express.check(workflow) if each.severity != "ADVICE"] == []
    client("sqs").create_queue(QueueName="orders")
    client("dynamodb").create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    text = workflow.replace("http://127.0.0.1:5000", moto.url)
    program = express.compile(json.loads(text), connections={"account": connection})
    for _ in range(2):
        assert "MessageId" in output(program.run({"id": "7"}))
