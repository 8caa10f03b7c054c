"""An address and a connection in, the settings of an aiokafka client out; its errors as one sentence each. Shared by the source and the
sink."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
import time
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any

import msgspec
from aiokafka import errors
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.struct import Struct

from express import kafka_access
from express.addresses import Address
from express.errors import ConfigurationError, ConnectionFailed, ExpressError
from express.options import Connection, KafkaConnection

log = logging.getLogger("express.kafka")

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)
CONNECT_SECONDS = 15.0  # for every step of a start together


class Endpoint(msgspec.Struct, frozen=True):
    """A topic and how to reach it: ``servers`` as people read them, ``client`` as aiokafka's clients take it."""

    topic: str
    servers: str
    client: Mapping[str, Any]

    def __str__(self) -> str:
        return f"topic {self.topic!r} at {self.servers}"


def problems(address: Address, connection: Connection | None, allowed: Iterable[str]) -> list[str]:
    """Everything that is wrong with an address of this kind, one sentence each."""
    found = []
    if not _TOPIC.fullmatch(address.name) or address.name in (".", ".."):
        found.append(
            f"{address}: {address.name!r} is not a topic: expected up to 249 letters, digits, '.', '_' and '-', as in kafka://HOST:9092/TOPIC"
        )
    if not address.servers and connection is None:
        found.append(f"{address}: expected servers, as in kafka://HOST:9092/TOPIC")
    known = ("connection", *allowed)
    found += [f"{address}: kafka has no option {name!r} here: expected {', '.join(known)}" for name in address.options if name not in known]
    return found


def endpoint(address: Address, connection: Connection | None, name: str) -> Endpoint:
    """What to connect to and how; ConfigurationError when certificates cannot be read or credentials are missing."""
    assert connection is None or isinstance(connection, KafkaConnection), "the configuration's check lets no other kind through"
    servers = tuple(
        server if re.search(r":\d+$", server) else f"{server}:9092" for server in (connection.servers if connection else address.servers)
    )
    client: dict[str, Any] = {"bootstrap_servers": list(servers), "client_id": f"express-{name}"}
    if connection:
        client |= _security(address, connection)
    return Endpoint(address.name, ",".join(servers), client)


def _security(address: Address, connection: KafkaConnection) -> dict[str, Any]:
    settings: dict[str, Any] = {"security_protocol": connection.security}
    if "SSL" in connection.security:
        try:
            context = ssl.create_default_context(cafile=connection.ca)
            if connection.certificate:
                context.load_cert_chain(connection.certificate, connection.key, connection.key_password)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(file for file in (connection.ca, connection.certificate, connection.key) if file)
            raise ConfigurationError(f"{address}: the connection's certificates ({files}) could not be read: {error}") from error
        settings["ssl_context"] = context
    if "SASL" in connection.security:
        if connection.username is None or connection.password is None:
            raise ConfigurationError(f"{address}: {connection.security} needs the connection's username and password")
        settings |= {
            "sasl_mechanism": connection.mechanism,
            "sasl_plain_username": connection.username,
            "sasl_plain_password": connection.password,
        }
    return settings


# Errors


class InvalidRecordError(errors.BrokerResponseError):  # type: ignore[misc]
    """The broker looked at a record and refuses it, for example one without a key in a compacted topic."""

    errno = 87
    message = "INVALID_RECORD"


errors.kafka_errors.setdefault(
    InvalidRecordError.errno, InvalidRecordError
)  # aiokafka has no class for it and would not tell which error it was


def sentence(error: BaseException, where: Endpoint, group: str = "") -> str:
    """What happened, where, and what was expected."""
    if isinstance(error, ExpressError):
        return str(error)
    if isinstance(error, errors.TopicAuthorizationFailedError):
        return f"no permission for {where}: the cluster's access rules refuse this user"
    if isinstance(error, errors.GroupAuthorizationFailedError):
        return f"no permission for the consumer group {group!r} at {where.servers}: the cluster's access rules refuse this user"
    if isinstance(error, errors.ClusterAuthorizationFailedError):
        return f"no permission to write idempotently at {where.servers}: the cluster's access rules refuse this user"
    if isinstance(error, (errors.AuthenticationFailedError, errors.SaslAuthenticationFailed)):
        return f"{where.servers} refused the connection's username and password"
    if isinstance(error, errors.UnknownTopicOrPartitionError):
        return f"there is no {where}: create it, Express creates no topics"
    if isinstance(error, errors.InvalidSessionTimeoutError):
        return f"{where.servers} does not allow this session: its group.min.session.timeout.ms and group.max.session.timeout.ms bound it"
    if isinstance(error, errors.InconsistentGroupProtocolError):
        return f"the consumer group {group!r} at {where.servers} has members that share out partitions another way than Express"
    if isinstance(error, errors.KafkaConnectionError):
        if "bootstrap" in str(error):
            return f"no Kafka broker answers at {where.servers}"
        return f"a connection to Kafka at {where.servers} was lost: {error}"
    return f"Kafka at {where.servers} failed: {type(error).__name__}: {error}"


FATAL = (
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.AuthenticationFailedError,
    errors.SaslAuthenticationFailed,
    errors.InvalidSessionTimeoutError,
    errors.InconsistentGroupProtocolError,
    errors.InvalidGroupIdError,
)  # what another try does not change: the operator must act


