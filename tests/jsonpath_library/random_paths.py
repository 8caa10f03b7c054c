"""A seed in, random paths and documents out, in the spellings that both the library and Express read."""

from __future__ import annotations

from random import Random
from typing import Any

NAMES = "abc"
SCALARS: list[Any] = [1, 2, 0, -1, 1.5, 2.0, "a", "1", "x", "10", "null", "true", "é", True, False, None]


class Pairs:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def pair(self) -> tuple[str, Any]:
        return self.path(), self.document()

    def document(self, depth: int = 0) -> Any:
        chance = self.random.random()
        if depth and (depth > 3 or chance < 0.3):
            return self.random.choice(SCALARS)
        if chance < 0.65:
            return {name: self.document(depth + 1) for name in self.random.sample(NAMES, self.random.randint(0, 3))}
        return [self.document(depth + 1) for _ in range(self.random.randint(0, 3))]

    def path(self) -> str:
        path = "$" + "".join(self.segment() for _ in range(self.random.randint(1, 4)))
        return path + (self.random.choice(["['a','b']", "['c', 'a']"]) if self.random.random() < 0.08 else "")

    def segment(self) -> str:
        name = self.random.choice(NAMES)
        kind = self.random.random()
        if kind < 0.42:
            return self.random.choice([f".{name}", f"['{name}']"])
        if kind < 0.52:
            return self.random.choice(["[*]", ".*"])
        if kind < 0.6:
            return ".." + self.random.choice([name, name, name, "*", "[0]", "[*]", "[0:1]", "[?(@.a)]"])
        if kind < 0.7:
            return f"[{self.random.randint(0, 2)}]"
        if kind < 0.84:
            return self.random.choice(["[0,1]", "[1,0]", "[0:1]", "[1:]", "[:1]", "[-1:]", "[:-1]", "[0:2]"])
        if kind < 0.88:
            return self.random.choice(["[(@.length-1)]", "[(@.length-2)]"])
        conditions = [self.condition() for _ in range(self.random.choice([1, 1, 1, 2, 3]))]
        joined = conditions[0] + "".join(self.random.choice([" && ", " || "]) + each for each in conditions[1:])
        return f"[?({joined})]"

    def condition(self) -> str:
        operand = "@" + "".join(
            self.random.choice([f".{self.random.choice(NAMES)}"] * 4 + ["[0]", "['a']"]) for _ in range(self.random.randint(1, 2))
        )
        kind = self.random.random()
        if kind < 0.25:
            return operand
        if kind < 0.35:
            return f"!{operand}"
        operator = self.random.choice(["==", "!=", "<", "<=", ">", ">="])
        value = self.random.choice(["1", "'1'", "2", "'a'", "true", "null", "1.5", "x", "'x'", "0", "'null'", "10"])
        return f"{value} {operator} {operand}" if kind < 0.45 else f"{operand}{operator}{value}"
