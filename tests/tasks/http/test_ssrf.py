"""Where an HTTP Task must not get to: every case tries to reach a server that nobody may reach, over real sockets, and none does."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from express.options import ApiKey, Authentication, Basic, HttpConnection
from express.tasks.http import networks, sessions
from tests.tasks.http.servers import OUTER, Client, Names, Servers

PRIVATE = (f"{OUTER}/32",)  # what stands for the public internet here

# P is the port that both servers have. 'Where' an endpoint leads is decided by the one parser whose result is compared and sent
ENDPOINTS = {
    "the address itself": "http://127.0.0.1:P/",
    "the name of the machine": "http://localhost:P/",
    "in capitals, with a dot": "http://LOCALHOST.:P/",
    "one number": "http://2130706433:P/",
    "hexadecimal": "http://0x7f000001:P/",
    "hexadecimal parts": "http://0x7f.0x0.0x0.0x1:P/",
    "octal": "http://0177.0.0.1:P/",
    "one octal number": "http://017700000001:P/",
    "two parts": "http://127.1:P/",
    "three parts": "http://127.0.1:P/",
    "this host": "http://0.0.0.0:P/",
    "nothing but a zero": "http://0:P/",
    "another address of the loop": "http://127.8.9.10:P/",
    "IPv6's loopback": "http://[::1]:P/",
    "IPv6, written out": "http://[0000:0000:0000:0000:0000:0000:0000:0001]:P/",
    "IPv6, unspecified": "http://[::]:P/",
    "IPv4 in IPv6": "http://[::ffff:127.0.0.1]:P/",
    "IPv4 in IPv6, as numbers": "http://[::ffff:7f00:1]:P/",
    "IPv4-compatible": "http://[::127.0.0.1]:P/",
    "through NAT64": "http://[64:ff9b::7f00:1]:P/",
    "6to4": "http://[2002:7f00:1::]:P/",
    "a link's": "http://[fe80::1%25lo]:P/",
    "digits of another script": "http://１２７.0.0.1:P/",
    "digits in circles": "http://①②⑦.⓪.⓪.①:P/",
    "another script's full stop": "http://127。0。0。1:P/",
    "a user in front": "http://api.test:P@127.0.0.1:P/",
    "a user and a password": "http://api.test:443@127.0.0.1:P/",
    "a fragment that looks like a user": "http://127.0.0.1:P#@api.test:P/",
    "a query that looks like a user": "http://127.0.0.1:P?@api.test:P/",
    "a backslash before the user": "http://127.0.0.1:P\\@api.test:P/",
    "a backslash behind the user": "http://api.test:P\\@127.0.0.1:P/",
    "an encoded user": "http://api.test%40127.0.0.1:P/",
    "an encoded zero": "http://127.0.0.1%00.api.test:P/",
    "an encoded dot": "http://127%2e0%2e0%2e1:P/",
    "the name as a prefix": "http://api.test.localhost:P/",
    "a tab in the host": "http://127.0.0.1\t:P/",
    "a line break in the host": "http://127.0.0.1\r\n:P/",
    "blanks in front": "  http://127.0.0.1:P/",
    "one slash": "http:/127.0.0.1:P/",
    "no slash": "http:127.0.0.1:P/",
    "three slashes": "http:///127.0.0.1:P/",
    "no scheme": "//127.0.0.1:P/",
    "another port of a name that is allowed": "http://api.test:1/",
    "another scheme of a name that is allowed": "https://api.test:P/",
    "a file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:P/_GET%20/",
    "ftp": "ftp://127.0.0.1:P/",
    "a dictionary": "dict://127.0.0.1:P/info",
    "a socket of the machine": "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
    "data": "data:text/plain,hello",
    "the cloud's metadata": "http://169.254.169.254/latest/meta-data/",
}

# A name that is allowed, and what the DNS says of it
NAMES = {
    "the loopback": ["127.0.0.1"],
    "IPv6's loopback": ["::1"],
    "the loopback behind a good address": [OUTER, "127.0.0.1"],
    "the loopback before a good address": ["127.0.0.1", OUTER],
    "IPv6's loopback behind a good address": [OUTER, "::1"],
    "this host": ["0.0.0.0"],
    "IPv4 in IPv6": ["::ffff:127.0.0.1"],
    "through NAT64": ["64:ff9b::7f00:1"],
    "NAT64 of one's own network": ["64:ff9b:1::7f00:1"],
    "6to4": ["2002:7f00:1::1"],
    "ISATAP": ["2001:4860::5efe:127.0.0.1"],
    "Teredo": ["2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "a private network, 10": ["10.0.0.1"],
    "a private network, 172.16": ["172.16.0.1"],
    "a private network, 192.168": ["192.168.0.1"],
    "a provider's network": ["100.64.0.1"],
    "a link's": ["169.254.1.1"],
    "a link's, IPv6": ["fe80::1"],
    "a unique local address": ["fd12:3456::1"],
    "metadata of most clouds": ["169.254.169.254"],
    "metadata, IPv6": ["fd00:ec2::254"],
    "metadata of Alibaba": ["100.100.100.200"],
    "metadata of Azure": ["168.63.129.16"],
    "metadata of Oracle": ["192.0.0.192"],
    "credentials of a container": ["169.254.170.2"],
    "everybody": ["255.255.255.255"],
    "a group": ["224.0.0.1"],
    "a group, IPv6": ["ff02::1"],
    "a documentation's": ["203.0.113.1"],
    "nobody's yet": ["240.0.0.1"],
}

# What a server that may be called answers with
REDIRECTS = {
    "to the address": (302, "http://127.0.0.1:P/"),
    "to the name of the machine": (301, "http://localhost:P/"),
    "with the body": (307, "http://127.0.0.1:P/"),
    "for good": (308, "http://[::1]:P/"),
    "without a scheme": (302, "//127.0.0.1:P/"),
    "in capitals": (302, "HTTP://127.0.0.1:P/"),
    "to a user at the address": (302, "http://api.test:P@127.0.0.1:P/"),
    "to a file": (302, "file:///etc/passwd"),
    "to another port": (303, "http://api.test:1/"),
    "to a name that is allowed and leads there": (302, "http://trap.test:P/"),
    "out of the path": (302, "http://api.test:P/v1/../admin"),
}


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    async with Servers() as running:
        yield running


def test_there_are_sixty_cases_and_more() -> None:
    assert len(ENDPOINTS) + len(NAMES) + len(REDIRECTS) >= 60


# Whether the definition says the request outright, and it is judged at load; or the data say it, and it is judged then
SAID = pytest.mark.parametrize("said", [False, True])


def connection(port: int, **more: Any) -> HttpConnection:
    return HttpConnection(allow=(f"http://api.test:{port}", f"http://trap.test:{port}"), private=PRIVATE, **more)


@pytest.mark.uvloop_only
@SAID
async def test_an_endpoint_that_is_not_on_the_list_is_not_called(servers: Servers, monkeypatch: pytest.MonkeyPatch, said: bool) -> None:
    names = Names(monkeypatch)
    names.of = {"api.test": [OUTER], "trap.test": [OUTER]}
    refused = ("States.Permissions", "States.Runtime", "States.Http.StatusCode.400", "States.Http.StatusCode.404")
    async with Client({"api": connection(servers.port)}, said=said) as client:
        for case, endpoint in ENDPOINTS.items():
            outcome = await client.call(endpoint.replace(":P", f":{servers.port}"))
            assert (outcome.status, servers.connected) == ("FAILED", 0), case
            assert outcome.error in refused, (case, outcome)
            assert {seen.headers["host"] for seen in servers.seen} <= {f"api.test:{servers.port}"}, case
            assert set(names.asked) <= {"api.test"}, f"{case}: a name that is not allowed is not even looked up"


@pytest.mark.uvloop_only
@SAID
async def test_a_name_that_leads_there_is_not_called(servers: Servers, monkeypatch: pytest.MonkeyPatch, said: bool) -> None:
    names = Names(monkeypatch)
    async with Client({"api": connection(servers.port)}, said=said) as client:
        for case, addresses in NAMES.items():
            names.of = {"api.test": addresses}
            outcome = await client.call(f"http://api.test:{servers.port}/")
            assert (outcome.status, outcome.error, servers.connected, servers.seen) == ("FAILED", "States.Permissions", 0, []), case
    assert len(names.asked) == len(NAMES)


@pytest.mark.uvloop_only
async def test_an_address_on_the_list_is_none_of_a_network_that_is_allowed(servers: Servers) -> None:
    for address in ("127.0.0.1", "[::1]", "2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]", "localhost"):
        allow = (f"http://{address}:{servers.port}",)
        async with Client({"api": HttpConnection(allow=allow, private=PRIVATE)}) as client:
            outcome = await client.call(f"http://{address}:{servers.port}/")
        assert (outcome.status, servers.connected) == ("FAILED", 0), address
        assert outcome.error in ("States.Permissions", "States.Http.Socket"), address


@pytest.mark.uvloop_only
@SAID
async def test_a_redirect_does_not_get_there(servers: Servers, monkeypatch: pytest.MonkeyPatch, said: bool) -> None:
    Names(monkeypatch).of = {"api.test": [OUTER], "trap.test": ["127.0.0.1"]}
    answers: list[web.Response] = []

    async def redirect(request: web.Request) -> web.Response:
        return answers.pop() if answers else web.json_response({"ok": True})

    servers.handler = redirect
    allow = (f"http://api.test:{servers.port}/v1", f"http://trap.test:{servers.port}")
    async with Client({"api": HttpConnection(allow=allow, private=PRIVATE)}, said=said) as client:
        for case, (status, location) in REDIRECTS.items():
            servers.seen.clear()
            answers.append(web.Response(status=status, headers={"Location": location.replace(":P", f":{servers.port}")}))
            outcome = await client.call(f"http://api.test:{servers.port}/v1/", "POST", RequestBody={"a": 1})
            assert (outcome.status, servers.connected, len(servers.seen)) == ("FAILED", 0, 1), case
            assert outcome.error in ("States.Permissions", "States.Runtime"), case


async def test_a_name_that_leads_elsewhere_the_second_time_is_not_followed(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the name is good when it is judged, and bad when it is connected to."""
    monkeypatch.setattr(sessions, "DNS", 0.01)
    monkeypatch.setattr(sessions, "KEPT", 0.01)
    names = Names(monkeypatch)
    names.of = {"api.test": [[OUTER], ["127.0.0.1"]]}

    async def closing(request: web.Request) -> web.Response:
        return web.json_response({"ok": True}, headers={"Connection": "close"})

    servers.handler = closing
    async with Client({"api": connection(servers.port)}) as client:
        first = await client.call(f"http://api.test:{servers.port}/")
        assert (first.status, names.asked) == ("SUCCEEDED", ["api.test"]), "asked once: what was judged is what is connected to"
        while len(names.asked) < 2:
            second = await client.call(f"http://api.test:{servers.port}/")
    assert (second.status, second.error, servers.connected) == ("FAILED", "States.Permissions", 0)


