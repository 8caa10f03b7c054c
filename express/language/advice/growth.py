"""Data that grows: with each turn of a loop, with each item of a Map, with each branch of a Parallel state."""

from __future__ import annotations

from collections.abc import Iterator

from express.errors import Problem
from express.language.advice.functions import Functions
from express.language.advice.places import Place, advice, onward
from express.language.advice.reading import certain, fields, holds, inside, reads
from express.language.codes import GROWS
from express.language.distributed import INLINE
from express.language.findings import shown
from express.language.model import (
    ArrayTemplate,
    Call,
    Choice,
    Expression,
    Fail,
    Fallible,
    Machine,
    Map,
    Parallel,
    Pass,
    Path,
    State,
    Step,
    Succeed,
    Task,
    Wait,
)

_APPEND = ("Array", "Format")  # a value that holds all of its arguments; JsonMerge has the same keys again and again
_LIMIT = "until it is over 256 KiB and fails with States.DataLimitExceeded"


def grows(place: Place, functions: Functions) -> Iterator[Problem]:
    state = place.state
    if place.in_loop and isinstance(state, Pass) and state.parameters is not None and state.result_path is not None:
        at = certain(state.result_path)
        for steps, value in fields(state.parameters, at):
            if _appends(value, steps, state.input_path):
                name = ".".join(["$", *(str(getattr(step, "name", getattr(step, "index", ""))) for step in steps)])
                message = f"{shown(name)} is made of itself and more in a loop: it grows with each turn, {_LIMIT}"
                yield advice(GROWS, state.location, message)
    if isinstance(state, Map):
        yield from _map(state)
    elif isinstance(state, Parallel):
        yield from _parallel(state)


def _appends(value: Expression, at: tuple[object, ...], input_path: Path | None) -> bool:
    """Whether ``value``, put at ``at``, holds what was there before and something beside it."""
    before = () if input_path is None else certain(input_path)
    for each in inside(value):
        if isinstance(each, Path) and each is value:
            steps = (*before, *certain(each))
            if each.root == "$" and len(steps) < len(at) and holds(steps, at):  # type: ignore[arg-type]
                return True  # the whole within itself
        elif isinstance(each, ArrayTemplate) or (isinstance(each, Call) and each.function in _APPEND):
            for path in reads(each):
                if path.root == "$" and holds((*before, *certain(path)), at):  # type: ignore[arg-type]
                    return True
    return False


def _map(state: Map) -> Iterator[Problem]:
    if state.result_path is None or state.result_selector is not None or state.mode != INLINE:
        return
    carries = _carries(state.processor)
    items = certain(state.items_path)
    if (
        carries
        and state.parameters is not None
        and any(path.root == "$" and holds(certain(path), items) for path in reads(state.parameters))
    ):
        message = f"each item takes the whole list along and returns it: of n items the result has n lists, {_LIMIT}"
    elif carries or any(_whole_result(end) for end in _ends(state.processor)):
        message = f"what the items return is kept whole: the result grows with their number, {_LIMIT} (a ResultSelector keeps less)"
    else:
        return
    yield advice(GROWS, state.location, message)


def _parallel(state: Parallel) -> Iterator[Problem]:
    if state.result_path is None or state.result_selector is not None or state.parameters is not None:
        return
    copies = sum(_carries(branch) for branch in state.branches)
    if copies > 1:
        message = (
            f"{copies} branches return all of their input: the result holds it {copies} times (Parameters or a ResultSelector keeps less)"
        )
        yield advice(GROWS, state.location, message)


def _ends(machine: Machine) -> list[State]:
    return [state for state in machine.states.values() if not onward(state) and not isinstance(state, Fail)]


def _whole_result(state: State) -> bool:
    if not isinstance(state, Task) or state.result_selector is not None or state.result_path is None:
        return False
    return state.output_path is not None and not state.output_path.segments


def _carries(machine: Machine) -> bool:
    """Whether there is a way on which all of the machine's input comes out again."""
    seen: set[str] = set()
    todo = [machine.start_at]
    while todo:
        name = todo.pop()
        state = machine.states[name]
        if name in seen or not _passes_on(state):
            continue
        seen.add(name)
        if not onward(state) and not isinstance(state, Choice):
            return True
        todo += onward(state)
    return False


def _passes_on(state: State) -> bool:
    if state.input_path is None or state.input_path.segments or state.output_path is None or state.output_path.segments:
        return False
    if isinstance(state, Choice | Wait | Succeed):
        return True
    if isinstance(state, Pass) and state.result is None and state.parameters is None:
        return True
    if isinstance(state, Pass | Fallible):
        return state.result_path is None or bool(state.result_path.segments)
    return isinstance(state, Step)
