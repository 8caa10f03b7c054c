"""The fields of random states in JSONata. What they share with states in JSONPath, the maker has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.reference.jsonata_texts import Texts

if TYPE_CHECKING:
    from tests.reference.machines import Maker

Elsewhere = Callable[[], str]
FIELDS = ("n", "m", "s", "flag", "z", "t", "json", "items", "words", "rows", "o", "wait", "limit", "error", "it's", "ü.b")


class JsonataStates:
    def __init__(self, maker: Maker) -> None:
        self.maker = maker

    # --- Expressions ----------------------------------------------------------------------------------------------------------------

    def texts(self, *sources: str) -> Texts:
        """Expressions over the input, ``sources`` and the variables that can be seen."""
        texts = Texts(self.maker.random, self.maker.has)
        texts.sources += sources
        if sources and self.maker.chance(0.5):
            texts.sources = list(sources)
        for variable in self.maker.visible:
            place = f"${variable.name}"
            {"number": texts.numbers, "text": texts.texts, "list": texts.lists, "input": texts.sources}[variable.kind].append(place)
        return texts

    def expression(self, kind: str, *sources: str, depth: int | None = None) -> str:
        texts = self.texts(*sources)
        depth = self.maker.random.choice([0, 1, 1, 2, 2, 3]) if depth is None else depth
        text = texts.any(depth) if kind == "any" else texts.of(kind, depth)
        if any(f"${variable.name}" in text for variable in self.maker.visible):
            self.maker.has("jsonata: variable")
        return f"{{% {text} %}}"

    def context(self) -> str:
        """AWS's Context Object has RetryCount only where a state can be tried again: nobody asks for it here."""
        self.maker.has("jsonata: $states.context")
        places = ["Execution.Name", "State.Name", "Execution.Input.n", "Execution.StartTime", "State.EnteredTime"]
        return f"{{% $states.context.{self.maker.random.choice(places)} %}}"

    def template(self, *sources: str, whole: bool = True) -> dict[str, Any]:
        """An object with expressions in it, usually with the fields that other states look for."""
        made: dict[str, Any] = {}
        if whole and self.maker.chance(0.6):
            made = {name: f"{{% {self.maker.random.choice(sources or ('$states.input',))}.`{name}` %}}" for name in FIELDS}
        for number in range(self.maker.random.randrange(4)):
            made[f"f{number}"] = self.field(*sources)
        return made

    def field(self, *sources: str) -> Any:
        return self.maker.pick(
            (5, lambda: self.expression("any", *sources)),
            (1, self.context),
            (1, lambda: self.maker.value()),
            (1, lambda: [self.expression("any", *sources), self.maker.scalar()]),
            (1, lambda: {"inner": self.expression("any", *sources), "% }": "{ % }"}),
        )

    def output(self, *sources: str, part: float = 0.6) -> dict[str, Any]:
        """Output: usually the input, or what ``sources`` hold, with something more in it."""
        if not self.maker.chance(part):
            return {}
        self.maker.has("Output")
        source = self.maker.random.choice(sources or ("$states.input",))
        return {
            "Output": self.maker.pick(
                (4, lambda: self.merged(self.maker.random.choice(["$states.input", source]), *sources)),
                (2, lambda: self.template(*sources)),
                (1, lambda: "{% $states.input %}"),
                (1, lambda: self.expression("object", *sources)),
                (0.5, lambda: self.template(*sources, whole=False)),
                (0.5, lambda: self.expression("any", *sources)),
                (0.3, lambda: self.maker.value()),
            )
        }  # fmt: skip

    def merged(self, source: str, *sources: str) -> str:
        return f"{{% $merge([{source}, {{'r': {self.expression('any', *sources)[2:-2]}}}]) %}}"

    def arguments(self, part: float = 0.6) -> dict[str, Any]:
        if not self.maker.chance(part):
            return {}
        self.maker.has("Arguments")
        return {
            "Arguments": self.maker.pick((3, self.template), (1, lambda: self.expression("object")), (1, lambda: "{% $states.input %}"))
        }

    def assign(self, *sources: str, part: float = 0.3) -> dict[str, Any]:
        own = self.maker.own
        if not own or not self.maker.chance(part):
            return {}
        self.maker.has("JSONata Assign")
        made: dict[str, Any] = {}
        for variable in self.maker.random.sample(own, self.maker.random.randrange(1, min(2, len(own)) + 1)):
            if variable.kind == "input":
                made[variable.name] = self.maker.random.choice(["{% $states.context.Execution.Input %}", "{% $states.input %}"])
            else:
                made[variable.name] = self.maker.pick(
                    (4, lambda variable=variable: self.expression({"list": "numbers_list"}.get(variable.kind, variable.kind), *sources)),
                    (1, lambda: self.maker.value(1)),
                    (0.5, lambda: {"a": [self.expression("any", *sources)]}),
                )
        return {"Assign": made}

    def number(self, name: str, *literals: int) -> Any:
        """A number, or an expression for one that is mostly right."""
        if self.maker.chance(0.5):
            return self.maker.random.choice(literals)
        self.maker.has("jsonata: a field's number")
        return self.maker.pick(
            (5, lambda: f"{{% $states.input.{name} %}}"),
            (1, lambda: f"{{% {self.maker.random.choice(literals)} %}}"),
            (0.3, lambda: "{% 'text' %}"),
            (0.2, lambda: "{% $states.input.missing %}"),
        )

    # --- States ---------------------------------------------------------------------------------------------------------------------

    def pass_(self, depth: int, elsewhere: Elsewhere) -> dict[str, Any]:
        return {**self.output(part=0.75), **self.assign()}

    def wait(self, depth: int, elsewhere: Elsewhere) -> dict[str, Any]:
        made: dict[str, Any]
        if self.maker.chance(0.6):
            made = {"Seconds": self.number("wait", 0, 1, 4, 7)}
        else:
            made = {
                "Timestamp": self.maker.pick(
                    (2, self.maker.timestamp), (2, lambda: "{% $states.input.t %}"), (0.5, lambda: "{% $states.input.s %}")
                )
            }
        self.maker.has(f"JSONata wait: {next(iter(made))}")
        return {**made, **self.output(part=0.3), **self.assign()}

    def choice(self, depth: int, elsewhere: Elsewhere) -> dict[str, Any]:
        state = {**self.output(part=0.2), **self.assign(part=0.2)}
        return {"Choices": [{**self.rule(state), "Next": elsewhere()} for _ in range(self.maker.random.randrange(1, 4))], **state}

    def rule(self, state: dict[str, Any]) -> dict[str, Any]:
        """Whether a rule without Output has the state's is not said anywhere: it has one of its own then."""
        self.maker.has("Condition")
        condition: Any = self.expression("boolean")
        if self.maker.chance(0.03):
            condition = self.maker.chance(0.5)
        return {"Condition": condition, **self.output(part=1 if "Output" in state else 0.2), **self.assign(part=0.2)}

    def task(self, depth: int, elsewhere: Elsewhere) -> dict[str, Any]:
        function, arn = self.maker.function()
        made: dict[str, Any]
        if self.maker.chance(0.25):
            self.maker.has("JSONata task: lambda:invoke")
            name: str = self.maker.random.choice([arn, function, "{% '" + function + "' %}"])
            made = {
                "Resource": "arn:aws:states:::lambda:invoke",
                "Arguments": {"FunctionName": name, "Payload": self.template()},
                **self.assign("$states.result.Payload"),
            }
            made["Output"] = self.output("$states.result.Payload", part=0.7).get("Output", "{% $states.result.Payload %}")
        else:
            made = {"Resource": arn, **self.arguments(), **self.output("$states.result"), **self.assign("$states.result")}
        if self.maker.chance(0.3):
            self.maker.has("JSONata task: TimeoutSeconds")
            made["TimeoutSeconds"] = self.number("limit", 1, 3)
        if self.maker.chance(0.15):
            self.maker.has("JSONata task: HeartbeatSeconds")
            made["HeartbeatSeconds"] = self.maker.pick(
                (4, lambda: "{% $states.input.limit %}"), (1, lambda: "{% 2 %}"), (0.3, lambda: "{% $states.input.missing %}")
            )
        return {**made, **self.maker.retry_catch(elsewhere, self.caught)}

    def caught(self) -> dict[str, Any]:
        """A catcher's Output and Assign."""
        made: dict[str, Any] = {}
        if self.maker.chance(0.7):
            self.maker.has("Catch: Output")
            made["Output"] = self.maker.pick(
                (3, lambda: "{% $merge([$states.input, {'caught': $states.errorOutput}]) %}"),
                (1, lambda: "{% $states.input %}"),
                (1, lambda: {"error": "{% $states.errorOutput.Error & '!' %}", "n": "{% $states.input.n %}"}),
                (0.5, lambda: self.expression("object")),
            )
        return {**made, **self.assign(part=0.2)}

    def parallel(self, depth: int, elsewhere: Elsewhere) -> dict[str, Any]:
        made = {"Branches": [self.maker.machine(depth + 1) for _ in range(self.maker.random.randrange(1, 4))], **self.arguments(0.3)}
        return {**made, **self.output("$states.result[0]", part=0.8), **self.assign(), **self.maker.retry_catch(elsewhere, self.caught)}

    def map(self, depth: int, elsewhere: Elsewhere) -> dict[str, Any]:
        made: dict[str, Any] = {"ItemProcessor": self.maker.machine(depth + 1)}
        if self.maker.chance(0.95):
            self.maker.has("Items")
            made["Items"] = self.maker.pick(
                (4, lambda: "{% $states.input." + self.maker.random.choice(["items", "words", "rows", "o.list", "rows[q > 1][]"]) + " %}"),
                (2, lambda: "{% [" + self.expression("list")[2:-2] + "] %}"),
                (1, lambda: [self.expression("any"), self.maker.value()]),
                (0.5, lambda: self.expression("list")),
            )
        if self.maker.chance(0.9):
            self.maker.has("JSONata ItemSelector")
            made["ItemSelector"] = {
                **self.template(),
                "item": self.maker.random.choice(
                    ["{% $states.context.Map.Item.Value %}", "{% $states.context.Map.Item.Index + 1 %}", "{% $states.context.Map.Item %}"]
                ),
            }
        if self.maker.chance(0.4):
            self.maker.has("JSONata MaxConcurrency")
            made["MaxConcurrency"] = self.number("wait", 0, 1, 2)
        if self.maker.chance(0.15):
            field = self.maker.random.choice(["ToleratedFailureCount", "ToleratedFailurePercentage"])
            self.maker.has(f"JSONata {field}")
            made[field] = self.number("wait", 0, 1, 2)
        return {**made, **self.output("$states.result[0]", part=0.8), **self.assign(), **self.maker.retry_catch(elsewhere, self.caught)}

    def ending(self) -> dict[str, Any]:
        if self.maker.chance(0.3):
            made: dict[str, Any] = {"Type": "Fail"}
            for field, text in (("Error", "{% $states.input.error %}"), ("Cause", "{% 'because ' & $states.input.s %}")):
                if self.maker.chance(0.8):
                    made[field] = self.maker.pick(
                        (
                            2,
                            lambda field=field: {"Error": self.maker.random.choice(["OutOfStock", "Throttled"]), "Cause": "because"}[field],
                        ),
                        (2, lambda text=text: text),
                        (0.3, lambda: "{% 1 %}"),
                    )
                    self.maker.has(f"JSONata fail: {field}")
            return made
        if self.maker.chance(0.5):
            return {"Type": "Succeed", **self.output()}
        return {"Type": "Pass", **self.pass_(2, lambda: ""), "End": True}
