"""A case in, every difference between Express and the reference interpreter out."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import express
from express.observers.recording import Recording
from express.runtime import jsonata_library
from express.runtime.failures import StateError
from express.testing import VirtualClock
from tests.reference import interpreter, machines
from tests.reference.expressions import copied
from tests.reference.failures import SAID
from tests.reference.made_values import START

NAME = "execution-1"
TRACED = 4  # one case of so many is compiled with trace=True, and every state's input, output and successor are compared
AS_TEXT = 7  # one case of so many also runs as the dispatcher runs it: text in, text out


@dataclass
class Difference:
    """``what`` differs for one input of the case that ``seed`` makes."""

    seed: int
    what: str
    data: Any
    expected: Any
    actual: Any

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.what}\n  input    {self.data}\n  expected {self.expected}\n  actual   {self.actual}"


@dataclass
class Tally:
    """How much was compared, and of what. ``features`` are counted once for a pair in which a state that has them was entered."""

    pairs: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    features: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    traces: int = 0

    def add(self, other: Tally) -> None:
        self.pairs += other.pairs
        self.traces += other.traces
        for mine, theirs in ((self.skipped, other.skipped), (self.features, other.features), (self.endings, other.endings)):
            mine.update(theirs)

    def count(self, case: machines.Case, expected: interpreter.Result) -> None:
        self.pairs += 1
        found = set(case.features.get("", ()))
        for name in expected.entered:
            found |= case.features.get(name, set())
        found |= {"Retry: tried again"} if expected.retried else set()
        found |= {"Retry: tried again, twice or more"} if max(expected.retried.values(), default=0) > 1 else set()
        found |= {"Catch: caught"} if expected.caught else set()
        found |= {f"error: {error}" for error in expected.errors if error in ERRORS}
        self.features.update(found)
        error = expected.error if expected.error is None or expected.error in ERRORS else "own error"
        self.endings[f"{expected.status} {error}"] += 1


ERRORS = {
    "States.Runtime", "States.IntrinsicFailure", "States.QueryEvaluationError", "States.ResultPathMatchFailure", "States.NoChoiceMatched",
    "States.DataLimitExceeded", "States.Timeout",
}  # fmt: skip


def compare(seed: int, tally: Tally, inputs: int = 4) -> Iterator[Difference]:
    return compare_case(machines.case(seed, inputs), seed, tally)


def compare_case(case: machines.Case, seed: int, tally: Tally) -> Iterator[Difference]:
    traced = seed % TRACED == 0
    try:
        program = express.compile(copied(case.definition), name="differential", functions=functions(case), trace=traced)
    except Exception as error:
        yield Difference(seed, "does not compile", None, case.definition, f"{type(error).__name__}: {error}")
        return
    for data in case.inputs:
        try:
            expected = interpreter.run(case.definition, data, case.tasks, name=NAME, start=START)
        except interpreter.Endless:
            tally.skipped["endless"] += 1
            continue
        if expected.ambiguous:
            tally.skipped["ambiguous"] += 1
            continue
        tally.count(case, expected)
        yield from _pair(program, seed, data, expected, tally, Recording() if traced else None)
        if seed % AS_TEXT == 0 and program.plain and program.anonymous:
            yield from _as_text(program, seed, data, expected)


def _pair(
    program: express.Program, seed: int, data: Any, expected: interpreter.Result, tally: Tally, recording: Recording | None
) -> Iterator[Difference]:
    before = _counts(program)
    given = copied(data)
    random.seed(seed)  # jitter, and what AWS leaves to chance: the same again when a seed is run again
    try:
        with _patience():
            outcome = program.run(given, clock=VirtualClock(START.timestamp()), name=NAME, trace=recording)
    except Exception as error:
        yield Difference(seed, "crashed", data, expected, f"{type(error).__name__}: {error}")
        return
    if outcome.status != expected.status or not same(expected.error, outcome.error):
        got = f"{outcome.status} {outcome.error} {outcome.cause} in {outcome.state}: {outcome.output}"
        yield Difference(seed, "ending", data, f"{expected.status} {expected.error} {expected.cause}: {expected.output}", got)
        return
    if outcome.status == "SUCCEEDED" and not same(expected.output, outcome.output):
        yield Difference(seed, "output", data, expected.output, outcome.output)
    if outcome.status == "FAILED" and not same(expected.cause, outcome.cause):
        yield Difference(seed, "cause", data, expected.cause, outcome.cause)
    if not same(data, given):
        yield Difference(seed, "the input was changed", data, data, given)
    if expected.cut:
        return
    tally.traces += 1
    after = _counts(program)
    for kind, wanted in (("entered", expected.entered), ("retried", expected.retried), ("caught", expected.caught)):
        got = after[kind] - before[kind]
        if got != wanted:
            yield Difference(seed, f"trace: {kind}", data, dict(wanted - got), dict(got - wanted))
    if recording is not None:
        yield from _steps(seed, data, expected, recording)


def _steps(seed: int, data: Any, expected: interpreter.Result, recording: Recording) -> Iterator[Difference]:
    """Every state's input, output and successor, in the order of each machine."""
    actual: dict[str, list[Any]] = {}
    for visit in recording.visits:
        left = [visit.output, visit.next] if visit.status in ("SUCCEEDED", "CAUGHT") else None
        actual.setdefault(visit.trail[: len(visit.trail) - len(visit.name)], []).append([visit.name, visit.input, left])
    wanted = {
        trail: [[step.name, step.input, None if step.left is None else list(step.left)] for step in steps]
        for trail, steps in expected.steps.items()
    }
    if wanted.keys() != actual.keys():
        yield Difference(seed, "trace: branches", data, sorted(wanted), sorted(actual))
        return
    for trail, steps in wanted.items():
        if not same(steps, actual[trail]):
            yield Difference(seed, f"trace: steps of {trail or 'the workflow'}", data, steps, actual[trail])
            return


