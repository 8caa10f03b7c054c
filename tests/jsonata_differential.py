"""``python -m tests.jsonata_differential [--pairs N] [--first SEED]``: compiled expressions against jsonatapy, both made at random.

A pair agrees when both give the same value, both nothing, or both fail.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import Any

import jsonata as jsonata_python
import msgspec

from express.compiler import jsonata
from express.language.jsonata import parse
from express.language.scanner import SyntaxProblem
from express.runtime.failures import StateError
from express.runtime.jsonata_library import LibraryQuery
from express.runtime.jsonata_ours import with_ours
from express.runtime.values import equal
from tests.jsonata import Compiled, said
from tests.jsonata_expressions import Expressions

# Why the two may differ: what was found by asking jsonata 2.0.6 itself, with which ours agreed every time
PREDICATE = "a predicate behind a step that finds nothing: jsonata asks it about nothing, and fails if it fails; the library does not ask"
NULL = "null where an array is expected: jsonata takes it for one item, the library for nothing"
SEQUENCE = "a function that ends with $map or $filter: jsonata 2.0.6 hands on the sequence as it is, so that one item stays an array"
WITNESS = "the library alone: jsonata-python answers as we do"


class Pair(msgspec.Struct):
    seed: int
    text: str
    given: Any
    ours: dict[str, Any]
    theirs: dict[str, Any]
    source: str

    @property
    def agrees(self) -> bool:
        return _same(self.ours, self.theirs)

    @property
    def reason(self) -> str | None:
        """Why they differ, if that is known."""
        if _same(self.ours, _witness(self.text, self.given)):
            return WITNESS
        if "null" in self.text and ("$filter(" in self.text or "$map(" in self.text):
            return NULL
        if self.text.count("$map(") + self.text.count("$filter(") > 1:
            return SEQUENCE
        return PREDICATE if "error" in self.ours and "[" in self.text else None


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if "result" in one and "result" in other:
        return equal(one["result"], other["result"])
    return one.keys() == other.keys()


def _witness(text: str, given: Any) -> dict[str, Any]:
    """What jsonata-python answers."""
    try:
        expression = jsonata_python.Jsonata(f"{{'r': ({text})}}")
        expression.assign("states", {"input": given})
        found = expression.evaluate(None)
    except Exception as error:
        return {"error": str(error)}
    return {"result": found["r"]} if found else {"undefined": True}


def pair(seed: int) -> Pair | None:
    """A random expression on random data, evaluated both ways; None when it is not compiled."""
    maker = Expressions(seed)
    given, text = maker.value(), maker.expression()
    try:
        expression = parse(text)
    except SyntaxProblem:
        return None
    if jsonata.how(expression) is not None:
        return None
    compiled, library = Compiled(text), LibraryQuery(text, "", with_ours(text.replace("$states", "$$.states"), parse(text).functions))
    return Pair(seed, text, given, _answer(compiled.run, given), _answer(library, {"states": {"input": given}}), compiled.source)


def _answer(function: Any, given: Any) -> dict[str, Any]:
    try:
        return {"result": function(given)}
    except StateError as failure:
        return dict(said(failure.cause or ""))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.jsonata_differential")
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    for seed in range(arguments.first, arguments.first + arguments.pairs):
        found = pair(seed)
        if found is None:
            counts["not compiled"] += 1
            continue
        counts["compared"] += 1
        counts[next(iter(found.ours))] += 1
        if found.agrees:
            continue
        reason = found.reason
        counts[reason or "DIFFERENT"] += 1
        if reason is None:
            print(f"seed {found.seed}: {found.text}\n  on {found.given}\n  ours {found.ours}\n  theirs {found.theirs}\n  {found.source}")
    for name, count in counts.most_common():
        print(f"{count:9,} {name}")
    return 1 if counts["DIFFERENT"] else 0


if __name__ == "__main__":
    sys.exit(main())
