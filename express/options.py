"""What an adapter is given beside its address: typed, resolved, with nothing left to look up."""

from __future__ import annotations

from typing import Literal

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
    """How to reach and talk to a Redis server. ``ca`` is the path of a PEM file; without it the system's authorities count."""

    server: str
    database: int = 0
    username: str | None = None
    password: str | None = None
    tls: bool = False
    ca: str | None = None

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


Connection = KafkaConnection | RedisConnection | AwsConnection
CONNECTED_BY: dict[str, type[Connection]] = {"kafka": KafkaConnection, "redis": RedisConnection, "sqs": AwsConnection}  # by scheme


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
    """``name``: the pipeline's. ``for_dead_letters``: entries carry the original record, its reasons are in the headers.
    ``max_bytes``: the largest value that the pipeline can put (the payload limit)."""

    name: str
    connection: Connection | None = None
    for_dead_letters: bool = False
    max_bytes: int = 262_144
