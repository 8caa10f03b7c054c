"""Workflows that start others and wait for them, in one process."""

from __future__ import annotations

import json
from typing import Any

import pytest

import express
from express.errors import DefinitionError
from express.testing import VirtualClock

ARN = "arn:aws:states:eu-west-1:123456789012:stateMachine:child"
CHILD = {
    "StartAt": "Wait",
    "States": {
        "Wait": {"Type": "Wait", "Seconds": 3, "Next": "Good"},
        "Good": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 0, "Next": "Bad"}], "Default": "Double"},
        "Double": {"Type": "Pass", "Parameters": {"double.$": "States.MathAdd($.n, $.n)"}, "End": True},
        "Bad": {"Type": "Fail", "Error": "Negative", "Cause": "below zero"},
    },
}


def parent(resource: str = "arn:aws:states:::states:startExecution.sync:2", arn: str = ARN, **fields: Any) -> dict[str, Any]:
    parameters = {"StateMachineArn": arn, "Input.$": "$", "Name.$": "$$.Execution.Name"}
    state = {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True, **fields}
    return {"StartAt": "Call", "States": {"Call": state}}


def compiled(definition: Any, **workflows: Any) -> express.Program:
    return express.compile(definition, name="parent", extensions=["nested"], workflows=workflows)


@pytest.fixture(scope="module")
def child() -> express.Program:
    return express.compile(CHILD, name="child")


def test_the_child_s_output_is_in_the_result_as_aws_describes_it(child: express.Program) -> None:
    outcome = compiled(parent(), child=child).run({"n": 2}, clock=VirtualClock(), name="e1")
    output = outcome.output
    assert (output["Output"], output["Input"], output["Status"], output["Name"]) == ({"double": 4}, {"n": 2}, "SUCCEEDED", "e1")
    assert output["StateMachineArn"].endswith(":stateMachine:child")
    assert output["StopDate"] - output["StartDate"] == 3_000


def test_without_2_input_and_output_are_texts(child: express.Program) -> None:
    outcome = compiled(parent("arn:aws:states:::states:startExecution.sync"), child=child).run({"n": 2}, clock=VirtualClock())
    assert (outcome.output["Output"], outcome.output["Input"]) == ('{"double":4}', '{"n":2}')


def test_a_child_that_fails_fails_the_task_with_its_description_as_cause(child: express.Program) -> None:
    outcome = compiled(parent(), child=child).run({"n": -1}, clock=VirtualClock())
    assert outcome.error == "States.TaskFailed"
    told = json.loads(outcome.cause or "")
    assert (told["Status"], told["Error"], told["Cause"]) == ("FAILED", "Negative", "below zero")


def test_the_state_s_timeout_ends_the_child(child: express.Program) -> None:
    clock = VirtualClock()
    outcome = compiled(parent(TimeoutSeconds=1), child=child).run({"n": 1}, clock=clock)
    assert (outcome.error, round(clock.time())) == ("States.Timeout", 1)


async def test_children_run_beside_each_other(child: express.Program) -> None:
    many = {"StartAt": "All", "States": {"All": {"Type": "Map", "ItemProcessor": parent(), "End": True}}}
    many["States"]["All"]["ItemProcessor"]["States"]["Call"]["Parameters"].pop("Name.$")
    many["States"]["All"]["ItemProcessor"]["States"]["Call"]["OutputPath"] = "$.Output.double"
    clock = VirtualClock()
    outcome = await compiled(many, child=child).execute([{"n": number} for number in range(20)], clock=clock)
    assert (outcome.output, round(clock.time())) == ([2 * number for number in range(20)], 3)


def test_a_workflow_that_starts_itself_comes_to_an_end() -> None:
    workflows: dict[str, Any] = {"child": None}
    workflows["child"] = express.compile(parent(), name="child", extensions=["nested"], workflows=workflows)
    outcome = workflows["child"].run({"n": 1}, clock=VirtualClock())
    assert (outcome.status, outcome.error) == ("FAILED", "States.TaskFailed")
    assert "nested deeper" in (outcome.cause or "")


def test_a_workflow_that_is_not_there_is_said_at_load() -> None:
    with pytest.raises(DefinitionError) as caught:
        compiled(parent(), children=object())
    assert str(caught.value) == ("/States/Call/Resource: there is no workflow 'child' that could be started here: did you mean 'children'?")


@pytest.mark.parametrize(("given", "error"), [('{"n": 1}', None), ("{oops", "StepFunctions.InvalidExecutionInputException")])
def test_a_text_is_the_input_as_json_text(given: str, error: str | None, child: express.Program) -> None:
    outcome = compiled(parent(), child=child).run(given, clock=VirtualClock())
    assert outcome.error == error
