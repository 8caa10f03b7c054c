"""Functions behind an HTTP address and in AWS Lambda, over real HTTP: what they get, what comes of all that can go wrong."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

import express
from express.errors import ConfigurationError
from express.options import AwsConnection
from express.outcome import Outcome
from express.program import Program
from express.tasks.remote import HttpFunction, LambdaFunction, Remote
from tests.tasks.function_server import ERROR, INVOKE, Functions, serving

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:"


@pytest.fixture(scope="module")
def server() -> Iterator[Functions]:
    with serving() as found:
        yield found


@pytest.fixture(params=["emulator", "any", "lambda"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def function(server: Functions, name: str, kind: str = "any", **options: Any) -> Remote:
    """The server's function ``name``, reached in one of three ways."""
    if kind == "lambda":
        keys = {"access_key_id": "test", "secret_access_key": "hunter2"}
        return LambdaFunction(name, AwsConnection(region="eu-west-1", endpoint=server.url(""), **keys), **options)
    return HttpFunction(name, server.url(INVOKE.format(name) if kind == "emulator" else f"/{name}"), **options)


def direct(provided: Remote, **fields: Any) -> Program:
    states = {"Work": {"Type": "Task", "Resource": f"{ARN}{provided.name}", "End": True, **fields}}
    return express.compile({"StartAt": "Work", "States": states}, "w", {provided.name: provided})


