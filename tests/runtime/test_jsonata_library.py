"""Expressions that the library evaluates: what of it Express does not leave to the library."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from express.runtime import jsonata_library
from express.runtime.failures import StateError
from express.runtime.jsonata_library import LibraryQuery
from express.runtime.jsonata_ours import TIME, with_ours


def evaluate(text: str, **document: Any) -> Any:
    return LibraryQuery(text, "Output", text)(document)


def test_null_and_undefined_are_two_things() -> None:
    assert evaluate("$$.a", a=None) is None
    with pytest.raises(StateError, match="returned nothing"):
        evaluate("$$.b", a=None)


def test_a_function_infinity_and_an_integer_that_does_not_fit_are_failures() -> None:
    for text, document in (("function($x){$x}", {}), ("1/0", {}), ("0/0", {}), ("$$.a", {"a": int("9" * 401)})):
        with pytest.raises(StateError) as caught:
            evaluate(text, **document)
        assert caught.value.error == "States.QueryEvaluationError"


class _Impatient:
    """An expression whose time is up a few times before it answers."""

    def __init__(self, times: int) -> None:
        self.left = times

    def evaluate(self, *_: Any, **__: Any) -> str:
        if self.left:
            self.left -= 1
            raise ValueError("D1012: Evaluation timeout after 100 milliseconds")
        return "done"


def test_time_that_somebody_else_took_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still is no runaway expression: the library looks at the wall clock, we at the processor's."""
    impatient = _Impatient(3)
    monkeypatch.setattr(LibraryQuery, "_expression", lambda self: impatient)
    assert evaluate("1") == "done"


class _Slow:
    """An expression that needs so many milliseconds of the processor, on a machine that gives it a part of them."""

    def __init__(self, needs: float, share: float) -> None:
        self.needs, self.share, self.had = needs, share, 0.0

    def evaluate(self, *_: Any, timeout: int, **__: Any) -> str:
        given = timeout * self.share
        self.had += min(given, self.needs)
        if given < self.needs:
            raise ValueError(f"D1012: Evaluation timeout after {timeout} milliseconds")
        return "done"


@pytest.mark.parametrize(
    ("needs", "share", "answers"),
    [(40, 0.1, True), (85, 0.3, True), (85, 1, True), (200, 1, False), (200, 0.3, False), (10_000, 0.1, False)],
)
def test_a_budget_is_of_the_processor_whatever_part_of_it_there_is(
    needs: float, share: float, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = _Slow(needs, share)
    monkeypatch.setattr(LibraryQuery, "_expression", lambda self: slow)
    monkeypatch.setattr(jsonata_library, "thread_time", lambda: slow.had / 1_000)
    if answers:
        assert evaluate("1") == "done"
    else:
        with pytest.raises(StateError, match="D1012: Evaluation timeout after 100 milliseconds"):
            evaluate("1")
    assert slow.had <= 3 * jsonata_library.MILLISECONDS


def test_a_runaway_expression_ends_by_its_own_time() -> None:
    before = time.process_time()
    with pytest.raises(StateError, match="D1012"):
        evaluate("($f := function($x){$f($x + 1)}; $f(1))")
    assert time.process_time() - before < 5 * jsonata_library.MILLISECONDS / 1000


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*a){20}$"])
def test_regular_expressions_take_linear_time(pattern: str) -> None:
    before = time.process_time()
    assert evaluate(f"$contains($$.given, /{pattern}/) or true", given="a" * 5_000 + "!") is True
    assert time.process_time() - before < 1


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$pad('ab', 5)", "ab   "), ("$pad('ab', -5, '*#')", "*#*ab"), ("$pad('ab', 1)", "ab"), ("$pad('ab', 4, '')", "ab  "),
        ("$pad('é', 3, '-')", "é--"),
    ],
)  # fmt: skip
def test_pad_is_ours_and_pads_as_jsonata_does(text: str, wanted: str) -> None:
    source = with_ours(text, ["pad"])
    assert LibraryQuery(text, "Output", source)({}) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$reduce([], function($x, $y){ $x + $y }) = 0 or $exists($reduce([], function($x, $y){ $x })) = false", True),
        ("$reduce([1, 2], function($x, $y, $i){ $x & $y & $i }, $$.nothing)", "121"),
        ("$reduce([null], function($x, $y){ [$x, $y] }, 1)", [1, None]),
        ("$reduce([1..4], function($x, $y){ $x * $y })", 24),
        ("$exists($pad($$.nothing, 5))", False),
        ("$encodeUrlComponent('a.b c/é')", "a.b%20c%2F%C3%A9"),
        ("$encodeUrl('http://a.b/c d?e=é#f')", "http://a.b/c%20d?e=%C3%A9#f"),
        ("$clone($$.given)", {"a": [1]}),
    ],
)
def test_functions_that_the_library_has_otherwise_are_ours(text: str, wanted: Any) -> None:
    functions = ("reduce", "pad", "encodeUrlComponent", "encodeUrl", "clone")
    assert LibraryQuery(text, "Output", with_ours(text, functions))({"given": {"a": [1]}}) == wanted


