"""``arn:aws:states:::http:invoke``: requests through named connections, to where those allow, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

import aiohttp
from yarl import URL

from express.language.http_tasks import CONNECTION
from express.options import Connection, HttpConnection
from express.runtime.failures import StateError
from express.runtime.limits import PAYLOAD
from express.runtime.suspensions import Call
from express.runtime.values import adopt
from express.tasks import ResourceMissing
from express.tasks.constants import constant, fixed
from express.tasks.http import answers, requests
from express.tasks.http.answers import Answer
from express.tasks.http.requests import Head
from express.tasks.http.sessions import SECONDS, AddressRefused, Pool, Pools
from express.tasks.integration import Integration, Resource, pool

SMALL = PAYLOAD // 6  # bytes that JSON cannot make more than a payload of, however it escapes them
NOT_FOUND = "Events.ConnectionResource.ResourceNotFound"
FURTHER = frozenset({301, 302, 303, 307, 308})
UNKEPT = ("content-type", "content-length")  # of headers, where a redirect turns a request into a GET


class NotAllowed(ResourceMissing):
    """A definition's ApiEndpoint is not on the allow-list of its connection."""

    code = "ENDPOINT_NOT_ALLOWED"


def bind(resource: Resource, parameters: Any, connections: Mapping[str, Connection]) -> Http:
    """ResourceMissing where the definition says outright which connection it means, and there is none; NotAllowed where it says which
    address it calls, and the connection does not allow that."""
    binding = Http(resource.arn, {name: each for name, each in connections.items() if isinstance(each, HttpConnection)}, parameters)
    arn = constant(parameters, "InvocationConfig", "ConnectionArn") or constant(parameters, "Authentication", "ConnectionArn")
    if not isinstance(arn, str):
        return binding
    try:
        connection = binding.connection(arn)
    except StateError as error:
        raise ResourceMissing(_sentence(error)) from None
    endpoint = constant(parameters, "ApiEndpoint")
    if isinstance(endpoint, str):
        try:
            requests.allowed(endpoint, connection)
        except StateError as error:
            raise NotAllowed(_sentence(error)) from None
    return binding


def _sentence(error: StateError) -> str:
    cause = error.cause or ""
    return (cause[:1].lower() + cause[1:]).rstrip(".")


class Http(Integration):
    """The binding. ``parameters``: what the definition says of every request."""

    signs = False  # whether ``_signed`` is asked
    reads_only = True  # for the compiler: a payload is neither changed nor kept nor given back

    def __init__(self, resource: str, connections: Mapping[str, HttpConnection], parameters: Any = None) -> None:
        super().__init__(resource, "http")
        self._connections = connections
        self._known: tuple[HttpConnection, Head] | None = None
        given = fixed(parameters, *requests.HEAD)
        if given is not None:
            with suppress(StateError):  # of each request, then
                self._known = self._begun(given)

    async def perform(self, payload: Any, call: Call) -> Answer:
        connection, head = self._known or self._begun(payload)
        given = payload.get("RequestBody")
        body = requests.body(given, head)
        if self.signs:
            head = await self._signed(head, body, payload, call)
        pools = pool(call, Pools)
        through = pools.of(connection)
        task = asyncio.current_task()
        assert task is not None
        pools.watch.begin(task)
        late = False
        try:
            return await _exchange(head, body, given, through)
        except (aiohttp.ClientError, OSError) as error:
            raise _socket(error) from None
        except asyncio.CancelledError:
            late = True
            raise
        finally:
            if pools.watch.end(task) and late:
                raise StateError("States.Http.Socket", f"The request took longer than {SECONDS:.0f} seconds.") from None

    def _begun(self, given: Any) -> tuple[HttpConnection, Head]:
        """All of a request but its body, and the connection that it goes through."""
        arn = None
        for field in ("InvocationConfig", "Authentication"):
            if isinstance(given, dict) and isinstance(given.get(field), dict):
                arn = arn or given[field].get("ConnectionArn")
        connection = self.connection(arn)
        return connection, requests.head(given, connection)

    async def _signed(self, head: Head, body: bytes | None, given: Any, call: Call) -> Head:
        """The request with what proves who sends it, made from all of it."""
        raise NotImplementedError

    def result(self, value: Answer) -> Any:
        """Nobody else has what was just decoded; only what is not surely small enough is measured."""
        return value.value if value.size <= SMALL else adopt(value.value, PAYLOAD, self.label)

    def connection(self, arn: Any) -> HttpConnection:
        """The connection of an ARN: by its name, whatever account and region it says."""
        found = CONNECTION.fullmatch(arn) if isinstance(arn, str) else None
        if found is None:
            raise requests.runtime(
                "ConnectionArn must be the ARN of a connection, such as 'arn:aws:events:eu-west-1:123456789012:connection/NAME/ID'."
            )
        connection = self._connections.get(found["name"])
        if connection is None:
            near = get_close_matches(found["name"], self._connections, 1)
            there = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(self._connections)) or 'none'}"
            raise StateError(NOT_FOUND, f"There is no connection {found['name'][:80]!r} for HTTP requests here: {there}")
        return connection


