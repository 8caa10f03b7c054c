"""What requests of the Step Functions API hold: AWS's field names, types and bounds, as Structs."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

SENSITIVE = {"sensitive": True}  # the service does not repeat such a value in its sentences

Arn = Annotated[str, Meta(min_length=1, max_length=256)]
LongArn = Annotated[str, Meta(min_length=1, max_length=2000)]
Name = Annotated[str, Meta(min_length=1, max_length=80)]
AliasName = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+\Z")]
Definition = Annotated[str, Meta(min_length=1, max_length=1_048_576, extra=SENSITIVE)]
Data = Annotated[str, Meta(max_length=262_144, extra=SENSITIVE)]
Description = Annotated[str, Meta(max_length=256, extra=SENSITIVE)]
TraceHeader = Annotated[str, Meta(max_length=256, pattern=r"^[\x00-\x7f]*\Z")]
Token = Annotated[str, Meta(min_length=1, max_length=1024)]
PageSize = Annotated[int, Meta(ge=0, le=1000)]
TaskToken = Annotated[str, Meta(min_length=1, max_length=2048)]
ErrorName = Annotated[str, Meta(max_length=256, extra=SENSITIVE)]
Cause = Annotated[str, Meta(max_length=32_768, extra=SENSITIVE)]
Included = Literal["ALL_DATA", "METADATA_ONLY"]
MachineType = Literal["STANDARD", "EXPRESS"]


class Shape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A structure of the API. What it does not know is passed over, and null is as good as absent, as on AWS."""


# --- Parts ------------------------------------------------------------------------------------------------------------------------


class Tag(Shape, frozen=True, kw_only=True):
    key: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    value: Annotated[str, Meta(max_length=256)] | None = None


class CloudWatchLogsLogGroup(Shape, frozen=True, kw_only=True):
    log_group_arn: Arn | None = None


class LogDestination(Shape, frozen=True, kw_only=True):
    cloud_watch_logs_log_group: CloudWatchLogsLogGroup | None = None


class LoggingConfiguration(Shape, frozen=True, kw_only=True, omit_defaults=True):
    level: Literal["ALL", "ERROR", "FATAL", "OFF"] | None = None
    include_execution_data: bool | None = None
    destinations: list[LogDestination] | None = None


class TracingConfiguration(Shape, frozen=True, kw_only=True):
    enabled: bool | None = None


class EncryptionConfiguration(Shape, frozen=True, kw_only=True, omit_defaults=True):
    type: Literal["AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY"]
    kms_key_id: Annotated[str, Meta(min_length=1, max_length=2048)] | None = None
    kms_data_key_reuse_period_seconds: Annotated[int, Meta(ge=60, le=900)] | None = None


class RoutingConfigurationListItem(Shape, frozen=True, kw_only=True):
    state_machine_version_arn: Arn
    weight: Annotated[int, Meta(ge=0, le=100)]


Routing = Annotated[list[RoutingConfigurationListItem], Meta(min_length=1, max_length=2)]


# --- State machines ---------------------------------------------------------------------------------------------------------------


class CreateStateMachine(Shape, frozen=True, kw_only=True):
    name: Name
    definition: Definition
    role_arn: Arn
    type: MachineType | None = None
    logging_configuration: LoggingConfiguration | None = None
    tags: list[Tag] | None = None
    tracing_configuration: TracingConfiguration | None = None
    publish: bool | None = None
    version_description: Description | None = None
    encryption_configuration: EncryptionConfiguration | None = None


class UpdateStateMachine(Shape, frozen=True, kw_only=True):
    state_machine_arn: Arn
    definition: Definition | None = None
    role_arn: Arn | None = None
    logging_configuration: LoggingConfiguration | None = None
    tracing_configuration: TracingConfiguration | None = None
    publish: bool | None = None
    version_description: Description | None = None
    encryption_configuration: EncryptionConfiguration | None = None


class DescribeStateMachine(Shape, frozen=True, kw_only=True):
    state_machine_arn: Arn
    included_data: Included | None = None


class DeleteStateMachine(Shape, frozen=True, kw_only=True):
    state_machine_arn: Arn


