"""How large the values of an expression can become, told from its text."""

from __future__ import annotations

import pytest

from express.compiler.jsonata_growth import Growth, growth
from express.language.jsonata import parse


@pytest.mark.parametrize(
    ("text", "power"),
    [
        ("$now()", 0),
        ("$states.input.items^(price).sku", 1),
        ("$states.input.items[id = $states.input.id]^(a)", 1),
        ("$states.input.items{sku: $sum(price)}", 1),
        ("$states.input.a.b.%.c", 1),
        ("$map($states.input.items, function($i){ {'a': $i.x, 'b': $now()} })", 1),
        ("$map($states.input.items, function($i){ {'a': $i.x, 'b': $states.input.all} })", 2),
        ("($all := $states.input; $states.input.items.{'a': x, 'b': $all})", 2),
        ("$states.input.l.$states.input.l.$states.input.l", 3),
        ("$states.input.l@$a.$states.input.r@$b[$a.x = $b.x].{'a': $a, 'b': $b}", 2),
        ("$states.input.**.a", 2),
        ("($name := function($x){ $x.first & $x.last }; $map($states.input.l, $name))", 1),
        ("($both := function($x){ [$x, $states.input] }; $map($states.input.l, function($y){ $both($y) }))", 2),
        ("$reduce($states.input.l, function($sum, $x){ $append($sum, $x.a) }, [])", 1),
        ("$reduce($states.input.l, function($sum, $x){ {'n': $sum.n + 1, 'all': $append($sum.all, $x)} })", 1),
        ("$reduce($states.input.l, function($t, $x){ $t & ', ' & $string($x.a) })", 1),
        ("$reduce($states.input.l, function($o, $x){ $merge([$o, {$x.k: $lookup($o, $x.k) + 1}]) }, {})", 1),
    ],
)
def test_it_is_a_power_of_the_document(text: str, power: int) -> None:
    found = growth(parse(text).node)
    assert found is not None
    assert found.power == power


@pytest.mark.parametrize(
    "text",
    [
        "($f := function($x){ $f([$x, $x]) }; $f(1))",
        "(function($f){ $f($f) })(function($f){ [$f($f), $f($f)] })",
        "($f := function($x){ $filter([1], $f) }; $f(1))",
        "$map($states.input.l, function($f){ $f(1) })",
        "($f := $append(?, [1]); $f(2))",
        "$reduce([1..60], function($x, $y){ [[$x], [$x]] })",
        "$reduce([1..60], function($x, $y){ {'a': $x} })",  # no larger than it may be, but as deep
        "$reduce([1..60], function($x, $y){ $map([1], function($z){ [[$x]] }) })",
        "$reduce([1..60], function($x, $y){ $x & $x })",
        "$reduce([1..60], function($x, $y){ $string({'a': $x}) })",
        "$reduce($states.input.f, $states.input.g)",
        "($x := [[1], [1]]; " + "$x := [[$x], [$x]]; " * 14 + "$x)",
        "$map([1..1000], function($x){ $map([1..1000], function($y){ 1 }) })",  # how much that is does not depend on the document
        "$map($split($states.input.t, ''), function($x){ $split($states.input.t, '') })",
    ],
)
def test_or_there_is_no_bound(text: str) -> None:
    assert growth(parse(text).node) is None


def test_copies_that_are_written_out_are_counted() -> None:
    assert growth(parse("[[$states.input], [$states.input], [$states.input]]").node) == Growth(1, 3)
    assert growth(parse("($x := [[$states.input], [$states.input]]; $x := [[$x], [$x]]; $x)").node) == Growth(1, 4)


def test_values_that_are_compiled_may_nest() -> None:
    nesting = parse("$reduce([1..60], function($x, $y){ {'a': $x} })").node
    assert growth(nesting, deep=True) is not None
