"""Exceptions of Python in the midst of a JSONata expression, which nobody foresaw: the expression fails, and the state sees it."""

from __future__ import annotations

from typing import Any

import pytest

import express
from express.compiler import module
from express.runtime.jsonata import TooManyItems
from tests.compiler.machines import machine, map_, pass_

ERROR = "States.QueryEvaluationError"


def program(metrics: bool = False, **state: Any) -> express.Program:
    state = {"Type": "Pass"} | state
    after = {} if state["Type"] == "Fail" else {"C": pass_(Output="caught")}
    return express.compile({"QueryLanguage": "JSONata"} | machine(S=state, **after), metrics=metrics)


def breaking(monkeypatch: pytest.MonkeyPatch, function: str, error: Exception) -> None:
    def broken(*_: Any) -> Any:
        raise error

    monkeypatch.setitem(module.RUNTIME, function, broken)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("x"), "D1000: The evaluation broke off: KeyError: 'x'"),
        (TypeError("no"), "D1000: The evaluation broke off: TypeError: no"),
        (IndexError("no"), "D1000: The evaluation broke off: IndexError: no"),
        (ValueError("no"), "D1000: The evaluation broke off: ValueError: no"),
        (OverflowError("no"), "D1001: Number out of range"),
        (ZeroDivisionError("no"), "D1001: Number out of range"),
        (RecursionError("no"), "D1000: The values are nested too deep"),
        (TooManyItems(), "D2015: The maximum sequence length was exceeded"),
        (MemoryError(), "D1000: The evaluation needs more memory than there is"),
    ],
)
@pytest.mark.parametrize("metrics", [False, True])
def test_what_breaks_in_a_helper_is_a_failure_of_the_expression(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str, metrics: bool
) -> None:
    breaking(monkeypatch, "how_many", error)
    outcome = program(Output="{% $count($states.input) %}", metrics=metrics).run([1])
    assert outcome.error == ERROR
    assert outcome.cause == (
        "An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$count($states.input)' "
        f"specified for the field 'Output' threw an error during evaluation. {said}"
    )


def test_of_several_expressions_on_a_line_the_one_that_broke_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(value: Any, query: Any) -> Any:
        raise KeyError("x")

    monkeypatch.setitem(module.RUNTIME, "upper", broken)
    outcome = program(Output={"a": "{% $states.input.a %}", "b": "{% $uppercase($states.input.a) %}"}).run({"a": "x"})
    assert outcome.error == ERROR
    assert "'$uppercase($states.input.a)' specified for the field 'Output/b' threw" in (outcome.cause or "")


def test_where_nobody_knows_which_all_fields_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    breaking(monkeypatch, "how_many", KeyError("x"))
    outcome = program(Output={"a": "{% $states.input.a %}", "b": "{% $count($states.input.a) %}"}).run({"a": "x"})
    assert outcome.error == ERROR
    assert "One of the JSONata expressions specified for the fields 'Output/a', 'Output/b' threw an error" in (outcome.cause or "")


def test_the_expression_is_known_however_many_lines_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    breaking(monkeypatch, "how_many", KeyError("x"))
    wide = (
        "{'first': $states.input.a & 'ssssssssssssssssssssssssssssssssssssssssssssssssssss', 'second': [1, {'n': $count($states.input.a)}]}"
    )
    outcome = program(Output=f"{{% {wide} %}}").run({"a": "x"})
    assert outcome.error == ERROR
    assert f"The JSONata expression '{wide}' specified" in (outcome.cause or "")


@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Choice", "Choices": [{"Condition": "{% $count($states.input) = 2 %}", "Next": "C"}], "Default": "C"},
        {"Assign": {"v": "{% $count($states.input) %}"}},
        {"Type": "Wait", "Seconds": "{% $count($states.input) %}"},
        {"Type": "Fail", "Cause": "{% $string($count($states.input)) %}"},
        map_(machine(I=pass_()), ItemSelector={"a": "{% $count($states.input) %}"}),
        map_(machine(I=pass_(Output="{% $count($states.input) %}"))),
    ],
    ids=["Condition", "Assign", "Seconds", "Cause", "ItemSelector", "inside a Map"],
)
def test_wherever_the_expression_stands(monkeypatch: pytest.MonkeyPatch, state: dict[str, Any]) -> None:
    breaking(monkeypatch, "how_many", KeyError("x"))
    assert program(**state).run([1]).error == ERROR


def test_a_catch_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    breaking(monkeypatch, "how_many", KeyError("x"))
    catch = [{"ErrorEquals": [ERROR], "Next": "C"}]
    inner = machine(I=pass_(Output="{% $count($states.input) %}"))
    assert program(Type="Parallel", Branches=[inner], Catch=catch).run([1]).output == "caught"


def wrapping(times: int, ask: str) -> express.Program:
    """Wraps its input so often, two deep each time, then asks."""
    wrap = pass_(Output=f"{{% $reduce([1..{times}], function($all, $each){{ [[$all]] }}) %}}")
    return express.compile({"QueryLanguage": "JSONata"} | machine(Wrap=wrap, Ask=pass_(Output=f"{{% {ask} %}}")))


@pytest.mark.parametrize(
    "ask",
    [
        "$boolean($states.input)", "$states.input.a", "$keys($states.input)", "$lookup($states.input, 'a')", "$string($states.input)",
        "$states.input.*", "$distinct($states.input.**)", "$states.input ~> |**|{'b': 1}|", "$sort($states.input).a",
    ],
)  # fmt: skip
def test_values_that_are_wrapped_deeper_than_anybody_calls(ask: str) -> None:
    """Data nests 20,000 deep before somebody asks about it, here or in the library, which would end the process."""
    outcome = wrapping(20_000, ask).run(1)
    assert outcome.error == ERROR
    assert (
        "nested too deep" in (outcome.cause or "")
        or "nested deeper" in (outcome.cause or "")
        or "text of more" in (outcome.cause or "")
        or "timeout" in (outcome.cause or "")
    )


def test_values_that_are_wrapped_as_often_as_anybody_needs_are_no_trouble() -> None:
    assert wrapping(150, "$count($states.input.**)").run(1).output == 1


def test_what_a_loop_wraps_is_looked_at_before_the_library_gets_it() -> None:
    wrap = pass_(Assign={"n": "{% $exists($n) ? $n + 1 : 1 %}"}, Output=f"{{% {'[' * 60}$states.input{']' * 60} %}}")
    enough = {"Type": "Choice", "Choices": [{"Condition": "{% $n < 10 %}", "Next": "Wrap"}], "Default": "Ask"}
    definition = machine(Wrap=wrap, Enough=enough, Ask=pass_(Output="{% $count($states.input.*) %}"))
    assert "nested deeper" in (express.compile({"QueryLanguage": "JSONata"} | definition).run(1).cause or "")


def test_what_breaks_outside_of_expressions_is_still_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    """The net is under expressions only: the engine's own mistakes keep their name and traceback."""
    breaking(monkeypatch, "array_of", KeyError("x"))
    assert express.compile(machine(M=map_(machine(I=pass_())))).run([1]).error == "States.Runtime"