def invoked(provided: Remote, **parameters: Any) -> Program:
    given = {"FunctionName": provided.name, "Payload.$": "$", **parameters}
    states = {"Work": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": given, "End": True}}
    return express.compile({"StartAt": "Work", "States": states}, "w", {provided.name: provided})


def failure(outcome: Outcome) -> tuple[str | None, str]:
    assert outcome.status == "FAILED", outcome
    return outcome.error, outcome.cause or ""


def test_a_function_gets_the_event_and_its_answer_is_the_states(server: Functions, kind: str) -> None:
    assert direct(function(server, "price", kind)).run({"total": 65}).output == {"got": {"total": 65}}
    assert server.calls[-1][0] == (INVOKE.format("price") if kind == "emulator" else "/price" if kind == "any" else server.calls[-1][0])


def test_lambda_is_asked_for_the_arn_that_the_definition_has_or_for_its_target(server: Functions) -> None:
    direct(function(server, "price", "lambda")).run({})
    assert server.calls[-1][0] == INVOKE.format(f"{ARN}price".replace(":", "%3A"))
    direct(function(server, "price", "lambda", target="price-prod")).run({})
    assert server.calls[-1][0] == INVOKE.format("price-prod")
    invoked(function(server, "price", "lambda"), Qualifier="7").run({})
    assert server.calls[-1][0] == INVOKE.format("price") + "?Qualifier=7"


def test_lambda_invoke_wraps_the_result_as_lambda_answered_it(server: Functions) -> None:
    output = invoked(function(server, "price", "lambda")).run({"a": 1}).output
    assert (output["Payload"], output["ExecutedVersion"], output["StatusCode"]) == ({"got": {"a": 1}}, "7", 200)
    assert output["SdkHttpMetadata"]["HttpHeaders"]["X-Amz-Executed-Version"] == "7"
    output = invoked(function(server, "price", "any")).run({"a": 1}).output
    assert (output["Payload"], output["StatusCode"]) == ({"got": {"a": 1}}, 200)


def test_a_function_behind_http_is_told_which_call_it_is(server: Functions) -> None:
    direct(function(server, "price")).run({}, name="order-7")
    headers = server.calls[-1][1]
    assert (headers["express-execution"], headers["express-state"], headers["express-attempt"]) == ("order-7", "Work", "1")


@pytest.mark.parametrize("name", ["fails", "emulated"])
def test_a_functions_error_is_the_states_with_all_it_reported_as_the_cause(server: Functions, name: str, kind: str) -> None:
    outcome = direct(function(server, name, kind)).run({})
    if name == "emulated" and kind != "emulator":  # without a header it is a result like any other
        assert outcome.output == ERROR
        return
    error, cause = failure(outcome)
    assert (error, json.loads(cause)) == ("OutOfStock", ERROR)


def test_an_error_without_a_type_is_lambda_unknown(server: Functions, kind: str) -> None:
    error, cause = failure(direct(function(server, "untyped", kind)).run({}))
    assert error == "Lambda.Unknown"
    assert cause.endswith('Returned payload: {"errorMessage": "who knows"}')


def test_what_the_emulator_says_of_a_timeout_is_lambdas_timeout(server: Functions) -> None:
    error, cause = failure(direct(function(server, "late", "emulator")).run({}))
    assert error == "Sandbox.Timedout"
    assert json.loads(cause)["errorMessage"].endswith("Error: Task timed out after 3.00 seconds")


def test_a_function_that_takes_longer_than_its_timeout_fails_as_lambdas_do(server: Functions) -> None:
    error, cause = failure(direct(function(server, "hangs", timeout=0.05)).run({}))
    assert error == "Sandbox.Timedout"
    assert "Task timed out after 0.05 seconds" in cause


def test_a_states_timeout_comes_before_an_answer(server: Functions, kind: str) -> None:
    assert failure(direct(function(server, "hangs", kind), TimeoutSeconds=1).run({}))[0] == "States.Timeout"


def test_a_function_that_is_killed_in_the_middle_of_a_call_is_a_client_error_that_can_be_retried(server: Functions, kind: str) -> None:
    retry = [{"ErrorEquals": ["Lambda.SdkClientException"], "MaxAttempts": 1, "IntervalSeconds": 1, "BackoffRate": 1.0}]
    program = direct(function(server, "killed", kind), Retry=retry)
    before = len(server.calls)
    error, cause = failure(program.run({}))
    assert (error, len(server.calls) - before) == ("Lambda.SdkClientException", 2)
    assert cause.startswith("Unable to execute HTTP request: ")


def test_nobody_there_is_a_client_error(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    connection = AwsConnection(region="eu-west-1", endpoint=url, access_key_id="test", secret_access_key="hunter2")
    provided = LambdaFunction("price", connection) if kind == "lambda" else HttpFunction("price", f"{url}/price")
    error, cause = failure(direct(provided).run({}))
    assert error == "Lambda.SdkClientException"
    assert cause.startswith("Unable to execute HTTP request: ")
    assert "hunter2" not in cause


def test_garbage_is_no_result(server: Functions) -> None:
    error, cause = failure(direct(function(server, "garbage")).run({}))
    assert error == "Lambda.SdkClientException"
    assert cause.startswith("Unable to unmarshall response: ")


def test_ten_mebibytes_are_more_than_lambda_lets_through_and_are_not_read(server: Functions, kind: str) -> None:
    error, cause = failure(direct(function(server, "huge", kind)).run({}))
    assert error == "Function.ResponseSizeTooLarge"
    assert "exceeded maximum allowed payload size (6291556 bytes)" in cause


def test_more_than_256_kib_are_more_than_a_state_can_have(server: Functions, kind: str) -> None:
    assert failure(direct(function(server, "large", kind)).run({}))[0] == "States.DataLimitExceeded"


def test_no_content_is_null(server: Functions) -> None:
    assert direct(function(server, "empty")).run({}) == Outcome("SUCCEEDED", None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (429, "Lambda.TooManyRequestsException"),
        (413, "Lambda.RequestTooLargeException"),
        (404, "Lambda.ResourceNotFoundException"),
        (403, "Lambda.AWSLambdaException"),
        (500, "Lambda.ServiceException"),
        (503, "Lambda.ServiceException"),
    ],
)
def test_a_status_is_what_lambdas_api_would_mean_by_it(server: Functions, status: int, expected: str) -> None:
    error, cause = failure(direct(function(server, str(status))).run({}))
    assert error == expected
    assert cause.startswith(f"because of {status} (Service: AWSLambda; Status Code: {status}; Error Code: ")


def test_a_redirect_is_not_followed(server: Functions) -> None:
    before = len(server.calls)
    assert failure(direct(function(server, "moved")).run({}))[0] == "Lambda.AWSLambdaException"
    assert len(server.calls) == before + 1


async def test_no_more_calls_run_at_a_time_than_the_function_allows(server: Functions, kind: str) -> None:
    states = {"Fan": {"Type": "Map", "ItemProcessor": direct_states("slow"), "End": True}}
    provided = {"slow": function(server, "slow", kind, concurrency=2)}
    program = express.compile({"StartAt": "Fan", "States": states}, "w", provided)
    server.most = 0
    assert (await program.execute([1] * 6)).status == "SUCCEEDED"
    assert server.most == 2
    server.most = 0
    free = express.compile({"StartAt": "Fan", "States": states}, "w", {"slow": function(server, "slow", kind)})
    assert (await free.execute([1] * 6)).status == "SUCCEEDED"
    assert server.most > 2


def direct_states(name: str) -> dict[str, Any]:
    return {"StartAt": "One", "States": {"One": {"Type": "Task", "Resource": f"{ARN}{name}", "End": True}}}


async def test_a_call_whose_workflow_has_timed_out_is_let_go_of(server: Functions) -> None:
    program = direct(function(server, "hangs"), TimeoutSeconds=1)
    began = asyncio.get_running_loop().time()
    assert (await program.execute({})).error == "States.Timeout"
    assert asyncio.get_running_loop().time() - began < 1.4


def test_a_star_provides_all_others(server: Functions) -> None:
    provided = {"*": function(server, "any"), "price": express.function(run="inline")(lambda event: "here")}
    states = {
        "One": {"Type": "Task", "Resource": f"{ARN}price", "ResultPath": "$.one", "Next": "Two"},
        "Two": {"Type": "Task", "Resource": f"{ARN}ship", "End": True},
    }
    assert express.compile({"StartAt": "One", "States": states}, "w", provided).run({}).output == {"got": {"one": "here"}}


@pytest.mark.parametrize("url", ["ftp://host/x", "http:///x", "http://user:secret@host/x", "host:80"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="expected http://HOST:PORT/PATH or https://HOST/PATH without credentials"):
        HttpFunction("price", url)
