"""Lambda-shaped resources: how a function is found, what it gets, how its result and its absence look."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from express import tasks
from express.errors import TaskError
from express.language.model import ROOT, Literal, ObjectTemplate, Path
from express.outcome import Outcome
from express.runtime.context import Execution
from express.runtime.suspensions import call, call_inline
from express.tasks import Binding, ResourceMissing
from express.tasks.function import function
from tests.handmade import Runs

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
INVOKE = "arn:aws:states:::lambda:invoke"


def named(name: str) -> ObjectTemplate:
    return ObjectTemplate((("FunctionName", Literal(name)), ("Payload", ROOT)))


async def outcome_of(binding: Binding, payload: Any) -> Outcome:
    async def workflow(data: Any, execution: Execution) -> Any:
        if binding.inline is not None:
            return call_inline(execution, binding, data, "Work", 1)
        return await call(execution, binding, data, "Work", 1)

    async with Runs() as runs:
        return await runs.outcome(runs.start(workflow, payload))


@function("echo", run="inline")
def echo(event: Any) -> Any:
    return event


# --- Finding ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "resource",
    [
        f"{ARN}price",
        f"{ARN}price:$LATEST",
        f"{ARN}price:prod",
        "arn:aws-cn:lambda:cn-north-1:123456789012:function:price",
        "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:price",
    ],
)
def test_a_function_is_found_by_the_name_in_its_arn(resource: str) -> None:
    binding = tasks.bind(resource, None, {"price": echo})
    assert binding.resource == resource
    assert binding.inline is not None


@pytest.mark.parametrize(
    "reference",
    ["price", "price:prod", f"{ARN}price", f"{ARN}price:prod", "function:price", "123456789012:function:price", "123456789012:price"],
)
def test_invoke_finds_a_function_by_name_or_arn(reference: str) -> None:
    for parameters in (named(reference), Literal({"FunctionName": reference, "Payload": {}})):
        assert tasks.bind(INVOKE, parameters, {"price": echo}).inline is not None


def test_a_qualified_name_goes_before_the_bare_one_and_the_whole_arn_before_both() -> None:
    found = []

    def noting(name: str) -> Any:
        return function(name, run="inline")(lambda event: found.append(name))

    functions = {"price": noting("plain"), "price:prod": noting("qualified"), f"{ARN}price:test": noting("arn")}
    for qualifier in ("", ":prod", ":test", ":other"):
        inline = tasks.bind(f"{ARN}price{qualifier}", None, functions).inline
        assert inline is not None
        inline(None, None, "Work", 1)  # type: ignore[arg-type]
    assert found == ["plain", "qualified", "arn", "plain"]


@pytest.mark.parametrize(
    ("resource", "parameters", "functions", "message"),
    [
        (f"{ARN}prices", None, {"price": echo}, "no function is named 'prices'; did you mean 'price'?"),
        (f"{ARN}ship", None, {"price": echo, "charge": echo}, "no function is named 'ship'; there are charge, price"),
        (INVOKE, named("ship:prod"), {}, "no function is named 'ship'; no functions are given"),
        (
            "arn:aws:states:::sqs:sendMessage",
            None,
            {},
            "sqs:sendMessage needs a connection to AWS, and there is none: give one in connections, as {aws: {region: eu-west-1}}",
        ),
        (
            "arn:aws:states:::eks:runJob",
            None,
            {},
            "eks:runJob is an integration that this version of Express does not have",
        ),
        (
            "arn:aws:states:::elasticmapreduce:addStep",
            None,
            {},
            "nothing here provides the resource 'arn:aws:states:::elasticmapreduce:addStep'; expected the ARN of a Lambda function, or "
            + INVOKE,
        ),
    ],
)
def test_a_resource_that_nothing_provides_is_named(resource: str, parameters: Any, functions: Any, message: str) -> None:
    with pytest.raises(ResourceMissing) as caught:
        tasks.bind(resource, parameters, functions)
    assert str(caught.value) == message


# --- Deferred ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("resource", "parameters"), [(f"{ARN}none", None), (INVOKE, named(f"{ARN}none"))])
async def test_a_deferred_function_fails_as_on_aws_when_it_is_reached(resource: str, parameters: Any) -> None:
    outcome = await outcome_of(tasks.bind(resource, parameters, {}, "defer"), {})
    assert outcome.error == "Lambda.ResourceNotFoundException"
    assert (outcome.cause or "").startswith(
        f"Function not found: {ARN}none:$LATEST (Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; Request ID: "
    )
    assert (outcome.cause or "").endswith("; Proxy: null)")


async def test_a_deferred_service_fails_with_task_failed() -> None:
    outcome = await outcome_of(tasks.bind("arn:aws:states:::sqs:sendMessage", None, {}, "defer"), {})
    assert outcome.error == "States.TaskFailed"
    assert outcome.cause == (
        "Nothing here provides the resource 'arn:aws:states:::sqs:sendMessage': sqs:sendMessage needs a connection to AWS, and there is "
        "none: give one in connections, as {aws: {region: eu-west-1}}."
    )


# --- lambda:invoke ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [{"a": 1, "b": [1, 2]}, 0, False, [], 0.0])
async def test_invoke_gives_the_function_its_payload_and_wraps_the_result(value: Any) -> None:
    outcome = await outcome_of(tasks.bind(INVOKE, named("echo"), {"echo": echo}), {"FunctionName": "echo", "Payload": value})
    output = outcome.output
    assert output["Payload"] == value
    assert (output["ExecutedVersion"], output["StatusCode"]) == ("$LATEST", 200)
    assert output["SdkHttpMetadata"]["HttpStatusCode"] == 200
    headers = output["SdkHttpMetadata"]["HttpHeaders"]
    assert headers["Content-Length"] == str(len(json.dumps(value)))
    assert output["SdkHttpMetadata"]["AllHttpHeaders"] == {name: [text] for name, text in headers.items()}
    assert output["SdkResponseMetadata"]["RequestId"] == headers["x-amzn-RequestId"]


@pytest.mark.parametrize(("text", "event"), [('{"a":1}', {"a": 1}), ('"text"', "text"), ("0.0", 0.0), ("null", None), ("", {})])
async def test_a_payload_that_is_a_text_is_json_text(text: str, event: Any) -> None:
    outcome = await outcome_of(tasks.bind(INVOKE, named("echo"), {"echo": echo}), {"FunctionName": "echo", "Payload": text})
    assert outcome.output["Payload"] == event


async def test_a_payload_that_is_a_text_but_not_json_is_refused_as_by_lambda() -> None:
    outcome = await outcome_of(tasks.bind(INVOKE, named("echo"), {"echo": echo}), {"FunctionName": "echo", "Payload": "hello"})
    assert outcome.error == "Lambda.InvalidRequestContentException"


@pytest.mark.parametrize("parameters", [{"FunctionName": "echo"}, {"FunctionName": "echo", "Payload": None}])
async def test_no_payload_reaches_the_function_as_an_empty_object(parameters: Any) -> None:
    assert (await outcome_of(tasks.bind(INVOKE, named("echo"), {"echo": echo}), parameters)).output["Payload"] == {}


async def test_invoke_may_take_the_functions_name_from_the_data() -> None:
    async def waits(event: Any) -> Any:
        return ["async", event]

    parameters = ObjectTemplate((("FunctionName", Path("$", (), "$.f")),))
    binding = tasks.bind(INVOKE, parameters, {"echo": echo, "waits": waits, "thread": lambda event: ["thread", event]})
    assert binding.inline is None
    for name, result in (("echo", 1), ("waits", ["async", 1]), (f"{ARN}thread", ["thread", 1])):
        assert (await outcome_of(binding, {"FunctionName": name, "Payload": 1})).output["Payload"] == result
    assert (await outcome_of(binding, {"FunctionName": "none"})).error == "Lambda.ResourceNotFoundException"
    assert (await outcome_of(binding, {"FunctionName": 5})).error == "States.Runtime"
    assert not binding.saturated()


async def test_functions_named_by_the_data_time_out_each_in_its_own_mode() -> None:
    released = threading.Event()

    async def waits(event: Any) -> Any:
        await asyncio.sleep(60)

    async def workflow(data: Any, execution: Execution) -> Any:
        return await call(execution, binding, {"FunctionName": data}, "Work", 1, 0.1)

    binding = tasks.bind(INVOKE, None, {"waits": waits, "blocks": lambda event: released.wait(60), "echo": echo})
    async with Runs() as runs:
        for names in (["echo", "waits"], ["blocks"], ["waits", "blocks", "blocks", "waits"]):
            started = [runs.start(workflow, name) for name in names]
            outcomes = [await runs.outcome(execution) for execution in started]
            assert [outcome.error for outcome in outcomes] == [None if name == "echo" else "States.Timeout" for name in names]
        await asyncio.sleep(0.05)  # the async ones end
        assert runs.executor.stuck == 3
        released.set()


async def test_functions_of_one_name_are_told_apart_by_what_they_are_provided_as() -> None:
    def made(answer: str) -> Any:
        return function("same", run="inline")(lambda event: answer)

    binding = tasks.bind(INVOKE, None, {"one": made("1"), "other": made("2")})
    for name, answer in (("one", "1"), ("other", "2")):
        assert (await outcome_of(binding, {"FunctionName": name})).output["Payload"] == answer


@pytest.mark.parametrize("name", ["arns", "123456789012:function:arns", "function:arns", "123456789012:arns"])
async def test_a_functions_own_arn_is_whole_however_it_is_named(name: str) -> None:
    def arns(event: Any, context: Any) -> Any:
        return context.invoked_function_arn

    outcome = await outcome_of(tasks.bind(INVOKE, named(name), {"arns": arns}), {"Payload": 1})
    assert outcome.output["Payload"] == "arn:aws:lambda:us-east-1:000000000000:function:arns"


async def test_causes_are_spaced_as_each_resource_spaces_them() -> None:
    @function("fails", run="inline")
    def fails(event: Any) -> Any:
        raise ValueError("no")

    direct = (await outcome_of(tasks.bind(f"{ARN}fails", None, {"fails": fails}), {})).cause or ""
    invoked = (await outcome_of(tasks.bind(INVOKE, named("fails"), {"fails": fails}), {})).cause or ""
    assert direct.startswith('{"errorMessage": "no", "errorType": "ValueError", "requestId": "')
    assert invoked.startswith('{"errorMessage":"no","errorType":"ValueError","requestId":"')


@pytest.mark.parametrize(("resource", "label"), [(f"{ARN}large", f"{ARN}large"), (INVOKE, "lambda")])
async def test_a_result_over_256_kib_names_the_resource(resource: str, label: str) -> None:
    outcome = await outcome_of(tasks.bind(resource, named("large"), {"large": lambda event: "a" * 262_145}), {})
    assert outcome.error == "States.DataLimitExceeded"
    assert outcome.cause == f"The state/task '{label}' returned a result with a size exceeding the maximum number of bytes service limit."


# --- Inline -----------------------------------------------------------------------------------------------------------------------


async def test_an_inline_function_has_task_errors_contexts_and_timeouts_too() -> None:
    import time

    @function("work", run="inline")
    def work(event: Any, context: Any) -> Any:
        if event == "fails":
            raise TaskError("OutOfStock", "no more")
        if event == "exits":
            raise SystemExit
        time.sleep(event)
        return context.state

    binding = tasks.bind(f"{ARN}work", None, {"work": work})

    async def workflow(data: Any, execution: Execution) -> Any:
        return call_inline(execution, binding, data, "Work", 1, 0.5)

    async with Runs() as runs:
        outcomes = [await runs.outcome(runs.start(workflow, event)) for event in (0, 0.6, "fails", "exits")]
    assert [outcome.output or outcome.error for outcome in outcomes] == ["Work", "States.Timeout", "OutOfStock", "Runtime.ExitError"]


async def test_a_failure_does_not_keep_the_exception_and_its_frames() -> None:
    import weakref

    class Event(dict[str, Any]):
        pass

    kept: list[weakref.ref[Event]] = []

    @function("work", run="inline")
    def work(event: Any) -> Any:
        held = Event()
        kept.append(weakref.ref(held))
        raise ValueError("no")

    binding = tasks.bind(f"{ARN}work", None, {"work": work})
    failures = []

    async def workflow(data: Any, execution: Execution) -> Any:
        try:
            call_inline(execution, binding, data, "Work", 1)
        except Exception as error:
            failures.append(error)
            assert kept[0]() is None

    async with Runs() as runs:
        assert (await runs.outcome(runs.start(workflow, 1))).status == "SUCCEEDED"
    assert len(failures) == 1
