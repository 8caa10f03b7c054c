"""What each type of state does to data, through the compiler and the executor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import express
from express.runtime.context import Execution
from express.testing import VirtualClock
from tests.compiler.machines import choice, failure, machine, map_, output, pass_, run, task

Compiled = Callable[..., express.Program]


# --- InputPath, Parameters, ResultPath, OutputPath --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "event", "expected"),
    [
        ({}, {"a": 1}, {"a": 1}),
        ({"Result": {"b": 2}}, {"a": 1}, {"b": 2}),
        ({"Result": [1, {"x": None}], "ResultPath": "$.r"}, {"a": 1}, {"a": 1, "r": [1, {"x": None}]}),
        ({"Result": 2, "ResultPath": "$.a"}, {"a": 1, "b": 3}, {"a": 2, "b": 3}),
        ({"Result": 2, "ResultPath": "$.x.y.z"}, {"a": 1}, {"a": 1, "x": {"y": {"z": 2}}}),
        ({"Result": 2, "ResultPath": "$.x.y"}, {"x": {"q": 1}}, {"x": {"q": 1, "y": 2}}),
        ({"Result": 2, "ResultPath": "$.list[1]"}, {"list": [1, 1]}, {"list": [1, 2]}),
        ({"Result": 2, "ResultPath": None}, {"a": 1}, {"a": 1}),
        ({"InputPath": "$.a"}, {"a": {"b": 1}}, {"b": 1}),
        ({"InputPath": "$.a", "ResultPath": "$.copy"}, {"a": [1]}, {"a": [1], "copy": [1]}),
        ({"InputPath": None}, {"a": 1}, {}),
        ({"InputPath": "$.list[0]"}, {"list": ["x", "y"]}, "x"),
        ({"InputPath": "$.list[-1]"}, {"list": ["x", "y"]}, "y"),
        ({"InputPath": "$.list[*].n"}, {"list": [{"n": 1}, {}, {"n": 2}]}, [1, 2]),
        ({"InputPath": "$.list[1:]"}, {"list": [1, 2, 3]}, [2, 3]),
        ({"OutputPath": "$.a"}, {"a": 1}, 1),
        ({"OutputPath": None}, {"a": 1}, {}),
        ({"Parameters": {"x.$": "$.a", "y": {"z.$": "$", "w": "$.a"}}}, {"a": 1}, {"x": 1, "y": {"z": {"a": 1}, "w": "$.a"}}),
        ({"Parameters": {"x.$": "$.b"}, "InputPath": "$.a"}, {"a": {"b": 7}}, {"x": 7}),
        ({"Parameters": {"l": [{"v.$": "$.a"}, 2]}}, {"a": 1}, {"l": [{"v": 1}, 2]}),
        ({"Parameters": {"all.$": "$..n"}}, {"n": 1, "b": {"n": 2}}, {"all": [1, 2]}),
        ({"Parameters": {"sum.$": "States.MathAdd($.a, 2)"}}, {"a": 1}, {"sum": 3}),
        ({"Parameters": {"t.$": "States.Format('{} of {}', $.a, States.ArrayLength($.l))"}}, {"a": 1, "l": [1, 2]}, {"t": "1 of 2"}),
        ({"Parameters": {"n.$": "$$.State.Name", "i.$": "$$.Execution.Input.a"}}, {"a": 1}, {"n": "P", "i": 1}),
        ({"Parameters": {}}, {"a": 1}, {}),
        ({"InputPath": "$$.Execution.Input.a"}, {"a": [1]}, [1]),
    ],
)
def test_a_pass_shapes_its_data(compiled: Compiled, fields: dict[str, Any], event: Any, expected: Any) -> None:
    assert output(compiled(machine(P=pass_(**fields))), event) == expected


def test_a_result_path_may_put_the_input_into_itself(compiled: Compiled) -> None:
    definition = machine(
        A=pass_(Parameters={"a.$": "$.a"}),
        B=pass_(Parameters={"all.$": "$"}, ResultPath="$.b"),
        C=pass_(ResultPath="$.c"),
    )
    assert output(compiled(definition), {"a": 1}) == {"a": 1, "b": {"all": {"a": 1}}, "c": {"a": 1, "b": {"all": {"a": 1}}}}


def test_setting_a_field_in_place_changes_nothing_that_somebody_else_sees(compiled: Compiled) -> None:
    branch = machine(X=pass_(Parameters={"seen.$": "$"}))
    definition = machine(
        A=pass_(Parameters={"a.$": "$.a"}),
        F={"Type": "Parallel", "Branches": [branch], "ResultPath": "$.fan"},
        B=pass_(Result="set", ResultPath="$.b"),
        C=pass_(Result="set", ResultPath="$.c"),
    )
    assert output(compiled(definition), {"a": 1}) == {"a": 1, "fan": [{"seen": {"a": 1}}], "b": "set", "c": "set"}


def test_constants_of_the_definition_stay_what_they_are(compiled: Compiled) -> None:
    def spoil(event: dict[str, Any]) -> dict[str, Any]:
        event["list"].append("spoilt")
        return event

    constant = {"list": ["a constant that is too long to be written into the code where it is used", 1, 2]}
    program = compiled(machine(A=pass_(Result=constant), B=task("spoil")), functions={"spoil": spoil})
    assert [len(output(program, {})["list"]) for _ in range(3)] == [4, 4, 4]


@pytest.mark.parametrize(
    ("fields", "event", "error", "cause"),
    [
        (
            {"Parameters": {"x.$": "$.a.b"}},
            {"a": {}},
            "States.Runtime",
            "The JSONPath '$.a.b' specified for the field 'x.$' could not be found in the input '{\"a\":{}}'",
        ),
        ({"InputPath": "$.b"}, {}, "States.Runtime", "Invalid path '$.b' : No results for path: $['b']"),
        ({"InputPath": "$.a.b"}, {}, "States.Runtime", "Invalid path '$.a.b' : Missing property in path $['a']"),
        ({"OutputPath": "$.b"}, {}, "States.Runtime", "Invalid path '$.b' : No results for path: $['b']"),
        ({"InputPath": "$.text[0]"}, {"text": "abc"}, "States.Runtime", None),
        ({"InputPath": "$.list.x"}, {"list": [1]}, "States.Runtime", None),
        ({"InputPath": "$.list[3]"}, {"list": [1]}, "States.Runtime", None),
        ({"ResultPath": "$.a"}, [1], "States.ResultPathMatchFailure", "Unable to apply ReferencePath $.a to input [1]"),
        ({"ResultPath": "$.a.b"}, {"a": 1}, "States.ResultPathMatchFailure", 'Unable to apply ReferencePath $.a.b to input {"a":1}'),
        (
            {"Parameters": {"x.$": "States.MathAdd($.no, 1)"}},
            {},
            "States.Runtime",
            (
                "The function 'States.MathAdd($.no, 1)' had the following error: "
                "The JsonPath argument for the field '$.no' could not be found in the input '{}'"
            ),
        ),
        ({"Parameters": {"x.$": "States.MathAdd('a', 1)"}}, {}, "States.IntrinsicFailure", None),
        ({"Parameters": {"x.$": "$$.Map.Item.Index"}}, {}, "States.Runtime", None),
    ],
)
def test_a_path_that_selects_nothing_fails_the_state_in_aws_s_words(
    compiled: Compiled, fields: dict[str, Any], event: Any, error: str, cause: str | None
) -> None:
    found, said = failure(compiled(machine(P=pass_(**fields))), event)
    assert found == error
    assert said is not None
    assert said.startswith("An error occurred while executing the state 'P' (entered at the event id #2). ")
    if cause is not None:
        assert said.endswith(f" {cause}")


def test_the_path_that_is_named_is_the_one_that_selects_nothing(compiled: Compiled) -> None:
    many = {f"field_{number}.$": f"$.there_{number}" for number in range(12)} | {"lost.$": "$.lost", "last.$": "$.there_0"}
    program = compiled(machine(P=pass_(Parameters=many)))
    assert "\n            " in program.source  # written over several lines
    _, cause = failure(program, {f"there_{number}": number for number in range(12)})
    assert cause is not None
    assert "'$.lost' specified for the field 'lost.$'" in cause


# --- Choice -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "yes", "no"),
    [
        ({"NumericGreaterThan": 1}, [2, 1.5], [1, "2", True, None, [2]]),
        ({"NumericEquals": 1}, [1, 1.0], [True, "1", 2]),
        ({"NumericLessThanEquals": 1}, [1, -4], [1.01, False, "0"]),
        ({"StringEquals": "a"}, ["a"], ["b", 1, None]),
        ({"StringLessThan": "b"}, ["a", ""], ["b", 1]),
        ({"StringGreaterThanEquals": "é"}, ["é", "ü"], ["a", 5]),
        ({"StringMatches": "a*\\*c"}, ["ab*c", "a*c"], ["abc", 1]),
        ({"BooleanEquals": True}, [True], [False, 1, "true"]),
        ({"BooleanEquals": False}, [False], [True, 0, None]),
        ({"IsNull": True}, [None], [0, ""]),
        ({"IsNull": False}, [0], [None]),
        ({"IsString": True}, [""], [None, 1]),
        ({"IsNumeric": True}, [1, 0.5], [True, "1"]),
        ({"IsNumeric": False}, [True, "1"], [1]),
        ({"IsBoolean": True}, [True], [1]),
        ({"IsTimestamp": True}, ["2026-01-31T10:00:00Z"], ["2026-01-31", 5]),
        ({"TimestampLessThan": "2026-01-31T10:00:00Z"}, ["2026-01-31T10:59:00+01:00"], ["2026-01-31T10:00:00Z", "x"]),
        ({"IsPresent": True}, [1, None], []),
        ({"NumericLessThanPath": "$.other"}, [1], [5, 6, "1"]),
        ({"StringEqualsPath": "$.word"}, ["w"], ["v", 1]),
    ],
)
def test_a_rule_holds_for_values_of_its_type_only(compiled: Compiled, rule: dict[str, Any], yes: list[Any], no: list[Any]) -> None:
    program = compiled(
        machine(
            C=choice({"Variable": "$.v", "Next": "Yes", **rule}, default="No"), Yes=pass_(Result=True, End=True), No=pass_(Result=False)
        )
    )
    other = {"other": 5, "word": "w"}
    assert [output(program, {"v": value, **other}) for value in [*yes, *no]] == [True] * len(yes) + [False] * len(no)


def test_rules_are_tried_in_order_and_combined(compiled: Compiled) -> None:
    inside = {"And": [{"Variable": "$.n", "NumericGreaterThanEquals": 10}, {"Not": {"Variable": "$.n", "NumericGreaterThan": 20}}]}
    either = {"Or": [{"Variable": "$.tag", "IsPresent": False}, {"Variable": "$.tag", "StringEquals": "none"}]}
    program = compiled(
        machine(
            C=choice(
                {**inside, "Next": "In"}, {"Variable": "$.n", "NumericEquals": 5, "Next": "In"}, {**either, "Next": "Bare"}, default="Out"
            ),
            In=pass_(Result="in", End=True),
            Bare=pass_(Result="bare", End=True),
            Out=pass_(Result="out"),
        )
    )
    assert output(program, {"n": 15, "tag": "x"}) == "in"
    assert output(program, {"n": 5, "tag": "x"}) == "in"
    assert output(program, {"n": 21}) == "bare"
    assert output(program, {"n": 21, "tag": "none"}) == "bare"
    assert output(program, {"n": 21, "tag": "x"}) == "out"


def test_a_variable_that_is_not_there_fails_only_where_it_is_looked_at(compiled: Compiled) -> None:
    first = {"Variable": "$.a", "NumericEquals": 1, "Next": "Yes"}
    second = {"And": [{"Variable": "$.b", "IsPresent": True}, {"Variable": "$.b", "NumericEquals": 1}], "Next": "Yes"}
    third = {"Variable": "$.c", "NumericEquals": 1, "Next": "Yes"}
    program = compiled(machine(C=choice(first, second, third, default="No"), Yes=pass_(Result=True, End=True), No=pass_(Result=False)))
    assert output(program, {"a": 1}) is True
    assert output(program, {"a": 2, "c": 2}) is False
    assert failure(program, {"a": 2, "b": 2}) == (
        "States.Runtime",
        (
            "An error occurred while executing the state 'C' (entered at the event id #2). "
            "Invalid path '$.c': The choice state's condition path references an invalid value."
        ),
    )


def test_a_value_is_read_once_however_many_rules_look_at_it(compiled: Compiled) -> None:
    rules = [{"Variable": "$.deep.value", "NumericGreaterThan": number, "Next": "Yes"} for number in (30, 20)]
    rules.insert(1, {"Variable": "$.deep.value", "NumericLessThan": 0, "Next": "No"})
    program = compiled(machine(C=choice(*rules, default="No"), Yes=pass_(Result=True, End=True), No=pass_(Result=False)))
    assert program.source.count('data["deep"]["value"]') == 1
    assert [output(program, {"deep": {"value": value}}) for value in (31, 25, -1, 5)] == [True, True, False, False]


def test_without_a_match_and_without_a_default_a_choice_fails(compiled: Compiled) -> None:
    program = compiled(machine(C=choice({"Variable": "$.a", "NumericEquals": 1, "Next": "Yes"}), Yes=pass_()))
    assert failure(program, {"a": 2}) == (
        "States.NoChoiceMatched",
        (
            "An error occurred while executing the state 'C' (entered at the event id #2). "
            "Failed to transition out of the state. The state does not point to a next state."
        ),
    )


def test_a_choice_hands_on_what_its_paths_leave(compiled: Compiled) -> None:
    rule = {"Variable": "$.n", "NumericEquals": 1, "Next": "Yes"}
    program = compiled(
        machine(C={**choice(rule, default="No"), "InputPath": "$.a", "OutputPath": "$.out"}, Yes=pass_(End=True), No=pass_())
    )
    assert output(program, {"a": {"n": 1, "out": "x"}}) == "x"
    assert output(program, {"a": {"n": 2, "out": "y"}}) == "y"


# --- Succeed, Fail, Wait ----------------------------------------------------------------------------------------------------------


def test_a_succeed_ends_the_workflow_with_its_paths_applied(compiled: Compiled) -> None:
    assert output(compiled(machine(S={"Type": "Succeed", "InputPath": "$.a", "OutputPath": "$.b"})), {"a": {"b": 1}}) == 1


def test_a_fail_names_its_error_and_cause_outright_or_by_path(compiled: Compiled) -> None:
    assert failure(compiled(machine(F={"Type": "Fail", "Error": "E", "Cause": "C"})), {}) == ("E", "C")
    assert failure(compiled(machine(F={"Type": "Fail"})), {}) == (None, None)
    by_path = {"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('because {}', $.c)"}
    assert failure(compiled(machine(F=by_path)), {"e": "E", "c": 1}) == ("E", "because 1")
    error, cause = failure(compiled(machine(F=by_path)), {"c": 1})
    assert error == "States.Runtime"
    assert cause is not None
    assert cause.endswith("The JSONPath '$.e' specified for the field 'ErrorPath' could not be found in the input '{\"c\":1}'")


@pytest.mark.parametrize(
    ("fields", "event", "seconds"),
    [
        ({"Seconds": 5}, {}, 5),
        ({"SecondsPath": "$.s"}, {"s": 7}, 7),
        ({"Timestamp": "2020-01-01T00:00:00Z"}, {}, 0),
        ({"Seconds": 0}, {}, 0),
    ],
)
def test_a_wait_waits(compiled: Compiled, fields: dict[str, Any], event: Any, seconds: float) -> None:
    clock = VirtualClock()
    began = clock.time()
    assert output(compiled(machine(W={"Type": "Wait", **fields}, P=pass_())), event, clock=clock) == event
    assert clock.time() - began == pytest.approx(seconds, abs=0.01)


def test_a_wait_until_a_timestamp_of_the_data_ends_then(compiled: Compiled) -> None:
    clock = VirtualClock()
    from express.runtime import timestamps

    target = timestamps.text(clock.wall() + 90)
    began = clock.time()
    output(compiled(machine(W={"Type": "Wait", "TimestampPath": "$.t"})), {"t": target}, clock=clock)
    assert clock.time() - began == pytest.approx(90, abs=0.01)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (1.5, "The SecondsPath parameter cannot be parsed as a long value: $.s == 1.5"),
        ("5", 'The SecondsPath parameter cannot be parsed as a long value: $.s == "5"'),
        (-1, "The SecondsPath parameter references a negative value: $.s == -1"),
    ],
)
def test_a_wait_says_what_is_wrong_with_its_seconds(compiled: Compiled, value: Any, sentence: str) -> None:
    error, cause = failure(compiled(machine(W={"Type": "Wait", "SecondsPath": "$.s"})), {"s": value})
    assert error == "States.Runtime"
    assert cause is not None
    assert cause.endswith(sentence)


# --- Task -------------------------------------------------------------------------------------------------------------------------


def test_a_task_gives_its_payload_and_places_its_result(compiled: Compiled) -> None:
    seen = []

    def work(event: Any) -> Any:
        seen.append(event)
        return {"n": event["n"] + 1, "junk": 0}

    definition = machine(
        T=task("work", InputPath="$.in", Parameters={"n.$": "$.n"}, ResultSelector={"m.$": "$.n"}, ResultPath="$.out", OutputPath="$.out")
    )
    assert output(compiled(definition, functions={"work": work}), {"in": {"n": 1}}) == {"m": 2}
    assert seen == [{"n": 1}]


def test_a_function_cannot_change_what_others_see(compiled: Compiled) -> None:
    kept: list[Any] = []

    def spoil(event: dict[str, Any]) -> dict[str, Any]:
        event["list"].append("spoilt")
        result = {"made": event["list"]}
        kept.append(result)
        return result

    program = compiled(machine(T=task("spoil", ResultPath="$.r"), P=pass_(Result=1, ResultPath="$.p")), functions={"spoil": spoil})
    made = output(program, {"list": [1]})
    assert made == {"list": [1], "r": {"made": [1, "spoilt"]}, "p": 1}
    kept[0]["made"].append("later")
    assert made["r"] == {"made": [1, "spoilt"]}


def test_a_payload_that_nobody_else_sees_is_not_copied(compiled: Compiled) -> None:
    source = compiled(machine(T=task("f"), P=pass_()), functions={"f": lambda event: event}).source
    assert "copy(" not in source
    retried = machine(T=task("f", ResultPath="$.r"))
    assert "copy(" in compiled(retried, functions={"f": lambda event: event}).source


def test_what_is_in_a_payload_twice_is_two_things_to_the_function(compiled: Compiled) -> None:
    def spoil(event: dict[str, Any]) -> dict[str, Any]:
        event["a"].append("spoilt")
        return event

    twice = {"a.$": "$.x", "b.$": "$.x"}
    for definition in (machine(T=task("spoil", Parameters=twice)), machine(P=pass_(Parameters=twice), T=task("spoil"))):
        assert output(compiled(definition, functions={"spoil": spoil}), {"x": [1]}) == {"a": [1, "spoilt"], "b": [1]}


def test_what_reads_the_execution_s_input_sees_it_unchanged(compiled: Compiled) -> None:
    def spoil(event: dict[str, Any]) -> int:
        event["spoilt"] = True
        return 1

    program = compiled(machine(T=task("spoil"), P=pass_(Parameters={"in.$": "$$.Execution.Input"})), functions={"spoil": spoil})
    assert output(program, {"a": 1}) == {"in": {"a": 1}}


def test_a_function_s_own_key_error_is_its_failure_and_no_missing_path(compiled: Compiled) -> None:
    program = compiled(machine(T=task("f", Parameters={"a.$": "$.a"})), functions={"f": lambda event: event["b"]})
    error, cause = failure(program, {"a": 1})
    assert error == "KeyError"
    assert cause is not None
    assert '"errorMessage": "\'b\'"' in cause


def test_a_result_that_is_not_json_fails_the_task(compiled: Compiled) -> None:
    program = compiled(machine(T=task("f")), functions={"f": lambda event: {"a": object()}})
    assert failure(program, {})[0] == "Runtime.MarshalError"


async def test_async_and_thread_functions_are_awaited(compiled: Compiled) -> None:
    async def slow(event: Any) -> Any:
        return {**event, "slow": True}

    threaded = express.function("threaded", run="thread")(lambda event: {**event, "threaded": True})
    definition = machine(A=task("slow"), B=task("threaded", TimeoutSeconds=5))
    program = compiled(definition, functions={"slow": express.function("slow")(slow), "threaded": threaded})
    assert not program.plain
    outcome = await program.execute({"a": 1})
    assert outcome.output == {"a": 1, "slow": True, "threaded": True}


def test_lambda_invoke_wraps_its_result_and_finds_functions_by_data(compiled: Compiled) -> None:
    invoke = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
    functions = {"one": lambda event: {"one": event}, "two": lambda event: {"two": event}}
    static = machine(T={**invoke, "Parameters": {"FunctionName": "one", "Payload.$": "$.p"}, "OutputPath": "$.Payload"})
    assert output(compiled(static, functions=functions), {"p": {"a": 1}}) == {"one": {"a": 1}}
    assert output(compiled(static, functions=functions), {"p": None}) == {"one": {}}
    dynamic = machine(T={**invoke, "Parameters": {"FunctionName.$": "$.f", "Payload.$": "$.p"}, "ResultSelector": {"r.$": "$.Payload"}})
    program = compiled(dynamic, functions=functions)
    assert [output(program, {"f": name, "p": {}}) for name in ("one", "two")] == [{"r": {"one": {}}}, {"r": {"two": {}}}]
    assert failure(program, {"f": "three", "p": {}})[0] == "Lambda.ResourceNotFoundException"


def test_a_resource_that_nobody_provides_is_an_error_at_load_or_where_it_is_reached(compiled: Compiled) -> None:
    definition = machine(
        C=choice({"Variable": "$.go", "BooleanEquals": True, "Next": "A"}, default="E"), A=task("one"), B=task("two"), E=pass_()
    )
    with pytest.raises(express.DefinitionError) as caught:
        compiled(definition)
    assert [problem.location for problem in caught.value.problems] == ["/States/A/Resource", "/States/B/Resource"]
    program = compiled(definition, missing="defer")
    assert output(program, {"go": False}) == {"go": False}
    assert failure(program, {"go": True})[0] == "Lambda.ResourceNotFoundException"


# --- Parallel, Map ----------------------------------------------------------------------------------------------------------------


def test_a_parallel_gives_each_branch_the_same_input_and_collects_in_order(compiled: Compiled) -> None:
    branches = [machine(A=pass_(Parameters={"a.$": "$.x"})), machine(B={"Type": "Wait", "Seconds": 9}, B2=pass_(Result="b"))]
    program = compiled(machine(F={"Type": "Parallel", "Branches": branches, "ResultPath": "$.r"}))
    assert output(program, {"x": 1}) == {"x": 1, "r": [{"a": 1}, "b"]}
    assert not program.plain
    plain = compiled(machine(F={"Type": "Parallel", "Branches": branches[:1], "Parameters": {"x.$": "$.y"}}))
    assert plain.plain
    assert output(plain, {"y": 2}) == [{"a": 2}]


def test_the_first_failure_of_a_branch_is_the_parallel_s(compiled: Compiled) -> None:
    branches = [machine(A={"Type": "Wait", "Seconds": 100}), machine(B={"Type": "Fail", "Error": "Boom", "Cause": "here"})]
    outcome = run(compiled(machine(F={"Type": "Parallel", "Branches": branches})), {})
    assert (outcome.error, outcome.cause, outcome.state, outcome.location) == ("Boom", "here", "B", "/States/F/Branches/1/States/B")


def test_a_map_runs_its_processor_on_every_item(compiled: Compiled) -> None:
    selector = {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value.n", "k.$": "$.k"}
    processor = machine(A=pass_(Parameters={"out.$": "$.v", "i.$": "$$.Map.Item.Index"}), W={"Type": "Wait", "SecondsPath": "$.out"})
    program = compiled(machine(M=map_(processor, ItemsPath="$.items", ItemSelector=selector, ResultPath="$.r")))
    assert output(program, {"k": 1, "items": [{"n": 3}, {"n": 1}]})["r"] == [{"out": 3, "i": 0}, {"out": 1, "i": 1}]
    assert output(program, {"k": 1, "items": []})["r"] == []


def test_a_parallel_inside_a_map_knows_the_item(compiled: Compiled) -> None:
    branches = [machine(A=pass_(Parameters={"i.$": "$$.Map.Item.Index"})), machine(B={"Type": "Wait", "Seconds": 1})]
    program = compiled(machine(M=map_(machine(F={"Type": "Parallel", "Branches": branches}))))
    assert output(program, ["x", "y"]) == [[{"i": 0}, "x"], [{"i": 1}, "y"]]


def test_a_map_inside_a_map_sees_its_own_item(compiled: Compiled) -> None:
    inner = machine(A=pass_(Parameters={"v.$": "$$.Map.Item.Value"}))
    program = compiled(machine(M=map_(machine(N=map_(inner)))))
    assert output(program, [[1, 2], [3]]) == [[{"v": 1}, {"v": 2}], [{"v": 3}]]


def test_a_map_needs_an_array(compiled: Compiled) -> None:
    error, cause = failure(compiled(machine(M=map_(machine(A=pass_()), ItemsPath="$.items"))), {"items": {"a": 1}})
    assert error == "States.Runtime"
    assert cause is not None
    assert cause.endswith('Reference path "$.items" must point to array.')


def test_an_item_selector_that_selects_nothing_is_the_map_s_failure(compiled: Compiled) -> None:
    program = compiled(machine(M=map_(machine(A=pass_()), ItemSelector={"x.$": "$.lost"}, InputPath="$.in", ItemsPath="$.items")))
    outcome = run(program, {"in": {"items": [1]}})
    assert (outcome.error, outcome.state) == ("States.Runtime", "M")
    assert outcome.cause is not None
    assert "'$.lost' specified for the field 'x.$'" in outcome.cause


# --- The Context Object -----------------------------------------------------------------------------------------------------------


def test_the_context_object_is_read_part_by_part_or_whole(compiled: Compiled) -> None:
    parts = {
        "name.$": "$$.Execution.Name",
        "id.$": "$$.Execution.Id",
        "started.$": "$$.Execution.StartTime",
        "entered.$": "$$.State.EnteredTime",
        "retries.$": "$$.State.RetryCount",
        "machine.$": "$$.StateMachine.Name",
        "extra.$": "$$.Extra.deep",
    }
    program = compiled(machine(P=pass_(Parameters=parts)), "orders")
    made = output(program, {}, name="n-1", context={"Extra": {"deep": [1]}})
    assert (made["name"], made["retries"], made["machine"], made["extra"]) == ("n-1", 0, "orders", [1])
    assert made["id"].endswith(":orders:n-1")
    assert made["entered"] >= made["started"]
    whole = output(compiled(machine(P=pass_(Parameters={"c.$": "$$"}))), {"a": 1})["c"]
    assert whole["Execution"]["Input"] == {"a": 1}
    assert whole["State"]["Name"] == "P"


def test_a_program_that_never_looks_at_the_execution_needs_none(compiled: Compiled) -> None:
    program = compiled(machine(P=pass_(Parameters={"a.$": "$.a"})))
    assert program.anonymous
    assert program.evaluate({"a": 1}, None) == {"a": 1}  # type: ignore[arg-type]
    assert not compiled(machine(P=pass_(Parameters={"a.$": "$$.Execution.Name"}))).anonymous


def test_what_is_never_reached_may_look_at_the_input_of_the_execution(compiled: Compiled) -> None:
    """Assign of a Choice belongs to its Default; without one it is no code, and the event was taken for one that nobody looks at."""
    ways = {"Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "S"}], "Assign": {"seen.$": "$$.Execution.Input"}}
    program = compiled(machine(C={"Type": "Choice", **ways}, S={"Type": "Succeed"}))
    execution = None if program.anonymous else Execution(program, None, 0.0, 300.0)
    assert program.process(b'{"n": 1}', execution) == b'{"n":1}'


def test_what_parameters_fail_with_is_the_failure_whatever_assign_would_fail_with(compiled: Compiled) -> None:
    fields = {"Parameters": {"a.$": "States.ArrayRange(1, $.n, 3)"}, "Assign": {"v.$": "States.Hash('a', 'CRC')"}}
    program = compiled(machine(P=pass_(**fields)))
    assert failure(program, {})[0] == "States.Runtime"
    assert failure(program, {"n": 2})[0] == "States.IntrinsicFailure"
