"""A definition as plain JSON, an input and the outcomes of its tasks in; output or error, and what was entered, out.

Walks the definition state by state, as the States Language specification tells it: slow, and meant to be obviously right. It imports
nothing from express. Time is a number that is handed on; branches are run one after the other, each from the time at which they begin, and
the one that fails first in time decides.
"""

from __future__ import annotations

import copy
import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.reference import choices
from tests.reference.expressions import IntrinsicFailure, Missing, expression, is_number, path, template, text_of

LIMIT = 262_144
ENDLESS = 20_000
SAID = "<said by the engine>"  # a cause in words that are nowhere specified
EXPRESS_SECONDS = 300


@dataclass
class Answer:
    """What a task does when it is called: ``error`` None returns ``value``. ``seconds`` is how long it takes, ``waits`` whether others may
    run meanwhile."""

    value: Any = None
    error: str | None = None
    cause: str = ""
    seconds: float = 0.0
    waits: bool = False


Tasks = Callable[[str, Any, int], Answer]  # function, payload, attempt (from 1)


@dataclass
class Result:
    status: str
    output: Any = None
    error: str | None = None
    cause: str | None = None
    entered: Counter[str] = field(default_factory=Counter)
    retried: Counter[str] = field(default_factory=Counter)
    caught: Counter[tuple[str, str]] = field(default_factory=Counter)
    ambiguous: bool = False  # two branches failed at the same time: which one decides is not said anywhere
    cut: bool = False  # branches were stopped: how far they had come is not said anywhere


class Failed(Exception):  # noqa: N818
    """A state failed at ``time``. ``timed_out``: it was the whole execution. ``by_task``: it is the result of a task that is too large."""

    def __init__(self, error: str | None, cause: str | None, time: float, *, timed_out: bool = False, by_task: bool = False) -> None:
        super().__init__(error, cause)
        self.error, self.cause, self.time, self.timed_out, self.by_task = error, cause, time, timed_out, by_task


class Endless(Exception):  # noqa: N818
    """More states than any case needs: a random machine that does not end."""


