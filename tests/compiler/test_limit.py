"""The 256 KiB limit wherever data can grow: also where a path selects the same thing more than once, or something other than the data."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import express
from express.testing import VirtualClock
from tests.compiler.machines import counts, machine, map_, pass_, run, task

LIMIT = 262_144
DEEP = {"a": {"a": {"a": {"a": "x" * 100_000}}}}


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        ({"InputPath": "$$"}, {"a": "x" * (LIMIT - 8)}),
        ({"InputPath": "$..a"}, DEEP),
        ({"InputPath": "$..a", "ResultPath": "$.r"}, DEEP),
        ({"InputPath": "$..a", "Parameters": {"all.$": "$"}}, DEEP),
        ({"InputPath": "$[0,0,0]"}, ["x" * 100_000]),
        ({"OutputPath": "$..a"}, DEEP),
        ({"OutputPath": "$$"}, {"a": "x" * (LIMIT - 8)}),
    ],
)
def test_the_output_of_a_pass_is_measured_whatever_its_input_was(fields: dict[str, Any], event: Any) -> None:
    workflow = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", **fields, "End": True}}}
    assert express.compile(workflow).run(event).error == "States.DataLimitExceeded"


def test_a_choice_that_finds_no_way_comes_after_an_output_that_was_too_large() -> None:
    states = {
        "Twice": {"Type": "Pass", "Parameters": {"one.$": "$.x", "other.$": "$.x"}, "Next": "Ask"},
        "Ask": {"Type": "Choice", "Choices": [{"Variable": "$.one", "IsNull": True, "Next": "End"}]},
        "End": {"Type": "Succeed"},
    }
    program = express.compile({"StartAt": "Twice", "States": states})
    assert program.run({"x": "x" * 100_000}).error == "States.NoChoiceMatched"
    assert program.run({"x": "x" * 200_000}).error == "States.DataLimitExceeded"


# --- What an iteration or a branch gets ---------------------------------------------------------------------------------------------


NOTHING = pass_(Result=1)
SMALL = {"ResultSelector": {"n.$": "States.ArrayLength($)"}}


def iterated(**fields: Any) -> dict[str, Any]:
    """A Map whose output is small whatever its iterations get."""
    return machine(M=map_(machine(X=NOTHING), ItemsPath="$.items", **SMALL, **fields))


def test_the_input_of_each_iteration_is_measured_alone() -> None:
    program = express.compile(iterated(ItemSelector={"item.$": "$$.Map.Item.Value", "all.$": "$"}))
    assert program.run({"items": ["x" * 1_000] * 120}).output == {"n": 120}, "together they would be far over the limit"
    assert program.run({"items": ["x", "x" * 150_000]}).error == "States.DataLimitExceeded"
    assert program.run({"items": ["x" * 1_000] * 150}).output == {"n": 150}, "over the size at which it begins to measure"


def test_an_iteration_s_input_that_is_too_large_is_the_map_s_failure_and_states_all_does_not_mean_it() -> None:
    def caught(error: str) -> Any:
        catch = {"Catch": [{"ErrorEquals": [error], "Next": "After", "ResultPath": None}]}
        definition = iterated(ItemSelector={"item.$": "$$.Map.Item.Value", "all.$": "$"}, **catch)
        definition["States"]["M"] |= {"Next": "After"}
        del definition["States"]["M"]["End"]
        definition["States"]["After"] = pass_(Result="after", End=True)
        return express.compile(definition).run({"items": ["x" * 150_000]})

    assert caught("States.DataLimitExceeded").output == "after"
    outcome = caught("States.ALL")
    assert (outcome.error, outcome.state) == ("States.DataLimitExceeded", "M")
    assert "'M'" in str(outcome.cause)


@pytest.mark.parametrize(
    ("fields", "measured"),
    [
        ({}, False),
        ({"ItemSelector": {"item.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index", "order.$": "$.order"}}, False),
        ({"ItemSelector": {"a.$": "$$.Map.Item.Value.a", "b.$": "$$.Map.Item.Value.b"}}, False),
        ({"ItemSelector": {"a.$": "$$.Map.Item.Value", "b.$": "$.items[0]"}}, True),
        ({"ItemSelector": {"a.$": "$$.Map.Item.Value", "b.$": "$$.Map.Item.Value.a"}}, True),
        ({"ItemSelector": {"a.$": "$$.Map.Item.Value", "b.$": "$$.Execution.Input"}}, True),
    ],
)
def test_an_iteration_s_input_is_measured_only_where_it_can_be_larger_than_the_data(fields: dict[str, Any], measured: bool) -> None:
    assert ("measured(" in express.compile(iterated(**fields)).source) is measured


@pytest.mark.parametrize(
    ("fields", "measured"),
    [
        ({"Items": "{% $states.input.items %}"}, False),
        ({"Items": "{% $states.input.items[price > 1] %}"}, False),
        ({"Items": "{% $states.input.items %}", "ItemSelector": {"a": "{% $states.context.Map.Item.Value.a %}"}}, False),
        ({"Items": "{% $states.input.items[a > 1][] %}", "ItemSelector": {"a": "{% $states.context.Map.Item.Value %}"}}, False),
        (
            {
                "Items": "{% $states.input.items %}",
                "ItemSelector": {"a": "{% $states.context.Map.Item.Value %}", "order": "{% $states.input.order.id %}"},
            },
            False,
        ),
        ({"Items": "{% $states.input.items %}", "ItemSelector": {"a": "{% $states.context.Map.Item.Value & $states.input.b %}"}}, True),
        ({"Items": "{% $map([1, 2], function($n) { [$states.input, $states.input] }) %}"}, True),
    ],
)
def test_so_it_is_in_jsonata(fields: dict[str, Any], measured: bool) -> None:
    definition = machine(M=map_(machine(X=pass_(Output=1)), **fields)) | {"QueryLanguage": "JSONata"}
    assert ("measured(" in express.compile(definition).source) is measured


def test_items_that_jsonata_makes_are_measured() -> None:
    definition = machine(M=map_(machine(X=pass_(Output=1)), Items="{% [$states.input & $states.input, 1] %}"))
    program = express.compile(definition | {"QueryLanguage": "JSONata"})
    assert program.run("x" * 100_000).output == [1, 1]
    assert program.run("x" * 200_000).error == "States.DataLimitExceeded"


@pytest.mark.parametrize("fields", [{"InputPath": "$..a"}, {"Parameters": {"one.$": "$", "other.$": "$", "third.$": "$"}}])
def test_what_the_branches_of_a_parallel_get_is_measured(fields: dict[str, Any]) -> None:
    branches = [machine(A=NOTHING), machine(B=NOTHING)]
    program = express.compile(machine(P={"Type": "Parallel", "Branches": branches, **fields}))
    assert program.run({"a": {"a": 1}}).output == [1, 1]
    assert program.run(DEEP).error == "States.DataLimitExceeded"


# --- All variables of an execution ----------------------------------------------------------------------------------------------------


def assigning(count: int) -> dict[str, Any]:
    return {f"S{number}": pass_(Parameters={}, Assign={f"v{number}.$": "$$.Execution.Input.x"}) for number in range(count)}


def test_all_variables_of_an_execution_have_at_most_10_mib() -> None:
    program = express.compile(machine(**assigning(60), End=pass_(Result=1)))
    assert program.run({"x": "x" * 174_000}).output == 1
    outcome = program.run({"x": "x" * 175_000})
    assert (outcome.error, outcome.state) == ("States.DataLimitExceeded", "S59")


def test_a_variable_that_gets_a_new_value_no_longer_counts_with_the_old_one() -> None:
    states = assigning(60)
    states |= {f"T{number}": pass_(Parameters={}, Assign={f"v{number}": 0}) for number in range(30)}
    states |= {f"U{number}": pass_(Parameters={}, Assign={f"v{number}.$": "$$.Execution.Input.x"}) for number in range(30)}
    assert express.compile(machine(**states, End=pass_(Result=1))).run({"x": "x" * 170_000}).output == 1


@pytest.mark.parametrize("waits", [True, False])
def test_variables_of_branches_and_iterations_count_until_they_end(waits: bool) -> None:
    async def large(event: Any) -> Any:
        await asyncio.sleep(0)
        if event == "fail":
            raise ValueError("no")
        return {"x": "x" * 250_000}

    @express.function("large", run="inline")
    def inline(event: Any) -> Any:
        return {"x": "x" * 250_000}

    body = machine(T=task("large", Assign={"v.$": "$.x"}, ResultSelector={}), W={"Type": "Wait", "Seconds": 1})
    if not waits:
        body = machine(T=task("large", Assign={"v.$": "$.x"}, ResultSelector={}))
    definition = machine(M=map_(body, ItemsPath="$.items", MaxConcurrency=45, ResultPath=None), N=pass_(Assign={"w": 1}), O=NOTHING)
    program = express.compile(definition, functions={"large": large if waits else inline})
    with_all = program.run({"items": list(range(45))}, clock=VirtualClock())
    if waits:
        assert with_all.error == "States.DataLimitExceeded"
        assert program.run({"items": list(range(40))}, clock=VirtualClock()).output == 1
        return
    assert with_all.output == 1, "one is over before the next begins"
    assert "weigh(" not in program.source


def test_what_was_given_up_inside_a_state_no_longer_counts() -> None:
    async def large(event: Any) -> Any:
        if event == "fail":
            await asyncio.sleep(0.01)
            raise ValueError("no")
        return {"x": "x" * 250_000}

    body = machine(T=task("large", Assign={"v.$": "$.x"}, ResultSelector={}), W={"Type": "Wait", "Seconds": 100})
    retry = {"Retry": [{"ErrorEquals": ["ValueError"], "MaxAttempts": 2}], "Catch": [{"ErrorEquals": ["ValueError"], "Next": "N"}]}
    definition = machine(
        M=map_(body, ItemsPath="$.items", MaxConcurrency=50, **retry), N=pass_(Assign={"w.$": "$$.Execution.Input.large"}), O=NOTHING
    )
    program = express.compile(definition, functions={"large": large})
    assert "weigh(" in program.source
    event = {"items": [*range(39), "fail"], "large": "x" * 250_000}
    assert program.run(event, clock=VirtualClock()).output == 1


def test_where_variables_cannot_have_10_mib_nothing_is_counted() -> None:
    assert "weigh(" not in express.compile(machine(**assigning(40))).source
    assert "weigh(" in express.compile(machine(**assigning(41))).source


def test_what_is_too_large_fails_before_what_comes_after_it_does(compiled: Callable[..., express.Program]) -> None:
    """A state's output is measured later than where it was made; what fails in between would have come too late on AWS."""
    grow = pass_(Parameters={"a.$": "$.a", "b.$": "$.a"}, Next="Look")
    program = compiled(machine(Grow=grow, Look=pass_(Parameters={"c.$": "States.MathAdd($.c.v, 1)"}, ResultPath="$.d")))
    outcome = run(program, {"a": "x" * 200_000})
    assert (outcome.error, outcome.state) == ("States.DataLimitExceeded", "Grow")
    assert counts(program) == {"Grow": 1, "Look": 0}
    outcome = run(program, {"a": "x"})
    assert (outcome.error, outcome.state) == ("States.Runtime", "Look")


