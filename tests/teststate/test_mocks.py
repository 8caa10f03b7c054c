"""Which states take a mock, what it must be, and what may be said along with one."""

from __future__ import annotations

from typing import Any

import pytest

import express

PASS = {"Type": "Pass", "End": True}
TASK = {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": True}
ITEM = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
MAP = {"Type": "Map", "ItemProcessor": ITEM, "End": True}
WRITES = {
    **MAP,
    "ItemProcessor": {**ITEM, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}},
    "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b"}},
}
PARALLEL = {"Type": "Parallel", "Branches": [ITEM], "End": True}
NOT_ALONE = (
    "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]"
)
ONE_OF = "A test mock should have only one of the following fields: [result, errorOutput]."

REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "Map alone": (MAP, {}, "InvalidDefinition", NOT_ALONE),
    "Parallel alone": (PARALLEL, {}, "InvalidDefinition", NOT_ALONE),
    "an activity alone": (
        {**TASK, "Resource": "arn:aws:states:us-east-1:123456789012:activity:a"}, {}, "InvalidDefinition",
        "TestState API does not support the resource 'arn:aws:states:us-east-1:123456789012:activity:a' when a mock is not specified",
    ),
    ".sync alone": (
        {**TASK, "Resource": "arn:aws:states:::states:startExecution.sync:2"}, {}, "InvalidDefinition",
        "TestState API does not support the resource 'arn:aws:states:::states:startExecution.sync:2' when a mock is not specified",
    ),
    **{
        f"a mock for {kind}": (
            {"Type": kind, **fields}, {"mock": {"result": {}}}, "ValidationException",
            f"State type '{kind}' is not supported when a mock is specified",
        )
        for kind, fields in {
            "Pass": {"End": True}, "Succeed": {}, "Fail": {}, "Wait": {"Seconds": 1, "End": True},
            "Choice": {"Choices": [{"Variable": "$.a", "IsNull": True, "Next": "A"}]},
        }.items()
    },
    **{
        f"{field} without a mock": (
            TASK, {"state_configuration": {field: value}}, "ValidationException",
            f"TestState does not support {field[0].upper()}{field[1:]} when a mock is not specified.",
        )
        for field, value in {
            "retrierRetryCount": 0, "errorCausedByState": "I", "mapIterationFailureCount": 0, "mapItemReaderData": "[]",
        }.items()
    },
    "a context without a mock": (
        TASK, {"context": {}}, "ValidationException", "TestState does not support Context when a mock is not specified.",
    ),
    "neither result nor error": (TASK, {"mock": {}}, "ValidationException", ONE_OF),
    "result and error": (TASK, {"mock": {"result": 1, "errorOutput": {"error": "E"}}}, "ValidationException", ONE_OF),
    "an error without a name": (
        TASK, {"mock": {"errorOutput": {"cause": "c"}}}, "ValidationException",
        "Value at 'mock.errorOutput.error' failed to satisfy constraint: Member must not be null",
    ),
    "a Map's result that is no array": (MAP, {"mock": {"result": {}}}, "ValidationException", "Mocked result must be an array."),
    "a writing Map's result that is an array": (
        WRITES, {"mock": {"result": []}}, "ValidationException", "Mocked result must be a JSON object.",
    ),
    "a Parallel's result that is no array": (PARALLEL, {"mock": {"result": 1}}, "ValidationException", "Mocked result must be an array."),
    "a Parallel's result of another length": (
        PARALLEL, {"mock": {"result": [1, 2]}}, "ValidationException",
        "Mocked result must contain the same number of items as number of Parallel branches.",
    ),
    "more failed iterations than iterations": (
        MAP, {"mock": {"result": [1]}, "state_configuration": {"mapIterationFailureCount": 2}}, "ValidationException",
        "Map iteration failure count must be less than or equal to the number of Map iterations",
    ),
    "an error in a state that is not inside": (
        MAP, {"mock": {"errorOutput": {"error": "E"}}, "state_configuration": {"errorCausedByState": "X"}}, "ValidationException",
        "State 'X' not found in the state under test",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_mock_that_does_not_fit_is_refused(name: str) -> None:
    state, options, code, message = REFUSED[name]
    with pytest.raises(express.RequestError) as caught:
        express.test_state(state, [], **options)
    assert (caught.value.code, caught.value.message) == (code, message)


@pytest.mark.parametrize("resource", ["arn:aws:states:us-east-1:123456789012:activity:a", "arn:aws:states:::glue:startJobRun.sync"])
def test_what_only_aws_runs_can_be_mocked(resource: str) -> None:
    answer = express.test_state({**TASK, "Resource": resource}, mock={"result": {"done": True}})
    assert answer == {"status": "SUCCEEDED", "output": {"done": True}}


def test_a_result_may_be_any_json_value() -> None:
    for value in (None, False, 0, "text", [1], {"a": None}, 2**70):
        assert express.test_state(TASK, mock={"result": value})["output"] == value


def test_an_error_needs_no_cause() -> None:
    assert express.test_state(TASK, mock={"errorOutput": {"error": "E"}}) == {"status": "FAILED", "error": "E"}


def test_nothing_inside_a_mocked_state_runs() -> None:
    inside = {"StartAt": "T", "States": {"T": {**TASK, "Resource": "arn:aws:states:::dynamodb:getItem", "Parameters": {}}}}
    state = {"Type": "Parallel", "Branches": [inside, inside | {"States": {"T": {"Type": "Fail"}}}], "End": True}
    state["Branches"] = [inside, {"StartAt": "F", "States": {"F": {"Type": "Fail"}}}]
    assert express.test_state(state, mock={"result": [1, 2]})["output"] == [1, 2]


@pytest.mark.parametrize("error", ["States.Runtime", "States.DataLimitExceeded"])
def test_some_errors_are_not_meant_by_states_all(error: str) -> None:
    handled = {"Retry": [{"ErrorEquals": ["States.ALL"]}], "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}]}
    answer = express.test_state({**TASK, **handled}, mock={"errorOutput": {"error": error}}, inspection_level="DEBUG")
    expected = {"FAILED"} if error == "States.Runtime" else {"FAILED", "RETRIABLE"}  # a task's result over the limit is the task's failure
    assert answer["status"] in expected


def test_a_task_without_a_mock_calls_a_function_of_any_mode() -> None:
    @express.function("f")
    async def asynchronous(event: Any) -> Any:
        return [event]

    def threaded(event: Any) -> Any:
        return [event]

    for function in (asynchronous, threaded):
        assert express.test_state(TASK, 1, functions={"f": function}) == {"status": "SUCCEEDED", "output": [1]}
    answer = express.test_state(TASK, 1)
    assert (answer["status"], answer["error"]) == ("FAILED", "Lambda.ResourceNotFoundException")
