"""Every type of state in JSONata, every status it can have, and what each level shows of it."""

from __future__ import annotations

from typing import Any

import pytest

import express
from tests.teststate.test_jsonpath import ARN, BRANCHES, BUSY, FAILED, FAR_ITEM, ITEM, Case, price

RETRY = [{"ErrorEquals": ["Other"]}, {"ErrorEquals": ["Busy"], "IntervalSeconds": 3, "MaxAttempts": 2, "BackoffRate": 2}]
CATCH = [
    {"ErrorEquals": ["Other"], "Next": "No"},
    {"ErrorEquals": ["States.ALL"], "Next": "Caught", "Output": {"in": "{% $states.input %}", "why": "{% $states.errorOutput.Error %}"}},
]
BAD_QUERY = "States.QueryEvaluationError"


def state(kind: str, **fields: Any) -> dict[str, Any]:
    return {"Type": kind, "QueryLanguage": "JSONata", **fields}


def task(**fields: Any) -> dict[str, Any]:
    return state("Task", Resource=ARN, Next="After", **fields)


CASES = {
    "Pass": Case(
        state("Pass", Next="After"), {"n": 1}, {"status": "SUCCEEDED", "output": {"n": 1}, "nextState": "After"}, {},
    ),
    "Pass, Output": Case(
        state("Pass", Output={"m": "{% $states.input.n + 1 %}"}, End=True), {"n": 1}, {"status": "SUCCEEDED", "output": {"m": 2}}, {},
    ),
    "Pass, Assign": Case(
        state("Pass", Assign={"a": "{% $states.input.n %}", "b": "{% $given %}"}, Output="{% $given %}", End=True),
        {"n": 1},
        {"status": "SUCCEEDED", "output": [5]},
        {"variables": {"given": [5], "other": None, "a": 1, "b": [5]}},
        {"variables": {"given": [5], "other": None}},
    ),
    "Pass, a variable gets another value": Case(
        state("Pass", Assign={"n": "{% $n + 1 %}"}, Output="{% $n %}", End=True),
        {},
        {"status": "SUCCEEDED", "output": 1},
        {"variables": {"n": 2}},
        {"variables": {"n": 1}},
    ),
    "Choice, a rule": Case(
        state("Choice", Choices=[{"Condition": "{% $states.input.n = 1 %}", "Next": "One", "Assign": {"r": 1}}], Default="Other"),
        {"n": 1},
        {"status": "SUCCEEDED", "output": {"n": 1}, "nextState": "One"},
        {"variables": {"r": 1}},
    ),
    "Choice, Default": Case(
        state(
            "Choice", Choices=[{"Condition": "{% $states.input.n = 1 %}", "Next": "One"}], Default="Other", Output="{% $states.input.n %}",
        ),
        {"n": 2},
        {"status": "SUCCEEDED", "output": 2, "nextState": "Other"},
        {},
    ),
    "Wait": Case(
        state("Wait", Seconds="{% $states.input.n * 10 %}", Next="After"),
        {"n": 1},
        {"status": "SUCCEEDED", "output": {"n": 1}, "nextState": "After"},
        {},
    ),
    "Wait, longer than a test may take": Case(
        state("Wait", Seconds=301, End=True), {}, {"status": "FAILED", "error": "States.Timeout"}, {},
    ),
    "Succeed": Case(state("Succeed", Output="{% $states.input.n %}"), {"n": 1}, {"status": "SUCCEEDED", "output": 1}, {}),
    "Fail": Case(
        state("Fail", Error="E", Cause="{% $states.input.why %}"), {"why": "w"}, {"status": "FAILED", "error": "E", "cause": "w"}, {},
    ),
    "Task, a function": Case(
        task(),
        {"n": 3},
        {"status": "SUCCEEDED", "output": {"n": 3, "price": 6}, "nextState": "After"},
        {"afterArguments": {"n": 3}, "result": {"n": 3, "price": 6}},
    ),
    "Task, mocked": Case(
        task(Arguments={"x": "{% $states.input.n %}"}, Output={"y": "{% $states.result.r %}"}, Assign={"z": "{% $states.result %}"}),
        {"n": 1},
        {"status": "SUCCEEDED", "output": {"y": 2}, "nextState": "After"},
        {"afterArguments": {"x": 1}, "result": {"r": 2}, "variables": {"z": {"r": 2}}},
        {"mock": {"result": {"r": 2}}},
    ),
    "Task, failed": Case(task(Arguments=1), {}, FAILED, {"afterArguments": 1}, {"mock": BUSY}),
    "Task, to be tried again": Case(
        task(Retry=RETRY, Catch=CATCH),
        {},
        {**FAILED, "status": "RETRIABLE"},
        {"afterArguments": {}, "errorDetails": {"retryIndex": 1, "retryBackoffIntervalSeconds": 6}},
        {"mock": BUSY, "state_configuration": {"retrierRetryCount": 1}},
    ),
    "Task, tried often enough": Case(
        task(Retry=RETRY),
        {},
        FAILED,
        {"afterArguments": {}, "errorDetails": {"retryIndex": 1}},
        {"mock": BUSY, "state_configuration": {"retrierRetryCount": 2}},
    ),
    "Task, caught": Case(
        task(Catch=CATCH),
        {"n": 1},
        {**FAILED, "status": "CAUGHT_ERROR", "output": {"in": {"n": 1}, "why": "Busy"}, "nextState": "Caught"},
        {"afterArguments": {"n": 1}, "errorDetails": {"catchIndex": 1}},
        {"mock": BUSY},
    ),
    "Task, caught with Assign": Case(
        task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Caught", "Assign": {"e": "{% $states.errorOutput %}"}}]),
        {"n": 1},
        {**FAILED, "status": "CAUGHT_ERROR", "output": {"Error": "Busy", "Cause": "come back"}, "nextState": "Caught"},
        {
            "afterArguments": {"n": 1}, "errorDetails": {"catchIndex": 0},
            "variables": {"v": 0, "e": {"Error": "Busy", "Cause": "come back"}},
        },
        {"mock": BUSY, "variables": {"v": 0}},
    ),
    "Parallel": Case(
        state("Parallel", Branches=BRANCHES, Arguments={"b": 1}, Output="{% $states.result[0] %}", End=True),
        {"a": 1},
        {"status": "SUCCEEDED", "output": "x"},
        {},
        {"mock": {"result": ["x", "y"]}},
    ),
    "Parallel, failed in a branch": Case(
        state("Parallel", Branches=BRANCHES, End=True), {}, FAILED, {},
        {"mock": BUSY, "state_configuration": {"errorCausedByState": "Right"}},
    ),
    "Parallel, to be tried again": Case(
        state("Parallel", Branches=BRANCHES, Retry=RETRY, End=True),
        {},
        {**FAILED, "status": "RETRIABLE"},
        {"errorDetails": {"retryIndex": 1, "retryBackoffIntervalSeconds": 3}},
        {"mock": BUSY},
    ),
    "Parallel, caught": Case(
        state("Parallel", Branches=BRANCHES, Catch=CATCH, End=True),
        {},
        {**FAILED, "status": "CAUGHT_ERROR", "output": {"in": {}, "why": "Busy"}, "nextState": "Caught"},
        {"errorDetails": {"catchIndex": 1}},
        {"mock": BUSY},
    ),
    "Map": Case(
        state(
            "Map", Items="{% $states.input.items %}", MaxConcurrency="{% $count($states.input.items) %}", ItemProcessor=ITEM,
            ItemSelector={"v": "{% $states.context.Map.Item.Value * 10 %}", "i": "{% $states.context.Map.Item.Index %}"},
            Output="{% $states.result %}", Next="After",
        ),
        {"items": [5, 6]},
        {"status": "SUCCEEDED", "output": ["x", "y"], "nextState": "After"},
        {"afterItemSelector": [{"v": 50, "i": 0}, {"v": 60, "i": 1}], "maxConcurrency": 2},
        {"mock": {"result": ["x", "y"]}},
    ),
    "Map, failed in an iteration": Case(
        state("Map", Items=[1], ItemProcessor=ITEM, End=True), {}, FAILED, {"maxConcurrency": 0},
        {"mock": BUSY, "state_configuration": {"errorCausedByState": "Item"}},
    ),
    "Distributed Map, within what it tolerates": Case(
        state("Map", Items=[1, 2], ItemProcessor=FAR_ITEM, ToleratedFailureCount="{% 1 %}", ToleratedFailurePercentage=50.5, End=True),
        {},
        {"status": "SUCCEEDED", "output": [1, 0]},
        {"maxConcurrency": 0, "toleratedFailureCount": 1, "toleratedFailurePercentage": 50.5},
        {"mock": {"result": [1, 0]}, "state_configuration": {"mapIterationFailureCount": 1}},
    ),
    "Distributed Map, more failures than it tolerates": Case(
        state("Map", Items=[1, 2], ItemProcessor=FAR_ITEM, ToleratedFailurePercentage="{% 49 %}", Catch=CATCH, End=True),
        {},
        {
            "status": "CAUGHT_ERROR", "error": "States.ExceedToleratedFailureThreshold", "nextState": "Caught",
            "cause": "The specified tolerated failure threshold was exceeded",
            "output": {"in": {}, "why": "States.ExceedToleratedFailureThreshold"},
        },
        {"maxConcurrency": 0, "toleratedFailurePercentage": 49.0, "errorDetails": {"catchIndex": 1}},
        {"mock": {"result": [1, 0]}, "state_configuration": {"mapIterationFailureCount": 1}},
    ),
    "Distributed Map, batches": Case(
        state(
            "Map", Items=[1, 2, 3], ItemProcessor=FAR_ITEM, ItemSelector={"v": "{% $states.context.Map.Item.Value %}"}, End=True,
            ItemBatcher={"MaxItemsPerBatch": "{% $states.input.most %}", "BatchInput": {"v": "{% $v %}"}},
        ),
        {"most": 2},
        {"status": "SUCCEEDED", "output": [1, 4]},
        {
            "afterItemSelector": [{"v": 1}, {"v": 2}, {"v": 3}],
            "afterItemBatcher": [{"BatchInput": {"v": 9}, "Items": [{"v": 1}, {"v": 2}]}, {"BatchInput": {"v": 9}, "Items": [{"v": 3}]}],
            "maxConcurrency": 0, "variables": {"v": 9},
        },
        {"mock": {"result": [1, 4]}, "variables": {"v": 9}},
    ),
    "Distributed Map, with a reader": Case(
        state(
            "Map", ItemProcessor=FAR_ITEM, ItemSelector="{% $states.context.Map.Item.Value.a %}", End=True,
            ItemReader={
                "Resource": "arn:aws:states:::s3:getObject", "Arguments": {"Bucket": "b", "Key": "{% $states.input.k %}"},
                "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            },
        ),
        {"k": "key"},
        {"status": "SUCCEEDED", "output": [1, 4]},
        {"afterItemSelector": ["1", "2"], "maxConcurrency": 0},
        {"mock": {"result": [1, 4]}, "state_configuration": {"mapItemReaderData": "a,b\n1,x\n2,y\n"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("level", ["INFO", "DEBUG", "TRACE"])
@pytest.mark.parametrize("name", CASES)
def test_a_state_answers_and_shows_what_its_level_shows(name: str, level: Any) -> None:
    case = CASES[name]
    answer = express.test_state(case.state, case.input, inspection_level=level, functions={"price": price}, **case.options)
    shown = answer.pop("inspectionData", None)
    assert answer == case.answer
    assert shown == (None if level == "INFO" else {"input": case.input, **case.shown})


@pytest.mark.parametrize("name", CASES)
def test_a_state_takes_the_query_language_of_its_machine(name: str) -> None:
    case = CASES[name]
    own = {field: value for field, value in case.state.items() if field != "QueryLanguage"}
    targets = ("After", "One", "Other", "Caught", "No")
    rules = [{"Condition": f"{{% $states.input.to = '{target}' %}}", "Next": target} for target in targets]
    given = case.options.get("variables", {})
    states = {"Start": {"Type": "Choice", "Choices": rules, "Default": "StateName", "Assign": given}, "StateName": own}
    machine = {"QueryLanguage": "JSONata", "StartAt": "Start", "States": {**states, **{target: {"Type": "Succeed"} for target in targets}}}
    options = {"inspection_level": "DEBUG", "functions": {"price": price}, **case.options}
    alone = express.test_state(case.state, case.input, **options)
    assert express.test_state(machine, case.input, state_name="StateName", **options) == alone


@pytest.mark.parametrize(
    ("tested", "shown"),
    [
        (task(Arguments="{% $states.input.no.such %}"), {}),
        (task(Output="{% $states.result.no.such %}"), {"afterArguments": {"n": 1}, "result": {"n": 1, "price": 2}}),
        (task(Assign={"x": "{% 'a' + 1 %}"}), {"afterArguments": {"n": 1}, "result": {"n": 1, "price": 2}}),
        (state("Pass", Output="{% $nobody %}", End=True), {}),
        (state("Choice", Choices=[{"Condition": "{% $states.input.n %}", "Next": "A"}]), {}),
    ],
    ids=["Arguments", "Output", "Assign", "a variable", "a Condition that is no boolean"],
)
def test_a_query_that_fails_fails_the_state(tested: dict[str, Any], shown: dict[str, Any]) -> None:
    answer = express.test_state(tested, {"n": 1}, inspection_level="DEBUG", functions={"price": price})
    assert (answer["status"], answer["error"]) == ("FAILED", BAD_QUERY)
    assert answer["inspectionData"] == {"input": {"n": 1}, **shown}


def test_a_failed_query_is_retried_and_caught_like_any_failure() -> None:
    tested = task(Output="{% $states.result.no.such %}", Retry=[{"ErrorEquals": [BAD_QUERY], "MaxAttempts": 1}], Catch=CATCH)
    options: dict[str, Any] = {"inspection_level": "DEBUG", "mock": {"result": {}}}
    answer = express.test_state(tested, {}, **options)
    assert (answer["status"], answer["error"]) == ("RETRIABLE", BAD_QUERY)
    answer = express.test_state(tested, {}, **options, state_configuration={"retrierRetryCount": 1})
    assert (answer["status"], answer["output"]) == ("CAUGHT_ERROR", {"in": {}, "why": BAD_QUERY})


def test_a_given_context_is_seen_in_every_part() -> None:
    given = {"Execution": {"Name": "mine", "Input": [1, 2]}, "State": {"Name": "Other", "RetryCount": 7}, "Task": {"Token": "t"}}
    for path, value in {
        "Execution.Name": "mine", "Execution.Input[1]": 2, "State.Name": "Other", "State.RetryCount": 7, "Task.Token": "t",
        "Execution.Input": [1, 2], "Task": {"Token": "t"},
    }.items():  # fmt: skip
        tested = task(Arguments={"x": f"{{% $states.context.{path} %}}"})
        answer = express.test_state(tested, {}, mock={"result": 0}, context=given, inspection_level="DEBUG")
        assert answer["inspectionData"]["afterArguments"] == {"x": value}, path
