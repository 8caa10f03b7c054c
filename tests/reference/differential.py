"""A case in, every difference between Express and the reference interpreter out."""

from __future__ import annotations

import asyncio
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import express
from express.testing import VirtualClock
from tests.reference import interpreter, machines

NAME = "execution-1"


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
    """How much was compared, and of what."""

    pairs: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    features: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    traces: int = 0


def compare(seed: int, tally: Tally) -> Iterator[Difference]:
    case = machines.case(seed)
    try:
        program = express.compile(copy.deepcopy(case.definition), name="differential", functions=functions(case))
    except Exception as error:
        yield Difference(seed, "does not compile", None, case.definition, f"{type(error).__name__}: {error}")
        return
    for data in case.inputs:
        try:
            expected = interpreter.run(case.definition, data, case.tasks, name=NAME, start=machines.START)
        except interpreter.Endless:
            tally.skipped["endless"] += 1
            continue
        if expected.ambiguous:
            tally.skipped["ambiguous"] += 1
            continue
        before = _counts(program)
        given = copy.deepcopy(data)
        try:
            outcome = program.run(given, clock=VirtualClock(machines.START.timestamp()), name=NAME)
        except Exception as error:
            yield Difference(seed, "crashed", data, expected, f"{type(error).__name__}: {error}")
            continue
        tally.pairs += 1
        tally.features.update(case.features.keys())
        tally.endings[f"{expected.status} {expected.error if expected.error not in machines.ERRORS else 'own error'}"] += 1
        if (outcome.status, outcome.error) != (expected.status, expected.error):
            got = f"{outcome.status} {outcome.error} {outcome.cause} in {outcome.state}: {outcome.output}"
            yield Difference(seed, "ending", data, f"{expected.status} {expected.error} {expected.cause}: {expected.output}", got)
            continue
        if outcome.status == "SUCCEEDED" and not same(expected.output, outcome.output):
            yield Difference(seed, "output", data, expected.output, outcome.output)
        if outcome.status == "FAILED" and not same(expected.cause, outcome.cause):
            yield Difference(seed, "cause", data, expected.cause, outcome.cause)
        if not same(data, given):
            yield Difference(seed, "the input was changed", data, data, given)
        if not expected.cut:
            tally.traces += 1
            after = _counts(program)
            for kind, wanted in (("entered", expected.entered), ("retried", expected.retried), ("caught", expected.caught)):
                got = after[kind] - before[kind]
                if got != wanted:
                    yield Difference(seed, f"trace: {kind}", data, dict(wanted - got), dict(got - wanted))


def same(expected: Any, actual: Any) -> bool:
    """Equal, numbers in their spelling too. What the engine says in its own words may be anything."""
    if isinstance(expected, str) and interpreter.SAID in expected:
        return actual is None or isinstance(actual, str)
    if type(expected) is not type(actual):
        return False
    if isinstance(expected, dict):
        return list(expected) == list(actual) and all(same(expected[name], actual[name]) for name in expected)
    if isinstance(expected, list):
        return len(expected) == len(actual) and all(map(same, expected, actual))
    return bool(expected == actual)


def functions(case: machines.Case) -> dict[str, Any]:
    return {name: _function(case, name, any(answer.waits for answer in answers)) for name, answers in case.functions.items()}


def _function(case: machines.Case, name: str, waits: bool) -> Callable[..., Any]:
    """A function that answers as the case says, and then spoils what it was given and what it gave: nobody may notice."""

    def answer(event: Any, context: Any) -> interpreter.Answer:
        found = case.tasks(name, copy.deepcopy(event), context.attempt)
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
            return copy.deepcopy(answer(event, context).value)

        return inline

    @express.function(name)
    async def waiting(event: Any, context: Any) -> Any:
        seconds = case.functions[name][min(context.attempt, len(case.functions[name])) - 1].seconds
        await asyncio.sleep(seconds)
        return copy.deepcopy(answer(event, context).value)

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
