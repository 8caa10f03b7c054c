"""The Context Object that a state under test sees: its own, or the one of the request."""

from __future__ import annotations

from typing import Any

import pytest

import express

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
GIVEN = {
    "Execution": {"Id": "id", "Input": {"a": 1}, "Name": "name", "RoleArn": "role", "StartTime": "start"},
    "State": {"EnteredTime": "entered", "Name": "state", "RetryCount": 7},
    "StateMachine": {"Id": "machine", "Name": "machine name"},
    "Task": {"Token": "token"},
}


def seen(path: str, *, context: Any = None, **options: Any) -> Any:
    state = {"Type": "Task", "Resource": ARN, "Parameters": {"x.$": path}, "End": True}
    answer = express.test_state(state, {"in": 1}, mock={"result": 0}, context=context, inspection_level="DEBUG", **options)
    assert answer["status"] == "SUCCEEDED", answer
    return answer["inspectionData"]["afterParameters"]["x"]


def test_a_given_context_is_seen_whole_and_in_every_part() -> None:
    assert seen("$$", context=GIVEN) == GIVEN
    for name, fields in GIVEN.items():
        assert seen(f"$$.{name}", context=GIVEN) == fields
        for field, value in fields.items():
            assert seen(f"$$.{name}.{field}", context=GIVEN) == value
    assert seen("$$.Execution.Input.a", context=GIVEN) == 1


def test_what_is_not_given_is_the_executions_own() -> None:
    context = seen("$$", context={"Execution": {"Name": "mine"}})
    assert context["Execution"].pop("Name") == "mine"
    assert context["Execution"].pop("StartTime").endswith("Z")
    assert context["Execution"].pop("Input") == {"in": 1}
    assert set(context["Execution"]) == {"Id", "RoleArn"}
    assert context["State"].pop("EnteredTime").endswith("Z")
    assert context["State"] == {"Name": "StateName", "RetryCount": 0}
    assert set(context) == {"Execution", "State", "StateMachine"}


def test_a_role_says_which_account_it_is() -> None:
    role = "arn:aws:iam::123456789012:role/mine"
    assert seen("$$.Execution.RoleArn", role_arn=role) == role
    assert seen("$$.Execution.Id", role_arn=role).startswith("arn:aws:states:us-east-1:123456789012:express:")
    assert seen("$$.StateMachine.Id", role_arn=role).startswith("arn:aws:states:us-east-1:123456789012:stateMachine:")
    assert ":000000000000:" in seen("$$.Execution.Id")


def test_the_retry_count_is_that_of_the_request() -> None:
    assert seen("$$.State.RetryCount", state_configuration={"retrierRetryCount": 3}) == 3


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        ([], "Context must be a JSON object"),
        ({"Map": {}}, "'Map' field is not supported when mocking a Context object"),
        ({"Other": {}}, "Field 'Other' is not allowed"),
        ({"Execution": {"Other": 1}}, "Field 'Other' is not allowed"),
        ({"Execution": 1}, "Execution must be an object"),
        ({"Execution": {"Id": 1}}, "Execution.Id must be a string"),
        ({"State": {"RetryCount": "1"}}, "State.RetryCount must be a number"),
        ({"State": {"RetryCount": True}}, "State.RetryCount must be a number"),
        ({"Task": {"Token": None}}, "Task.Token must be a string"),
    ],
)
def test_a_context_that_is_none_is_refused(context: Any, reason: str) -> None:
    with pytest.raises(express.RequestError) as caught:
        seen("$", context=context)
    assert (caught.value.code, caught.value.message) == ("ValidationException", f"Invalid Context object provided: {reason}")


def test_the_input_of_the_execution_may_be_another_than_the_states() -> None:
    assert seen("$$.Execution.Input", context={"Execution": {"Input": [1, 2]}}) == [1, 2]
    assert seen("$", context={"Execution": {"Input": [1, 2]}}) == {"in": 1}
