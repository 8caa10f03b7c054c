"""``apigateway:invoke`` over real sockets: where it goes, how it is signed, what comes back, what failures are called."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import express
from express.errors import DefinitionError
from express.options import AwsConnection, Connection, HttpConnection
from express.outcome import Outcome
from express.tasks.http import gateway
from tests.tasks.http.servers import OUTER, Servers

RESOURCE = "arn:aws:states:::apigateway:invoke"
ACCOUNT = AwsConnection(region="eu-west-1", access_key_id="AKIDEXAMPLE", secret_access_key="wonder")


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    async with Servers() as running:
        yield running


def api(servers: Servers, path: str = "") -> dict[str, Connection]:
    return {"api": HttpConnection(allow=(f"http://{OUTER}:{servers.port}{path}",), private=(f"{OUTER}/32",))}


async def called(connections: Mapping[str, Connection], event: Any = None, **parameters: Any) -> Outcome:
    state = {"Type": "Task", "Resource": RESOURCE, "Parameters": parameters, "End": True}
    definition = {"StartAt": "Call", "States": {"Call": state}}
    return await express.compile(definition, connections=connections).execute({} if event is None else event)


async def test_the_request_and_the_result_are_as_aws_has_them(servers: Servers) -> None:
    outcome = await called(
        api(servers),
        ApiEndpoint=f"{OUTER}:{servers.port}",
        Method="POST",
        Stage="prod",
        Path="/pets/7",
        Headers={"Kind": ["a", "b"]},
        QueryParameters={"p": ["1", "2"], "none": None},
        RequestBody={"n": 1},
        AuthType="NO_AUTH",
    )
    assert outcome.status == "SUCCEEDED", outcome
    (seen,) = servers.seen
    assert (seen.method, seen.path, seen.body, seen.headers["kind"]) == ("POST", "/prod/pets/7?p=1&p=2", '{"n":1}', "a, b")
    assert "authorization" not in seen.headers
    output = outcome.output
    assert set(output) == {"Headers", "ResponseBody", "StatusCode", "StatusText"}
    assert (output["ResponseBody"], output["StatusCode"], output["StatusText"]) == ({"ok": True}, 200, "OK")
    assert output["Headers"]["Content-Type"] == ["application/json; charset=utf-8"]


async def test_a_request_as_a_role_is_signed_with_version_4(servers: Servers) -> None:
    """The signature is that of botocore for what the server saw."""
    connections = {**api(servers), "account": ACCOUNT}
    where = {"ApiEndpoint": f"{OUTER}:{servers.port}", "Stage": "prod", "Path": "a%20b", "QueryParameters": {"q": ["x y"]}}
    outcome = await called(connections, {"body": {"n": 1}}, **where, Method="POST", AuthType="IAM_ROLE", **{"RequestBody.$": "$.body"})
    assert outcome.status == "SUCCEEDED", outcome
    (seen,) = servers.seen
    assert seen.path == "/prod/a%20b?q=x%20y"
    expected = AWSRequest("POST", f"http://{OUTER}:{servers.port}{seen.path}", data=seen.body.encode())
    expected.context["timestamp"] = seen.headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", "wonder"), "execute-api", "eu-west-1")
    expected.headers["X-Amz-Date"] = seen.headers["x-amz-date"]
    text = signer.string_to_sign(expected, signer.canonical_request(expected))
    assert seen.headers["authorization"].endswith(f"Signature={signer.signature(text, expected)}")
    assert "Credential=AKIDEXAMPLE/" in seen.headers["authorization"]
    assert "wonder" not in str(seen.headers)


@pytest.mark.parametrize("status", [400, 403, 429, 503])
async def test_what_is_no_success_is_named_by_its_status(servers: Servers, status: int) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"message": "no"}, status=status)

    servers.handler = handler
    outcome = await called(api(servers), ApiEndpoint=f"{OUTER}:{servers.port}", Method="GET")
    assert (outcome.error, outcome.cause) == (f"ApiGateway.{status}", '{"message": "no"}')


async def test_nobody_who_listens_is_a_client_s_exception() -> None:
    connections = {"api": HttpConnection(allow=("http://127.0.0.3:9",), private=("127.0.0.3/32",))}
    outcome = await called(connections, ApiEndpoint="127.0.0.3:9", Method="GET")
    assert outcome.error == "ApiGateway.SdkClientException"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"ApiEndpoint": "169.254.169.254"}, "States.Permissions"),
        ({"ApiEndpoint": "OUTER@127.0.0.1"}, "States.Runtime"),
        ({"ApiEndpoint": "OUTER/other"}, "States.Runtime"),
        ({"ApiEndpoint": "OUTER?a=b"}, "States.Runtime"),
        ({"ApiEndpoint": "http://OUTER"}, "States.Runtime"),
        ({"Path": "../admin"}, "States.Permissions"),
        ({"Path": "%2e%2e/admin"}, "States.Permissions"),
        ({"Path": "..%2fadmin"}, "States.Permissions"),
        ({"Stage": ".."}, "States.Permissions"),
        ({"Path": 7}, "States.Runtime"),
        ({"AuthType": "IAM"}, "States.Runtime"),
        ({"AuthType": "IAM_ROLE"}, "States.Permissions"),
        ({"RequestBody": {"a": 1}}, "States.Runtime"),
        ({"Headers": {"Authorization": "forged"}}, "States.Runtime"),
        ({"Headers": {"X-Amz-Date": "forged"}}, "States.Runtime"),
        ({"Headers": {"Host": "forged"}}, "States.Runtime"),
        ({"Transform": {}}, "States.Runtime"),
    ],
)  # fmt: skip
async def test_what_the_data_say_goes_nowhere_else(servers: Servers, given: dict[str, Any], error: str) -> None:
    outer = f"{OUTER}:{servers.port}"
    event = {"ApiEndpoint": outer, "Method": "GET", "Stage": "prod", "Path": "pets", **given}
    event["ApiEndpoint"] = event["ApiEndpoint"].replace("OUTER", outer)
    state = {"Type": "Task", "Resource": RESOURCE, "QueryLanguage": "JSONata", "Arguments": "{% $states.input %}", "End": True}
    program = express.compile({"StartAt": "Call", "States": {"Call": state}}, connections=api(servers, "/prod/pets"))
    outcome = await program.execute(event)
    assert outcome.error == error, outcome
    assert (servers.seen, servers.connected) == ([], 0)


async def test_a_path_s_question_mark_begins_no_query(servers: Servers) -> None:
    await called(api(servers), {"p": "a?b=1#c"}, ApiEndpoint=f"{OUTER}:{servers.port}", Method="GET", **{"Path.$": "$.p"})
    assert [seen.path for seen in servers.seen] == ["/a%3Fb=1%23c"]


@pytest.mark.parametrize(
    ("parameters", "connections", "code", "sentence"),
    [
        ({"ApiEndpoint": "a.example", "Method": "GET"}, {}, "RESOURCE_MISSING",
         "apigateway:invoke needs a connection of kind http that allows the API's address, and there is none"),
        ({"ApiEndpoint": "a.example", "Method": "GET", "Path": "x"}, {"b": HttpConnection(allow=("https://b.example",))},
         "ENDPOINT_NOT_ALLOWED", "apigateway:invoke: No connection for HTTP requests allows a.example/x"),
        ({"ApiEndpoint": "b.example", "Method": "GET", "AuthType": "IAM_ROLE"}, {"b": HttpConnection(allow=("https://b.example",))},
         "RESOURCE_MISSING", ("apigateway:invoke needs a connection to AWS, and there is none: "
         "give one in connections, as {aws: {region: eu-west-1}}")),
        ({"ApiEndpoint": "b.example", "Method": "GET", "Body": 1}, {}, "UNKNOWN_PARAMETER",
         'The field "Body" is not supported by Step Functions'),
        ({"ApiEndpoint": "b.example"}, {}, "MISSING_PARAMETER", 'The field "Method" is required but was missing'),
    ],
)  # fmt: skip
def test_what_cannot_work_is_said_when_it_is_loaded(parameters: Any, connections: Any, code: str, sentence: str) -> None:
    state = {"Type": "Task", "Resource": RESOURCE, "Parameters": parameters, "End": True}
    with pytest.raises(DefinitionError) as refused:
        express.compile({"StartAt": "Call", "States": {"Call": state}}, connections=connections)
    assert [(problem.code, problem.message) for problem in refused.value.problems] == [(code, sentence)]


def test_the_page_s_workflow_goes_with_a_connection_that_allows_its_api() -> None:
    page = (Path(__file__).parents[3] / "docs" / "http.md").read_text()
    (workflow,) = re.findall(r"^```asl\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    allowed = HttpConnection(allow=("https://abc123.execute-api.eu-west-1.amazonaws.com/prod",))
    assert express.check(workflow, advice=False, portable=True) == []
    assert express.compile(workflow, connections={"api": allowed, "account": ACCOUNT}).states == ("Ask",)
    table = page.partition("## APIs of API Gateway")[2]
    assert set(gateway.FIELDS) == set(
        re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.splitlines() if row.startswith("| `")))
    )
