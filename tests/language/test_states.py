"""Every state type: what it becomes, and what is said of fields that do not fit."""

from __future__ import annotations

from typing import Any

import pytest

from express.language import load, model, paths
from express.language.model import (
    ROOT,
    Catcher,
    Choice,
    Fail,
    Literal,
    Machine,
    Map,
    Parallel,
    Pass,
    Retrier,
    State,
    Succeed,
    Task,
    Wait,
)
from tests.language.definitions import FUNCTION, ending, errors, machine, state, task, warnings

PATH = paths.parse("$.a")
BRANCH = {"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}
INNER = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}


def branch(location: str) -> Machine:
    return Machine(location=location, start_at="B", states={"B": Succeed(name="B", location=f"{location}/States/B")})


def inner(location: str) -> Machine:
    return Machine(location=location, start_at="I", states={"I": Pass(name="I", location=f"{location}/States/I")})


A: dict[str, Any] = {"name": "A", "location": "/States/A"}
PARALLEL: dict[str, Any] = {"branches": (branch("/States/A/Branches/0"),)}
MAP: dict[str, Any] = {"processor": inner("/States/A/ItemProcessor")}


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (ending("Pass"), Pass(**A)),
        (
            ending("Pass", Comment="c", InputPath="$.a", OutputPath=None, ResultPath="$.a", Result={"x": 1}),
            Pass(**A, comment="c", input_path=PATH, output_path=None, result_path=PATH, result=Literal({"x": 1})),
        ),
        (ending("Pass", Result=None), Pass(**A, result=Literal(None))),
        (ending("Pass", ResultPath=None), Pass(**A, result_path=None)),
        (machine({"Type": "Pass", "Next": "B"}, B={"Type": "Succeed"}), Pass(**A, next="B")),
        (machine({"Type": "Pass", "Next": "B", "End": False}, B={"Type": "Succeed"}), Pass(**A, next="B")),
        (ending("Succeed", InputPath="$.a"), Succeed(**A, input_path=PATH)),
        (ending("Fail"), Fail(**A)),
        (ending("Fail", Error="E", Cause="c"), Fail(**A, error=Literal("E"), cause=Literal("c"))),
        (
            ending("Fail", ErrorPath="$.a", CausePath="States.UUID()"),
            Fail(**A, error=PATH, cause=model.Call("UUID", (), "States.UUID()")),
        ),
        (ending("Wait", Seconds=0), Wait(**A, seconds=Literal(0))),
        (ending("Wait", SecondsPath="$.a"), Wait(**A, seconds=PATH)),
        (ending("Wait", Timestamp="2016-03-14T01:59:00.5+01:00"), Wait(**A, timestamp=Literal("2016-03-14T01:59:00.5+01:00"))),
        (ending("Wait", TimestampPath="$$.Execution.Input.at"), Wait(**A, timestamp=paths.parse("$$.Execution.Input.at"))),
        (task(), Task(**A, resource=FUNCTION)),
        (
            task(
                Parameters={"x": 1},
                ResultSelector={"y": 2},
                TimeoutSeconds=9,
                HeartbeatSecondsPath="$.a",
                Credentials={"RoleArn": "arn:aws:iam::123456789012:role/x"},
            ),
            Task(
                **A,
                resource=FUNCTION,
                parameters=Literal({"x": 1}),
                result_selector=Literal({"y": 2}),
                timeout_seconds=Literal(9),
                heartbeat_seconds=PATH,
                credentials=Literal({"RoleArn": "arn:aws:iam::123456789012:role/x"}),
            ),
        ),
        (
            task(Retry=[{"ErrorEquals": ["E", "F"]}, {"ErrorEquals": ["States.ALL"]}]),
            Task(**A, resource=FUNCTION, retry=(Retrier(error_equals=("E", "F")), Retrier(error_equals=("States.ALL",)))),
        ),
        (
            task(
                Retry=[
                    {
                        "ErrorEquals": ["States.Timeout"],
                        "IntervalSeconds": 2,
                        "MaxAttempts": 0,
                        "BackoffRate": 1.5,
                        "MaxDelaySeconds": 7,
                        "JitterStrategy": "FULL",
                        "Comment": "c",
                    }
                ]
            ),
            Task(
                **A,
                resource=FUNCTION,
                retry=(
                    Retrier(
                        error_equals=("States.Timeout",),
                        interval_seconds=2,
                        max_attempts=0,
                        backoff_rate=1.5,
                        max_delay_seconds=7,
                        jitter=True,
                    ),
                ),
            ),
        ),
        (
            task(
                Catch=[
                    {"ErrorEquals": ["E"], "Next": "A", "ResultPath": "$.a"},
                    {"ErrorEquals": ["F"], "Next": "A", "ResultPath": None, "Comment": "c"},
                    {"ErrorEquals": ["States.ALL"], "Next": "A"},
                ]
            ),
            Task(
                **A,
                resource=FUNCTION,
                catch=(
                    Catcher(error_equals=("E",), next="A", result_path=PATH),
                    Catcher(error_equals=("F",), next="A", result_path=None),
                    Catcher(error_equals=("States.ALL",), next="A", result_path=ROOT),
                ),
            ),
        ),
        (ending("Parallel", Branches=[BRANCH]), Parallel(**A, **PARALLEL)),
        (
            ending("Parallel", Branches=[BRANCH], Parameters={"x": 1}, ResultSelector=[1], Retry=[], Catch=[]),
            Parallel(**A, **PARALLEL, parameters=Literal({"x": 1}), result_selector=Literal([1])),
        ),
        (ending("Map", ItemProcessor=INNER), Map(**A, **MAP)),
        (ending("Map", ItemProcessor={**INNER, "ProcessorConfig": {"Mode": "INLINE"}}), Map(**A, **MAP)),
        (ending("Map", Iterator=INNER), Map(**A, processor=inner("/States/A/Iterator"))),
        (
            ending("Map", ItemProcessor=INNER, ItemsPath="$.a", ItemSelector={"x.$": "$$.Map.Item.Value"}, MaxConcurrency=5),
            Map(
                **A,
                **MAP,
                items_path=PATH,
                parameters=model.ObjectTemplate((("x", paths.parse("$$.Map.Item.Value")),)),
                max_concurrency=Literal(5),
            ),
        ),
        (
            ending("Map", ItemProcessor=INNER, Parameters={"x": 1}, MaxConcurrencyPath="$.a", Label="L"),
            Map(**A, **MAP, parameters=Literal({"x": 1}), max_concurrency=PATH, label="L"),
        ),
        (
            ending("Map", ItemProcessor=INNER, ToleratedFailureCount=2, ToleratedFailurePercentagePath="$.a"),
            Map(**A, **MAP, tolerated_failure_count=Literal(2), tolerated_failure_percentage=PATH),
        ),
        (
            ending("Map", ItemProcessor={**INNER, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}}),
            Map(**A, **MAP, mode="DISTRIBUTED"),
        ),
    ],
)
def test_a_state_becomes_typed_data(definition: dict[str, Any], expected: State) -> None:
    assert state(definition) == expected