async def test_a_resolver_that_lies_is_caught_where_the_socket_is_made(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    async def trusting(self: Any, host: str, port: int = 0, family: int = 0) -> Any:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    monkeypatch.setattr(sessions.Judging, "resolve", trusting)
    async with Client({"api": connection(servers.port)}) as client:
        outcome = await client.call(f"http://api.test:{servers.port}/")
    assert (outcome.error, servers.connected) == ("States.Permissions", 0)


BESIDE = ["/v10", "/", "/v1/../admin", "/v1/%2e%2e/admin", "/v1/%252e%252e/admin", "/v1/..%2fadmin", "/v1/..%5cadmin", "/v1/..;/admin",
          "/v1\\..\\admin", "/V1/a", "/v1%2f..%2fadmin", "//v1/a"]  # fmt: skip


async def test_a_path_that_is_not_below_the_lists_is_not_called(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch).of = {"api.test": [OUTER]}
    allowed = HttpConnection(allow=(f"http://api.test:{servers.port}/v1",), private=PRIVATE)
    async with Client({"api": allowed}) as client:
        for path in BESIDE:
            assert (await client.call(f"http://api.test:{servers.port}{path}")).error == "States.Permissions", path
        assert (await client.call(f"http://api.test:{servers.port}/v1/a%20b?c=../..")).status == "SUCCEEDED"
    assert [seen.path for seen in servers.seen] == ["/v1/a%20b?c=../.."]


SECRET = {
    "basic": Authentication(basic=Basic(username="ada", password="wonder")),
    "api_key": Authentication(api_key=ApiKey(name="X-Api-Key", value="wonder")),
}


@pytest.mark.parametrize("authentication", SECRET.values(), ids=SECRET)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.uvloop_only
@SAID
async def test_another_server_gets_nothing_of_the_connections(
    status: int, authentication: Authentication, said: bool, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch).of = {"api.test": [OUTER], "trap.test": [OUTER]}

    async def redirect(request: web.Request) -> web.Response:
        if request.host.startswith("api"):
            return web.Response(status=status, headers={"Location": f"http://trap.test:{servers.port}/there"})
        return web.json_response("here")

    servers.handler = redirect
    given = connection(
        servers.port, authentication=authentication, headers={"X-Tenant": "wonder"}, body={"key": "wonder"}, query={"q": "wonder"}
    )
    async with Client({"api": given}, said=said) as client:
        outcome = await client.call(
            f"http://api.test:{servers.port}/", "POST", RequestBody={"mine": 1}, Headers={"Cookie": "wonder", "X-Mine": "1"}
        )
    assert outcome.output["ResponseBody"] == "here"
    first, second = servers.seen
    assert "wonder" in str(first.headers) + first.body
    assert "wonder" not in f"{second.path}{second.headers}{second.body}"
    assert "x-mine" in second.headers
    kept = status in (307, 308)
    assert (second.method, second.body) == (("POST", '{"mine":1}') if kept else ("GET", ""))


@pytest.mark.parametrize("value", ["a\r\nHost: inner", "a\nX: b", "a\0b", "a\x7fb"])
async def test_a_header_cannot_begin_another(value: str, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch).of = {"api.test": [OUTER]}
    async with Client({"api": connection(servers.port)}) as client:
        for headers in ({"X-A": value}, {value: "x"}):
            outcome = await client.call(f"http://api.test:{servers.port}/", Headers=headers)
            assert outcome.error == "States.Runtime"
    assert servers.seen == []


def test_what_is_public_is_not_refused() -> None:
    for address in ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808", "::ffff:8.8.8.8"):
        assert networks.refused(address) is None, address


def test_a_cloud_s_metadata_must_be_named_by_itself() -> None:
    wide, exact = networks.ip_network("169.254.0.0/16"), networks.ip_network("169.254.169.254/32")
    assert networks.refused("169.254.1.1", (wide,)) is None
    assert networks.refused("169.254.169.254", (wide,)) is not None
    assert networks.refused("169.254.169.254", (exact,)) is None
