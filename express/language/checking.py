"""A definition in, everything worth saying about it out: what AWS rejects, what will not do what was meant, and advice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from express.errors import Problem
from express.language import advice as advices
from express.language import durations, sizes, suppression
from express.language import portable as beyond
from express.language.findings import UNRESOLVED
from express.language.load import load
from express.language.model import Task, Workflow
from express.language.refusals import refusals
from express.language.transitions import machines


def check(
    definition: Any,
    substitutions: Mapping[str, Any] | None = None,
    *,
    advice: bool = True,
    portable: bool = False,
    ignore: Collection[str] = (),
    functions: Mapping[str, Any] | None = None,
    extensions: Collection[str] = (),
    integrations: Callable[[Sequence[Task]], list[Problem]] | None = None,
) -> list[Problem]:
    """Every problem of a definition (a dict, JSON or YAML text, or a path), by severity; empty if there is none. Never raises for a bad
    definition.

    ``advice`` adds ADVICE, once there is no ERROR. ``portable`` adds an ERROR for what Express runs and AWS would not. ``ignore`` holds
    codes of warnings and advice that are left out, as ``express: ignore CODE`` in a Comment does for the object that has it.
    ``functions`` are those that its Tasks call, by name: some advice depends on what they say about themselves.
    ``extensions`` are those that are switched on (``callbacks``, ``nested``): ``portable`` names them, too.
    ``integrations`` says what is wrong with what Tasks ask of services, which is nothing that the language knows.
    """
    loaded = load(definition, substitutions, extensions)
    problems = [problem for problem in loaded.problems if problem.code != UNRESOLVED]  # what it will be is not known here
    problems += sizes.check(loaded.raw)
    if loaded.workflow is not None:
        problems += durations.check(loaded.workflow)
        if integrations is not None:
            problems += integrations(tasks(loaded.workflow))
        problems += [msgspec.structs.replace(problem, severity="WARNING") for problem in refusals(loaded.workflow)]
    if portable:
        problems += beyond.check(loaded.raw, loaded.wider)
    if advice and loaded.workflow is not None:
        problems += advices.advise(loaded.workflow, functions or {})
    problems = suppression.suppress(problems, loaded.raw, ignore)
    return sorted(problems, key=lambda problem: _ORDER[problem.severity])


def tasks(workflow: Workflow) -> list[Task]:
    """All Tasks, at whatever depth."""
    return [state for machine in machines(workflow) for state in machine.states.values() if isinstance(state, Task)]


_ORDER = {"ERROR": 0, "WARNING": 1, "ADVICE": 2}
