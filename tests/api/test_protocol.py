"""The protocol below the SDKs: what no SDK would send, and what every answer has."""

from __future__ import annotations

import json
import logging
import socket

import pytest

from express.api import endpoint
from tests.api.served import Served, passing
from tests.api.test_executions import until


def test_an_unknown_operation_is_named_so(server: Served) -> None:
    for target in ("DropStateMachine", "CreateActivity", None):
        status, headers, body = server.request(target=target)
        assert (status, body["__type"]) == (400, "UnknownOperationException")
        assert headers["Content-Type"] == "application/x-amz-json-1.0"


def test_an_operation_of_another_service_is_none_of_ours(server: Served) -> None:
    status, _, body = server.request(target=None, X_Amz_Target="DynamoDB_20120810.ListTables")
    assert (status, body["__type"]) == (400, "UnknownOperationException")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"maxResults": "3"}', b"[" * 100_000, b'{"nextToken": "\\ud800"}']
)
def test_a_body_that_is_not_the_operation_s_is_a_serialization_error(server: Served, body: bytes) -> None:
    status, _, answer = server.request(body)
    assert (status, answer["__type"]) == (400, "SerializationException")


def test_unknown_fields_are_passed_over_and_null_is_absent(server: Served) -> None:
    status, _, answer = server.request(b'{"maxResults": null, "tomorrow": {"a": 1}}')
    assert status == 200
    assert "stateMachines" in answer


def test_what_is_missing_is_a_validation_error_that_names_all_of_it(server: Served) -> None:
    status, _, answer = server.request(b'{"name": null}', "CreateStateMachine")
    assert (status, answer["__type"]) == (400, "ValidationException")
    assert answer["message"].startswith("3 validation errors detected: Value null at 'name' failed to satisfy constraint")


def test_every_answer_and_every_line_of_the_log_has_the_request_s_id(server: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "express"):
        answers = [
            server.request(),
            server.request(b"{", "CreateStateMachine"),
            server.request(target="Nothing"),
            server.request(method="GET", path="/nowhere"),
            server.request(method="PUT"),
        ]
    identities = [headers["x-amzn-RequestId"] for _, headers, _ in answers]
    assert len(set(identities)) == len(answers)
    said = [record.getMessage() for record in caplog.records if record.getMessage().startswith("request ")]
    assert [each for each in identities[:3] if not any(each in line for line in said)] == []


def test_no_payload_is_logged(server: Served, caplog: pytest.LogCaptureFixture) -> None:
    arn = server.create("quiet", passing("canary"))
    with caplog.at_level(logging.DEBUG):
        server.client.start_sync_execution(stateMachineArn=arn, input='{"secret": "canary"}')
        server.request(json.dumps({"stateMachineArn": arn, "input": "canary{"}).encode(), "StartSyncExecution")
    own = [record.getMessage() for record in caplog.records if record.name.startswith("express")]
    assert own
    assert not any("canary" in line for line in own)


def test_other_methods_and_paths_are_refused(server: Served) -> None:
    assert server.request(method="PUT")[0] == 405
    assert server.request(path="/elsewhere")[0] == 404
    assert server.request(path="/?x=1")[0] == 405
    assert server.request(method="GET", path="/nowhere")[0] == 404


def test_a_body_over_the_limit_is_refused_before_it_is_read(server: Served) -> None:
    status, headers, answer = server.request(b"x" * (endpoint.LARGEST + 1))
    assert (status, answer["__type"]) == (413, "RequestEntityTooLargeException")
    assert headers["x-amzn-RequestId"]


def test_a_definition_of_a_mebibyte_fits_however_it_is_escaped(server: Served) -> None:
    text = passing("x" * 200_000)
    definition = (text + " " * (1_048_576 - len(text))).replace('"', '\\"').replace(" ", "\\u0020")
    escaped = f'{{"name": "escaped", "definition": "{definition}", "roleArn": "r", "type": "EXPRESS"}}'
    assert server.request(escaped.encode(), "CreateStateMachine")[0] == 200


def _raw(server: Served) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AWSStepFunctions.ListStateMachines\r\n"


def test_a_caller_that_sends_its_body_slowly_is_given_up(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "SLOW", 0.2)
    with _raw(server) as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
    assert server.request()[0] == 200


def test_a_caller_that_asks_first_is_told_to_go_on(server: Served) -> None:
    with _raw(server) as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    with _raw(server) as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_in_chunks_is_read(server: Served) -> None:
    with _raw(server) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_chunks_that_never_end_are_cut_off_at_the_limit(server: Served) -> None:
    with _raw(server) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        try:
            for _ in range(12):
                connection.sendall(chunk)
        except OSError:
            pass
        else:
            assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")
    assert server.request()[0] == 200


def test_one_connection_serves_many_requests(server: Served) -> None:
    with _raw(server) as connection:
        for _ in range(3):
            connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


NO_HTTP = [
    b"\x16\x03\x01\x02\x00 not http\r\n\r\n",
    b"hello there\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"POST / HTTP/9.9\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
    HEAD + b"Content-Length: -1\r\n\r\n",
    HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    HEAD + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
    HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(2_000)) + b"\r\n",
]


@pytest.mark.parametrize("noise", NO_HTTP)
def test_what_is_not_http_is_refused_like_everything_else_and_harms_nobody(
    server: Served, caplog: pytest.LogCaptureFixture, noise: bytes
) -> None:
    with caplog.at_level(logging.INFO), _raw(server) as connection:
        connection.sendall(noise)
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert first.split()[1] == "400"
    assert json.loads(body)["__type"] == headers["x-amzn-errortype"] == "SerializationException"
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"request {headers['x-amzn-requestid']}: refused: it is no HTTP"]
    assert server.request()[0] == 200


def test_headers_that_are_no_text_are_refused(server: Served) -> None:
    with _raw(server) as connection:
        connection.sendall(HEAD.replace(b"ListStateMachines", b"\xff\xfe") + b"Content-Length: 2\r\n\r\n{}")
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"UnknownOperationException" in answer


def test_a_caller_that_goes_away_is_no_error(server: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "express"):
        with _raw(server) as connection:
            connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        until(lambda: any("the caller has gone" in record.getMessage() for record in caplog.records))
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1.example.com:8083", "", "192.168.1.1"])
def test_a_web_page_that_has_rebound_its_name_is_refused(server: Served, host: str) -> None:
    status, _, answer = server.request(Host=host)
    assert (status, answer["__type"]) == (403, "AccessDeniedException")


def test_a_web_page_of_another_origin_is_refused(server: Served) -> None:
    assert server.request(Origin="http://localhost:3000")[0] == 403


@pytest.mark.parametrize("host", ["localhost:8083", "127.0.0.1", "[::1]:8083", "sync-localhost:8083", "express.localhost"])
def test_names_of_this_machine_are_served(server: Served, host: str) -> None:
    assert server.request(Host=host)[0] == 200
