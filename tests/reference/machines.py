"""Random machines, inputs and outcomes of tasks: a seed in, a case out. The same seed gives the same case, everywhere and always.

Every definition is one that AWS would accept. Inputs mostly have the fields that the paths of the machines name, so that executions come
far; some have not, so that they fail. States in JSONata are made in ``jsonata_states``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.reference.interpreter import Answer
from tests.reference.jsonata_states import JsonataStates
from tests.reference.made_paths import PLACES, Paths, Variable
from tests.reference.made_values import ERRORS

CAUGHT = ["States.ALL", "States.TaskFailed", "States.Timeout", "States.IntrinsicFailure", "States.NoChoiceMatched",
          "States.ResultPathMatchFailure", "States.DataLimitExceeded", "States.QueryEvaluationError"]  # fmt: skip
COMPARISONS = ["Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals"]


@dataclass
class Case:
    """``functions``: what each function answers at its first, second, ... attempt (the last one from then on). ``features``: what of the
    language each state uses, by its name; the workflow's own by the name ``""``."""

    definition: dict[str, Any]
    inputs: list[Any]
    functions: dict[str, list[Answer]]
    features: dict[str, set[str]] = field(default_factory=dict)

    def tasks(self, function: str, payload: Any, attempt: int) -> Answer:
        answers = self.functions[function]
        answer = answers[min(attempt, len(answers)) - 1]
        if answer.value is ECHO:
            return Answer(payload, None, "", answer.seconds, answer.waits)
        return answer


ECHO = object()


def case(seed: int, inputs: int = 4) -> Case:
    return Maker(seed).case(inputs)


