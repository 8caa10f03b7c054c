"""A case with a difference in, a smaller one with the same difference out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from tests.reference.differential import Difference, Tally, compare_case
from tests.reference.expressions import copied
from tests.reference.machines import Case

MOST_SECONDS = 30  # of one shrinking


def smaller(case: Case, seed: int, difference: Difference) -> Case:
    """The case with one input, without whatever is not needed for ``difference``."""
    kind = _kind(difference)

    def differs(candidate: Case) -> bool:
        try:
            return any(_kind(each) == kind for each in compare_case(candidate, seed, Tally()))
        except Exception:  # a definition that is none: the reference does not check it
            return False

    for data in case.inputs:
        one = replace(case, inputs=[data])
        if differs(one):
            case = one
            break
    until = time.process_time() + MOST_SECONDS
    smallest = False
    while not smallest:
        smallest = True
        position = 0  # what could not be left out before, can hardly be left out after something else was
        while (candidate := next(islice(_candidates(case), position, None), None)) is not None:
            if time.process_time() > until:
                return case
            if differs(candidate):
                case, smallest = candidate, False
            else:
                position += 1
    return case


def shown(case: Case) -> str:
    """The definition, the input and what its functions answer, to be read and copied."""
    used = json.dumps(case.definition)
    functions = {name: answers for name, answers in case.functions.items() if f"function:{name}" in used or f"'{name}'" in used}
    parts = [json.dumps(case.definition, indent=1, ensure_ascii=False), "input: " + json.dumps(case.inputs[0], ensure_ascii=False)]
    return "\n".join([*parts, *(f"{name}: {str(answers)[:600]}" for name, answers in functions.items())])


def _kind(difference: Difference) -> str:
    if difference.what == "does not compile":
        return f"{difference.what}: {difference.actual.split(':')[0]}: {difference.actual.rpartition(':')[2]}"
    if difference.what == "ending":
        return f"ending: {difference.expected.split()[:2]} {difference.actual.split()[:2]}"
    return difference.what.split(" of ")[0]


def _candidates(case: Case) -> Iterator[Case]:
    yield from _definitions(case)
    yield from _inputs(case)


def _definitions(case: Case) -> Iterator[Case]:
    for edit in _edits(case.definition):
        definition = copied(case.definition)
        edit(definition)
        _prune(definition)
        if definition != case.definition:
            yield replace(case, definition=definition)


def _inputs(case: Case) -> Iterator[Case]:
    data = case.inputs[0]
    if isinstance(data, dict):
        for name in data:
            yield replace(case, inputs=[{other: value for other, value in data.items() if other != name}])
    if data != {}:
        yield replace(case, inputs=[{}])


def _edits(definition: dict[str, Any]) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Ways to make a definition smaller: the large ones first. Each is done to a copy."""
    places = sorted(_places(definition, ()), key=len)
    for place in places:
        if place[-1] == "Next" and "Choices" not in place and "Catch" not in place:
            yield lambda copy, place=place: _end(_at(copy, place[:-1]))
        if place[-1] == "StartAt":
            for other in _at(definition, place[:-1])["States"]:
                yield lambda copy, place=place, other=other: _at(copy, place[:-1]).update(StartAt=other)
    for place in places:
        yield lambda copy, place=place: _at(copy, place[:-1]).__delitem__(place[-1])


def _end(state: dict[str, Any]) -> None:
    del state["Next"]
    state["End"] = True


def _places(value: Any, place: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*place, name)
        yield from _places(inner, (*place, name))


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for name in place:
        value = value[name]
    return value


def _prune(machine: Any) -> None:
    """States that nothing leads to any more."""
    if isinstance(machine, list):
        for each in machine:
            _prune(each)
    if not isinstance(machine, dict):
        return
    for each in machine.values():
        _prune(each)
    states = machine.get("States")
    if not isinstance(states, dict) or "StartAt" not in machine:
        return
    reached, pending = set(), [machine["StartAt"]]
    while pending:
        name = pending.pop()
        if name in reached or name not in states:
            continue
        reached.add(name)
        state = states[name]
        pending += [holder.get("Next") for holder in (state, *state.get("Choices", ()), *state.get("Catch", ()))]
        pending.append(state.get("Default"))
    for name in set(states) - reached:
        del states[name]
