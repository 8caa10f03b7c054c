"""``arn:aws:states:::apigateway:invoke``: a request to an API of API Gateway, through the connections and guards of HTTP Tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

from express.language.http_tasks import METHODS
from express.language.model import Literal, ObjectTemplate
from express.options import AwsConnection, Connection, HttpConnection
from express.runtime.failures import StateError
from express.runtime.suspensions import Call
from express.tasks import ResourceMissing
from express.tasks.aws_models import Trouble
from express.tasks.aws_sdk import account
from express.tasks.constants import constant
from express.tasks.http import Http, NotAllowed, requests
from express.tasks.http.answers import Answer
from express.tasks.http.requests import Head
from express.tasks.integration import Resource, only

LABEL = "apigateway:invoke"
NEEDED = ("ApiEndpoint", "Method")
FIELDS = (*NEEDED, "Headers", "Stage", "Path", "QueryParameters", "RequestBody", "AllowNullValues", "AuthType")
AUTHENTICATION = ("NO_AUTH", "IAM_ROLE", "RESOURCE_POLICY")
WITH_BODY = ("POST", "PUT", "PATCH")

_ENDPOINT = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?", re.ASCII)
_REGION = re.compile(r"\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com", re.ASCII)
# As API Gateway spells its own headers; HTTP does not care, a path into a result does
_SPELLED = {"x-amzn-requestid": "x-amzn-RequestId", "x-amz-apigw-id": "x-amz-apigw-id", "x-amz-cf-id": "X-Amz-Cf-Id"}


def bind(resource: Resource, parameters: Any, connections: Mapping[str, Connection]) -> Invoke:
    """ResourceMissing without a connection for HTTP requests, or for IAM_ROLE without one to AWS; NotAllowed where the definition says
    which address it calls and no connection allows it."""
    https = {name: each for name, each in connections.items() if isinstance(each, HttpConnection)}
    if not https:
        raise ResourceMissing(f"{LABEL} needs a connection of kind http that allows the API's address, and there is none")
    signing = constant(parameters, "AuthType") == "IAM_ROLE" or len(only(connections, AwsConnection)) == 1
    binding = Invoke(resource.arn, https, account(resource, connections) if signing else None)
    endpoint = constant(parameters, "ApiEndpoint")
    if isinstance(endpoint, str):
        stage, path = (constant(parameters, name) if _said(parameters, name) else "" for name in ("Stage", "Path"))
        try:
            if isinstance(stage, str) and isinstance(path, str):
                binding.through(endpoint, stage, path)
        except StateError as error:
            raise NotAllowed(f"{LABEL}: {(error.cause or '').rstrip('.')}") from None
    return binding


def _said(parameters: Any, name: str) -> bool:
    fields = _fields(parameters)
    return fields is not None and name in fields


def _fields(parameters: Any) -> set[str] | None:
    if isinstance(parameters, ObjectTemplate):
        return {name for name, _ in parameters.fields}
    if isinstance(parameters, Literal) and isinstance(parameters.value, dict):
        return set(parameters.value)
    return None


def check(resource: Resource, parameters: Any) -> Iterator[Trouble]:
    """What is wrong with the parameters, as far as the definition spells them out."""
    given = _fields(parameters)
    if given is None:
        return
    for name in sorted(given.difference(FIELDS)):
        yield Trouble("parameter", f'The field "{name}" is not supported by Step Functions')
    for name in NEEDED:
        if name not in given:
            yield Trouble("required", f'The field "{name}" is required but was missing')


class Invoke(Http):
    """The binding. The connection is the first whose allow-list has the address. ``account`` signs requests of AuthType IAM_ROLE."""

    signs = True

    def __init__(self, resource: str, connections: Mapping[str, HttpConnection], account: AwsConnection | None) -> None:
        super().__init__(resource, connections)
        self.label, self._account = "apigateway", account

    async def perform(self, payload: Any, call: Call) -> Answer:
        try:
            answer = await super().perform(payload, call)
        except StateError as error:
            name = error.error or ""
            if name.startswith("States.Http.StatusCode."):
                name = f"ApiGateway.{name.rpartition('.')[2]}"
            elif name == "States.Http.Socket":
                name = "ApiGateway.SdkClientException"
            raise StateError(name, error.cause) from None
        value = answer.value
        headers = {_spelled(header): each for header, each in value["Headers"].items()}
        return Answer({**value, "Headers": headers}, answer.size)

    def _begun(self, given: Any) -> tuple[HttpConnection, Head]:
        if not isinstance(given, dict):
            raise requests.runtime(f"The parameters of {LABEL} must be an object.")
        for name in given:
            if name not in FIELDS:
                raise requests.runtime(f"{LABEL} has no parameter {name[:80]!r}.")
        if given.get("AuthType") not in (None, *AUTHENTICATION):
            raise requests.runtime(f"AuthType must be one of {', '.join(AUTHENTICATION)}.")
        method = given.get("Method")
        if method in METHODS and method not in WITH_BODY and given.get("RequestBody") is not None:
            raise requests.runtime(f"RequestBody is only for {', '.join(WITH_BODY)}.")
        connection, url = self.through(given.get("ApiEndpoint"), given.get("Stage") or "", given.get("Path") or "")
        query = given.get("QueryParameters")
        if isinstance(query, dict) and not given.get("AllowNullValues"):
            query = {name: value for name, value in query.items() if value is not None}
        asked = {"ApiEndpoint": url, "Method": method, "Headers": given.get("Headers"), "QueryParameters": query}
        return connection, requests.head(asked, connection)

    def through(self, endpoint: Any, stage: Any, path: Any) -> tuple[HttpConnection, str]:
        """Whose allow-list has the address, and the address. StateError ``States.Permissions`` where none has."""
        if not isinstance(endpoint, str) or not _ENDPOINT.fullmatch(endpoint):
            raise requests.runtime("ApiEndpoint must be a host, such as 'abc123.execute-api.eu-west-1.amazonaws.com'.")
        if not isinstance(stage, str) or not isinstance(path, str):
            raise requests.runtime("Stage and Path must be texts.")
        # What would begin a query or a fragment, or end a path, is encoded; what is encoded already stays
        tail = "/".join(part for part in (quote(stage.strip("/"), safe=""), quote(path.removeprefix("/"), safe="/%:@!$&'()*+,;=~")) if part)
        for connection in self._connections.values():
            for scheme in ("https", "http"):
                url = f"{scheme}://{endpoint}/{tail}"
                try:
                    requests.allowed(url, connection)
                except StateError:
                    continue
                return connection, url
        raise StateError("States.Permissions", f"No connection for HTTP requests allows {endpoint}/{tail[:200]}.")

    async def _signed(self, head: Head, body: bytes | None, given: Any, call: Call) -> Head:
        if given.get("AuthType") != "IAM_ROLE":
            return head
        if self._account is None:
            raise StateError("States.Permissions", f"{LABEL} with AuthType IAM_ROLE needs a connection to AWS, and there is none.")
        from express import aws

        found = _REGION.search(head.url.host or "")
        region = found["region"] if found else self._account.region
        try:
            signature = await aws.signed(self._account, "execute-api", region or "us-east-1", head.method, str(head.url), body)
        except aws.FOR_NOW as error:
            raise StateError("States.Permissions", f"The request cannot be signed: {' '.join(str(error).split())}") from None
        headers = head.headers if body is not None else head.bare
        signed = CIMultiDictProxy(CIMultiDict({**headers, **signature}))
        return msgspec.structs.replace(head, headers=signed, bare=signed)


def _spelled(name: str) -> str:
    return _SPELLED.get(name) or "-".join(part.capitalize() for part in name.split("-"))
