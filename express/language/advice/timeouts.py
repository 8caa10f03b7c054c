"""A Task without TimeoutSeconds: what it calls may never answer."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from express.errors import Problem
from express.language.advice.places import Place, advice
from express.language.codes import NO_TIMEOUT
from express.language.model import Task


def without_timeout(place: Place, not_idempotent: Collection[str]) -> Iterator[Problem]:
    """A workflow's own TimeoutSeconds does not count: it ends the execution, so that no Retry and no Catch is reached."""
    if isinstance(place.state, Task) and place.state.timeout_seconds is None:
        message = "there is no TimeoutSeconds: a call that never answers takes the whole execution with it, past Retry and Catch"
        yield advice(NO_TIMEOUT, place.state.location, message)