class ListStateMachines(Shape, frozen=True, kw_only=True):
    max_results: PageSize | None = None
    next_token: Token | None = None


class ValidateStateMachineDefinition(Shape, frozen=True, kw_only=True):
    definition: Definition
    type: MachineType | None = None
    severity: Literal["ERROR", "WARNING"] | None = None
    max_results: Annotated[int, Meta(ge=0, le=100)] | None = None


# --- Versions, aliases, tags ------------------------------------------------------------------------------------------------------


class PublishStateMachineVersion(Shape, frozen=True, kw_only=True):
    state_machine_arn: Arn
    revision_id: str | None = None
    description: Description | None = None


class ListStateMachineVersions(Shape, frozen=True, kw_only=True):
    state_machine_arn: Arn
    next_token: Token | None = None
    max_results: PageSize | None = None


class DeleteStateMachineVersion(Shape, frozen=True, kw_only=True):
    state_machine_version_arn: LongArn


class CreateStateMachineAlias(Shape, frozen=True, kw_only=True):
    name: AliasName
    routing_configuration: Routing
    description: Description | None = None


class UpdateStateMachineAlias(Shape, frozen=True, kw_only=True):
    state_machine_alias_arn: Arn
    description: Description | None = None
    routing_configuration: Routing | None = None


class DescribeStateMachineAlias(Shape, frozen=True, kw_only=True):
    state_machine_alias_arn: Arn


class DeleteStateMachineAlias(Shape, frozen=True, kw_only=True):
    state_machine_alias_arn: Arn


class ListStateMachineAliases(Shape, frozen=True, kw_only=True):
    state_machine_arn: Arn
    next_token: Token | None = None
    max_results: PageSize | None = None


class TagResource(Shape, frozen=True, kw_only=True):
    resource_arn: Arn
    tags: list[Tag]


class UntagResource(Shape, frozen=True, kw_only=True):
    resource_arn: Arn
    tag_keys: list[Annotated[str, Meta(min_length=1, max_length=128)]]


class ListTagsForResource(Shape, frozen=True, kw_only=True):
    resource_arn: Arn


# --- Executions -------------------------------------------------------------------------------------------------------------------


class StartExecution(Shape, frozen=True, kw_only=True):
    state_machine_arn: Arn
    name: Name | None = None
    input: Data | None = None
    trace_header: TraceHeader | None = None


class StartSyncExecution(Shape, frozen=True, kw_only=True):
    state_machine_arn: Arn
    name: Name | None = None
    input: Data | None = None
    trace_header: TraceHeader | None = None
    included_data: Included | None = None


class StopExecution(Shape, frozen=True, kw_only=True):
    execution_arn: Arn
    error: ErrorName | None = None
    cause: Cause | None = None


class DescribeExecution(Shape, frozen=True, kw_only=True):
    execution_arn: Arn
    included_data: Included | None = None


class RedriveExecution(Shape, frozen=True, kw_only=True):
    execution_arn: Arn
    client_token: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[!-~]+\Z")] | None = None


class GetExecutionHistory(Shape, frozen=True, kw_only=True):
    execution_arn: Arn
    max_results: PageSize | None = None
    reverse_order: bool | None = None
    next_token: Token | None = None
    include_execution_data: bool | None = None


class ListExecutions(Shape, frozen=True, kw_only=True):
    state_machine_arn: Arn | None = None
    status_filter: Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"] | None = None
    max_results: PageSize | None = None
    next_token: Annotated[str, Meta(min_length=1, max_length=3096)] | None = None
    map_run_arn: LongArn | None = None
    redrive_filter: Literal["REDRIVEN", "NOT_REDRIVEN"] | None = None


# --- Tasks that wait for somebody -------------------------------------------------------------------------------------------------


class SendTaskSuccess(Shape, frozen=True, kw_only=True):
    task_token: TaskToken
    output: Data


class SendTaskFailure(Shape, frozen=True, kw_only=True):
    task_token: TaskToken
    error: ErrorName | None = None
    cause: Cause | None = None


class SendTaskHeartbeat(Shape, frozen=True, kw_only=True):
    task_token: TaskToken
