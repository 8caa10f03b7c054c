"""The webhook keeps the contract of a sink over real HTTP: acknowledged by 2xx, again after what may pass, rejected for good otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest
from aiohttp import web

from express import addresses
from express.errors import ConfigurationError, ConnectionFailed
from express.options import ApiKey, Authentication, HttpConnection, OAuth, SinkOptions
from express.sinks.http import HttpSink, open_sink
from tests.sinks.contract import Answers, Bed, SinkContract, entries


class Hook(Bed):
    """A server that keeps what it is sent and answers what it is told to: ``statuses`` first, then 200."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Mapping[str, str]]] = []
        self.statuses: list[int] = []
        self.pauses: list[float] = []  # before an answer
        self.at_once = self.most = 0
        self.port = self.tokens = 0
        self.paths: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        if request.method == "HEAD":
            return web.Response(status=405)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        body = await request.read()
        await asyncio.sleep(self.pauses.pop(0) if self.pauses else 0)
        self.at_once -= 1
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            self.received.append((body, request.headers))
            self.paths.append(request.raw_path)
        return web.Response(status=status, text="as I was told", headers={"location": "http://127.0.0.1:9/"} if status == 302 else None)

    def open(self, query: str = "", for_dead_letters: bool = False, connection: HttpConnection | None = None) -> HttpSink:
        address = addresses.parse(f"http://127.0.0.1:{self.port}/hook{query}")
        return open_sink(address, SinkOptions(name="test", for_dead_letters=for_dead_letters, connection=connection))

    def connection(self, **settings: Any) -> HttpConnection:
        return HttpConnection(**{"allow": (f"http://127.0.0.1:{self.port}/hook",), "private": ("127.0.0.0/8",), **settings})

    async def token(self, request: web.Request) -> web.Response:
        assert b"client_credentials" in await request.read()
        self.tokens += 1
        return web.json_response({"access_token": f"token-{self.tokens}", "expires_in": 3600})

    async def written(self) -> list[bytes | None]:
        return [body for body, _ in self.received]


@pytest.fixture
async def bed() -> AsyncIterator[Hook]:
    hook = Hook()
    application = web.Application()
    application.router.add_route("*", "/hook", hook.answer)
    application.router.add_route("POST", "/token", hook.token)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hook.port = runner.addresses[0][1]
    yield hook
    await runner.cleanup()


class TestHttp(SinkContract):
    async def test_acknowledgements_come_in_batches(self, bed: Bed) -> None:
        answers = await Answers(bed.open()).start()
        answers.sink.put(entries(500))
        await answers.until(500)
        assert len(answers.batches) <= 500 / 64 + 1
        await answers.sink.stop()


async def test_an_execution_is_named_in_a_header_and_requests_are_bounded(bed: Hook) -> None:
    answers = await Answers(bed.open("?parallel=3")).start()
    answers.sink.put(entries(50))
    await answers.until(50)
    headers = dict(bed.received)[b'{"n":7}']
    assert (headers["express-execution"], headers["express-workflow"]) == ("orders-0-7", "orders")
    assert headers["content-type"] == "application/json"
    assert 1 < bed.most <= 3
    await answers.sink.stop()


@pytest.mark.parametrize("status", [500, 503, 429, 408])
async def test_what_may_pass_is_posted_again(bed: Hook, status: int) -> None:
    bed.statuses = [status, status]
    answers = await Answers(bed.open()).start()
    answers.sink.put(entries(5))
    await answers.until(5)
    assert sorted(await bed.written(), key=str) == [b'{"n":%d}' % n for n in range(5)], "each once: the others were not posted again"
    assert not answers.rejected
    await answers.sink.stop()


@pytest.mark.parametrize(("status", "reason"), [(400, "Bad Request"), (404, "Not Found"), (302, "Found")])
async def test_what_does_not_pass_is_rejected_alone(bed: Hook, status: int, reason: str) -> None:
    bed.statuses = [status]
    answers = await Answers(bed.open("?parallel=1")).start()
    answers.sink.put(entries(3))
    await answers.sink.flush()
    ((entry, sentence),) = answers.rejected
    assert entry.message.offset == 0
    assert sentence == f"http://127.0.0.1:{bed.port}/hook: it answered {status} {reason}: as I was told"
    assert len(answers.acknowledged) == 2
    await answers.sink.stop()


