"""Lambda-shaped functions elsewhere: behind an HTTP address, or in AWS. Both are Functions, and found, limited and called as all are."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

from express.errors import ConfigurationError
from express.options import AwsConnection
from express.runtime.failures import StateError
from express.runtime.suspensions import Call
from express.runtime.values import loads
from express.tasks.coroutines import Job, Workers
from express.tasks.function import Function
from express.tasks.integration import pool
from express.tasks.invocation import Ended

LARGEST = 6_291_556  # bytes that Lambda lets a function answer with
EMULATOR = "/2015-03-31/functions/"  # the path of Lambda's API, which the runtime interface emulator has, too
ANYWHERE = "arn:aws:lambda:us-east-1:000000000000:function:"  # of functions that a definition calls by their names

_TIMED_OUT = re.compile(r"Task timed out after (?P<seconds>[\d.]+) seconds")
_REPORT = {"errorMessage", "errorType", "requestId", "stackTrace", "trace", "cause"}

# What Lambda's API says with a status, for those that serve functions without being it
_STATUSES = {
    400: "InvalidRequestContentException", 404: "ResourceNotFoundException", 413: "RequestTooLargeException",
    415: "UnsupportedMediaTypeException", 429: "TooManyRequestsException",
}  # fmt: skip


class Answered:
    """What Lambda's API answered, for lambda:invoke to show all of it."""

    __slots__ = ("payload", "response")

    def __init__(self, payload: Any, response: dict[str, Any]) -> None:
        self.payload, self.response = payload, response


class Remote(Function[Any]):
    """A function that is somewhere else. It cannot be called as Python."""

    run: Any

    def __init__(self, name: str, concurrency: int | None, idempotent: bool | None) -> None:
        super().__init__(_not_here, name, None, concurrency, idempotent)


class HttpFunction(Remote):
    """A function behind an HTTP address: it gets the event as the body of a POST, its answer is the body of the response.

    ``url``: the runtime interface emulator's (``http://HOST:PORT/2015-03-31/functions/function/invocations``), or any that answers a POST
    of JSON with JSON. ``timeout``: seconds, after which the function fails as one does that Lambda ends.
    """

    def __init__(
        self, name: str, url: str, timeout: float | None = None, concurrency: int | None = None, idempotent: bool | None = None
    ) -> None:
        super().__init__(name, concurrency, idempotent)
        found = urlsplit(url)
        if found.scheme not in ("http", "https") or not found.hostname or found.username or found.password:
            raise ConfigurationError(f"function {name!r}: expected http://HOST:PORT/PATH or https://HOST/PATH without credentials")
        self.url, self.timeout, self.run = url, timeout, "http"


class LambdaFunction(Remote):
    """A function of AWS Lambda, called through ``connection``. ``target``: its name or ARN there, without it what the definition says."""

    def __init__(
        self,
        name: str,
        connection: AwsConnection,
        target: str | None = None,
        concurrency: int | None = None,
        idempotent: bool | None = None,
    ) -> None:
        super().__init__(name, concurrency, idempotent)
        self.connection, self.target, self.run = connection, target, "lambda"


async def _not_here(event: Any) -> Any:
    raise NotImplementedError("a remote function is called by the engine")


# --- Modes ------------------------------------------------------------------------------------------------------------------------


class _Awaited:
    """A mode of calls that are awaited in Tasks of the engine."""

    async def answer(self, call: Call, payload: Any, arn: str) -> Any:
        raise NotImplementedError

    def start(self, call: Call, payload: Any, arn: str, ended: Ended | None = None) -> None:
        async def answered(payload: Any) -> Any:
            return await self.answer(call, payload, arn)

        pool(call, Workers).run(Job(call, answered, payload, None, ended))

    def cancel(self, call: Call) -> None:
        if call.job is not None:
            call.job.cancel()

    def saturated(self) -> bool:
        return False


