"""Random JSONata expressions, by the type of what they give: text out. They read inputs of the shape that ``machines`` makes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable


class Texts:
    """``sources`` are the places where an input lies: ``$states.input``, a variable that holds one."""

    def __init__(self, random_: random.Random, has: Callable[[str], None]) -> None:
        self.random, self._has = random_, has
        self.sources = ["$states.input"]
        self.numbers: list[str] = []  # variables, by what they hold
        self.texts: list[str] = []
        self.lists: list[str] = []
        self.bound = 0
        self.spoilt = 0.02  # how often something of another type, or nothing, stands where a type is expected

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    def pick(self, *choices: tuple[float, Callable[[], str]]) -> str:
        return self.random.choices([each for _, each in choices], [weight for weight, _ in choices])[0]()

    def maybe(self, *texts: str) -> list[str]:
        return [self.one(*texts)] if self.chance(0.6) else []

    def one(self, *texts: str) -> str:
        return self.random.choice(texts)

    def has(self, construct: str) -> None:
        self._has(f"jsonata: {construct}")

    def call(self, name: str, *arguments: str) -> str:
        self.has(f"${name}")
        return f"${name}({', '.join(arguments)})"

    def at(self, *places: str) -> str:
        self.has("path")
        return f"{self.random.choice(self.sources)}.{self.random.choice(places)}"

    def quoted(self, text: str) -> str:
        written = json.dumps(text, ensure_ascii=False)
        if "'" not in text and "\\" not in text and '"' not in text and self.chance(0.5):
            return f"'{text}'"
        return written

    def any(self, depth: int = 2) -> str:
        return getattr(self, self.one("number", "text", "boolean", "list", "object"))(depth)  # type: ignore[no-any-return]

    def of(self, kind: str, depth: int = 2) -> str:
        if self.chance(self.spoilt):
            null = 0 if "list" in kind or kind == "text" else 1  # nothing says what $sort(null) is
            return self.pick((2, lambda: self.any(max(0, depth - 1))), (1, self.missing), (null, lambda: "null"))
        return getattr(self, kind)(depth)  # type: ignore[no-any-return]

    def missing(self) -> str:
        self.has("nothing there")
        return self.at("missing", "o.missing.more", "items[99]", "n.x")

    def choose(self, kind: str, depth: int) -> str:
        self.has("? :")
        return f"({self.of('boolean', depth - 1)} ? {self.of(kind, depth - 1)} : {self.of(kind, depth - 1)})"

    def block(self, kind: str, depth: int) -> str:
        self.has(":= in a block")
        self.bound += 1
        name = f"$b{self.bound}"
        value = self.of("number", depth - 1)
        self.numbers.append(name)
        try:
            return f"({name} := {value}; {self.of(kind, depth - 1)})"
        finally:
            self.numbers.remove(name)

    # --- Numbers ------------------------------------------------------------------------------------------------------------------

    def number(self, depth: int = 2) -> str:
        simple: list[tuple[float, Callable[[], str]]] = [
            (3, lambda: self.one("0", "1", "2", "3", "10", "2.5", "0.5", "-1", "100")),
            (6, lambda: self.at("n", "m", "o.x", "items[0]", "items[-1]", "rows[0].q", "wait")),
            (2 if self.numbers else 0, lambda: self.random.choice(self.numbers)),
        ]
        if depth <= 0:
            return self.pick(*simple)
        inner = depth - 1
        return self.pick(
            *simple,
            (3, lambda: self.arithmetic(depth)),
            (2, lambda: self.call("count", self.of("list", inner))),
            (2, lambda: self.call(self.one("sum", "max", "min", "average"), self.of("numbers_list", inner))),
            (1, lambda: self.call("length", self.of("text", inner))),
            (1, lambda: self.call("number", self.to_a_number(inner))),
            (1, lambda: self.call(self.one("abs", "floor", "ceil"), self.of("number", inner))),
            (1, lambda: self.call("round", self.of("number", inner), *([self.one("0", "1", "2", "-1")] if self.chance(0.5) else []))),
            (0.5, lambda: self.call("power", self.of("number", inner), self.one("2", "3", "0"))),
            (0.5, lambda: self.call("sqrt", self.call("abs", self.of("number", inner)))),
            (1, lambda: self.reduce(depth)),
            (1, lambda: self.choose("number", depth)),
            (1, lambda: self.block("number", depth)),
            (0.5, lambda: self.call("toMillis", "'2024-01-01T00:00:03Z'")),
            (0.5, lambda: self.call("parse", self.one("'3'", "'-0.5'", "'12'"))),
            (0.5, lambda: self.call("lookup", self.one("{'x': 1, 'y': 2}", f"{self.sources[0]}.o"), "'x'")),
            (0.3, lambda: self.call("parseInteger", self.one("'12'", "'007'"), "'0'")),
            (0.4, lambda: self.recursion()),
            (0.4, lambda: self.called(depth)),
        )  # fmt: skip

    def to_a_number(self, depth: int) -> str:
        return self.pick(
            (2, lambda: self.one("'12'", "'-1.5'", "'0'", "true")),
            (1, lambda: self.of("number", depth)),
            (0.2, lambda: self.of("text", depth)),
        )

    def arithmetic(self, depth: int) -> str:
        operator = self.one("+", "-", "*", "/", "%")
        self.has(operator)
        if operator == "%":  # of whole numbers: the remainder of others is not the same everywhere
            return f"({self.at('m', 'wait', 'items[0]')} % {self.one('2', '3', '7')})"
        if operator == "/":
            return f"({self.of('number', depth - 1)} / {self.one('2', '3', '4', '0.5')})"
        if self.chance(0.1):
            self.has("unary -")
            return f"(-{self.at('m', 'n', 'o.x')})"
        return f"({self.of('number', depth - 1)} {operator} {self.of('number', depth - 1)})"

    def reduce(self, depth: int) -> str:
        self.has("lambda")
        items = self.one("[1, 2, 3]", "[1..4]", "[2, 1, 3..5]")
        body = f"function($a, $b){{$a {self.one('+', '*', '-')} $b}}"
        # Not an initial value that may be undefined: jsonatapy does not take it for an absent one (docs/proofs.md)
        return self.call("reduce", items, body, *([self.one("1", "0", "2.5")] if self.chance(0.4) else []))

    def recursion(self) -> str:
        self.has("recursion")
        return f"($f := function($i){{$i <= 1 ? 1 : $i * $f($i - 1)}}; $f({self.one('3', '5', '10')}))"

    def called(self, depth: int) -> str:
        """``~>`` and partial application."""
        if self.chance(0.5):
            self.has("~>")
            return f"({self.of('numbers_list', depth - 1)} ~> ${self.one('sum', 'count', 'max')})"
        self.has("partial application")
        return f"($p := $power(?, 2); $p({self.of('number', 0)}))"

    # --- Texts --------------------------------------------------------------------------------------------------------------------

    def text(self, depth: int = 2) -> str:
        simple: list[tuple[float, Callable[[], str]]] = [
            (3, lambda: self.quoted(self.one("", "a", "b", "abc", "a,b", "it's", "é", 'say "x"', "{% %}", "$states"))),
            (6, lambda: self.at("s", "o.y", "words[0]", "t", "rows[0].k", "`it's`", "`ü.b`", "error")),
            (2 if self.texts else 0, lambda: self.random.choice(self.texts)),
        ]
        if depth <= 0:
            return self.pick(*simple)
        inner = depth - 1
        return self.pick(
            *simple,
            (4, lambda: self.joined(depth)),
            (2, lambda: self.call("string", self.pick((1, lambda: self.any(inner)), (2, lambda: self.of("number", inner))))),
            (1, lambda: self.call(self.one("uppercase", "lowercase", "trim"), self.of("text", inner))),
            (1, lambda: self.call("substring", self.of("text", inner), self.one("0", "1", "-2", "2"), *self.maybe("1", "2", "0"))),
            (1, lambda: self.call(self.one("substringBefore", "substringAfter"), self.of("text", inner), self.one("','", "'b'", "'-'"))),
            (1, lambda: self.call("join", self.of("texts_list", inner), *([self.one("','", "''", "'; '")] if self.chance(0.8) else []))),
            (1, lambda: self.call("replace", self.of("text", inner), self.one("'a'", "'b'", "','"), self.one("'x'", "''", "'--'"))),
            (1, lambda: self.regular("replace", self.of("text", inner), self.one("'x'", "'<$0>'", "'$1'"))),
            (0.7, lambda: self.call("pad", self.of("text", inner), self.one("5", "-5"), *(["'#'"] if self.chance(0.5) else []))),
            (0.7, lambda: self.call("base64encode", self.one("'abc'", "''", "'it is'", "$string($states.input.m)"))),
            (0.5, lambda: self.call("base64decode", "'c29tZSB0ZXh0'")),
            (0.5, lambda: self.call(self.one("encodeUrlComponent", "encodeUrl"), self.of("text", 0))),
            (0.5, lambda: self.call("decodeUrlComponent", "'a%20b%2C'")),
            (0.7, lambda: self.call("formatNumber", self.at("m", "wait"), self.one("'0.00'", "'#,##0'", "'000'"))),
            (0.5, lambda: self.call("formatBase", self.at("m", "wait"), self.one("2", "16", "8"))),
            (0.5, lambda: self.call("formatInteger", self.at("m", "wait"), self.one("'w'", "'I'", "'000'"))),
            (0.7, lambda: self.call("type", self.any(inner))),
            (0.5, lambda: self.call("fromMillis", self.one("0", "1704067203000"))),
            (0.8, self.hashed),
            (1, lambda: self.choose("text", depth)),
            (1, lambda: self.block("text", depth)),
        )  # fmt: skip

    def hashed(self) -> str:
        algorithm = self.quoted(self.one("MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512"))
        return self.call("hash", self.one("'abc'", "''", "'é'"), algorithm)

    def joined(self, depth: int) -> str:
        self.has("&")
        return f"({self.of('text', depth - 1)} & {self.of(self.one('text', 'text', 'number'), depth - 1)})"

    def regular(self, function: str, text: str, *more: str, groups: bool = True) -> str:
        self.has("regular expression")
        return self.call(function, text, self.one("/[a-c]/", "/^a/", "/(b+)/" if groups else "/b+/", "/A/i", "/\\d+/", "/,|;/"), *more)

    # --- Booleans -----------------------------------------------------------------------------------------------------------------

    def boolean(self, depth: int = 2) -> str:
        simple: list[tuple[float, Callable[[], str]]] = [
            (1, lambda: self.one("true", "false")),
            (4, lambda: self.at("flag", "o.flag")),
            (4, lambda: self.comparison(0)),
        ]
        if depth <= 0:
            return self.pick(*simple)
        inner = depth - 1
        return self.pick(
            *simple,
            (4, lambda: self.comparison(depth)),
            (3, lambda: self.logic(depth)),
            (1, lambda: self.call("not", self.of("boolean", inner))),
            (2, lambda: self.call("exists", self.one(self.missing(), self.at("n", "z", "rows"), self.any(inner)))),
            (1, lambda: self.call("boolean", self.any(inner))),
            (1, lambda: self.call("contains", self.of("text", inner), self.one("'a'", "'b'", "','", "'.'"))),
            (1, lambda: self.regular("contains", self.of("text", inner))),
            (1, lambda: self.included(depth)),
            (0.5, lambda: self.choose("boolean", depth)),
        )  # fmt: skip

    def comparison(self, depth: int) -> str:
        kind = self.one("number", "text")
        operator = self.one("=", "!=", "<", "<=", ">", ">=")
        self.has(operator)
        if operator in ("=", "!=") and self.chance(0.2):
            return f"({self.any(depth - 1)} {operator} {self.any(depth - 1)})"
        return f"({self.of(kind, depth - 1)} {operator} {self.of(kind, depth - 1)})"

    def logic(self, depth: int) -> str:
        operator = self.one("and", "or")
        self.has(operator)
        return f"({self.of('boolean', depth - 1)} {operator} {self.of('boolean', depth - 1)})"

    def included(self, depth: int) -> str:
        self.has("in")
        return f"({self.number(depth - 1)} in {self.numbers_list(depth - 1)})"

    # --- Lists --------------------------------------------------------------------------------------------------------------------

    def numbers_list(self, depth: int = 1) -> str:
        return self.pick(
            (4, lambda: self.at("items", "rows.q", "items[$ > 1]", "rows[q >= 1].q", "**.q", "rows[k = 'a'].q")),
            (2, lambda: f"[{', '.join(self.number(0) for _ in range(self.random.randrange(1, 4)))}]"),
            (1, self.counted),
            (1, lambda: self.call("range", self.one("1, 3, 1", "0, 10, 3", "0, -3, -1", "1, 9, 9"))),
            (1 if self.lists else 0, lambda: self.random.choice(self.lists or [""])),
            (1, lambda: self.mapped("number", depth)),
        )

    def counted(self) -> str:
        self.has("[a..b]")
        return self.one("[1..3]", "[0..$states.input.m]", "[1, 3..5]")

    def texts_list(self, depth: int = 1) -> str:
        return self.pick(
            (4, lambda: self.at("words", "rows.k", "words[[0..1]]")),
            (2, lambda: f"[{', '.join(self.text(0) for _ in range(self.random.randrange(1, 4)))}]"),
            (1, lambda: self.call("split", self.of("text", 0), self.one("','", "'b'"), *(["2"] if self.chance(0.3) else []))),
            (0.5, lambda: self.call("split", "'abc'", "''")),
            (0.5, lambda: self.regular("split", self.of("text", 0), groups=False)),
            (1, lambda: self.call("keys", self.object(0))),
        )

    def mapped(self, kind: str, depth: int) -> str:
        self.has("lambda")
        self.bound += 1
        value = f"$v{self.bound}"
        self.numbers.append(value)
        try:
            body = self.of(kind, depth - 1)
        finally:
            self.numbers.remove(value)
        head = self.one(f"function({value})", f"function({value}, $i)", f"λ({value})")
        return self.call(
            self.one("map", "filter") if kind == "boolean" else "map", self.at("items", "rows.q", "items[$ > 0]"), f"{head}{{{body}}}"
        )

    def list(self, depth: int = 2) -> str:
        simple: list[tuple[float, Callable[[], str]]] = [
            (3, lambda: self.numbers_list(0)),
            (2, lambda: self.texts_list(0)),
            (
                2,
                lambda: self.at(
                    "rows", "o.list", "rows[q > 2]", "rows[k = 'a']", "o.*", "items[0..1]".replace("0..1", "[0..1]"), "rows[-1]"
                ),
            ),
            (2, lambda: f"[{', '.join(self.scalar() for _ in range(self.random.randrange(0, 4)))}]"),
        ]
        if depth <= 0:
            return self.pick(*simple)
        inner = depth - 1
        return self.pick(
            *simple,
            (1, lambda: f"[{', '.join(self.any(inner) for _ in range(self.random.randrange(0, 3)))}]"),
            (1, lambda: self.mapped("any_of", depth)),
            (1, lambda: self.mapped("boolean", depth)),
            (1, lambda: self.call(self.one("reverse", "distinct"), self.of("list", inner))),
            (1, lambda: self.call("sort", self.of(self.one("numbers_list", "texts_list"), inner))),
            (0.5, lambda: self.call("sort", self.at("items", "rows.q"), "function($l, $r){$l < $r}")),
            (1, lambda: self.call("append", self.of("list", inner), self.of("list", inner))),
            (0.5, lambda: self.call("zip", self.at("items"), self.at("words"))),
            (0.5, lambda: self.call("spread", self.at("o", "rows"))),
            (0.7, lambda: self.call("partition", self.one("[1..5]", "['a', 'b', 'c']", "[]"), self.one("1", "2", "3"))),
            (0.7, lambda: self.call("each", self.one("{'a': 1}", f"{self.sources[0]}.o"), "function($v, $k){$k & '=' & $string($v)}")),
            (0.5, lambda: self.regular("match", self.of("text", 0)) + ".match"),
            (1, self.ordered),
            (1, self.shaped),
            (0.5, lambda: self.choose("list", depth)),
        )  # fmt: skip

    def any_of(self, depth: int) -> str:
        return self.any(depth)

    def ordered(self) -> str:
        self.has("^ order by")
        return self.at("rows^(q)", "rows^(>q, k)", "items^($)", "rows^(k, <q).q", "words^($)")

    def shaped(self) -> str:
        construct, text = self.random.choice(
            [
                ("map to object", "rows.{'a': q, 'b': k}"),
                ("map to array", "rows.[q, k]"),
                ("# position", "rows#$p.{'p': $p, 'q': q}"),
                ("@ context", "rows@$r.{'k': $r.k}"),
                ("% parent", "rows.q.{'k': %.k}"),
                ("map to text", "rows.(k & $string(q))"),
                ("[] keeps an array", "rows[0].q[]"),
            ]
        )
        self.has(construct)
        return self.at(text)

    def scalar(self) -> str:
        return self.pick((2, lambda: self.number(0)), (2, lambda: self.text(0)), (1, lambda: self.boolean(0)), (0.5, lambda: "null"))

    # --- Objects ------------------------------------------------------------------------------------------------------------------

    def object(self, depth: int = 2) -> str:
        simple: list[tuple[float, Callable[[], str]]] = [
            (3, lambda: self.at("o", "rows[0]", "rows[-1]")),
            (3, lambda: self.made(0)),
            (1, lambda: self.random.choice(self.sources)),
        ]
        if depth <= 0:
            return self.pick(*simple)
        return self.pick(
            *simple,
            (3, lambda: self.made(depth)),
            (2, lambda: self.call("merge", f"[{self.of('object', depth - 1)}, {self.of('object', depth - 1)}]")),
            (1, self.grouped),
            (1, lambda: self.call("sift", self.at("o"), self.one("function($v, $k){$k != 'x'}", "function($v){$type($v) = 'string'}"))),
            (0.7, self.transformed),
            (0.5, lambda: self.call("parse", self.one("'{\"a\":[1,2.5,null]}'", "'{}'", '\'{"b":"x"}\''))),
            (0.5, lambda: self.choose("object", depth)),
            (0.5, lambda: self.block("object", depth)),
        )

    def made(self, depth: int) -> str:
        self.has("{ }")
        return (
            "{"
            + ", ".join(
                f"{self.quoted(name)}: {self.any(depth - 1) if depth else self.scalar()}"
                for name in self.random.sample("abcxyz", self.random.randrange(0, 4))
            )
            + "}"
        )

    def grouped(self) -> str:
        self.has("{ } group by")
        return self.at("rows{k: $sum(q)}", "rows{k: q}", "words{$: $count($)}", "rows{k: $count(q)}")

    def transformed(self) -> str:
        self.has("| | transform")
        given = f"{{'o': {self.made(0)}, 'n': {self.number(0)}}}"
        removed = self.one("", ", ['y']")
        return f"({given} ~> |o|{{'x': 1}}{removed}|)"
