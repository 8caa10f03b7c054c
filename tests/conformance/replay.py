"""Recorded requests and answers of AWS's services over real HTTP: a server that expects what AWS was asked, and says what AWS said."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import uuid
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import botocore.session

PLACEHOLDER = re.compile(r"<[^>]+>|RequestId|(?:start-)?date|execution-arn")
MOMENT = 1_700_000_000.125  # what stands where a time was recorded
SUFFIX = re.compile(r" \(Service: (?P<service>\w+)[;,] Status Code: (?P<status>\d+)(?:; Error Code: (?P<code>\w+))?.*\)$", re.DOTALL)

# The services as resources name them: botocore's name
SERVICES = {
    "states": "stepfunctions", "sfn": "stepfunctions", "cloudwatchlogs": "logs", "eventbridge": "events", "bedrock": "bedrock-runtime",
    "cognitoidentityprovider": "cognito-idp", "costexplorer": "ce", "elasticloadbalancingv2": "elbv2",
}  # fmt: skip


class Replay:
    """The tasks of one case. ``asked``: what was wrong with requests, one sentence each."""

    def __init__(self, trace: list[dict[str, Any]]) -> None:
        self._left = [Recorded(task) for task in trace]
        self.wrong: list[str] = []
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        with self._lock:
            found = next((task for task in self._left if task.is_for(request)), None)
            if found is None:
                self.wrong.append(f"nobody asked AWS for {request.method} {request.path} {request.operation}")
                return Answer(500, {}, b'{"__type": "NotRecorded"}')
            self._left.remove(found)
        self.wrong += found.differences(request)
        return found.answer(request)

    def left(self) -> list[str]:
        """What AWS was asked, and this server was not. What never reached a service on AWS either is not expected."""
        return [task.name for task in self._left if not task.unreached]


class Request:
    def __init__(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        self.method, self.path, self.headers, self.body = handler.command, handler.path, handler.headers, body
        self.form = dict(parse_qsl(body.decode(), keep_blank_values=True)) if b"Action=" in body[:200] else {}
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.operation: str | None = target or self.form.get("Action")


class Answer:
    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


class Recorded:
    """One task that AWS did, as its trace has it."""

    def __init__(self, task: Mapping[str, Any]) -> None:
        kind, self.parameters, self.result = task["resourceType"], task["parameters"], task["result"]
        self.name = f"{kind}:{task['resource']}"
        service = kind.removeprefix("aws-sdk:")
        model = botocore.session.get_session().get_service_model(SERVICES.get(service, service))
        self._operation = next(
            model.operation_model(name) for name in model.operation_names if name.lower() == task["resource"].lower()
        )  # fmt: skip
        self._model = model
        self.unreached = str(self.result.get("error", "")).endswith("SdkClientException")

    def is_for(self, request: Request) -> bool:
        return not self.unreached and request.operation in (None, self._operation.name)

    def differences(self, request: Request) -> Iterator[str]:
        """Names that were sent and should not have been, or the other way round. Values are the cases' own: names of queues differ."""
        if self._model.protocol == "json":
            yield from _differences(self.parameters, json.loads(request.body), self._operation.input_shape, self.name)

    def answer(self, request: Request) -> Answer:
        if self.result["ev"] == "TaskFailed":
            return self._failed()
        output = dict(self.result["output"] or {})
        headers = {"x-amzn-RequestId": str(uuid.uuid4()), "Content-Type": "application/x-amz-json-1.0"}
        length = 0
        if (about := output.pop("SdkHttpMetadata", None)) is not None:
            headers = {name: "some" if PLACEHOLDER.search(value) else value for name, value in about["HttpHeaders"].items()}
            headers |= {name: str(uuid.uuid4()) for name in headers if name.lower() == "x-amzn-requestid"}
            length = int(headers.pop("Content-Length", 0))
        output.pop("SdkResponseMetadata", None)
        shape = self._operation.output_shape
        if self._model.service_name == "s3" and self._operation.name == "PutObject":
            output["ETag"] = f'"{hashlib.md5(request.body).hexdigest()}"'
            output["ChecksumCRC32"] = base64.b64encode(zlib.crc32(request.body).to_bytes(4, "big")).decode()
        if self._model.protocol in ("json", "rest-json"):
            body = json.dumps(_api(output, shape), separators=(",", ":")).encode()
            return Answer(200, {**headers, "Content-Length": str(max(length, len(body)))}, body.ljust(length))
        if self._model.protocol == "rest-xml":
            return self._rest_xml(output, shape)
        inner = _xml(output, shape)
        name = self._operation.name
        metadata = "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
        text = f"<{name}Response><{name}Result>{inner}</{name}Result>{metadata}</{name}Response>"
        return Answer(200, {**headers, "Content-Type": "text/xml", "Content-Length": str(len(text))}, text.encode())

    def _rest_xml(self, output: Mapping[str, Any], shape: Any) -> Answer:
        members = {_plain(name): (name, member) for name, member in shape.members.items()}
        headers, inside, body = {"x-amz-request-id": str(uuid.uuid4())}, {}, b""
        for key, value in output.items():
            name, member = members[_plain(key)]
            place = member.serialization
            if place.get("location") == "header":
                headers[place["name"]] = str(value)
            elif shape.serialization.get("payload") == name:
                body = str(value).encode()
            else:
                inside[key] = value
        if inside:
            body = f"<Result>{_xml(inside, shape)}</Result>".encode()
        return Answer(200, {**headers, "Content-Length": str(len(body))}, body)

    def _failed(self) -> Answer:
        cause, error = self.result["cause"], self.result["error"].partition(".")[2]
        found = SUFFIX.search(cause)
        assert found is not None, f"{self.name}: a cause without a service: {cause}"
        message = cause[: found.start()]
        known = {_plain(shape.name): shape.error_code for shape in self._model.error_shapes}
        plain = _plain(error.removesuffix("Exception"))
        code = found["code"] or known.get(_plain(error)) or known.get(plain) or "ValidationException"
        request = str(uuid.uuid4())
        if self._model.protocol in ("json", "rest-json"):
            body = json.dumps({"__type": f"com.amazonaws#{code}", "message": message}).encode()
            headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": request, "x-amzn-errortype": code}
        else:
            inner = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
            xml = (
                f"<Error>{inner}</Error>" if self._model.service_name == "s3" else f"<ErrorResponse><Error>{inner}</Error></ErrorResponse>"
            )
            body = xml.encode()
            headers = {"Content-Type": "application/xml", "x-amz-request-id": request, "x-amz-id-2": "extended"}
        return Answer(int(found["status"]), {**headers, "Content-Length": str(len(body))}, body)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _api(value: Any, shape: Any) -> Any:
    """A result, with the API's names."""
    kind = shape.type_name if shape is not None else None
    if kind == "structure":
        members = {_plain(name): (name, member) for name, member in shape.members.items()}
        return {members[_plain(name)][0]: _api(inner, members[_plain(name)][1]) for name, inner in value.items()}
    if kind == "list":
        return [_api(inner, shape.member) for inner in value]
    if kind == "map":
        return {name: _api(inner, shape.value) for name, inner in value.items()}
    return MOMENT if kind == "timestamp" else value


