"""The state machines of an endpoint: kept ones and those of pipelines; an ARN in, what it runs now out."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import msgspec

from express.api import arns
from express.api.arns import Qualified
from express.api.store import Alias, Machine, Revision, Store, Version
from express.errors import DefinitionError, Problem, RequestError
from express.observers.metrics import WorkflowMetrics
from express.options import Connection
from express.program import Program, compile  # noqa: A004 - the word for it

Functions = Mapping[str, Callable[..., Any]]
Result = TypeVar("Result")

log = logging.getLogger("express")

SAID = 20  # problems of a definition that one answer repeats


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow that this process runs anyway: its pipeline's. ``definition`` is its JSON text."""

    program: Program
    definition: str
    created: float


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What an ARN stands for at this moment. ``qualified`` is the ARN of exactly that: a version's, or the machine's."""

    name: str
    revision: int
    arn: str
    qualified: str


class Machines:
    """Changes are made one at a time, by whoever holds ``changing``: compiled and written in a thread of their own, so that the loop goes
    on meanwhile, and visible here only once they are durable.
    """

    def __init__(
        self,
        store: Store | None,
        functions: Functions,
        reach: Callable[[str], Mapping[str, Connection]],
        given: Sequence[Given] = (),
        extensions: Collection[str] = (),
    ) -> None:
        """``reach``: the connections that a state machine may use, by its name. Compiles everything that was kept; what this version of
        Express cannot compile any more is said, and answers with the reason."""
        self.store, self.functions, self.extensions = store, functions, extensions
        self._reach = reach
        self.accepted: Callable[[Program], None] = lambda program: None  # told of each program that is new
        self.changing = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="express-api")
        machines, self._revisions = store.load() if store is not None else ([], {})
        self._machines = {machine.name: machine for machine in machines}
        self._programs: dict[int, Program] = {}
        self._broken: dict[int, RequestError] = {}
        self._targets: dict[str, Target] = {}
        self.given: dict[str, Program] = {}
        for machine in machines:
            for key in machine.revisions():
                self._restore(key, machine.name)
        for number, each in enumerate(given, 1):
            self._give(-number, each)

    def _restore(self, key: int, name: str) -> None:
        try:
            program = self._compile(self._revisions[key].definition, name)
        except DefinitionError as error:
            self._broken[key] = _invalid(error)
            log.error("the state machine %s was kept and cannot be run: %s", name, _said(error.problems))
        else:
            self._accept(key, program)

    def _give(self, key: int, given: Given) -> None:
        """The workflow of a pipeline. It hides a kept state machine of its name: what runs is what answers."""
        name = given.program.name
        self.given[name] = given.program
        self._programs[key] = given.program
        self._revisions[key] = Revision(
            definition=given.definition, role=given.program.role, revision=None, updated=given.created, logging=dict(OFF)
        )
        self._machines[name] = Machine(name=name, created=given.created, revision=key)

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        if self.store is not None:
            self.store.close()

    # --- Looking --------------------------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Machine]:
        """By name."""
        return iter(sorted(self._machines.values(), key=lambda machine: machine.name))

    def get(self, name: str) -> Machine | None:
        return self._machines.get(name)

    def at(self, arn: str, found: Qualified | None = None) -> Machine:
        """The machine that an ARN names, without looking at its qualifier."""
        machine = self._machines.get((found or arns.state_machine(arn)).name)
        if machine is None:
            raise missing(arn)
        return machine

    def unqualified(self, arn: str) -> Machine:
        """The machine of an ARN that names no version and no alias."""
        found = arns.state_machine(arn)
        if found.qualifier is not None:
            raise missing(arn)
        return self.at(arn, found)

    def revision(self, key: int) -> Revision:
        return self._revisions[key]

    def target(self, arn: str) -> Target:
        """What an execution of this ARN runs; an alias chooses by its weights each time."""
        target = self._targets.get(arn)
        if target is not None:
            return target
        found = arns.state_machine(arn)
        machine = self.at(arn, found)
        if found.qualifier is None:
            own = arns.of_machine(machine.name)
            target = Target(name=machine.name, revision=machine.revision, arn=own, qualified=own)
        elif (version := machine.version(found.version)) is not None:
            target = _versioned(machine, version)
        elif (alias := machine.alias(found.qualifier)) is not None:
            version = machine.version(_choose(alias))
            assert version is not None, "a version that an alias names is not deleted"
            return _versioned(machine, version)
        else:
            raise missing(arn)
        self._targets[arn] = target
        return target

    def of(self, machine: Machine) -> Target:
        """What its ARN without a qualifier stands for."""
        return self.target(arns.of_machine(machine.name))

    def program(self, target: Target) -> Program:
        """RequestError if this version of Express could not compile what was kept."""
        program = self._programs.get(target.revision)
        if program is None:
            raise self._broken[target.revision]
        return program

    def programs(self) -> Iterator[Program]:
        return iter(self._programs.values())

    def metrics(self) -> list[WorkflowMetrics]:
        """Of everything compiled: a machine's present revision under its name, older versions as NAME:NUMBER."""
        found: dict[int, WorkflowMetrics] = {}
        for machine in self:
            labels = {version.revision: f"{machine.name}:{version.number}" for version in reversed(machine.versions)}
            labels[machine.revision] = machine.name
            for key, label in labels.items():
                program = self._programs.get(key)
                if program is not None and program.metrics is not None:
                    program.metrics.workflow = label
                    found[id(program)] = program.metrics
        return list(found.values())

    # --- Changing: for the holder of ``changing`` -------------------------------------------------------------------------------------

    async def in_thread(self, work: Callable[..., Result], *arguments: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *arguments))

    async def compile(self, definition: str, name: str) -> Program:
        """InvalidDefinition with what is wrong with it."""
        try:
            return await self.in_thread(self._compile, definition, name)
        except DefinitionError as error:
            raise _invalid(error) from None

    def _compile(self, definition: str, name: str) -> Program:
        program = compile(
            definition,
            name,
            self.functions,
            missing="defer",
            connections=self._reach(name),
            extensions=self.extensions,
            workflows=_Present(self),
        )
        if program.plain:
            program.process  # noqa: B018 - its code is made now, not for the first execution
        return program

    def changeable(self, name: str) -> Store:
        """RequestError when this endpoint keeps nothing, or this one is a pipeline's."""
        if name in self.given:
            sentence = f"the state machine '{name}' is that of a pipeline: it changes with the file of its definition"
            raise RequestError("AccessDeniedException", sentence)
        if self.store is None:
            raise RequestError("AccessDeniedException", "this endpoint keeps no state machines: start it with --data DIRECTORY")
        return self.store

    async def add(self, name: str, revision: Revision, program: Program, change: Callable[[int], Machine]) -> Machine:
        """A new revision of a new or a known machine."""
        before = self._machines[name].revisions() if name in self._machines else set()
        machine, key = await self.in_thread(self.changeable(name).add, name, revision, change, before)
        self._revisions[key] = revision
        self._accept(key, program)
        self._changed(machine, before)
        return machine

    async def put(self, machine: Machine) -> Machine:
        """What else of a machine has changed. Revisions that nobody can run any more go."""
        before = self._machines[machine.name]
        await self.in_thread(self.changeable(machine.name).put, machine, before.revisions() - machine.revisions())
        self._changed(machine, before.revisions())
        return machine

    async def remove(self, machine: Machine) -> None:
        await self.in_thread(self.changeable(machine.name).remove, machine.name)
        del self._machines[machine.name]
        self._forget(machine.revisions())

    def _changed(self, machine: Machine, before: set[int]) -> None:
        self._machines[machine.name] = machine
        self._forget(before - machine.revisions())

    def _accept(self, key: int, program: Program) -> None:
        program.role = self._revisions[key].role
        self._programs[key] = program
        self.accepted(program)

    def _forget(self, keys: Iterable[int]) -> None:
        self._targets.clear()
        for key in keys:
            self._revisions.pop(key, None)
            self._programs.pop(key, None)
            self._broken.pop(key, None)


