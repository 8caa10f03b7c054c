"""Random JSONPaths, intrinsic functions and payload templates, which read inputs of the shape that ``made_values`` gives."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from tests.reference.made_values import Values

# Where a value of a type is found in the inputs, mostly
PLACES = {
    "number": ["$.n", "$.o.x", "$['n']", "$.items[0]", "$.items[-1]", "$.o.list[1]", "$.m"],
    "text": ["$.s", "$.o.y", "$['o']['y']", "$.words[0]", "$.t", "$.json", "$.words[(@.length-1)]", "$['it\\'s']", '$["ü.b"]'],
    "boolean": ["$.flag", "$.o.flag"],
    "list": ["$.items", "$.words", "$.o.list", "$.rows", "$.items[*]", "$.rows[*].q", "$.items[1:]", "$.items[:2]", "$.items[0,1]",
             "$..q", "$.rows[?(@.q > 2)]", "$.rows[?(@.k == 'a')].q", "$.rows[?(@.k)]", "$.items[?(@ >= 3)]", "$.o.*", "$.missing[*]",
             "$.rows[?(@.q < $.n && @.k != 'b')]", "$.rows[?(!@.k || @.q == 1)]", "$.items[::2]", "$.items[-2:]", "$..rows[0].q",
             "$.rows[0:1].q", "$..['k','q']", "$.rows[*]['k','q']", "$.rows[?(@.q == '1')]", "$.rows[?(@.k != null)].k", "$..[?(@.q)]",
             "$.o.list[5,0]"],
    "object": ["$.o", "$", "$.rows[0]", "$['rows'][-1]", "$.o['x','y']"],
    "timestamp": ["$.t", "$.o.t"],
    "null": ["$.z"],
    "missing": ["$.missing", "$.o.missing.more", "$.items[99]", "$.n.x", "$.s[0]"],
}  # fmt: skip


@dataclass
class Variable:
    """``kind``: number, text, list, or input (an object like those that workflows are given)."""

    name: str
    kind: str


class Paths(Values):
    """``visible`` are the variables that the state which is being made can see."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.visible: list[Variable] = []

    # --- Paths and expressions ------------------------------------------------------------------------------------------------------

    def place(self, kind: str | None = None) -> str:
        if kind is None:
            kind = self.random.choice(["number", "text", "boolean", "list", "object", "timestamp", "null"])
        if self.chance(0.01):
            kind = "missing"
        elif self.chance(0.03):
            kind = self.random.choice(list(PLACES))
        found = self.variable_place(kind) or self.random.choice(PLACES[kind])
        for mark, name in (
            ("[*]", "wildcard"),
            ("..", "deep scan"),
            ("?(", "filter"),
            (":", "slice"),
            (",", "union"),
            ("[-1]", "negative index"),
        ):
            if mark in found:
                self.has(f"path: {name}")
        return found

    def variable_place(self, kind: str) -> str | None:
        """The same in a variable, sometimes."""
        if not self.visible or not self.chance(0.25):
            return None
        held = [variable.name for variable in self.visible if variable.kind == kind]
        inputs = [variable.name for variable in self.visible if variable.kind == "input"]
        if held and (self.chance(0.5) or not inputs):
            self.has("variable in a path")
            return f"${self.random.choice(held)}"
        places = [place for place in PLACES[kind] if "$." not in place[1:]]
        if not inputs or kind == "missing":
            return None
        self.has("variable in a path")
        return f"${self.random.choice(inputs)}{self.random.choice(places)[1:]}"

    def definite(self, kind: str) -> str:
        """A path to one value."""
        while True:
            found = self.place(kind)
            if not any(mark in found for mark in ("*", "..", "?", ":", ",")):
                return found

    def context_place(self) -> str:
        self.has("context object")
        return self.random.choice(
            ["$$.Execution.Name", "$$.State.Name", "$$.Execution.Input", "$$.Execution.Input.n", "$$.State.EnteredTime",
             "$$.Execution.StartTime", "$$.State.RetryCount", "$$['State']['Name']"]
        )  # fmt: skip

    def dynamic(self, depth: int = 2, item: bool = False) -> str:
        """What may stand behind a field that ends in ``.$``."""
        if item and self.chance(0.5):
            self.has("$$.Map.Item")
            return self.random.choice(["$$.Map.Item.Value", "$$.Map.Item.Index", "$$.Map.Item"])
        if self.chance(0.12):
            return self.context_place()
        if self.chance(0.45):
            return self.call(self.random.choice(["number", "text", "list", "object", "boolean"]), depth)
        return self.place()

    def argument(self, kind: str, depth: int) -> str:
        if depth > 0 and self.chance(0.35):
            return self.call(kind, depth - 1)
        if self.chance(0.25):
            if kind == "number":
                return json.dumps(self.random.choice([0, 1, 2, 3, -1, 2.5]))
            if kind == "text":
                return self.quoted(self.random.choice(["a", "", "a,b", "it's", "x y", "100%"]))
            if kind == "boolean":
                return self.random.choice(["true", "false"])
        return self.place(kind)

    @staticmethod
    def quoted(text: str) -> str:
        escaped = text
        for character in "\\'{}":
            escaped = escaped.replace(character, "\\" + character)
        return f"'{escaped}'"

    def call(self, kind: str, depth: int) -> str:
        """An intrinsic function that gives a value of a type."""

        def written(name: str, *kinds: str) -> str:
            self.has(f"intrinsic: {name}")
            return f"States.{name}({', '.join(self.argument(each, depth) for each in kinds)})"

        def exactly(name: str, *arguments: str) -> str:
            self.has(f"intrinsic: {name}")
            return f"States.{name}({', '.join(arguments)})"

        def shaped() -> str:
            places = self.random.randrange(3)
            template = self.random.choice(["{}", "a{}b", "{} "]) * places + self.random.choice(["", "x", "\\\\", "\\{\\}", "\\'"])
            values = [
                self.argument(self.random.choice(["number", "text", "list", "object", "boolean", "null"]), depth) for _ in range(places)
            ]
            if self.chance(0.03):
                values.append("1")
            return exactly("Format", f"'{template}'", *values)

        numbers = [
            (2, lambda: written("MathAdd", "number", "number")),
            (2, lambda: written("ArrayLength", "list")),
            (1, lambda: exactly("MathRandom", "4", "5")),
            (0.3, lambda: exactly("MathRandom", "$.m", "100", "7").replace("$.m", "99")),
            (1, lambda: exactly("ArrayGetItem", "$.items", "0")),
        ]
        texts = [
            (3, shaped),
            (1, lambda: written("Base64Encode", "text")),
            (1, lambda: exactly("Base64Decode", self.quoted(base64.b64encode(b"some text").decode()))),
            (0.3, lambda: written("Base64Decode", "text")),
            (
                1,
                lambda: exactly(
                    "Hash", self.argument("text", depth), self.quoted(self.random.choice(["MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512"]))
                ),
            ),
            (0.1, lambda: exactly("Hash", self.argument("text", depth), "'CRC'")),
            (1, lambda: written("JsonToString", self.random.choice(["object", "list", "number"]))),
        ]
        lists = [
            (1, lambda: written("Array", *(self.random.choice(["number", "text", "object"]) for _ in range(self.random.randrange(4))))),
            (1, lambda: written("ArrayPartition", "list", "number")),
            (1, lambda: exactly("ArrayRange", "1", self.argument("number", 0), self.random.choice(["1", "2", "3"]))),
            (1, lambda: written("ArrayUnique", "list")),
            (2, lambda: exactly("StringSplit", self.argument("text", depth), self.quoted(self.random.choice([",", ",;", " ", "-."])))),
        ]
        objects = [
            (
                2,
                lambda: exactly(
                    "JsonMerge", self.argument("object", depth), self.argument("object", depth), "true" if self.chance(0.05) else "false"
                ),
            ),
            (1, lambda: exactly("StringToJson", "$.json")),
            (1, lambda: exactly("StringToJson", exactly("JsonToString", self.argument("object", 0)))),
        ]
        booleans = [
            (1, lambda: written("ArrayContains", "list", "number")),
            (1, lambda: exactly("ArrayContains", exactly("Array", exactly("UUID")), exactly("UUID"))),
        ]
        return str(self.pick(*{"number": numbers, "text": texts, "list": lists, "object": objects, "boolean": booleans}.get(kind, texts)))

    def template(self, item: bool = False, depth: int = 1, whole: bool = False) -> dict[str, Any]:
        """A payload template; usually one that keeps the fields that other states look for."""
        made: dict[str, Any] = {}
        if whole or self.chance(0.8):
            part = 0.9 if self.chance(0.1) else 1
            for name in ("n", "m", "s", "flag", "z", "t", "json", "items", "words", "rows", "o", "wait", "limit", "error"):
                if self.chance(part):
                    made[f"{name}.$"] = f"$.{name}"
            made["it's.$"] = "$['it\\'s']"
            made["ü.b.$"] = "$['ü.b']"
        for number in range(self.random.randrange(4)):
            made.update(self.entry(f"f{number}", item, depth))
        return made

    def entry(self, name: str, item: bool, depth: int) -> dict[str, Any]:
        return dict(
            self.pick(
                (5, lambda: {f"{name}.$": self.dynamic(item=item)}),
                (2, lambda: {name: self.value()}),
                (1, lambda: {name: self.template(item, depth - 1) if depth else 1}),
                (1, lambda: {name: [self.template(item, 0), self.scalar()]}),
            )
        )
