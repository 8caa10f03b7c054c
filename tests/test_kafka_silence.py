"""Whom of a cluster's brokers a Kafka client gives up, and for how long it waits; what real brokers show of it is in
tests/consumers/test_kafka_faults.py."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.client import ConnectionGroup

from express import kafka_silence
from express.kafka_silence import Silence

pytestmark = pytest.mark.uvloop_only
COORDINATION = {"group": ConnectionGroup.COORDINATION}
DEFAULT = {"group": ConnectionGroup.DEFAULT}


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(kafka_silence, "time", made)
    return made


class Connection:
    """What aiokafka's keeps of its requests."""

    def __init__(self) -> None:
        self.host, self.port = "127.0.0.1", 9092
        self._correlation_id, self._requests, self._request_timeout = 0, deque(), 40.0  # type: ignore[var-annotated]
        self.closed = False

    def connected(self) -> bool:
        return not self.closed

    def ask(self) -> None:
        self._correlation_id += 1
        self._requests.append((self._correlation_id, SimpleNamespace(API_KEY=1), None))

    def close(self, reason: Any) -> None:
        self.closed = True
        self._requests.clear()


class Client:
    """Three brokers. ``reach`` says of each how a connection to it is made: seconds, or refused at once."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.hosts, self._request_timeout_ms = clock, [1, 2, 3], 40_000
        self.cluster = SimpleNamespace(brokers=lambda: [SimpleNamespace(nodeId=node) for node in (0, 1, 2)])
        self.reach: dict[int, float | None] = {0: 0.0, 1: 0.0, 2: 0.0}
        self._conns: dict[Any, Connection] = {}
        self.tries: list[float] = []
        self.get_random_node: Any = None

    async def _get_conn(self, node: int, *, group: Any = ConnectionGroup.DEFAULT) -> Connection | None:
        if (node, group) in self._conns:
            return self._conns[node, group]
        patience, takes = self._request_timeout_ms / 1000, self.reach[node]
        self.tries.append(patience)
        if takes is None:
            return None
        self.clock.now += min(patience, takes)
        if takes > patience:
            return None
        self._conns[node, group] = Connection()
        return self._conns[node, group]


def noticed_after(silence: Silence, connection: Connection, clock: Clock) -> float:
    """How long a connection lives on which nothing is answered any more."""
    connection.ask()
    began = clock.now
    while not connection.closed:
        assert clock.now - began < 100
        clock.now += 1
        silence.look()
    return clock.now - began


async def test_a_connection_that_is_silent_again_after_it_has_answered_is_given_up_as_soon_as_the_first_time(clock: Clock) -> None:
    client = Client(clock)
    silence = Silence(client)
    for _ in range(3):
        client._conns.clear()
        connection = await client._get_conn(0, **DEFAULT)
        assert connection
        for _ in range(60):  # answers come sooner than anybody looks
            connection._correlation_id += 1
            clock.now += 1
            silence.look()
        assert noticed_after(silence, connection, clock) == pytest.approx(10, abs=1.1)


async def test_a_broker_that_is_merely_slow_is_waited_for_longer_each_time(clock: Clock) -> None:
    client = Client(clock)
    silence, waited = Silence(client), []
    for _ in range(4):
        client._conns.clear()
        connection = await client._get_conn(0, **DEFAULT)
        assert connection
        silence.look()
        waited.append(noticed_after(silence, connection, clock))
    assert waited == pytest.approx([10, 20, 40, 40], abs=1.1)


async def test_a_connection_that_is_made_slowly_has_longer_each_time_whatever_others_to_the_broker_do(clock: Clock) -> None:
    client = Client(clock)
    Silence(client)
    assert await client._get_conn(0, **COORDINATION)
    client.reach[0], client.tries = 5.0, []
    for _ in range(3):
        await client._get_conn(0, **DEFAULT)
        assert await client._get_conn(0, **COORDINATION), "heartbeats go on"
    assert client.tries == [2, 4, 8]


async def test_a_broker_that_refuses_is_not_taken_for_a_silent_one(clock: Clock) -> None:
    client = Client(clock)
    silence = Silence(client)
    client.reach[0] = None
    for _ in range(5):
        assert await client._get_conn(0, **DEFAULT) is None
    assert client.tries == [2] * 5
    assert silence._any() == [0, 1, 2]


async def test_whoever_needs_any_broker_gets_one_that_was_not_silent_lately_and_all_are_silent_only_when_nobody_is_left(
    clock: Clock,
) -> None:
    client = Client(clock)
    silence = Silence(client)
    client.reach[0] = client.reach[1] = 60.0
    assert await client._get_conn(0, **DEFAULT) is None
    assert {client.get_random_node() for _ in range(50)} == {1, 2}
    assert await client._get_conn(0) is None, "metadata is asked for elsewhere"
    assert client.tries == [2], "without a try"
    assert await client._get_conn(1, **DEFAULT) is None
    client.reach[2] = 60.0
    assert await client._get_conn(2, **DEFAULT) is None
    assert silence._any() == [0, 1, 2]
    client.reach = {0: 0.0, 1: 0.0, 2: 0.0}
    assert await client._get_conn(0), "tried again, since nobody else is left"
    clock.now += 10
    assert silence._any() == [0, 1, 2]
