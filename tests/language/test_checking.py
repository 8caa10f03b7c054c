"""The whole check on whatever it may meet: it never raises, it is quick, what it says has a code and a place."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from express.errors import Problem
from express.language import check
from express.language.codes import CODES
from express.language.positions import Positions
from tests.language.definitions import FUNCTION

NAMES = ["Book Hotel", "Cancel Hotel", "ChargeCard", "RefundPayment", "Done", "A", "a/b~c", "Undo", "Reserve", "Release it", "", "é" * 30]
PATHS = ["$", "$.a", "$.a.b", "$.a[0]", "$.a[*]", None]


def machine(random_: random.Random, depth: int = 0) -> dict[str, Any]:
    """States of any type that lead anywhere, into loops, to handlers and to nothing."""
    names = random_.sample(NAMES[:-2], random_.randint(1, 8))
    states = {name: state(random_, names, depth) for name in names}
    reached, todo = {names[0]}, [names[0]]
    while todo:
        new = {entry.get("Next") or entry.get("Default") for entry in _transitions(states[todo.pop()])} - {None} - reached
        reached |= new
        todo += new
    if random_.random() < 0.9:
        states = {name: each for name, each in states.items() if name in reached}
    return {"StartAt": names[0], "States": states}


def _transitions(of: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"Next": of.get("Next")}, {"Next": of.get("Default")}, *of.get("Choices", []), *of.get("Catch", [])]


def state(random_: random.Random, names: list[str], depth: int) -> dict[str, Any]:
    def anywhere() -> str:
        return random_.choice(names)

    kinds = ["Task", "Task", "Task", "Pass", "Pass", "Choice", "Fail", "Succeed"] + ["Map", "Parallel"] * (depth < 2)
    made: dict[str, Any] = {"Type": random_.choice(kinds)}
    if made["Type"] in ("Task", "Pass", "Map", "Parallel"):
        made |= random_.choice([{"End": True}, {"Next": anywhere()}, {"Next": anywhere()}])
        made |= random_.choice([{}, {"ResultPath": random_.choice(["$", "$.a", "$.a.b", None])}])
        made |= random_.choice([{}, {"InputPath": random_.choice(PATHS)}, {"OutputPath": random_.choice(PATHS)}])
    if made["Type"] in ("Task", "Map", "Parallel"):
        made |= random_.choice([{}, {"Retry": [{"ErrorEquals": ["States.ALL"]}]}])
        errors = random_.choice(["States.ALL", "X"])
        catcher = {"ErrorEquals": [errors], "Next": anywhere(), "ResultPath": random_.choice(["$", "$.e", None])}
        made |= random_.choice([{}, {"Catch": [catcher]}])
    if made["Type"] == "Task":
        made |= {"Resource": FUNCTION, "Comment": random_.choice(["", "not idempotent", "express: ignore TASK_WITHOUT_RETRY, NO_SUCH"])}
    elif made["Type"] == "Pass":
        calls = [f"States.Array({random_.choice(['$', '$.a', '$.a.b[*]'])}, 1)", "$", "$.a", "$$.Source"]
        made |= random_.choice([{}, {"Parameters": {"b.$": random_.choice(calls), "c": {"d.$": "$"}}}])
    elif made["Type"] == "Choice":
        rules = [{"Variable": "$.a", "IsNull": True, "Next": anywhere()} for _ in range(random_.randint(1, 3))]
        made |= {"Choices": rules, **random_.choice([{}, {"Default": anywhere()}])}
    elif made["Type"] == "Parallel":
        made |= {"Branches": [machine(random_, depth + 1) for _ in range(random_.randint(1, 3))]}
    elif made["Type"] == "Map":
        made |= {"ItemProcessor": machine(random_, depth + 1)}
        made |= random_.choice([{}, {"ItemsPath": "$.a"}, {"ItemSelector": {"all.$": random_.choice(["$", "$.a"])}}])
    return made


def renamed(value: Any, prefix: str = "") -> Any:
    """With names that are unique in the whole definition, so that more of them are valid."""
    if not isinstance(value, dict) or "States" not in value:
        return value
    found: dict[str, Any] = {}
    for name, each in value["States"].items():
        new = {key: inner for key, inner in each.items() if key not in ("Branches", "ItemProcessor")}
        for key in ("Next", "Default"):
            if key in new:
                new[key] = prefix + new[key]
        for key in ("Choices", "Catch"):
            if key in new:
                new[key] = [{**entry, "Next": prefix + entry["Next"]} for entry in new[key]]
        if "Branches" in each:
            new["Branches"] = [renamed(branch, f"{prefix}{name[:3]}{number}") for number, branch in enumerate(each["Branches"])]
        if "ItemProcessor" in each:
            new["ItemProcessor"] = renamed(each["ItemProcessor"], f"{prefix}{name[:3]}-")
        found[prefix + name] = new
    return {"StartAt": prefix + value["StartAt"], "States": found}


@pytest.mark.parametrize("seed", range(150))
def test_any_machine_gives_problems_with_codes_and_places(seed: int) -> None:
    definition = renamed(machine(random.Random(seed)), "s")
    problems = check(definition, portable=seed % 2 == 0)
    for problem in problems:
        assert isinstance(problem, Problem)
        assert CODES[problem.code].severity == problem.severity
        assert problem.location.startswith("/")
        assert problem.message
        assert "\n" not in str(problem)
    assert [problem.severity for problem in problems] == sorted((p.severity for p in problems), key=["ERROR", "WARNING", "ADVICE"].index)
    assert check(definition, portable=seed % 2 == 0) == problems, "the same definition, the same words"


def test_the_random_machines_are_worth_it() -> None:
    """Enough of them are valid, and every piece of advice that needs no functions is met."""
    met = {problem.code for seed in range(150) for problem in check(renamed(machine(random.Random(seed)), "s"))}
    assert {code for code, known in CODES.items() if known.severity == "ADVICE"} - met <= {"INLINE_TIMEOUT", "COMPENSATION_INCOMPLETE"}


def saga(steps: int) -> dict[str, Any]:
    """Each step is undone, in turn, when a later one fails."""
    states: dict[str, Any] = {"Done": {"Type": "Succeed"}, "Failed": {"Type": "Fail", "ErrorPath": "$.e.Error"}}
    for number in range(steps):
        catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": f"Cancel {number}"}]
        following = f"Book {number + 1}" if number < steps - 1 else "Done"
        states[f"Book {number}"] = {"Type": "Task", "Resource": FUNCTION, "Catch": catch, "Next": following}
        states[f"Cancel {number}"] = {"Type": "Task", "Resource": FUNCTION, "Next": f"Cancel {number - 1}" if number else "Failed"}
    return {"StartAt": "Book 0", "States": states}


SHAPES = [
    "$states.input", "$states.input.x", "$states", "[$v, 1]", "$append($v, $states.input)", "$v & 'x'",
    "$merge([$v, {'a': $states.input}])",
    "$v ~> $append(1)", "($w := $v; [$w])", "$states.input.x[0].y[$ = 1]", "$map($v, function($i) { [$i, $v] })",
    "{'x': [$states.input.x]}",
    "$states.input.x ? [$v] : $v", "$states.context.Execution.Input", "$nothing($v)", "-1", "$states.input ~> |$|{'a': 1}|",
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape_of_jsonata_can_be_looked_at(shape: str) -> None:
    value = f"{{% {shape} %}}"
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "B", "Output": {"x": value}, "Assign": {"v": value}}]
    task = {"Type": "Task", "Resource": FUNCTION, "Arguments": value, "Output": {"x": value}, "Assign": {"v": value}, "Catch": catch}
    part = {"StartAt": "C", "States": {"C": {"Type": "Pass", "Output": value, "End": True}}}
    many = {"Type": "Map", "Items": value, "ItemSelector": {"a": value}, "ItemProcessor": part, "Next": "D"}
    rules = [{"Condition": "{% true %}", "Next": "A", "Output": value, "Assign": {"v": {"x": value}}}]
    states = {
        "A": {**task, "Next": "B"},
        "B": many,
        "D": {"Type": "Choice", "Choices": rules, "Default": "E"},
        "E": {"Type": "Fail", "Error": value},
    }
    problems = check({"QueryLanguage": "JSONata", "StartAt": "A", "States": states}, portable=True)
    assert [problem for problem in problems if problem.severity == "ERROR"] == []
    assert {problem.code for problem in problems} >= {"TASK_WITHOUT_TIMEOUT"}


@pytest.mark.parametrize("steps", [490, 2000])
def test_a_large_definition_is_checked_soon(steps: int) -> None:
    definition = saga(steps)
    fastest = min(_seconds(definition) for _ in range(2))
    assert fastest < 5, f"{fastest:.1f} s"


def _seconds(definition: dict[str, Any]) -> float:
    start = time.process_time()
    check(definition, portable=True)
    return time.process_time() - start


def test_a_long_text_has_its_positions_soon() -> None:
    text = '{"StartAt": "A", "States": {' + ", ".join(f'"S{n}": {{"Type": "Pass", "Result": [1, 2, 3]}}' for n in range(10_000)) + "}}"
    start = time.process_time()
    assert Positions(text).of("/States/S9999/Type")[0] == 1
    assert time.process_time() - start < 5
