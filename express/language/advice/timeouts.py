"""A Task without TimeoutSeconds, or with one that is of no use: what it calls may never answer."""

from __future__ import annotations

from collections.abc import Iterator

from express.errors import Problem
from express.language.advice.functions import Functions
from express.language.advice.places import Place, advice
from express.language.codes import LATE_TIMEOUT, NO_TIMEOUT
from express.language.model import Task


def without_timeout(place: Place, functions: Functions) -> Iterator[Problem]:
    """A workflow's own TimeoutSeconds does not count: it ends the execution, so that no Retry and no Catch is reached."""
    if isinstance(place.state, Task) and place.state.timeout_seconds is None:
        message = "there is no TimeoutSeconds: a call that never answers takes the whole execution with it, past Retry and Catch"
        yield advice(NO_TIMEOUT, place.state.location, message)


def judged_too_late(place: Place, functions: Functions) -> Iterator[Problem]:
    """Nothing can interrupt a function that runs in the loop itself."""
    if isinstance(place.state, Task) and place.state.timeout_seconds is not None and (name := functions.inline(place.state)):
        message = f"the function {name!r} runs inline: whether it took too long is known when it returns (run='thread' can be left)"
        yield advice(LATE_TIMEOUT, place.state.location, message)
