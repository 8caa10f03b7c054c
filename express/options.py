"""What an adapter is given beside its address: typed, resolved, with nothing left to look up."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class KafkaConnection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach and talk to a Kafka cluster. ``servers`` also replace the connection's name in an address.

    ``ca``, ``certificate`` and ``key`` are paths of PEM files; without ``ca`` the system's authorities count. Secrets are never shown.
    """

    servers: tuple[str, ...]
    security: Security = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str | None = None
    password: str | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password: str | None = None

    def __repr__(self) -> str:
        return f"KafkaConnection({', '.join(self.servers)}, {self.security})"


class RedisConnection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach and talk to a Redis server. ``ca`` is the path of a PEM file; without it the system's authorities count. ``commands``:
    what Tasks may do (``redis:command``) beside reading and writing data."""

    server: str
    database: int = 0
    username: str | None = None
    password: str | None = None
    tls: bool = False
    ca: str | None = None
    commands: tuple[str, ...] = ()

    @property
    def servers(self) -> tuple[str, ...]:
        return (self.server,)

    def __repr__(self) -> str:
        return f"RedisConnection({self.server})"


class AwsConnection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account of AWS, or a service that speaks its protocol at ``endpoint``. What is left out comes from where AWS's own tools find it:
    the environment, a profile, the role of a machine or a pod. ``endpoints`` are those of single services, by botocore's name or AWS's
    (``lambda``, ``dynamodb``); they come before ``endpoint``."""

    region: str | None = None
    endpoint: str | None = None
    endpoints: dict[str, str] = {}
    profile: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None

    @property
    def servers(self) -> tuple[str, ...]:
        return ()

    def __repr__(self) -> str:
        return f"AwsConnection({self.endpoint or self.region})"


class Basic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user and a password, as in HTTP's Basic scheme."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Basic({self.username})"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A header by its name, such as ``X-API-Key``, and its secret value."""

    name: str
    value: str

    def __repr__(self) -> str:
        return f"ApiKey({self.name})"


class OAuth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """OAuth 2.0's client credentials: ``endpoint`` gives the tokens. ``headers``, ``query`` and ``body`` are added to that request (a
    scope is a parameter of the body); ``credentials`` says whether the client names itself by Basic authentication or in the body."""

    endpoint: str
    client_id: str
    client_secret: str
    method: Literal["POST", "GET", "PUT"] = "POST"
    credentials: Literal["basic", "body"] = "basic"
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    body: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"OAuth({self.client_id} at {self.endpoint})"


class Authentication(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of them."""

    basic: Basic | None = None
    api_key: ApiKey | None = None
    oauth: OAuth | None = None


class HttpConnection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where HTTP Tasks and webhooks may send requests, and as whom: what AWS calls a connection of EventBridge, found by its name in a
    ConnectionArn.

    ``allow``: ``https://HOST``, ``https://HOST:PORT`` or ``https://HOST:PORT/PATH``; nothing else is called. ``private``: networks, such as
    ``10.1.0.0/16``, whose addresses may be connected to although they are not of the public internet. ``headers``, ``query`` and ``body``
    are added to every request, in the place of what a definition has under the same names. ``ca``: the path of a PEM file. ``limit``:
    connections at a time; ``redirects``: how many are followed.
    """

    allow: tuple[str, ...]
    private: tuple[str, ...] = ()
    authentication: Authentication | None = None
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    body: dict[str, Any] = {}
    ca: str | None = None
    limit: int = 100
    redirects: int = 5

    @property
    def servers(self) -> tuple[str, ...]:
        return ()

    def __repr__(self) -> str:
        return f"HttpConnection({', '.join(self.allow)})"


class QueueConnection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An embedded queue that Tasks send to: the ``path`` of its file."""

    path: str

    @property
    def servers(self) -> tuple[str, ...]:
        return ()

    def __repr__(self) -> str:
        return f"QueueConnection({self.path})"


Connection = KafkaConnection | RedisConnection | AwsConnection | HttpConnection | QueueConnection
CONNECTED_BY: dict[str, type[Connection]] = {  # by scheme
    "kafka": KafkaConnection,
    "redis": RedisConnection,
    "sqs": AwsConnection,
    "kinesis": AwsConnection,
    "http": HttpConnection,
    "https": HttpConnection,
}


class FunctionSettings(msgspec.Struct, frozen=True, kw_only=True, rename={"aws": "lambda"}):
    """Where a function is: exactly one of ``python`` (``FILE.py`` or ``FILE.py:NAME``), ``url`` (a Lambda-shaped function behind HTTP) and
    ``aws`` (written ``lambda``: the connection that calls AWS Lambda). ``name``: what it is called there, if not what the definition says.
    ``timeout`` (for ``url``) is in seconds."""

    python: str | None = None
    url: str | None = None
    aws: str | None = None
    name: str | None = None
    timeout: Annotated[float, "duration"] | None = None
    concurrency: int | None = None
    idempotent: bool | None = None


class SourceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``name``: the pipeline's. ``drain_seconds``: how long a rebalance or the end may take (sets the client's rebalance timeout).
    ``checkpoint_beside``: the file beside which a source without a memory of its own keeps its position (the sink's path, if it is a file).
    ``in_flight_records``: the dispatcher's limit, a hint for fetch sizes. ``redrive``: what fails is given back to it."""

    name: str
    drain_seconds: float = 20.0
    connection: Connection | None = None
    checkpoint_beside: str | None = None
    in_flight_records: int = 500
    redrive: bool = False


class SinkOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``name``: the pipeline's. ``for_dead_letters``: entries carry the original record, its reasons are in the headers. ``for_replay``:
    entries are original records that are sent again, each time for another execution.
    ``max_bytes``: the largest value that the pipeline can put (the payload limit)."""

    name: str
    connection: Connection | None = None
    for_dead_letters: bool = False
    for_replay: bool = False
    max_bytes: int = 262_144
