"""One visit to a state: what it computes, in the state's query language. Nothing here knows of time, other states or tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.reference import choices, queries
from tests.reference.expressions import Roots, copied, expression, is_number, path, template, text_of
from tests.reference.failures import SAID, Failed, failing

LIMIT = 262_144
MOST_SECONDS = 99_999_999
Assigned = dict[str, Any]


@dataclass
class Visit:
    """``raw`` is the state's input, ``variables`` what can be seen at its entry. ``unsaid``: two things went wrong, and which one is the
    state's failure is not said anywhere."""

    name: str
    state: dict[str, Any]
    raw: Any
    now: float
    context: dict[str, Any]
    variables: dict[str, Any]
    unsaid: bool = False

    def both(self, output: Callable[[], Any], assigned: Callable[[], Assigned]) -> tuple[Any, Assigned]:
        """A state's output and what it assigns: each is made from what there was before."""
        failures: list[Failed] = []
        made: list[Any] = []
        for make in (output, assigned):
            try:
                with failing(self.now):
                    made.append(make())
            except Failed as failure:
                failures.append(failure)
        if failures:
            self.unsaid |= len({failure.error for failure in failures}) > 1
            raise failures[0]
        self.unsaid |= len(text_of(made[1]).encode()) > LIMIT
        return made[0], made[1]

    def check(self, output: Any, *, by_task: bool = False) -> Any:
        text = text_of(output)
        # The engine's own words, in many places: how large they make the whole is not said anywhere
        self.unsaid |= len(text) > LIMIT // 32 and SAID in text
        if len(text.encode()) > LIMIT:
            raise Failed("States.DataLimitExceeded", SAID, self.now, by_task=by_task)
        return output

    def until(self, now: float, start: float) -> float:
        """When a Wait ends. ``start`` is the wall clock's time at 0."""
        raise NotImplementedError

    def moment(self, text: Any, now: float, start: float, error: str) -> float:
        instant = choices.instant(text) if isinstance(text, str) else None
        if instant is None:
            raise Failed(error, SAID, now)
        return max(now, float(instant - int(start)))


