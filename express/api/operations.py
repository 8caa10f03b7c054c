"""The operations endpoint (``--ops``): /metrics, /livez and /readyz, read-only, on a thread and an event loop of its own."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from express.config import DEFAULT_OPS, host_and_port
from express.errors import ConnectionFailed
from express.observers.exposition import Exposition

PATIENCE = 1.0  # seconds for the pipelines' loop to copy its counters

log = logging.getLogger(__name__)

Verdict = Callable[[], str | None]  # None: yes; otherwise why not, in one sentence


class Operations:
    """Answers while the pipelines' loop is busy, and says so when that loop stands still: it shares no loop with them. A scrape never makes
    an event wait for longer than its counters take to copy.
    """

    def __init__(self, exposition: Exposition, alive: Verdict, ready: Verdict) -> None:
        self._exposition, self._alive, self._ready = exposition, alive, ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self, listen: str | None) -> str:
        """Listens and returns the URL. None is the default address: if its port is in use a free one is taken, and the log says which.
        Raises ConnectionFailed with one sentence when an explicit address cannot be had."""
        listening = _bind(listen)
        host, port = listening.getsockname()[:2]
        self._loop = asyncio.new_event_loop()
        serving = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(self._loop, listening, serving), name="express-ops", daemon=True)
        self._thread.start()
        serving.wait(5.0)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def stop(self) -> None:
        """Stops listening, bounded in time."""
        if self._thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(2.0)
            self._thread = None

    def _serve(self, loop: asyncio.AbstractEventLoop, listening: socket.socket, serving: threading.Event) -> None:
        app = web.Application(middlewares=[_headers])
        app.router.add_get("/", self._index)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, keepalive_timeout=30.0, shutdown_timeout=0.2)
        try:
            loop.run_until_complete(runner.setup())
            loop.run_until_complete(web.SockSite(runner, listening).start())
            loop.call_soon(serving.set)
            loop.run_forever()
            loop.run_until_complete(runner.cleanup())
        finally:
            loop.close()
            listening.close()

    async def _index(self, request: web.Request) -> web.Response:
        return web.Response(text="/metrics\n/livez\n/readyz\n")

    async def _metrics(self, request: web.Request) -> web.Response:
        loop = asyncio.get_running_loop()
        looked = loop.create_future()
        self._exposition.look(lambda: loop.call_soon_threadsafe(_resolve, looked))
        # A loop that stands still must not hide it: then the counters are those of the last scrape.
        await asyncio.wait({looked}, timeout=PATIENCE)
        body, content_type = self._exposition.render(request.headers.get("Accept", ""))
        response = web.Response(body=body, headers={"Content-Type": content_type})
        response.enable_compression()  # only if the scraper accepts it
        return response

    async def _livez(self, request: web.Request) -> web.Response:
        return _answer(self._alive())

    async def _readyz(self, request: web.Request) -> web.Response:
        return _answer(self._ready())


def _resolve(looked: asyncio.Future[None]) -> None:
    if not looked.done():
        looked.set_result(None)


def _answer(why_not: str | None) -> web.Response:
    return web.Response(text="ok\n") if why_not is None else web.Response(text=f"{why_not}\n", status=503)


@web.middleware
async def _headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    response.headers["Cache-Control"] = "no-store"
    return response


def _bind(listen: str | None) -> socket.socket:
    host, port = host_and_port(listen or DEFAULT_OPS)
    try:
        return _listening(host, port)
    except OSError as error:
        if listen is None and error.errno == errno.EADDRINUSE:
            listening = _listening(host, 0)
            log.info("port %d of the operations endpoint is in use, took a free one: %d", port, listening.getsockname()[1])
            return listening
        raise ConnectionFailed(_why(listen or DEFAULT_OPS, error)) from error


def _listening(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(address[:2], family=family, backlog=128)


def _why(listen: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"the operations endpoint cannot listen on {listen}: the port is in use; name another one, or none at all for a free one"
    return f"the operations endpoint cannot listen on {listen}: {error.strerror or error}"