@pytest.mark.parametrize(("size", "named"), [(140_000, "Twice"), (100_000, "Third"), (70_000, "Fourth"), (60_000, None)])
@pytest.mark.parametrize("last", [pass_(InputPath="$.b"), pass_(Parameters={"sum.$": "States.MathAdd($.a, 1)"}, ResultPath="$.d")])
def test_of_states_that_are_measured_together_the_first_is_named_that_is_too_large(
    compiled: Callable[..., express.Program], size: int, named: str | None, last: dict[str, Any]
) -> None:
    more = {"Parameters": {"again.$": "$.a"}}
    program = compiled(
        machine(
            Twice=pass_(Parameters={"a.$": "$.a", "b.$": "$.a"}),
            Third=pass_(**more, ResultPath="$.c"),
            Wait={"Type": "Wait", "Seconds": 0},
            Fourth=pass_(**more, ResultPath="$.e"),
            Last=last,
        )
    )
    outcome = run(program, {"a": "x" * size})
    names = ["Twice", "Third", "Wait", "Fourth", "Last"]
    if named is None:
        assert outcome.error != "States.DataLimitExceeded"
        assert counts(program) == dict.fromkeys(names, 1)
        return
    assert (outcome.error, outcome.state) == ("States.DataLimitExceeded", named)
    assert f"The state/task '{named}' returned a result" in str(outcome.cause)
    assert counts(program) == {name: int(names.index(name) <= names.index(named)) for name in names}