class Http(_Awaited):
    """Calls of an HttpFunction."""

    def __init__(self, function: HttpFunction) -> None:
        self._function = function
        self._emulator = EMULATOR in function.url

    async def answer(self, call: Call, payload: Any, arn: str) -> Any:
        import asyncio

        import aiohttp

        function, request = self._function, str(uuid.uuid4())
        headers = {
            "Content-Type": "application/json",
            "express-execution": quote(call.execution.name),
            "express-state": quote(call.state),
            "express-attempt": str(call.attempt),
        }
        try:
            async with (
                asyncio.timeout(function.timeout),
                pool(call, Sessions).session.post(
                    function.url, data=orjson.dumps(payload), headers=headers, allow_redirects=False
                ) as response,
            ):
                body = b""
                async for part in _bounded(response):
                    body += part
        except TimeoutError:
            raise _failed(_timed_out(function.timeout or 0.0, request)) from None
        except (aiohttp.ClientError, OSError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise StateError("Lambda.SdkClientException", f"Unable to execute HTTP request: {reason}") from None
        if len(body) > LARGEST:
            raise _failed(_too_large(response.content_length or len(body)))
        if not 200 <= response.status < 300:
            raise _refused(response.status, body, request)
        return self._read(body, "X-Amz-Function-Error" in response.headers, request)

    def _read(self, body: bytes, failed: bool, request: str) -> Any:
        """A response's body as the function's result, or the function's error."""
        if failed:
            raise _failed(body)
        if not body:
            return None
        try:
            value = loads(body)
        except ValueError as error:
            # The emulator says in plain text that a function took too long
            found = _TIMED_OUT.search(body[:200].decode(errors="replace")) if self._emulator else None
            if found is not None:
                raise _failed(_timed_out(float(found["seconds"]), request)) from None
            raise StateError("Lambda.SdkClientException", f"Unable to unmarshall response: {error}") from None
        # The emulator has no header for it, unlike Lambda: a runtime's report of an error is one
        if self._emulator and isinstance(value, dict) and {"errorMessage", "errorType"} <= set(value) <= _REPORT:
            raise _failed(body)
        return value


class Lambda(_Awaited):
    """Calls of a LambdaFunction."""

    def __init__(self, function: LambdaFunction) -> None:
        self._function = function

    async def answer(self, call: Call, payload: Any, arn: str) -> Any:
        from express.tasks import aws_models, aws_sdk
        from express.tasks.aws_clients import Clients
        from express.tasks.aws_errors import Style, failure
        from express.tasks.aws_optimised import metadata

        function = self._function
        asked: dict[str, Any] = {"FunctionName": function.target or arn.removeprefix(ANYWHERE), "Payload": orjson.dumps(payload)}
        invoke = call.payload if getattr(call.binding, "compact", False) and isinstance(call.payload, dict) else {}
        for name in ("ClientContext", "InvocationType", "LogType", "Qualifier"):
            if invoke.get(name) is not None:
                asked[name] = aws_models.text(invoke[name])
        try:
            client = await pool(call, Clients).client(function.connection, "lambda")
            answer = await client.invoke(**asked)
            body = await aws_sdk.read(answer["Payload"], LARGEST)
        except Exception as error:
            style = Style("Lambda", "AWSLambdaException", "AWSLambda")
            raise failure(error, style, aws_models.service("lambda")) from None
        if body is None:
            raise _failed(_too_large(LARGEST + 1))
        if answer.get("FunctionError"):
            raise _failed(body)
        try:
            value = loads(body) if body else None
        except ValueError:
            value = body.decode(errors="replace")
        response = {
            "ExecutedVersion": answer.get("ExecutedVersion"),
            "LogResult": answer.get("LogResult"),
            "Payload": value,
            **metadata(answer),
            "StatusCode": answer.get("StatusCode"),
        }
        return Answered(value, {name: inner for name, inner in response.items() if inner is not None or name == "Payload"})


class Sessions:
    """One HTTP client of an executor, for all functions behind an address."""

    stuck = 0

    def __init__(self, executor: Any) -> None:
        import aiohttp

        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        self.session = aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        await self.session.close()


async def _bounded(response: Any) -> AsyncIterator[bytes]:
    """A response's body up to the first byte that is too much."""
    size = 0
    async for part in response.content.iter_chunked(65_536):
        size += len(part)
        yield part
        if size > LARGEST:
            return


# --- Failures ---------------------------------------------------------------------------------------------------------------------


def _failed(body: bytes) -> StateError:
    """What a function's error is for the state: its ``errorType``, and all of what it reported as the cause."""
    text = body.decode(errors="replace")
    try:
        report = json.loads(text)
    except ValueError:
        report = None
    error = report.get("errorType") if isinstance(report, dict) else None
    if not isinstance(error, str) or not error:
        return StateError(
            "Lambda.Unknown",
            f"The cause could not be determined because Lambda did not return an error type. Returned payload: {text[:8_192]}",
        )
    return StateError(error, text)


def _timed_out(seconds: float, request: str) -> bytes:
    message = f"RequestId: {request} Error: Task timed out after {seconds:.2f} seconds"
    return orjson.dumps({"errorType": "Sandbox.Timedout", "errorMessage": message})


def _too_large(size: int) -> bytes:
    message = f"Response payload size ({size} bytes) exceeded maximum allowed payload size ({LARGEST} bytes)."
    return orjson.dumps({"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"})


def _refused(status: int, body: bytes, request: str) -> StateError:
    """A status that is no success, as Lambda's API would mean it."""
    code = _STATUSES.get(status) or ("ServiceException" if status >= 500 else "AWSLambdaException")
    try:
        found = json.loads(body)
        message = str(found.get("Message") or found.get("message") or found.get("errorMessage") or "") if isinstance(found, dict) else ""
    except ValueError:
        message = body[:200].decode(errors="replace")
    about = f"Service: AWSLambda; Status Code: {status}; Error Code: {code}; Request ID: {request}; Proxy: null"
    return StateError(f"Lambda.{code}", f"{' '.join(message.split()) or 'null'} ({about})")
