"""A definition as its cases run it: traced, every Task on a Stage; begun elsewhere, or with a whole Parallel mocked, if a case says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from express import language
from express.errors import DefinitionError
from express.language.model import Fallible, Literal, Map, Parallel, Pass, State, Task, Workflow
from express.language.transitions import machines
from express.loading import functions_of, located, name_of
from express.program import Program
from express.tasks import Binding
from express.tasks.lambdas import Direct, Invoke, InvokeAny
from express.testcases.files import CaseFile, Mock
from express.testcases.mocks import Mocked, Stage

BEGIN = "(variables of the test)"  # a state before the first one


class Workbench:
    """Compiles a definition once for all cases that run it alike. DefinitionError, with the file's name, for one that cannot run."""

    def __init__(self, file: CaseFile) -> None:
        self.path = file.definition
        self.name = name_of(self.path)
        self._functions = functions_of([file.path.parent / name for name in file.data.functions])
        loaded = language.load(self.path, file.data.substitutions, file.data.extensions)
        problems = [problem for problem in loaded.problems if problem.severity == "ERROR"]
        if loaded.workflow is not None:
            problems += language.refusals(loaded.workflow)
        if problems or loaded.workflow is None:
            raise DefinitionError([located(self.path, problem) for problem in problems])
        self.workflow: Workflow = loaded.workflow
        self.states: dict[str, State] = {state.name: state for machine in machines(self.workflow) for state in machine.states.values()}
        self.stage = Stage()
        self._programs: dict[Any, Program] = {}

    def program(self, start_at: str | None, variables: Mapping[str, Any], mocks: Mapping[str, Mock]) -> Program:
        """The program for a case; its Tasks answer as ``stage`` is set."""
        whole = frozenset(name for name in mocks if isinstance(self.states.get(name), Parallel | Map))
        key = (start_at, msgspec.json.encode(variables, order="sorted"), whole)
        if key not in self._programs:

            def rebind(state: Fallible, real: Binding | None) -> Binding | None:
                if isinstance(state, Task):
                    return Mocked(state, state.resource, self._function(real), self.stage)
                return Mocked(state, state.name, None, self.stage) if state.name in whole else None

            workflow = self.workflow if start_at is None else _begun(self.workflow, start_at, variables)
            self._programs[key] = Program(workflow, self.name, self._functions, "defer", metrics=False, trace=True, rebind=rebind)
        return self._programs[key]

    def _function(self, real: Binding | None) -> Binding | None:
        """Only what the file's functions provide: whatever else a resource is bound to is never called by a test."""
        return real if self._functions and isinstance(real, Direct | Invoke | InvokeAny) else None


def _begun(workflow: Workflow, start_at: str, variables: Mapping[str, Any]) -> Workflow:
    """The same, begun in another state of its own, with variables that are set before it."""
    if not variables:
        return msgspec.structs.replace(workflow, start_at=start_at)
    assign = tuple((name.removeprefix("$"), Literal(value)) for name, value in variables.items())
    first = Pass(name=BEGIN, location=f"/States/{BEGIN}", assign=assign, next=start_at)
    return msgspec.structs.replace(workflow, start_at=BEGIN, states={BEGIN: first, **workflow.states})
