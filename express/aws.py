"""An address and a connection in, a client of one of AWS's services out; its errors as one sentence each."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, PartialCredentialsError, ProfileNotFound

from express.addresses import Address
from express.aws_loader import loader
from express.errors import ConnectionFailed
from express.options import AwsConnection, Connection

CONNECT_SECONDS = 20.0  # for every step of a start together
ANSWER_SECONDS = 30.0  # for any answer; a read that waits waits for less
CLOSE_SECONDS = 1.0

FOR_NOW: tuple[type[BaseException], ...] = (BotoCoreError, ClientError, OSError)  # what another try may change
CREDENTIALS = (NoCredentialsError, PartialCredentialsError, ProfileNotFound, NoRegionError)
REFUSED = {"AccessDenied", "AccessDeniedException", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"}

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}", re.ASCII)

Answer = TypeVar("Answer")


class Endpoint(msgspec.Struct, frozen=True):
    """Something at a service of AWS, and how to reach it."""

    text: str  # of the address
    name: str
    account: str | None
    region: str | None
    connection: AwsConnection

    def __str__(self) -> str:
        return self.text

    async def client(self, service: str) -> Any:
        """A client of a service, to be closed by ``close``. Raises what botocore does."""
        # the rest of what is to be tried again is up to us
        settings = AioConfig(
            connect_timeout=5,
            read_timeout=ANSWER_SECONDS,
            max_pool_connections=50,
            retries={"mode": "standard", "total_max_attempts": 2},
            user_agent_extra="express",
        )
        return await client_of(self.connection, service, self.region, settings)


class Session(AIOHTTPSession):  # type: ignore[misc] # untyped
    """Keeps an answer's headers as they came, as ``headers.received``: botocore makes all of them small, and a state shows them."""

    async def send(self, request: Any) -> Any:
        response = await super().send(request)
        response.headers.received = [(name.decode(), value.decode(errors="replace")) for name, value in response.raw.raw_headers]
        return response


def task_settings(seconds: float) -> AioConfig:
    """For what a workflow asks of a service. Nothing is tried twice but by its Retry, nothing is refused before the service has seen it.
    ``seconds``: how long an answer may take."""
    return AioConfig(
        connect_timeout=5,
        read_timeout=seconds,
        max_pool_connections=100,
        retries={"mode": "standard", "total_max_attempts": 1},
        parameter_validation=False,
        http_session_cls=Session,
        user_agent_extra="express",
    )


async def client_of(given: AwsConnection, service: str, region: str | None, settings: AioConfig) -> Any:
    """A client of a service, to be closed by ``close``. Raises what botocore does."""
    for name in ("botocore", "aiobotocore"):  # where they found credentials is of interest to who debugs them
        if logging.getLogger(name).level == logging.NOTSET:
            logging.getLogger(name).setLevel(logging.WARNING)
    session = AioSession(profile=given.profile)
    session.register_component("data_loader", loader())
    url = endpoint_of(given, service)
    if url is not None and service == "s3":
        # a bucket's name is no part of the host's: only AWS's own hosts have it there
        settings = settings.merge(AioConfig(s3={"addressing_style": "path"}))
    context = session.create_client(
        service,
        region_name=region or given.region,
        endpoint_url=url,
        aws_access_key_id=given.access_key_id,
        aws_secret_access_key=given.secret_access_key,
        aws_session_token=given.session_token,
        config=settings,
    )
    return await context.__aenter__()


async def signed(given: AwsConnection, service: str, region: str, method: str, url: str, body: bytes | None) -> dict[str, str]:
    """The headers of Signature Version 4 for a request that no client of botocore's makes. Raises what botocore does where there are no
    credentials. Signed are the host, the path, the query and the body, and none of the headers that a proxy may change."""
    if given.access_key_id is not None:
        credentials: Any = Credentials(given.access_key_id, given.secret_access_key, given.session_token)
    else:
        found = await AioSession(profile=given.profile).get_credentials()
        if found is None:
            raise NoCredentialsError
        frozen = await found.get_frozen_credentials()
        credentials = Credentials(frozen.access_key, frozen.secret_key, frozen.token)
    request = AWSRequest(method=method, url=url, data=body or b"")
    SigV4Auth(credentials, service, region).add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