def test_what_a_thread_has_compiled_stays_with_it() -> None:
    query = LibraryQuery("$$.a^($)", "Output", "$$.a^($)")
    found: list[Any] = []

    def many() -> None:
        found.extend(query({"a": [number, 0]}) for number in range(1, 50))

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 * 49
    assert all(value[0] == 0 for value in found)


def test_a_thread_keeps_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonata_library, "KEPT", 3)
    assert [evaluate(f"{number} + {number}") for number in range(10)] == [2 * number for number in range(10)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$count($distinct([1..8000].{'a': $}))", 8_000),
        ("$distinct([1..100].($ % 2 = 0 ? {'a': 1, 'b': 2} : {'b': 2, 'a': 1}))", {"b": 2, "a": 1}),
        ("$distinct($append([1..100], [1..100].($ + 0.0))) = [1..100]", True),
        ("$distinct([1..100].($ % 2 = 0 ? 1 : true))", [True, 1]),
        ("$distinct([1..100].($ % 3))", [1, 2, 0]),
        ("[$distinct([1..100].(1))]", [1]),
        ("$exists($distinct($$.nothing))", False),
        ("$distinct(1)", 1),
    ],
)
def test_distinct_takes_linear_time_and_answers_as_jsonata_does(text: str, wanted: Any) -> None:
    before = time.process_time()
    assert LibraryQuery(text, "Output", with_ours(text, ["distinct"]))({}) == wanted
    assert time.process_time() - before < 1


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$$.**.v", 1),
        ("$$.l^(x).x", [1, 3, 2**64 - 1]),
        ("$$.id / 2", 2.0**63),
        ("$$.m.*", 1),
        ("$exists($parse('[18446744073709551615]'))", True),
    ],
)
def test_whole_numbers_beyond_64_bits_are_doubles_only_inside_the_library(text: str, wanted: Any) -> None:
    document = {"id": 2**64 - 1, "m": {"v": 1}, "l": [{"x": 3}, {"x": 2**64 - 1}, {"x": 1}]}
    assert evaluate(text, **document) == wanted
    assert document["id"] == 2**64 - 1


@pytest.mark.parametrize(
    "text",
    [
        "$toMillis($now()) = $millis()",
        "($one := $millis(); $sum([1..2000].($ * 2)); $one = $millis())",
        "$count($distinct([1..2000].$millis())) = 1",
        "$length($now()) = 24 and $now('[Y]') = $fromMillis($millis(), '[Y]')",
        "$now('[H]', '+0200') = $fromMillis($millis(), '[H]', '+0200')",
        "$millis() = 86400001 and $now() = '1970-01-02T00:00:00.001Z'",
    ],
)
def test_one_evaluation_has_one_time_and_is_given_it(text: str) -> None:
    assert LibraryQuery(text, "Output", with_ours(text, ["distinct", "millis", "now"]))({TIME: 86_400_001}) is True
