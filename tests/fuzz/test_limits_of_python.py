"""CPython's own limits never reach the author of a definition: large and deep ones compile and run, or are refused with a sentence."""

from __future__ import annotations

import time
from typing import Any

import pytest

import express

BOTH = pytest.mark.parametrize("language", ["JSONPath", "JSONata"])


def compiled(definition: dict[str, Any], language: str) -> express.Program:
    return express.compile(
        {**definition, "QueryLanguage": language}, "large", {"f": express.function("f", run="inline")(lambda event: event)}
    )


def chain(count: int, language: str) -> dict[str, Any]:
    """States one after the other that each do a little."""
    states: dict[str, Any] = {}
    for number in range(count):
        kind = number % 4
        following: dict[str, Any] = {"Next": f"S{number + 1}"} if number + 1 < count else {"End": True}
        if kind == 3 and number + 1 < count:
            condition = (
                {"Condition": "{% $states.input.n >= 0 %}"} if language == "JSONata" else {"Variable": "$.n", "NumericGreaterThanEquals": 0}
            )
            states[f"S{number}"] = {"Type": "Choice", "Choices": [{**condition, **following}], "Default": f"S{number + 1}"}
        elif language == "JSONata":
            states[f"S{number}"] = {"Type": "Pass", "Output": {"n": "{% $states.input.n + 1 %}"}, **following}
        else:
            states[f"S{number}"] = {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, **following}
    return {"StartAt": "S0", "States": states}


