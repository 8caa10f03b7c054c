"""A Catch that throws away what went wrong, or what it went wrong with."""

from __future__ import annotations

from collections.abc import Iterator

from express.errors import Problem
from express.language.advice.functions import Functions
from express.language.advice.places import Place, advice
from express.language.advice.reading import reads
from express.language.codes import DROPS_ERROR, DROPS_INPUT
from express.language.failures import ALL
from express.language.findings import below, shown
from express.language.model import Catcher, Fail, Fallible, Literal, Machine, Name, Pass, Succeed, Task

_OUTPUT = ("Error", "Cause")  # the fields of the Error Output
_EVERYTHING = (ALL, "States.TaskFailed")


def drops(place: Place, functions: Functions) -> Iterator[Problem]:
    if not isinstance(place.state, Fallible):
        return
    for number, catcher in enumerate(place.state.catch):
        location = below(place.state.location, "Catch", number)
        target = place.machine.states[catcher.next]
        if catcher.result_path is None:
            message = "ResultPath is null: nobody after this learns what went wrong; '$.error' keeps it beside the input"
            yield advice(DROPS_ERROR, location, message)
        elif _says_something_else(target, catcher):
            message = f"{shown(target.name)} says always the same, whatever went wrong: ErrorPath and CausePath pass on what did"
            yield advice(DROPS_ERROR, location, message)
        elif not catcher.result_path.segments and _wants_input(target, place.machine):
            message = (
                f"without ResultPath the error takes the place of the input, which {shown(target.name)} no longer has; '$.error' keeps both"
            )
            yield advice(DROPS_INPUT, location, message)


def _says_something_else(target: object, catcher: Catcher) -> bool:
    """A Fail state with words of its own for every error there is. For certain errors that is a translation, which is fine."""
    if not isinstance(target, Fail) or not any(name in _EVERYTHING for name in catcher.error_equals):
        return False
    return all(value is None or isinstance(value, Literal) for value in (target.error, target.cause))


def _wants_input(target: object, machine: Machine) -> bool:
    """Whether the handler looks at more than the Error Output. States that end, and those that take Error and Cause by name, do not."""
    if isinstance(target, Succeed | Fail):
        return False
    if isinstance(target, Pass) and target.result is not None:
        return False
    if isinstance(target, Task | Pass) and target.parameters is not None:
        return any(path.root == "$" and not _of_the_error(path.segments) for path in reads(target.parameters))
    return True


def _of_the_error(segments: tuple[object, ...]) -> bool:
    return bool(segments) and isinstance(segments[0], Name) and segments[0].name in _OUTPUT
