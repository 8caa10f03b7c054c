"""A compiled workflow: generated code linked with its tasks, to run events, to read, and to explain errors."""

from __future__ import annotations

import builtins
import linecache
import os
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from express import executor, language
from express.clock import REAL, Clock
from express.compiler.blame import Blame
from express.compiler.explaining import Reason, explain
from express.compiler.module import Module, all_states, generate
from express.compiler.unit import About
from express.errors import DefinitionError, Problem
from express.language import model
from express.observers import recording
from express.observers.metrics import BOUNDS, WorkflowMetrics
from express.observers.recording import Recording
from express.options import Connection
from express.outcome import Outcome
from express.runtime import jsonata_apart
from express.runtime.context import ROLE, Execution, Recorded
from express.runtime.decoding import whole
from express.runtime.failures import StateError
from express.runtime.jsonata_library import LibraryQuery
from express.runtime.limits import EXECUTION_SECONDS, PAYLOAD
from express.runtime.values import adopt, dumps
from express.tasks import Binding, ResourceMissing, bind, checking

VERSION = "0.1.0"

Definition = Mapping[str, Any] | str | bytes | os.PathLike[str]
Functions = Mapping[str, Callable[..., Any]]
Connections = Mapping[str, Connection]


class Program:
    """One workflow, ready to run any number of events, also at the same time.

    ``plain``: ``evaluate`` always ends at once and gives the output or raises StateError; otherwise it gives a coroutine for the executor.
    ``anonymous``: it never looks at the execution, so None does for it.
    """

    def __init__(
        self,
        workflow: model.Workflow,
        name: str,
        functions: Functions | None,
        missing: Literal["error", "defer"],
        *,
        metrics: bool,
        trace: bool = False,
        rebind: Callable[[model.Fallible, Binding | None], Binding | None] | None = None,
        connections: Connections | None = None,
        workflows: Mapping[str, Any] | None = None,
    ) -> None:
        """``rebind`` may put another binding in the place of what a Task would call, or of all that is in a Parallel or Map (it is given
        None for those): tests put mocks there."""
        self.workflow, self.name, self.sha256, self.traced = workflow, name, workflow.sha256, trace
        self.role = ROLE  # of the state machine, if it was created with one
        self.seconds = min(workflow.timeout_seconds or EXECUTION_SECONDS, EXECUTION_SECONDS)
        states = all_states(workflow)
        self.states = tuple(state.name for state in states)
        self._bound = _bind(states, functions or {}, missing, connections or {}, workflows or {})
        if rebind is not None:
            for state in states:
                if isinstance(state, model.Fallible) and (binding := rebind(state, self._bound.get(state.location))) is not None:
                    self._bound[state.location] = binding
        self.bindings: tuple[Binding, ...] = tuple(self._bound.values())
        self.metrics: WorkflowMetrics | None = None
        if metrics:
            self.metrics = WorkflowMetrics(name, workflow.sha256, [(state.name, type(state).__name__) for state in states])
            for binding in self.bindings:
                called = getattr(binding, "binding", binding)  # what .waitForTaskToken is around
                if hasattr(called, "counts"):
                    called.counts = self.metrics.resource(called.resource)
        module = self._generate(text=False)
        self.source, self.plain, self._table = module.text, module.plain, module.table
        self._reveals_input, self._reasons = module.reveals_input, module.reasons
        # What is never reached may speak of Execution.Input without generated code looking at it: ``process`` still puts it there
        self.anonymous = module.anonymous and not module.reveals_input and not trace
        self._blames: list[Blame] = []
        self.evaluate: Callable[[Any, Execution], Any] = self._load(module)
        self._grows = any(isinstance(each, LibraryQuery) and each.grows for each in module.objects.values())

    def warm(self) -> None:
        """Makes what the first events would otherwise wait for; may take a second. JSONata that may outgrow a process needs one."""
        if self._grows:
            with suppress(OSError, jsonata_apart.Gone):  # the expressions say so themselves, if they come to need it
                jsonata_apart.begin()

    @cached_property
    def process(self) -> Callable[[bytes, Execution | None], bytes]:
        """For a plain program: an event's JSON text to its output's; ValueError (Undecodable) for what is not JSON.

        The same code as ``evaluate``, but an event is decoded only as far as the workflow looks at it, and encoding the output measures it.
        """
        if not self.plain:
            raise TypeError("only a plain program can turn text into text at once")
        return self._process if self._whole else self._load(self._text)

    @cached_property
    def _text(self) -> Module:
        return self._generate(text=True)

    @property
    def _whole(self) -> str | None:
        """Why there is no code that takes text."""
        if not self.plain:
            return "it can wait"
        if self._reveals_input:
            return "the Context Object's Execution.Input is read"
        return "every state is recorded" if self.traced else None

    def _process(self, text: bytes, execution: Execution | None) -> bytes:
        """``process`` where somebody looks at the Context Object's Execution.Input."""
        assert execution is not None, "this program is not anonymous"
        execution.input = value = whole(text)
        return dumps(self.evaluate(value, execution))

    def _generate(self, *, text: bool) -> Module:
        trace = recording.NAMES if self.traced else None
        return generate(self.workflow, self.name, self._bound, self.metrics, BOUNDS, VERSION, text=text, trace=trace)

    def _load(self, module: Module) -> Callable[[Any, Any], Any]:
        """Executes the module's text, with its objects and without builtins; tracebacks show its lines as long as this program lives."""
        module.filename = _unused(module.filename)
        blame = Blame(module, self.metrics, traced=self.traced)
        self._blames.append(blame)
        namespace = {
            **module.objects,
            "attempted": blame.attempted, "failed": blame.failed, "ended": blame.ended,
            "__builtins__": {}, "__name__": "express.generated",
        }  # fmt: skip
        exec(builtins.compile(module.text, module.filename, "exec", dont_inherit=True), namespace)
        linecache.cache[module.filename] = (len(module.text), None, module.text.splitlines(True), module.filename)
        weakref.finalize(self, linecache.cache.pop, module.filename, None).atexit = False
        evaluate: Callable[[Any, Any], Any] = namespace["run"]
        return evaluate

    def __repr__(self) -> str:
        return f"<express.Program {self.name!r} {self.sha256[:8]}>"

    def reasons(self) -> list[Reason]:
        """Why the code of each state is as it is: which expressions are Python and which a library evaluates, what is copied, measured,
        awaited and why; and of ``process``, how far an event is decoded. State by state, in the definition's order."""
        start = self.workflow.states[self.workflow.start_at].location
        text: Mapping[str, Sequence[tuple[About, str]]] = {}
        if self._whole is None:
            text = {place: [found for found in noted if found[0] == "text"] for place, noted in self._text.reasons.items()}
        else:
            text = {start: [("text", f"a pipeline decodes whole events: {self._whole}")]}
        places = {*self._reasons, *text}
        return list(explain(all_states(self.workflow), {place: [*self._reasons.get(place, ()), *text.get(place, ())] for place in places}))

    def lines(self, state: str) -> list[str]:
        """The lines of ``source`` that belong to a state, its comment first; none for a state that there is not."""
        text = self.source.splitlines()
        comment = f"# {state!a}: "
        own = (line for number, line in enumerate(text, 1) if (known := self._table.get(number)) is not None and known.place.name == state)
        return [*(line for line in text if line.lstrip().startswith(comment)), *own]

    def explain(self, error: BaseException) -> str | None:
        """``in /States/Charge of <express orders@1a2b3c>``, if ``error`` came through generated code."""
        return next((found for blame in self._blames if (found := blame.explain(error)) is not None), None)

    def run(
        self,
        event: Any,
        *,
        clock: Clock | None = None,
        name: str | None = None,
        context: Mapping[str, Any] | None = None,
        trace: Recording | None = None,
    ) -> Outcome:
        """What becomes of ``event``, for scripts and notebooks. ``trace`` takes down every state's input, output, ...: for a program
        compiled with ``trace=True``."""
        try:
            value, execution = self._begin(event, clock, name, context, trace)
        except StateError as error:
            return Outcome("FAILED", error=error.error, cause=error.cause)
        return executor.run(self, value, execution)

    async def execute(
        self,
        event: Any,
        *,
        clock: Clock | None = None,
        name: str | None = None,
        context: Mapping[str, Any] | None = None,
        trace: Recording | None = None,
    ) -> Outcome:
        """``run`` for code that is async itself."""
        try:
            value, execution = self._begin(event, clock, name, context, trace)
        except StateError as error:
            return Outcome("FAILED", error=error.error, cause=error.cause)
        return await executor.execute(self, value, execution)

    def _begin(
        self, event: Any, clock: Clock | None, name: str | None, context: Mapping[str, Any] | None, trace: Recording | None
    ) -> tuple[Any, Execution]:
        if trace is not None and not self.traced:
            raise ValueError(f"workflow {self.name}: nothing can be recorded; expected a program compiled with trace=True")
        value = adopt(event, PAYLOAD, "input")
        clock = clock or REAL
        started = clock.time()
        execution = Recorded(
            self, value, started, started + self.seconds, clock=clock, given_name=name, extra=context, started_wall=clock.wall()
        )
        execution.recording = trace
        return value, execution