@pytest.mark.parametrize(
    ("language", "count"), [("JSONPath", 10_000), ("JSONata", 2_000)]
)  # 10,000 in JSONata take as long as all the rest
def test_ten_thousand_states_compile_and_run(language: str, count: int) -> None:
    program = compiled(chain(count, language), language)
    outcome = program.run({"n": 0})
    assert (outcome.status, outcome.output) == ("SUCCEEDED", {"n": count * 3 // 4 + 1})


@BOTH
def test_a_state_costs_the_same_in_a_workflow_ten_times_as_large(language: str) -> None:
    def per_state(count: int) -> float:
        definition = chain(count, language)
        began = time.process_time()
        compiled(definition, language)
        return (time.process_time() - began) / count

    small = min(per_state(200) for _ in range(3))
    assert per_state(2_000) < 3 * small


@BOTH
def test_a_thousand_rules_of_a_choice(language: str) -> None:
    def rule(number: int) -> dict[str, Any]:
        return (
            {"Condition": f"{{% $states.input.n = {number} %}}"} if language == "JSONata" else {"Variable": "$.n", "NumericEquals": number}
        )

    choice = {"Type": "Choice", "Choices": [{**rule(number), "Next": f"S{number % 7}"} for number in range(1_000)], "Default": "S0"}
    ends = {f"S{number}": {"Type": "Succeed"} if number else {"Type": "Fail"} for number in range(7)}
    program = compiled({"StartAt": "C", "States": {"C": choice, **ends}}, language)
    assert program.run({"n": 999}).status == "SUCCEEDED"
    assert program.run({"n": 994}).status == "FAILED"


@BOTH
@pytest.mark.parametrize("kind", ["Map", "Parallel"])
def test_sixteen_levels_of_nested_machines(language: str, kind: str) -> None:
    machine: dict[str, Any] = {"StartAt": "Leaf", "States": {"Leaf": {"Type": "Pass", "End": True}}}
    for depth in range(16):
        inner = {"ItemProcessor": machine} if kind == "Map" else {"Branches": [machine]}
        machine = {"StartAt": f"L{depth}", "States": {f"L{depth}": {"Type": kind, **inner, "End": True}}}
    data: Any = 1
    for _ in range(16):
        data = [data]
    program = compiled(machine, language)
    assert program.run(data).output == data if kind == "Map" else program.run(1).status == "SUCCEEDED"


@BOTH
def test_a_deep_template(language: str) -> None:
    made: Any = "{% $states.input.n %}" if language == "JSONata" else {"n.$": "$.n"}
    for _ in range(55):
        made = {"a": made}
    field = "Output" if language == "JSONata" else "Parameters"
    program = compiled({"StartAt": "P", "States": {"P": {"Type": "Pass", field: made, "End": True}}}, language)
    found = program.run({"n": 5}).output
    for _ in range(55):
        found = found["a"]
    assert found == 5 if language == "JSONata" else {"n": 5}


def accepted(definition: dict[str, Any] | str) -> express.Program | None:
    """The program, or None if the definition is refused with sentences."""
    try:
        return express.compile(definition)
    except express.DefinitionError as error:
        if not all(problem.message for problem in error.problems):
            raise
        return None


@BOTH
@pytest.mark.parametrize("depth", [40, 50, 65, 100, 1_000, 20_000])
def test_deep_json_in_a_definition_is_taken_or_refused(language: str, depth: int) -> None:
    field = "Output" if language == "JSONata" else "Result"
    text = '{"StartAt": "P", "QueryLanguage": "%s", "States": {"P": {"Type": "Pass", "End": true, "%s": %s}}}'
    program = accepted(text % (language, field, "[" * depth + "]" * depth))
    assert depth > 50 or program is not None
    assert program is None or program.run({}).status in ("SUCCEEDED", "FAILED")


@BOTH
@pytest.mark.parametrize("depth", [30, 64, 65, 200, 5_000, 100_000])
def test_deep_input_ends_as_an_outcome(language: str, depth: int) -> None:
    data: Any = 1
    for _ in range(depth):
        data = [data]
    outcome = compiled({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}, language).run(data)
    assert outcome.status == "SUCCEEDED" if depth <= 64 else outcome.status in ("SUCCEEDED", "FAILED")


LONG = 5_000


@pytest.mark.parametrize(
    "parameters",
    [
        {"a.$": "States.Array(" + ", ".join(["$.n"] * 1_600) + ")"},
        {"a.$": "States.Format('" + "{}" * 500 + "', " + ", ".join(["$.n"] * 500) + ")"},
        {"a.$": "States.Format('" + "x" * LONG + "{}', $.n)"},
        {"a.$": "$.n" + "['n']" * 990},
        {"a.$": "$['" + "x" * LONG + "']"},
        {"a.$": "States.Array(" * 9 + "$.n" + ")" * 9},
        {f"f{number}.$": "$.n" for number in range(LONG)},
        {"a.$": "$[?(" + " && ".join(["@.n > 0"] * 600) + ")]"},
    ],
    ids=["arguments", "placeholders", "text", "steps", "name", "nested", "fields", "filter"],
)
def test_five_thousand_long_paths_and_arguments(parameters: dict[str, Any]) -> None:
    definition = {"StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": parameters, "End": True}}}
    program = accepted(definition)
    assert program is None or program.run({"n": 1}).status in ("SUCCEEDED", "FAILED")


@pytest.mark.parametrize(
    "expression",
    [
        "[" + ", ".join(["$states.input.n"] * LONG) + "]",
        "{" + ", ".join(f'"f{number}": $states.input.n' for number in range(LONG)) + "}",
        " + ".join(["$states.input.n"] * LONG),
        " & ".join(["'x'"] * LONG),
        " and ".join(["true"] * LONG),
        "(" * 60 + "$states.input.n" + ")" * 60,
        "(" * LONG + "1" + ")" * LONG,
        "$states.input" + ".n" * LONG,
        "'" + "x" * 60_000 + "'",
        " ~> ".join(["$states.input", *["$string"] * LONG]),
        "true ? " * 60 + "1" + " : 2" * 60,
        "$states.input.n = 1 ? " * 500 + "1" + " : 2" * 500,
    ],
    ids=["array", "object", "sum", "text", "and", "brackets", "many brackets", "path", "literal", "chain", "conditions", "many conditions"],
)
def test_five_thousand_long_expressions(expression: str) -> None:
    definition = {
        "StartAt": "P",
        "QueryLanguage": "JSONata",
        "States": {"P": {"Type": "Pass", "Output": "{% " + expression + " %}", "End": True}},
    }
    program = accepted(definition)
    assert program is None or program.run({"n": 1}).status in ("SUCCEEDED", "FAILED")
