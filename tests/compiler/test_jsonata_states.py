"""What each type of state does to data in JSONata, and what AWS says when an expression gives what a field cannot take."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

import express
from express.testing import VirtualClock
from tests.compiler.machines import failure, machine, map_, output, pass_, run, task

Compiled = Callable[..., express.Program]

QUERY = "States.QueryEvaluationError"


def q(text: str) -> str:
    return f"{{% {text} %}}"


def jsonata(**states: dict[str, Any]) -> dict[str, Any]:
    return {**machine(**states), "QueryLanguage": "JSONata"}


def choice(*rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Choice", "Choices": list(rules), **fields}


def before_an_end(state: dict[str, Any]) -> dict[str, Any]:
    return jsonata(A=state) if state["Type"] == "Succeed" else jsonata(A=state, End={"Type": "Succeed"})


def echo(event: Any) -> Any:
    return event


def declined(event: Any) -> Any:
    raise express.TaskError("Declined", "no money")


# --- Output -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    [
        pass_(),
        {"Type": "Wait", "Seconds": 1},
        {"Type": "Succeed"},
        choice({"Condition": True, "Next": "End"}),
        choice({"Condition": False, "Next": "End"}, Default="End"),
        task("echo"),
    ],
)
def test_without_an_output_a_state_gives_out_its_input_or_its_result(compiled: Compiled, state: dict[str, Any]) -> None:
    assert output(compiled(before_an_end(state), functions={"echo": echo}), {"a": [1]}) == {"a": [1]}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (q("$states.input.a"), 1),
        ({"x": q("$states.input.a + 1"), "y": [q("$states.input.l"), "$.a", " {% 1 %} "]}, {"x": 2, "y": [[1, 2], "$.a", " {% 1 %} "]}),
        ({"x.$": "$.a"}, {"x.$": "$.a"}),
        ([], []),
        (None, None),
        (True, True),
        (q("$states.context.State.Name"), "A"),
        (q("$states.context.Execution.Input.a"), 1),
        (q("null"), None),
    ],
)
def test_an_output_is_what_its_expressions_make(compiled: Compiled, node: Any, expected: Any) -> None:
    assert output(compiled(jsonata(A=pass_(Output=node))), {"a": 1, "l": [1, 2]}) == expected


@pytest.mark.parametrize(
    "state",
    [
        pass_(Output=q("$states.input.a")),
        {"Type": "Wait", "Seconds": 1, "Output": q("$states.input.a")},
        {"Type": "Succeed", "Output": q("$states.input.a")},
        choice({"Condition": True, "Next": "End", "Output": q("$states.input.a")}, Output="not this"),
        choice({"Condition": False, "Next": "End", "Output": "not this"}, Default="End", Output=q("$states.input.a")),
        task("echo", Output=q("$states.result.a")),
        task("echo", Arguments={"b": q("$states.input.a")}, Output=q("$states.result.b")),
        {"Type": "Parallel", "Branches": [machine(X=pass_())], "Output": q("$states.result[0].a")},
        map_(machine(Y=pass_()), Items=q("[$states.input.a]"), Output=q("$states.result[0]")),
    ],
)
def test_every_state_that_goes_on_has_an_output(compiled: Compiled, state: dict[str, Any]) -> None:
    assert output(compiled(before_an_end(state), functions={"echo": echo}), {"a": 1}) == 1


def test_a_rule_without_an_output_gives_out_the_input_not_the_output_for_default(compiled: Compiled) -> None:
    state = choice({"Condition": q("$states.input.a = 1"), "Next": "End"}, Default="End", Output="default")
    program = compiled(jsonata(A=state, End=pass_()))
    assert output(program, {"a": 1}) == {"a": 1}
    assert output(program, {"a": 2}) == "default"


def test_an_output_that_is_too_large_fails(compiled: Compiled) -> None:
    program = compiled(jsonata(A=pass_(Output=q("[$states.input.t, $states.input.t]")), B=pass_(Output=1)))
    assert output(program, {"t": "x" * 100_000}) == 1
    assert failure(program, {"t": "x" * 150_000})[0] == "States.DataLimitExceeded"


# --- Variables --------------------------------------------------------------------------------------------------------------------


def test_assign_and_output_see_the_same_values(compiled: Compiled) -> None:
    definition = jsonata(
        A=pass_(Assign={"x": 1, "y": 2}),
        B=pass_(Assign={"x": q("$y"), "y": q("$x"), "in": q("$states.input")}, Output={"x": q("$x"), "y": q("$y")}),
        C=pass_(Output={"out": q("$states.input"), "x": q("$x"), "y": q("$y"), "in": q("$in")}),
    )
    assert output(compiled(definition), {}) == {"out": {"x": 1, "y": 2}, "x": 2, "y": 1, "in": {}}


def test_a_task_assigns_from_its_result_and_its_input(compiled: Compiled) -> None:
    state = task(
        "echo", Arguments={"n": q("$states.input.a")}, Assign={"r": q("$states.result.n"), "i": q("$states.input.a")}, Output="out"
    )
    definition = jsonata(A=state, B=pass_(Output=[q("$r"), q("$i"), q("$states.input")]))
    assert output(compiled(definition, functions={"echo": echo}), {"a": 7}) == [7, 7, "out"]


@pytest.mark.parametrize("retry", [[], [{"ErrorEquals": ["Nothing"]}]])
def test_a_catcher_sees_the_error_and_the_values_from_before(compiled: Compiled, retry: list[Any]) -> None:
    catcher = {
        "ErrorEquals": ["States.ALL"],
        "Next": "B",
        "Assign": {"why": q("$states.errorOutput.Cause"), "x": q("$x + 1")},
        "Output": {"in": q("$states.input"), "x": q("$x"), "e": q("$states.errorOutput.Error")},
    }
    definition = jsonata(
        Begin=pass_(Assign={"x": 1}),
        A=task("declined", Retry=retry, Catch=[catcher], Assign={"x": 100}),
        B=pass_(Output={"in": q("$states.input"), "why": q("$why"), "x": q("$x")}),
    )
    assert output(compiled(definition, functions={"declined": declined}), {"a": 1}) == {
        "in": {"in": {"a": 1}, "x": 1, "e": "Declined"},
        "why": "no money",
        "x": 2,
    }


def test_a_catcher_without_an_output_gives_out_the_error(compiled: Compiled) -> None:
    definition = jsonata(A=task("declined", Catch=[{"ErrorEquals": ["Declined"], "Next": "B"}]), B=pass_())
    assert output(compiled(definition, functions={"declined": declined}), {}) == {"Error": "Declined", "Cause": "no money"}


@pytest.mark.parametrize("field", ["Arguments", "Output", "Assign", "TimeoutSeconds"])
def test_an_expression_that_fails_in_a_task_is_caught(compiled: Compiled, field: str) -> None:
    fields: dict[str, Any] = {field: q("$states.input.nothing") if field != "Assign" else {"x": q("$states.input.nothing")}}
    catcher = {"ErrorEquals": [QUERY], "Next": "B", "Output": q("$states.errorOutput.Error")}
    definition = jsonata(A=task("echo", Catch=[catcher], **fields), B=pass_())
    assert output(compiled(definition, functions={"echo": echo}), {}) == QUERY


def test_a_variable_that_this_way_did_not_set_is_undefined(compiled: Compiled) -> None:
    rule = {"Condition": q("$states.input.set"), "Next": "B", "Assign": {"x": 1}}
    program = compiled(jsonata(A=choice(rule, Default="B"), B=pass_(Output=q("$exists($x) ? $x : 'unset'"))))
    assert output(program, {"set": True}) == 1
    assert output(program, {"set": False}) == "unset"


def test_branches_and_iterations_read_what_is_around_them(compiled: Compiled) -> None:
    body = machine(I=pass_(Assign={"own": q("$states.input & $outer")}), J=pass_(Output=q("$own")))
    other = machine(K=pass_(Output=q("$outer")))
    definition = jsonata(
        A=pass_(Assign={"outer": "!", "list": ["a", "b"]}),
        M=map_(body, Items=q("$list"), Assign={"done": q("$states.result")}),
        P={"Type": "Parallel", "Branches": [other], "Output": {"p": q("$states.result"), "m": q("$done")}},
    )
    assert output(compiled(definition), {}) == {"p": ["!"], "m": ["a!", "b!"]}


def test_what_a_catcher_of_a_parallel_assigns_is_not_what_its_branches_assign(compiled: Compiled) -> None:
    branch = machine(X=pass_(Assign={"x": "inner"}), Y=task("declined", Arguments={"x": q("$x")}))
    catcher = {"ErrorEquals": ["States.ALL"], "Next": "B", "Assign": {"x": "outer"}}
    definition = jsonata(A={"Type": "Parallel", "Branches": [branch], "Catch": [catcher]}, B=pass_(Output=q("$x")))
    assert output(compiled(definition, functions={"declined": declined}), {}) == "outer"


# --- Choice -----------------------------------------------------------------------------------------------------------------------


def test_the_first_condition_that_is_true_is_taken(compiled: Compiled) -> None:
    rules = [{"Condition": q(f"$states.input.n > {least}"), "Next": f"Over{least}"} for least in (20, 10, 0)]
    ends = {f"Over{least}": pass_(Output=least, Next="End") for least in (20, 10, 0)}
    program = compiled(jsonata(A=choice(*rules, Default="Over0"), **ends, End=pass_()))
    assert [output(program, {"n": n}) for n in (25, 15, 5, -5)] == [20, 10, 0, 0]


def test_no_condition_and_no_default_is_an_error(compiled: Compiled) -> None:
    program = compiled(jsonata(A=choice({"Condition": False, "Next": "B"}), B=pass_()))
    assert failure(program, {})[0] == "States.NoChoiceMatched"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$states.input.n", "returned an unexpected result type. Expected 'boolean', but was 'number' for value: 1"),
        ("$states.input.nothing", "returned nothing (undefined)."),
    ],
)
def test_a_condition_must_be_true_or_false(compiled: Compiled, text: str, said: str) -> None:
    error, cause = failure(compiled(jsonata(A=choice({"Condition": q(text), "Next": "B"}, Default="B"), B=pass_())), {"n": 1})
    assert error == QUERY
    assert cause is not None
    assert cause.endswith(f"The JSONata expression '{text}' specified for the field 'Choices[0]/Condition' {said}")


# --- Wait, Fail, Task -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"Seconds": 7}, 7),
        ({"Seconds": q("$states.input.n")}, 3),
        ({"Seconds": q("$states.input.n * 2")}, 6),
        ({"Timestamp": q("$states.input.past")}, 0),
        ({"Timestamp": "2020-01-01T00:00:00Z"}, 0),
    ],
)
def test_a_wait_takes_what_its_expression_says(compiled: Compiled, fields: dict[str, Any], seconds: int) -> None:
    clock = VirtualClock()
    before = clock.time()
    assert output(compiled(jsonata(A={"Type": "Wait", **fields})), {"n": 3, "past": "2020-01-01T00:00:00Z"}, clock=clock)["n"] == 3
    assert clock.time() - before == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"Seconds": q("'x'")}, "unexpected result type. Expected 'number', but was 'string' for value: \"x\""),
        ({"Seconds": q("-1")}, "returned a value out of range. Expected a whole number from 0 to 99999999, but was -1"),
        ({"Seconds": q("1.5")}, "returned a value out of range. Expected a whole number from 0 to 99999999, but was 1.5"),
        ({"Timestamp": q("1")}, "unexpected result type. Expected 'string', but was 'number' for value: 1"),
        ({"Timestamp": q("'x'")}, "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: x"),
    ],
)
def test_a_wait_that_no_clock_knows_fails(compiled: Compiled, fields: dict[str, Any], said: str) -> None:
    error, cause = failure(compiled(jsonata(A={"Type": "Wait", **fields})), {})
    assert error == QUERY
    assert cause is not None
    assert cause.endswith(said)


def test_error_and_cause_are_texts(compiled: Compiled) -> None:
    fail = {"Type": "Fail", "Error": q("'E' & $states.input.n"), "Cause": "plain"}
    program = compiled(jsonata(A=fail))
    assert failure(program, {"n": 1}) == ("E1", "plain")
    error, cause = failure(compiled(jsonata(A={**fail, "Cause": q("1")})), {"n": 1})
    assert error == QUERY
    assert cause is not None
    assert cause.endswith(
        "specified for the field 'Cause' returned an unexpected result type. Expected 'string', but was 'number' for value: 1"
    )


def test_a_task_times_out_after_what_its_expression_says(compiled: Compiled) -> None:
    @express.function("slow")
    async def slow(event: Any, context: Any) -> None:
        await asyncio.sleep(60)

    catcher = {"ErrorEquals": ["States.Timeout"], "Next": "B", "Output": "late"}
    definition = jsonata(A=task("slow", TimeoutSeconds=q("$states.input.t"), Catch=[catcher]), B=pass_())
    program = compiled(definition, functions={"slow": slow})
    assert output(program, {"t": 1}) == "late"
    assert run(program, {"t": 100}).output is None


def test_what_a_function_does_to_its_arguments_is_not_seen_afterwards(compiled: Compiled) -> None:
    def spoil(event: Any) -> Any:
        event["l"].append("spoilt")
        return event

    state = task(
        "spoil", Arguments={"l": q("$states.input.l")}, Output={"r": q("$states.result.l"), "i": q("$states.input.l"), "v": q("$l")}
    )
    definition = jsonata(A=pass_(Assign={"l": q("$states.input.l")}), B=state)
    assert output(compiled(definition, functions={"spoil": spoil}), {"l": [1]}) == {"r": [1, "spoilt"], "i": [1], "v": [1]}


@pytest.mark.parametrize("field", ["Output", "Assign"])
def test_what_a_function_does_to_the_input_is_not_seen_afterwards(compiled: Compiled, field: str) -> None:
    def spoil(event: Any) -> Any:
        event["l"].append("spoilt")
        return 1

    seen = q("$states.input.l")
    fields: dict[str, Any] = {"Output": seen} if field == "Output" else {"Assign": {"v": seen}}
    definition = jsonata(A=task("spoil", **fields), B=pass_(Output=q("$v")) if field == "Assign" else pass_())
    assert output(compiled(definition, functions={"spoil": spoil}), {"l": [1]}) == [1]


def source(*rest: dict[str, Any], **fields: Any) -> str:
    functions = {"echo": express.function("echo", run="inline")(echo)}
    states = {"A": task("echo", **fields), **{f"B{number}": state for number, state in enumerate(rest)}}
    return express.compile(jsonata(**states), metrics=False, functions=functions).source


def test_what_nobody_looks_at_any_more_is_given_away_without_a_copy() -> None:
    both = {"l": q("$states.input.l"), "deep": q("$states.input.o.x")}
    assert "copy(" not in source(Arguments=both)
    assert "copy(" not in source(Arguments=both, Output=q("$states.result.l"))


@pytest.mark.parametrize(
    "fields",
    [
        {"Arguments": {"l": q("$states.input.l"), "again": q("$states.input.l")}},
        {"Arguments": {"l": q("$states.input.l"), "around": q("$states.input")}},
        {"Arguments": {"l": q("$states.input.l[n = 1]")}},
        {"Arguments": {"l": q("$states.input.l")}, "Output": q("$states.input.l")},
        {"Arguments": {"l": q("$states.input.l")}, "Assign": {"x": [q("$states.input")]}},
        {"Arguments": {"l": q("$states.input.l")}, "Retry": [{"ErrorEquals": ["States.ALL"]}]},
        {"Arguments": {"c": [1] * 200}},
    ],
)
def test_what_somebody_may_look_at_is_copied(fields: dict[str, Any]) -> None:
    assert "copy(" in source(**fields)


def test_a_variable_that_was_part_of_the_input_stays_as_it_was(compiled: Compiled) -> None:
    def spoil(event: Any) -> Any:
        event["l"].append("spoilt")
        return 1

    definition = jsonata(
        A=pass_(Assign={"v": q("$states.input.l")}, Output={"l": q("$states.input.l")}),
        B=task("spoil", Arguments={"l": q("$states.input.l")}),
        C=pass_(Output=q("$v")),
    )
    assert output(compiled(definition, functions={"spoil": spoil}), {"l": [1]}) == [1]


@pytest.mark.parametrize("fields", [{"HeartbeatSeconds": q("$nothing")}, {"Credentials": {"RoleArn": q("$nothing")}}])
def test_what_is_of_no_use_here_fails_all_the_same(compiled: Compiled, fields: dict[str, Any]) -> None:
    error, cause = failure(compiled(jsonata(A=task("echo", **fields)), functions={"echo": echo}), {})
    assert error == QUERY
    assert cause is not None
    assert "The JSONata expression '$nothing' specified for the field" in cause


# --- Map and Parallel -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Items": q("$states.input.list")}, ["a", "b"]),
        ({"Items": [1, q("$states.input.n"), [q("2")]]}, [1, 5, [2]]),
        ({"Items": []}, []),
        ({"Items": q("[]")}, []),
        (
            {"Items": [1], "MaxConcurrency": q("1"), "ToleratedFailureCount": q("1"), "ToleratedFailurePercentage": q("0.5")},
            [1],
        ),
        (
            {
                "Items": q("$states.input.list"),
                "ItemSelector": {
                    "v": q("$states.context.Map.Item.Value"),
                    "i": q("$states.context.Map.Item.Index"),
                    "n": q("$states.input.n"),
                },
            },
            [{"v": "a", "i": 0, "n": 5}, {"v": "b", "i": 1, "n": 5}],
        ),
    ],
)
def test_a_map_runs_over_its_items(compiled: Compiled, fields: dict[str, Any], expected: Any) -> None:
    assert output(compiled(jsonata(M=map_(machine(I=pass_()), **fields))), {"list": ["a", "b"], "n": 5}) == expected


def test_a_map_without_items_runs_over_its_input(compiled: Compiled) -> None:
    program = compiled(jsonata(M=map_(machine(I=pass_()))))
    assert output(program, [1, 2]) == [1, 2]
    error, cause = failure(program, {"a": 1})
    assert error == QUERY
    assert cause is not None
    assert cause.endswith('Map state input must be an array but was: {"a":1}')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1", "Expected 'array', but was 'number' for value: 1"),
        ("null", "Expected 'array', but was 'null' for value: null"),
        ("{'a': 1}", "Expected 'array', but was 'object' for value: {\"a\":1}"),
    ],
)
def test_items_must_be_an_array(compiled: Compiled, text: str, said: str) -> None:
    error, cause = failure(compiled(jsonata(M=map_(machine(I=pass_()), Items=q(text)))), {})
    assert error == QUERY
    assert cause is not None
    assert cause.endswith(f"specified for the field 'Items' returned an unexpected result type. {said}")


@pytest.mark.parametrize("field", ["MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage"])
def test_a_number_of_a_map_that_is_none_fails(compiled: Compiled, field: str) -> None:
    error, cause = failure(compiled(jsonata(M=map_(machine(I=pass_()), Items=[], **{field: q("'x'")}))), {})
    assert error == QUERY
    assert cause is not None
    assert f"specified for the field '{field}' returned an unexpected result type. Expected 'number'" in cause


def test_branches_get_the_arguments(compiled: Compiled) -> None:
    state = {"Type": "Parallel", "Branches": [machine(X=pass_()), machine(Y=pass_(Output=1))], "Arguments": {"a": q("$states.input.n")}}
    assert output(compiled(jsonata(P=state)), {"n": 5}) == [{"a": 5}, 1]


# --- Both languages ---------------------------------------------------------------------------------------------------------------


def test_data_and_variables_go_from_one_language_to_the_other(compiled: Compiled) -> None:
    definition = machine(
        A=pass_(Parameters={"x.$": "$.n"}, Assign={"v.$": "$.x", "w": [1, 2]}),
        B={**pass_(Output={"y": q("$states.input.x + $v"), "w": q("$sum($w)")}, Assign={"u": q("$v + 1")}), "QueryLanguage": "JSONata"},
        C=pass_(Parameters={"y.$": "$.y", "w.$": "$.w", "u.$": "$u", "v.$": "$v"}),
    )
    assert output(compiled(definition), {"n": 5}) == {"y": 10, "w": 3, "u": 6, "v": 5}


# --- What cannot be done to the code ----------------------------------------------------------------------------------------------

HOSTILE = ("'; import os #", '"""', "\n", "{x!r}", "__import__('os')", "\\", "`", "%};", "\u2028")