def endpoint_of(given: AwsConnection, service: str) -> str | None:
    """Where a service is, if not where AWS has it. ``service``: botocore's name."""
    return given.endpoints.get(service, given.endpoint)


def endpoint(address: Address, connection: Connection | None, allowed: Iterable[str], example: str) -> tuple[Endpoint, list[str]]:
    """Where to go, and everything that is wrong with the address, one sentence each. ``REGION/NAME``, ``REGION/ACCOUNT/NAME`` or the name
    of a connection in the place of the region."""
    known = ("connection", *allowed)
    scheme = address.scheme
    found = [
        f"{address}: {scheme} has no option {name!r} here: expected {', '.join(known)}" for name in address.options if name not in known
    ]
    account, slash, name = address.name.rpartition("/")
    if not name or "/" in account or (slash and not (account.isdecimal() and len(account) == 12)):
        found.append(f"{address}: expected REGION/NAME or REGION/ACCOUNT/NAME, as in {example}")
    region = address.servers[0] if len(address.servers) == 1 else None
    if connection is None and (region is None or not _REGION.fullmatch(region)):
        found.append(f"{address}: expected a region or the name of a connection first, as in {example}")
    assert connection is None or isinstance(connection, AwsConnection), "the configuration's check lets no other kind through"
    return Endpoint(address.text, name, account or None, region, connection or AwsConnection()), found


def code(error: BaseException) -> str:
    """AWS's name of an error, without what comes before it in some services."""
    return str(error.response.get("Error", {}).get("Code", "")).rpartition(".")[2] if isinstance(error, ClientError) else ""


def sentence(error: BaseException, where: Endpoint, missing: Sequence[str] = ()) -> str:
    """What happened, and where."""
    name = code(error)
    if name in missing:
        return f"{where}: there is nothing of this name: create it, Express creates nothing at AWS"
    if name in REFUSED:
        return f"{where}: access denied: {_message(error)}"
    if isinstance(error, CREDENTIALS):
        return f"{where}: {str(error).rstrip('.')}: credentials and region come from a connection, the environment, a profile or a role"
    if isinstance(error, ClientError):
        return f"{where}: {name}: {_message(error)}"
    if isinstance(error, (OSError, BotoCoreError)):
        return f"{where} cannot be reached: {' '.join(str(error).split()) or type(error).__name__}"
    return f"{where}: {type(error).__name__}: {error}"


def _message(error: BaseException) -> str:
    text = error.response.get("Error", {}).get("Message", "") if isinstance(error, ClientError) else ""
    return " ".join(str(text).split()) or type(error).__name__


async def started(steps: Awaitable[Answer], where: Endpoint, missing: Sequence[str] = ()) -> Answer:
    """The result of the steps of a start; whatever goes wrong or takes too long becomes a ConnectionFailed with one sentence."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await steps
    except TimeoutError as error:
        raise ConnectionFailed(f"{where} did not answer within {CONNECT_SECONDS:.0f} s") from error
    except FOR_NOW as error:
        raise ConnectionFailed(sentence(error, where, missing)) from error


async def running(steps: Awaitable[Answer], where: Endpoint, missing: Sequence[str] = ()) -> Answer:
    """The result of steps while running; what another try does not change becomes a ConnectionFailed with one sentence."""
    try:
        return await steps
    except ClientError as error:
        if code(error) in REFUSED or code(error) in missing:
            raise ConnectionFailed(sentence(error, where, missing)) from error
        raise


async def close(client: Any) -> None:
    if client is not None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await client.__aexit__(None, None, None)
        except FOR_NOW:
            pass
