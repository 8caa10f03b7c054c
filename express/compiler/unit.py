"""What one compilation shares: the text being written, the names handed out, the objects that the code will find in its namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias

from express.compiler.names import Names
from express.compiler.source import Place, Source
from express.compiler.tracing import LOCALS, Traces
from express.language.model import State, Task, Workflow

LONGEST_TEXT = 200  # characters of a text that is written into the code; longer ones get a name


# What a reason is about: expressions that are Python, walked paths, what a library evaluates, calls, copies, sizes that are measured,
# where a function of its own begins, why a state can wait, how far an event's text is decoded and its output's measured
About: TypeAlias = Literal["code", "path", "library", "call", "copy", "check", "function", "wait", "text"]


class Binding(Protocol):
    """The part of a bound resource that the compiler decides by."""

    resource: str
    inline: Callable[..., Any] | None


class Unit:
    """One workflow on its way to one module.

    ``objects`` is the namespace that the module will run in: the runtime's names, and whatever cannot be written as plain text.
    ``bindings`` maps the location of a Task state to what it calls; a Map or Parallel in it is not run, it calls that instead.
    ``metrics`` is the workflow's, or None: then nothing is measured. ``trace``: what states see and do is recorded. ``stand_in``: the
    Context Object is whatever the execution says it is, in every part.
    """

    def __init__(
        self,
        workflow: Workflow,
        runtime: dict[str, Any],
        bindings: dict[str, Binding],
        metrics: Any,
        numbers: dict[str, int],
        *,
        trace: bool = False,
        stand_in: bool = False,
    ) -> None:
        self.workflow, self.bindings, self.metrics, self.numbers = workflow, bindings, metrics, numbers
        self.stand_in = stand_in
        self.source = Source()
        self.objects: dict[str, Any] = dict(runtime)
        self.names = Names({*runtime, *PARAMETERS, *(LOCALS if trace else ())})
        self.traces = Traces(self, on=trace)
        self.looks_at_execution = False  # some line reads the execution
        self.reveals_input = False  # some line reads the Context Object's Execution.Input
        self.text = False  # events come as JSON text, and results go as JSON text
        self.stored: list[str] = []  # the local that counts what all variables hold, in workflows where that could be too much
        self.nests = False  # data may be wrapped any number of times on its way: by a loop, or inside an expression
        self.projects = False  # events are decoded only as far as anybody looks at them
        self.reasons: dict[str, dict[tuple[About, str], None]] = {}  # by the state's location

    def object(self, value: Any, name: str, suffix: str = "") -> str:
        """A name under which the code finds ``value``."""
        found = self.names.new(name, suffix)
        self.objects[found] = value
        return found

    def because(self, state: State, about: About, text: str) -> None:
        """Writes down why the code of a state is as it is: for ``express compile --explain``, nothing else reads it."""
        self.reasons.setdefault(state.location, {})[about, text] = None

    def place(self, state: State) -> Place:
        return Place(self.numbers[state.location], state.name, state.location, isinstance(state, Task))

    def execution(self) -> str:
        """The name of the execution, for a line that reads it."""
        self.looks_at_execution = True
        return "execution"


# Names with a meaning of their own in every function
PARAMETERS = frozenset({
    "data", "execution", "since", "begun", "left", "seconds", "error", "failure", "result", "output", "given", "value", "attempt", "tries",
    "tried", "delay", "raw", "items", "index", "item_value", "entered_time", "turns", "step", "run", "timeout",
    "fault", "stored",
})  # fmt: skip