def _as_text(program: express.Program, seed: int, data: Any, expected: interpreter.Result) -> Iterator[Difference]:
    try:
        with _patience():
            found: Any = json.loads(program.process(json.dumps(data).encode(), None))
        ending = ("SUCCEEDED", None)
    except StateError as error:
        found, ending = None, ("FAILED", error.error)
    except Exception as error:
        yield Difference(seed, "crashed as text", data, expected, f"{type(error).__name__}: {error}")
        return
    if ending != (expected.status, expected.error) or (ending[0] == "SUCCEEDED" and not same(expected.output, found)):
        yield Difference(seed, "as text", data, (expected.status, expected.error, expected.output), (ending, found))


@contextmanager
def _patience() -> Iterator[None]:
    """The library's budget is a time on the wall: a process that others keep from running would have expressions fail that are right."""
    budget, jsonata_library.MILLISECONDS = jsonata_library.MILLISECONDS, 60_000
    try:
        yield
    finally:
        jsonata_library.MILLISECONDS = budget


def same(expected: Any, actual: Any) -> bool:
    """Equal, numbers in their spelling too. What the engine says in its own words may be anything."""
    if isinstance(expected, str) and SAID in expected:
        return actual is None or isinstance(actual, str)
    if type(expected) is not type(actual):
        return False
    if isinstance(expected, dict):
        return list(expected) == list(actual) and all(same(expected[name], actual[name]) for name in expected)
    if isinstance(expected, list):
        return len(expected) == len(actual) and all(same(one, other) for one, other in zip(expected, actual, strict=True))
    return bool(expected == actual)


def functions(case: machines.Case) -> dict[str, Any]:
    return {name: _function(case, name, any(answer.waits for answer in answers)) for name, answers in case.functions.items()}


def _function(case: machines.Case, name: str, waits: bool) -> Callable[..., Any]:
    """A function that answers as the case says, and then spoils what it was given and what it gave: nobody may notice."""

    def answer(event: Any, context: Any) -> interpreter.Answer:
        found = case.tasks(name, copied(event), context.attempt)
        if isinstance(event, dict):
            event["spoilt"] = True
        elif isinstance(event, list):
            event.append("spoilt")
        if found.error is not None:
            raise express.TaskError(found.error, found.cause)
        return found

    if not waits:

        @express.function(name, run="inline")
        def inline(event: Any, context: Any) -> Any:
            return copied(answer(event, context).value)

        return inline

    @express.function(name)
    async def waiting(event: Any, context: Any) -> Any:
        seconds = case.functions[name][min(context.attempt, len(case.functions[name])) - 1].seconds
        await asyncio.sleep(seconds)
        return copied(answer(event, context).value)

    return waiting


def _counts(program: express.Program) -> dict[str, Counter[Any]]:
    metrics = program.metrics
    assert metrics is not None
    names = [name for name, _ in metrics.states]
    caught: Counter[tuple[str, str]] = Counter()
    for (number, _, following), count in metrics.catches.items():
        caught[names[number], following] += count
    return {
        "entered": Counter({name: metrics.entries(number) for number, name in enumerate(names)}),
        "retried": Counter({names[number]: count for number, count in metrics.retries.items()}),
        "caught": caught,
    }