class JsonPath(Visit):
    def roots(self, data: Any) -> Roots:
        return Roots(data, self.context, self.variables)

    def effective(self) -> Any:
        """InputPath."""
        return self.selected("InputPath", self.raw)

    def selected(self, field: str, data: Any) -> Any:
        wanted = self.state.get(field, "$")
        if wanted is None:
            return {}
        with failing(self.now):
            return path(wanted, self.roots(data))

    def payload(self) -> Any:
        """InputPath, Parameters."""
        effective = self.effective()
        return template(self.state["Parameters"], self.roots(effective)) if "Parameters" in self.state else effective

    def passed(self) -> Any:
        """What a Pass gives out: its payload, unless it has a Result."""
        payload = self.payload()
        return self.state.get("Result", payload)

    def assign(self, holder: dict[str, Any], data: Any) -> Assigned:
        return template(holder.get("Assign", {}), self.roots(data))  # type: ignore[no-any-return]

    def finish(self, result: Any) -> tuple[Any, Assigned]:
        """ResultSelector, ResultPath, the size, OutputPath; Assign, from the result."""

        def output() -> Any:
            selector = self.state.get("ResultSelector")
            chosen = result if selector is None else template(selector, self.roots(result))
            combined = self.check(self.combined(self.state.get("ResultPath", "$"), chosen))
            return self.check(self.selected("OutputPath", combined))

        return self.both(output, lambda: self.assign(self.state, result))

    def leave(self, holder: dict[str, Any]) -> tuple[Any, Assigned]:
        """A state without a result: Choice (``holder`` is the rule that matched, or the state), Wait, Succeed."""
        effective = self.effective()
        return self.both(lambda: self.selected("OutputPath", effective), lambda: self.assign(holder, effective))

    def caught(self, catcher: dict[str, Any], said: dict[str, Any]) -> tuple[Any, Assigned]:
        return self.both(lambda: self.check(self.combined(catcher.get("ResultPath", "$"), said)), lambda: self.assign(catcher, said))

    def combined(self, result_path: str | None, result: Any) -> Any:
        """ResultPath: where the result goes in the raw input."""
        if result_path is None:
            return self.raw
        if result_path == "$":
            return result
        output = copied(self.raw)
        steps = _reference(result_path)
        here = output
        for step in steps[:-1]:
            if isinstance(step, str) and isinstance(here, dict):
                here = here.setdefault(step, {})
            elif isinstance(step, int) and isinstance(here, list) and step < len(here):
                here = here[step]
            else:
                raise Failed("States.ResultPathMatchFailure", SAID, self.now)
        last = steps[-1]
        if not (
            (isinstance(last, str) and isinstance(here, dict)) or (isinstance(last, int) and isinstance(here, list) and last < len(here))
        ):
            raise Failed("States.ResultPathMatchFailure", SAID, self.now)
        here[last] = result
        return output

    def failure(self) -> list[str | None]:
        """A Fail's error and cause."""
        parts: list[str | None] = []
        for field in ("Error", "Cause"):
            part = self.state.get(field)
            if f"{field}Path" in self.state:
                part = expression(self.state[f"{field}Path"], self.roots(self.raw))
                if not isinstance(part, str):
                    raise Failed("States.Runtime", SAID, self.now)
            parts.append(part)
        return parts

    def until(self, now: float, start: float) -> float:
        effective = self.effective()
        if "Seconds" in self.state:
            return now + float(self.state["Seconds"])
        if "SecondsPath" in self.state:
            seconds = path(self.state["SecondsPath"], self.roots(effective))
            if not is_number(seconds) or seconds < 0 or isinstance(seconds, float):
                raise Failed("States.Runtime", SAID, now)
            return now + float(seconds)
        moment = self.state["Timestamp"] if "Timestamp" in self.state else path(self.state["TimestampPath"], self.roots(effective))
        return self.moment(moment, now, start, "States.Runtime")

    def rule(self) -> dict[str, Any] | None:
        """The rule of a Choice that matches."""
        roots = self.roots(self.effective())
        return next((rule for rule in self.state["Choices"] if choices.holds(rule, roots)), None)

    def timeout(self) -> float | None:
        found = self.number("TimeoutSeconds", 1)
        self.number("HeartbeatSeconds", 1)
        return found

    def number(self, field: str, least: int) -> Any:
        """The whole number in a field, or what the path in its ``Path`` form selects; None for neither."""
        if f"{field}Path" not in self.state:
            return self.state.get(field)
        found = path(self.state[f"{field}Path"], self.roots(self.effective()))
        if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= MOST_SECONDS:
            raise Failed("States.Runtime", SAID, self.now)
        return found

    def items(self) -> list[Any]:
        found = path(self.state.get("ItemsPath", "$"), self.roots(self.effective()))
        if not isinstance(found, list):
            raise Failed("States.Runtime", SAID, self.now)
        return found

    def item(self, value: Any, context: dict[str, Any]) -> Any:
        """What one iteration of a Map is given."""
        selector = self.state.get("ItemSelector", self.state.get("Parameters"))
        return value if selector is None else template(selector, Roots(self.effective(), context, self.variables))

    def concurrency(self) -> int:
        return int(self.number("MaxConcurrency", 0) or 0)

    def tolerated(self) -> None:
        """What concerns a Distributed Map only, and may fail in an inline one all the same."""
        self.number("ToleratedFailureCount", 0)
        self.number("ToleratedFailurePercentage", 0)


