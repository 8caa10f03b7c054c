"""Events of many state machines in one queue: a record in, the program of its state machine run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

from express.api.machines import Machines
from express.api.starting import EXECUTION, MACHINE
from express.errors import RequestError
from express.evaluation import Bound
from express.program import Program
from express.runtime.context import Execution
from express.runtime.failures import StateError
from express.runtime.limits import EXECUTION_SECONDS

NAME = "executions"


class Switchboard:
    """What a dispatcher takes for one program. Which one runs is in the header ``express-state-machine``: the machine as it is when its
    turn comes, or exactly the version that was asked for."""

    plain = False
    anonymous = False
    name = NAME
    sha256 = ""
    seconds: float = EXECUTION_SECONDS
    metrics = None

    def __init__(self, machines: Machines) -> None:
        self._machines = machines
        self.bindings: Sequence[Bound] = _Bindings(machines)
        self.evaluate: Callable[[Any, Execution], Any] = self._evaluate

    @property
    def process(self) -> Callable[[bytes, Execution | None], bytes]:
        raise TypeError("only a plain program can turn text into text at once")

    def _evaluate(self, value: Any, execution: Execution) -> Any:
        """The coroutine of the program that the record names. StateError for a state machine that was deleted meanwhile."""
        assert execution.message is not None
        headers = dict(execution.message.headers)
        try:
            target = self._machines.target(headers.get(MACHINE, b"").decode(errors="replace"))
            program = self._machines.program(target)
        except RequestError as error:
            raise StateError("States.Runtime", error.message) from None
        execution.program = program
        execution.deadline = min(execution.deadline, execution.started + program.seconds)
        if arn := headers.get(EXECUTION):
            execution.given_id = arn.decode(errors="replace")
        return _at_once(program, value, execution) if program.plain else program.evaluate(value, execution)

    def explain(self, error: BaseException) -> str | None:
        return next((found for program in self._machines.programs() if (found := program.explain(error)) is not None), None)


async def _at_once(program: Program, value: Any, execution: Execution) -> Any:
    return program.evaluate(value, execution)


class _Bindings(Sequence[Bound]):
    """Those of every program there is; they come and go."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    def __iter__(self) -> Iterator[Bound]:
        return (binding for program in self._machines.programs() for binding in program.bindings)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @overload
    def __getitem__(self, index: int) -> Bound: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Bound]: ...
    def __getitem__(self, index: int | slice) -> Bound | Sequence[Bound]:
        return list(self)[index]
