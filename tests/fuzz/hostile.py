"""A seed in, a definition full of hostile text out: names, keys, paths, patterns, constants, errors, comments, variables, expressions."""

from __future__ import annotations

import random
from typing import Any

WORDS = [
    "'", '"', "'''", '"""', "\\", "\\'", "\n", "\r", "\r\n", "\x00", "\u2028", "\u2029", "\u202e", "\ufeff", "{", "}", "{}",
    "{data}", "%s",
    "#", ";", ")", "(", "]", "[", ":", ",", "@", "=", ":=", "\nimport os", "'); import os; ('", "__import__('os').system('id')",
    "\n    return 1",
    "data", "execution", "run", "self", "class", "None", "True", "import", "lambda", "async", "await", "yield", "global", "del",
    "exec", "eval",
    "__class__", "__builtins__", "__dict__", "__globals__", "__subclasses__", "__init__", "__name__", "Exception", "StateError", "copy",
    "item", "clock", "error", "decode", "encode", "index", "é", "日本", "𝒳", "ℱ", "ﬁ", "ı", "a\nb: 1", "f'{1}'", "\\N{BULLET}", "\\x41",
    "\\u0041", "0", "-1", "1e999", "NaN", "$", "$.a", "$$", "$states", "States.UUID()", "States.Format('{}', $)", "{% $x %}", "%}",
    "{%", " ",
    "x" * 300, "😀", "\t", "\x1b[31m", "\x7f", "a.b", "a-b", "${x}", "`", "~", "|", "..", "*", "?", "!", "&",
    "().__class__.__bases__[0]",
    "getattr(data, 'x')", "\\", "\\\\", "//", "/*", "*/", "<script>", "#!/usr/bin/env python", "# coding: utf-7", "+ACM-", "print(1)",
]  # fmt: skip
COMPARISONS = [
    "StringEquals",
    "StringLessThan",
    "StringGreaterThanEquals",
    "StringMatches",
    "TimestampEquals",
    "NumericEquals",
    "IsPresent",
    "IsString",
]