async def _exchange(head: Head, body: bytes | None, given: Any, through: Pool) -> Answer:
    """The request, once more with a new token if the first was not accepted. ``given``: what ``body`` was made of."""
    tokens = through.tokens
    authentication = tokens.ready
    if authentication is None:
        authentication = await tokens.headers()
    try:
        return await _send(head, body, given, through, authentication)
    except StateError as error:
        if error.error != "States.Http.StatusCode.401" or not tokens.renewable:
            raise
    return await _send(head, body, given, through, await tokens.headers(instead_of=authentication))


async def _send(head: Head, body: bytes | None, given: Any, through: Pool, authentication: dict[str, str]) -> Answer:
    """Follows redirects by itself, since each of them is judged like the first address, and since nothing of the connection's may go to
    another server: neither its authentication nor what it adds to headers and bodies."""
    method, url, redirects = head.method, head.url, through.connection.redirects
    headers: Mapping[str, str] = head.headers if body is not None else head.bare
    if authentication:
        headers = {**headers, **authentication}
    for _ in range(redirects + 1):
        answer = await through.session.request(method, url, data=body, headers=headers, allow_redirects=False)
        try:
            location = answer.headers.get("Location") if redirects and answer.status in FURTHER else None
            if location is None:
                return answers.result(answer, await answers.read(answer))
        finally:
            if not answer.closed:
                answer.release()
        here, url = url.origin(), _next(url, location, through.connection)
        if url.origin() != here:
            headers, body = head.foreign, requests.foreign_body(given, head) if body is not None else None
        if (answer.status == 303 and method != "HEAD") or (answer.status in (301, 302) and method == "POST"):
            method, body = "GET", None
        if body is None:
            headers = {name: value for name, value in headers.items() if name.lower() not in UNKEPT}
    raise StateError("States.Http.Socket", f"The server redirected more than {redirects} times.")


def _next(url: URL, location: str, connection: HttpConnection) -> URL:
    try:
        return requests.allowed(str(url.join(URL(location))), connection)
    except ValueError:
        raise StateError("States.Http.Socket", "The server redirected to what is no URL.") from None


def _socket(error: Exception) -> StateError:
    """What became of a request that nobody answered. The sentence names no header and no query: those may hold secrets."""
    reason = getattr(error, "os_error", None) or error
    if isinstance(reason, AddressRefused):
        return StateError("States.Permissions", f"The connection does not allow this address: {reason}.")
    if isinstance(error, aiohttp.ClientConnectorError):
        text = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
        return StateError("States.Http.Socket", f"{error.host}:{error.port} cannot be reached: {text}")
    if isinstance(error, aiohttp.ClientResponseError):
        return StateError("States.Http.Socket", f"The answer is not HTTP: {' '.join(error.message.split())[:200]}")
    return StateError("States.Http.Socket", f"The connection failed: {' '.join(str(error).split())[:200] or type(error).__name__}")