def _bind(
    states: list[model.State],
    functions: Functions,
    missing: Literal["error", "defer"],
    connections: Connections,
    workflows: Mapping[str, Any],
) -> dict[str, Binding]:
    """What each Task calls, by the state's location; DefinitionError with everything that nobody provides."""
    bound: dict[str, Binding] = {}
    problems = []
    for state in states:
        if isinstance(state, model.Task):
            try:
                bound[state.location] = bind(state.resource, state.parameters, functions, missing, connections, workflows)
            except ResourceMissing as error:
                problems.append(Problem("ERROR", error.code, f"{state.location}/{error.field}", str(error)))
    if problems:
        raise DefinitionError(problems)
    return bound


def _unused(filename: str) -> str:
    """A name for code that no other program alive has: the same workflow may be compiled more than once."""
    found, number = filename, 1
    while found in linecache.cache:
        number += 1
        found = f"{filename[:-1]} {number}>"
    return found


def compile(  # noqa: A001 - the word for it
    definition: Definition,
    name: str | None = None,
    functions: Functions | None = None,
    substitutions: Mapping[str, str] | None = None,
    missing: Literal["error", "defer"] = "error",
    metrics: bool = True,
    trace: bool = False,
    connections: Connections | None = None,
    extensions: Collection[str] = (),
    workflows: Mapping[str, Program] | None = None,
) -> Program:
    """A definition (a mapping, JSON or YAML text, or a path) as a Program; DefinitionError with all its problems.

    ``connections``: what Tasks may reach beside functions, by name; a definition holds no address and no secret.
    ``extensions``: what of Express' own a definition may use (``callbacks``, ``nested``); ``workflows``: those that it may start and
    wait for, by name.
    ``trace``: ``run`` and ``execute`` can record what every state sees and does; without it the code has nothing to do with that.
    """
    loaded = language.load(definition, substitutions, extensions)
    refused: list[Problem] = []
    if loaded.workflow is not None:
        tasks = [state for state in all_states(loaded.workflow) if isinstance(state, model.Task)]
        asked = [problem for problem in checking.problems(tasks) if problem.severity == "ERROR"]
        refused = [*language.refusals(loaded.workflow), *asked]
    if loaded.workflow is None or refused:
        raise DefinitionError([*loaded.problems, *refused])
    return Program(
        loaded.workflow,
        name or _name(definition),
        functions,
        missing,
        metrics=metrics,
        trace=trace,
        connections=connections,
        workflows=workflows,
    )


def _name(definition: Any) -> str:
    """``orders`` for ``orders.asl.json``."""
    return Path(definition).name.partition(".")[0] if isinstance(definition, os.PathLike) else "workflow"
