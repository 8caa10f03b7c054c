"""JSONata as Python beside JSONata by the library: ``python bench/jsonata.py [--repeats N] [--strict]``.

Common expressions on one order, compiled and by jsonatapy as Express calls it for what it does not compile, both as often as fits into a
moment, the fastest of several looks at each. Both must give the same value. With --strict a missed goal is exit code 1.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from timeit import Timer
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from express.compiler import jsonata
from express.language.jsonata import parse
from express.runtime.jsonata_library import LibraryQuery
from express.runtime.jsonata_ours import with_ours
from tests.jsonata import Compiled

GOAL = 3  # times as fast as the library, in the middle of all
SECONDS = 0.05  # of one look

ORDER = {
    "id": "o-4711",
    "total": 65.5,
    "customer": {"id": "c-17", "tier": "gold", "name": "Ada"},
    "items": [{"sku": f"s{number}", "price": 2.5 * number, "quantity": number % 3 + 1} for number in range(5)],
}
EXPRESSIONS = (
    "$states.input.customer.tier",
    "$states.input.customer.tier = 'gold'",
    "$states.input.total > 60 and $count($states.input.items) > 2",
    "$exists($states.input.coupon) ? $states.input.coupon : 'none'",
    "$states.input.items[0].sku",
    "$states.input.items[price > 5].sku",
    "$sum($states.input.items.price)",
    "$sum($states.input.items.(price * quantity))",
    "$map($states.input.items, function($item) { $item.sku & '!' })",
    "$states.input.customer.name & ' (' & $states.input.customer.id & ')'",
    "{'id': $states.input.id, 'total': $states.input.total * 1.2, 'tier': $uppercase($states.input.customer.tier)}",
    "$merge([$states.input.customer, {'order': $states.input.id}])",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7, help="looks at each; the fastest counts")
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args()

    print(f"{'us compiled':>12} {'us library':>11} {'ratio':>6}")
    ratios = []
    for text in EXPRESSIONS:
        reason = jsonata.how(parse(text))
        assert reason is None, f"{text}: {reason}"
        compiled = Compiled(text).run
        library = LibraryQuery(text, "", with_ours(text.replace("$states", "$$.states"), parse(text).functions))
        ours, theirs = compiled(ORDER), library({"states": {"input": ORDER}})
        assert ours == theirs, f"{text}: {ours} and {theirs}"
        code, other = _microseconds(compiled, ORDER, options.repeats), _microseconds(library, {"states": {"input": ORDER}}, options.repeats)
        ratios.append(other / code)
        print(f"{code:12.2f} {other:11.2f} {other / code:6.1f}  {text}")
    middle = statistics.median(ratios)
    print(f"in the middle {middle:.1f} times as fast as the library (goal: {GOAL})")
    return 1 if options.strict and middle < GOAL else 0


def _microseconds(function: Callable[[Any], Any], given: Any, repeats: int) -> float:
    timer = Timer(lambda: function(given))
    number = max(1, int(SECONDS / max(timer.timeit(100) / 100, 1e-9)))
    return min(timer.repeat(repeats, number)) / number * 1e6


if __name__ == "__main__":
    sys.exit(main())
