"""``arn:aws:states:::aws-sdk:SERVICE:OPERATION``: any operation of any service of AWS, from botocore's models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from express.options import AwsConnection, Connection
from express.runtime.failures import StateError
from express.runtime.limits import PAYLOAD
from express.runtime.suspensions import Call
from express.tasks import ResourceMissing, aws_models
from express.tasks.aws_clients import Clients
from express.tasks.aws_errors import Style, failure
from express.tasks.aws_models import Trouble, named
from express.tasks.aws_names import prefix
from express.tasks.integration import Integration, Resource, only, pool


class Operation(Integration):
    """One operation of one service. ``given``: what a call asks for, as the state's Parameters have it."""

    naming = staticmethod(named)

    def __init__(self, resource: Resource, connection: AwsConnection, folder: str, action: str, style: Style) -> None:
        super().__init__(resource.arn, resource.service)
        from botocore import xform_name

        self._connection, self._folder = connection, folder
        self._region = resource.region or None
        self._style = style
        self._service, self._operation = aws_models.service(folder), aws_models.operation(folder, action)
        self._method = xform_name(self._operation.name)
        self._streamed = _streamed(self._operation)

    @property
    def client(self) -> tuple[AwsConnection, str, str | None]:
        """What ``Clients.client`` is asked for, where the data do not say another region."""
        return self._connection, self._folder, self._region

    async def perform(self, payload: Any, call: Call) -> Any:
        asked = self._request(payload, call)
        try:
            client = await pool(call, Clients).client(self._connection, self._folder, self._at(asked))
            answer = await getattr(client, self._method)(**asked)
            if self._streamed is not None:
                answer[self._streamed] = body = await read(answer[self._streamed], PAYLOAD)
                if body is None:
                    raise too_large(self.label)
        except Exception as error:
            raise failure(error, self._style, self._service) from None
        return self._response(answer)

    def _request(self, payload: Any, call: Call) -> dict[str, Any]:
        try:
            return aws_models.request(payload, self._operation.input_shape, self.naming)
        except aws_models.Unusable as error:
            raise unusable(payload, str(error)) from None

    def _at(self, asked: dict[str, Any]) -> str | None:
        """The region that a call goes to: None is the connection's."""
        return self._region

    def _response(self, answer: dict[str, Any]) -> Any:
        return aws_models.response(answer, self._operation.output_shape, self.naming)


def unusable(payload: Any, reason: str) -> StateError:
    """AWS's failure for parameters that cannot be sent."""
    given = orjson.dumps(payload).decode()[:1_000]
    return StateError("States.Runtime", f"The Parameters '{given}' could not be used to start the Task: [{reason}]")


def _streamed(operation: Any) -> str | None:
    """The member of an answer that comes as a stream."""
    shape = operation.output_shape
    found: str | None = None if shape is None else shape.serialization.get("payload")
    if found is None or not shape.members[found].serialization.get("streaming"):
        return None
    return found


async def read(body: Any, most: int) -> bytes | None:
    """A stream's bytes, None where there are more than ``most``."""
    parts: list[bytes] = []
    size = 0
    try:
        while part := await body.read(65_536):
            parts.append(part)
            size += len(part)
            if size > most:
                return None
    finally:
        body.close()
    return b"".join(parts)


def too_large(label: str) -> StateError:
    return StateError(
        "States.DataLimitExceeded",
        f"The state/task '{label}' returned a result with a size exceeding the maximum number of bytes service limit.",
    )


def bind(resource: Resource, parameters: Any, connections: Mapping[str, Connection]) -> Operation:
    """ResourceMissing without a connection to AWS, or for a service or an operation that there is not."""
    connection = account(resource, connections)
    try:
        folder, _ = found(resource)
        return Operation(resource, connection, folder, resource.action, style(folder))
    except (aws_models.Unknown, aws_models.Unavailable) as error:
        raise ResourceMissing(f"{resource.name}: {error}") from None


def style(folder: str) -> Style:
    name = prefix(aws_models.service(folder).service_id)
    return Style(name, f"{name}Exception", name, old=False)


def account(resource: Resource, connections: Mapping[str, Connection]) -> AwsConnection:
    """The connection to AWS; ResourceMissing, with a sentence, where there is none or more than one."""
    names = only(connections, AwsConnection)
    if not names:
        raise ResourceMissing(
            f"{resource.name} needs a connection to AWS, and there is none: give one in connections, as {{aws: {{region: eu-west-1}}}}"
        )
    if len(names) > 1:
        raise ResourceMissing(f"{resource.name} could use {', '.join(names)}: say which of them in workflows.NAME.aws or api.aws")
    connection = connections[names[0]]
    assert isinstance(connection, AwsConnection)
    return connection


def found(resource: Resource) -> tuple[str, Any]:
    """botocore's name of the service and its model of the operation. Unknown, with a sentence, if there is none."""
    folder = aws_models.folder(resource.service.partition(":")[2])
    operation = aws_models.operation(folder, resource.action)
    if operation.has_event_stream_input or operation.has_event_stream_output:
        raise aws_models.Unknown(f"{folder} answers {resource.action!r} with a stream of events, which no state can have as its result")
    return folder, operation


def check(resource: Resource, parameters: Any) -> Iterator[Trouble]:
    """What is wrong with the parameters. Raises Unknown."""
    _, operation = found(resource)
    return aws_models.troubles(parameters, operation.input_shape, named)
