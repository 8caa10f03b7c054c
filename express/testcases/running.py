"""One case in, run in virtual time, what did not come out as expected out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isclose
from time import perf_counter
from typing import Any

import msgspec

from express.observers.recording import Recording, Visit
from express.outcome import Outcome
from express.runtime.values import loads
from express.testcases import paths
from express.testcases.files import ABSENT, CaseData, CaseFile, Expectation
from express.testcases.matching import differences, shown
from express.testcases.workbench import BEGIN, Workbench
from express.testing import VirtualClock
from express.units import duration_text

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z: a case answers the same on every day
NEAR = 0.1  # seconds: timeouts of calls are rounded up to ticks
MOST = 20  # differences that are shown of one value


class Result(msgspec.Struct, kw_only=True):
    """What became of a case. ``problems`` are whole lines; none means that it passed. ``unused`` are mocks of the file that it did not
    use. ``seconds`` is real time, ``elapsed`` virtual."""

    problems: list[str]
    outcome: Outcome
    visits: list[Visit]
    used: frozenset[str]
    seconds: float
    elapsed: float

    @property
    def passed(self) -> bool:
        return not self.problems


def run(bench: Workbench, file: CaseFile, case: CaseData) -> Result:
    """Runs a case; whatever happens in it is a Result."""
    mocks = {**file.data.mocks, **case.mocks}
    program = bench.program(case.start_at, case.variables, mocks)
    stage = bench.stage
    stage.set(mocks)
    start = next((moment for moment in (case.start, file.data.start) if moment is not None), START)
    clock, recording = VirtualClock(start), Recording()
    context = {**file.data.context, **case.context}
    began = perf_counter()
    outcome = program.run(_input(file, case), clock=clock, name=case.name, context=context or None, trace=recording)
    seconds = perf_counter() - began
    visits = [visit for visit in recording.visits if visit.name != BEGIN]
    problems = [*stage.problems, *_outcome(case.expect, outcome), *_way(case.expect, visits), *_calls(case.expect, stage.calls)]
    problems += _variables(case.expect, recording.visits)
    if case.expect.takes is not None and not isclose(clock.time(), case.expect.takes, rel_tol=0, abs_tol=NEAR):
        problems.append(f"takes: expected {duration_text(case.expect.takes)}, found {duration_text(clock.time())} of virtual time")
    problems += [f"mocks: {sentence}" for state, sentence in stage.left().items() if state in case.mocks]
    return Result(problems=problems, outcome=outcome, visits=visits, used=frozenset(stage.used), seconds=seconds, elapsed=clock.time())


def _input(file: CaseFile, case: CaseData) -> Any:
    if case.input_file is not None:
        return loads((file.path.parent / case.input_file).read_bytes())
    return {} if case.input is ABSENT else case.input


# --- What is expected -----------------------------------------------------------------------------------------------------------------


def _outcome(expect: Expectation, outcome: Outcome) -> Iterator[str]:
    fails = expect.error is not None or expect.cause is not None or expect.cause_has is not None
    wanted = expect.status or (None if fails else "SUCCEEDED")
    if wanted not in (None, outcome.status) or (wanted is None and outcome.status == "SUCCEEDED"):
        yield f"status: expected {wanted or 'FAILED'}, found {_said(outcome)}"
        return
    if outcome.status == "SUCCEEDED":
        if expect.output is not ABSENT:
            yield from _cut("output", differences(expect.output, outcome.output))
        if expect.output_has is not ABSENT:
            yield from _cut("output_has", differences(expect.output_has, outcome.output, partly=True))
        return
    if expect.error not in (None, outcome.error):
        yield f"error: expected {expect.error}, found {_said(outcome)}"
    if expect.cause not in (None, outcome.cause):
        yield f"cause: expected {shown(expect.cause)}, found {shown(outcome.cause)}"
    if expect.cause_has is not None and expect.cause_has not in (outcome.cause or ""):
        yield f"cause_has: expected a cause with {shown(expect.cause_has)} in it, found {shown(outcome.cause)}"


def _said(outcome: Outcome) -> str:
    """``FAILED with OutOfStock: nothing left, in /States/Charge``"""
    if outcome.status == "SUCCEEDED":
        return f"SUCCEEDED with {shown(outcome.output)}"
    what = f"{outcome.error}{f': {outcome.cause}' if outcome.cause else ''}" if outcome.error else "no error name"
    return f"{outcome.status} with {what}{f', in {outcome.location}' if outcome.location else ''}"


def _cut(what: str, found: Iterator[str]) -> Iterator[str]:
    lines = list(found)
    for line in lines[:MOST]:
        yield f"{what}: {line}"
    if len(lines) > MOST:
        yield f"{what}: and {len(lines) - MOST} more differences"


def _way(expect: Expectation, visits: Sequence[Visit]) -> list[str]:
    return [] if expect.path is None else paths.problems(expect.path, visits)


def _variables(expect: Expectation, visits: Sequence[Visit]) -> Iterator[str]:
    """Those of the workflow itself, as the last state has left them."""
    found: dict[str, Any] = {}
    for visit in visits:
        if visit.parent is None:
            found |= visit.assigned
    for name, value in expect.variables.items():
        if name not in found:
            yield f"variables: expected {name} to be {shown(value)}, nothing has assigned it"
        else:
            yield from _cut("variables", differences(value, found[name], place=f"${name}"))


def _calls(expect: Expectation, calls: dict[str, list[Any]]) -> Iterator[str]:
    for state, wanted in expect.calls.items():
        found = calls.get(state, [])
        if len(found) != len(wanted):
            yield f"calls: expected {len(wanted)} of {state}, found {len(found)}: {shown(found)}"
            continue
        for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from _cut(f"calls of {state}", differences(one, other, place=f"[{number}]"))
