"""HTTP as aiohttp's server speaks it, but for what is no HTTP: that is refused like everything else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from express.api import answers, arns
from express.errors import RequestError

IDLE = 75.0  # seconds that a connection may be silent between two requests, or before its first
SHOWN = 200  # characters of what is wrong with it

HOW: dict[str, Any] = {"access_log": None, "keepalive_timeout": IDLE, "auto_decompress": False, "lingering_time": 2.0}

log = logging.getLogger("express")


class Answering(web.Server):
    """``handler`` answers each request that ``made`` has made of its parts."""

    def __init__(self, handler: Callable[[Any], Awaitable[web.StreamResponse]], made: Callable[..., web.BaseRequest]) -> None:
        super().__init__(handler, request_factory=made)

    def __call__(self) -> web.RequestHandler:
        return _Handler(self, loop=asyncio.get_running_loop(), **HOW)


class _Handler(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """With a request id, in one line of the log; aiohttp's own answer has none, and it logs a traceback for whoever sends noise."""
        number = arns.unique()
        if request.writer.output_size > 0:
            raise ConnectionError("half of an answer has been sent")
        if status >= 500:
            log.error("request %s: failed: a defect of Express", number, exc_info=exc)
            response = answers.refusal(number, RequestError("InternalFailure", "a defect of Express; its log has the traceback"))
        else:
            log.info("request %s: refused: it is no HTTP", number)
            wrong = " ".join((message or "").split())[:SHOWN]
            response = answers.refusal(number, RequestError("SerializationException", f"the request is not HTTP: {wrong}"))
        response.force_close()
        return response
