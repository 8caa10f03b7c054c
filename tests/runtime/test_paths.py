"""JSONPaths as AWS's library has them, with a budget; and writing through a Reference Path."""

from __future__ import annotations

import contextlib
import re
import time
from typing import Any

import pytest

import express
from express.language.paths import STEPS, parse
from express.runtime.failures import StateError
from express.runtime.paths import compile_path, item, put, selects
from tests.reference import expressions
from tests.runtime.jsonpath_cases import CASES, FAILS, STORE


def passing(**fields: Any) -> dict[str, Any]:
    return {"StartAt": "S", "States": {"S": {"Type": "Pass", **fields, "End": True}}}


PATHS = [(path, expected) for cases in CASES.values() for path, expected in cases]


def test_the_table_is_a_table() -> None:
    assert len(PATHS) > 200
    assert len({path for path, _ in PATHS}) == len(PATHS)


@pytest.mark.parametrize(("path", "expected"), PATHS, ids=[path for path, _ in PATHS])
def test_a_path_selects(path: str, expected: Any) -> None:
    select = compile_path(parse(path).segments)
    if expected is FAILS:
        with pytest.raises((KeyError, IndexError, TypeError)):
            select(STORE)
        assert not selects(select, STORE)
    else:
        assert select(STORE) == expected
        assert type(select(STORE)) is type(expected)
        assert selects(select, STORE)


@pytest.mark.parametrize("group", CASES)
def test_a_state_selects_the_same(group: str) -> None:
    """Through the compiler, which makes subscripts of definite paths."""
    for path, expected in CASES[group]:
        found = express.compile(passing(Parameters={"it.$": path})).run(STORE)
        if expected is FAILS:
            assert (found.status, found.error) == ("FAILED", "States.Runtime"), path
            assert f"The JSONPath '{path}' specified for the field 'it.$' could not be found in the input" in (found.cause or "")
        else:
            assert (found.status, found.output) == ("SUCCEEDED", {"it": expected}), path


@pytest.mark.parametrize("group", CASES)
def test_whether_a_path_selects_something_is_known_to_a_choice(group: str) -> None:
    for path, expected in CASES[group]:
        rule = {"Variable": path, "IsPresent": True, "Next": "Yes"}
        states = {
            "Look": {"Type": "Choice", "Choices": [rule], "Default": "No"},
            "Yes": {"Type": "Pass", "Result": True, "End": True},
            "No": {"Type": "Pass", "Result": False, "End": True},
        }
        assert express.compile({"StartAt": "Look", "States": states}).run(STORE).output is (expected is not FAILS), path


# Spellings that the reference interpreter does not read
UNREAD = re.compile(r"\\|\"|size\(\)| - |\[ | [\],:]|\.\[|\.[$@]|\(\)$|@[\])]|\( | \)")


def test_the_reference_interpreter_agrees() -> None:
    roots = expressions.Roots(STORE, {}, {})
    compared = 0
    for path, expected in PATHS:
        if not UNREAD.search(path) and path.isascii():
            compared += 1
            try:
                found = expressions.path(path, roots)
            except expressions.Missing:
                found = FAILS
            assert found == expected, path
    assert compared > 250


def test_no_path_but_the_root_can_be_applied_to_null() -> None:
    """AWS says so itself: "Unable to apply Path transformation to null or empty input." """
    for path in ("$.a", "$[*]", "$..a", "$[1:]", "$['a','b']"):
        assert not selects(compile_path(parse(path).segments), None)
        found = express.compile(passing(InputPath=path)).run(None)
        assert found.error == "States.Runtime"
        assert found.cause is not None
        assert found.cause.endswith(" Unable to apply Path transformation to null or empty input.")
    assert express.compile(passing(InputPath="$")).run(None).output is None


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("$.missing", "No results for path: $['missing']"),
        ("$.missing.more", "Missing property in path $['missing']"),
        ("$.bicycle.missing.more", "Missing property in path $['bicycle']['missing']"),
        ("$.words.length()", "Property ['length()'] not found in path $['words']"),
        ("$.book[0]['title'].x", "Property ['x'] not found in path $['book'][0]['title']"),
        ("$.words[7]", "Index out of bounds when evaluating path $['words'][7]"),
        ("$.none[0]", "The path $['none'] is null"),
        ("$.bicycle[0].x", "Filter: [0]['x'] can only be applied to arrays. Current context is: {color=red, price=19.95}"),
        ("$.bicycle[1:]", "Filter: [1:] can only be applied to arrays. Current context is: {color=red, price=19.95}"),
        ("$.limit[?(@.a)]", "Filter: [?] can not be applied to primitives. Current context is: 10"),
        ("$.text['a','b']", "Property ['a', 'b'] not found in path $['text']"),
        ("$.book[0:2].isbn", "No results for path: $['book'][0:2]['isbn']"),
    ],
)
def test_input_path_says_why_as_the_library_does(path: str, sentence: str) -> None:
    found = express.compile(passing(InputPath=path)).run(STORE)
    assert found.error == "States.Runtime"
    assert (
        found.cause == f"An error occurred while executing the state 'S' (entered at the event id #2). Invalid path '{path}' : {sentence}"
    )


def test_items_are_of_arrays_only() -> None:
    assert item([1, 2], -1) == 2
    for value in ("abc", {"0": 1}, None, 5):
        with pytest.raises(TypeError):
            item(value, 0)
    with pytest.raises(IndexError):
        item([1], 1)


# --- Budget -----------------------------------------------------------------------------------------------------------------------