class Maker:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names: list[str] = []
        self.jsonata = self.random.random() < 0.35
        self.variables = [self.word() if self.chance(0.03) else each for each in ("total", "größe")]

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    def word(self) -> str:
        if self.chance(0.2):
            alphabet = [chr(self.random.choice([self.random.randrange(1, 128), self.random.randrange(128, 0xD7FF)])) for _ in range(6)]
            return "".join(alphabet)
        return "".join(self.random.choice(WORDS) for _ in range(self.random.choice([1, 1, 1, 2, 3])))

    def name(self) -> str:
        """A state's name: not twice the same, not longer than AWS takes."""
        while True:
            name = self.word()[:80] or "empty"
            if name not in self.names:
                self.names.append(name)
                return name

    def quoted(self, word: str) -> str:
        return "'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def path(self) -> str:
        if self.chance(0.02):
            return self.random.choice(["$", "$.", "$$", "$["]) + self.word()
        root = self.random.choice(["$", "$", "$", "$$", f"${self.random.choice(self.variables)}"])
        steps = [
            f"[{self.quoted(self.word())}]",
            "[0]",
            "[*]",
            ".a",
            f"[?(@.a == {self.quoted(self.word())})]",
            f"..[{self.quoted(self.word())}]",
        ]
        return root + "".join(self.random.choice(steps) for _ in range(self.random.randrange(3)))

    def reference(self) -> str:
        return "$" + "".join(f"[{self.quoted(self.word())}]" for _ in range(self.random.randrange(1, 3)))

    def intrinsic(self) -> str:
        text = self.quoted(self.word().replace("{", "\\{").replace("}", "\\}"))
        return self.random.choice(
            [f"States.Format({text})", f"States.Array({text}, {self.path()})", f"States.StringSplit({self.path()}, {text})",
            f"States.Hash({text}, {text})",
             f"States.{self.word() if self.chance(0.1) else 'UUID()'}", f"States.StringToJson({text})",
             f"States.JsonMerge({self.path()}, {self.path()}, false)"]
        )  # fmt: skip

    def dynamic(self) -> str:
        return self.intrinsic() if self.chance(0.3) else self.path()

    def template(self, depth: int = 1) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for _ in range(self.random.randrange(1, 4)):
            if self.chance(0.5):
                made[self.word() + ".$"] = self.dynamic()
            elif depth and self.chance(0.3):
                made[self.word()] = [self.template(depth - 1), self.word()]
            else:
                made[self.word()] = self.word()
        return made

    # --- JSONata ------------------------------------------------------------------------------------------------------------------

    def query(self) -> str:
        text = '"' + self.word().replace("\\", "\\\\").replace('"', '\\"') + '"'
        field = "`" + self.word().replace("`", "") + "`"
        return "{% " + self.random.choice(
            [self.word() if self.chance(0.1) else text, f"$states.input.{field}", f"$states.input[{text} = a]",
            f"{{{text}: $states.input.{field}}}", f"${self.random.choice(self.variables)}",
             f"$contains($states.input.{field}, {text})", f"$states.{self.word() if self.chance(0.1) else 'context'}",
             f"($x := {text}; $x & {text})",
             f"$replace({text}, /{self.word() if self.chance(0.1) else 'a+'}/, {text})", f"{text} & $string($states.context)",
             f"$states.input.{field} > 1"]
        ) + " %}"  # fmt: skip

    def filled(self) -> Any:
        return self.random.choice([self.query(), {self.word(): self.query(), self.word(): [self.query(), self.word()]}, self.word(), 1])

    # --- Machines -----------------------------------------------------------------------------------------------------------------

    def definition(self) -> dict[str, Any]:
        made = {"Comment": self.word(), **self.machine(1)}
        if self.jsonata:
            made["QueryLanguage"] = "JSONata"
        if self.chance(0.02):
            made[self.word()] = self.word()
        return made

    def machine(self, depth: int) -> dict[str, Any]:
        names = [self.name() for _ in range(self.random.randrange(1, 4))]
        states: dict[str, Any] = {}
        for number, name in enumerate(names):
            following = names[number + 1] if number + 1 < len(names) else None
            kind = self.random.choice(
                ["Pass", "Pass", "Task", "Choice", "Wait", "Succeed", "Fail", *(["Parallel", "Map"] if depth else [])]
            )
            if following is not None and kind in ("Succeed", "Fail"):
                kind = "Pass"
            states[name] = self.state(kind, depth, following)
            if kind == "Choice" and following is None:
                end = self.name()
                states[name]["Default"] = end
                for rule in states[name]["Choices"]:
                    rule["Next"] = end
                states[end] = {"Type": "Succeed"}
        if depth == 1 and self.chance(0.7):  # so that the variables may be read
            front = self.name()
            states[front] = {"Type": "Pass", "Assign": {name: self.word() for name in self.variables}, "Next": names[0]}
            names[0] = front
        return {"StartAt": names[0], "States": states}

    def state(self, kind: str, depth: int, following: str | None) -> dict[str, Any]:
        made: dict[str, Any] = {"Type": kind, **({"Comment": self.word()} if self.chance(0.3) else {})}
        if kind == "Choice":
            rules = [self.rule(following or "") for _ in range(self.random.randrange(1, 4))]
            return {**made, "Choices": rules, **({"Default": following} if following else {})}
        if kind not in ("Succeed", "Fail"):
            made.update({"Next": following} if following else {"End": True})
        if self.chance(0.2) and kind not in ("Succeed", "Fail"):
            made["Assign"] = (
                {name: self.filled() for name in self.variables}
                if self.jsonata
                else {f"{name}.$": self.dynamic() for name in self.variables}
            )
        if kind == "Fail":
            return {**made, "Error": self.query() if self.jsonata and self.chance(0.5) else self.word(), "Cause": self.word()}
        if kind == "Wait":
            return (
                {**made, "Seconds": 0}
                if self.chance(0.5)
                else {**made, "Timestamp": self.word() if self.chance(0.1) else "2020-01-01T00:00:00Z"}
            )
        if self.jsonata:
            made["Output"] = self.filled()
        elif self.chance(0.3):
            made[self.random.choice(["InputPath", "OutputPath"])] = self.path()
        return made if kind == "Succeed" else {**made, **getattr(self, kind.lower() + ("_" if kind == "Pass" else ""))(depth)}

    def rule(self, following: str) -> dict[str, Any]:
        if self.jsonata:
            return {"Condition": self.query(), "Next": following}
        operator = self.random.choice(COMPARISONS)
        operand: Any = {"NumericEquals": 1, "IsPresent": True, "IsString": False}.get(operator, self.word())
        if operator == "TimestampEquals" and self.chance(0.9):
            operand = "2020-01-01T00:00:00Z"
        if operator == "StringMatches":
            operand = operand.replace("\\", "")
        return {"Variable": self.path(), operator: operand, "Next": following}

    def pass_(self, depth: int) -> dict[str, Any]:
        if self.jsonata:
            return {}
        made: dict[str, Any] = {"ResultPath": self.reference()} if self.chance(0.5) else {}
        return {**made, "Result": {self.word(): [self.word()]}} if self.chance(0.4) else {**made, "Parameters": self.template()}

    def fallible(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if self.chance(0.4):
            made["Retry"] = [{"ErrorEquals": [self.word(), self.word()], "MaxAttempts": 0}]
        if not self.jsonata and self.chance(0.5):
            made.update({"ResultSelector": self.template(), "ResultPath": self.reference()})
        return made

    def task(self, depth: int) -> dict[str, Any]:
        name = self.word() if self.chance(0.1) else "f"
        payload: dict[str, Any] = {"Arguments": self.filled()} if self.jsonata else {"Parameters": self.template()}
        return {"Resource": f"arn:aws:lambda:us-east-1:123456789012:function:{name}", **payload, **self.fallible()}

    def parallel(self, depth: int) -> dict[str, Any]:
        return {"Branches": [self.machine(depth - 1) for _ in range(2)], **self.fallible()}

    def map(self, depth: int) -> dict[str, Any]:
        items = {"Items": [self.filled()]} if self.jsonata else {"ItemsPath": self.path(), "ItemSelector": self.template()}
        return {"ItemProcessor": self.machine(depth - 1), **items, **self.fallible()}


def definition(seed: int) -> dict[str, Any]:
    return Maker(seed).definition()
