"""Random JSONata expressions and random data to evaluate them on, of the shapes that are compiled. A seed makes the same ones again."""

from __future__ import annotations

import random
from typing import Any

NAMES = ("a", "b", "c", "items", "n", "name")
TEXTS = ("", "a", "b", "abc", "Hello World", "10", "a,b", "é😀")
NUMBERS = (0, 1, 2, 3, -1, 10, 2.5, -0.5, 1.1, 0.1, 1e21, 1e-7, 123456789012)
ARITHMETIC = ("+", "-", "*", "/", "%")
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
ONE_ARGUMENT = (
    "sum", "count", "max", "min", "average", "string", "length", "uppercase", "lowercase", "trim", "number", "floor", "ceil", "abs",
    "round", "boolean", "not", "exists", "type", "keys", "merge", "reverse", "join",
)  # fmt: skip


class Expressions:
    """``value`` is data, ``expression`` text that reads ``$states.input``."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._variables: list[str] = []

    def value(self, depth: int = 4) -> Any:
        chance = self.random.random()
        if depth == 0 or chance < 0.35:
            return self.scalar()
        if chance < 0.6:
            if self.random.random() < 0.5:
                return [self.object(depth - 1) for _ in range(self.random.randrange(4))]
            return [self.value(depth - 1) for _ in range(self.random.randrange(4))]
        return self.object(depth - 1)

    def object(self, depth: int) -> dict[str, Any]:
        return {name: self.value(depth) for name in NAMES if self.random.random() < 0.6}

    def scalar(self) -> Any:
        return self.random.choice((None, True, False, *TEXTS, *NUMBERS))

    def expression(self, depth: int = 3, inside: bool = False) -> str:
        """``inside``: there is a context, so names and ``$`` mean something."""
        pick = self.random.random()
        if depth <= 0 or pick < 0.3:
            return self.path(depth, inside) if self.random.random() < 0.7 else self.literal()
        one, other = self.expression(depth - 1, inside), self.expression(depth - 1, inside)
        choices = (
            lambda: f"({one} {self.random.choice(COMPARISONS)} {other})",
            lambda: f"({one} {self.random.choice(ARITHMETIC)} {other})",
            lambda: f"({one} {self.random.choice(('and', 'or', 'in'))} {other})",
            lambda: f"({one} & {other})",
            lambda: f"({one} ? {other} : {self.expression(depth - 1, inside)})",
            lambda: f"({one} ? {other})",
            lambda: f"[{one}, {other}]",
            lambda: f"[{one}]",
            lambda: f"{{'a': {one}, 'b': {other}}}",
            lambda: f"${self.random.choice(ONE_ARGUMENT)}({one})",
            lambda: f"$substring({one}, {self.random.choice(('0', '1', '-2', other))})",
            lambda: f"$substring({one}, {self.random.randrange(-3, 4)}, {self.random.randrange(-1, 4)})",
            lambda: f"$contains({one}, {self.text()})",
            lambda: f"$split({one}, {self.text()})",
            lambda: f"$join({one}, {self.text()})",
            lambda: f"$append({one}, {other})",
            lambda: f"$lookup({one}, '{self.random.choice(NAMES)}')",
            lambda: f"$substringBefore({one}, {self.text()})",
            lambda: f"$substringAfter({one}, {self.text()})",
            lambda: f"-({one})",
            lambda: f"$pad({one}, {self.random.randrange(-9, 9)}, {self.text()})",
            lambda: f"$reduce({one}, function($x, $y){{ {self.random.choice(('$x & $y', '$x + $y', '[$x, $y]', '$y'))} }})",
            lambda: f"$reduce({one}, function($x, $y, $i){{ $x & $y & $i }}, {other})",
            lambda: f"$map({one}, function($x){{ $x }})[{self.random.choice(('0', '-1', other))}]",
            lambda: f"$encodeUrlComponent({one})",
            lambda: f"[{self.random.randrange(-2, 3)}..{self.random.randrange(-2, 5)}]",
            lambda: f"({one} ~> ${self.random.choice(ONE_ARGUMENT)}())",
            lambda: self.block(depth, inside),
            lambda: self.loop(depth, inside),
        )
        return self.random.choice(choices)()

    def block(self, depth: int, inside: bool) -> str:
        value = self.expression(depth - 1, inside)
        name = f"v{len(self._variables)}"
        self._variables.append(name)
        body = self.expression(depth - 1, inside)
        self._variables.pop()
        return f"(${name} := {value}; {body})"

    def loop(self, depth: int, inside: bool) -> str:
        items = self.expression(depth - 1, inside)
        name = f"v{len(self._variables)}"
        self._variables.append(name)
        index = self.random.choice(("", f", ${name}i"))
        body = self.loop(depth - 1, inside) if depth > 1 and self.random.random() < 0.3 else self.expression(depth - 1, inside)
        self._variables.pop()
        return f"${self.random.choice(('map', 'filter'))}({items}, function(${name}{index}){{ {body} }})"

    def text(self) -> str:
        return f"'{self.random.choice(TEXTS)}'"

    def literal(self) -> str:
        return self.random.choice((self.text(), str(self.random.choice(NUMBERS)), "true", "false", "null", "[]", "{}"))

    def path(self, depth: int, inside: bool) -> str:
        beginnings = ["$states.input"]
        beginnings += [f"${name}" for name in self._variables]
        if inside:
            beginnings += ["$", *NAMES, *NAMES]
        text = self.random.choice(beginnings)
        if text == "$states.input":
            text += self.step(depth)
        for _ in range(self.random.randrange(3)):
            text += self.step(depth)
        if self.random.random() < 0.1:
            text += "[]"
        return text

    def step(self, depth: int) -> str:
        pick = self.random.random()
        if pick < 0.65 or depth <= 0:
            return f".{self.random.choice(NAMES)}"
        if pick < 0.75:
            return f".{self.random.choice(NAMES)}[{self.random.randrange(-2, 3)}]"
        if pick < 0.85:
            return f".{self.random.choice(NAMES)}[{self.expression(depth - 1, True)}]"
        if pick < 0.9:
            return f"[{self.random.choice((str(self.random.randrange(-2, 3)), self.expression(depth - 1, True)))}]"
        if pick < 0.96:
            return f".({self.expression(depth - 1, True)})"
        return f".{{'a': {self.expression(depth - 1, True)}, 'n': {self.random.choice(NAMES)}}}"
