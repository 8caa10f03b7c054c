"""Entries in, POST requests out: a webhook, acknowledged by a status of 2xx. With a connection it goes where that allows, as whom it
says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from urllib.parse import quote

import aiohttp
from yarl import URL

from express import envelopes, units
from express.addresses import Address
from express.errors import ConfigurationError, ConnectionFailed
from express.options import HttpConnection, SinkOptions
from express.runtime.failures import StateError
from express.sinks import Entry
from express.sinks.batching import CLOSING, BatchingSink
from express.tasks.http import requests
from express.tasks.http.sessions import AddressRefused, Pool

PARALLEL = 8  # requests at a time
TIMEOUT = 30.0  # seconds for an answer
FOR_NOW = frozenset({408, 425, 429})  # what of 4xx another try may change, as all of 5xx
NAMES = ("express-execution", "express-workflow")  # of headers
PLAIN = " !#$&'()*+,/:;=?@[]~|"  # what stays as it is in one, beside letters and digits
LONGEST_ANSWER = 200  # characters of an answer that are repeated in a rejection

Body = Callable[[Entry], bytes]


def open_sink(address: Address, options: SinkOptions) -> HttpSink:
    """``https://HOST/PATH?timeout=30s&parallel=8&attempts=N&connection=NAME``, results or dead letters."""
    known = ("connection", "timeout", "parallel", "attempts")
    given = address.options
    unknown = [option for option in given if option not in known]
    problems = [f"{address}: {address.scheme} has no option {option!r} here: expected {', '.join(known)}" for option in unknown]
    if len(address.servers) != 1 or not address.servers[0]:
        problems.append(
            f"{address}: expected one server, as in {address.scheme}://HOST/PATH or {address.scheme}://HOST/PATH?connection=NAME"
        )
    numbers = {"parallel": PARALLEL, "attempts": 0}
    for option in numbers:
        if option in given:
            if given[option].isdecimal() and 0 < int(given[option]) <= 1_000:
                numbers[option] = int(given[option])
            else:
                problems.append(f"{address}: {option}: expected a number from 1 to 1000, found {given[option]!r}")
    seconds = TIMEOUT
    try:
        seconds = units.duration(given["timeout"]) if "timeout" in given else TIMEOUT
    except ValueError as error:
        problems.append(f"{address}: timeout: {error}")
    if problems:
        raise ConfigurationError(*problems)
    url, connection = f"{address.scheme}://{address.servers[0]}/{quote(address.name)}", options.connection
    assert connection is None or isinstance(connection, HttpConnection), "the configuration's check lets no other kind through"
    if connection is not None:
        _check(address, url, connection)
    body = envelopes.dead_letter if options.for_dead_letters else _result
    return HttpSink(url, body, seconds, numbers["parallel"], numbers["attempts"], connection)


def _check(address: Address, url: str, connection: HttpConnection) -> None:
    try:
        requests.through(url, connection)
    except StateError as error:
        raise ConfigurationError(f"{address}: {(error.cause or '').rstrip('.')}") from None
    if connection.body:
        raise ConfigurationError(f"{address}: the connection adds parameters to bodies, and a webhook's body is the result as it is")


def _result(entry: Entry) -> bytes:
    return b"null" if entry.value is None else entry.value


