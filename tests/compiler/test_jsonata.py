"""JSONata expressions through the compiler: what they answer, and how they fail."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from express.runtime.failures import StateError
from tests.jsonata import Compiled, answer

ORDER = {"total": 65, "name": "s1", "items": [{"sku": "a", "price": 2.5, "n": 2}, {"sku": "b", "price": 10, "n": 1}], "none": None}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$states.input.total", 65),
        ("$states.input.items.sku", ["a", "b"]),
        ("$states.input.none", None),
        ("$states.input.total > 60 and $count($states.input.items) = 2", True),
        ("$sum($states.input.items.(price * n))", 15),
        ("{'a': $states.input.name & '!'}", {"a": "s1!"}),
        ("$states.input.items[price > 5].sku", "b"),
        ("$map($states.input.items, function($i){ $i.sku })", ["a", "b"]),
        ("$partition([1,2,3], 2)", [[1, 2], [3]]),
        ("$range(0, 9, 3)", [0, 3, 6, 9]),
        ("$range(1, 9, 9)", 1),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ("$hash('x', 'SHA-256')", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
        ("$parse('{\"a\": [1]}')", {"a": [1]}),
        ("$random(7) = $random(7)", True),
        ("$string($random() < 1)", "true"),
    ],
)
def test_expressions_answer_as_jsonata_does(text: str, wanted: Any) -> None:
    assert answer(text, ORDER) == {"result": wanted}


def test_a_uuid_is_made_anew_each_time() -> None:
    expression = Compiled("$uuid()")
    first, second = expression.run({}), expression.run({})
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", first)
    assert first != second


def test_nothing_fails_as_on_aws() -> None:
    with pytest.raises(StateError) as caught:
        Compiled("$states.input.nothing").run(ORDER)
    assert caught.value.error == "States.QueryEvaluationError"
    assert (
        caught.value.cause
        == "The JSONata expression '$states.input.nothing' specified for the field 'Output' returned nothing (undefined)."
    )


def test_an_error_of_the_evaluation_is_told_as_on_aws() -> None:
    with pytest.raises(StateError) as caught:
        Compiled("$randomSeeded($states.input.total)").run(ORDER)
    assert caught.value.cause == (
        "The JSONata expression '$randomSeeded($states.input.total)' specified for the field 'Output' "
        "threw an error during evaluation. T1006: Attempted to invoke a non-function"
    )


def test_a_function_is_no_result() -> None:
    with pytest.raises(StateError) as caught:
        Compiled("$fn := function($x){$x}").run(ORDER)
    assert str(caught.value.cause).endswith("specified for the field 'Output' returned an unsupported result type.")


def test_an_expression_works_in_every_thread() -> None:
    expression = Compiled("$states.input.items^(>price).sku")
    found: list[Any] = [expression.run(ORDER)]
    threads = [threading.Thread(target=lambda: found.append(expression.run(ORDER))) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()
    assert found == [["b", "a"]] * 4


@pytest.mark.parametrize(
    "text",
    [
        "($f := function($x){$f($x + 1)}; $f(1))",
        "($f := function($x){1 + $f($x + 1)}; $f(1))",
        "$sum($map([1..3000], function($i){$sum([1..3000])}))",
        "$reduce([1..100], function($a, $b){$a & $a}, 'abcdefgh')",
        "$count([1..10000000])",
        "$length($pad('x', 100000000))",
        "$count($range(1, 100000000, 1))",
    ],
)
def test_what_would_not_end_or_not_fit_fails_within_its_budget(text: str) -> None:
    with pytest.raises(StateError) as caught:
        Compiled(text).run(ORDER)
    assert caught.value.error == "States.QueryEvaluationError"
