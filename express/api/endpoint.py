"""The AWS-compatible endpoint (``--api``): HTTP in, the operations of the Step Functions API, HTTP out. On the loop that runs workflows."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

from express.api import answers, arns
from express.api.answering import Answering
from express.api.authentication import Access
from express.api.operating import Operating
from express.config import DEFAULT_API, host_and_port
from express.errors import ConnectionFailed, RequestError
from express.printable import printable

LARGEST = 8 * 1024 * 1024  # bytes of a body: a definition of 1 MiB, all of it escaped, fits
SLOW = 20.0  # seconds that a body may take to arrive
BACKLOG = 1024
PREFIX = "AWSStepFunctions."
LONGEST = 100  # characters of an operation's name

log = logging.getLogger("express")

Page = Callable[[str], Awaitable[web.Response | None]]


class Endpoint:
    """Answers until ``stop``. What an answer says was done is durable, or it was StartSyncExecution."""

    def __init__(self, operating: Operating, access: Access, page: Page) -> None:
        self._operating, self._access, self._page = operating, access, page
        self._server: Answering | None = None
        self._listening: asyncio.Server | None = None
        self._stopping = False

    async def start(self, listen: str | None) -> str:
        """Listens and returns the URL. None is the default address: if its port is in use a free one is taken, and the log says which.
        Raises ConnectionFailed with one sentence when an explicit address cannot be had."""
        listening = _bind(listen)
        loop = asyncio.get_running_loop()
        self._server = Answering(self._handle, self._request)
        self._listening = await loop.create_server(self._server, sock=listening, backlog=BACKLOG)
        host, port = listening.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def close(self) -> None:
        """Takes no more connections; those that are open are refused politely from here on."""
        self._stopping = True
        if self._listening is not None:
            self._listening.close()

    async def stop(self) -> None:
        """Closes what is open, bounded in time. What was being answered has a moment to be sent."""
        self.close()
        if self._server is not None:
            self._server.pre_shutdown()
            await self._server.shutdown(1.0)

    def _request(self, message: RawRequestMessage, payload: StreamReader, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        return web.BaseRequest(message, payload, protocol, writer, task, asyncio.get_running_loop(), client_max_size=LARGEST)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        number = arns.unique()
        operation = "?"
        try:
            if request.method != "POST" or request.path_qs != "/":
                return await self._other(number, request)
            body = await _body(request)
            headers = request.headers
            self._access.check(headers, body)
            if self._stopping:
                raise RequestError("ServiceUnavailable", "this process is stopping")
            operation = printable(headers.get("X-Amz-Target", "").removeprefix(PREFIX)[:LONGEST])
            answered = self._operating.answer(operation, body, headers.get("X-Amzn-Trace-Id"))
            if not isinstance(answered, bytes):
                answered = await answered
            if log.isEnabledFor(logging.DEBUG):
                log.debug("request %s: %s", number, operation)
            return answers.answer(number, answered)
        except RequestError as error:
            log.info("request %s: %s refused: %s", number, operation, error.code)
            return answers.refusal(number, error)
        except ConnectionError:
            log.debug("request %s: the caller has gone before all of it had come", number)
            return web.Response(status=400, headers={"x-amzn-RequestId": number})  # which nobody reads
        except Exception as error:
            log.error("request %s: %s failed: a defect of Express", number, operation, exc_info=error)
            return answers.refusal(number, RequestError("InternalFailure", "a defect of Express; its log has the traceback"))

    async def _other(self, number: str, request: web.BaseRequest) -> web.Response:
        """Everything that is no operation."""
        headers = {"x-amzn-RequestId": number}
        if request.method in ("GET", "HEAD"):
            self._access.check(request.headers, b"")
            page = await self._page(request.path)
            if page is not None:
                page.headers["x-amzn-RequestId"] = number
                return page
            return web.Response(status=404, text="the Step Functions API is POST /; there is a page at /console\n", headers=headers)
        return web.Response(status=405 if request.path == "/" else 404, text="expected POST /\n", headers=headers)


async def _body(request: web.BaseRequest) -> bytes:
    """All of it; a caller that sends it slowly, or too much, is not waited for."""
    length = request.content_length
    if length is not None and length > LARGEST:
        raise _too_large()
    try:
        if request.content.is_eof():  # it has come whole, as most do
            body = request.content.read_nowait()
            if len(body) > LARGEST:
                raise _too_large()
            return body
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # the answer has not begun
        async with asyncio.timeout(SLOW):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    except TimeoutError:
        raise RequestError("RequestTimeoutException", f"the body did not arrive within {SLOW:.0f} s") from None


def _too_large() -> RequestError:
    return RequestError("RequestEntityTooLargeException", f"a request has at most {LARGEST:,} bytes")


def _bind(listen: str | None) -> socket.socket:
    host, port = host_and_port(listen or DEFAULT_API)
    try:
        return _listening(host, port)
    except OSError as error:
        if listen is None and error.errno == errno.EADDRINUSE:
            listening = _listening(host, 0)
            log.info("port %d of the API is in use, took a free one: %d", port, listening.getsockname()[1])
            return listening
        reason = "the port is in use; name another one" if error.errno == errno.EADDRINUSE else str(error.strerror or error)
        raise ConnectionFailed(f"the API cannot listen on {listen or DEFAULT_API}: {reason}") from error


def _listening(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(address[:2], family=family, backlog=BACKLOG)