class HttpSink(BatchingSink):
    """Posts each entry by itself. The header ``express-execution`` stays the same however often it comes: an idempotency key.

    What is answered by 5xx, 408, 425 or 429, or not at all, is posted again with growing pauses, for as long as it takes, or ``attempts``
    times; any other status but 2xx rejects the entry. Redirects are not followed: where results go, the address says.
    """

    transient = (aiohttp.ClientError, OSError)

    def __init__(
        self,
        url: str,
        body: Body,
        seconds: float = TIMEOUT,
        parallel: int = PARALLEL,
        attempts: int = 0,
        connection: HttpConnection | None = None,
    ) -> None:
        super().__init__(url)
        self._body, self._seconds, self._parallel, self._attempts = body, seconds, parallel, attempts
        self._connection = connection
        self._url, self._headers = (URL(url), {}) if connection is None else requests.through(url, connection)
        self.most = parallel * 8
        self._session: aiohttp.ClientSession | None = None
        self._pool: Pool | None = None  # of a connection: with its tokens
        self._tries: dict[int, int] = {}  # of entries that are tried again, by their identity

    async def _connect(self) -> None:
        """The server is there; nothing is posted yet, since nobody knows what it would do with it."""
        if self._connection is not None:
            self._pool = Pool(self._connection)
            self._session = self._pool.session
        else:
            connector = aiohttp.TCPConnector(limit=self._parallel)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with asyncio.timeout(10), self._session.head(self._url, allow_redirects=False, headers=await self._tokens()):
                pass
        except (aiohttp.ClientError, OSError, StateError) as error:
            raise ConnectionFailed(f"{self.name} cannot be reached: {_why(error)}") from error

    async def _tokens(self, instead_of: dict[str, str] | None = None) -> dict[str, str]:
        return {} if self._pool is None else await self._pool.tokens.headers(instead_of)

    async def _write(self, entries: Sequence[Entry]) -> tuple[Collection[int], dict[int, str]]:
        written: set[int] = set()
        refused: dict[int, str] = {}
        places = iter(range(len(entries)))

        async def post_others() -> None:
            for place in places:
                entry = entries[place]
                final, status = await self._post(entry)
                if status is None:
                    written.add(place)
                elif final or self._exhausted(entry):
                    refused[place] = f"{self.name}: {status}"
                if place in written or place in refused:
                    self._tries.pop(id(entry), None)

        await asyncio.gather(*(post_others() for _ in range(min(self._parallel, len(entries)))))
        return written, refused

    def _exhausted(self, entry: Entry) -> bool:
        self._tries[id(entry)] = tries = self._tries.get(id(entry), 0) + 1
        return bool(self._attempts) and tries >= self._attempts

    async def _post(self, entry: Entry) -> tuple[bool, str | None]:
        """Whether the answer is final, and what is wrong with it: None for an acknowledgement."""
        given = dict(entry.headers)
        headers: dict[str, str] = {name: quote(given[name], safe=PLAIN) for name in NAMES if name in given}
        headers |= {"content-type": "application/json", **self._headers}
        try:
            async with asyncio.timeout(self._seconds):
                tokens = await self._tokens()
                answer = await self._answer(entry, {**headers, **tokens})
                if answer[1] == 401 and self._pool is not None and self._pool.tokens.renewable:
                    answer = await self._answer(entry, {**headers, **await self._tokens(tokens)})
        except (aiohttp.ClientError, OSError, StateError) as error:
            return False, _why(error)
        text, status = answer
        return (status < 500 and status not in FOR_NOW), text

    async def _answer(self, entry: Entry, headers: dict[str, str]) -> tuple[str | None, int]:
        """What is wrong with the answer, None for an acknowledgement, and its status."""
        assert self._session is not None
        async with self._session.post(self._url, data=self._body(entry), headers=headers, allow_redirects=False) as answer:
            if 200 <= answer.status < 300:
                return None, answer.status
            text = " ".join((await answer.content.read(4 * LONGEST_ANSWER)).decode(errors="replace").split())
            return f"it answered {answer.status} {answer.reason or ''}: {text[:LONGEST_ANSWER]}".rstrip(": "), answer.status

    async def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            closing = asyncio.ensure_future(session.close())
            await asyncio.wait({closing}, timeout=CLOSING)


def _why(error: Exception) -> str:
    """Names neither headers nor queries: those may hold secrets."""
    if isinstance(error, StateError):
        return error.cause or str(error.error)
    reason = error.os_error if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, AddressRefused) else error
    return " ".join(str(reason).split()) or type(error).__name__