async def test_attempts_may_be_bounded(bed: Hook) -> None:
    bed.statuses = [503] * 3
    answers = await Answers(bed.open("?attempts=3")).start()
    answers.sink.put(entries(1))
    await answers.sink.flush()
    assert "it answered 503" in answers.rejected[0][1]
    answers.sink.put(entries(1, 1))
    await answers.until(1)
    await answers.sink.stop()


async def test_no_answer_in_time_is_another_try(bed: Hook) -> None:
    bed.pauses = [1.0]
    answers = await Answers(bed.open("?timeout=300ms")).start()
    answers.sink.put(entries(1))
    await answers.until(1)
    assert not bed.pauses
    await answers.sink.stop()


async def test_a_dead_letter_is_an_envelope(bed: Hook) -> None:
    answers = await Answers(bed.open(for_dead_letters=True)).start()
    (entry,) = entries(1)
    entry.value = b"oops"
    entry.headers = [("express-execution", "žluť-0".encode()), ("express-error", b"Negative")]
    answers.sink.put([entry])
    await answers.until(1)
    ((body, headers),) = bed.received
    assert orjson.loads(body)["express-error"] == "Negative"
    assert headers["express-execution"] == "%C5%BElu%C5%A5-0"
    await answers.sink.stop()


async def test_a_connection_adds_credentials_headers_and_parameters(bed: Hook) -> None:
    key = Authentication(api_key=ApiKey(name="X-Key", value="s3cret"))
    sink = bed.open(connection=bed.connection(authentication=key, headers={"X-Team": "orders"}, query={"sig": "a b"}))
    answers = await Answers(sink).start()
    answers.sink.put(entries(1))
    await answers.until(1)
    ((_, headers),) = bed.received
    assert (headers["x-key"], headers["x-team"], headers["express-execution"]) == ("s3cret", "orders", "orders-0-0")
    assert bed.paths in (["/hook?sig=a+b"], ["/hook?sig=a%20b"])
    assert "s3cret" not in sink.name + repr(sink)
    assert "sig" not in sink.name
    await answers.sink.stop()


async def test_a_token_that_is_not_accepted_any_more_is_replaced_once(bed: Hook) -> None:
    oauth = OAuth(endpoint=f"http://127.0.0.1:{bed.port}/token", client_id="express", client_secret="s3cret")
    answers = await Answers(bed.open("?parallel=1", connection=bed.connection(authentication=Authentication(oauth=oauth)))).start()
    bed.statuses = [401]
    answers.sink.put(entries(1))
    await answers.until(1)
    assert bed.received[0][1]["authorization"] == "Bearer token-2"
    bed.statuses = [401, 401]
    answers.sink.put(entries(1, 1))
    await answers.sink.flush()
    assert "it answered 401" in answers.rejected[0][1], "then it is the receiver's answer"
    await answers.sink.stop()


async def test_a_connection_goes_only_where_it_allows(bed: Hook) -> None:
    for settings, sentence in (
        ({"allow": ("https://hooks.example.com",)}, r"hook: The connection does not allow http://127\.0\.0\.1:"),
        ({"body": {"team": "orders"}}, "hook: the connection adds parameters to bodies, and a webhook's body is the result as it is"),
    ):
        with pytest.raises(ConfigurationError, match=sentence):
            bed.open(connection=bed.connection(**settings))
    sink = bed.open(connection=bed.connection(private=()))
    with pytest.raises(ConnectionFailed, match=r"hook cannot be reached: 127\.0\.0\.1: "):
        await Answers(sink).start()
    await sink.stop()
    assert not bed.received


async def test_a_server_that_is_not_there_is_a_sentence() -> None:
    sink = open_sink(addresses.parse("http://127.0.0.1:9/hook"), SinkOptions(name="test"))
    with pytest.raises(ConnectionFailed, match=r"http://127\.0\.0\.1:9/hook cannot be reached") as failed:
        await Answers(sink).start()
    assert "\n" not in str(failed.value)
    await sink.stop()


def test_addresses_of_hooks() -> None:
    with pytest.raises(ConfigurationError) as wrong:
        open_sink(addresses.parse("https://a,b/hook?timeout=soon&parallel=0&attempts=x&speed=9"), SinkOptions(name="test"))
    assert len(wrong.value.problems) == 5
