"""What goes wrong at a service of AWS, under the error names and in the words that Step Functions has for it."""

from __future__ import annotations

import socket
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from express.runtime.failures import StateError
from express.tasks.aws_names import exception

PERMISSIONS = "States.Permissions"
# Codes of a service that does not know who asks: on AWS, that a role cannot be had
UNKNOWN_CALLER = {
    "ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidClientTokenId", "InvalidAccessKeyId",
    "InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException", "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
}  # fmt: skip


class Style(NamedTuple):
    """How one integration names errors: ``SQS`` and ``AmazonSQSException`` for those that the model does not have, and ``AmazonSQS`` in
    causes. ``old``: causes as Java's first SDK words them, as the optimised integrations do; the others are made with its second."""

    prefix: str
    base: str
    service: str
    old: bool = True


def failure(error: BaseException, style: Style, service: Any) -> StateError:
    """The failure of a state whose call raised ``error``. ``service`` is botocore's model of it."""
    from aiohttp import ClientError as Broken
    from botocore.exceptions import BotoCoreError, ClientError

    from express.aws import CREDENTIALS

    if isinstance(error, StateError):
        return error
    if isinstance(error, ClientError):
        return _answered(error, style, service)
    if isinstance(error, CREDENTIALS):
        return StateError(PERMISSIONS, f"{str(error).rstrip('.')} (Service: {style.service})")
    if isinstance(error, (BotoCoreError, Broken, OSError)):
        return StateError(f"{style.prefix}.SdkClientException", f"Unable to execute HTTP request: {_unreached(error)}")
    raise error


def _answered(error: Any, style: Style, service: Any) -> StateError:
    """The service has said no."""
    answer, about = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, message = str(answer.get("Code", "")), str(answer.get("Message", answer.get("message", "")))
    status, request = about.get("HTTPStatusCode"), about.get("RequestId")
    # Services that had another protocol once say both names: the model's and the one of then
    shape = service.shape_for_error_code(code) or service.shape_for_error_code(str(answer.get("QueryErrorCode", "")))
    name = style.base if shape is None else exception(shape.name, old=style.old)
    if style.old:
        details = f"Service: {style.service}; Status Code: {status}; Error Code: {code}; Request ID: {request}; Proxy: null"
    else:
        details = f"Service: {style.service}, Status Code: {status}, Request ID: {request}"
        if host := about.get("HostId"):
            details += f", Extended Request ID: {host}"
    cause = f"{message} ({details})" if message else f"null ({details})"
    return StateError(PERMISSIONS if code in UNKNOWN_CALLER else f"{style.prefix}.{name}", cause)


def _unreached(error: BaseException) -> str:
    """Why no answer came: ``broker: Name or service not known``, ``Connect to 127.0.0.1:1 failed: Connection refused``."""
    from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

    given: dict[str, Any] = getattr(error, "kwargs", {})
    url = urlsplit(str(given.get("endpoint_url", "")))
    if isinstance(error, ReadTimeoutError):
        return "Read timed out"
    if isinstance(error, ConnectTimeoutError):
        return f"Connect to {url.netloc} failed: connect timed out"
    below = given.get("error")
    reason = getattr(below, "os_error", below)
    if isinstance(reason, socket.gaierror) or "DNS" in type(below).__name__:
        return f"{url.hostname}: {socket.gaierror(-2, 'Name or service not known').strerror}"
    if isinstance(reason, ConnectionRefusedError):
        return f"Connect to {url.netloc} failed: Connection refused"
    words = " ".join(str(reason if reason is not None else error).split()) or type(reason if reason is not None else error).__name__
    return f"{url.netloc}: {words}" if url.netloc else words
