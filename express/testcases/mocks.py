"""What Task states call while a case runs: the case's answers, else the real function, else a failure that fails the case."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from express.language.model import Fallible
from express.runtime.context import Execution
from express.runtime.failures import StateError
from express.runtime.limits import PAYLOAD
from express.runtime.suspensions import Call
from express.runtime.values import adopt, copy
from express.tasks import Binding
from express.testcases.files import ABSENT, Answer, Mock
from express.testcases.matching import has, shown

NO_MOCK = "States.TaskFailed"


class Stage:
    """The answers of the case that runs, and what has been asked. One for all Tasks of a program; ``set`` before every case.

    ``calls``: the payloads that each state's task was called with, in order. ``problems``: what a mock was missing for.
    """

    def __init__(self) -> None:
        self.calls: dict[str, list[Any]] = {}
        self.problems: list[str] = []
        self.used: set[str] = set()
        self._told: set[str] = set()
        self._left: dict[str, list[Answer]] = {}
        self._always: dict[str, Answer] = {}

    def set(self, mocks: Mapping[str, Mock]) -> None:
        self.calls, self.problems, self.used, self._told = {}, [], set(), set()
        self._always = {state: mock for state, mock in mocks.items() if isinstance(mock, Answer)}
        self._left = {
            state: [answer for answer in mock for _ in range(answer.times)] for state, mock in mocks.items() if not isinstance(mock, Answer)
        }

    def mocked(self, state: str) -> bool:
        return state in self._always or state in self._left

    def left(self) -> dict[str, str]:
        """What nobody has asked for, one sentence a state."""
        never = {state: f"{state} was never called" for state in (*self._always, *self._left) if state not in self.calls}
        some = {
            state: f"{len(answers)} of the answers of {state} {_were(answers)} not asked for"
            for state, answers in self._left.items()
            if answers
        }
        none = {state: f"no call of {state} had a payload for its answer" for state in self._always if state not in self.used}
        return none | some | never

    def called(self, state: str, payload: Any) -> None:
        self.calls.setdefault(state, []).append(copy(payload))

    def answer(self, state: str, payload: Any, index: int | None) -> Answer | None:
        """The answer to a call in iteration ``index``; None, with a problem written down, where there is none."""
        always = self._always.get(state)
        if always is not None and _fits(always, payload, index):
            self.used.add(state)
            return always
        left = self._left.get(state, [])
        for number, answer in enumerate(left):
            if _fits(answer, payload, index):
                self.used.add(state)
                return left.pop(number)
        self._missing(state, payload, [*left, *([] if always is None else [always])], index)
        return None

    def _missing(self, state: str, payload: Any, others: list[Answer], index: int | None) -> None:
        asked = len(self.calls[state])
        if any(answer.index is not None for answer in others):
            what = f"none of its mocks is for this payload in {'no iteration' if index is None else f'iteration {index}'}"
        elif others:
            what = "none of its mocks is for this payload"
        elif state in self._left:
            what = f"its mocks have answered {asked - 1} {'time' if asked == 2 else 'times'} and are used up"
        else:
            what = f"it has neither a mock nor a function: give one of mocks: {{{state}: {{result: ...}}}} and functions"
        if state not in self._told:  # once: a retrier would ask again
            self._told.add(state)
            self.problems.append(f"{state} was called with {shown(payload)}, but {what}")


def _were(answers: list[Answer]) -> str:
    return "was" if len(answers) == 1 else "were"


def _fits(answer: Answer, payload: Any, index: int | None) -> bool:
    return answer.index in (None, index) and (answer.when is ABSENT or has(payload, answer.when))


def around(location: str) -> Iterator[str]:
    """What a state is in, from the inside out: ``Map`` or ``Parallel`` for each, by its JSON pointer."""
    # /States/Name, then /Branches/0 or /ItemProcessor (once /Iterator), and so on
    parts = iter(location.split("/")[1:])
    found = []
    for _ in parts:
        next(parts)
        inside = next(parts, None)
        if inside == "Branches":
            next(parts)
        if inside is not None:
            found.append("Parallel" if inside == "Branches" else "Map")
    yield from reversed(found)


class _Given:
    """A result out of a mock, on its way to the state."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Mocked(Binding):
    """A Task's binding in tests. ``real`` is what a function provides, or None."""

    inline = None

    def __init__(self, state: Fallible, resource: str, real: Binding | None, stage: Stage) -> None:
        self.resource = resource
        outer = list(around(state.location))
        self._inside = outer.index("Map") if "Map" in outer else None  # so many Parallel states are between it and the Map around
        self.label = getattr(real, "label", resource)
        self.compact = getattr(real, "compact", False)
        self._state, self._real, self._stage = state.name, real, stage

    def start(self, call: Call) -> None:
        stage, real = self._stage, self._real
        stage.called(self._state, call.payload)
        if real is not None and not stage.mocked(self._state):
            if real.inline is None:
                real.start(call)
            else:
                call.finish(real.inline(call.payload, call.execution, call.state, call.attempt))
            return
        answer = stage.answer(self._state, call.payload, self._iteration(call))
        if answer is None:
            raise StateError(NO_MOCK, f"{self._state} has no mock for this call")
        if answer.after:
            call.job = asyncio.get_running_loop().call_later(answer.after, self._end, call, answer)
        else:
            self._end(call, answer)

    def _iteration(self, call: Call) -> int | None:
        """The index of the iteration that a call is made in. Whatever is around a call that waits is a fiber of its own."""
        if self._inside is None:
            return None
        fiber = call.fiber
        for _ in range(self._inside):
            assert fiber is not None
            assert fiber.fork is not None
            fiber = fiber.fork.fiber
        assert fiber is not None
        return fiber.index

    def _end(self, call: Call, answer: Answer) -> None:
        if answer.error_output is not None:
            call.fail(StateError(answer.error_output.error, answer.error_output.cause))
        else:
            call.finish(_Given(answer.result))

    def cancel(self, call: Call) -> None:
        if isinstance(call.job, asyncio.TimerHandle):
            call.job.cancel()
        elif self._real is not None and call.job is not None:
            self._real.cancel(call)

    def result(self, value: Any) -> Any:
        if self._real is not None and not isinstance(value, _Given):
            return self._real.result(value)
        return adopt(value.value, PAYLOAD, self.label)

    def failure(self, error: BaseException, execution: Execution) -> StateError:
        if isinstance(error, StateError):
            return StateError(error.error, error.cause)
        assert self._real is not None, "a mock fails with a StateError"
        return self._real.failure(error, execution)

    def saturated(self) -> bool:
        return False