class Interpreter:
    """One execution."""

    def __init__(self, definition: dict[str, Any], tasks: Tasks, *, name: str, start: datetime) -> None:
        self.definition, self.tasks, self.name, self.start = definition, tasks, name, start
        self.deadline = min(EXPRESS_SECONDS, definition.get("TimeoutSeconds", EXPRESS_SECONDS))
        self.result = Result("SUCCEEDED")
        self.input: Any = None
        self.jittered = False  # times are upper bounds from then on
        self.waited = 0  # how often anything waited: between two looks, whether the order of branches is plain

    def run(self, data: Any) -> Result:
        self.input = data
        try:
            self.result.output, _ = self.machine(self.definition, data, 0.0, {})
        except Failed as failure:
            self.result.status = "TIMED_OUT" if failure.timed_out else "FAILED"
            self.result.error, self.result.cause = failure.error, failure.cause
        return self.result

    # --- Machines and states --------------------------------------------------------------------------------------------------

    def machine(self, machine: dict[str, Any], data: Any, now: float, item: dict[str, Any]) -> tuple[Any, float]:
        # AWS limits what goes into a branch, an iteration or a task as well, but where it would fail is not said anywhere
        self.result.ambiguous |= len(text_of(data).encode()) > LIMIT
        name: str | None = machine["StartAt"]
        while name is not None:
            self.result.entered[name] += 1
            if self.result.entered.total() > ENDLESS:
                raise Endless
            state = machine["States"][name]
            context = self.context(name, now, item)
            kind = getattr(self, state["Type"].lower())
            try:
                data, name, now = kind(name, state, data, now, context, item)
            except Missing:
                raise Failed("States.Runtime", SAID, now) from None
            except IntrinsicFailure:
                raise Failed("States.IntrinsicFailure", SAID, now) from None
        return data, now

    def context(self, name: str, now: float, item: dict[str, Any]) -> dict[str, Any]:
        moment = (self.start + timedelta(seconds=now)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        begun = self.start.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return {
            "Execution": {"Input": self.input, "Name": self.name, "StartTime": begun},
            "State": {"Name": name, "EnteredTime": SAID if self.jittered else moment, "RetryCount": 0},
            **item,
        }

    def effective(self, state: dict[str, Any], data: Any, context: Any, now: float) -> Any:
        """InputPath."""
        return self.selected(state, "InputPath", data, context, now)

    def selected(self, state: dict[str, Any], field_name: str, data: Any, context: Any, now: float) -> Any:
        wanted = state.get(field_name, "$")
        if wanted is None:
            return {}
        try:
            return path(wanted, data, context)
        except Missing:
            raise Failed("States.Runtime", SAID, now) from None

    def finish(self, name: str, state: dict[str, Any], raw: Any, result: Any, context: Any, now: float) -> Any:
        """ResultPath, the size, OutputPath."""
        output = self.combined(raw, state.get("ResultPath", "$"), result, now)
        self.check(name, output, now)
        output = self.selected(state, "OutputPath", output, context, now)
        self.check(name, output, now)
        return output

    def check(self, name: str, output: Any, now: float, *, by_task: bool = False) -> None:
        if len(text_of(output).encode()) > LIMIT:
            raise Failed("States.DataLimitExceeded", SAID, now, by_task=by_task)

    def combined(self, raw: Any, result_path: str | None, result: Any, now: float) -> Any:
        """ResultPath: where the result goes in the raw input."""
        if result_path is None:
            return raw
        if result_path == "$":
            return result
        output = json.loads(json.dumps(raw))  # not deepcopy: what was one object in two places must become two
        steps = _reference(result_path)
        here = output
        for step in steps[:-1]:
            if isinstance(step, str) and isinstance(here, dict):
                here = here.setdefault(step, {})
            elif isinstance(step, int) and isinstance(here, list) and step < len(here):
                here = here[step]
            else:
                raise Failed("States.ResultPathMatchFailure", SAID, now)
        last = steps[-1]
        if not (
            (isinstance(last, str) and isinstance(here, dict)) or (isinstance(last, int) and isinstance(here, list) and last < len(here))
        ):
            raise Failed("States.ResultPathMatchFailure", SAID, now)
        here[last] = result
        return output

    def wait_until(self, when: float) -> float:
        """Time passes; the execution's deadline is looked at."""
        self.waited += 1
        if abs(when - self.deadline) < 1e-6:
            self.result.ambiguous = True  # which of the two comes first is not said anywhere
        if when > self.deadline:
            self.result.ambiguous |= self.jittered
            raise Failed("States.Timeout", SAID, self.deadline, timed_out=True)
        return when

    # --- States without tasks ---------------------------------------------------------------------------------------------------

    def succeed(self, name: str, state: Any, data: Any, now: float, context: Any, item: Any) -> tuple[Any, None, float]:
        effective = self.effective(state, data, context, now)
        return self.selected(state, "OutputPath", effective, context, now), None, now

    def fail(self, name: str, state: Any, data: Any, now: float, context: Any, item: Any) -> Any:
        error = expression(state["ErrorPath"], data, context) if "ErrorPath" in state else state.get("Error", ...)
        cause = expression(state["CausePath"], data, context) if "CausePath" in state else state.get("Cause", ...)
        for part in (error, cause):
            if part is not ... and not isinstance(part, str):
                raise Failed("States.Runtime", SAID, now)
        raise Failed(None if error is ... else error, None if cause is ... else cause, now)

    def pass_(self, name: str, state: Any, data: Any, now: float, context: Any, item: Any) -> tuple[Any, str | None, float]:
        result = self.effective(state, data, context, now)
        if "Parameters" in state:
            result = template(state["Parameters"], result, context)
        if "Result" in state:
            result = state["Result"]
        return self.finish(name, state, data, result, context, now), state.get("Next"), now

    def wait(self, name: str, state: Any, data: Any, now: float, context: Any, item: Any) -> tuple[Any, str | None, float]:
        effective = self.effective(state, data, context, now)
        if "Seconds" in state:
            until = now + state["Seconds"]
        elif "SecondsPath" in state:
            seconds = path(state["SecondsPath"], effective, context)
            if not is_number(seconds) or seconds < 0 or isinstance(seconds, float):
                raise Failed("States.Runtime", SAID, now)
            until = now + seconds
        else:
            moment = state["Timestamp"] if "Timestamp" in state else path(state["TimestampPath"], effective, context)
            instant = choices.instant(moment) if isinstance(moment, str) else None
            if instant is None:
                raise Failed("States.Runtime", SAID, now)
            until = max(now, float(instant - int(self.start.timestamp())))
        now = self.wait_until(until)
        return self.selected(state, "OutputPath", effective, context, now), state.get("Next"), now

    def choice(self, name: str, state: Any, data: Any, now: float, context: Any, item: Any) -> tuple[Any, str, float]:
        effective = self.effective(state, data, context, now)
        following = next((rule["Next"] for rule in state["Choices"] if choices.holds(rule, effective, context)), state.get("Default"))
        if following is None:
            raise Failed("States.NoChoiceMatched", SAID, now)
        return self.selected(state, "OutputPath", effective, context, now), following, now

    # --- States that can be tried again -------------------------------------------------------------------------------------------

    def task(self, name: str, state: Any, data: Any, now: float, context: Any, item: Any) -> tuple[Any, str | None, float]:
        def once(attempt: int, now: float, context: Any) -> tuple[Any, float]:
            payload = self.effective(state, data, context, now)
            timeout = state.get("TimeoutSeconds")
            if "TimeoutSecondsPath" in state:
                timeout = path(state["TimeoutSecondsPath"], payload, context)
                if not isinstance(timeout, int) or isinstance(timeout, bool) or timeout <= 0:
                    raise Failed("States.Runtime", SAID, now)
            if "Parameters" in state:
                payload = template(state["Parameters"], payload, context)
            resource = state["Resource"]
            invoke = resource.endswith(":lambda:invoke")
            function = (payload["FunctionName"] if invoke else resource).split(":function:")[-1].split(":")[0]
            self.result.ambiguous |= len(text_of(payload).encode()) > LIMIT
            given = payload.get("Payload", {}) if invoke else payload
            answer = self.tasks(function, copy.deepcopy(given), attempt)
            if answer.waits:
                self.waited += 1
            if timeout is not None and answer.seconds > timeout:
                now = self.wait_until(now + timeout)
                raise Failed("States.Timeout", SAID, now)
            if answer.seconds:
                now = self.wait_until(now + answer.seconds)
            if answer.error is not None:
                raise Failed(answer.error, answer.cause, now)
            self.check(name, answer.value, now, by_task=True)
            if invoke:
                return {"ExecutedVersion": "$LATEST", "Payload": answer.value, "StatusCode": 200}, now
            return answer.value, now

        return self.tried(name, state, data, now, context, once)

    def parallel(self, name: str, state: Any, data: Any, now: float, context: Any, item: Any) -> tuple[Any, str | None, float]:
        def once(attempt: int, now: float, context: Any) -> tuple[Any, float]:
            given = self.effective(state, data, context, now)
            if "Parameters" in state:
                given = template(state["Parameters"], given, context)
            runs = [lambda now, branch=branch: self.machine(branch, given, now, item) for branch in state["Branches"]]
            return self.together(runs, 0, now)

        return self.tried(name, state, data, now, context, once)

    def map(self, name: str, state: Any, data: Any, now: float, context: Any, item: Any) -> tuple[Any, str | None, float]:
        processor = state.get("ItemProcessor") or state["Iterator"]
        selector = state.get("ItemSelector", state.get("Parameters"))

        def once(attempt: int, now: float, context: Any) -> tuple[Any, float]:
            effective = self.effective(state, data, context, now)
            items = path(state.get("ItemsPath", "$"), effective, context)
            if not isinstance(items, list):
                raise Failed("States.Runtime", SAID, now)

            def one(index: int, value: Any) -> Callable[[float], tuple[Any, float]]:
                inner = {"Map": {"Item": {"Index": index, "Value": value}}}

                def run(now: float) -> tuple[Any, float]:
                    given = value
                    if selector is not None:
                        try:
                            given = template(selector, effective, {**context, **inner})
                        except Missing:
                            raise Failed("States.Runtime", SAID, now) from None
                        except IntrinsicFailure:
                            raise Failed("States.IntrinsicFailure", SAID, now) from None
                    return self.machine(processor, given, now, inner)

                return run

            return self.together([one(index, value) for index, value in enumerate(items)], state.get("MaxConcurrency", 0), now)

        return self.tried(name, state, data, now, context, once)

    def together(self, runs: list[Callable[[float], tuple[Any, float]]], at_once: int, now: float) -> tuple[list[Any], float]:
        """Branches side by side, ``at_once`` of them (0: all): their outputs and when the last is done, or the earliest failure."""
        outputs: list[Any] = []
        failures: list[tuple[float, int, Failed]] = []
        free = [now] * (at_once or len(runs))  # when each place for a branch is free again
        before = self.waited
        ends = [now]
        for index, run in enumerate(runs):
            begin = heapq.heappop(free)
            if failures and min(failures)[0] < begin:
                break  # never begun
            try:
                output, end = run(begin)
                outputs.append(output)
            except Failed as failure:
                end = failure.time
                failures.append((end, index, failure))
                outputs.append(None)
            ends.append(end)
            heapq.heappush(free, end)
        in_order = self.waited == before  # nobody waited: the branches really ran one after the other
        self.waited += 1
        if failures:
            self.result.cut |= len(runs) > 1
            first = min(failures, key=lambda each: each[:2])
            tied = [each for each in failures if abs(each[0] - first[0]) < 1e-6]
            self.result.ambiguous |= self.jittered and not in_order
            if not in_order and len({(each[2].error, each[2].cause, each[2].timed_out) for each in tied}) > 1:
                self.result.ambiguous = True
            raise first[2]
        return outputs, max(ends)

    def tried(self, name: str, state: Any, raw: Any, now: float, context: Any, once: Callable[[int, float, Any], tuple[Any, float]]) -> Any:
        """Retry and Catch around a state's work, ResultSelector included."""
        retriers = state.get("Retry", [])
        used = [0] * len(retriers)
        attempt = 1
        while True:
            context = {**context, "State": {**context["State"], "RetryCount": attempt - 1}}
            try:
                try:
                    result, end = once(attempt, now, context)
                    now = end
                    if "ResultSelector" in state:
                        result = template(state["ResultSelector"], result, context)
                    return self.finish(name, state, raw, result, context, now), state.get("Next"), now
                except Missing:
                    raise Failed("States.Runtime", SAID, now) from None
                except IntrinsicFailure:
                    raise Failed("States.IntrinsicFailure", SAID, now) from None
            except Failed as failure:
                if failure.timed_out:
                    raise
                now = failure.time
                delay = self.delay(retriers, used, failure)
                if delay is not None:
                    self.result.retried[name] += 1
                    now = self.wait_until(now + delay)
                    attempt += 1
                    continue
                for catcher in state.get("Catch", []):
                    if matches(catcher["ErrorEquals"], failure):
                        # What stands in the place of a cause that there is not, is not said anywhere
                        said = {"Error": failure.error or SAID, "Cause": failure.cause or SAID}
                        caught = self.combined(raw, catcher.get("ResultPath", "$"), said, now)
                        self.check(name, caught, now)
                        self.result.caught[name, catcher["Next"]] += 1
                        return caught, catcher["Next"], now
                raise

    def delay(self, retriers: list[Any], used: list[int], failure: Failed) -> float | None:
        for number, retrier in enumerate(retriers):
            if matches(retrier["ErrorEquals"], failure):
                if used[number] >= retrier.get("MaxAttempts", 3):
                    return None
                seconds = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** used[number]
                used[number] += 1
                self.jittered |= retrier.get("JitterStrategy") == "FULL"
                return float(min(seconds, retrier.get("MaxDelaySeconds", seconds)))
        return None


setattr(Interpreter, "pass", Interpreter.pass_)  # a keyword of Python, a state type of ours


def matches(names: Iterable[str], failure: Failed) -> bool:
    """ErrorEquals."""
    if failure.error == "States.Runtime":
        return False
    if failure.error in names:
        return True
    if failure.error == "States.DataLimitExceeded":
        return "States.ALL" in names and failure.by_task
    return "States.ALL" in names or ("States.TaskFailed" in names and failure.error != "States.Timeout")


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


def run(definition: dict[str, Any], data: Any, tasks: Tasks, *, name: str = "reference", start: datetime | None = None) -> Result:
    """One execution of a definition."""
    moment = start or datetime(2024, 1, 1, tzinfo=UTC)
    return Interpreter(json.loads(json.dumps(definition)), tasks, name=name, start=moment).run(copy.deepcopy(data))
