"""A definition as plain JSON, an input and the outcomes of its tasks in; output or error, and what was entered, out.

Walks the definition state by state, as the States Language specification tells it: slow, and meant to be obviously right. It imports
nothing from express. Time is a number that is handed on; branches are run one after the other, each from the time at which they begin, and
the one that fails first in time decides. What a state computes is in ``visits``.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.reference import queries
from tests.reference.expressions import copied, text_of
from tests.reference.failures import SAID, Failed, failing, matches
from tests.reference.visits import LANGUAGES, LIMIT, Assigned, Jsonata, JsonPath

ENDLESS = 20_000
EXPRESS_SECONDS = 300
Place = JsonPath | Jsonata
Left = tuple[Any, str | None, float, Assigned]  # output, next state, when, what was assigned


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
class Step:
    """A state was entered with ``input``; if it was left, ``left`` is its output and the next state's name (None: the machine's end)."""

    name: str
    input: Any
    left: tuple[Any, str | None] | None = None


@dataclass
class Result:
    """``steps`` are in the order of each machine, by the Parallels and Maps around it: ``{"Fan[0]/": [...]}``."""

    status: str
    output: Any = None
    error: str | None = None
    cause: str | None = None
    entered: Counter[str] = field(default_factory=Counter)
    retried: Counter[str] = field(default_factory=Counter)
    caught: Counter[tuple[str, str]] = field(default_factory=Counter)
    errors: set[str | None] = field(default_factory=set)  # all that states failed with
    steps: dict[str, list[Step]] = field(default_factory=dict)
    ambiguous: bool = False  # two branches failed at the same time: which one decides is not said anywhere
    cut: bool = False  # branches were stopped: how far they had come is not said anywhere


class Endless(Exception):  # noqa: N818
    """More states than any case needs: a random machine that does not end."""


@dataclass
class Around:
    """What is around a machine: the query language, a Map's item in the Context Object, the variables of the outer scopes, and the
    states and numbers of the branches it is in."""

    language: str
    item: dict[str, Any]
    variables: dict[str, Any]
    trail: str = ""


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
        queries.LOST.clear()
        try:
            language = self.definition.get("QueryLanguage", "JSONPath")
            self.result.output, _ = self.machine(self.definition, data, 0.0, Around(language, {}, {}))
        except Failed as failure:
            self.result.status = "TIMED_OUT" if failure.timed_out else "FAILED"
            self.result.errors.add(failure.error)
            self.result.error, self.result.cause = failure.error, failure.cause
        self.result.ambiguous |= bool(queries.LOST)
        return self.result

    # --- Machines and states --------------------------------------------------------------------------------------------------

    def machine(self, machine: dict[str, Any], data: Any, now: float, around: Around) -> tuple[Any, float]:
        own: Assigned = {}  # the variables of this scope: seen further in, gone when it ends
        name: str | None = machine["StartAt"]
        while name is not None:
            self.result.entered[name] += 1
            step = Step(name, data)
            self.result.steps.setdefault(around.trail, []).append(step)
            if self.result.entered.total() > ENDLESS:
                raise Endless
            state = machine["States"][name]
            language = LANGUAGES[state.get("QueryLanguage", around.language)]
            visit = language(name, state, data, now, self.context(name, now, around.item), {**around.variables, **own})
            try:
                with failing(now):
                    data, name, now, assigned = getattr(self, state["Type"].lower())(visit, now, around)
            finally:
                self.result.ambiguous |= visit.unsaid
            own.update(assigned)
            step.left = data, name
        return data, now

    def measured(self, given: Any, now: float) -> None:
        """What a branch or an iteration gets, after Parameters or ItemSelector: over the limit the Parallel or Map fails."""
        size = len(text_of(given).encode())
        # Engines may be a little generous here
        self.result.ambiguous |= LIMIT < size <= LIMIT + 4_096
        if size > LIMIT + 4_096:
            raise Failed("States.DataLimitExceeded", SAID, now)

    def context(self, name: str, now: float, item: dict[str, Any]) -> dict[str, Any]:
        moment = (self.start + timedelta(seconds=now)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        begun = self.start.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return {
            "Execution": {"Input": self.input, "Name": self.name, "StartTime": begun},
            "State": {"Name": name, "EnteredTime": SAID if self.jittered else moment, "RetryCount": 0},
            **item,
        }

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

    def succeed(self, visit: Place, now: float, around: Around) -> Left:
        output, _ = visit.leave(visit.state)
        return output, None, now, {}

    def fail(self, visit: Place, now: float, around: Around) -> Left:
        error, cause = visit.failure()
        raise Failed(error, cause, now)

    def pass_(self, visit: Place, now: float, around: Around) -> Left:
        output, assigned = visit.finish(visit.passed())
        return output, visit.state.get("Next"), now, assigned

    def wait(self, visit: Place, now: float, around: Around) -> Left:
        now = self.wait_until(visit.until(now, self.start.timestamp()))
        visit.now = now
        output, assigned = visit.leave(visit.state)
        return output, visit.state.get("Next"), now, assigned

    def choice(self, visit: Place, now: float, around: Around) -> Left:
        rule = visit.rule()
        following = visit.state.get("Default") if rule is None else rule["Next"]
        if following is None:
            raise Failed("States.NoChoiceMatched", SAID, now)
        output, assigned = visit.leave(visit.state if rule is None else rule)
        return output, following, now, assigned

    # --- States that can be tried again -------------------------------------------------------------------------------------------

    def task(self, visit: Place, now: float, around: Around) -> Left:
        state = visit.state

        def once(attempt: int, now: float) -> tuple[Any, float]:
            timeout = visit.timeout()
            payload = visit.payload()
            resource = state["Resource"]
            invoke = resource.endswith(":lambda:invoke")
            function = (payload["FunctionName"] if invoke else resource).split(":function:")[-1].split(":")[0]
            if len(text_of(payload).encode()) > LIMIT:
                raise Failed("States.DataLimitExceeded", SAID, now)
            given = payload.get("Payload", {}) if invoke else payload
            answer = self.tasks(function, copied(given), attempt)
            named_by_the_data = "{%" in str(state.get("Arguments", {}).get("FunctionName")) if invoke else False
            if answer.waits or named_by_the_data:  # what is only known then may let others run meanwhile
                self.waited += 1
            if timeout is not None and answer.seconds > timeout:
                now = self.wait_until(now + timeout)
                raise Failed("States.Timeout", SAID, now)
            if answer.seconds:
                now = self.wait_until(now + answer.seconds)
            if answer.error is not None:
                raise Failed(answer.error, answer.cause, now)
            visit.now = now
            visit.check(answer.value, by_task=True)
            if invoke:
                return {"ExecutedVersion": "$LATEST", "Payload": answer.value, "StatusCode": 200}, now
            return answer.value, now

        return self.tried(visit, now, once)

    def parallel(self, visit: Place, now: float, around: Around) -> Left:
        def once(attempt: int, now: float) -> tuple[Any, float]:
            given = visit.payload()
            self.measured(given, now)

            def one(index: int, branch: dict[str, Any]) -> Callable[[float], tuple[Any, float]]:
                inner = Around(around.language, around.item, visit.variables, f"{around.trail}{visit.name}[{index}]/")
                return lambda now: self.machine(branch, given, now, inner)

            return self.together([one(index, branch) for index, branch in enumerate(visit.state["Branches"])], 0, now)

        return self.tried(visit, now, once)

    def map(self, visit: Place, now: float, around: Around) -> Left:
        processor = visit.state.get("ItemProcessor") or visit.state["Iterator"]

        def once(attempt: int, now: float) -> tuple[Any, float]:
            def one(index: int, value: Any) -> Callable[[float], tuple[Any, float]]:
                item = {"Map": {"Item": {"Index": index, "Value": value}}}

                def run(now: float) -> tuple[Any, float]:
                    with failing(now):
                        given = visit.item(value, {**visit.context, **item})
                    self.measured(given, now)
                    inner = Around(around.language, item, visit.variables, f"{around.trail}{visit.name}[{index}]/")
                    return self.machine(processor, given, now, inner)

                return run

            items, at_once = visit.items(), visit.concurrency()
            visit.tolerated()
            return self.together([one(index, value) for index, value in enumerate(items)], at_once, now)

        return self.tried(visit, now, once)

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

    def tried(self, visit: Place, now: float, once: Callable[[int, float], tuple[Any, float]]) -> Left:
        """Retry and Catch around a state's work, what is made of its result included."""
        state = visit.state
        retriers = state.get("Retry", [])
        used = [0] * len(retriers)
        attempt = 1
        while True:
            visit.context = {**visit.context, "State": {**visit.context["State"], "RetryCount": attempt - 1}}
            visit.now = now
            try:
                with failing(now):
                    result, now = once(attempt, now)
                visit.now = now
                output, assigned = visit.finish(result)
                return output, state.get("Next"), now, assigned
            except Failed as failure:
                if failure.timed_out:
                    raise
                self.result.errors.add(failure.error)
                now = failure.time
                visit.now = now
                delay = self.delay(retriers, used, failure)
                if delay is not None:
                    self.result.retried[visit.name] += 1
                    now = self.wait_until(now + delay)
                    attempt += 1
                    continue
                for catcher in state.get("Catch", []):
                    if matches(catcher["ErrorEquals"], failure):
                        # What stands in the place of a cause that there is not, is not said anywhere
                        said = {"Error": failure.error or SAID, "Cause": failure.cause or SAID}
                        output, assigned = visit.caught(catcher, said)
                        self.result.caught[visit.name, catcher["Next"]] += 1
                        return output, catcher["Next"], now, assigned
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


def run(definition: dict[str, Any], data: Any, tasks: Tasks, *, name: str = "reference", start: datetime | None = None) -> Result:
    """One execution of a definition."""
    moment = start or datetime(2024, 1, 1, tzinfo=UTC)
    return Interpreter(definition, tasks, name=name, start=moment).run(copied(data))
