"""Data that grows: with each turn of a loop, with each item of a Map, with each branch of a Parallel state."""

from __future__ import annotations

from collections.abc import Iterator

from express.errors import Problem
from express.language.advice.functions import Functions
from express.language.advice.places import Place, advice, onward
from express.language.advice.reading import INPUT, Steps, certain, fields, holds, joined, sources, whole
from express.language.codes import GROWS
from express.language.distributed import INLINE
from express.language.findings import shown
from express.language.model import (
    Choice,
    Expression,
    Fail,
    Fallible,
    Jsonata,
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

_LIMIT = "until it is over 256 KiB and fails with States.DataLimitExceeded"


def grows(place: Place, functions: Functions) -> Iterator[Problem]:
    state = place.state
    if place.in_loop:
        for steps, value, before in _made(state):
            if _is_made_of_itself(value, steps, before):
                name = ".".join(["$states.input" if state.jsonata else "$", *(str(_name(step)) for step in steps)])
                message = f"{shown(name)} is made of itself and more in a loop: it grows with each turn, {_LIMIT}"
                yield advice(GROWS, state.location, message)
        for name, value in _assigned(state):
            if any(root == f"${name}" for part in joined(value) for root, _ in sources(part)):
                message = f"the variable {shown('$' + name)} is made of itself and more in a loop: it grows with each turn, {_LIMIT}"
                yield advice(GROWS, state.location, message)
    if isinstance(state, Map):
        yield from _map(state)
    elif isinstance(state, Parallel):
        yield from _parallel(state)


def _name(step: object) -> object:
    return getattr(step, "name", getattr(step, "index", ""))


# --- Loops ------------------------------------------------------------------------------------------------------------------------


def _made(state: State) -> Iterator[tuple[Steps, Expression, Steps]]:
    """The fields that a state makes of its input: the place of each in the next input, its value, and where that one's ``$`` is."""
    made: list[tuple[Expression, Steps, Steps]] = []
    if state.jsonata:
        made += [(output, (), ()) for output in _outputs(state)]
    elif isinstance(state, Pass) and state.parameters is not None and state.result_path is not None and state.input_path is not None:
        made.append((state.parameters, certain(state.result_path), certain(state.input_path)))
    for expression, at, before in made:
        for steps, value in fields(expression, at):
            yield steps, value, before


def _outputs(state: State) -> Iterator[Expression]:
    """Every Output of a JSONata state: its own, those of its rules and of its Catchers."""
    for entry in (state, *(state.rules if isinstance(state, Choice) else state.catch if isinstance(state, Fallible) else ())):
        if entry.output is not None:
            yield entry.output


def _assigned(state: State) -> Iterator[tuple[str, Expression]]:
    """Every Assign of a state: its own, those of its rules and of its Catchers."""
    if isinstance(state, Step | Choice):
        yield from state.assign
    for entry in state.rules if isinstance(state, Choice) else state.catch if isinstance(state, Fallible) else ():
        yield from entry.assign


def _is_made_of_itself(value: Expression, at: Steps, before: Steps) -> bool:
    """Whether ``value``, put at ``at``, holds what was there, and something beside it."""
    if isinstance(value, Path | Jsonata) and at:  # the whole within itself
        steps = next((steps for root, steps in sources(value) if root == INPUT), None) if _is_plain(value) else None
        if steps is not None and len((*before, *steps)) < len(at) and holds((*before, *steps), at):
            return True
    return any(root == INPUT and holds((*before, *steps), at) and at for part in joined(value) for root, steps in sources(part))


def _is_plain(value: Path | Jsonata) -> bool:
    """A path, with nothing around it."""
    return isinstance(value, Path) or type(value.node).__name__ == "Path"


# --- Map and Parallel -------------------------------------------------------------------------------------------------------------


def _map(state: Map) -> Iterator[Problem]:
    if state.result_path is None or state.result_selector is not None or state.output is not None or state.mode != INLINE:
        return
    carries = _carries(state.processor)
    items = certain(state.items_path)
    taken = sources(state.parameters) if carries and state.parameters is not None else ()
    if any(root == INPUT and holds(steps, items) for root, steps in taken):
        message = f"each item takes the whole list along and returns it: of n items the result has n lists, {_LIMIT}"
    elif carries or any(_whole_result(end) for end in _ends(state.processor)):
        less = "Output" if state.jsonata else "a ResultSelector"
        message = f"what the items return is kept whole: the result grows with their number, {_LIMIT} ({less} keeps less)"
    else:
        return
    yield advice(GROWS, state.location, message)


def _parallel(state: Parallel) -> Iterator[Problem]:
    shaped = (state.result_selector, state.parameters, state.output)
    if state.result_path is None or any(each is not None for each in shaped):
        return
    copies = sum(_carries(branch) for branch in state.branches)
    if copies > 1:
        less = "Arguments or Output" if state.jsonata else "Parameters or a ResultSelector"
        message = f"{copies} branches return all of their input: the result holds it {copies} times ({less} keeps less)"
        yield advice(GROWS, state.location, message)


def _ends(machine: Machine) -> list[State]:
    return [state for state in machine.states.values() if not onward(state) and not isinstance(state, Fail)]


def _whole_result(state: State) -> bool:
    if not isinstance(state, Task) or state.result_selector is not None or state.result_path is None or state.output is not None:
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
    """Whether all of a state's input is in its output."""
    if state.output is not None:
        return whole(state.output, INPUT)
    if state.input_path is None or state.input_path.segments or state.output_path is None or state.output_path.segments:
        return False
    if isinstance(state, Choice | Wait | Succeed):
        return True
    if isinstance(state, Pass) and state.result is None and state.parameters is None:
        return True
    if isinstance(state, Pass | Fallible):
        return not state.jsonata and (state.result_path is None or bool(state.result_path.segments))
    return isinstance(state, Step)