class Maker(Paths):
    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.functions: dict[str, list[Answer]] = {}
        self.names = 0
        self.own: list[Variable] = []  # of the innermost scope: what a state may assign to
        self.with_variables = self.chance(0.5)
        self.jsonata = self.random.choice([0.0, 0.0, 0.0, 0.4, 0.4, 1.0])  # how many states are in JSONata
        self.whole_numbers = self.jsonata > 0
        self.in_jsonata = JsonataStates(self)

    def case(self, inputs: int) -> Case:
        definition = self.machine(depth=0)
        if self.jsonata == 1:
            definition["QueryLanguage"] = "JSONata"
        elif self.chance(0.1):
            definition["QueryLanguage"] = "JSONPath"
        self.owner = ""
        self.has(f"QueryLanguage: {'mixed' if 0 < self.jsonata < 1 else definition.get('QueryLanguage', 'absent')}")
        if self.chance(0.1):
            definition["TimeoutSeconds"] = self.random.choice([5, 20, 60])
            self.has("workflow TimeoutSeconds")
        if self.chance(0.1):
            definition["Comment"] = "random"
        return Case(definition, [self.input() for _ in range(inputs)], self.functions, self.features)

    # --- Choice -------------------------------------------------------------------------------------------------------------------

    def condition(self, depth: int = 2) -> dict[str, Any]:
        if depth and self.chance(0.25):
            operator = self.random.choice(["And", "Or", "Not"])
            self.has(f"choice: {operator}")
            if operator == "Not":
                return {"Not": self.condition(depth - 1)}
            return {operator: [self.condition(depth - 1) for _ in range(self.random.randrange(1, 4))]}
        kind = self.random.choice(["Is", "String", "Numeric", "Boolean", "Timestamp", "StringMatches"])
        if kind == "Is":
            operator = self.random.choice(["IsNull", "IsPresent", "IsNumeric", "IsString", "IsBoolean", "IsTimestamp"])
            self.has(f"choice: {operator}")
            places = [place for places in PLACES.values() for place in places if "'," not in place]
            variable = self.random.choice(places) if operator == "IsPresent" else self.place()
            if operator == "IsPresent" and self.visible and self.chance(0.3):
                variable = f"${self.random.choice(self.visible).name}"
                self.has("choice: IsPresent of a variable")
            return {"Variable": variable, operator: self.chance(0.6)}
        type_ = {"String": "text", "Numeric": "number", "Boolean": "boolean", "Timestamp": "timestamp", "StringMatches": "text"}[kind]
        variable = self.place(type_)
        if kind == "StringMatches":
            self.has("choice: StringMatches")
            return {"Variable": variable, "StringMatches": self.random.choice(["*", "a*", "*.txt", "log-*.txt", "\\*", "a,*;*", "", "*b*"])}
        operator = kind + ("Equals" if kind == "Boolean" else self.random.choice(COMPARISONS))
        if self.chance(0.35):
            self.has(f"choice: {operator}Path")
            return {"Variable": variable, f"{operator}Path": self.definite(type_)}
        self.has(f"choice: {operator}")
        operand = {"text": self.text, "number": self.number, "boolean": lambda: self.chance(0.5), "timestamp": self.timestamp}[type_]()
        return {"Variable": variable, operator: operand}

    # --- States -------------------------------------------------------------------------------------------------------------------

    def name(self, stem: str) -> str:
        self.names += 1
        return f"{stem} {self.names}" + self.random.choice(["", "", "", "'s", ' "x"', "é"])

    def machine(self, depth: int) -> dict[str, Any]:
        """A machine: of a workflow, a branch, an iteration. Its variables are its own, those around it are seen."""
        owner, own, seen = self.owner, self.own, len(self.visible)
        self.own = []
        try:
            return self._machine(depth)
        finally:
            self.owner, self.own = owner, own
            del self.visible[seen:]

    def _machine(self, depth: int) -> dict[str, Any]:
        length = self.random.randrange(1, 6 if depth == 0 else 4)
        names = [self.name("S") for _ in range(length)]
        states: dict[str, Any] = {}
        ends: dict[str, Any] = {}  # states that are only reached from Choice and Catch
        front = None
        if self.with_variables and self.chance(0.8 if depth == 0 else 0.4):
            front = self.first_variables(states, names[0])

        def elsewhere(after: int) -> str:
            """A later state, or a new one at the end."""
            if after + 1 < length and self.chance(0.5):
                return self.random.choice(names[after + 1 :])
            end = self.name("E")
            owner, self.owner = self.owner, end
            ends[end] = self.ending()
            self.owner = owner
            return end

        for number, name in enumerate(names):
            following = names[number + 1] if number + 1 < length else None
            kind = self.pick(
                (5, lambda: "Pass"), (4, lambda: "Task"), (3, lambda: "Choice"), (1, lambda: "Wait"),
                (2.0 / (depth + 1) if depth < 2 else 0.0, lambda: "Parallel"), (2.5 / (depth + 1) if depth < 2 else 0.0, lambda: "Map"),
            )  # fmt: skip
            self.owner = name
            states[name] = state = self.state(kind, depth, lambda number=number: elsewhere(number))
            self.owner = name
            if kind == "Choice":
                if following is None or self.chance(0.1):
                    # Without Default, or with one that leaves: the following state must still be reached
                    if following is not None:
                        state["Choices"].append({**self.rule(state), "Next": following})
                    if self.chance(0.5):
                        state["Default"] = elsewhere(length)
                        self.has("choice: Default")
                else:
                    state["Default"] = following
                    self.has("choice: Default")
            elif following is not None:
                state["Next"] = following
            else:
                state["End"] = True
        if length > 1 and self.chance(0.15) and self.jsonata < 1:
            self.loop(names, states, front)
        start = names[0] if front is None else front
        states.update(ends)
        return {"StartAt": start, "States": states}

    def state(self, kind: str, depth: int, elsewhere: Callable[[], str]) -> dict[str, Any]:
        """A state without what leads on from it."""
        self.has(f"state: {kind}")
        if self.chance(self.jsonata):
            made = getattr(self.in_jsonata, kind.lower() + ("_" if kind == "Pass" else ""))(depth, elsewhere)
            self.has(f"JSONata state: {kind}")
            return {"Type": kind, **({"QueryLanguage": "JSONata"} if self.jsonata < 1 or self.chance(0.1) else {}), **made}
        made = getattr(self, f"_{kind.lower()}")(depth, elsewhere)
        return {"Type": kind, **({"QueryLanguage": "JSONPath"} if self.chance(0.03) else {}), **made}

    def rule(self, state: dict[str, Any]) -> dict[str, Any]:
        """A rule of a Choice."""
        if ("QueryLanguage" in state and state["QueryLanguage"] == "JSONata") or self.jsonata == 1:
            return self.in_jsonata.rule(state)
        return {**self.condition(), **self.assign(0.1)}

    # --- Variables ------------------------------------------------------------------------------------------------------------------

    def first_variables(self, states: dict[str, Any], following: str) -> str:
        """A state in front that gives this scope's variables their first values."""
        name = self.name("V")
        self.owner = name
        self.has("Assign: in front")
        made: dict[str, Any] = {}
        for _ in range(self.random.randrange(1, 5)):
            self.names += 1
            kind = self.random.choice(["number", "text", "list", "input"])
            variable = Variable(f"{self.random.choice(['v', 'total', 'Größe', 'x_'])}{self.names}", kind)
            made[variable.name] = {"number": self.number, "text": self.text, "input": self.whole, "list": self.numbers}[kind]()
            self.own.append(variable)
        if self.chance(0.15):
            self.names += 1
            self.own.append(Variable(f"late{self.names}", self.random.choice(["number", "text", "list"])))
            self.has("variable that has no value until it is assigned")
        states[name] = {"Type": "Pass", "Assign": made, "Next": following}
        if 0 < self.jsonata < 1 and self.chance(0.5):
            states[name]["QueryLanguage"] = "JSONata"
        self.visible += self.own
        return name

    def assign(self, part: float = 0.3) -> dict[str, Any]:
        """Assign of a state in JSONPath."""
        if not self.own or not self.chance(part):
            return {}
        self.has("Assign")
        made: dict[str, Any] = {}
        for variable in self.random.sample(self.own, self.random.randrange(1, min(2, len(self.own)) + 1)):
            made.update(self.pick(
                (3, lambda variable=variable: {f"{variable.name}.$": self.worth(variable.kind)}),
                (1, lambda variable=variable: {variable.name: self.whole() if variable.kind == "input" else self.value(1)}),
                (0.3, lambda variable=variable: {f"{variable.name}.$": "$"}),
            ))  # fmt: skip
        return {"Assign": made}

    def worth(self, kind: str) -> str:
        """What gives a variable of a kind its next value."""
        if kind == "input":
            inputs = [variable.name for variable in self.visible if variable.kind == "input"]
            return self.random.choice(["$$.Execution.Input", *(f"${name}" for name in inputs)])
        if self.chance(0.4):
            return self.call(kind, 1)
        held = [variable.name for variable in self.visible if variable.kind == kind]
        return (
            f"${self.random.choice(held)}"
            if held and self.chance(0.5)
            else "$$.Execution.Input." + {"number": "n", "text": "s", "list": "items"}[kind]
        )

    def loop(self, names: list[str], states: dict[str, Any], front: str | None) -> None:
        """A counter around all the states: they run two or three times. ``front`` is the state in front of them, if there is one."""
        last = states[names[-1]]
        if last["Type"] == "Choice":
            return
        begin, add, again, out = (self.name(stem) for stem in ("Begin", "Add", "Again", "Out"))
        self.owner = begin
        self.has("loop")
        states[begin] = {"Type": "Pass", "Result": {"v": 0}, "ResultPath": "$.count", "Next": names[0]}
        del last["End"]
        last["Next"] = add
        states[add] = {"Type": "Pass", "Parameters": {"v.$": "States.MathAdd($.count.v, 1)"}, "ResultPath": "$.count", "Next": again}
        states[again] = {"Type": "Choice", "Choices": [{"Variable": "$.count.v", "NumericLessThan": 2, "Next": names[0]}], "Default": out}
        states[out] = {"Type": "Succeed"}
        if front is not None:
            states[front]["Next"] = begin
        names.insert(0, begin)

    def ending(self) -> dict[str, Any]:
        if self.chance(self.jsonata):
            made = self.in_jsonata.ending()
            self.has(f"state: {made['Type']}")
            self.has(f"JSONata state: {made['Type']}")
            return {**({"QueryLanguage": "JSONata"} if self.jsonata < 1 else {}), **made}
        if self.chance(0.3):
            self.has("state: Fail")
            made: dict[str, Any] = {"Type": "Fail"}
            if self.chance(0.8):
                made.update(self.pick((2, lambda: {"Error": self.random.choice(ERRORS)}), (1, lambda: {"ErrorPath": "$.error"}),
                                      (1, lambda: {"ErrorPath": "States.Format('E{}', $.m)"})))  # fmt: skip
                self.has(f"fail: {next(reversed(made))}")
            if self.chance(0.6):
                made.update(
                    self.pick(
                        (2, lambda: {"Cause": "because"}), (1, lambda: {"CausePath": "$.s"}), (1, lambda: {"CausePath": "States.UUID()"})
                    )
                )
                if made.get("CausePath") == "States.UUID()":
                    made["CausePath"] = "States.JsonToString($.n)"
                self.has(f"fail: {next(reversed(made))}")
            return made
        if self.chance(0.5):
            self.has("state: Succeed")
            return {"Type": "Succeed", **self.in_out()}
        self.has("state: Pass")
        return {"Type": "Pass", **self._pass(2, lambda: ""), "End": True}

    def in_out(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if self.chance(0.08):
            made["InputPath"] = self.pick(
                (4, lambda: "$"),
                (3, lambda: self.place("object")),
                (0.5, lambda: None),
                (0.5, self.place),
                (1, lambda: "$$.Execution.Input"),
            )
            self.has("InputPath null" if made["InputPath"] is None else "InputPath")
        if self.chance(0.08):
            made["OutputPath"] = self.pick(
                (4, lambda: "$"),
                (3, lambda: self.place("object")),
                (0.5, lambda: None),
                (0.5, self.place),
                (1, lambda: "$$.Execution.Input"),
            )
            self.has("OutputPath null" if made["OutputPath"] is None else "OutputPath")
        return made

    def result_path(self, absent: float = 0.15) -> dict[str, Any]:
        if self.chance(absent):
            return {}
        found = self.pick(
            (8, lambda: self.random.choice(["$.r", "$.out", "$.o", "$.n"])),
            (2, lambda: self.random.choice(["$.r.deep.er", "$.o.z", "$['r']['x']"])),
            (1, lambda: self.random.choice(["$.items[0]", "$.rows[0].q", "$.words[1]"])),
            (0.3, lambda: self.random.choice(["$.s.x", "$.items.x", "$.missing[0]"])),
            (1.5, lambda: None),
        )
        self.has("ResultPath null" if found is None else "ResultPath")
        return {"ResultPath": found}

    def _pass(self, depth: int, elsewhere: Callable[[], str]) -> dict[str, Any]:
        made = {**self.in_out(), **self.result_path()}
        # Not both: whether Parameters of a Pass with a Result are evaluated, and may fail, is not said anywhere
        if self.chance(0.6):
            self.has("Parameters")
            made["Parameters"] = self.template(whole="ResultPath" not in made)
        elif self.chance(0.5) and ("ResultPath" in made or self.chance(0.2)):
            self.has("Result")
            made["Result"] = self.value()
        return {**made, **self.assign()}

    def _wait(self, depth: int, elsewhere: Callable[[], str]) -> dict[str, Any]:
        made = self.pick(
            (3, lambda: {"Seconds": self.random.choice([0, 1, 4, 7, 13])}),
            (2, lambda: {"SecondsPath": self.random.choice(["$.wait", "$.wait", "$.wait", "$.n", "$.s"])}),
            (1, lambda: {"Timestamp": self.timestamp()}),
            (1, lambda: {"TimestampPath": self.random.choice(["$.t", "$.t", "$.o.t", "$.s"])}),
        )
        if self.chance(0.01):
            made = {"Seconds": 400}
        self.has(f"wait: {next(iter(made))}")
        return {**made, **self.in_out(), **self.assign()}

    def _choice(self, depth: int, elsewhere: Callable[[], str]) -> dict[str, Any]:
        rules = [{**self.rule({}), "Next": elsewhere()} for _ in range(self.random.randrange(1, 4))]
        return {"Choices": rules, **self.in_out(), **self.assign()}

    def _task(self, depth: int, elsewhere: Callable[[], str]) -> dict[str, Any]:
        made: dict[str, Any] = {**self.in_out(), **self.result_path(0.05)}
        function, arn = self.function()
        if self.chance(0.25):
            self.has("task: lambda:invoke")
            made["Resource"] = "arn:aws:states:::lambda:invoke"
            made.setdefault("ResultPath", "$.r")
            name = self.random.choice([arn, function, f"{arn}:$LATEST"])
            made["Parameters"] = {"FunctionName": name, "Payload": self.template()}
            made["ResultSelector"] = self.random.choice([{"p.$": "$.Payload"}, {"p.$": "$.Payload", "code.$": "$.StatusCode"}])
        else:
            self.has("task: function")
            made["Resource"] = arn
            if self.chance(0.5):
                made["Parameters"] = self.template()
            if self.chance(0.2) and "ResultPath" in made:
                made["ResultSelector"] = self.selector()
        if self.chance(0.3):
            made.update(
                self.pick((2, lambda: {"TimeoutSeconds": self.random.choice([1, 3])}), (1, lambda: {"TimeoutSecondsPath": "$.limit"}))
            )
            self.has(f"task: {'TimeoutSeconds' if 'TimeoutSeconds' in made else 'TimeoutSecondsPath'}")
        if self.chance(0.15):
            # Of a callback only, which Express workflows have not; but its path is looked up
            field, value = self.pick((1, lambda: ("HeartbeatSeconds", 1)), (2, lambda: ("HeartbeatSecondsPath", self.place_of_number())))
            if field != "HeartbeatSeconds" or made.get("TimeoutSeconds") != 1:  # less than that
                made[field] = value
                self.has(f"task: {field}")
        return {**made, **self.assign(), **self.retry_catch(elsewhere)}

    def function(self) -> tuple[str, str]:
        """A new function: its name and its ARN."""
        function = f"f{len(self.functions)}"
        waits = self.chance(0.4)
        self.has("task: async function" if waits else "task: inline function")
        self.functions[function] = [self.answer(waits) for _ in range(self.random.randrange(1, 4))]
        return function, f"arn:aws:lambda:us-east-1:123456789012:function:{function}"

    def place_of_number(self, usual: str = "$.limit") -> str:
        """A path for a field that wants a whole number, which is mostly there."""
        numbers = [f"${variable.name}" for variable in self.visible if variable.kind == "number"]
        return self.pick(
            (8, lambda: usual),
            (1, lambda: self.random.choice(["$.n", "$.s", "$.missing", "$.z"])),
            (1 if numbers else 0, lambda: self.random.choice(numbers)),
        )

    def selector(self) -> dict[str, Any]:
        self.has("ResultSelector")
        return {"all.$": "$", **({"list.$": "States.Array($)"} if self.chance(0.5) else {}), "constant": 1}

    def answer(self, waits: bool) -> Answer:
        seconds = self.random.choice([0, 0, 0.25, 1.5, 4.75]) if waits else 0
        if self.chance(0.3):
            return Answer(None, self.random.choice(ERRORS), "it broke", seconds, waits)
        value = self.pick(
            (4, lambda: ECHO),
            (3, self.input),
            (2, self.value),
            (0.1, lambda: "x" * 262_145),
            (0.2, lambda: {"n": self.number(), "big": "é" * 90_000}),
        )
        if isinstance(value, str) and len(value) > 1_000:
            self.has("task: too large")
        elif isinstance(value, dict) and "big" in value:
            self.has("task: large")
        return Answer(value, None, "", seconds, waits)

    def retry_catch(self, elsewhere: Callable[[], str], caught: Callable[[], dict[str, Any]] | None = None) -> dict[str, Any]:
        """Retry and Catch. ``caught`` makes what a catcher does with the error output."""
        made: dict[str, Any] = {}

        def errors() -> list[str]:
            if self.chance(0.4):
                return ["States.ALL"]
            return self.random.sample(ERRORS + CAUGHT[1:], self.random.randrange(1, 3))

        def in_order(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
            """``States.ALL`` stands alone, and last."""
            last = [entry for entry in entries if entry["ErrorEquals"] == ["States.ALL"]][:1]
            return [entry for entry in entries if entry["ErrorEquals"] != ["States.ALL"]] + last

        if self.chance(0.5):
            self.has("Retry")
            entries = []
            for _ in range(self.random.randrange(1, 3)):
                retrier: dict[str, Any] = {"ErrorEquals": errors()}
                if self.chance(0.6):
                    retrier["MaxAttempts"] = self.random.choice([0, 1, 1, 2, 3])
                    self.has("Retry: MaxAttempts")
                if self.chance(0.6):
                    retrier["IntervalSeconds"] = self.random.choice([1, 2, 5])
                    self.has("Retry: IntervalSeconds")
                if self.chance(0.4):
                    retrier["BackoffRate"] = self.random.choice([1, 1.5, 3])
                    self.has("Retry: BackoffRate")
                if self.chance(0.3):
                    retrier["MaxDelaySeconds"] = retrier.get("IntervalSeconds", 1) + self.random.choice([1, 2])
                    self.has("Retry: MaxDelaySeconds")
                if self.chance(0.15):
                    retrier["JitterStrategy"] = self.random.choice(["FULL", "NONE"])
                    self.has(f"Retry: JitterStrategy {retrier['JitterStrategy']}")
                entries.append(retrier)
            made["Retry"] = in_order(entries)
        if self.chance(0.6):
            self.has("Catch")
            catchers = in_order([{"ErrorEquals": errors()} for _ in range(self.random.randrange(1, 3))])
            made["Catch"] = [{**catcher, "Next": elsewhere(), **(caught or self.caught_in_jsonpath)()} for catcher in catchers]
        return made

    def caught_in_jsonpath(self) -> dict[str, Any]:
        return {**self.caught_path(), **self.assign(0.2)}

    def caught_path(self) -> dict[str, Any]:
        if self.chance(0.3):
            return {}
        found = self.random.choice(["$.caught", "$.caught", "$.o.caught", "$.items[0]", None])
        self.has("Catch: ResultPath null" if found is None else "Catch: ResultPath")
        return {"ResultPath": found}

    def _parallel(self, depth: int, elsewhere: Callable[[], str]) -> dict[str, Any]:
        made: dict[str, Any] = {**self.in_out(), **self.result_path(0.05)}
        made["Branches"] = [self.machine(depth + 1) for _ in range(self.random.randrange(1, 4))]
        if self.chance(0.2):
            made["Parameters"] = self.template(whole=self.chance(0.9))
        if self.chance(0.2):
            made["ResultSelector"] = self.selector()
        return {**made, **self.assign(), **self.retry_catch(elsewhere)}

    def _map(self, depth: int, elsewhere: Callable[[], str]) -> dict[str, Any]:
        made: dict[str, Any] = {**self.in_out(), **self.result_path(0.05)}
        made["ItemsPath"] = self.place("list") if self.chance(0.97) else self.place()
        older = self.chance(0.2)
        if older:
            made["Iterator"] = self.machine(depth + 1)
            self.has("map: Iterator")
        else:
            made["ItemProcessor"] = {**({"ProcessorConfig": {"Mode": "INLINE"}} if self.chance(0.5) else {}), **self.machine(depth + 1)}
        if self.chance(0.92):
            made["Parameters" if older else "ItemSelector"] = self.template(item=True, whole=self.chance(0.9))
            self.has("map: ItemSelector")
        if self.chance(0.4):
            field = "MaxConcurrencyPath" if self.chance(0.4) else "MaxConcurrency"
            made[field] = self.place_of_number("$.wait") if field == "MaxConcurrencyPath" else self.random.choice([0, 1, 2])
            self.has(f"map: {field}")
        if self.chance(0.15):
            # Of a Distributed Map; an inline one fails with its first iteration, but the path is looked up
            field = f"ToleratedFailure{self.random.choice(['Count', 'Percentage'])}{'Path' if self.chance(0.5) else ''}"
            made[field] = self.place_of_number("$.wait") if field.endswith("Path") else self.random.choice([0, 1, 100])
            self.has(f"map: {field}")
        if self.chance(0.2):
            made["ResultSelector"] = self.selector()
        return {**made, **self.assign(), **self.retry_catch(elsewhere)}
