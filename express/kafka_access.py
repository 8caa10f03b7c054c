"""The settings of an aiokafka client in, why no broker let it in out: one sentence. aiokafka itself says only that it could not."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from aiokafka import errors
from aiokafka.conn import create_conn
from aiokafka.protocol.metadata import MetadataRequest

ANSWER_SECONDS = 5.0  # for each broker
BROKERS = 3  # that are asked: what is wrong with credentials is wrong everywhere

CREDENTIALS = (errors.AuthenticationFailedError, errors.SaslAuthenticationFailed)
NOT_OFFERED = (errors.UnsupportedSaslMechanismError, errors.AuthenticationMethodNotSupported, errors.IllegalSaslStateError)

HANDED_ON = ("client_id", "security_protocol", "ssl_context", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password")


class Refusal(NamedTuple):
    """What one broker did when we came, and the sentence for it."""

    sentence: str
    error: BaseException


async def refusal(client: Mapping[str, Any]) -> Refusal | None:
    """Asks the first brokers once more, as ``bootstrap`` did, and keeps what they say; None when nobody is there to refuse anything."""
    for server in client["bootstrap_servers"][:BROKERS]:
        error = await _knock(server, client)
        if error is not None and (sentence := explained(error, server, client)):
            return Refusal(sentence, error)
    return None


async def _knock(server: str, client: Mapping[str, Any]) -> BaseException | None:
    host, _, port = server.rpartition(":")
    settings = {name: client[name] for name in HANDED_ON if name in client}
    connection = None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            connection = await create_conn(host.strip("[]"), int(port), request_timeout_ms=int(ANSWER_SECONDS * 1000), **settings)
            await connection.send(MetadataRequest([]))
    except (OSError, errors.KafkaError, TimeoutError) as error:
        return error
    finally:
        if connection is not None:
            with suppress(Exception):
                connection.close()
    return None


def explained(error: BaseException, server: str, client: Mapping[str, Any]) -> str | None:
    """The sentence; None for what says nothing about who we are (nobody listens, no such host)."""
    security = client.get("security_protocol", "PLAINTEXT")
    tls = security.endswith("SSL")
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message.rstrip(".") or error.reason
        if "mismatch" in why.lower():
            return f"the certificate of {server} is for another host ({why}): use a name that is in it"
        return f"the certificate of {server} is not trusted ({why}): the connection's ca names the authority that signed it"
    if isinstance(error, CREDENTIALS):
        return f"{server} refused the connection's username and password"
    if isinstance(error, NOT_OFFERED):
        mechanism = client.get("sasl_mechanism")
        return f"{server} does not take {mechanism} with {security}: the connection's security and mechanism are its listener's"
    if isinstance(error, ssl.SSLError) or (tls and isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError)):
        why = _short(error)
        return f"{server} does not speak TLS as this connection wants it ({why}): its listener expects another security, or a certificate"
    if isinstance(error, errors.KafkaConnectionError):
        return f"{server} hung up: its listener expects another security than {security}{' or a certificate' if tls else ''}"
    return None


def _short(error: BaseException) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error or type(error).__name__)