def test_a_workflow_keeps_comment_timeout_version_and_the_order_of_its_states() -> None:
    order = ["Z", "A", "M"]
    states = {name: {"Type": "Pass", "Next": "Done"} for name in order} | {"Done": {"Type": "Succeed"}}
    states["Z"]["Next"], states["A"]["Next"] = "A", "M"
    loaded = load({"StartAt": "Z", "States": states, "Comment": "c", "TimeoutSeconds": 60, "Version": "1.0"})
    made = loaded.workflow
    assert made is not None
    assert list(made.states) == [*order, "Done"]
    assert (made.start_at, made.comment, made.timeout_seconds, made.version, made.location) == ("Z", "c", 60, "1.0", "")


def test_locations_inside_branches_are_json_pointers() -> None:
    nested = {"StartAt": "x/y~z", "States": {"x/y~z": {"Type": "Pass", "Next": "nowhere"}}}
    assert errors(ending("Parallel", Branches=[BRANCH, nested])) == [
        "/States/A/Branches/1/States/x~1y~0z/Next: no state is named 'nowhere'",
        "/States/A/Branches/1/States: there is no terminal state: a Succeed, a Fail or a state with End: true",
    ]


ONE_NEXT = "One of these fields is required: [Next, End]"


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        # the whole
        ({}, ["/: These fields are required: [States, StartAt]"]),
        ({"StartAt": "A"}, ["/: The field 'States' is required but was missing"]),
        ({"States": {"A": {"Type": "Succeed"}}}, ["/: The field 'StartAt' is required but was missing"]),
        ({"StartAt": "A", "States": {}}, ["/States: expected an object with at least one state, found none"]),
        ({"StartAt": "A", "States": []}, ["/States: expected an object with at least one state, found an empty array"]),
        ({"StartAt": 5, "States": {"A": {"Type": "Succeed"}}}, ["/StartAt: expected a text, found 5"]),
        ({**ending("Succeed"), "TimeoutSeconds": 0}, ["/TimeoutSeconds: expected a whole number from 1 to 99999999, found 0"]),
        ({**ending("Succeed"), "Version": "2.0"}, ["/Version: expected 1.0, found '2.0'"]),
        ({**ending("Succeed"), "Comment": 1}, ["/Comment: expected a text, found 1"]),
        (
            {**ending("Succeed"), "Startat": "A"},
            ["/Startat: Field is not supported: a state machine has no field 'Startat' (did you mean 'StartAt'?)"],
        ),
        ({**ending("Succeed"), "QueryLanguage": "JMESPath"}, ["/QueryLanguage: expected JSONPath or JSONata, found 'JMESPath'"]),
        # any state
        (machine({}), ["/States/A: The field 'Type' is required but was missing"]),
        (
            ending("Tsk", Resource="x"),
            [("/States/A/Type: expected Task, Pass, Choice, Wait, Succeed, Fail, Parallel or Map, found 'Tsk' (did you mean 'Task'?)")],
        ),
        ({"StartAt": "A", "States": {"A": 5}}, ["/States/A: expected an object with the fields of a state, found 5"]),
        (
            ending("Pass", ResultPth="$.a", Foo=1),
            [
                "/States/A/ResultPth: Field is not supported: a Pass state has no field 'ResultPth' (did you mean 'ResultPath'?)",
                "/States/A/Foo: Field is not supported: a Pass state has no field 'Foo'",
            ],
        ),
        (ending("Pass", Comment=None), ["/States/A/Comment: expected a text, found null"]),
        (
            ending("Pass", InputPath="a"),
            ["/States/A/InputPath: 'a' is not a valid JSONPath: a path begins with '$', found 'a' at character 1"],
        ),
        (ending("Pass", InputPath=5), ["/States/A/InputPath: expected a path such as $.order.total, found 5"]),
        (ending("Pass", ResultPath="$.a[*]"), ["/States/A/ResultPath: Value is not a Reference Path: '*' may select several values"]),
        (
            ending("Pass", ResultPath="$$.a"),
            ["/States/A/ResultPath: Value is not a Reference Path: a Reference Path begins with '$', not with '$$'"],
        ),
        (ending("Pass", ResultPath="$.a[-1]"), ["/States/A/ResultPath: Value is not a Reference Path: the index -1 is negative"]),
        # where it goes
        (
            machine({"Type": "Pass", "Next": "A"}, B={"Type": "Succeed"}),
            ["/States/B: State 'B' is not reachable: no state that is reached leads to it"],
        ),
        (
            machine({"Type": "Pass"}),
            [
                f"/States/A: {ONE_NEXT}",
                "/States: there is no terminal state: a Succeed, a Fail or a state with End: true",
            ],
        ),
        (machine({"Type": "Pass", "Next": "A", "End": True}), ["/States/A: Only one of these fields is allowed: [Next, End]"]),
        (
            machine({"Type": "Pass", "End": "yes"}),
            [
                "/States/A/End: expected true or false, found 'yes'",
            ],
        ),
        (ending("Succeed", Next="A"), ["/States/A/Next: Field is not supported: a Succeed state has no field 'Next'"]),
        # Task
        (ending("Task"), ["/States/A: The field 'Resource' is required but was missing"]),
        (machine({"type": "Pass", "End": True}), ["/States/A: The field 'Type' is required but was missing (did you mean it by 'type'?)"]),
        (task(TimeoutSeconds="9"), ["/States/A/TimeoutSeconds: expected a whole number from 1 to 99999999, found '9'"]),
        (task(TimeoutSeconds=1.5), ["/States/A/TimeoutSeconds: expected a whole number from 1 to 99999999, found 1.5"]),
        (task(TimeoutSeconds=True), ["/States/A/TimeoutSeconds: expected a whole number from 1 to 99999999, found true"]),
        (
            task(TimeoutSeconds=9, TimeoutSecondsPath="$.a"),
            ["/States/A: Only one of these fields is allowed: [TimeoutSeconds, TimeoutSecondsPath]"],
        ),
        (
            task(TimeoutSecondsPath="$.a[*]"),
            ["/States/A/TimeoutSecondsPath: expected a path to one value, '$.a[*]' may select several"],
        ),
        (
            task(TimeoutSeconds=9, HeartbeatSeconds=9),
            ["/States/A/HeartbeatSeconds: expected less than TimeoutSeconds, which is 9, found 9"],
        ),
        (task(Credentials=None), ["/States/A/Credentials: expected an object with RoleArn, found null"]),
        (task(Credentials={"Role": "x"}), ["/States/A/Credentials: The field 'RoleArn' is required but was missing"]),
        # Retry and Catch
        (task(Retry={}), ["/States/A/Retry: expected an array, found an object"]),
        (task(Retry=[5]), ["/States/A/Retry/0: expected an object with ErrorEquals, found 5"]),
        (task(Retry=[{}]), ["/States/A/Retry/0: The field 'ErrorEquals' is required but was missing"]),
        (
            task(Retry=[{"ErrorEquals": []}]),
            ["/States/A/Retry/0/ErrorEquals: expected an array of at least one error name, found an empty array"],
        ),
        (task(Retry=[{"ErrorEquals": ["E", 5]}]), ["/States/A/Retry/0/ErrorEquals/1: expected an error name, found 5"]),
        (
            task(Retry=[{"ErrorEquals": ["States.ALL", "E"]}]),
            ["/States/A/Retry/0/ErrorEquals: States.ALL must stand alone, found it among 2 error names"],
        ),
        (
            task(Retry=[{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["E"]}]),
            ["/States/A/Retry/0/ErrorEquals: States.ALL must be in the last entry of Retry, found it in entry 1 of 2"],
        ),
        (
            task(
                Retry=[
                    {
                        "ErrorEquals": ["E"],
                        "IntervalSeconds": 0,
                        "MaxAttempts": 100_000_000,
                        "BackoffRate": 0.5,
                        "MaxDelaySeconds": 31_622_400,
                        "JitterStrategy": "HALF",
                        "Interval": 5,
                    }
                ]
            ),
            [
                "/States/A/Retry/0/Interval: Field is not supported: an entry of Retry has no field 'Interval'",
                "/States/A/Retry/0/IntervalSeconds: expected a whole number from 1 to 99999999, found 0",
                "/States/A/Retry/0/MaxDelaySeconds: expected a whole number from 1 to 31622399, found 31622400",
                "/States/A/Retry/0/MaxAttempts: expected a whole number from 0 to 99999999, found 100000000",
                "/States/A/Retry/0/BackoffRate: expected a number of at least 1, found 0.5",
                "/States/A/Retry/0/JitterStrategy: expected FULL or NONE, found 'HALF'",
            ],
        ),
        (task(Catch=[{"ErrorEquals": ["E"]}]), ["/States/A/Catch/0: The field 'Next' is required but was missing"]),
        (task(Catch=[{"ErrorEquals": ["E"], "Next": "Chrage"}]), ["/States/A/Catch/0/Next: no state is named 'Chrage'"]),
        (
            task(Catch=[{"ErrorEquals": ["E"], "Next": "A", "ResultPath": "$..a"}]),
            ["/States/A/Catch/0/ResultPath: Value is not a Reference Path: '..' may select several values"],
        ),
        (
            task(Catch=[{"ErrorEquals": ["E"], "Next": "A", "Output": 1}]),
            ["/States/A/Catch/0/Output: 'Output' needs the query language JSONata"],
        ),
        (ending("Pass", Retry=[]), ["/States/A/Retry: Field is not supported: a Pass state has no field 'Retry'"]),
        # Wait
        (ending("Wait"), ["/States/A: One of these fields is required: [Seconds, SecondsPath, Timestamp, TimestampPath]"]),
        (
            ending("Wait", Seconds=1, Timestamp="2016-03-14T01:59:00Z"),
            ["/States/A: Only one of these fields is allowed: [Seconds, Timestamp]"],
        ),
        (ending("Wait", Seconds=-1), ["/States/A/Seconds: expected a whole number from 0 to 99999999, found -1"]),
        (
            ending("Wait", Timestamp="2016-02-30T01:59:00Z"),
            [
                (
                    "/States/A/Timestamp: String does not match RFC3339 timestamp: expected one such as 2016-03-14T01:59:00Z, "
                    "found '2016-02-30T01:59:00Z'"
                )
            ],
        ),
        # Fail
        (ending("Fail", Error=5), ["/States/A/Error: expected a text, found 5"]),
        (ending("Fail", Error="E", ErrorPath="$.a"), ["/States/A: Only one of these fields is allowed: [Error, ErrorPath]"]),
        (
            ending("Fail", ErrorPath="States.Array($.a)"),
            [
                (
                    "/States/A/ErrorPath: States.Array does not return a text: ErrorPath takes a path or one of "
                    "ArrayGetItem, Base64Decode, Base64Encode, Format, Hash, JsonToString, UUID"
                )
            ],
        ),
        (
            ending("Fail", CausePath="States.Foo()"),
            ["/States/A/CausePath: 'States.Foo()' is not a valid intrinsic function call: there is no intrinsic function 'States.Foo'"],
        ),
        (ending("Fail", InputPath="$"), ["/States/A/InputPath: Field is not supported: a Fail state has no field 'InputPath'"]),
        # Parallel
        (ending("Parallel"), ["/States/A: The field 'Branches' is required but was missing"]),
        (ending("Parallel", Branches=[]), ["/States/A/Branches: expected an array of at least one branch, found an empty array"]),
        (ending("Parallel", Branches=[5]), ["/States/A/Branches/0: expected an object with States and StartAt, found 5"]),
        (
            ending("Parallel", Branches=[{**BRANCH, "Retry": []}]),
            ["/States/A/Branches/0/Retry: Field is not supported: a part of a state machine has no field 'Retry'"],
        ),
        # Map
        (ending("Map"), ["/States/A: One of these fields is required: [ItemProcessor, Iterator]"]),
        (
            ending("Map", ItemProcessor=INNER, Iterator=BRANCH),
            ["/States/A: Only one of these fields is allowed: [ItemProcessor, Iterator]"],
        ),
        (
            ending("Map", ItemProcessor=INNER, ItemSelector={}, Parameters={}),
            ["/States/A: Only one of these fields is allowed: [ItemSelector, Parameters]"],
        ),
        (ending("Map", ItemProcessor=INNER, ItemsPath=None), ["/States/A/ItemsPath: expected a path such as $.order.items, found null"]),
        (
            ending("Map", ItemProcessor=INNER, MaxConcurrency=-1),
            ["/States/A/MaxConcurrency: expected a whole number from 0 to 99999999, found -1"],
        ),
        (
            ending("Map", ItemProcessor=INNER, ToleratedFailurePercentage=101),
            ["/States/A/ToleratedFailurePercentage: expected a number from 0 to 100, found 101"],
        ),
        (
            ending("Map", ItemProcessor={**INNER, "ProcessorConfig": {"Mode": "inline"}}),
            ["/States/A/ItemProcessor/ProcessorConfig/Mode: expected INLINE or DISTRIBUTED, found 'inline'"],
        ),
        (
            ending("Map", ItemProcessor={**INNER, "ProcessorConfig": {"Mode": "DISTRIBUTED"}}),
            ["/States/A/ItemProcessor/ProcessorConfig: The field 'ExecutionType' is required but was missing"],
        ),
        (ending("Map", ItemProcessor=INNER, Label="a b"), ["/States/A/Label: a label may not contain the character ' '"]),
        (ending("Map", ItemProcessor=INNER, Label="x" * 41), ["/States/A/Label: a label has 1 to 40 characters, found 41"]),
        (ending("Map", ItemProcessor=INNER, ItemReader=5), ["/States/A/ItemReader: expected an object, found 5"]),
        (
            ending("Map", ItemProcessor=INNER, ItemBatcher={"MaxItemsPerBatch": 0, "Max": 1}),
            [
                "/States/A/ItemBatcher/Max: Field is not supported: ItemBatcher has no field 'Max'",
                "/States/A/ItemBatcher/MaxItemsPerBatch: expected a whole number from 1 to 100000000, found 0",
            ],
        ),
        # the other query language
        (ending("Pass", Output=1), ["/States/A/Output: 'Output' needs the query language JSONata"]),
        (task(Arguments={}), ["/States/A/Arguments: 'Arguments' needs the query language JSONata"]),
    ],
)
def test_what_is_wrong_with_a_state_is_said_with_its_place(definition: dict[str, Any], expected: list[str]) -> None:
    assert errors(definition) == expected