def _xml(value: Any, shape: Any) -> str:
    kind = shape.type_name
    if kind == "structure":
        members = {_plain(name): (name, member) for name, member in shape.members.items()}
        parts = []
        for key, inner in value.items():
            name, member = members[_plain(key)]
            name = member.serialization.get("name", name)
            parts.append(f"<{name}>{_xml(inner, member)}</{name}>")
        return "".join(parts)
    if kind == "list":
        return "".join(f"<member>{_xml(inner, shape.member)}</member>" for inner in value)
    if kind == "timestamp":
        return "2023-11-14T22:13:20.125Z"
    return escape(str(value).lower() if isinstance(value, bool) else str(value))


def _differences(wanted: Any, sent: Any, shape: Any, place: str) -> Iterator[str]:
    kind = shape.type_name if shape is not None else None
    if kind == "structure" and isinstance(wanted, dict):
        members = {_plain(name): (name, member) for name, member in shape.members.items()}
        made = {name for name, member in shape.members.items() if member.metadata.get("idempotencyToken")}  # by whoever asks
        names = {members[_plain(name)][0]: (inner, members[_plain(name)][1]) for name, inner in wanted.items() if inner is not None}
        if set(names) - made != set(sent) - made:
            yield f"{place}: AWS was sent {sorted(names)}, here it was {sorted(sent)}"
            return
        for name, (inner, member) in names.items():
            yield from _differences(inner, sent[name], member, f"{place}.{name}")
    elif kind == "map":
        for name, inner in wanted.items():
            yield from _differences(inner, sent.get(name), shape.value, f"{place}.{name}")
    elif kind == "list":
        for number, inner in enumerate(wanted):
            yield from _differences(inner, sent[number], shape.member, f"{place}[{number}]")
    elif kind == "string" and not isinstance(wanted, str):
        if json.loads(sent) != wanted:
            yield f"{place}: {wanted!r} is not what {sent!r} says"
    elif type(wanted) is not type(sent):
        yield f"{place}: {wanted!r} is not {sent!r}"


@contextmanager
def serving() -> Iterator[Served]:
    """The server, for as many cases as there are: each sets its ``replay``."""
    server = Served()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="replay", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class Served(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replay = Replay([])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        served: Served = self.server  # type: ignore[assignment]
        answer = served.replay.answer(Request(self, body))
        self.send_response_only(answer.status)  # no header but those that AWS sent
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass
