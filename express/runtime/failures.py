"""How a workflow fails: an error name, a cause, and the state it happened in."""

from __future__ import annotations


class StateError(Exception):
    """A failed state. ``state`` and ``location`` are filled in by the innermost state that failed.

    ``error`` is an ASL error name (``States.Timeout``, ``OutOfStock``) or None: a Fail state without Error. ``cause`` is text or None.
    """

    __slots__ = ("cause", "error", "location", "state")

    def __init__(self, error: str | None, cause: str | None = None, state: str | None = None, location: str | None = None) -> None:
        self.error, self.cause, self.state, self.location = error, cause, state, location

    def __str__(self) -> str:
        return f"{self.error}: {self.cause}" if self.cause else str(self.error)


class ExecutionTimedOut(StateError):  # noqa: N818 - named for what happened
    """The whole execution ran out of time (workflow TimeoutSeconds, or the 5 minutes): no Retry or Catch sees it; status TIMED_OUT."""

    __slots__ = ()


class ExecutionAborted(BaseException):
    """The execution is given up (drain deadline, lost partition, sibling branch failed): closes coroutines, never reported as a failure."""
