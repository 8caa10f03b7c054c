"""A process-free server of Lambda-shaped functions over real HTTP, well-behaved and not: what a path ends with says how it answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

INVOKE = "/2015-03-31/functions/{}/invocations"
ERROR = {"errorMessage": "no more s1", "errorType": "OutOfStock", "requestId": "1", "stackTrace": []}


class Functions(ThreadingHTTPServer):
    """``calls``: paths, headers and bodies so far. ``most``: how many calls ran at a time."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls: list[tuple[str, dict[str, str], Any]] = []
        self.running = self.most = 0
        self.lock = threading.Lock()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        server: Functions = self.server  # type: ignore[assignment]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        event = json.loads(body) if body else None
        with server.lock:
            server.calls.append((self.path, {name.lower(): value for name, value in self.headers.items()}, event))
            server.running += 1
            server.most = max(server.most, server.running)
        try:
            path = unquote(urlsplit(self.path).path)
            self._behave(path.split("/functions/")[-1].removesuffix("/invocations").strip("/").rpartition(":")[2], event)
        finally:
            with server.lock:
                server.running -= 1

    def _behave(self, name: str, event: Any) -> None:
        match name:
            case "fails":
                self._say(200, json.dumps(ERROR).encode(), {"X-Amz-Function-Error": "Unhandled"})
            case "emulated":
                self._say(200, json.dumps(ERROR).encode())
            case "untyped":
                self._say(200, b'{"errorMessage": "who knows"}', {"X-Amz-Function-Error": "Unhandled"})
            case "late":
                self._say(200, b"2026-01-01T00:00:00.000Z 1 Task timed out after 3.00 seconds")
            case "garbage":
                self._say(200, b"<html>not \xff json</html>")
            case "huge":
                self._say(200, b'"' + b"x" * (10 * 1024 * 1024) + b'"')
            case "large":
                self._say(200, b'"' + b"x" * (300 * 1024) + b'"')
            case "empty":
                self._say(204, b"")
            case "slow":
                time.sleep(0.1)
                self._say(200, b'"slow"')
            case "hangs":
                time.sleep(1.5)
                self._say(200, b'"at last"')
            case "killed":
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b'{"half": ')
                self.close_connection = True
            case "moved":
                self._say(302, b"", {"Location": "http://169.254.169.254/"})
            case _ if name.isdecimal():
                self._say(int(name), json.dumps({"Type": "User", "message": f"because of {name}"}).encode())
            case _:
                self._say(200, json.dumps({"got": event}).encode(), {"X-Amz-Executed-Version": "7"})

    def _say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # whoever asked has gone


@contextmanager
def serving() -> Iterator[Functions]:
    server = Functions()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="functions", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
