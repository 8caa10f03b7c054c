"""Is the Resource of a Task one that AWS knows, and one that an Express workflow may use."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from express.language import http_tasks
from express.language.fields import Fields
from express.language.findings import Findings, shown

# Optimised integrations (AWS, "Integrating services with Step Functions"): service, actions
ACTIONS: dict[str, tuple[str, ...]] = {
    "apigateway": ("invoke",),
    "athena": ("startQueryExecution", "stopQueryExecution", "getQueryExecution", "getQueryResults"),
    "batch": ("submitJob",),
    "bedrock": ("invokeModel", "createModelCustomizationJob"),
    "codebuild": (
        "startBuild",
        "stopBuild",
        "batchDeleteBuilds",
        "batchGetReports",
        "startBuildBatch",
        "stopBuildBatch",
        "retryBuildBatch",
        "deleteBuildBatch",
    ),
    "databrew": ("startJobRun",),
    "dynamodb": ("getItem", "putItem", "updateItem", "deleteItem"),
    "ecs": ("runTask",),
    "eks": (
        "createCluster",
        "deleteCluster",
        "createFargateProfile",
        "deleteFargateProfile",
        "createNodegroup",
        "deleteNodegroup",
        "runJob",
        "call",
    ),
    "elasticmapreduce": (
        "createCluster",
        "terminateCluster",
        "addStep",
        "cancelStep",
        "setClusterTerminationProtection",
        "modifyInstanceFleetByName",
        "modifyInstanceGroupByName",
    ),
    "emr-containers": ("createVirtualCluster", "deleteVirtualCluster", "startJobRun"),
    "emr-serverless": ("createApplication", "startApplication", "stopApplication", "deleteApplication", "startJobRun", "cancelJobRun"),
    "events": ("putEvents",),
    "glue": ("startJobRun",),
    "http": ("invoke",),
    "lambda": ("invoke",),
    "mediaconvert": ("createJob",),
    "sagemaker": (
        "createEndpoint",
        "createEndpointConfig",
        "createHyperParameterTuningJob",
        "createLabelingJob",
        "createModel",
        "createProcessingJob",
        "createTrainingJob",
        "createTransformJob",
        "updateEndpoint",
    ),
    "sns": ("publish",),
    "sqs": ("sendMessage",),
    "states": ("startExecution",),
}

# Tasks of Express' own: arn:express:tasks:::SERVICE:ACTION, with their parameters, those that are needed first
OWN: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "kafka:produce": (("Topic", "Value"), ("Connection", "Key", "Headers", "Partition")),
    "redis:command": (("Command",), ("Connection", "Arguments")),
    "queue:send": (("Body",), ("Connection", "Key", "Headers", "DelaySeconds")),
}
_OWN = re.compile(r"arn:express:tasks:::([\w:-]*)", re.ASCII)

_ARN = re.compile(r"arn:[\w-]+:(lambda|states):([^:]*):([^:]*):(.+)", re.ASCII | re.DOTALL)
_FUNCTION = re.compile(r"function:[\w$.-]+(?::[\w$.-]+)?", re.ASCII)
_INTEGRATION = re.compile(r"([\w-]+):(\w+)", re.ASCII)
_SDK = re.compile(r"aws-sdk:[\w-]+:[a-z][\w.]*", re.ASCII)  # the action in camel case, as AWS has it
_PATTERN = re.compile(r"(\.sync(?::[0-9]+)?|\.waitForTaskToken)$")
_ACTIVITY = re.compile(r"arn:[^:]*:states:[^:]*:[^:]*:activity:")
_PLACEHOLDER = re.compile(r"\$\{[^{}]+\}")

# Extensions, off by default, as AWS's Express workflows have neither: the pattern that each provides
EXTENSIONS = {"callbacks": ".waitForTaskToken", "nested": ".sync"}
_NESTED = re.compile(r"arn:[\w-]+:states:[^:]*:[^:]*:states:startExecution\.sync(?::2)?", re.ASCII)

_INVOKE = ("FunctionName", "Payload", "ClientContext", "InvocationType", "LogType", "Qualifier")


def check(state: Fields, parameters: str) -> str | None:
    """The Resource of a Task, or None with what is wrong reported. ``parameters`` is the field with the arguments of the call."""
    resource = state.text("Resource") if state.required("Resource") else None
    if resource is None:
        return None
    pattern = _PATTERN.search(resource)
    name = resource[: pattern.start()] if pattern else resource
    if pattern and _extended(resource, pattern[1], state.findings.extensions):
        state.findings.wider.append((state.at("Resource"), f"{pattern[1]} is an extension of Express: AWS's Express workflows have none"))
    elif pattern and (resource.startswith("arn:") or _PLACEHOLDER.match(resource)):
        shown_pattern = ".sync" if pattern[1].startswith(".sync") else pattern[1]
        state.findings.error(state.at("Resource"), f"Express state machine does not support '{shown_pattern}' service integration")
    elif _ACTIVITY.match(resource):
        state.findings.error(state.at("Resource"), "Express state machine does not support Activity ARN")
        return resource
    if _PLACEHOLDER.search(resource):
        return resource  # what it will be is not known
    if own := _OWN.fullmatch(name):
        state.findings.wider.append((state.at("Resource"), f"{own[0]} is a Task of Express: AWS has nothing of the kind"))
        if own[1] not in OWN:
            near = state.findings.suggestion(own[1], OWN)
            sentence = f"there is no Task arn:express:tasks:::{own[1]}{near}"
            state.findings.error(state.at("Resource"), sentence + ("" if near else f": expected one of {', '.join(OWN)}"))
        return resource
    found = _ARN.fullmatch(name)
    if not found or not _known(found, bool(pattern)):
        state.findings.error(state.at("Resource"), _not_recognised(resource, found, state.findings))
    elif found[1] == "states" and found[4] == "lambda:invoke":
        _check_invoke(state, parameters)
    elif found[1] == "states" and found[4] == "http:invoke":
        http_tasks.check(state, parameters)
    return resource


def _extended(resource: str, pattern: str, extensions: Collection[str]) -> bool:
    """Whether an extension that is switched on provides the pattern for this resource."""
    if pattern == EXTENSIONS["callbacks"]:
        return "callbacks" in extensions
    return "nested" in extensions and _NESTED.fullmatch(resource) is not None


def _known(arn: re.Match[str], pattern: bool) -> bool:
    service, rest = arn[1], arn[4]
    if service == "lambda":
        return not pattern and _FUNCTION.fullmatch(rest) is not None
    if _SDK.fullmatch(rest):
        return True
    found = _INTEGRATION.fullmatch(rest)
    return found is not None and found[2] in ACTIONS.get(found[1], ())


def _not_recognised(resource: str, arn: re.Match[str] | None, findings: Findings) -> str:
    sentence = (
        f"The resource provided {shown(resource)[1:-1]} is not recognized. "
        "The value is not a valid resource ARN, or the resource is not available in this region."
    )
    found = _INTEGRATION.fullmatch(arn[4]) if arn and arn[1] == "states" else None
    if found and found[1] in ACTIONS:
        near = findings.suggestion(found[2], ACTIONS[found[1]])
        return sentence + (near or f" (Integrations of {found[1]}: {', '.join(ACTIONS[found[1]])}; others: aws-sdk:{found[1]}:{found[2]})")
    return sentence + (findings.suggestion(found[1], ACTIONS) if found else "")


def _check_invoke(state: Fields, parameters: str) -> None:
    """What lambda:invoke is given. A text (JSONata) is not looked into."""
    raw: Any = state.raw.get(parameters)
    if raw is None and parameters not in state:
        state.required(parameters)
        return
    if not isinstance(raw, dict):
        return
    fields = Fields(raw, state.at(parameters), state.findings)
    names = {name.removesuffix(".$") for name in raw}
    if "FunctionName" not in names:
        fields.required("FunctionName")
    for name in raw:
        if name.removesuffix(".$") not in _INVOKE:
            near = state.findings.suggestion(name, _INVOKE)
            state.findings.error(fields.location, f"The field {shown(name)} is not supported by Step Functions for lambda:invoke{near}")
