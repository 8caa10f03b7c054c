"""HTTP Tasks in whole workflows: both query languages, Retry and Catch, and what is said at load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

import express
from express.errors import DefinitionError
from express.options import HttpConnection
from express.tasks import http
from tests.tasks.http.servers import OUTER, Servers

ARN = "arn:aws:events:eu-west-1:123456789012:connection/billing/0a1b"


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    async with Servers() as running:
        yield running


def billing(port: int = 443) -> dict[str, HttpConnection]:
    return {"billing": HttpConnection(allow=(f"http://{OUTER}:{port}/v1",), private=(f"{OUTER}/32",))}


def workflow(language: str, parameters: dict[str, Any], **fields: Any) -> dict[str, Any]:
    field = "Arguments" if language == "JSONata" else "Parameters"
    state = {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", field: parameters, "End": True, **fields}
    return {"QueryLanguage": language, "StartAt": "Call", "States": {"Call": state}}


async def test_jsonpath_makes_the_request_and_selects_from_the_result(servers: Servers) -> None:
    definition = workflow(
        "JSONPath",
        {
            "ApiEndpoint.$": f"States.Format('http://{OUTER}:{servers.port}/v1/customers/{{}}', $.id)",
            "Method": "PATCH",
            "InvocationConfig": {"ConnectionArn": ARN},
            "RequestBody": {"name.$": "$.name"},
        },
        ResultSelector={"ok.$": "$.ResponseBody.ok", "status.$": "$.StatusCode", "type.$": "$.Headers['content-type'][0]"},
    )
    program = express.compile(definition, connections=billing(servers.port))
    outcome = await program.execute({"id": "c1", "name": "Ada"})
    assert outcome.output == {"ok": True, "status": 200, "type": "application/json; charset=utf-8"}
    assert (servers.seen[0].method, servers.seen[0].path, servers.seen[0].body) == ("PATCH", "/v1/customers/c1", '{"name":"Ada"}')


async def test_jsonata_makes_the_request_and_the_output(servers: Servers) -> None:
    definition = workflow(
        "JSONata",
        {
            "ApiEndpoint": f"{{% 'http://{OUTER}:{servers.port}/v1/customers/' & $states.input.id %}}",
            "Method": "GET",
            "Authentication": {"ConnectionArn": ARN},
            "QueryParameters": {"expand": "{% $states.input.expand %}"},
        },
        Output="{% $states.result.ResponseBody.ok %}",
    )
    outcome = await express.compile(definition, connections=billing(servers.port)).execute({"id": "c1", "expand": ["a", "b"]})
    assert outcome.output is True
    assert servers.seen[0].path == "/v1/customers/c1?expand=a&expand=b"


@pytest.mark.parametrize("language", ["JSONPath", "JSONata"])
async def test_what_a_definition_says_of_every_request_is_decided_at_load(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    made = []
    head = http.requests.head
    monkeypatch.setattr(http.requests, "head", lambda given, connection: made.append(given) or head(given, connection))
    number = {"n": "{% $states.input.n %}"} if language == "JSONata" else {"n.$": "$.n"}
    url, named = f"http://{OUTER}:{servers.port}/v1", {"ConnectionArn": ARN}
    fields = {"ApiEndpoint": url, "Method": "POST", "Headers": {"X-A": "b"}, "InvocationConfig": named, "RequestBody": number}
    program = express.compile(workflow(language, fields), connections=billing(servers.port))
    assert len(made) == 1
    assert "copy(" not in program.source, "what a request only reads is not copied for it"
    for n in range(3):
        await program.execute({"n": n})
    assert len(made) == 1
    assert [(seen.body, seen.headers["x-a"]) for seen in servers.seen] == [(f'{{"n":{n}}}', "b") for n in range(3)]


async def test_what_aws_refuses_of_every_request_fails_each_of_them(servers: Servers) -> None:
    fields = {
        "ApiEndpoint": f"http://{OUTER}:{servers.port}/v1",
        "Method": "GET",
        "InvocationConfig": {"ConnectionArn": ARN},
        "Headers": {"Host": "x"},
    }
    program = express.compile(workflow("JSONPath", fields), connections=billing(servers.port))
    outcome = await program.execute({})
    assert (outcome.error, outcome.cause) == ("States.Runtime", "The header 'Host' cannot be used in an HTTP Task.")


async def test_a_status_is_retried_and_caught_by_its_name(servers: Servers) -> None:
    async def unavailable(request: web.Request) -> web.Response:
        return web.Response(status=503 if len(servers.seen) < 3 else 404, text="sorry")

    servers.handler = unavailable
    definition = workflow(
        "JSONPath",
        {"ApiEndpoint": f"http://{OUTER}:{servers.port}/v1", "Method": "GET", "InvocationConfig": {"ConnectionArn": ARN}},
        Retry=[{"ErrorEquals": ["States.Http.StatusCode.503"], "IntervalSeconds": 1, "BackoffRate": 1.0, "MaxAttempts": 5}],
        Catch=[{"ErrorEquals": ["States.Http.StatusCode.404"], "Next": "Missing"}],
    )
    definition["States"]["Missing"] = {"Type": "Pass", "End": True}
    clock = express.testing.VirtualClock()
    outcome = await express.compile(definition, connections=billing(servers.port)).execute({}, clock=clock)
    assert outcome.output == {"Error": "States.Http.StatusCode.404", "Cause": "sorry"}
    assert len(servers.seen) == 3


async def test_timeout_seconds_end_a_call_and_its_connection(servers: Servers) -> None:
    gone = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        transport = request.transport
        while transport is not None and not transport.is_closing():
            await asyncio.sleep(0.01)
        gone.set()
        return web.Response()

    servers.handler = slow
    parameters = {"ApiEndpoint": f"http://{OUTER}:{servers.port}/v1", "Method": "GET", "InvocationConfig": {"ConnectionArn": ARN}}
    program = express.compile(workflow("JSONPath", parameters, TimeoutSeconds=1), connections=billing(servers.port))
    assert (await program.execute({})).error == "States.Timeout"
    await asyncio.wait_for(gone.wait(), 5)


async def test_many_calls_at_a_time_share_one_pool(servers: Servers) -> None:
    parameters = {"ApiEndpoint": f"http://{OUTER}:{servers.port}/v1", "Method": "GET", "InvocationConfig": {"ConnectionArn": ARN}}
    call = workflow("JSONPath", parameters)["States"]
    definition = {"StartAt": "All", "States": {"All": {"Type": "Map", "ItemProcessor": {"StartAt": "Call", "States": call}, "End": True}}}
    connection = HttpConnection(allow=(f"http://{OUTER}:{servers.port}",), private=(f"{OUTER}/32",), limit=4)
    peers = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.json_response({})

    servers.handler = handler
    outcome = await express.compile(definition, connections={"billing": connection}).execute(list(range(100)))
    assert len(outcome.output) == 100
    assert len(peers) <= 4


# --- At load ----------------------------------------------------------------------------------------------------------------------


def problem(parameters: dict[str, Any], **connections: Any) -> tuple[str, str]:
    with pytest.raises(DefinitionError) as caught:
        express.compile(workflow("JSONPath", parameters), connections=connections)
    (found,) = caught.value.problems
    return found.code, str(found)


def test_a_connection_that_is_not_there_is_said_at_load() -> None:
    given = {"ApiEndpoint": "https://a.example", "Method": "GET", "InvocationConfig": {"ConnectionArn": ARN}}
    assert problem(given) == (
        "RESOURCE_MISSING",
        "/States/Call/Resource: there is no connection 'billing' for HTTP requests here: there are none",
    )


def test_an_endpoint_that_its_connection_does_not_allow_is_said_at_load() -> None:
    given = {"ApiEndpoint": f"http://{OUTER}/v2", "Method": "GET", "InvocationConfig": {"ConnectionArn": ARN}}
    assert problem(given, **billing(80)) == (
        "ENDPOINT_NOT_ALLOWED",
        f"/States/Call/Resource: the connection does not allow http://{OUTER}:80/v2",
    )


def test_nothing_is_said_of_what_only_the_data_tell() -> None:
    given = {"ApiEndpoint.$": "$.url", "Method": "GET", "InvocationConfig": {"ConnectionArn.$": "$.arn"}}
    assert express.compile(workflow("JSONPath", given)).states == ("Call",)


async def test_what_nobody_checked_before_fails_when_it_is_reached(servers: Servers) -> None:
    given = {"ApiEndpoint.$": "$.url", "Method": "GET", "InvocationConfig": {"ConnectionArn": ARN}}
    program = express.compile(workflow("JSONPath", given), connections=billing(servers.port))
    outcome = await program.execute({"url": f"http://{OUTER}:{servers.port}/v2"})
    assert (outcome.error, servers.seen) == ("States.Permissions", [])
