"""Times in a definition that an Express execution does not have."""

from __future__ import annotations

from collections.abc import Iterator

from express.errors import Problem
from express.language.advice.places import places
from express.language.codes import TOO_LONG
from express.language.findings import below
from express.language.model import Literal, State, Task, Wait, Workflow

EXECUTION = 300  # AWS: seconds of an Express execution


def check(workflow: Workflow) -> list[Problem]:
    """A WARNING for each: AWS accepts the definition, and the execution ends before."""
    return [problem for place in places(workflow) for problem in _of(place.state)]


def _of(state: State) -> Iterator[Problem]:
    if isinstance(state, Wait) and isinstance(state.seconds, Literal) and state.seconds.value >= EXECUTION:
        message = f"an execution may last {EXECUTION} seconds: it ends while it waits here for {state.seconds.value}"
        yield Problem("WARNING", TOO_LONG, below(state.location, "Seconds"), message)
    if isinstance(state, Task) and isinstance(state.timeout_seconds, Literal) and state.timeout_seconds.value > EXECUTION:
        message = f"an execution may last {EXECUTION} seconds: it ends before the {state.timeout_seconds.value} of this Task are over"
        yield Problem("WARNING", TOO_LONG, below(state.location, "TimeoutSeconds"), message)
