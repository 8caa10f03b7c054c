"""What is fuzzed: each target takes any text and raises nothing but what it declares. The slowest kinds of text each should be given."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import express
from express.language import intrinsics, jsonata, paths
from express.language.scanner import SyntaxProblem
from tests.fuzz import hostile
from tests.reference import machines
from tests.reference.jsonata_texts import Texts
from tests.reference.made_paths import PLACES, Paths
from tests.reference.made_values import Values

LONGEST = 65_536
SECONDS = 0.1  # for the longest text
BYTES = 50 * 2**20


@dataclass(frozen=True)
class Target:
    """``parse`` raises only ``declared``. ``sample`` makes a valid text from a seed, ``bombs`` are beginnings, middles and ends: the middle
    is repeated up to the longest text."""

    name: str
    parse: Callable[[str], Any]
    declared: tuple[type[Exception], ...]
    sample: Callable[[int], str]
    bombs: tuple[tuple[str, str, str], ...]

    def longest(self) -> Iterator[str]:
        return (self.bomb(number) for number in range(len(self.bombs)))

    def bomb(self, number: int) -> str:
        begin, middle, end = self.bombs[number]
        return begin + middle * ((LONGEST - len(begin) - len(end)) // len(middle)) + end

    def takes(self, text: str) -> bool:
        """Whether the text is valid; raises what is not declared."""
        try:
            self.parse(text)
        except self.declared:
            return False
        return True


def _definition(text: str) -> None:
    """Checked, then compiled: what passes the one passes the other."""
    errors = [problem for problem in express.check(text) if problem.severity == "ERROR"]
    try:
        express.compile(text, missing="defer")
    except express.DefinitionError:
        return
    assert not errors, errors


def _definition_sample(seed: int) -> str:
    made = hostile.definition(seed) if seed % 2 else machines.case(seed, inputs=0).definition
    return json.dumps(made, indent=seed % 3 or None, ensure_ascii=bool(seed % 5))


def _path_sample(seed: int) -> str:
    return random.Random(seed).choice([place for places in PLACES.values() for place in places])


def _intrinsic_sample(seed: int) -> str:
    maker = Paths(seed)
    return maker.call(maker.random.choice(["number", "text", "list", "object", "boolean"]), 3)


def _jsonata_sample(seed: int) -> str:
    values = Values(seed)
    return Texts(values.random, lambda construct: None).any(3)


_STATE = '"S%": {"Type": "Pass", "Next": "S%"}, '
TARGETS = {
    target.name: target
    for target in (
        Target(
            "definition",
            _definition,
            (),
            _definition_sample,
            (
                ("", "[", ""), ("", '{"a":', ""), ('{"StartAt": "A", "States": {', '"A": {"Type": "Pass"}, ', '"B": 1}}'),
                ('{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true, "Result": [', "1, ", "1]}}}"),
                ('{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true, "Result": "', "\\u00e9", '"}}}'),
                ('{"StartAt": "A", "States": {"A": {"Type": "Choice", "Default": "A", "Choices": [',
                 '{"Variable": "$.a", "IsNull": true, "Next": "A"}, ',
                 '{"Next": "A"}]}}}'),
                ('{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true, "Parameters": {"a.$": "$', ".a", '"}}}}'),
                ('{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true, "Result": ', "9", "}}}"),
                ("a: &a ", "[*a, ", "]"), ("", "- ", ""), ("", "? ", ""), ("a: ", "!!x ", "1"), ("", "a: {", ""), ("# ", "\t", ""),
                ("", "%", ""),
            ),
        ),
        Target(
            "path",
            paths.parse,
            (SyntaxProblem,),
            _path_sample,
            (
                ("$", ".a", ""), ("$", "['a']", ""), ("$", "[0]", ""), ("$[", "0,", "0]"), ("$", "..", ""), ("$[?(", "(", ""),
                ("$[?(", "!", "@.a)]"),
                ("$[?(@.a", " && @.a", ")]"), ("$[?(@.a", "[?(@.a", ")]"), ("", "$", ""), ("$['", "\\", "']"),
                ("$[?(@.a == ", "9", ")]"), ("$['", "é", "']"),
                ("$[?(@.a =~ /", "(a+)+", "/)]"), ("$[?(@.a in [", "1,", "1])]"), ("$.", "length()", ""), ("$[?(@.a == '", "\\'", "')]"),
            ),
        ),
        Target(
            "intrinsic",
            intrinsics.parse,
            (SyntaxProblem,),
            _intrinsic_sample,
            (
                ("States.Array(", "1, ", "1)"), ("", "States.Array(", ""), ("States.Format('", "{}", "')"),
                ("States.Format('", "\\{", "')"),
                ("States.Array(", "$.a,", "1)"), ("States.MathAdd(", "9", ",1)"), ("States.Array(", "$[?(@.a),", ")"), ("", "States.", ""),
                ("States.Array('", "\\'", "')"), ("States.UUID(", " ", ")"),
            ),
        ),
        Target(
            "jsonata",
            jsonata.parse,
            (SyntaxProblem,),
            _jsonata_sample,
            (
                ("", "(", ""), ("", "[", ""), ("", "{", ""), ("", "1+", "1"), ("$x", ".a", ""), ("", "$f(", ""), ("", "-", "1"),
                ('"', "\\u0041", '"'),
                ("/", "(a+)+", "/"), ("/[", "a-b", "]/i"), ("/(a)", "\\1", "/"), ("/", "(?<n>a)", "/"), ("/", "😀", "/"),
                ("", "function($x){", ""), ("$x", " ~> $f", ""), ("", "true ? ", "1"), ("[", "1,", "1]"),
                ("{", '"a":1,', '"b":1}'),
                ("$x", "[0]", ""), ("$x", "^(a)", ""), ("$x", "{a:1}", ""), ("", "9", ""), ("", "/*", ""), ("", "`a`.", "b"),
                ("(", "1;", "1)"),
                ("", "$x:=", "1"), ("", "%.", "a"), ("$x", "**", ""), ("$x", "@$a", ""), ("", "1 and ", "1"), ("", "λ(", ""),
                ("[", "1..", "1]"),
            ),
        ),
    )
}  # fmt: skip


def mutated(target: Target, seed: int) -> str:
    """A valid text with a few things done to it."""
    chance = random.Random(seed)
    text = target.sample(chance.randrange(5_000))
    for _ in range(chance.choice([0, 1, 1, 2, 4, 8])):
        at, length = chance.randrange(len(text) + 1), chance.choice([1, 1, 2, 8])
        piece = text[at : at + length]
        text = chance.choice(
            [text[:at] + text[at + length :], text[:at] + piece * chance.choice([2, 3, 50]) + text[at:],
            text[:at] + chance.choice(hostile.WORDS) + text[at:],
             text[:at] + chr(chance.randrange(1, 0xD800)) + text[at + 1 :], text[:at] + text[at : at + length][::-1] + text[at + length :]]
        )  # fmt: skip
    return text[:LONGEST]
