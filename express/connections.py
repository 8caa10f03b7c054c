"""The connections of a configuration: what is wrong with one, which files it names, and where those are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path

import msgspec

from express import addresses, origins
from express.options import (
    Authentication,
    AwsConnection,
    Connection,
    HttpConnection,
    KafkaConnection,
    QueueConnection,
    RedisConnection,
)

Field = tuple[str | int, ...]

KINDS: dict[type[Connection], str] = {
    KafkaConnection: "kafka",
    RedisConnection: "redis",
    AwsConnection: "aws",
    HttpConnection: "http",
    QueueConnection: "queue",
}
# Commands of Redis that concern the connection, which all Tasks share, or that wait: no Task may have one, whatever the configuration says
_STATEFUL = """
    ASKING AUTH BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT DISCARD EXEC HELLO MONITOR MULTI
    PSUBSCRIBE PSYNC PUNSUBSCRIBE QUIT READONLY READWRITE RESET SELECT SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SYNC UNSUBSCRIBE
    UNWATCH WAIT WAITAOF WATCH
"""
STATEFUL = frozenset(_STATEFUL.split())

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_LINE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_FRAMING = ("host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer")  # headers that are HTTP's own business


def kind(connection: type[Connection]) -> str:
    """What a kind of connection is called in the configuration."""
    return KINDS[connection]


def problems(connection: Connection) -> Iterator[tuple[Field, str]]:
    """Every rule that concerns more than the type of one field: the field and a sentence for each that is broken."""
    match connection:
        case KafkaConnection():
            yield from _kafka(connection)
        case RedisConnection():
            yield from _redis(connection)
        case AwsConnection():
            yield from _aws(connection)
        case HttpConnection():
            yield from _http(connection)
        case QueueConnection():
            if not connection.path:
                yield ("queue", "path"), "expected the path of a file, such as orders.db"


def _kafka(kafka: KafkaConnection) -> Iterator[tuple[Field, str]]:
    if not kafka.servers:
        yield ("kafka", "servers"), "expected at least one HOST:PORT"
    for number, server in enumerate(kafka.servers):
        if not addresses.is_server(server):
            yield ("kafka", "servers", number), f"expected HOST:PORT, found {server!r}"
    sasl, tls = kafka.security.startswith("SASL"), kafka.security.endswith("SSL")
    if sasl and (kafka.username is None or kafka.password is None):
        yield ("kafka",), f"security {kafka.security} needs username and password"
    if not sasl and (kafka.username is not None or kafka.password is not None):
        yield ("kafka",), f"username and password would not be used with security {kafka.security}"
    if not tls and any((kafka.ca, kafka.certificate, kafka.key)):
        yield ("kafka",), f"ca, certificate and key would not be used with security {kafka.security}"
    if (kafka.certificate is None) != (kafka.key is None):
        yield ("kafka",), "certificate and key belong together"


def _redis(redis: RedisConnection) -> Iterator[tuple[Field, str]]:
    if not addresses.is_server(redis.server):
        yield ("redis", "server"), f"expected HOST:PORT, found {redis.server!r}"
    if redis.database < 0:
        yield ("redis", "database"), "expected a number from 0"
    if redis.username is not None and redis.password is None:
        yield ("redis",), "username needs a password"
    if redis.ca is not None and not redis.tls:
        yield ("redis",), "ca would not be used without tls: true"
    for number, command in enumerate(redis.commands):
        if not re.fullmatch(r"[A-Z]+( [A-Z]+)?", command) or command.split()[0] in STATEFUL:
            yield (
                ("redis", "commands", number),
                f"expected a command in capitals that does not concern the connection itself, found {command!r}",
            )


def _aws(aws: AwsConnection) -> Iterator[tuple[Field, str]]:
    if (aws.access_key_id is None) != (aws.secret_access_key is None):
        yield ("aws",), "access_key_id and secret_access_key belong together"
    if aws.session_token is not None and aws.access_key_id is None:
        yield ("aws",), "session_token needs access_key_id and secret_access_key"
    if aws.profile is not None and aws.access_key_id is not None:
        yield ("aws",), "profile and access_key_id cannot both be given"
    for field, endpoint in [(("endpoint",), aws.endpoint), *((("endpoints", name), url) for name, url in aws.endpoints.items())]:
        if endpoint is not None and not endpoint.startswith(("http://", "https://")):
            yield ("aws", *field), f"expected http://HOST:PORT or https://HOST, found {endpoint!r}"


def _http(http: HttpConnection) -> Iterator[tuple[Field, str]]:
    if not http.allow:
        yield ("http", "allow"), "expected at least one https://HOST: nothing else is ever called"
    for number, entry in enumerate(http.allow):
        try:
            origins.parse(entry)
        except ValueError as error:
            yield ("http", "allow", number), str(error)
    for number, network in enumerate(http.private):
        try:
            ip_network(network)
        except ValueError:
            yield ("http", "private", number), f"expected a network such as 10.1.0.0/16 or fd00::/8, found {network!r}"
    yield from _headers(("http", "headers"), http.headers)
    if http.authentication is not None:
        yield from _authentication(http.authentication)
    for field, number, least in (("limit", http.limit, 1), ("redirects", http.redirects, 0)):
        if number < least:
            yield ("http", field), f"expected a number from {least}"


def _authentication(given: Authentication) -> Iterator[tuple[Field, str]]:
    field = ("http", "authentication")
    if sum(each is not None for each in (given.basic, given.api_key, given.oauth)) != 1:
        yield field, "expected one of basic, api_key and oauth"
    if given.basic is not None and ":" in given.basic.username:
        yield (*field, "basic", "username"), "a user of Basic authentication cannot have ':' in its name"
    if given.api_key is not None:
        yield from _headers((*field, "api_key"), {given.api_key.name: given.api_key.value}, "name")
    if given.oauth is not None:
        if not given.oauth.endpoint.startswith(("http://", "https://")):
            yield (*field, "oauth", "endpoint"), f"expected https://HOST/PATH, found {given.oauth.endpoint!r}"
        yield from _headers((*field, "oauth", "headers"), given.oauth.headers)


def _headers(field: Field, headers: Mapping[str, str], last: str | None = None) -> Iterator[tuple[Field, str]]:
    """Never with the value: it may be a secret."""
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _FRAMING:
            yield (*field, last or name), f"{name!r} cannot be the name of a header here"
        if not _LINE.fullmatch(value):
            yield (*field, last or name), f"the value of {name!r} has characters that no header can have, such as a line break"


def files(connection: Connection) -> Iterator[tuple[Field, str]]:
    """The files that a connection names, each with its field."""
    for part, path in _paths(connection).items():
        yield (kind(type(connection)), part), path


def anchored(connection: Connection, directory: Path) -> Connection:
    """With paths that no longer depend on where the process stands."""
    if isinstance(connection, QueueConnection):
        return QueueConnection(path=str(directory / connection.path))
    paths = {part: str(directory / path) for part, path in _paths(connection).items()}
    return msgspec.structs.replace(connection, **paths) if paths else connection  # pools go by a connection's identity


def _paths(connection: Connection) -> dict[str, str]:
    found = {part: getattr(connection, part, None) for part in ("ca", "certificate", "key")}
    return {part: path for part, path in found.items() if path is not None}
