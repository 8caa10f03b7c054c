"""Tasks that are not retried and could be, and Tasks that are and must not be."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from express.errors import Problem
from express.language.advice.places import Place, advice
from express.language.codes import NO_RETRY, NOT_IDEMPOTENT
from express.language.findings import below, shown
from express.language.model import Literal, ObjectTemplate, Task

_SAYS_SO = re.compile(r"\bnot\s+idempotent\b|\bnon-?idempotent\b", re.IGNORECASE)
_FUNCTION = re.compile(r"(?:.*:function:)?([\w$-]+)(?::[\w$.-]+)?", re.ASCII | re.DOTALL)


def without_retry(place: Place, not_idempotent: Collection[str]) -> Iterator[Problem]:
    """Any Retry counts, also one around it (of the Map or Parallel state it is in), also MaxAttempts 0: somebody has thought of it."""
    task = place.state
    if not isinstance(task, Task) or task.retry or any(outer.retry for outer in place.around) or _says_so(task, not_idempotent):
        return
    message = "there is no Retry: a call that fails for a moment (a timeout, a throttle, a lost connection) fails for good"
    yield advice(NO_RETRY, task.location, message)


def not_idempotent(place: Place, not_idempotent: Collection[str]) -> Iterator[Problem]:
    """Retry on a Task whose Comment, or whose function, says that it is not idempotent."""
    task = place.state
    if not isinstance(task, Task) or not (says := _says_so(task, not_idempotent)):
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


def _says_so(task: Task, functions: Collection[str]) -> str | None:
    if task.comment and _SAYS_SO.search(task.comment):
        return "the Comment says that this is"
    name = _function(task)
    return f"the function {shown(name)} is" if name is not None and name in functions else None


def _function(task: Task) -> str | None:
    """The name of the Lambda function that is called, if it is known before it runs."""
    named: object = None
    if ":lambda:" in task.resource and ":function:" in task.resource:
        named = task.resource
    elif task.resource.rpartition(":::")[2].partition(".")[0] == "lambda:invoke":
        arguments = task.parameters
        if isinstance(arguments, Literal) and isinstance(arguments.value, dict):
            named = arguments.value.get("FunctionName")
        elif isinstance(arguments, ObjectTemplate):
            field = dict(arguments.fields).get("FunctionName")
            named = field.value if isinstance(field, Literal) else None
    found = _FUNCTION.fullmatch(named) if isinstance(named, str) else None
    return found[1] if found else None
