"""A run in, what every state saw and did out: one ``Visit`` for each time a state was entered, in that order.

program = express.compile(definition, trace=True)
recording = Recording()
program.run(event, trace=recording)
[visit.trail for visit in recording.visits]         # ["Check", "Fan", "Fan[0]/A", "Fan[1]/B", "Done"]
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from express.runtime.values import copy

Status: TypeAlias = Literal["SUCCEEDED", "CAUGHT", "FAILED", "TIMED_OUT", "ABORTED"]
Within: TypeAlias = "tuple[Visit, int] | None"  # the visit of the Parallel or Map around, and which branch or iteration of it
Place: TypeAlias = tuple[str, str, str]  # a state's name, type and JSON pointer


class Failure(msgspec.Struct):
    """A failed attempt of a Task, Parallel or Map that has Retry or Catch. ``delay`` are the seconds until the next attempt, None if there
    was none."""

    error: str | None
    cause: str | None
    delay: float | None = None


class Visit(msgspec.Struct, eq=False):
    """One time that a state was entered.

    ``location`` is its JSON pointer in the definition (``/States/Each/ItemProcessor/States/A``); ``trail`` says which branches and
    iterations it was in (``Each[3]/A``). ``number`` counts the visits of a recording from 0; ``parent`` is the number of the visit of the
    Parallel or Map around, ``index`` the branch or iteration of it.

    ``status``: SUCCEEDED; CAUGHT (a Catch took the failure and the workflow went on); FAILED; TIMED_OUT (the whole execution did);
    ABORTED (given up half-way, as are the branches beside one that fails, and what has not ended yet). ``next`` is the state that came
    next, None at an end; ``catcher`` the position in Catch that led there, ``rule`` the one in Choices (None for Default). ``error`` and
    ``cause`` are the last failure's.

    ``input`` and ``output`` are the raw ones, ``output`` None where there is none; ``assigned`` the variables that the state set.
    ``data`` holds what was seen on the way, by the names AWS gives it in TestState's inspectionData, where the state has the field:
    afterInputPath, afterParameters, afterArguments, result, afterResultSelector, afterResultPath, afterItemsPath, ...

    ``attempts`` counts those begun (a state without Retry has one), ``failures`` are those that failed where Retry or Catch saw them.
    ``entered`` and ``seconds`` are of the execution's clock, waits and backoff included.
    """

    number: int
    name: str
    type: str
    location: str
    trail: str
    parent: int | None
    index: int | None
    input: Any
    entered: float
    status: Status = "ABORTED"
    next: str | None = None
    catcher: int | None = None
    rule: int | None = None
    output: Any = None
    error: str | None = None
    cause: str | None = None
    attempts: int = 1
    failures: list[Failure] = msgspec.field(default_factory=list)
    assigned: dict[str, Any] = msgspec.field(default_factory=dict)
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    seconds: float = 0.0
    clock: Clock | None = None  # until the state ends
    kept: bool = True  # in a recording

    # Called by the program when something has failed

    def attempted(self, error: str | None, cause: str | None) -> None:
        """An attempt has failed; Retry and Catch are asked next."""
        self.failures.append(Failure(error, cause))
        self.error, self.cause = error, cause

    def failed(self, error: str | None, cause: str | None, *, expired: bool) -> None:
        """The state is left by failing."""
        if self.clock is not None:
            self.error, self.cause = error, cause
            self.end("TIMED_OUT" if expired else "FAILED")

    def end(self, status: Status) -> None:
        assert self.clock is not None
        self.status, self.seconds, self.clock = status, self.clock.time() - self.entered, None


class Clock(Protocol):
    """What time it is, in seconds."""

    def time(self) -> float: ...


class Recording:
    """The visits of one execution, or of several. A state that never ended keeps the status ABORTED.

    ``most`` bounds how many are kept, the first ones; ``dropped`` counts those after them.
    """

    def __init__(self, most: int | None = None) -> None:
        self.visits: list[Visit] = []
        self.most, self.dropped = most, 0

    def visited(self, location: str) -> list[Visit]:
        """The visits of the state at a JSON pointer."""
        return [visit for visit in self.visits if visit.location == location]

    @property
    def trail(self) -> list[str]:
        """Which way the execution came, branches and iterations as they began."""
        return [visit.trail for visit in self.visits]


# --- Called by generated code: `execution` has the recording, or none -----------------------------------------------------------------


def enter(execution: Any, place: Place, within: Within, data: Any) -> Visit:
    """A state is entered with its raw input."""
    recording: Recording | None = getattr(execution, "recording", None)
    name, kind, location = place
    clock: Clock = execution.clock
    number = 0 if recording is None else len(recording.visits)
    trail, parent, index = name, None, None
    if within is not None:
        around, index = within
        parent, trail = around.number, f"{around.trail}[{index}]/{name}"
    visit = Visit(number, name, kind, location, trail, parent, index, None, clock.time(), clock=clock)
    if recording is None or (recording.most is not None and number >= recording.most):
        visit.kept = False
        if recording is not None:
            recording.dropped += 1
        return visit
    visit.input = copy(data)
    recording.visits.append(visit)
    return visit


def seen(visit: Visit, field: str, value: Any) -> Any:
    """A field of the state has made ``value``, which is given back. A copy is kept: what is handed on may be changed later."""
    if visit.kept:
        visit.data[field] = copy(value)
    return value


def assign(visit: Visit, values: dict[str, Any]) -> None:
    """The state has set variables."""
    visit.assigned = {name: copy(value) for name, value in values.items()}


def retry(visit: Visit, delay: float) -> None:
    """Another attempt is made after ``delay`` seconds."""
    visit.failures[-1].delay = delay
    visit.attempts += 1


def ruled(visit: Visit, rule: int, holds: bool) -> bool:
    """The condition of a Choice's rule has been looked at."""
    if holds:
        visit.rule = rule
    return holds


def leave(visit: Visit, data: Any, target: str | None, catcher: int | None) -> None:
    """A state is left with its output, for ``target`` or the end."""
    visit.output, visit.next, visit.catcher = copy(data) if visit.kept else None, target, catcher
    if catcher is None:
        visit.error = visit.cause = None
    visit.end("SUCCEEDED" if catcher is None else "CAUGHT")


def inside(visit: Visit, index: int) -> tuple[Visit, int]:
    """A branch or an iteration of the state begins."""
    return visit, index


# The names that generated code knows them under
NAMES: dict[str, Any] = {
    "trace_enter": enter,
    "trace_seen": seen,
    "trace_assign": assign,
    "trace_retry": retry,
    "trace_ruled": ruled,
    "trace_leave": leave,
    "trace_inside": inside,
}
