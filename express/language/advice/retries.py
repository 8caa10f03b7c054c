"""Tasks that are not retried and could be, and Tasks that are and must not be."""

from __future__ import annotations

import re
from collections.abc import Iterator

from express.errors import Problem
from express.language.advice.functions import Functions
from express.language.advice.places import Place, advice
from express.language.codes import NO_RETRY, NOT_IDEMPOTENT
from express.language.findings import below, shown
from express.language.model import Task

_SAYS_SO = re.compile(r"\bnot\s+idempotent\b|\bnon-?idempotent\b", re.IGNORECASE)


def without_retry(place: Place, functions: Functions) -> Iterator[Problem]:
    """Any Retry counts, also one around it (of the Map or Parallel state it is in), also MaxAttempts 0: somebody has thought of it."""
    task = place.state
    if not isinstance(task, Task) or task.retry or any(outer.retry for outer in place.around) or _says_so(task, functions):
        return
    message = "there is no Retry: a call that fails for a moment (a timeout, a throttle, a lost connection) fails for good"
    yield advice(NO_RETRY, task.location, message)


def not_idempotent(place: Place, functions: Functions) -> Iterator[Problem]:
    """Retry on a Task whose Comment, or whose function, says that it is not idempotent."""
    task = place.state
    if not isinstance(task, Task) or not (says := _says_so(task, functions)):
        return
    for number, retrier in enumerate(task.retry):
        if retrier.max_attempts > 0:
            message = (
                f"{says} not idempotent: an attempt that failed late (a timeout, a lost answer) may have done its work, and is done again"
            )
            yield advice(NOT_IDEMPOTENT, below(task.location, "Retry", number), message)
    for outer in place.around:
        if any(retrier.max_attempts > 0 for retrier in outer.retry):
            message = f"{says} not idempotent, and the Retry of {shown(outer.name)} around it runs it again"
            yield advice(NOT_IDEMPOTENT, task.location, message)


def _says_so(task: Task, functions: Functions) -> str | None:
    if task.comment and _SAYS_SO.search(task.comment):
        return "the Comment says that this is"
    name = functions.not_idempotent(task)
    return f"the function {shown(name)} is" if name is not None else None