def tower(depth: int) -> Any:
    value: Any = {"a": 1}
    for _ in range(depth):
        value = {"a": [value]}
    return value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$..a..a..a..a", tower(1_000)),
        ("$..*..*..*", tower(30_000)),
        ("$.a[?(@.x == $.b && @.x == 1)]", {"a": [{"x": 1}] * 130_000, "b": 1}),
        ("$.a[?(" + "@.x != 1 || " * 250 + "@.x == 2)]", {"a": [{"x": 1}] * 26_000}),
        ("$.a[?(@.x < 0.123456789012345678)]", {"a": [{"x": 0.5}] * 26_000}),
        ("$[*]['a','b']", [{"a": 1}] * 60_000),
        ("$[*]..[?(@.x == 1)]", [{"x": 1}] * 130_000),
        ("$" + "[0,0,0,0,0,0,0,0]" * 8, [[[[[[[[1]]]]]]]]),
        ("$[*]" + ".a" * 60, [tower(0)] * 30_000),
        ("$.a" + "[?(@.x)]" * 200, {"a": [{"x": 1}] * 10_000}),
        ("$[*][*][*][*]", [[[[1] * 20] * 20] * 20] * 20),
    ],
)
def test_a_path_that_selects_too_much_fails_in_time(path: str, value: Any) -> None:
    started = time.process_time()
    with pytest.raises(StateError) as raised:
        compile_path(parse(path).segments)(value)
    assert raised.value.error == "States.Runtime"
    assert time.process_time() - started < 0.5  # about 30 ms


def test_a_filter_of_many_conditions_over_a_legal_event_is_within_the_budget() -> None:
    rows = [{"k": number % 7, "n": number} for number in range(13_000)]
    path = "$.rows[?(@.k == 1 && @.n > 10 && @.n < 7000 && @.n != 15 && @.k != 2 && @.missing != 3 || @.n == 5)].n"
    assert compile_path(parse(path).segments)({"rows": rows}) == [5]


def test_a_path_of_as_many_steps_as_may_be_does_not_exhaust_the_stack() -> None:
    value: Any = 1
    for _ in range(STEPS):
        value = [value]
    for step in ("[*]", "[0:]", "[0,0]", "[?(@)]"):
        path = parse("$" + step * STEPS)
        with contextlib.suppress(StateError):
            compile_path(path.segments)(value)


@pytest.mark.parametrize("step", ["..*", "..a", "..[?(@.a && @.b)]", "..['a','b']", ".a", "[0]", "[*]"])
def test_a_path_is_compiled_in_time_in_proportion_to_its_length(step: str) -> None:
    started = time.process_time()
    compile_path(parse("$" + step * (STEPS // (1 + step.startswith("..")))).segments)
    assert time.process_time() - started < 0.5  # about 1 ms


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.a[?(@ > $.s)]", {"a": ["x" * 100_000] * 3, "s": "x" * 100_000}),
        ("$.a[?(@.x == $.big)]", {"a": [{"x": 10**4000}] * 65, "big": 1e300}),
        ("$.a[?(@.x < 1e999999999)]", {"a": [{"x": 1}] * 5_000}),
        ("$.a[?(@.x == $.s)]", {"a": [{"x": 1}] * 5_000, "s": "9" * 100_000}),
    ],
)
def test_large_values_are_compared_in_time(path: str, value: Any) -> None:
    started = time.process_time()
    compile_path(parse(path).segments)(value)
    assert time.process_time() - started < 0.5


def test_a_deep_scan_of_a_legal_event_is_within_the_budget() -> None:
    value = {"items": [{"sku": f"s{number}", "n": number} for number in range(12_000)]}
    assert len(compile_path(parse("$..sku").segments)(value)) == 12_000


# --- ResultPath -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "names", "result"),
    [
        ({"a": 1}, ("b",), {"a": 1, "b": "new"}),
        ({"a": 1}, ("a",), {"a": "new"}),
        ({}, ("a", "b", "c"), {"a": {"b": {"c": "new"}}}),
        ({"a": {"x": 1}}, ("a", "b"), {"a": {"x": 1, "b": "new"}}),
        ({"a": [1, {"x": 1}]}, ("a", 1, "b"), {"a": [1, {"x": 1, "b": "new"}]}),
        ({"a": [1, 2]}, ("a", 0), {"a": ["new", 2]}),
        ([1, 2], (1,), [1, "new"]),
        ({"a": 1}, (), "new"),
    ],
)
def test_put_writes_and_leaves_the_original_alone(value: Any, names: tuple[str | int, ...], result: Any) -> None:
    before = repr(value)
    assert put(value, names, "new") == result
    assert repr(value) == before


@pytest.mark.parametrize(
    ("value", "names", "written"),
    [
        (1, ("a",), "$.a"),
        (None, ("a",), "$.a"),
        ([1], ("a",), "$.a"),
        ({"a": 1}, ("a", "b"), "$.a.b"),
        ({"a": None}, ("a", "b"), "$.a.b"),
        ({"a": [1]}, ("a", 1), "$.a[1]"),
        ({"a": [1]}, ("a", "b"), "$.a.b"),
        ({}, ("a", 0), "$.a[0]"),
        ({"a": {"0": 1}}, ("a", 0), "$.a[0]"),
    ],
)
def test_put_fails_where_there_is_no_place(value: Any, names: tuple[str | int, ...], written: str) -> None:
    with pytest.raises(StateError) as raised:
        put(value, names, "new")
    assert raised.value.error == "States.ResultPathMatchFailure"
    assert raised.value.cause is not None
    assert raised.value.cause.startswith(f"Unable to apply ReferencePath {written} to input ")
