"""Fields of the Context Object and of $states that do not exist, in both query languages."""

from __future__ import annotations

from typing import Any

import pytest

import express
from tests.language.definitions import ending


def unknown(definition: dict[str, Any]) -> list[str]:
    return [problem.message for problem in express.check(definition) if problem.code == "UNKNOWN_FIELD"]


def jsonpath(path: str) -> dict[str, Any]:
    return ending("Pass", Parameters={"a.$": path})


def jsonata(expression: str) -> dict[str, Any]:
    return {"QueryLanguage": "JSONata", **ending("Pass", Output=f"{{% {expression} %}}")}


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        (jsonpath("$$.Executoin.Id"), "there is no '$$.Executoin' (did you mean 'Execution'?): nothing is found there"),
        (jsonpath("$$.Execution.Nmae"), "there is no '$$.Execution.Nmae' (did you mean 'Name'?): nothing is found there"),
        (jsonpath("$$.Map.Item.Vlaue.id"), "there is no '$$.Map.Item.Vlaue' (did you mean 'Value'?): nothing is found there"),
        (jsonpath("States.Format('{}', $$.Elsewhere)"), "there is no '$$.Elsewhere': nothing is found there"),
        (jsonata("$states.inptu.a"), "there is no '$states.inptu' (did you mean 'input'?): nothing is found there"),
        (
            jsonata("1 + $states.context.State.Nam"),
            "there is no '$states.context.State.Nam' (did you mean 'Name'?): nothing is found there",
        ),
        (jsonata("$states.context.task.Token"), "there is no '$states.context.task' (did you mean 'Task'?): nothing is found there"),
    ],
)
def test_a_field_that_does_not_exist_is_a_warning_with_the_one_that_was_meant(definition: dict[str, Any], said: str) -> None:
    assert unknown(definition) == [said]


@pytest.mark.parametrize(
    "names",
    [
        *("Execution", "Execution.Id", "Execution.Input", "Execution.Input.any.thing", "Execution.Name", "Execution.RoleArn"),
        *("Execution.StartTime", "Execution.RedriveCount", "Execution.RedriveTime", "State.EnteredTime", "State.Name", "State.RetryCount"),
        *("StateMachine.Id", "StateMachine.Name", "Task.Token", "Map.Item.Index", "Map.Item.Value.any.thing", "Map.Item.Key"),
        *("Map.Item.Source", "Source", "Source.headers.any", "Execution['Id']"),
    ],
)
def test_what_there_is_and_what_is_free_is_no_warning(names: str) -> None:
    assert unknown(jsonpath(f"$$.{names}")) == []
    if "'" not in names:
        assert unknown(jsonata(f"$states.context.{names}")) == []


@pytest.mark.parametrize(
    "expression",
    [
        "$states",
        "$states.input.context.Nmae",
        "$states.context",
        "$states.*",
        "$map([1], function($states) { $states.inptu })",
        "$states.context.Execution.Input[id = 1].x",
        "$states.context.Execution.Id.anything",
    ],
)
def test_what_cannot_be_told_is_no_warning(expression: str) -> None:
    assert unknown(jsonata(expression)) == []


def test_a_choice_that_looks_whether_there_is_a_field_reads_it_too() -> None:
    choice = {"Type": "Choice", "Choices": [{"Variable": "$$.Sorce", "IsPresent": True, "Next": "B"}], "Default": "B"}
    assert unknown({"StartAt": "A", "States": {"A": choice, "B": {"Type": "Succeed"}}}) == [
        "there is no '$$.Sorce' (did you mean 'Source'?): nothing is found there"
    ]