@pytest.mark.parametrize("word", HOSTILE)
def test_no_text_of_an_expression_or_a_key_becomes_code(compiled: Compiled, word: str) -> None:
    text = json.dumps(word)
    definition = jsonata(
        **{f"A{word}": pass_(Output={word: q(text) if "%}" not in word else word}, Assign={"x": {word: q("1")}})}, B=pass_()
    )
    assert output(compiled(definition), {}) == {word: word}


def test_the_same_definition_gives_the_same_bytes(compiled: Compiled) -> None:
    rules = [{"Condition": q(f"$states.input.n = {n}"), "Next": "B", "Assign": {f"v{n}": n, "w": q("$states.input")}} for n in range(20)]
    definition = jsonata(A=choice(*rules, Default="B"), B=map_(machine(C=pass_(Output=q("[$v1, $v2, $w]"))), Items=[1]))
    assert len({express.compile(definition).source for _ in range(3)}) == 1


# --- What CPython can take --------------------------------------------------------------------------------------------------------


@pytest.mark.large
def test_a_thousand_rules_compile_and_run(compiled: Compiled) -> None:
    rules = [{"Condition": q(f"$states.input.n = {n}"), "Next": f"T{n % 10}", "Assign": {"w": n}} for n in range(1_000)]
    ends = {f"T{n}": pass_(Output=q("$w"), Next="End") for n in range(10)}
    definition = jsonata(A=choice(*rules, Default="T0", Assign={"w": -1}), **ends, End=pass_())
    program = compiled(definition, metrics=False)
    assert [output(program, {"n": n}) for n in (0, 999, 1_000)] == [0, 999, -1]


