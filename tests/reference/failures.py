"""How a state fails, and whom an error is for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tests.reference.expressions import IntrinsicFailure, Missing
from tests.reference.queries import QueryFailed

SAID = "<said by the engine>"  # a cause in words that are nowhere specified


class Failed(Exception):  # noqa: N818
    """A state failed at ``time``. ``timed_out``: it was the whole execution. ``by_task``: it is the result of a task that is too large."""

    def __init__(self, error: str | None, cause: str | None, time: float, *, timed_out: bool = False, by_task: bool = False) -> None:
        super().__init__(error, cause)
        self.error, self.cause, self.time, self.timed_out, self.by_task = error, cause, time, timed_out, by_task


@contextmanager
def failing(now: float) -> Iterator[None]:
    """What an expression cannot give, is how its state fails."""
    try:
        yield
    except Missing:
        raise Failed("States.Runtime", SAID, now) from None
    except IntrinsicFailure:
        raise Failed("States.IntrinsicFailure", SAID, now) from None
    except QueryFailed:
        raise Failed("States.QueryEvaluationError", SAID, now) from None


def matches(names: Iterable[str], failure: Failed) -> bool:
    """ErrorEquals."""
    if failure.error == "States.Runtime":
        return False
    if failure.error in names:
        return True
    if failure.error == "States.DataLimitExceeded":
        return "States.ALL" in names and failure.by_task
    return "States.ALL" in names or ("States.TaskFailed" in names and failure.error != "States.Timeout")