def test_all_problems_come_at_once() -> None:
    definition = {
        "StartAt": "Charge",
        "Sates": {},
        "States": {
            "Charge": {"Type": "Task", "Resource": "nothing", "TimeoutSeconds": 0, "Next": "Shp"},
            "Ship": {"Type": "Wait", "Seconds": "soon", "End": True},
        },
    }
    assert errors(definition) == [
        "/Sates: Field is not supported: a state machine has no field 'Sates' (did you mean 'States'?)",
        (
            "/States/Charge/Resource: The resource provided nothing is not recognized. The value is not a valid resource ARN, "
            "or the resource is not available in this region."
        ),
        "/States/Charge/TimeoutSeconds: expected a whole number from 1 to 99999999, found 0",
        "/States/Ship/Seconds: expected a whole number from 0 to 99999999, found 'soon'",
        "/States/Charge/Next: no state is named 'Shp' (did you mean 'Ship'?)",
        "/States/Ship: State 'Ship' is not reachable: no state that is reached leads to it",
    ]


def test_the_fields_of_jsonpath_in_a_jsonata_state_are_wrong() -> None:
    definition = ending("Pass", QueryLanguage="JSONata", ResultPath="$.a", Outptu=1)
    assert errors(definition) == [
        "/States/A/ResultPath: 'ResultPath' needs the query language JSONPath",
        "/States/A/Outptu: Field is not supported: a Pass state has no field 'Outptu' (did you mean 'Output'?)",
    ]


