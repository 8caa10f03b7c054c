"""What a Task state can call. One file per kind of resource over the contract below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from express.runtime.context import Execution


class Cancel(Protocol):
    """Gives a call up. Its ``done`` is not called any more; a thread goes on until it returns, a process is killed."""

    def __call__(self) -> None: ...


class Binding(Protocol):
    """A resource bound once, at load. Exactly one of ``inline`` and ``start`` is used.

    ``inline``: called as ``inline(payload, execution, state, attempt)``, cannot suspend, returns the result, raises the function's own exception.
    ``start``: begins a call; ``done(result, error)`` is called exactly once, later, on the event loop (never from inside ``start``) unless cancelled.
    Neither adopts (checks and copies) the result nor translates exceptions: ``express.tasks.outcome`` does, in one place.
    """

    resource: str
    inline: Callable[[Any, Execution, str, int], Any] | None

    def start(self, payload: Any, execution: Execution, state: str, attempt: int, done: Callable[[Any, BaseException | None], None]) -> Cancel: ...

    def saturated(self) -> bool:
        """True while no further call could begin: the dispatcher pauses intake."""
        ...
