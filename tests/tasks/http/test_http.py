"""``http:invoke`` over real sockets: what is sent, what comes back, what each failure is called."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from express.language.http_tasks import ARRAYS
from express.options import ApiKey, Authentication, Basic, HttpConnection, OAuth
from express.tasks import http
from express.tasks.http import forms
from tests.tasks.http.servers import OUTER, Client, Servers

Api = Callable[..., HttpConnection]


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    async with Servers() as running:
        yield running


def api(servers: Servers, **more: Any) -> HttpConnection:
    return HttpConnection(allow=(f"http://{OUTER}:{servers.port}",), private=(f"{OUTER}/32",), **more)


def at(servers: Servers, path: str = "/") -> str:
    return f"http://{OUTER}:{servers.port}{path}"


def answering(**response: Any) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(**response)

    return handler


# --- What is sent -----------------------------------------------------------------------------------------------------------------


async def test_the_request_and_the_result_are_as_aws_has_them(servers: Servers) -> None:
    async with Client({"api": api(servers)}) as client:
        outcome = await client.call(at(servers, "/v1/a?b=1"), "POST", RequestBody={"n": 1}, QueryParameters={"c": ["x y", 2]})
    (seen,) = servers.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/v1/a?b=1&c=x%20y&c=2", '{"n":1}')
    assert seen.headers["content-type"] == "application/json; charset=UTF-8"
    assert seen.headers["range"] == "bytes=0-262144"
    assert seen.headers["user-agent"] == "express-workflows"
    assert "accept-encoding" not in seen.headers
    output = outcome.output
    assert set(output) == {"Headers", "ResponseBody", "StatusCode", "StatusText"}
    assert (output["ResponseBody"], output["StatusCode"], output["StatusText"]) == ({"ok": True}, 200, "OK")
    assert output["Headers"]["content-type"] == ["application/json; charset=utf-8"]


async def test_what_the_connection_has_takes_the_place_of_what_the_definition_has(servers: Servers) -> None:
    given = api(
        servers,
        authentication=Authentication(api_key=ApiKey(name="X-Key", value="k")),
        headers={"Header-Param": "connection"},
        query={"QueryParam": "connection"},
        body={"BodyParam": "connection"},
    )
    async with Client({"api": given}) as client:
        await client.call(
            at(servers, "/path"),
            "POST",
            Headers={"header-param": "mine", "Request-Id": "r", "x-key": "forged"},
            RequestBody={"Job": "Engineer", "BodyParam": "mine"},
            QueryParameters={"QueryParam": "mine", "q": 1},
        )
    (seen,) = servers.seen
    assert seen.path == "/path?q=1&QueryParam=connection"
    assert json.loads(seen.body) == {"Job": "Engineer", "BodyParam": "connection"}
    assert [seen.headers[name] for name in ("header-param", "request-id", "x-key")] == ["connection", "r", "k"]
    assert seen.names.count("x-key") == 1


@pytest.mark.parametrize(
    ("arrays", "sent"),
    [
        (None, "customer=1%202&tags%5B0%5D=a&tags%5B1%5D=b&meta%5Bpaid%5D=true&nothing="),
        ("INDICES", "customer=1%202&tags%5B0%5D=a&tags%5B1%5D=b&meta%5Bpaid%5D=true&nothing="),
        ("REPEAT", "customer=1%202&tags=a&tags=b&meta%5Bpaid%5D=true&nothing="),
        ("COMMAS", "customer=1%202&tags=a%2Cb&meta%5Bpaid%5D=true&nothing="),
        ("BRACKETS", "customer=1%202&tags%5B%5D=a&tags%5B%5D=b&meta%5Bpaid%5D=true&nothing="),
    ],
)
async def test_a_body_is_url_encoded_with_its_arrays_as_asked(arrays: str | None, sent: str, servers: Servers) -> None:
    transform: dict[str, Any] = {"RequestBodyEncoding": "URL_ENCODED"}
    if arrays is not None:
        transform["RequestEncodingOptions"] = {"ArrayFormat": arrays}
    body = {"customer": "1 2", "tags": ["a", "b"], "meta": {"paid": True}, "nothing": None}
    async with Client({"api": api(servers)}) as client:
        assert (await client.call(at(servers), "POST", RequestBody=body, Transform=transform)).status == "SUCCEEDED"
    assert (servers.seen[0].body, servers.seen[0].headers["content-type"]) == (sent, "application/x-www-form-urlencoded")


def test_objects_in_arrays_keep_their_fields_together() -> None:
    body = {"items": [{"id": 1}, {"id": 2}]}
    for arrays in ARRAYS:
        assert forms.encoded(body, arrays) == "items%5B0%5D%5Bid%5D=1&items%5B1%5D%5Bid%5D=2"


async def test_a_text_is_sent_as_it_is(servers: Servers) -> None:
    async with Client({"api": api(servers)}) as client:
        await client.call(at(servers), "PUT", RequestBody="<a/>", Headers={"Content-Type": "text/xml"})
    assert (servers.seen[0].body, servers.seen[0].headers["content-type"]) == ("<a/>", "text/xml")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"Method": "TRACE"}, "Method"),
        ({"Method": None}, "Method"),
        ({"ApiEndpoint": 7}, "ApiEndpoint"),
        ({"Headers": {"Authorization": "x"}}, "'Authorization'"),
        ({"Headers": {"x-amz-date": "x"}}, "'x-amz-date'"),
        ({"Headers": {"Content-Length": "1"}}, "'Content-Length'"),
        ({"Headers": "a"}, "Headers"),
        ({"QueryParameters": 7}, "QueryParameters"),
        ({"Transform": {"RequestBodyEncoding": "XML"}}, "RequestBodyEncoding"),
        ({"Transform": {"RequestEncodingOptions": {"ArrayFormat": "X"}}}, "ArrayFormat"),
        ({"Transform": {"RequestBodyEncoding": "URL_ENCODED"}, "RequestBody": [1]}, "URL-encoded"),
        ({"Authentication": {"ConnectionArn": "api"}}, "ConnectionArn"),
        ({"Authentication": None}, "ConnectionArn"),
    ],
)
async def test_what_aws_does_not_send_is_not_sent(parameters: dict[str, Any], says: str, servers: Servers) -> None:
    async with Client({"api": api(servers)}) as client:
        given = {"ApiEndpoint": at(servers), **parameters}
        outcome = await client.call(given.pop("ApiEndpoint"), given.pop("Method", "GET"), **given)
    assert (outcome.error, servers.seen) == ("States.Runtime", [])
    assert says in (outcome.cause or "")


async def test_a_text_cannot_take_the_parameters_of_a_connection(servers: Servers) -> None:
    async with Client({"api": api(servers, body={"a": 1})}) as client:
        assert (await client.call(at(servers), "POST", RequestBody="text")).error == "States.Runtime"
        assert (await client.call(at(servers), "POST")).status == "SUCCEEDED"
    assert servers.seen[0].body == '{"a":1}'


async def test_invocation_config_names_the_connection_too_and_an_unknown_one_is_told(servers: Servers) -> None:
    arn = "arn:aws:events:us-east-1:000000000000:connection/billing"
    async with Client({"billing": api(servers)}) as client:
        assert (await client.call(at(servers), Authentication=None, InvocationConfig={"ConnectionArn": arn})).status == "SUCCEEDED"
        outcome = await client.call(at(servers), name="bilings")
    assert outcome.error == "Events.ConnectionResource.ResourceNotFound"
    assert outcome.cause == "There is no connection 'bilings' for HTTP requests here: did you mean 'billing'?"


# --- Authentication ---------------------------------------------------------------------------------------------------------------


async def test_basic_authentication_is_sent(servers: Servers) -> None:
    given = Authentication(basic=Basic(username="ada", password="pässword"))
    async with Client({"api": api(servers, authentication=given)}) as client:
        await client.call(at(servers))
    assert base64.b64decode(servers.seen[0].headers["authorization"].removeprefix("Basic ")).decode() == "ada:pässword"


async def test_a_token_is_asked_for_once_and_again_when_it_is_not_accepted(servers: Servers) -> None:
    issued: list[str] = []
    refused = {"token-1"}

    async def handler(request: web.Request) -> web.Response:
        if request.path == "/token":
            await asyncio.sleep(0.02)
            issued.append(f"token-{len(issued) + 1}")
            return web.json_response({"access_token": issued[-1], "expires_in": 3600, "token_type": "bearer"})
        accepted = request.headers["authorization"].removeprefix("Bearer ") not in refused or len(servers.seen) < 12
        return web.json_response({"ok": True}) if accepted else web.Response(status=401)

    servers.handler = handler
    oauth = OAuth(endpoint=at(servers, "/token"), client_id="me", client_secret="wonder", body={"scope": "read write"})
    async with Client({"api": api(servers, authentication=Authentication(oauth=oauth))}) as client:
        outcomes = await asyncio.gather(*(client.call(at(servers)) for _ in range(10)))
        assert {outcome.status for outcome in outcomes} == {"SUCCEEDED"}
        assert issued == ["token-1"], "ten calls, one token"
        servers.seen.extend(servers.seen[:5])  # from here on the first token is not accepted any more
        assert (await client.call(at(servers))).status == "SUCCEEDED"
    assert issued == ["token-1", "token-2"]
    asked = next(seen for seen in servers.seen if seen.path == "/token")
    assert asked.body == "grant_type=client_credentials&scope=read%20write"
    assert base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")) == b"me:wonder"


@pytest.mark.parametrize("answer", [{"status": 400, "text": "wonder is wrong"}, {"text": "wonder"}, {"text": "{}"}])
async def test_without_a_token_nothing_is_called_and_no_secret_is_told(answer: dict[str, Any], servers: Servers) -> None:
    servers.handler = answering(**answer)
    oauth = OAuth(endpoint=at(servers, "/token"), client_id="me", client_secret="wonder", credentials="body")
    given = api(servers, authentication=Authentication(oauth=oauth))
    async with Client({"api": given}) as client:
        outcome = await client.call(at(servers))
    assert outcome.error == "Events.ConnectionResource.InvalidConnectionState"
    assert "wonder" not in f"{outcome.cause}{given!r}{oauth!r}{given.authentication!r}"
    assert [seen.path for seen in servers.seen] == ["/token"]


# --- What comes back --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "body"),
    [
        ({"text": '{"a": 1}', "content_type": "application/json"}, {"a": 1}),
        ({"text": '{"a": 1}', "content_type": "application/problem+json"}, {"a": 1}),
        ({"text": '{"a": 1}', "content_type": "text/plain"}, '{"a": 1}'),
        ({"text": "{oops", "content_type": "application/json"}, "{oops"),
        ({"body": "grün".encode("latin-1"), "headers": {"Content-Type": "text/plain; charset=ISO-8859-1"}}, "grün"),
        ({"status": 204}, ""),
    ],
)
async def test_json_is_read_as_json_and_everything_else_as_text(response: dict[str, Any], body: Any, servers: Servers) -> None:
    servers.handler = answering(**response)
    async with Client({"api": api(servers)}) as client:
        assert (await client.call(at(servers))).output["ResponseBody"] == body


@pytest.mark.parametrize("status", [304, 400, 404, 429, 500, 503])
async def test_a_status_is_an_error_of_its_own_with_the_body_as_cause(status: int, servers: Servers) -> None:
    servers.handler = answering(status=status, text=None if status == 304 else "slow down")
    async with Client({"api": api(servers)}) as client:
        outcome = await client.call(at(servers))
    assert (outcome.error, outcome.cause) == (f"States.Http.StatusCode.{status}", "" if status == 304 else "slow down")


@pytest.mark.parametrize(
    "response",
    [
        {"body": b"\x89PNG", "content_type": "image/png"},
        {"body": b"x", "content_type": "application/octet-stream"},
        {"body": b"\xff\xfe\xfa", "content_type": "text/plain"},
        {"body": b"abc", "headers": {"Content-Type": "text/plain; charset=punycode"}},
        {"body": b"abc", "headers": {"Content-Encoding": "br"}},
        {"body": b"abc", "headers": {"Content-Encoding": "gzip"}},
        {"body": gzip.compress(b"abc" * 100)[:20], "headers": {"Content-Encoding": "gzip"}},
    ],
)
async def test_what_is_no_text_cannot_be_read(response: dict[str, Any], servers: Servers) -> None:
    servers.handler = answering(**response)
    async with Client({"api": api(servers)}) as client:
        assert (await client.call(at(servers))).error == "States.Runtime"


async def test_what_was_packed_unasked_is_unpacked(servers: Servers) -> None:
    async with Client({"api": api(servers)}) as client:
        raw = zlib.compressobj(wbits=-15)
        for packing, body in (
            ("gzip", gzip.compress(b"hello")),
            ("deflate", zlib.compress(b"hello")),
            ("deflate", raw.compress(b"hello") + raw.flush()),
        ):
            servers.handler = answering(body=body, headers={"Content-Encoding": packing, "Content-Type": "text/plain"})
            assert (await client.call(at(servers))).output["ResponseBody"] == "hello"


async def test_an_answer_that_is_too_large_is_not_read_to_its_end(servers: Servers) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 65_536)
            sent += 65_536
            await asyncio.sleep(0)

    bomb = gzip.compress(bytes(50_000_000))
    async with Client({"api": api(servers)}) as client:
        for handler in (endless, answering(body=bomb, headers={"Content-Encoding": "gzip"}), answering(body=b"x" * 10_000_000)):
            servers.handler = handler
            assert (await client.call(at(servers))).error == "States.DataLimitExceeded"
    assert sent < 20_000_000


async def test_a_result_that_grows_over_the_limit_as_json_is_too_large(servers: Servers) -> None:
    servers.handler = answering(body=b'"' * 200_000, content_type="text/plain")
    async with Client({"api": api(servers)}) as client:
        outcome = await client.call(at(servers))
    assert outcome.error == "States.DataLimitExceeded"


# --- What goes wrong on the way ---------------------------------------------------------------------------------------------------


async def test_what_takes_too_long_is_a_socket_s_error(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http.sessions, "SECONDS", 0.05)

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.2)
        return web.Response()

    servers.handler = slow
    async with Client({"api": api(servers)}) as client:
        assert (await client.call(at(servers))).error == "States.Http.Socket"


@pytest.mark.parametrize(
    "answer", [b"", b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000]
)
async def test_a_server_that_breaks_off_or_speaks_something_else_is_a_socket_s_error(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)  # whatever comes: over TLS it is a greeting
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, OUTER, 0)
    port = server.sockets[0].getsockname()[1]
    connection = HttpConnection(allow=(f"http://{OUTER}:{port}", f"https://{OUTER}:{port}"), private=(f"{OUTER}/32",))
    async with server, Client({"api": connection}) as client:
        assert (await client.call(f"http://{OUTER}:{port}/")).error == "States.Http.Socket"
        assert (await client.call(f"https://{OUTER}:{port}/")).error == "States.Http.Socket"


async def test_nobody_there_is_a_socket_s_error(servers: Servers) -> None:
    connection = HttpConnection(allow=(f"http://{OUTER}:1", "http://nowhere.invalid"), private=(f"{OUTER}/32",))
    async with Client({"api": connection}) as client:
        outcome = await client.call(f"http://{OUTER}:1/")
        assert (outcome.error, outcome.cause) == ("States.Http.Socket", f"{OUTER}:1 cannot be reached: Connect call failed ('{OUTER}', 1)")
        assert (await client.call("http://nowhere.invalid/")).error == "States.Http.Socket"


async def test_redirects_are_followed_as_browsers_do_but_not_for_ever(servers: Servers) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/round":
            return web.Response(status=302, headers={"Location": "/round"})
        if request.path == "/old":
            return web.Response(status=303, headers={"Location": "new?a=b"})
        return web.json_response([request.method, request.query_string])

    servers.handler = handler
    given = api(servers, authentication=Authentication(api_key=ApiKey(name="K", value="v")))
    async with Client({"api": given}) as client:
        assert (await client.call(at(servers, "/old"), "POST", RequestBody={"a": 1})).output["ResponseBody"] == ["GET", "a=b"]
        assert {seen.headers["k"] for seen in servers.seen} == {"v"}, "the same server gets the key again"
        assert (await client.call(at(servers, "/round"))).error == "States.Http.Socket"
    async with Client({"api": api(servers, redirects=0)}) as client:
        assert (await client.call(at(servers, "/round"))).error == "States.Http.StatusCode.302"


async def test_connections_are_used_again(servers: Servers) -> None:
    peers = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.json_response({})

    servers.handler = handler
    async with Client({"api": api(servers)}) as client:
        for _ in range(20):
            await client.call(at(servers))
    assert len(peers) == 1