def test_a_state_of_a_jsonata_machine_cannot_go_back_to_jsonpath() -> None:
    definition = {**ending("Pass", QueryLanguage="JSONPath"), "QueryLanguage": "JSONata"}
    assert errors(definition) == ["/States/A/QueryLanguage: a state of a JSONata state machine cannot go back to JSONPath"]


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (
            machine({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "B"}]}, B={"Type": "Succeed"}),
            "/States/A: there is no Default: an input that matches no rule fails with States.NoChoiceMatched",
        ),
        (
            ending("Pass", Result={"x": [{"y.$": "$.a"}]}),
            "/States/A/Result: Result is taken as it is: 'y.$' stays a field of that name, use Parameters to look values up",
        ),
        (
            ending("Pass", Result=1, Parameters={}),
            "/States/A/Parameters: Parameters changes nothing: Result is what the state returns",
        ),
        (ending("Fail", Cause="$.a"), "/States/A/Cause: the value looks like a path: use the field 'CausePath' for it"),
        (
            task(Retry=[{"ErrorEquals": ["States.Timeot"]}]),
            "/States/A/Retry/0/ErrorEquals/0: there is no reserved error named 'States.Timeot' (did you mean 'States.Timeout'?)",
        ),
    ],
)
def test_what_is_legal_and_hardly_meant_is_a_warning(definition: dict[str, Any], expected: str) -> None:
    assert warnings(definition) == [expected]


def test_a_path_where_a_number_belongs_gets_the_field_that_takes_paths() -> None:
    problems = load(ending("Wait", Seconds="$.delay")).problems
    assert [(problem.severity, problem.code, str(problem)) for problem in problems] == [
        ("ERROR", "SCHEMA_VALIDATION_FAILED", "/States/A/Seconds: expected a whole number from 0 to 99999999, found '$.delay'"),
        ("WARNING", "NO_PATH", "/States/A/Seconds: the value looks like a path: use the field 'SecondsPath' for it"),
    ]


def test_an_error_name_of_ones_own_under_states_is_left_alone() -> None:
    assert warnings(task(Catch=[{"ErrorEquals": ["States.QuorumMet"], "Next": "A"}])) == []


def test_choice_rules_are_kept_in_order() -> None:
    rules = [{"Variable": "$.a", "NumericEquals": number, "Next": "B"} for number in range(3)]
    made = state(machine({"Type": "Choice", "Choices": rules, "Default": "B"}, B={"Type": "Succeed"}))
    assert isinstance(made, Choice)
    assert [rule.location for rule in made.rules] == [f"/States/A/Choices/{number}" for number in range(3)]
    assert made.default == "B"
