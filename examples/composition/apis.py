"""The three APIs, on one server of the standard library: customers, stock, quotes. ``python apis.py [PORT]``."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

CUSTOMERS = {"7": {"name": "Ada", "since": 2015}, "8": {"name": "Grace", "since": 2024}}
STOCK = {"bolt": 120, "nut": 40}


class Apis(BaseHTTPRequestHandler):
    """``server.quotes`` holds what was filed, by its idempotency key: a request that comes twice files one quote."""

    server: Shop
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path.startswith("/customers/"):
            customer = CUSTOMERS.get(unquote(url.path.removeprefix("/customers/")))
            self.answer(*((404, {"message": "no such customer"}) if customer is None else (200, customer)))
        elif url.path == "/stock":
            (sku,) = parse_qs(url.query)["sku"]
            self.answer(*((500, {"message": "out of order"}) if sku not in STOCK else (200, {"left": STOCK[sku]})))
        else:
            self.answer(404, {"message": "nothing here"})

    def do_POST(self) -> None:
        quote = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Idempotency-Key"]
        number, _ = self.server.quotes.setdefault(key, (f"Q-{len(self.server.quotes) + 1}", quote))
        self.answer(201, {"id": number})

    def answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(ConnectionError):  # the other branch has failed, and with it this one
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - its name in the standard library
        """Quiet."""


class Shop(ThreadingHTTPServer):
    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Apis)
        self.quotes: dict[str, tuple[str, Any]] = {}


if __name__ == "__main__":
    Shop(int(sys.argv[1]) if len(sys.argv) > 1 else 8765).serve_forever()