async def partitions(client: Any, where: Endpoint, patience: float = 2.0) -> int:
    """How many partitions the topic has; asked such that a broker does not make the topic because somebody named it. Asked again for a
    moment, because a topic that was just made is not known to every broker at once."""
    until, asked = time.monotonic() + patience, 0
    while True:
        try:
            answer = await client.send(client.get_random_node(), MetadataRequest([where.topic], allow_auto_topic_creation=False))
        except (errors.NodeNotReadyError, errors.KafkaConnectionError):  # a broker of several is away: another one answers
            asked += 1
            if time.monotonic() > until and asked >= len(client.cluster.brokers()):
                raise
            await asyncio.sleep(0.2)
            continue
        code, parts = next((topic[0], topic[-1]) for topic in answer.topics)
        error = errors.for_code(code)
        if error is errors.NoError and parts:
            client.set_topics([where.topic])
            await client.force_metadata_update()
            return len(parts)
        if not (error is errors.NoError or issubclass(error, (errors.UnknownTopicOrPartitionError, errors.LeaderNotAvailableError))):
            raise error(where.topic)
        if time.monotonic() > until:
            raise errors.UnknownTopicOrPartitionError(where.topic)
        await asyncio.sleep(0.2)


async def connected(steps: Coroutine[Any, Any, Any], where: Endpoint, group: str = "", seconds: float = CONNECT_SECONDS) -> Any:
    """The result of the steps of a start; whatever goes wrong or takes too long becomes a ConnectionFailed with one sentence."""
    try:
        async with asyncio.timeout(seconds):
            return await steps
    except TimeoutError as error:
        raise ConnectionFailed(f"Kafka at {where.servers} did not answer within {seconds:.0f} s") from error
    except (errors.KafkaError, OSError) as error:
        if isinstance(error, errors.KafkaConnectionError) and (refused := await kafka_access.refusal(where.client)):
            raise ConnectionFailed(refused.sentence) from refused.error
        raise ConnectionFailed(sentence(error, where, group)) from error


# Ends that must not hang


async def within(seconds: float, ending: Coroutine[Any, Any, None]) -> bool:
    """Whether ``ending`` ended in time; otherwise it is cancelled, once, and left alone. Never raises but for its own cancellation."""
    task = asyncio.ensure_future(ending)
    task.add_done_callback(retrieve)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        task.cancel()
    if task.done() and not task.cancelled() and (error := task.exception()):
        log.debug("closing failed: %r", error)
    return task.done()


def lines(client: Any) -> list[asyncio.WriteTransport]:
    """What a client's connections go over; asked before it is told to stop, which forgets them."""
    return [connection._writer.transport for connection in client._conns.values() if connection._writer is not None]


async def cut(lines: Iterable[asyncio.WriteTransport]) -> None:
    """Closes what is still open without waiting for anybody. A connection with TLS is closed when the broker has said goodbye, too: one
    that stands still never does, and an event loop that ends over an open transport fails."""
    for line in lines:
        line.abort()
    for _ in range(2):  # a transport is gone in the turn after the one that was told of it
        await asyncio.sleep(0)


async def abandon(
    tasks: Iterable[asyncio.Future[Any] | None], client: Any, lines: Iterable[asyncio.WriteTransport], seconds: float = 1.0
) -> None:
    """Ends a client's background tasks and closes its connections (``lines``), because asking it to stop did not work. Cancels more than
    once: some of them catch it and wait for requests that never end."""
    until = time.monotonic() + seconds
    left = {task for task in tasks if task is not None and not task.done()}
    for task in left:
        task.add_done_callback(retrieve)
    while left and time.monotonic() < until:
        for task in left:
            task.cancel()
        for connection in list(client._conns.values()):
            with suppress(Exception):
                connection.close()
        _, left = await asyncio.wait(left, timeout=0.1)
    await within(seconds, client.close())
    await cut(lines)


def retrieve(task: asyncio.Future[Any]) -> None:
    """Keeps "exception was never retrieved" out of the logs of what was given up on purpose."""
    if not task.cancelled():
        task.exception()


# aiokafka's own log lines


class Sparing(logging.Filter):
    """Lets a line through once in ten seconds: with brokers down aiokafka repeats itself ten times a second."""

    def __init__(self, seconds: float = 10.0) -> None:
        super().__init__()
        self.seconds, self.last = seconds, {}  # type: float, dict[str, float]

    def filter(self, record: logging.LogRecord) -> bool:
        now, line = time.monotonic(), str(record.msg)
        if now - self.last.get(line, -self.seconds) < self.seconds:
            return False
        self.last[line] = now
        return True


class Discreet(logging.Filter):
    """At level debug aiokafka writes whole requests and answers: a password that is sent as it is, and events. Their names are enough."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(type(each).__name__ if isinstance(each, Struct) else each for each in record.args)
        return True


def spare() -> None:
    """Installs Sparing on the loggers of aiokafka that repeat themselves, Discreet on the one that says too much; once, however often it
    is called."""
    wire = logging.getLogger("aiokafka.conn")
    if not any(isinstance(known, Discreet) for known in wire.filters):
        wire.addFilter(Discreet())
    for name in ("", ".conn", ".consumer.consumer", ".consumer.fetcher", ".consumer.group_coordinator", ".producer.sender"):
        logger = logging.getLogger(f"aiokafka{name}")
        if not any(isinstance(known, Sparing) for known in logger.filters):
            logger.addFilter(Sparing())
