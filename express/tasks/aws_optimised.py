"""Optimised integrations, request and response: ``arn:aws:states:::sqs:sendMessage`` and the like, with what AWS does besides for each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from express.options import AwsConnection, Connection
from express.runtime.failures import StateError
from express.runtime.suspensions import Call
from express.runtime.values import loads
from express.tasks import ResourceMissing, aws_models
from express.tasks.aws_clients import HEADERS
from express.tasks.aws_errors import Style
from express.tasks.aws_models import Trouble, capital
from express.tasks.aws_sdk import Operation, account
from express.tasks.integration import Resource


class Service(NamedTuple):
    """``folder`` is botocore's name. ``not_here``: integrations that are no operation of it."""

    folder: str
    style: Style
    not_here: frozenset[str] = frozenset()


SERVICES: dict[str, Service] = {
    "athena": Service("athena", Style("Athena", "AmazonAthenaException", "AmazonAthena")),
    "batch": Service("batch", Style("Batch", "AWSBatchException", "AWSBatch")),
    "bedrock": Service(
        "bedrock-runtime",
        Style("Bedrock", "BedrockRuntimeException", "BedrockRuntime", old=False),
        frozenset({"createModelCustomizationJob"}),
    ),
    "codebuild": Service("codebuild", Style("CodeBuild", "AWSCodeBuildException", "AWSCodeBuild")),
    "databrew": Service("databrew", Style("DataBrew", "AWSGlueDataBrewException", "AWSGlueDataBrew")),
    "dynamodb": Service("dynamodb", Style("DynamoDB", "AmazonDynamoDBException", "AmazonDynamoDBv2")),
    "ecs": Service("ecs", Style("ECS", "AmazonECSException", "AmazonECS")),
    "eks": Service("eks", Style("EKS", "AmazonEKSException", "AmazonEKS"), frozenset({"call", "runJob"})),
    "emr-containers": Service("emr-containers", Style("EMRContainers", "AmazonEMRContainersException", "AmazonEMRContainers")),
    "emr-serverless": Service("emr-serverless", Style("EMRServerless", "AWSEMRServerlessException", "AWSEMRServerless")),
    "events": Service("events", Style("EventBridge", "AmazonEventBridgeException", "AmazonEventBridge")),
    "glue": Service("glue", Style("Glue", "AWSGlueException", "AWSGlue")),
    "mediaconvert": Service("mediaconvert", Style("MediaConvert", "AWSMediaConvertException", "AWSMediaConvert")),
    "sagemaker": Service("sagemaker", Style("SageMaker", "AmazonSageMakerException", "AmazonSageMaker")),
    "sns": Service("sns", Style("SNS", "AmazonSNSException", "AmazonSNS")),
    "sqs": Service("sqs", Style("SQS", "AmazonSQSException", "AmazonSQS")),
    "states": Service("stepfunctions", Style("StepFunctions", "AWSStepFunctionsException", "AWSStepFunctions")),
}  # fmt: skip


class Optimised(Operation):
    """One operation, answered with the headers of the HTTP response beside the API's fields."""

    naming = staticmethod(capital)

    def _response(self, answer: dict[str, Any]) -> Any:
        return {**super()._response(answer), **metadata(answer)}


def metadata(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The headers, the status and the request's id, as the optimised integrations give them."""
    about = answer.get("ResponseMetadata", {})
    headers = dict(answer.get(HEADERS) or about.get("HTTPHeaders", {}))
    return {
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": about.get("HTTPStatusCode"),
        },
        "SdkResponseMetadata": {"RequestId": about.get("RequestId")},
    }


class SendMessage(Optimised):
    """``sqs:sendMessage``: the queue's URL says where it is, but only among AWS's own hosts, or whatever stands for them here: an event
    must not choose whom signed requests go to."""

    _HOST = re.compile(r"(?:sqs\.(?P<region>[a-z0-9-]+)|(?P<older>[a-z0-9-]+)\.queue)\.amazonaws\.com(?:\.cn)?$")

    def _at(self, asked: dict[str, Any]) -> str | None:
        from express.aws import endpoint_of

        host = urlsplit(str(asked.get("QueueUrl", ""))).hostname
        configured = endpoint_of(self._connection, self._folder)
        found = self._HOST.match(host or "")
        if found is not None and configured is None:
            return found["region"] or found["older"]
        if found is None and host is not None and host != urlsplit(configured or "").hostname:
            raise StateError(
                f"{self._style.prefix}.SdkClientException", f"Unable to execute HTTP request: {host}: Name or service not known"
            )
        return super()._at(asked)


class PutEvents(Optimised):
    """``events:putEvents``: the execution and its workflow are resources of every event; an event that is not taken fails the state."""

    def _request(self, payload: Any, call: Call) -> dict[str, Any]:
        asked = super()._request(payload, call)
        own = [call.execution.id, call.execution.workflow_id]
        asked["Entries"] = [{**entry, "Resources": [*entry.get("Resources", ()), *own]} for entry in asked.get("Entries", ())]
        return asked

    def _response(self, answer: dict[str, Any]) -> Any:
        if answer.get("FailedEntryCount"):
            entries = aws_models.response(answer, self._operation.output_shape, self.naming)
            raise StateError("EventBridge.FailedEntry", json.dumps(entries, ensure_ascii=False, separators=(",", ":")))
        return super()._response(answer)


class InvokeModel(Operation):
    """``bedrock:invokeModel``: the body is JSON on both sides."""

    naming = staticmethod(capital)

    def _request(self, payload: Any, call: Call) -> dict[str, Any]:
        if isinstance(payload, dict):
            for name in ("Input", "Output"):
                if payload.get(name) is not None:
                    raise StateError("States.Runtime", f"bedrock:invokeModel: {name} is in S3, which Express does not read or write for it")
        asked = super()._request(payload, call)
        asked.setdefault("contentType", "application/json")
        asked.setdefault("accept", "application/json")
        return asked

    def _response(self, answer: dict[str, Any]) -> Any:
        body, kind = answer["body"], answer.get("contentType", "application/json")
        try:
            body = loads(body)
        except ValueError:
            body = aws_models.blob(body)
        return {"Body": body, "ContentType": kind}


SPECIAL: dict[str, type[Operation]] = {
    "bedrock:invokeModel": InvokeModel,
    "events:putEvents": PutEvents,
    "sqs:sendMessage": SendMessage,
}


def bind(resource: Resource, parameters: Any, connections: Mapping[str, Connection]) -> Operation:
    """ResourceMissing without a connection to AWS, or for what is no operation of the service."""
    service = SERVICES[resource.service]
    if resource.action in service.not_here:
        raise ResourceMissing(f"{resource.name} is an integration that this version of Express does not have")
    connection: AwsConnection = account(resource, connections)
    kind = SPECIAL.get(resource.name, Optimised if service.style.old else Operation)
    try:
        return kind(resource, connection, service.folder, resource.action, service.style)
    except (aws_models.Unknown, aws_models.Unavailable) as error:
        raise ResourceMissing(f"{resource.name}: {error}") from None


def check(resource: Resource, parameters: Any) -> Iterator[Trouble]:
    """What is wrong with the parameters. Raises Unknown."""
    service = SERVICES[resource.service]
    if resource.action in service.not_here:
        return iter(())
    operation = aws_models.operation(service.folder, resource.action)
    troubles = aws_models.troubles(parameters, operation.input_shape, capital)
    if resource.name == "bedrock:invokeModel":  # with fields of its own
        return (trouble for trouble in troubles if trouble.kind == "required" and "Body" not in trouble.message)
    return troubles
