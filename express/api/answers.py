"""What the endpoint answers: JSON 1.0 as AWS's SDKs read it, errors with AWS's codes, a request id in each."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from express.errors import RequestError

CONTENT_TYPE = "application/x-amz-json-1.0"
SERVER = "Express"
STATUS = {  # of what is not 400
    "AccessDeniedException": 403,
    "IncompleteSignatureException": 403,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "UnrecognizedClientException": 403,
    "ServiceQuotaExceededException": 402,
    "RequestTimeoutException": 408,
    "RequestEntityTooLargeException": 413,
    "InternalFailure": 500,
    "ServiceUnavailable": 503,
}

encode = msgspec.json.Encoder().encode


def answer(request: str, body: bytes) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE, "Server": SERVER, "x-amzn-RequestId": request})


def refusal(request: str, error: RequestError) -> web.Response:
    # What a header holds may be no text at all
    body: dict[str, Any] = {"__type": error.code, "message": error.message.encode(errors="replace").decode()}
    headers = {"Content-Type": CONTENT_TYPE, "Server": SERVER, "x-amzn-RequestId": request, "x-amzn-ErrorType": error.code}
    return web.Response(status=STATUS.get(error.code, 400), body=encode(body), headers=headers)
