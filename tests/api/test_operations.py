"""The operations endpoint over real sockets: what it answers, when it says no, and which port it takes."""

from __future__ import annotations

import gzip
import http.client
import logging
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import pytest

from express.api import operations
from express.api.operations import Operations
from express.errors import ConnectionFailed
from express.observers.exposition import Exposition
from express.observers.pipeline import PipelineMetrics


class Health:
    """What the process would say of itself."""

    alive: str | None = None
    ready: str | None = None


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def endpoint(health: Health) -> Iterator[Operations]:
    exposition = Exposition([], [PipelineMetrics("orders")])
    made = Operations(exposition, lambda: health.alive, lambda: health.ready)
    yield made
    made.stop()


def get(url: str, **headers: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as response:
            return response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def test_metrics_are_served_in_the_format_that_is_asked_for_compressed_if_that_is_accepted(endpoint: Operations) -> None:
    url = endpoint.start("127.0.0.1:0")
    status, body, headers = get(f"{url}/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b'express_inflight{pipeline="orders"} 0.0' in body
    _, body, headers = get(f"{url}/metrics", Accept="application/openmetrics-text; version=1.0.0", **{"Accept-Encoding": "gzip"})
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert gzip.decompress(body).endswith(b"# EOF\n")


@pytest.mark.parametrize("path", ["livez", "readyz"])
def test_health_is_ok_or_503_with_the_reason(endpoint: Operations, health: Health, path: str) -> None:
    url = endpoint.start("127.0.0.1:0")
    assert get(f"{url}/{path}")[:2] == (200, b"ok\n")
    health.alive = health.ready = "the event loop has stood still for 12 s: something blocks it"
    assert get(f"{url}/{path}")[:2] == (503, b"the event loop has stood still for 12 s: something blocks it\n")


def test_it_is_read_only(endpoint: Operations) -> None:
    url = endpoint.start("127.0.0.1:0")
    with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(url + "/livez", data=b"x", timeout=5):
        pass
    with refused.value:
        assert refused.value.code == 405
    assert get(f"{url}/anything")[0] == 404


def test_it_answers_while_the_caller_s_thread_is_busy(endpoint: Operations) -> None:
    """The thread that runs events may be blocked by a function: that is when its health is asked for."""
    host, port = endpoint.start("127.0.0.1:0").removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        client.setblocking(False)
        answer, until = b"", time.monotonic() + 30
        while not answer and time.monotonic() < until:  # never waits
            with suppress(BlockingIOError):
                answer = client.recv(100)
        assert answer.startswith(b"HTTP/1.1 200")


def test_an_explicit_port_in_use_is_an_error_that_names_it(endpoint: Operations) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConnectionFailed) as raised:
            endpoint.start(listen)
    assert str(raised.value) == (
        f"the operations endpoint cannot listen on {listen}: the port is in use; name another one, or none at all for a free one"
    )


def test_a_host_that_is_not_ours_is_an_error_that_names_it(endpoint: Operations) -> None:
    with pytest.raises(ConnectionFailed, match=r"the operations endpoint cannot listen on 192\.0\.2\.1:9464: "):
        endpoint.start("192.0.2.1:9464")


def test_a_default_port_in_use_falls_to_a_free_one_and_says_so(
    endpoint: Operations, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, caplog.at_level(logging.INFO):
        port = taken.getsockname()[1]
        monkeypatch.setattr(operations, "DEFAULT_OPS", f"127.0.0.1:{port}")
        url = endpoint.start(None)
        assert get(f"{url}/livez")[0] == 200
    assert not url.endswith(f":{port}")
    assert f"port {port} of the operations endpoint is in use, took a free one: {url.rpartition(':')[2]}" in caplog.text


def test_stopping_frees_the_port(endpoint: Operations) -> None:
    url = endpoint.start("127.0.0.1:0")
    endpoint.stop()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}/livez", timeout=2)
