"""``arn:aws:states:::states:startExecution.sync`` and ``.sync:2``: another workflow of this process, waited for."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from time import perf_counter
from typing import Any, Protocol

from express.runtime.context import ACCOUNT, Execution
from express.runtime.failures import StateError
from express.runtime.limits import EXECUTION_SECONDS
from express.runtime.suspensions import Call
from express.runtime.values import copy, dumps, loads
from express.tasks import ResourceMissing, outcome
from express.tasks.constants import constant
from express.tasks.integration import Counts

RESOURCE = re.compile(r"arn:[\w-]+:states:[^:]*:[^:]*:states:startExecution\.sync(?P<parsed>:2)?", re.ASCII)
DEEPEST = 16  # workflows in workflows: one that starts itself comes to an end

_MACHINE = re.compile(r"arn:[\w-]+:states:[^:]*:[^:]*:(?:stateMachine|express):(?P<name>[^:]+)(?::[^:]+)?", re.ASCII)


class Ended(Protocol):
    """An Outcome."""

    status: str
    output: Any
    error: str | None
    cause: str | None


class Child(Execution, eq=False):
    """An execution that another waits for."""

    depth: int = 1
    scheduled: float = 0.0  # by perf_counter, where it is counted
    began: float = 0.0


def bind(resource: str, parameters: Any, workflows: Mapping[str, Any]) -> Nested:
    """``workflows`` are programs by name; their values are asked for when a call begins. ResourceMissing where the definition says outright
    which it means, and there is none."""
    found = RESOURCE.fullmatch(resource)
    assert found is not None
    arn = constant(parameters, "StateMachineArn")
    if isinstance(arn, str) and (reason := missing(arn, workflows)) is not None:
        raise ResourceMissing(reason)
    return Nested(resource, workflows, parsed=found["parsed"] is not None)


def machine(arn: str) -> str:
    """The name that an ARN ends with, whatever account and region it says; or that a name is."""
    found = _MACHINE.fullmatch(arn)
    return found["name"] if found else arn


def missing(arn: str, workflows: Mapping[str, Any]) -> str | None:
    """Why there is no such workflow here, None if there is."""
    name = machine(arn)
    if name in workflows:
        return None
    near = get_close_matches(name, workflows, 1)
    there = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(workflows)) or 'none'}"
    return f"there is no workflow {name!r} that could be started here: {there}"


class Nested:
    """The binding. The child runs in the same executor and ends with its parent's state at the latest."""

    inline: Callable[[Any, Execution, str, int], Any] | None = None
    counts: Counts | None = None

    def __init__(self, resource: str, workflows: Mapping[str, Any], *, parsed: bool) -> None:
        self.resource, self._workflows, self._parsed = resource, workflows, parsed

    def start(self, call: Call) -> None:
        given = call.payload if isinstance(call.payload, dict) else {}
        arn = given.get("StateMachineArn")
        if not isinstance(arn, str) or missing(arn, self._workflows) is not None:
            raise StateError("StepFunctions.StateMachineDoesNotExistException", f"State Machine Does Not Exist: '{arn}'")
        depth = call.execution.depth + 1 if isinstance(call.execution, Child) else 1
        if depth > DEEPEST:
            raise StateError("States.Runtime", f"Workflows are nested deeper than the {DEEPEST} levels that are possible here.")
        program = self._workflows[machine(arn)]
        value = _input(given.get("Input"))
        name = given.get("Name")
        clock = call.execution.clock
        now = clock.time()
        child = Child(
            program,
            value,
            now,
            min(call.deadline, now + getattr(program, "seconds", EXECUTION_SECONDS)),
            clock=clock,
            given_name=name if isinstance(name, str) else str(uuid.uuid4()),
            started_wall=clock.wall(),
        )
        child.depth = depth
        call.job = child
        if self.counts is not None:
            self.counts.scheduled += 1
            child.scheduled = perf_counter()
        # In a turn of its own: a chain of workflows must not become one of Python's calls
        call.host.pause(lambda: self._begin(call, child))

    def _begin(self, call: Call, child: Child) -> None:
        if call.fiber is None:
            return
        if self.counts is not None:
            self.counts.started += 1
            child.began = perf_counter()
            self.counts.schedule.observe(child.began - child.scheduled)
        ended = call.host.start(child.program, child.input, child, lambda _, outcome: self._ended(call, child, outcome))  # type: ignore[attr-defined]
        if ended is not None:
            self._ended(call, child, ended)

    def _ended(self, call: Call, child: Child, ended: Ended) -> None:
        if self.counts is not None:
            self.counts.run.observe(perf_counter() - child.began)
            if call.fiber is not None:
                if ended.status == "SUCCEEDED":
                    self.counts.succeeded += 1
                else:
                    self.counts.failed += 1
        told = _described(child, ended, parsed=self._parsed)
        if ended.status == "SUCCEEDED":
            call.finish(told)
        else:
            call.fail(StateError("States.TaskFailed", dumps(told).decode()))

    def cancel(self, call: Call) -> None:
        if self.counts is not None and call.execution.clock.time() >= call.deadline:
            self.counts.timed_out += 1
        if call.job is not None:
            call.host.abort(call.job)  # type: ignore[attr-defined]

    def result(self, value: Any) -> Any:
        return value

    def failure(self, error: BaseException, execution: Execution) -> StateError:
        return outcome.failure(error)

    def saturated(self) -> bool:
        return False


def _input(given: Any) -> Any:
    """A text is the input as JSON text, as in AWS's API; anything else the input itself, with what the parent holds left to the parent."""
    if given is None:
        return {}
    if not isinstance(given, str):
        return copy(given)
    try:
        return loads(given)
    except ValueError as error:
        raise StateError("StepFunctions.InvalidExecutionInputException", f"Invalid State Machine Execution Input: '{error}'") from None


def _described(child: Child, ended: Ended, *, parsed: bool) -> dict[str, Any]:
    """As DescribeExecution has it, in AWS's PascalCase; with ``parsed`` Input and Output are JSON, else JSON text."""
    stop = child.started_wall + child.clock.time() - child.started
    told: dict[str, Any] = {
        "ExecutionArn": child.id,
        "Input": child.input if parsed else dumps(child.input).decode(),
        "InputDetails": {"Included": True},
        "Name": child.name,
        "StartDate": int(child.started_wall * 1000),
        "StateMachineArn": f"{ACCOUNT}:stateMachine:{child.program.name}",
        "Status": ended.status,
        "StopDate": int(stop * 1000),
    }
    if ended.status == "SUCCEEDED":
        told |= {"Output": ended.output if parsed else dumps(ended.output).decode(), "OutputDetails": {"Included": True}}
    else:
        told |= {name: text for name, text in (("Error", ended.error), ("Cause", ended.cause)) if text is not None}
    return told
