"""How a function runs: one small file per mode beside this one, all the same shape, found by the function's ``run``."""

from __future__ import annotations

import pkgutil
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from express.runtime.suspensions import Call
from express.tasks.function import Function
from express.tasks.invocation import Ended

MODES = {
    "async": "express.tasks.coroutines:Coroutines",
    "http": "express.tasks.remote:Http",
    "inline": "express.tasks.inline:Inline",
    "lambda": "express.tasks.remote:Lambda",
    "process": "express.tasks.processes:Processes",
    "thread": "express.tasks.threads:Threaded",
}


class Mode(Protocol):
    """Runs one function. ``start`` and ``cancel`` as in Binding; ``ended`` is called once, on the event loop, when the call has given its
    place back: for a thread that is when the function returns, however long its call is over."""

    def start(self, call: Call, payload: Any, arn: str, ended: Ended | None = None) -> None: ...

    def cancel(self, call: Call) -> None: ...

    def saturated(self) -> bool: ...


def mode_of(function: Function[Any]) -> Mode:
    """How ``function`` runs, within its own concurrency limit."""
    kind: Callable[[Function[Any]], Mode] = pkgutil.resolve_name(MODES[function.run])
    mode = kind(function)
    return mode if function.concurrency is None else Limited(mode, function)


class Limited:
    """At most ``concurrency`` calls of a function at a time; the others wait here, first come first served (as many as are in flight)."""

    def __init__(self, mode: Mode, function: Function[Any]) -> None:
        self._mode, self._function = mode, function

    def start(self, call: Call, payload: Any, arn: str, ended: Ended | None = None) -> None:
        places: Places = call.host.service(Places)  # type: ignore[attr-defined]
        places.of(self._function).start(self._mode, call, payload, arn)

    def cancel(self, call: Call) -> None:
        self._mode.cancel(call)  # one that still waits is passed over when its turn comes

    def saturated(self) -> bool:
        return self._mode.saturated()


class Places:
    """The places of all limited functions, one set per executor."""

    stuck = 0

    def __init__(self, executor: Any) -> None:
        self._of: dict[Function[Any], Turns] = {}

    def of(self, function: Function[Any]) -> Turns:
        found = self._of.get(function)
        if found is None:
            found = self._of[function] = Turns(function.concurrency or 1)
        return found

    async def close(self) -> None:
        self._of.clear()


class Turns:
    """The places of one function, and who waits for one."""

    def __init__(self, places: int) -> None:
        self.free = places
        self.waiting: deque[tuple[Mode, Call, Any, str]] = deque()

    def start(self, mode: Mode, call: Call, payload: Any, arn: str) -> None:
        if not self.free:
            self.waiting.append((mode, call, payload, arn))
            return
        self.free -= 1
        try:
            mode.start(call, payload, arn, self.ended)
        except BaseException:
            self.ended()
            raise

    def ended(self) -> None:
        self.free += 1
        while self.free and self.waiting:
            mode, call, payload, arn = self.waiting.popleft()
            if call.fiber is not None:
                try:
                    self.start(mode, call, payload, arn)
                except Exception as error:
                    call.fail(error)
