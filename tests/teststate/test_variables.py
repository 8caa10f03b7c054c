"""Variables of a request: set before the state runs, shown after it."""

from __future__ import annotations

from typing import Any

import pytest

import express

VALUES: dict[str, Any] = {
    "nothing": None, "number": 1.5, "long": 2**62, "text": "{% $states.input %}", "path": "$.a", "list": [1], "one": [[1]],
    "object": {"a.$": "$.b", "c": {}}, "empty": [], "nested": {"x": [{"y": [1, [2]]}]},
}  # fmt: skip


@pytest.mark.parametrize("language", ["JSONPath", "JSONata"])
def test_variables_have_the_values_of_the_request(language: str) -> None:
    fields: dict[str, Any] = {"Parameters": {f"{name}.$": f"${name}" for name in VALUES}}
    if language == "JSONata":
        fields = {"Output": {name: f"{{% ${name} %}}" for name in VALUES}}
    state = {"Type": "Pass", "QueryLanguage": language, **fields, "End": True}
    answer = express.test_state(state, {}, variables=VALUES, inspection_level="DEBUG")
    assert answer["output"] == VALUES
    assert answer["inspectionData"]["variables"] == VALUES


def test_the_input_and_the_context_are_the_states_own() -> None:
    state = {"Type": "Pass", "Parameters": {"in.$": "$", "start.$": "$$.Execution.Input", "name.$": "$$.State.Name"}, "End": True}
    answer = express.test_state(state, {"n": 1}, variables={"v": 1})
    assert answer["output"] == {"in": {"n": 1}, "start": {"n": 1}, "name": "StateName"}


def test_variables_are_not_part_of_the_context_object() -> None:
    state = {"Type": "Pass", "Parameters": {"all.$": "$$"}, "End": True}
    assert set(express.test_state(state, variables={"v": 1})["output"]["all"]) == {"Execution", "State", "StateMachine"}


def test_assigned_variables_are_shown_with_the_given_ones() -> None:
    state = {"Type": "Pass", "Assign": {"b.$": "$.n", "c": 3}, "End": True}
    answer = express.test_state(state, {"n": 2}, variables={"a": 1, "b": 0}, inspection_level="TRACE")
    assert answer["inspectionData"]["variables"] == {"a": 1, "b": 2, "c": 3}


def test_a_state_that_failed_has_assigned_nothing() -> None:
    state = {"Type": "Pass", "Assign": {"b": 1}, "OutputPath": "$.gone", "End": True}
    answer = express.test_state(state, {}, variables={"a": 1}, inspection_level="DEBUG")
    assert (answer["status"], answer["inspectionData"]["variables"]) == ("FAILED", {"a": 1})


def test_variables_of_the_machine_can_be_given() -> None:
    machine = {
        "StartAt": "First",
        "States": {
            "First": {"Type": "Pass", "Assign": {"v": 1}, "Next": "Second"},
            "Second": {"Type": "Pass", "Parameters": {"v.$": "$v"}, "End": True},
        },
    }
    assert express.test_state(machine, state_name="Second", variables={"v": "given"})["output"] == {"v": "given"}
    answer = express.test_state(machine, state_name="Second")
    assert (answer["status"], answer["error"]) == ("FAILED", "States.Runtime")


@pytest.mark.parametrize("name", ["1a", "a b", "states", "a.b", "x" * 81, ""])
def test_a_name_that_no_variable_can_have_is_refused(name: str) -> None:
    with pytest.raises(express.RequestError) as caught:
        express.test_state({"Type": "Pass", "End": True}, variables={name: 1})
    assert caught.value.code == "ValidationException"
    assert caught.value.message.startswith("Invalid variables: ")
