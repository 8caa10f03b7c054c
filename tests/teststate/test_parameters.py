"""Requests that are wrong before the state is looked at: as botocore words it for a call, as the service does for a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import express
from express.teststate import answer

PASS = {"Type": "Pass", "End": True}
TEXT = '{"Type": "Pass", "End": true}'

CALLS: dict[str, tuple[dict[str, Any], str]] = {
    "an empty name": ({"state_name": ""}, "Invalid length for parameter stateName, value: 0, valid min length: 1"),
    "a name that is no text": (
        {"state_name": 5},
        "Invalid type for parameter stateName, value: 5, type: <class 'int'>, valid types: <class 'str'>",
    ),
    "a negative count": (
        {"mock": {"result": 1}, "state_configuration": {"retrierRetryCount": -1}},
        "Invalid range for parameter stateConfiguration.retrierRetryCount, value: -1, valid min value: 0",
    ),
    "true for a count": (
        {"state_configuration": {"mapIterationFailureCount": True}},
        (
            "Invalid type for parameter stateConfiguration.mapIterationFailureCount, value: True, "
            "type: <class 'bool'>, valid types: <class 'int'>"
        ),
    ),
    "a mock that is no mapping": (
        {"mock": "x"},
        "Invalid type for parameter mock, value: x, type: <class 'str'>, valid types: <class 'dict'>",
    ),
    "a configuration that is no mapping": (
        {"state_configuration": 1},
        "Invalid type for parameter stateConfiguration, value: 1, type: <class 'int'>, valid types: <class 'dict'>",
    ),
    "a result that is not JSON": (
        {"mock": {"result": float("nan")}},
        "Invalid value for parameter mock.result: Out of range float values are not JSON compliant: nan",
    ),
    "an input that is not JSON": (
        {"input": {1: 2}},
        "Invalid value for parameter input: keys must be str, not int",
    ),
    "a field that is not there": (
        {"mock": {"results": 1}},
        'Unknown parameter in mock: "results", must be one of: result, errorOutput, fieldValidationMode',
    ),
    "two things": (
        {"mock": {"errorOutput": {"error": 1}}, "role_arn": ""},
        (
            "Invalid type for parameter mock.errorOutput.error, value: 1, type: <class 'int'>, valid types: <class 'str'>\n"
            "Invalid length for parameter roleArn, value: 0, valid min length: 1"
        ),
    ),
}

ONE, UNSATISFIED = "1 validation error detected: Value at ", "failed to satisfy constraint: "
REQUESTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no definition": ({}, "ValidationException", f"{ONE}'definition' {UNSATISFIED}Member must not be null"),
    "an empty name": (
        {"definition": TEXT, "stateName": ""},
        "ValidationException",
        f"{ONE}'stateName' {UNSATISFIED}Member must have length greater than or equal to 1",
    ),
    "a long name": (
        {"definition": TEXT, "stateName": "x" * 81},
        "ValidationException",
        f"{ONE}'stateName' {UNSATISFIED}Member must have length less than or equal to 80",
    ),
    "two things": (
        {"definition": TEXT, "inspectionLevel": "ALL", "stateConfiguration": {"retrierRetryCount": -1}},
        "ValidationException",
        (
            f"2 validation errors detected: Value 'ALL' at 'inspectionLevel' {UNSATISFIED}Member must satisfy enum value set: "
            f"[INFO, TRACE, DEBUG]; Value at 'stateConfiguration.retrierRetryCount' {UNSATISFIED}Member must have value greater "
            "than or equal to 0"
        ),
    ),
    "the wrong type": ({"definition": TEXT, "mock": []}, "SerializationException", "'mock' has the wrong type"),
    "an input that is not JSON": (
        {"definition": TEXT, "input": "{"},
        "InvalidExecutionInput",
        "Invalid State Machine Execution Input: 'it is not JSON: input data was truncated'",
    ),
    "variables that are no object": (
        {"definition": TEXT, "variables": "[]"}, "ValidationException", "Invalid variables: they must be a JSON object",
    ),
    "a definition that is not JSON": (
        {"definition": "{"}, "InvalidDefinition", "Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION: ",
    ),
    "a definition that is a list": (
        {"definition": "[]"}, "InvalidDefinition", "Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION: ",
    ),
    "a state that is wrong": (
        {"definition": '{"Type": "Pass", "End": true, "Resource": "x"}'},
        "InvalidDefinition",
        "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: ",
    ),
    "a state that is not there": ({"definition": TEXT, "stateName": "X"}, "InvalidDefinition", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_refused_as_the_sdk_refuses_it(name: str) -> None:
    options, message = CALLS[name]
    with pytest.raises(express.RequestError) as caught:
        express.test_state(PASS, **options)
    assert caught.value.code == "ParamValidationError"
    assert caught.value.message == f"Parameter validation failed:\n{message}"
    assert str(caught.value) == f"ParamValidationError: {caught.value.message}"


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_refused_as_the_service_refuses_it(name: str) -> None:
    request, code, message = REQUESTS[name]
    with pytest.raises(express.RequestError) as caught:
        answer(request)
    assert caught.value.code == code
    assert caught.value.message.startswith(message)


def test_a_file_that_is_not_there_is_no_definition(tmp_path: Path) -> None:
    with pytest.raises(express.RequestError, match=r"InvalidDefinition: the file .*gone\.json cannot be read: No such file or directory"):
        express.test_state(tmp_path / "gone.json")
    (tmp_path / "pass.yaml").write_text("Type: Pass\nEnd: true\n")
    assert express.test_state(tmp_path / "pass.yaml", 5)["output"] == 5


def test_a_request_and_its_answer_hold_json_as_text() -> None:
    request = {
        "definition": '{"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Parameters": {"a.$": "$.a"}, "End": true}',
        "input": '{"a": [1, 2]}',
        "inspectionLevel": "TRACE",
        "mock": {"result": '{"StatusCode": 200}'},
        "roleArn": None,
        "somethingNew": True,  # the service passes over what it does not know
    }
    text = '{"StatusCode":200}'
    assert answer(request) == {
        "status": "SUCCEEDED",
        "output": text,
        "inspectionData": {
            "input": '{"a":[1,2]}', "afterInputPath": '{"a":[1,2]}', "afterParameters": '{"a":[1,2]}', "result": text,
            "afterResultSelector": text, "afterResultPath": text,
        },
    }  # fmt: skip
    assert "inspectionData" not in answer({**request, "inspectionLevel": None})
