"""Workflows written by hand, with the suspensions that generated code uses: what tests of the executor run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from express import tasks
from express.clock import REAL, Clock
from express.executor import Executor
from express.outcome import Outcome
from express.runtime.context import Execution
from express.runtime.suspensions import call, call_inline
from express.tasks import Binding

Body = Callable[[Any, Execution], Any]


class Handmade:
    """A program around a coroutine function, or with ``plain=True`` around a function."""

    name = "handmade"
    sha256 = "0" * 64

    def __init__(self, evaluate: Body, *, plain: bool = False) -> None:
        self.evaluate, self.plain = evaluate, plain

    def explain(self, error: BaseException) -> str | None:
        return None


def execution_of(program: Handmade, value: Any = None, clock: Clock = REAL, seconds: float = 300) -> Execution:
    now = clock.time()
    return Execution(program, value, now, now + seconds, clock=clock)


def bound(function: Callable[..., Any], name: str = "work") -> Binding:
    """The binding of a Task state that calls ``function``."""
    return tasks.bind(f"arn:aws:lambda:us-east-1:000000000000:function:{name}", None, {name: function})


def calling(function: Callable[..., Any], timeout: float | None = None) -> Handmade:
    """A workflow of one Task state, 'Work'."""
    binding = bound(function)

    async def workflow(data: Any, execution: Execution) -> Any:
        if binding.inline is not None:
            return call_inline(execution, binding, data, "Work", 1, timeout)
        return await call(execution, binding, data, "Work", 1, timeout)

    return Handmade(workflow)


class Runs:
    """An executor and what became of the executions it was given."""

    def __init__(self, clock: Clock | None = None, threads: int = 32) -> None:
        self.executor = Executor(clock, threads)
        self.outcomes: dict[Execution, Outcome] = {}
        self._changed: asyncio.Event = asyncio.Event()

    def start(
        self, program: Handmade | Callable[[Any, Execution], Coroutine[Any, Any, Any]], value: Any = None, seconds: float = 300
    ) -> Execution:
        made = program if isinstance(program, Handmade) else Handmade(program)
        execution = execution_of(made, value, self.executor.clock, seconds)
        outcome = self.executor.start(made, value, execution, self._done)
        if outcome is not None:
            self._done(execution, outcome)
        return execution

    def _done(self, execution: Execution, outcome: Outcome) -> None:
        assert execution not in self.outcomes, "an execution ended twice"
        self.outcomes[execution] = outcome
        self._changed.set()

    async def outcome(self, execution: Execution) -> Outcome:
        while execution not in self.outcomes:
            self._changed.clear()
            await self._changed.wait()
        return self.outcomes[execution]

    async def all(self) -> list[Outcome]:
        while self.executor.parked:
            self._changed.clear()
            await self._changed.wait()
        return list(self.outcomes.values())

    async def __aenter__(self) -> Runs:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.executor.close()


def by_status(outcomes: list[Outcome]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.status] = counts.get(outcome.status, 0) + 1
    return counts
