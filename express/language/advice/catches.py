"""A Catch that throws away what went wrong, or what it went wrong with."""

from __future__ import annotations

from collections.abc import Iterator

from express.errors import Problem
from express.language.advice.functions import Functions
from express.language.advice.places import Place, advice
from express.language.advice.reading import ERROR, INPUT, sources
from express.language.codes import DROPS_ERROR, DROPS_INPUT
from express.language.failures import ALL
from express.language.findings import below, shown
from express.language.model import Catcher, Expression, Fail, Fallible, Literal, Name, Pass, State, Succeed, Task

_OUTPUT = ("Error", "Cause")  # the fields of the Error Output
_EVERYTHING = (ALL, "States.TaskFailed")


def drops(place: Place, functions: Functions) -> Iterator[Problem]:
    if not isinstance(place.state, Fallible):
        return
    for number, catcher in enumerate(place.state.catch):
        location = below(place.state.location, "Catch", number)
        target = place.machine.states[catcher.next]
        kept = "Output with $states.errorOutput" if place.state.jsonata else "'$.error'"
        if _is_dropped(catcher, place.state.jsonata):
            if not _is_assigned(catcher, place.state.jsonata):
                why = "Output leaves $states.errorOutput out" if place.state.jsonata else "ResultPath is null"
                yield advice(DROPS_ERROR, location, f"{why}: nobody after this learns what went wrong; {kept} keeps it beside the input")
        elif _says_something_else(target, catcher):
            passed = "Error and Cause can pass on" if target.jsonata else "ErrorPath and CausePath pass on"
            yield advice(DROPS_ERROR, location, f"{shown(target.name)} says always the same, whatever went wrong: {passed} what did")
        elif _replaces_input(catcher, place.state.jsonata) and _wants_input(target):
            missing = "Output" if place.state.jsonata else "ResultPath"
            message = (
                f"without {missing} the error takes the place of the input, which {shown(target.name)} no longer has; {kept} keeps both"
            )
            yield advice(DROPS_INPUT, location, message)


def _is_dropped(catcher: Catcher, jsonata: bool) -> bool:
    """Whether the error output is not in what goes on."""
    if jsonata:
        return catcher.output is not None and not _reads(catcher.output, ERROR)
    return catcher.result_path is None


def _is_assigned(catcher: Catcher, jsonata: bool) -> bool:
    return any(_reads(value, ERROR if jsonata else INPUT) for _, value in catcher.assign)


def _reads(expression: Expression, wanted: str) -> bool:
    return any(root == wanted for root, _ in sources(expression))


def _replaces_input(catcher: Catcher, jsonata: bool) -> bool:
    return catcher.output is None if jsonata else catcher.result_path is not None and not catcher.result_path.segments


def _says_something_else(target: State, catcher: Catcher) -> bool:
    """A Fail state with words of its own for every error there is. For certain errors that is a translation, which is fine."""
    if not isinstance(target, Fail) or not any(name in _EVERYTHING for name in catcher.error_equals):
        return False
    return all(value is None or isinstance(value, Literal) for value in (target.error, target.cause))


def _wants_input(target: State) -> bool:
    """Whether the handler looks at more than the Error Output. States that end, and those that take Error and Cause by name, do not."""
    if isinstance(target, Succeed | Fail):
        return False
    if isinstance(target, Pass) and target.result is not None:
        return False
    taken = target.parameters if isinstance(target, Task | Pass) else None
    taken = target.output if taken is None and isinstance(target, Pass) else taken
    if taken is None:
        return True
    return any(root == INPUT and not (steps and isinstance(steps[0], Name) and steps[0].name in _OUTPUT) for root, steps in sources(taken))