class Jsonata(Visit):
    def computed(self, value: Any, **known: Any) -> Any:
        """A field's value with its expressions computed. ``known`` are ``result`` and ``errorOutput``, where there are any."""
        return queries.template(value, {"input": self.raw, "context": self.context, **known}, self.variables)

    def typed(self, field: str, *types: type) -> Any:
        """A field that must be of a type."""
        value = self.computed(self.state[field])
        if isinstance(value, bool) != (bool in types) or not isinstance(value, types):
            raise Failed("States.QueryEvaluationError", SAID, self.now)
        return value

    def payload(self) -> Any:
        return self.computed(self.state["Arguments"]) if "Arguments" in self.state else self.raw

    def passed(self) -> Any:
        return self.raw

    def finish(self, result: Any) -> tuple[Any, Assigned]:
        return self.made(self.state, result, **({} if self.state["Type"] == "Pass" else {"result": result}))

    def leave(self, holder: dict[str, Any]) -> tuple[Any, Assigned]:
        return self.made(holder, self.raw)

    def caught(self, catcher: dict[str, Any], said: dict[str, Any]) -> tuple[Any, Assigned]:
        return self.made(catcher, said, errorOutput=said)

    def made(self, holder: dict[str, Any], otherwise: Any, **known: Any) -> tuple[Any, Assigned]:
        return self.both(
            lambda: self.check(self.computed(holder["Output"], **known) if "Output" in holder else otherwise),
            lambda: self.computed(holder.get("Assign", {}), **known),
        )

    def failure(self) -> list[str | None]:
        return [self.typed(field, str) if field in self.state else None for field in ("Error", "Cause")]

    def until(self, now: float, start: float) -> float:
        if "Seconds" in self.state:
            seconds = self.typed("Seconds", int, float)
            if seconds < 0 or isinstance(seconds, float):
                raise Failed("States.QueryEvaluationError", SAID, now)
            return now + float(seconds)
        return self.moment(self.typed("Timestamp", str), now, start, "States.QueryEvaluationError")

    def rule(self) -> dict[str, Any] | None:
        for rule in self.state["Choices"]:
            holds = self.computed(rule["Condition"])
            if not isinstance(holds, bool):
                raise Failed("States.QueryEvaluationError", SAID, self.now)
            if holds:
                return rule  # type: ignore[no-any-return]
        return None

    def timeout(self) -> float | None:
        found = self.number("TimeoutSeconds", 1)
        self.number("HeartbeatSeconds", 1)
        return None if found is None else float(found)

    def number(self, field: str, least: int) -> int | None:
        if field not in self.state:
            return None
        found = self.typed(field, int, float)
        if isinstance(found, float) or not least <= found <= MOST_SECONDS:
            raise Failed("States.QueryEvaluationError", SAID, self.now)
        return int(found)

    def items(self) -> list[Any]:
        found = self.computed(self.state["Items"]) if "Items" in self.state else self.raw
        if not isinstance(found, list):
            raise Failed("States.QueryEvaluationError", SAID, self.now)
        return found

    def item(self, value: Any, context: dict[str, Any]) -> Any:
        if "ItemSelector" not in self.state:
            return value
        return queries.template(self.state["ItemSelector"], {"input": self.raw, "context": context}, self.variables)

    def concurrency(self) -> int:
        return self.number("MaxConcurrency", 0) or 0

    def tolerated(self) -> None:
        self.number("ToleratedFailureCount", 0)
        if "ToleratedFailurePercentage" in self.state:
            self.typed("ToleratedFailurePercentage", int, float)


LANGUAGES: dict[str, type[JsonPath] | type[Jsonata]] = {"JSONPath": JsonPath, "JSONata": Jsonata}


def _reference(text: str) -> list[str | int]:
    """The steps of a Reference Path: ``$.a.b[0]``."""
    steps: list[str | int] = []
    for part in text.removeprefix("$").replace("[", ".[").split("."):
        if part.startswith("["):
            inside = part[1:-1]
            steps.append(inside[1:-1] if inside.startswith("'") else int(inside))
        elif part:
            steps.append(part)
    return steps
