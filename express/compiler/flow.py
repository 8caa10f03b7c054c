"""A machine to functions: straight runs and trees of Choice in one, joins and loops in functions of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from express.compiler import shaping, states
from express.compiler.facts import Facts
from express.compiler.graph import Plan, Plans
from express.compiler.measures import Measures
from express.compiler.source import Place
from express.compiler.unit import Unit
from express.compiler.variables import Variables
from express.language.model import Machine, State
from express.runtime.limits import PAYLOAD, TRANSITIONS_PER_BREATH

Kind: TypeAlias = Literal["root", "branch", "body"]


class Entry(msgspec.Struct, frozen=True):
    """A machine's first function: its name, whether it is a plain function or a coroutine function, and the locals of the machine around it
    that it is given after the execution and the item."""

    name: str
    plain: bool
    given: tuple[str, ...] = ()


class Frame:
    """One function while it is written: the one that begins with the state ``head``."""

    def __init__(self, flow: Flow, head: str) -> None:
        self.flow, self.head = flow, head
        self.unit, self.source, self.measures, self.item = flow.unit, flow.unit.source, flow.measures, flow.item
        self.traces = flow.unit.traces
        self.names = flow.unit.names.function()
        self.plain = flow.plan.plain
        self.facts = Facts()

    @property
    def facts(self) -> Facts:
        """What is known of the data where the next line is written."""
        return self._facts

    @facts.setter
    def facts(self, facts: Facts) -> None:
        self._facts = facts
        self.source.owed = None if facts.owed is None else self.unit.place(facts.owed)
        self.source.grown = tuple((self.unit.place(state), name) for state, name in facts.grown)

    @contextmanager
    def branch(self) -> Iterator[None]:
        """What becomes known of the data inside, and what is passed, does not hold after it."""
        facts = self.facts
        with self.measures.branch():
            yield
        self.facts = facts

    def go(self, target: str | None) -> None:
        """Everything from ``target`` on, until this function is left; None is the end of the machine."""
        self.flow.go(self, target)

    def machine(self, state: State, machine: Machine, name: str, kind: Kind, item: tuple[str, str] | None) -> Entry:
        """The functions of a machine inside ``state``."""
        return self.flow.inner(state, machine, name, kind, item)


class Flow:
    """Writes one machine. ``item`` are the names of index and value where a Map is around it."""

    def __init__(
        self,
        unit: Unit,
        plans: Plans,
        measures: Measures,
        machine: Machine,
        name: str,
        kind: Kind,
        item: tuple[str, str] | None = None,
        around: tuple[Variables, State] | None = None,
    ) -> None:
        self.unit, self.plans, self.measures, self.machine, self.name, self.kind, self.item = (
            unit,
            plans,
            measures,
            machine,
            name,
            kind,
            item,
        )
        self.plan: Plan = plans.of(machine)
        outer, certain = (None, frozenset[str]()) if around is None else (around[0], around[0].certain(around[1].name))
        self.variables = Variables(machine, self.plan, unit.names, outer, certain)
        self._functions: dict[str, str] = {}  # by head
        self._drivers: dict[int, str] = {}  # by group
        self._unwritten: list[str] = []
        self._inner: list[Flow] = []
        given = ["data", "execution", *(item or ()), *self.variables.given, *unit.traces.carried, *unit.stored]
        self._parameters = ["raw" if unit.text else "data", "execution"] if kind == "root" else given
        since = ["since"] if measures.on else []
        self._carried = [*given, *self.variables.own, *since, *(["begun"] if since and kind == "root" else [])]
        self._handed_on = ["data", *self.variables.own, *since]
        self._await = "" if self.plan.plain else "await "

    def write(self) -> Entry:
        """All functions of the machine, and of those inside it."""
        start = self.machine.start_at
        if self.plan.alone:
            self._write(start, self.name, first=True)
        else:
            with self._function(self.name, self._parameters):
                if self.kind == "root":
                    self.unit.traces.start()
                if self.kind == "root" and not self.plan.plain and self.measures.on:
                    with self.unit.source.block("try:"):
                        self._begin()
                        self.unit.source.line(f"return {self._call(start)}")
                    self.measures.aborted()
                else:
                    self._begin()
                    self.unit.source.line(f"return {self._call(start)}")
        while self._unwritten:
            head = self._unwritten.pop(0)
            self._write(head, self._functions[head], first=False)
        for group in self._drivers:
            self._write_driver(group)
        for flow in self._inner:
            flow.write()
        return self._entry()

    def inner(self, state: State, machine: Machine, name: str, kind: Kind, item: tuple[str, str] | None) -> Entry:
        around = (self.variables, state)
        flow = Flow(self.unit, self.plans, self.measures, machine, self.unit.names.new(name), kind, item, around)
        self._inner.append(flow)
        return flow._entry()

    def _entry(self) -> Entry:
        return Entry(self.name, self.plan.plain, tuple(self.variables.given))

    # --- Functions ----------------------------------------------------------------------------------------------------------------

    @contextmanager
    def _function(self, name: str, parameters: list[str]) -> Iterator[None]:
        source = self.unit.source
        source.gap(2)
        with source.block(f"{'' if self.plan.plain else 'async '}def {name}({', '.join(parameters)}):"):
            yield

    def _of(self, head: str) -> str:
        """The name of a head's function, which will be written."""
        if head not in self._functions:
            self._functions[head] = self.unit.names.new(head)
            self._unwritten.append(head)
        return self._functions[head]

    def _call(self, head: str) -> str:
        """A call of a head's function, by way of its driver if it has one."""
        group = self.plan.group.get(head)
        if group is None:
            return f"{self._await}{self._of(head)}({', '.join(self._carried)})"
        if group not in self._drivers:
            self._drivers[group] = self.unit.names.new(f"{self.name} steps")
        return f"{self._await}{self._drivers[group]}({', '.join([self._of(head), *self._carried])})"

    def _begin(self) -> None:
        """The first lines of the machine."""
        source = self.unit.source
        if "raw" in self._parameters:
            if self.unit.projects:
                with source.block("try:"):
                    with source.block("if not raw.isascii():"):
                        source.line("raw.decode()")  # what is skipped must be text, too
                    source.line("data = project(raw)")
                with source.block("except OTHER_FORM:"):
                    source.line("data = decode(raw)")
            else:
                source.line("data = decode(raw)")
        if self.variables.unset:
            source.line(" = ".join([*self.variables.unset, "UNSET"]))
        if self.unit.stored:
            source.line(f"stored = storage({'None' if self.kind == 'root' else 'stored'})")
        self.measures.start(root=self.kind == "root")

    def _write(self, head: str, name: str, *, first: bool) -> None:
        source = self.unit.source
        with self._function(name, self._parameters if first else self._carried):
            if first and self.kind == "root":
                self.unit.traces.start()
            frame = Frame(self, head)
            self._explain(head, first=first)
            source.passed = ()
            if first:
                self._begin()
                # The event is nobody else's, unless somebody reads the Context Object's Execution.Input
                frame.facts = Facts(exclusive=self.kind == "root" and not self.unit.reveals_input)
            if head in self.plan.loops:
                source.line("turns = 0")
            with source.block("try:"):
                if head in self.plan.loops:
                    with source.block("while True:"):
                        with source.at(self.unit.place(self.machine.states[head])):
                            self._breathe()
                        self._run(frame, head)
                else:
                    self._run(frame, head)
            self._catch(first=first)

    def _explain(self, head: str, *, first: bool) -> None:
        """Writes down why a function begins here, and which of the machine's states can wait."""
        unit, plan = self.unit, self.plan
        if not first:
            unit.because(self.machine.states[head], "function", plan.why(head))
        if head in plan.loops or (head in plan.group and plan.cyclic):
            unit.because(self.machine.states[head], "wait", "the way leads back here: a loop lets others run every 1,000 transitions")
        if first or head == self.machine.start_at:
            for name in plan.reached:
                state = self.machine.states[name]
                if (reason := self.plans.why_it_waits(state)) is not None:
                    unit.because(state, "wait", reason)

    def _catch(self, *, first: bool) -> None:
        """What every function does with what is raised in it."""
        if first and self.kind == "root" and not self.plan.plain:
            self.measures.aborted()
        source = self.unit.source
        with source.block("except Exception as error:"):
            source.line(f"raise {'ended' if self.kind == 'root' else 'failed'}(error, execution) from None")

    def _write_driver(self, group: int) -> None:
        """The function that calls the others one after the other."""
        source = self.unit.source
        with self._function(self._drivers[group], ["step", *self._carried]):
            if self.plan.cyclic:
                source.line("turns = 0")
            with source.block("try:"), source.at(Place(-1, "", self.machine.location)):
                with source.block("while step is not None:"):
                    if self.plan.cyclic:
                        self._breathe()
                    with source.handing_on():
                        source.line(f"step, {', '.join(self._handed_on)} = {self._await}step({', '.join(self._carried)})")
                source.line("return data")
            self._catch(first=False)

    def _breathe(self) -> None:
        """A loop lets others run, and sees the deadline, every 1,000 transitions or so."""
        turns = max(1, TRANSITIONS_PER_BREATH // max(1, len(self.plan.reached)))
        source = self.unit.source
        source.line("turns += 1")
        with source.block(f"if turns % {turns} == 0:"):
            source.line(f"await breathe({self.unit.execution()})")

    # --- Walking ------------------------------------------------------------------------------------------------------------------

    def go(self, frame: Frame, target: str | None) -> None:
        if target is None:
            self._end(frame)
        elif target in self.plan.heads:
            self._leave(frame, target)
        else:
            self._run(frame, target)

    def _run(self, frame: Frame, target: str) -> None:
        """States one after the other, as long as the way goes on in this function."""
        source = self.unit.source
        while True:
            state = self.machine.states[target]
            with source.at(self.unit.place(state)):
                source.gap()
                source.comment(states.title(state))
                following = states.WRITERS[type(state)](frame, state)
                if isinstance(following, states.Left):
                    return
                if following is None or following in self.plan.heads:
                    self.go(frame, following)
                    return
            target = following

    def _leave(self, frame: Frame, target: str) -> None:
        """Goes on in another function, or at the top of this one."""
        shaping.settle(frame)
        self.measures.handed_on()
        source = self.unit.source
        if target == frame.head and target in self.plan.loops:
            source.line("continue")
            return
        group = self.plan.group.get(frame.head)
        if group is not None and group == self.plan.group.get(target):
            source.line(f"return {self._of(target)}, {', '.join(self._handed_on)}")
            return
        with source.handing_on():
            call = self._call(target)
            source.line(f"return {call}" if group is None else f"return None, {', '.join([call, *self._handed_on[1:]])}")

    def _end(self, frame: Frame) -> None:
        source = self.unit.source
        if self.unit.text and self.kind == "root":
            self._end_with_text(frame)
            return
        shaping.settle(frame)
        if self.kind == "root":
            self.measures.end()
        else:
            self.measures.handed_on()
            if self.unit.stored:
                source.line("release(stored)")
        source.line("return data" if frame.head not in self.plan.group else f"return None, {', '.join(self._handed_on)}")

    def _end_with_text(self, frame: Frame) -> None:
        """The data as JSON. Its size costs nothing then."""
        if frame.facts.bound > shaping.MANY * PAYLOAD:
            shaping.settle(frame)
        source, owed = self.unit.source, frame.facts.owed
        with source.block("try:"):
            source.line("output = encode(data)")
        if owed is not None:
            size = shaping.may_have(frame.facts.bound)
            self.unit.because(owed, "text", f"its output {size}: the text that a pipeline writes is measured, at no cost")
        with source.block("except TypeError:"):  # an integer of more than 64 bits, or nested deeper than the fast encoder goes
            source.line("output = dumps(data)")
        if owed is not None:
            with source.at(replace(self.unit.place(owed), left=True)), source.block(f"if len(output) > {PAYLOAD}:"):
                source.line(f"raise too_large({shaping.text(frame, owed.name)})")
        self.measures.end()
        source.line("return output")
