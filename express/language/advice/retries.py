"""Tasks that are not retried and could be, and Tasks that are and must not be."""

from __future__ import annotations

import re
from collections.abc import Iterator

from express.errors import Problem
from express.language.advice.functions import Functions
from express.language.advice.places import Place, advice
from express.language.codes import NO_RETRY, NOT_IDEMPOTENT
from express.language.findings import below, shown
from express.language.model import Retrier, Task

_SAYS_SO = re.compile(r"\bnot\s+idempotent\b|\bnon-?idempotent\b", re.IGNORECASE)
_PASSES = re.compile(
    r"\AStates\.(?:ALL|TaskFailed|Timeout|HeartbeatTimeout|Http\.)|\A(?!States\.)\w+\.\w|time.?out|throttl|too.?many|rate.?limit|unavailable|"
    r"connect|network|socket|transient|temporar|busy|conflict|retr(?:y|iable)|internal|service|server|OSError|IOError",
    re.IGNORECASE,
)  # errors that may be gone at the next attempt: ASL's own, services' (``Lambda.ServiceException``), others by their words


def without_retry(place: Place, functions: Functions) -> Iterator[Problem]:
    """A Retry counts that can mean an error which passes, also one around it (of the Map or Parallel state it is in), also MaxAttempts 0:
    somebody has thought of it."""
    task = place.state
    if not isinstance(task, Task) or _says_so(task, functions):
        return
    retriers = [*task.retry, *(retrier for outer in place.around for retrier in outer.retry)]
    if any(map(_means_what_passes, retriers)):
        return
    none = "no Retry means an error that passes" if retriers else "there is no Retry"
    yield advice(
        NO_RETRY, task.location, f"{none}: a call that fails for a moment (a timeout, a throttle, a lost connection) fails for good"
    )


def _means_what_passes(retrier: Retrier) -> bool:
    return any(_PASSES.search(error) for error in retrier.error_equals)


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
