"""What a failure says: the state, the line, the traceback; and what is kept of it."""

from __future__ import annotations

import gc
import inspect
import linecache
import traceback
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import express
from express.runtime.context import Execution
from express.runtime.failures import StateError
from tests.compiler.machines import choice, machine, map_, pass_, run, task

Compiled = Callable[..., express.Program]


def raised(program: express.Program, event: Any) -> BaseException:
    """What a plain program raises."""
    with pytest.raises(Exception) as caught:
        program.evaluate(event, Execution(program, event, 0.0, 300.0))
    return caught.value


def filename(program: express.Program) -> str:
    """Of generated code: ``<express NAME@SHA>``, with a number behind it while an equal program lives."""
    return program.evaluate.__code__.co_filename


def test_an_error_says_which_state_it_happened_in(compiled: Compiled) -> None:
    program = compiled(machine(A=pass_(), Charge=pass_(InputPath="$.lost")), "orders")
    error = raised(program, {})
    assert isinstance(error, StateError)
    assert (error.state, error.location) == ("Charge", "/States/Charge")
    assert filename(program).startswith(f"<express orders@{program.sha256[:8]}")
    assert program.explain(error) == f"in /States/Charge of {filename(program)}"


def test_a_state_inside_others_is_told_by_its_whole_place(compiled: Compiled) -> None:
    inner = machine(Deep=pass_(InputPath="$.lost"))
    program = compiled(machine(F={"Type": "Parallel", "Branches": [machine(M=map_(inner, ItemsPath="$.items"))]}))
    outcome = run(program, {"items": [1]})
    assert outcome.location == "/States/F/Branches/0/States/M/ItemProcessor/States/Deep"


def test_the_line_of_a_failure_is_in_the_traceback(compiled: Compiled) -> None:
    program = compiled(machine(Charge=pass_(Parameters={"total.$": "$.price"})), "orders", metrics=False)
    error = raised(program, {})
    text = "".join(traceback.format_exception(error))
    assert f'File "{filename(program)}", line ' in text
    broken = compiled(machine(Charge=task("f")), "broken", functions={"f": lambda event: 1}, metrics=False)
    broken.evaluate.__globals__["adopt"] = lambda *arguments: {}["defect"]  # a defect of the engine
    error = raised(broken, {})
    assert isinstance(error, KeyError)
    assert traceback.format_exception(error)[-1] == f"in /States/Charge of {filename(broken)}\n"
    assert 'data = adopt(result, 262144, "arn:aws:lambda:us-east-1:000000000000:function:f")\n' in "".join(
        traceback.format_exception(error)
    )


def test_a_defect_of_the_engine_is_told_apart_from_what_data_can_do(compiled: Compiled, caplog: pytest.LogCaptureFixture) -> None:
    program = compiled(machine(Charge=task("f")), "broken", functions={"f": lambda event: 1})
    program.evaluate.__globals__["adopt"] = lambda *arguments: {}["defect"]
    outcome = run(program, {})
    assert (outcome.status, outcome.error) == ("FAILED", "States.Runtime")
    assert f"the engine failed in /States/Charge of {filename(program)}" in caplog.text


def test_a_program_s_code_can_be_inspected_while_it_lives(compiled: Compiled) -> None:
    program = express.compile(machine(P=pass_()), "inspected")
    own = filename(program)
    assert inspect.getsource(program.evaluate) == program.source[program.source.index("def run") :]
    linecache.checkcache()
    assert own in linecache.cache
    again = express.compile(machine(P=pass_()), "inspected")
    assert filename(again) != own  # tracebacks of the one must not show lines of the other
    del program
    gc.collect()
    assert own not in linecache.cache
    assert filename(again) in linecache.cache


def test_a_program_is_gone_when_nobody_has_it() -> None:
    program = express.compile(machine(C=choice({"Variable": "$.a", "IsNull": True, "Next": "P"}, default="P"), P=pass_()))
    gone = weakref.ref(program)
    del program
    gc.collect()
    assert gone() is None


def test_events_are_counted_as_aws_counts_them_on_the_way(compiled: Compiled) -> None:
    program = compiled(machine(A=pass_(), T=task("f"), B=pass_(InputPath="$.lost")), functions={"f": lambda event: event})
    cause = run(program, {}).cause
    assert cause is not None
    assert "(entered at the event id #9)" in cause  # started, A entered, exited, T entered, scheduled, started, succeeded, exited


def test_a_cause_is_no_longer_than_aws_s(compiled: Compiled) -> None:
    cause = run(compiled(machine(A=pass_(Parameters={"x.$": "$.lost"}))), {"x": "x" * 100_000}).cause
    assert cause is not None
    assert len(cause) == 32_768


def test_an_outcome_keeps_nothing_of_the_event(compiled: Compiled) -> None:
    program = compiled(machine(A=pass_(InputPath="$.lost")))
    gc.collect()
    before = sum(isinstance(found, Execution) for found in gc.get_objects())
    outcomes = [run(program, {"number": number}) for number in range(20)]
    assert len(outcomes) == 20
    gc.collect()
    assert sum(isinstance(found, Execution) for found in gc.get_objects()) == before
