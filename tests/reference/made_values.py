"""Chance, JSON values and inputs of random workflows: the same seed gives the same, everywhere and always."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2024, 1, 1, tzinfo=UTC)
ERRORS = ["OutOfStock", "Throttled", "Custom.Error"]


class Values:
    """``features`` says what of the language is used, by the name of the state that is being made (``owner``)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.features: dict[str, set[str]] = defaultdict(set)
        self.owner = ""
        self.whole_numbers = False  # JSONata knows one type of number: whether it hands on 1.0 as 1 is not said anywhere

    # --- Chance -------------------------------------------------------------------------------------------------------------------

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    def has(self, feature: str) -> None:
        self.features[self.owner].add(feature)

    def pick(self, *choices: tuple[float, Callable[[], Any]]) -> Any:
        return self.random.choices([each for _, each in choices], [weight for weight, _ in choices])[0]()

    # --- Values -------------------------------------------------------------------------------------------------------------------

    def number(self) -> int | float:
        return self.random.choice([0, 1, 2, 3, 5, -1, 100, 2.5, -0.5, 7 if self.whole_numbers else 1.0])

    def text(self) -> str:
        return self.random.choice(
            ["", "a", "b", "abc", "a,b;c", "log-1.txt", "é", "\U0001f600", "{}", "it's", "*", "\\", "2024-01-01T00:00:03Z"]
        )

    def timestamp(self) -> str:
        moment = START + timedelta(seconds=self.random.choice([-60, 0, 3, 11]))
        return moment.strftime("%Y-%m-%dT%H:%M:%S") + self.random.choice(["Z", "Z", ".5Z", "+00:00"])

    def scalar(self) -> Any:
        return self.pick((3, self.number), (3, self.text), (1, lambda: self.chance(0.5)), (1, lambda: None), (1, self.timestamp))

    def value(self, depth: int = 2) -> Any:
        if depth and self.chance(0.3):
            if self.chance(0.5):
                return [self.value(depth - 1) for _ in range(self.random.randrange(4))]
            return {self.random.choice("nsoxyzkq"): self.value(depth - 1) for _ in range(self.random.randrange(4))}
        return self.scalar()

    def numbers(self) -> list[int]:
        return [self.random.randrange(6) for _ in range(self.random.randrange(1, 4))]

    def input(self) -> Any:
        if self.chance(0.02):
            return self.value()
        whole = self.whole()
        if self.chance(0.18):
            for name in list(whole):
                if self.chance(0.08):
                    del whole[name]
                elif self.chance(0.1):
                    whole[name] = self.value()
        return whole

    def whole(self) -> dict[str, Any]:
        return {
            "n": self.number(),
            "m": self.random.randrange(10),
            "s": self.text(),
            "flag": self.chance(0.5),
            "z": None,
            "t": self.timestamp(),
            "json": self.random.choice(['{"a":[1,2.5,null]}', "[1,2]", "3", '"x"', " "]),
            "items": [self.random.randrange(6) for _ in range(self.random.randrange(1, 5))],
            "words": [self.text() for _ in range(self.random.randrange(1, 4))],
            "rows": [{"q": self.random.randrange(5), "k": self.random.choice("ab")} for _ in range(self.random.randrange(1, 4))],
            "o": {
                "x": self.number(),
                "y": self.text(),
                "flag": self.chance(0.5),
                "t": self.timestamp(),
                "list": [self.scalar(), self.scalar()],
            },
            "wait": self.random.choice([0, 1, 3]),
            "limit": self.random.choice([1, 3]),
            "error": self.random.choice(ERRORS),
            "it's": self.text(),
            "ü.b": self.text(),
        }
