"""The proxy does to connections what it says, or the faults of the chaos runs would be none."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers.apache import Node
from tests.brokers.processes import free_port
from tests.chaos.proxy import Proxy


@pytest.fixture
def echoed(tmp_path: Path) -> Iterator[tuple[Proxy, Node]]:
    """A proxy before a server that says everything again."""
    node = Node(0, 0, 0, tmp_path)
    node.inner, node.outer = free_port(), free_port()
    server = socket.create_server(("127.0.0.1", node.inner))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(connection,), daemon=True).start()

    def echo(connection: socket.socket) -> None:
        with connection:
            try:
                while piece := connection.recv(65_536):
                    connection.sendall(piece)
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    proxy = Proxy([node])
    try:
        yield proxy, node
    finally:
        proxy.close()
        server.close()


def test_latency_a_cut_and_half_open_connections(echoed: tuple[Proxy, Node]) -> None:
    proxy, node = echoed
    with socket.create_connection(("127.0.0.1", node.outer), timeout=5) as client:

        def round_trip(piece: bytes) -> float:
            began = time.monotonic()
            client.sendall(piece)
            assert client.recv(100) == piece
            return time.monotonic() - began

        round_trip(b"as usual")
        proxy.tell(latency=0.1)
        assert round_trip(b"late") >= 0.2
        proxy.tell(cut=[0])
        client.sendall(b"cut")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(100)
        proxy.tell()
        client.settimeout(5)
        assert client.recv(100) == b"cut", "what was sent arrives once the way is whole again"
        proxy.tell(half_open=[0])
        client.settimeout(0.3)
        client.sendall(b"nobody is there")
        with pytest.raises(TimeoutError):
            client.recv(100)
        proxy.tell()
        with socket.create_connection(("127.0.0.1", node.outer), timeout=5) as another:
            another.sendall(b"a new one")
            assert another.recv(100) == b"a new one"
