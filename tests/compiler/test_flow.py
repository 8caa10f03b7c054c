"""Graphs of every shape: which functions they become, and that CPython's limits never reach the author of a definition."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import express
from tests.compiler.machines import choice, counts, machine, map_, output, pass_, run, task

Compiled = Callable[..., express.Program]


def functions(program: express.Program) -> int:
    return program.source.count("def ")


def equals(value: int, following: str, variable: str = "$.x") -> dict[str, Any]:
    return {"Variable": variable, "NumericEquals": value, "Next": following}


# --- Shapes -----------------------------------------------------------------------------------------------------------------------


def test_straight_runs_and_trees_of_choice_are_one_plain_function(compiled: Compiled) -> None:
    program = compiled(
        machine(
            A=pass_(),
            C=choice(equals(1, "D"), equals(2, "E"), default="F"),
            D=choice(equals(1, "G"), default="H"),
            E=pass_(End=True),
            F=pass_(End=True),
            G=pass_(End=True),
            H=pass_(End=True),
        )
    )
    assert program.plain
    assert functions(program) == 1


def test_a_join_is_a_function_of_its_own_and_a_shared_end_is_written_again(compiled: Compiled) -> None:
    joined = machine(C=choice(equals(1, "A"), default="B"), A=pass_(Next="J"), B=pass_(Next="J"), J=pass_(), K=pass_())
    program = compiled(joined)
    assert functions(program) == 2
    assert output(program, {"x": 1}) == {"x": 1}
    ended = machine(C=choice(equals(1, "A"), default="B"), A=pass_(Next="S"), B=pass_(Next="S"), S={"Type": "Succeed"})
    assert functions(compiled(ended)) == 1


def test_rules_in_a_row_with_one_target_are_one_condition(compiled: Compiled) -> None:
    program = compiled(
        machine(C=choice(equals(1, "A"), equals(2, "A"), equals(3, "A"), default="B"), A=pass_(Result="a", End=True), B=pass_())
    )
    assert functions(program) == 1
    assert [output(program, {"x": x}) for x in (1, 2, 3, 4)] == ["a", "a", "a", {"x": 4}]


def test_a_loop_is_a_while_in_one_coroutine(compiled: Compiled) -> None:
    definition = machine(
        Add=pass_(Parameters={"n.$": "States.MathAdd($.n, 1)"}),
        C=choice({"Variable": "$.n", "NumericLessThan": 5_000, "Next": "Add"}, default="End"),
        End={"Type": "Succeed"},
    )
    program = compiled(definition)
    assert not program.plain
    assert "while True:" in program.source
    assert "await breathe(execution)" in program.source
    assert output(program, {"n": 0}) == {"n": 5_000}
    assert counts(program) == {"Add": 5_000, "C": 5_000, "End": 1}


def test_loops_inside_loops_come_to_their_end(compiled: Compiled) -> None:
    definition = machine(
        Outer=pass_(Parameters={"i.$": "States.MathAdd($.i, 1)", "j": 0, "sum.$": "$.sum"}),
        Inner=pass_(Parameters={"i.$": "$.i", "j.$": "States.MathAdd($.j, 1)", "sum.$": "States.MathAdd($.sum, $.i)"}),
        C=choice(
            {"Variable": "$.j", "NumericLessThan": 3, "Next": "Inner"},
            {"Variable": "$.i", "NumericLessThan": 4, "Next": "Outer"},
            default="End",
        ),
        End={"Type": "Succeed"},
    )
    assert output(compiled(definition), {"i": 0, "sum": 0}) == {"i": 4, "j": 3, "sum": 3 * (1 + 2 + 3 + 4)}


def test_a_loop_with_two_ways_in_runs(compiled: Compiled) -> None:
    definition = machine(
        C=choice(equals(1, "A"), default="B"),
        A=pass_(Parameters={"x.$": "States.MathAdd($.x, 1)"}),
        B=choice({"Variable": "$.x", "NumericLessThan": 50, "Next": "A"}, default="End"),
        End=pass_(),
    )
    program = compiled(definition)
    assert [output(program, {"x": x}) for x in (1, 7, 99)] == [{"x": 50}, {"x": 50}, {"x": 99}]


def test_the_start_may_be_what_everything_leads_back_to(compiled: Compiled) -> None:
    definition = machine(
        C=choice({"Variable": "$.n", "NumericGreaterThan": 3, "Next": "End"}, default="Add"), Add=pass_(), End={"Type": "Succeed"}
    )
    definition["States"]["Add"] = pass_(Parameters={"n.$": "States.MathAdd($.n, 1)"}, Next="C")
    assert output(compiled(definition), {"n": 0}) == {"n": 4}


def test_only_what_can_wait_is_a_coroutine(compiled: Compiled) -> None:
    inline = {"f": lambda event: event}
    assert compiled(machine(T=task("f", Catch=[{"ErrorEquals": ["States.ALL"], "Next": "T2"}]), T2=task("f")), functions=inline).plain
    assert compiled(machine(P={"Type": "Parallel", "Branches": [machine(A=pass_())]})).plain
    assert not compiled(machine(T=task("f", Retry=[{"ErrorEquals": ["States.ALL"]}])), functions=inline).plain
    assert not compiled(machine(M=map_(machine(A=pass_())))).plain  # as much work as there is data
    assert not compiled(machine(W={"Type": "Wait", "Seconds": 1})).plain


def test_a_pure_map_over_many_items_lets_others_run(compiled: Compiled) -> None:
    program = compiled(machine(M=map_(machine(A=pass_(Parameters={"v.$": "$"}), B=pass_(OutputPath="$.v")))))
    items = list(range(30_000))
    assert output(program, items) == items


# --- Sizes ------------------------------------------------------------------------------------------------------------------------


def row(length: int) -> dict[str, Any]:
    return machine(**{f"S{number}": pass_(Result=number, ResultPath=f"$.a{number % 7}") for number in range(length)})


def diamonds(length: int) -> dict[str, Any]:
    states: dict[str, dict[str, Any]] = {}
    for number in range(length):
        states[f"C{number}"] = choice(equals(number % 2, f"A{number}"), default=f"B{number}")
        for side in "AB":
            states[f"{side}{number}"] = pass_(Next=f"C{number + 1}" if number < length - 1 else "End")
    return machine(**states, End={"Type": "Succeed"})


def nested(length: int) -> dict[str, Any]:
    states = {f"C{number}": choice(equals(1, f"C{number + 1}"), default=f"D{number}") for number in range(length)}
    return machine(**states, **{f"D{number}": pass_(End=True) for number in range(length)}, **{f"C{length}": pass_()})


def with_variables(length: int) -> dict[str, Any]:
    states = {f"S{number}": pass_(Parameters={"x.$": f"$v{number % 20}"}, Assign={f"v{number % 20}.$": "$.x"}) for number in range(length)}
    return machine(Begin=pass_(Assign={f"v{number}": number for number in range(20)}), **states)


def in_jsonata(length: int) -> dict[str, Any]:
    states = {
        f"S{number}": pass_(Output={"x": f"{{% $states.input.x + $v{number % 20} %}}"}, Assign={f"v{number % 20}": "{% $states.input.x %}"})
        for number in range(length)
    }
    return {**machine(Begin=pass_(Assign={f"v{number}": number for number in range(20)}), **states), "QueryLanguage": "JSONata"}


UNITS = 85  # a second, on a machine that adds up a million numbers in 12 ms


@pytest.mark.parametrize(
    "definition", [row(1_000), diamonds(333), with_variables(1_000), in_jsonata(1_000)], ids=["row", "diamonds", "variables", "jsonata"]
)
@pytest.mark.large
def test_a_thousand_states_compile_in_a_second(compiled: Compiled, definition: Any) -> None:
    """In units of what this machine does meanwhile: how busy it is does not matter."""

    def units() -> float:
        before = _unit()
        began = time.process_time()
        compiled(definition)
        return (time.process_time() - began) / max(before, _unit())

    assert any(units() < UNITS for _ in range(3))


def _unit() -> float:
    best = 1.0
    for _ in range(3):
        began = time.process_time()
        sum(range(1_000_000))
        best = min(best, time.process_time() - began)
    return best


@pytest.mark.parametrize("length", [60, 2_000])
@pytest.mark.large
def test_joins_behind_joins_do_not_nest_their_calls(compiled: Compiled, length: int) -> None:
    assert output(compiled(diamonds(length), metrics=False), {"x": 1}) == {"x": 1}


def test_choices_inside_choices_do_not_nest_their_blocks(compiled: Compiled) -> None:
    program = compiled(nested(300))
    assert max(len(line) - len(line.lstrip()) for line in program.source.splitlines()) < 80
    assert output(program, {"x": 1}) == {"x": 1}


@pytest.mark.parametrize("targets", [5, 1_000])
@pytest.mark.large
def test_a_thousand_rules_compile_and_run(compiled: Compiled, targets: int) -> None:
    rules = [equals(number, f"P{number % targets}") for number in range(1_000)]
    program = compiled(
        machine(C=choice(*rules, default="P0"), **{f"P{number}": pass_(Result=number, End=True) for number in range(targets)})
    )
    assert [output(program, {"x": x}) for x in (0, 999, -1)] == [0, 999 % targets, 0]


def test_large_and_deep_conditions_compile_and_run(compiled: Compiled) -> None:
    wide = {"Or": [{"Variable": "$.x", "NumericEquals": number} for number in range(2_000)], "Next": "Yes"}
    deep: dict[str, Any] = {"Variable": "$.x", "NumericEquals": 1}
    for level in range(28):
        deep = {"Not": deep} if level % 2 else {"And": [deep, {"Variable": "$.x", "IsPresent": True}]}
    for rule in (wide, {**deep, "Next": "Yes"}):
        program = compiled(machine(C=choice(rule, default="No"), Yes=pass_(Result=True, End=True), No=pass_(Result=False)))
        assert output(program, {"x": 1}) is True


def test_sixteen_maps_and_sixteen_parallels_inside_each_other(compiled: Compiled) -> None:
    maps = parallels = machine(P=pass_())
    value: Any = 1
    for level in range(16):
        maps = machine(**{f"M{level}": map_(maps)})
        parallels = machine(**{f"F{level}": {"Type": "Parallel", "Branches": [parallels]}})
        value = [value]
    assert output(compiled(maps), value) == value
    assert output(compiled(parallels), 1) == value


def test_deep_and_wide_templates_compile_and_run(compiled: Compiled) -> None:
    deep: Any = {"leaf.$": "$.x"}
    for _ in range(50):
        deep = {"inner": deep}
    made = output(compiled(machine(P=pass_(Parameters=deep))), {"x": 1})
    for _ in range(50):
        made = made["inner"]
    assert made == {"leaf": 1}
    wide = {f"k{number}.$": "$.x" for number in range(3_000)}
    assert len(output(compiled(machine(P=pass_(Parameters=wide))), {"x": 1})) == 3_000


def test_sixty_tasks_with_one_handler(compiled: Compiled) -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Handler"}]
    states = {f"T{number}": task("f", ResultPath="$.r", Catch=catch) for number in range(60)}
    program = compiled(
        machine(**states, End={"Type": "Succeed"}, Handler=pass_(Result="handled")), functions={"f": lambda event: 1 / event["n"]}
    )
    assert output(program, {"n": 1}) == {"n": 1, "r": 1.0}
    assert output(program, {"n": 0}) == "handled"


# --- Bytes ------------------------------------------------------------------------------------------------------------------------


def test_the_same_definition_gives_the_same_bytes(compiled: Compiled) -> None:
    definition = diamonds(5)
    assert compiled(definition).source == compiled(definition).source


def test_generated_code_reads_like_a_colleague_s(compiled: Compiled) -> None:
    definition = machine(
        InStock=choice({"Variable": "$.quantity", "NumericGreaterThan": 0, "Next": "Charge"}, default="SoldOut"),
        Charge=task("charge", ResultPath="$.charged"),
        Thank=pass_(Result="thanks", ResultPath="$.note", End=True),
        SoldOut={"Type": "Fail", "Error": "OutOfStock", "Cause": "nothing left to sell"},
    )
    program = compiled(definition, "orders", functions={"charge": _charge}, metrics=False)
    lines = program.source.splitlines()
    assert lines[0] == f"# express 0.1.0, from 'orders' (sha256 {program.sha256[:8]}). Generated: change the definition, not this."
    assert "\n".join(lines[3:]) == EXPECTED


def _charge(event: Any) -> Any:
    return True


EXPECTED = """\
def run(data, execution):
    try:
        # 'InStock': Choice
        quantity = data["quantity"]
        if quantity.__class__ in NUMBERS and quantity > 0:
            # 'Charge': Task
            given = copy(data)
            try:
                result = charge(given)
            except BaseException as error:
                raise charge_task.raised(error, execution) from None
            result = adopt(result, 262144, "arn:aws:lambda:us-east-1:000000000000:function:charge")
            data = {**data, "charged": result}

            # 'Thank': Pass
            if not at_most(data, 262144):
                raise too_large("Charge")
            data["note"] = "thanks"
            if not at_most(data, 262144):
                raise too_large("Thank")
            return data

        # 'SoldOut': Fail
        raise StateError("OutOfStock", "nothing left to sell")
    except Exception as error:
        raise ended(error, execution) from None"""


# --- 256 KiB ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "sizes", "state"),
    [
        ({"A": pass_(ResultPath="$.a")}, [140_000], "A"),
        ({"A": pass_(Parameters={"a.$": "$.x", "b.$": "$.x"})}, [140_000], "A"),
        ({"A": task("double"), "B": pass_()}, [140_000], None),
        ({"A": task("same", ResultPath="$.r"), "B": pass_(Result=1, ResultPath="$.b")}, [140_000], "A"),
        ({"A": {"Type": "Parallel", "Branches": [machine(X=pass_()), machine(Y=pass_())]}}, [140_000], "A"),
        ({"A": pass_(Parameters={"all.$": "$"}, ResultPath="$.a")}, [140_000], "A"),
    ],
)
def test_what_a_state_gives_out_is_at_most_256_kib(compiled: Compiled, states: dict[str, Any], sizes: list[int], state: str | None) -> None:
    given = {"double": lambda event: event["x"] * 2, "same": lambda event: event["x"]}
    program = compiled(machine(**states), functions=given)
    for size in sizes:
        outcome = run(program, {"x": "x" * size})
        assert (outcome.status, outcome.error) == ("FAILED", "States.DataLimitExceeded")
        if state is not None:
            assert outcome.state == state
            assert (
                outcome.cause
                == f"The state/task '{state}' returned a result with a size exceeding the maximum number of bytes service limit."
            )
    assert run(program, {"x": "x" * 1_000}).status == "SUCCEEDED"


def test_nothing_is_measured_where_nothing_can_grow(compiled: Compiled) -> None:
    definition = machine(
        A=pass_(Parameters={"a.$": "$.a", "c.$": "$.long_name"}),
        C=choice(equals(1, "D", "$.a"), default="E"),
        D=pass_(OutputPath="$.a", End=True),
        E=task("f"),
        F=pass_(InputPath="$.x"),
    )
    assert "at_most" not in compiled(definition, functions={"f": lambda event: event}).source


def test_data_may_shrink_again_only_after_it_was_measured(compiled: Compiled) -> None:
    definition = machine(A=task("same", ResultPath="$.r"), B=pass_(Parameters={"small": 1}))
    outcome = run(compiled(definition, functions={"same": lambda event: event["x"]}), {"x": "x" * 140_000})
    assert (outcome.error, outcome.state) == ("States.DataLimitExceeded", "A")
