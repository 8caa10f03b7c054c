"""A state under test in, what it did out: it is compiled like any other, alone, and run once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from express import executor, language
from express.clock import REAL, Clock
from express.compiler.graph import exits
from express.compiler.module import Module, generate
from express.language.model import Fallible, Retrier, State, Succeed, Wait, Workflow
from express.observers import recording
from express.observers.metrics import BOUNDS
from express.observers.recording import Recording, Visit
from express.program import VERSION, Program
from express.runtime.failures import ExecutionAborted, StateError
from express.runtime.retries import matcher
from express.tasks import Binding
from express.testing import VirtualClock
from express.teststate.contexts import Tested
from express.teststate.definitions import Subject
from express.teststate.mocks import Mocked

SECONDS = 300  # a test may take


class Ran:
    """``visit`` is the state's, ``retrier`` the position in Retry of the one that took its failure, ``delay`` the seconds it asks for
    (None: its attempts are used up)."""

    def __init__(self, visit: Visit, retrier: int | None, delay: float | None) -> None:
        self.visit, self.retrier, self.delay = visit, retrier, delay


class Setting(msgspec.Struct, kw_only=True):
    """What a state runs in. ``retries`` are the attempts that its retriers have had already; ``context`` takes the place of the Context
    Object's fields."""

    functions: Mapping[str, Callable[..., Any]]
    retries: int
    context: Mapping[str, Any] | None
    variables: Mapping[str, Any]
    role: str | None
    clock: Clock | None


def run(subject: Subject, value: Any, setting: Setting, mock: Mocked | None) -> Ran:
    """Runs the state once, and no state after it. Waiting takes no time where nothing but the engine waits."""
    state = subject.state
    clock = setting.clock or (VirtualClock() if isinstance(state, Wait) or mock is not None else REAL)
    visit = _visit(subject, _tested(state, setting.retries), value, setting, {} if mock is None else {state.location: mock}, clock)
    if visit.error is None or not isinstance(state, Fallible):
        return Ran(visit, None, None)
    retrier = _retrier(state, StateError(visit.error, visit.cause))
    return Ran(visit, retrier, visit.failures[-1].delay if visit.failures else None)


def evaluate(subject: Subject, template: Any, value: Any, setting: Setting) -> Any:
    """What the state's query language makes of a template with ``value`` as input; None if that fails."""
    fields = {"QueryLanguage": "JSONata", "Output": template} if subject.jsonata else {"Parameters": template}
    name = subject.state.name
    loaded = language.load({"StartAt": name, "States": {name: {"Type": "Pass", **fields, "End": True}}})
    if loaded.workflow is None:
        return None
    visit = _visit(subject, loaded.workflow.states[name], value, setting, {}, REAL)
    return visit.output


def _visit(subject: Subject, state: State, value: Any, setting: Setting, mocks: Mapping[str, Mocked], clock: Clock) -> Visit:
    program = _Program(_workflow(subject, state), setting.functions, mocks)
    started = clock.time()
    execution = Tested(program, value, started, started + SECONDS, clock=clock, started_wall=clock.wall())
    execution.recording = log = Recording()
    execution.given, execution.role_arn, execution.retried = setting.context, setting.role, setting.retries
    execution.variables = setting.variables
    executor.run(program, value, execution)
    return log.visited(state.location)[0]


def _tested(state: State, retries: int) -> State:
    """The state with its retriers where they are after so many attempts."""
    if isinstance(state, Fallible) and state.retry and retries:
        state = replace(state, retry=tuple(_after(retrier, retries) for retrier in state.retry))
    return state


def _after(retrier: Retrier, retries: int) -> Retrier:
    try:
        interval = retrier.interval_seconds * retrier.backoff_rate**retries
    except OverflowError:
        interval = float("inf")
    return replace(retrier, interval_seconds=interval, max_attempts=max(0, retrier.max_attempts - retries))


def _retrier(state: Fallible, failure: StateError) -> int | None:
    return next((position for position, one in enumerate(state.retry) if matcher(one.error_equals)(failure)), None)


def _workflow(subject: Subject, state: State) -> Workflow:
    """The state alone: where it leads to, the execution ends."""
    states = {state.name: state}
    for target, _ in exits(state):
        if target is not None and target not in states:
            states[target] = Succeed(name=target, location=f"/States/{target}")
    if subject.prelude is not None:
        states[subject.prelude.name] = replace(subject.prelude, next=state.name)
    start = state.name if subject.prelude is None else subject.prelude.name
    return Workflow(location="", start_at=start, states=states, sha256=subject.workflow.sha256)


class _Program(Program):
    """Compiled so that everything is recorded, nothing is tried twice, and the Context Object is the execution's to say."""

    def __init__(self, workflow: Workflow, functions: Mapping[str, Callable[..., Any]], mocks: Mapping[str, Mocked]) -> None:
        self._mocks = mocks
        super().__init__(workflow, "test-state", functions, "defer", metrics=False, trace=True)

    def _generate(self, *, text: bool) -> Module:
        names = recording.NAMES | {"trace_retry": _stop}
        bindings: dict[str, Binding] = {**self._bound, **self._mocks}
        return generate(self.workflow, self.name, bindings, None, BOUNDS, VERSION, text=text, trace=names, stand_in=True)


def _stop(visit: Visit, delay: float) -> None:
    """Called where another attempt would be made."""
    visit.failures[-1].delay = delay
    raise ExecutionAborted