class _Present(Mapping[str, Program]):
    """What a workflow may start and wait for: every state machine, as it is when that happens."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    def __getitem__(self, name: str) -> Program:
        machine = self._machines.get(name)
        if machine is None:
            raise KeyError(name)
        return self._machines.program(self._machines.of(machine))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._machines.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return (machine.name for machine in self._machines)

    def __len__(self) -> int:
        return sum(1 for _ in self._machines)


OFF = {"level": "OFF", "includeExecutionData": False}


def missing(arn: str) -> RequestError:
    return RequestError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")


def _invalid(error: DefinitionError) -> RequestError:
    return RequestError("InvalidDefinition", f"Invalid State Machine Definition: '{_said(error.problems)}'")


def _said(problems: Sequence[Problem]) -> str:
    wrong = [problem for problem in problems if problem.severity == "ERROR"]
    return ", ".join(f"{problem.code}: {problem.message} at {problem.location or '/'}" for problem in wrong[:SAID])


def _versioned(machine: Machine, version: Version) -> Target:
    return Target(
        name=machine.name,
        revision=version.revision,
        arn=arns.of_machine(machine.name),
        qualified=arns.of_machine(machine.name, version.number),
    )


def _choose(alias: Alias) -> int:
    """One of an alias's versions, as often as its weight says."""
    (first, weight), *others = alias.routing
    return others[0][0] if others and random.random() * 100 >= weight else first
