"""Every type of state in JSONPath, every status it can have, and what each level shows of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

import express

ARN = "arn:aws:lambda:us-east-1:123456789012:function:price"
BRANCHES = [{"StartAt": name, "States": {name: {"Type": "Pass", "End": True}}} for name in ("Left", "Right")]
ITEM = {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "Item", "States": {"Item": {"Type": "Pass", "End": True}}}
FAR_ITEM = {**ITEM, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
BUSY = {"errorOutput": {"error": "Busy", "cause": "come back"}}
RETRY = [{"ErrorEquals": ["Other"]}, {"ErrorEquals": ["Busy"], "IntervalSeconds": 3, "MaxAttempts": 2, "BackoffRate": 2}]
CATCH = [{"ErrorEquals": ["Other"], "Next": "No"}, {"ErrorEquals": ["States.ALL"], "Next": "Caught", "ResultPath": "$.error"}]
CAUGHT = {"Error": "Busy", "Cause": "come back"}
FAILED = {"status": "FAILED", "error": "Busy", "cause": "come back"}


class Case(NamedTuple):
    state: dict[str, Any]
    input: Any
    answer: dict[str, Any]
    shown: dict[str, Any]
    options: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it


def task(**fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": ARN, "Next": "After", **fields}


def same(value: Any, *names: str) -> dict[str, Any]:
    return dict.fromkeys(names, value)


CASES = {
    "Pass": Case(
        {"Type": "Pass", "Next": "After"},
        {"n": 1},
        {"status": "SUCCEEDED", "output": {"n": 1}, "nextState": "After"},
        same({"n": 1}, "afterInputPath", "afterParameters", "afterResultSelector", "afterResultPath"),
    ),
    "Pass, every filter": Case(
        # the example of the developer guide's page on TestState
        {
            "Type": "Pass", "InputPath": "$.payload", "Parameters": {"data": 1}, "ResultPath": "$.result", "OutputPath": "$.result.data",
            "Next": "Another state",
        },
        {"payload": {"foo": "bar"}},
        {"status": "SUCCEEDED", "output": 1, "nextState": "Another state"},
        {
            "afterInputPath": {"foo": "bar"}, "afterParameters": {"data": 1}, "afterResultSelector": {"data": 1},
            "afterResultPath": {"payload": {"foo": "bar"}, "result": {"data": 1}},
        },
    ),
    "Pass, Result": Case(
        {"Type": "Pass", "Result": [1], "ResultPath": "$.r", "End": True},
        {"n": 1},
        {"status": "SUCCEEDED", "output": {"n": 1, "r": [1]}},
        {**same({"n": 1}, "afterInputPath", "afterParameters"), "afterResultSelector": [1], "afterResultPath": {"n": 1, "r": [1]}},
    ),
    "Pass, InputPath null": Case(
        {"Type": "Pass", "InputPath": None, "End": True},
        {"n": 1},
        {"status": "SUCCEEDED", "output": {}},
        same({}, "afterInputPath", "afterParameters", "afterResultSelector", "afterResultPath"),
    ),
    "Pass, a path that selects nothing": Case(
        {"Type": "Pass", "InputPath": "$.a", "Parameters": {"b.$": "$.b"}, "End": True},
        {"a": {}},
        {
            "status": "FAILED", "error": "States.Runtime",
            "cause": "An error occurred while executing the state 'StateName' (entered at the event id #2). "
            "The JSONPath '$.b' specified for the field 'b.$' could not be found in the input '{}'",
        },
        {"afterInputPath": {}},
    ),
    "Choice, a rule": Case(
        {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "One"}], "Default": "Other"},
        {"n": 1},
        {"status": "SUCCEEDED", "output": {"n": 1}, "nextState": "One"},
        {"afterInputPath": {"n": 1}},
    ),
    "Choice, Default": Case(
        {"Type": "Choice", "InputPath": "$.a", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "One"}], "Default": "Other"},
        {"a": {"n": 2}},
        {"status": "SUCCEEDED", "output": {"n": 2}, "nextState": "Other"},
        {"afterInputPath": {"n": 2}},
    ),
    "Choice, nothing": Case(
        {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "One"}]},
        {"n": 2},
        {
            "status": "FAILED", "error": "States.NoChoiceMatched",
            "cause": "An error occurred while executing the state 'StateName' (entered at the event id #2). "
            "Failed to transition out of the state. The state does not point to a next state.",
        },
        {"afterInputPath": {"n": 2}},
    ),
    "Wait": Case(
        {"Type": "Wait", "Seconds": 299, "Next": "After"},
        {"n": 1},
        {"status": "SUCCEEDED", "output": {"n": 1}, "nextState": "After"},
        {"afterInputPath": {"n": 1}},
    ),
    "Wait, longer than a test may take": Case(
        {"Type": "Wait", "Seconds": 301, "End": True},
        {"n": 1},
        {"status": "FAILED", "error": "States.Timeout"},
        {"afterInputPath": {"n": 1}},
    ),
    "Succeed": Case(
        {"Type": "Succeed", "OutputPath": "$.n"}, {"n": 1}, {"status": "SUCCEEDED", "output": 1}, {"afterInputPath": {"n": 1}}
    ),
    "Fail": Case({"Type": "Fail", "Error": "E", "CausePath": "$.why"}, {"why": "w"}, {"status": "FAILED", "error": "E", "cause": "w"}, {}),
    "Fail, neither error nor cause": Case({"Type": "Fail"}, {}, {"status": "FAILED"}, {}),
    "Task, a function": Case(
        task(),
        {"n": 3},
        {"status": "SUCCEEDED", "output": {"n": 3, "price": 6}, "nextState": "After"},
        {
            **same({"n": 3}, "afterInputPath", "afterParameters"),
            **same({"n": 3, "price": 6}, "result", "afterResultSelector", "afterResultPath"),
        },
    ),
    "Task, mocked": Case(
        task(InputPath="$.a", Parameters={"x.$": "$.n"}, ResultSelector={"y.$": "$.r"}, ResultPath="$.out", OutputPath="$.out"),
        {"a": {"n": 1}},
        {"status": "SUCCEEDED", "output": {"y": 2}, "nextState": "After"},
        {
            "afterInputPath": {"n": 1}, "afterParameters": {"x": 1}, "result": {"r": 2}, "afterResultSelector": {"y": 2},
            "afterResultPath": {"a": {"n": 1}, "out": {"y": 2}},
        },
        {"mock": {"result": {"r": 2}}},
    ),
    "Task, failed": Case(task(), {}, FAILED, same({}, "afterInputPath", "afterParameters"), {"mock": BUSY}),
    "Task, to be tried again": Case(
        task(Retry=RETRY, Catch=CATCH),
        {},
        {**FAILED, "status": "RETRIABLE"},
        {**same({}, "afterInputPath", "afterParameters"), "errorDetails": {"retryIndex": 1, "retryBackoffIntervalSeconds": 3}},
        {"mock": BUSY},
    ),
    "Task, to be tried again later": Case(
        task(Retry=RETRY),
        {},
        {**FAILED, "status": "RETRIABLE"},
        {**same({}, "afterInputPath", "afterParameters"), "errorDetails": {"retryIndex": 1, "retryBackoffIntervalSeconds": 6}},
        {"mock": BUSY, "state_configuration": {"retrierRetryCount": 1}},
    ),
    "Task, tried often enough": Case(
        task(Retry=RETRY),
        {},
        FAILED,
        {**same({}, "afterInputPath", "afterParameters"), "errorDetails": {"retryIndex": 1}},
        {"mock": BUSY, "state_configuration": {"retrierRetryCount": 2}},
    ),
    "Task, tried as often as its only retrier wants": Case(
        task(Retry=RETRY[1:]),
        {},
        FAILED,
        {**same({}, "afterInputPath", "afterParameters"), "errorDetails": {"retryIndex": 0}},
        {"mock": BUSY, "state_configuration": {"retrierRetryCount": 2}},
    ),
    "Task, caught": Case(
        task(Catch=CATCH),
        {"n": 1},
        {**FAILED, "status": "CAUGHT_ERROR", "output": {"n": 1, "error": CAUGHT}, "nextState": "Caught"},
        {**same({"n": 1}, "afterInputPath", "afterParameters"), "errorDetails": {"catchIndex": 1}},
        {"mock": BUSY},
    ),
    "Task, tried often enough and caught": Case(
        task(Retry=RETRY, Catch=CATCH),
        {"n": 1},
        {**FAILED, "status": "CAUGHT_ERROR", "output": {"n": 1, "error": CAUGHT}, "nextState": "Caught"},
        {**same({"n": 1}, "afterInputPath", "afterParameters"), "errorDetails": {"catchIndex": 1, "retryIndex": 1}},
        {"mock": BUSY, "state_configuration": {"retrierRetryCount": 2}},
    ),
    "Task, a delay with a bound": Case(
        task(Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 99, "BackoffRate": 10, "MaxDelaySeconds": 60}]),
        {},
        {**FAILED, "status": "RETRIABLE"},
        {**same({}, "afterInputPath", "afterParameters"), "errorDetails": {"retryIndex": 0, "retryBackoffIntervalSeconds": 60}},
        {"mock": BUSY, "state_configuration": {"retrierRetryCount": 50}},
    ),
    "Task, a failure that no Catch means": Case(
        task(Catch=CATCH, ResultPath="$.a.b"),
        {"a": 1},
        {
            "status": "CAUGHT_ERROR", "error": "States.ResultPathMatchFailure",
            "cause": (cause := "An error occurred while executing the state 'StateName' (entered at the event id #2). "
            'Unable to apply ReferencePath $.a.b to input {"a":1}'),
            "output": {"a": 1, "error": {"Error": "States.ResultPathMatchFailure", "Cause": cause}}, "nextState": "Caught",
        },
        {
            **same({"a": 1}, "afterInputPath", "afterParameters"), **same([], "result", "afterResultSelector"),
            "errorDetails": {"catchIndex": 1},
        },
        {"mock": {"result": []}},
    ),
    "Task, a token": Case(
        {
            "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True,
            "Parameters": {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/q", "MessageBody.$": "$$.Task.Token"},
        },
        {},
        {"status": "SUCCEEDED", "output": {"any": "thing"}},
        {
            "afterInputPath": {}, "afterParameters": {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/q", "MessageBody": "t"},
            **same({"any": "thing"}, "result", "afterResultSelector", "afterResultPath"),
        },
        {"mock": {"result": {"any": "thing"}}, "context": {"Task": {"Token": "t"}}},
    ),
    "Parallel": Case(
        {
            "Type": "Parallel", "Branches": BRANCHES, "InputPath": "$.a", "Parameters": {"b": 1}, "ResultPath": "$.r",
            "ResultSelector": {"first.$": "$[0]"}, "End": True,
        },
        {"a": 1},
        {"status": "SUCCEEDED", "output": {"a": 1, "r": {"first": "x"}}},
        {"afterResultSelector": {"first": "x"}, "afterResultPath": {"a": 1, "r": {"first": "x"}}},
        {"mock": {"result": ["x", "y"]}},
    ),
    "Parallel, failed in a branch": Case(
        {"Type": "Parallel", "Branches": BRANCHES, "End": True},
        {},
        FAILED,
        {},
        {"mock": BUSY, "state_configuration": {"errorCausedByState": "Right"}},
    ),
    "Parallel, to be tried again": Case(
        {"Type": "Parallel", "Branches": BRANCHES, "Retry": RETRY, "End": True},
        {},
        {**FAILED, "status": "RETRIABLE"},
        {"errorDetails": {"retryIndex": 1, "retryBackoffIntervalSeconds": 3}},
        {"mock": BUSY},
    ),
    "Parallel, caught": Case(
        {"Type": "Parallel", "Branches": BRANCHES, "Catch": CATCH, "End": True},
        {},
        {**FAILED, "status": "CAUGHT_ERROR", "output": {"error": CAUGHT}, "nextState": "Caught"},
        {"errorDetails": {"catchIndex": 1}},
        {"mock": BUSY},
    ),
    "Map": Case(
        {
            "Type": "Map", "InputPath": "$.a", "ItemsPath": "$.items", "MaxConcurrency": 2, "ItemProcessor": ITEM, "ResultPath": "$.r",
            "ItemSelector": {"v.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index", "all.$": "$.n"}, "Next": "After",
        },
        {"a": {"items": [5, 6], "n": 1}},
        {"status": "SUCCEEDED", "output": {"a": {"items": [5, 6], "n": 1}, "r": ["x", "y"]}, "nextState": "After"},
        {
            "afterInputPath": {"items": [5, 6], "n": 1}, "afterItemsPath": [5, 6],
            "afterItemSelector": [{"v": 5, "i": 0, "all": 1}, {"v": 6, "i": 1, "all": 1}], "afterResultSelector": ["x", "y"],
            "afterResultPath": {"a": {"items": [5, 6], "n": 1}, "r": ["x", "y"]}, "maxConcurrency": 2,
        },
        {"mock": {"result": ["x", "y"]}},
    ),
    "Map, failed in an iteration": Case(
        {"Type": "Map", "ItemProcessor": ITEM, "End": True},
        [1],
        FAILED,
        {**same([1], "afterInputPath", "afterItemsPath"), "maxConcurrency": 0},
        {"mock": BUSY, "state_configuration": {"errorCausedByState": "Item"}},
    ),
    "Map, items that are none": Case(
        {"Type": "Map", "ItemProcessor": ITEM, "Catch": CATCH, "End": True},
        {"n": 1},
        {
            "status": "FAILED", "error": "States.Runtime",
            "cause": "An error occurred while executing the state 'StateName' (entered at the event id #2). "
            "Reference path \"$\" must point to array.",
        },
        {"afterInputPath": {"n": 1}},
        {"mock": {"result": []}},
    ),
    "Distributed Map, within what it tolerates": Case(
        {"Type": "Map", "ItemProcessor": FAR_ITEM, "ToleratedFailureCount": 1, "ToleratedFailurePercentagePath": "$[0]", "End": True},
        [50, 2],
        {"status": "SUCCEEDED", "output": [1, 0]},
        {
            **same([50, 2], "afterInputPath", "afterItemsPath"), **same([1, 0], "afterResultSelector", "afterResultPath"),
            "maxConcurrency": 0, "toleratedFailureCount": 1, "toleratedFailurePercentage": 50.0,
        },
        {"mock": {"result": [1, 0]}, "state_configuration": {"mapIterationFailureCount": 1}},
    ),
    "Distributed Map, more failures than a number": Case(
        {"Type": "Map", "ItemProcessor": FAR_ITEM, "ToleratedFailureCount": 0, "Catch": CATCH, "End": True},
        [],
        {
            "status": "CAUGHT_ERROR", "error": "States.ExceedToleratedFailureThreshold", "nextState": "Caught",
            "cause": "The specified tolerated failure threshold was exceeded",
            "output": {
                "Error": "States.ExceedToleratedFailureThreshold", "Cause": "The specified tolerated failure threshold was exceeded",
            },
        },
        {
            **same([], "afterInputPath", "afterItemsPath"), "maxConcurrency": 0, "toleratedFailureCount": 0,
            "errorDetails": {"catchIndex": 0},
        },
        {"mock": {"result": [1, 0]}, "state_configuration": {"mapIterationFailureCount": 1}},
    ),
    "Distributed Map, more failures than a share": Case(
        {
            "Type": "Map", "ItemProcessor": FAR_ITEM, "ToleratedFailurePercentage": 49, "Retry": [{"ErrorEquals": ["States.ALL"]}],
            "End": True,
        },
        [],
        {
            "status": "RETRIABLE", "error": "States.ExceedToleratedFailureThreshold",
            "cause": "The specified tolerated failure threshold was exceeded",
        },
        {
            **same([], "afterInputPath", "afterItemsPath"), "maxConcurrency": 0, "toleratedFailurePercentage": 49.0,
            "errorDetails": {"retryIndex": 0, "retryBackoffIntervalSeconds": 1},
        },
        {"mock": {"result": [1, 0]}, "state_configuration": {"mapIterationFailureCount": 1}},
    ),
    "Distributed Map, with a reader": Case(
        {
            "Type": "Map", "ItemProcessor": FAR_ITEM, "ItemSelector": {"v.$": "$$.Map.Item.Value"}, "End": True,
            "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b", "Key": "k"}},
        },
        {},
        {"status": "SUCCEEDED", "output": [1, 4]},
        {
            "afterInputPath": {}, "afterItemSelector": [{"v": 1}, {"v": 2}], **same([1, 4], "afterResultSelector", "afterResultPath"),
            "maxConcurrency": 0,
        },
        {"mock": {"result": [1, 4]}, "state_configuration": {"mapItemReaderData": "[1, 2]"}},
    ),
    "Distributed Map, a pointer and batches": Case(
        {
            "Type": "Map", "ItemProcessor": FAR_ITEM, "InputPath": "$.a", "End": True,
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b", "Key": "k"},
                "ReaderConfig": {"InputType": "JSON", "ItemsPointer": "/rows"},
            },
            "ItemBatcher": {"MaxItemsPerBatchPath": "$.most", "BatchInput": {"m.$": "$.most", "f": 1}},
        },
        {"a": {"most": 2}},
        {"status": "SUCCEEDED", "output": [1, 4]},
        {
            "afterInputPath": {"most": 2}, "afterItemsPointer": [1, 2, 3], **same([1, 4], "afterResultSelector", "afterResultPath"),
            "afterItemBatcher": [
                {"BatchInput": {"m": 2, "f": 1}, "Items": [1, 2]}, {"BatchInput": {"m": 2, "f": 1}, "Items": [3]},
            ],
            "maxConcurrency": 0,
        },
        {"mock": {"result": [1, 4]}, "state_configuration": {"mapItemReaderData": '{"rows": [1, 2, 3]}'}},
    ),
    "Distributed Map, with a writer": Case(
        {
            "Type": "Map", "ItemProcessor": FAR_ITEM, "End": True,
            "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b", "Prefix": "p"}},
        },
        [1],
        {"status": "SUCCEEDED", "output": {"MapRunArn": "arn"}},
        {
            **same([1], "afterInputPath", "afterItemsPath"), **same({"MapRunArn": "arn"}, "afterResultSelector", "afterResultPath"),
            "maxConcurrency": 0,
        },
        {"mock": {"result": {"MapRunArn": "arn"}}},
    ),
}  # fmt: skip
# A Catch that puts its error in the place of an array cannot: the whole is replaced
CASES["Distributed Map, more failures than a number"].state["Catch"] = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]


@express.function("price", run="inline")
def price(event: Any) -> Any:
    return {**event, "price": 2 * event["n"]}


@pytest.mark.parametrize("level", ["INFO", "DEBUG", "TRACE"])
@pytest.mark.parametrize("name", CASES)
def test_a_state_answers_and_shows_what_its_level_shows(name: str, level: Any) -> None:
    case = CASES[name]
    answer = express.test_state(case.state, case.input, inspection_level=level, functions={"price": price}, **case.options)
    shown = answer.pop("inspectionData", None)
    assert answer == case.answer
    assert shown == (None if level == "INFO" else {"input": case.input, **case.shown})


@pytest.mark.parametrize("name", CASES)
def test_a_state_of_a_machine_answers_as_it_does_alone(name: str) -> None:
    case = CASES[name]
    targets = ("After", "Another state", "One", "Other", "Caught", "No")
    rules = [{"Variable": "$.to", "StringEquals": target, "Next": target} for target in targets]
    states = {"Start": {"Type": "Choice", "Choices": rules, "Default": "StateName"}, "StateName": case.state}
    machine = {"StartAt": "Start", "States": {**states, **{target: {"Type": "Succeed"} for target in targets}}}
    options = {"inspection_level": "DEBUG", "functions": {"price": price}, **case.options}
    alone = express.test_state(case.state, case.input, **options)
    assert express.test_state(machine, case.input, state_name="StateName", **options) == alone