@pytest.mark.large
def test_thousands_of_states_with_variables_compile_and_run(compiled: Compiled) -> None:
    states = {f"S{n}": pass_(Assign={f"v{n % 9}": n}) for n in range(2_999)}
    definition = machine(**states, End=pass_(Parameters={"first.$": "$v0", "last.$": "$v8"}))
    assert output(compiled(definition, metrics=False), {}) == {"first": 2_998 - 2_998 % 9, "last": 2_998 - (2_998 - 8) % 9}


def test_sixteen_maps_inside_each_other_read_the_outermost_variable(compiled: Compiled) -> None:
    inner: dict[str, Any] = machine(Inmost=pass_(Output=[q("$v0"), q("$v15")]))
    for depth in reversed(range(16)):
        inner = machine(**{f"A{depth}": pass_(Assign={f"v{depth}": depth}), f"M{depth}": map_(inner, Items=[1])})
    found = output(compiled({**inner, "QueryLanguage": "JSONata"}, metrics=False), {})
    for _ in range(16):
        (found,) = found
    assert found == [0, 15]


def test_the_time_is_that_of_the_executions_clock(compiled: Compiled) -> None:
    reads = {"millis": q("$millis()"), "now": q("$now()"), "entered": q("$states.context.State.EnteredTime")}
    program = compiled(jsonata(Wait={"Type": "Wait", "Seconds": 90, "Next": "A"}, A=pass_(Output=reads, Next="B"), B=pass_()))
    outcome = program.run({}, clock=VirtualClock(1_000.0))
    moment = "1970-01-01T00:18:10.000Z"
    assert outcome.output == {"millis": 1_090_000, "now": moment, "entered": moment}
