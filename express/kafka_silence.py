"""Kafka connections on which nobody answers any more: given up long before aiokafka would."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from contextlib import nullcontext
from typing import Any

from aiokafka.client import ConnectionGroup
from aiokafka.conn import CloseReason
from aiokafka.protocol.group import JoinGroupRequest, SyncGroupRequest

log = logging.getLogger("express.kafka")

ANSWER_SECONDS = 10.0  # a request waits for so long, and so does a connection that is being made, but
MAKE_SECONDS = 2.0  # the first try to make one: a start must come past a broker that is silent, more than once
BOOTSTRAP_SECONDS = 12.0  # for all servers that were named, one after the other
MOST_SECONDS = 40.0  # aiokafka's own patience
_WAIT_AT_THE_BROKER = {JoinGroupRequest.API_KEY, SyncGroupRequest.API_KEY}  # for the slowest member of the group


class Silence:
    """Watches the connections of one aiokafka client. ``look`` is to be called about once a second.

    Of a connection whose other end is gone nothing is ever heard: a fetch, a batch, a heartbeat on it waits for the request timeout, 30 s
    and more in which its partitions stand still. A broker answers a connection's requests in their order, so the oldest one tells: no
    answer to it for ``seconds`` closes the connection; aiokafka makes another and asks again (a batch with the sequence number it had, so
    that it is not written twice). Twice as long each time until the node has answered: a broker that is merely slow is waited for.

    A connection that is being made has less time at first, and twice as much each time, too. Whoever needs just any broker gets one that
    was not silent lately.
    """

    def __init__(self, client: Any, seconds: float = ANSWER_SECONDS) -> None:
        self._client, self._seconds = client, seconds
        self._oldest: dict[Any, tuple[Any, Any, float]] = {}  # of each connection: itself, its oldest request, since when it is that
        self._patience: dict[Any, float] = {}
        self._answered: dict[Any, tuple[Any, int]] = {}  # of each connection: itself, how many answers it had
        self._making: dict[Any, float] = {}  # of each connection that could not be made: how long the next try has
        self._silent: dict[Any, float] = {}  # of each such node: since when
        # aiokafka makes one connection at a time: one that cannot be made would hold up those to the other brokers.
        make, usual = client._get_conn, client._request_timeout_ms
        client._get_conn_lock_value = nullcontext()
        client._request_timeout_ms = min(usual, int(max(MAKE_SECONDS, min(seconds, BOOTSTRAP_SECONDS / len(client.hosts))) * 1000))
        locks: defaultdict[Any, asyncio.Lock] = defaultdict(asyncio.Lock)

        async def made(node: Any, **how: Any) -> Any:
            if not how and node in self._silent and node not in self._any():  # for metadata, of which the next broker knows as much
                return None
            place = (node, how.get("group", ConnectionGroup.DEFAULT))
            async with locks[place]:
                former, patience = client._conns.get(place), self._making.get(place, min(MAKE_SECONDS, seconds))
                client._request_timeout_ms = min(usual, int(patience * 1000))  # make() reads it before it waits for anything
                began = time.monotonic()
                connection = await make(node, **how)
                now = time.monotonic()
            if connection is None:
                if now - began > 0.9 * patience:  # it was refused, otherwise
                    self._making[place] = min(2 * patience, seconds)
                    self._silent[node] = now
            elif connection is not former:
                self._making.pop(place, None)
                self._silent.pop(node, None)
                connection._request_timeout = usual / 1000
            return connection

        client._get_conn, client.get_random_node = made, lambda: random.choice(self._any() or [None])

    def _any(self) -> list[Any]:
        """The nodes that were not silent lately, or else all: aiokafka would choose one that was as often as another."""
        known = [broker.nodeId for broker in self._client.cluster.brokers()]
        lately = time.monotonic() - self._seconds
        return [node for node in known if self._silent.get(node, lately) <= lately] or known

    def look(self) -> None:
        now, before, self._oldest = time.monotonic(), self._oldest, {}
        answers, self._answered = self._answered, {}
        for place, connection in list(self._client._conns.items()):
            if not connection.connected():
                continue
            known = before.get(place)
            correlation, request, _ = connection._requests[0] if connection._requests else (None, None, None)
            answered, former = connection._correlation_id - len(connection._requests), answers.get(place)
            if former is not None and former[0] is connection and former[1] != answered:
                self._patience.pop(place, None)
            self._answered[place] = (connection, answered)
            if request is None or request.API_KEY in _WAIT_AT_THE_BROKER:
                continue
            if known is None or known[:2] != (connection, correlation):
                known = (connection, correlation, now)
            patience = self._patience.get(place, self._seconds)
            if now - known[2] < patience:
                self._oldest[place] = known
                continue
            self._patience[place] = min(2 * patience, MOST_SECONDS)
            self._silent[place[0]] = now
            where = f"{connection.host}:{connection.port}"
            log.warning("the Kafka broker %s has not answered for %.0f s: a new connection is made", where, patience)
            connection.close(reason=CloseReason.CONNECTION_TIMEOUT)
