"""How large what JSONata gives can be: never said too small, and known where the compiler can save the measuring."""

from __future__ import annotations

from typing import Any

import pytest

import express
from express.compiler.facts import bound
from express.compiler.queries import ENDLESS
from express.compiler.variables import Variable
from express.language.jsonata import parse
from express.runtime.values import size
from tests.compiler.machines import machine, output, pass_

DATA: dict[str, Any] = {
    "text": 'a "quoted" text\n',
    "items": [{"name": "one", "price": 1, "tags": ["x", "y"]}, {"name": 'two"', "price": 2.5, "tags": []}],
    "deep": {"a": {"b": {"c": [1, [2, [3]]]}}},
    "empty": {},
}
TEXTS = [
    "$states.input",
    "$states.input.text",
    "$states.input.items",
    "$states.input.items.name",
    "$states.input.items[price > 1].name",
    "$states.input.items.tags",
    "$states.input.deep.a.b.c",
    "[$states.input.text, $states.input.text]",
    "$states.input.items[0]",
    "{'a': $states.input.text, 'b': $states.input.items, 'a long key': 1}",
    "'<' & $states.input.text & '>'",
    "$states.input.deep & ''",
    "$count($states.input.items) > 1 ? $states.input.deep : 'none'",
    "$merge([$states.input.deep, {'x': $states.input.text}])",
    "$append($states.input.items, $states.input.items)",
    "$keys($states.input)",
    "$sum($states.input.items.price)",
    "-$states.input.items[1].price",
    "$v",
    "$v.text",
    "[$v, $states.input]",
    "1e300 * 10",
    "'\\u00e9\\n'",
    "true",
    "null",
    "$not($states.input.empty)",
    "$uuid()",
    "$now()",
    "$hash($states.input.text, 'SHA-512')",
    "$type($states.input)",
    "$trim($states.input.text)",
    "$states.input.items[]",
    "$states.input.items^(price).name",
]


@pytest.mark.parametrize("text", TEXTS)
def test_no_value_is_larger_than_its_bound(text: str) -> None:
    most = bound(parse(text), size(DATA), {"v": Variable("v", size(DATA))})
    definition = {
        **machine(A=pass_(Assign={"v": "{% $states.input %}"}), B=pass_(Output={"value": f"{{% {text} %}}"})),
        "QueryLanguage": "JSONata",
    }
    assert size(output(express.compile(definition), DATA)["value"]) <= most


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$states.input", 1_000),
        ("$states.input.a", 996),
        ("$count($states.input)", 24),
        ("$states.input.a = $states.result.b", 24),
        ("$v.a", 100),
        ("{'a': $states.input.a, 'b': $states.input.b}", 1_004),
    ],
)
def test_what_picks_counts_or_compares_is_bounded(text: str, expected: int) -> None:
    assert bound(parse(text), 1_000, {"v": Variable("v", 100)}) == expected


@pytest.mark.parametrize(
    "text", ["$states", "$map($states.input, function($x) {$x})", "$nobody", "$string($states.input)", "$states.input.items.{'a': b}"]
)
def test_what_may_grow_is_not(text: str) -> None:
    assert bound(parse(text), 1_000, {}) >= ENDLESS


def test_a_state_that_only_picks_is_not_measured() -> None:
    definition = {**machine(A=pass_(Output="{% $states.input.items[price > 1] %}"), B=pass_()), "QueryLanguage": "JSONata"}
    assert "at_most" not in express.compile(definition, metrics=False).source
