"""A Workflow in; a module out: its text, the objects it runs with, and what each of its lines belongs to."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any

import msgspec
import orjson

from express.compiler import data
from express.compiler import projection as projections
from express.compiler.flow import Flow
from express.compiler.graph import Plans, exits
from express.compiler.measures import Measures
from express.compiler.projection import Projection
from express.compiler.safety import check
from express.compiler.source import Line
from express.compiler.unit import About, Binding, Unit
from express.compiler.variables import most_stored
from express.language.model import Choice, Machine, Map, Parallel, State, Task, Workflow
from express.runtime import (
    access,
    branches,
    callbacks,
    comparisons,
    intrinsics,
    jsonata,
    jsonata_names,
    paths,
    stored,
    suspensions,
    tokens,
    values,
    variables,
)
from express.runtime.decoding import OTHER_FORM, projector, whole
from express.runtime.failures import StateError
from express.runtime.jsonata_library import LibraryQuery
from express.runtime.limits import VARIABLES


class Module(msgspec.Struct):
    """``plain``: ``run(data, execution)`` is a plain function; ``anonymous``: it never looks at the execution; ``reveals_input``: it may
    look at the execution's input."""

    text: str
    filename: str
    table: Mapping[int, Line]
    objects: dict[str, Any]
    event_ids: Mapping[str, int]
    plain: bool
    anonymous: bool
    reveals_input: bool
    projection: Projection | None
    reasons: Mapping[str, Sequence[tuple[About, str]]]


def machines(machine: Machine) -> Iterator[Machine]:
    """A machine and all machines inside it."""
    yield machine
    for state in machine.states.values():
        for inner in state.branches if isinstance(state, Parallel) else (state.processor,) if isinstance(state, Map) else ():
            yield from machines(inner)


def all_states(workflow: Workflow) -> list[State]:
    """All states, in the order in which metrics number them."""
    return [state for machine in machines(workflow) for state in machine.states.values()]


# What generated code may use, by the names it knows it under
RUNTIME: dict[str, Any] = {
    # Python's own, the few that are needed
    "str": str, "int": int, "float": float, "bool": bool, "Exception": Exception, "BaseException": BaseException,
    "GeneratorExit": GeneratorExit,
    # failures
    "StateError": StateError, "too_large": access.too_large, "no_choice": access.no_choice, "error_output": access.error_output,
    # values
    "copy": values.copy, "adopt": values.adopt, "at_most": values.at_most, "at_most_shared": values.at_most_shared,
    "NUMBERS": access.NUMBERS, "CONTAINERS": values.CONTAINERS, "item": paths.item, "put": paths.put, "selects": paths.selects,
    "UNSET": variables.UNSET, "assigned": variables.assigned, "those_set": variables.those_set,
    "storage": stored.storage, "weigh": stored.weigh, "keep": stored.keep, "emptied": stored.emptied, "release": stored.release,
    "present": access.present, "array_of": access.array, "text_of": access.text, "seconds_of": access.seconds_of, "until": access.until,
    "count_of": access.count_of, "items_of": access.items_of, "moment": access.moment,
    "dumps": values.dumps, "encode": orjson.dumps, "decode": whole, "project": None, "OTHER_FORM": OTHER_FORM,
     "len": len, "TypeError": TypeError,
    # what waits
    "sleep": suspensions.sleep, "breathe": suspensions.breathe, "call": suspensions.call, "call_inline": suspensions.call_inline,
    "call_back": callbacks.call_back, "new_token": tokens.new_token,
    "parallel": branches.parallel, "each": branches.each, "measured": branches.measured,
    # time
    "clock": perf_counter, "bucket": bisect_left,
}  # fmt: skip
RUNTIME |= {function.__name__: function for function in intrinsics.FUNCTIONS.values()}
RUNTIME |= {function.__name__: function for function in comparisons.TABLE.values()}
RUNTIME |= {function.__name__: function for function in jsonata.RESULTS}
RUNTIME |= jsonata_names.RUNTIME
FILLED_IN = ("attempted", "failed", "ended")  # by whoever runs the module: they need its table


def generate(
    workflow: Workflow,
    name: str,
    bindings: Mapping[str, Binding],
    metrics: Any,
    bounds: Any,
    version: str,
    *,
    text: bool = False,
    trace: Mapping[str, Any] | None = None,
    stand_in: bool = False,
) -> Module:
    """The module of a workflow. ``bindings`` has what each Task calls by the state's location, and what is called instead of running a
    Map or Parallel; ``metrics`` is None to measure nothing.

    ``text``: its ``run`` takes an event as JSON text and returns the output as JSON text. ``trace`` are the functions that record what
    states see and do, by the names generated code knows them under; None to record nothing. ``stand_in``: every part of the Context Object
    is asked of the execution, which may say anything.
    """
    numbers = {state.location: number for number, state in enumerate(all_states(workflow))}
    runtime: dict[str, Any] = {**RUNTIME, **dict.fromkeys(FILLED_IN), **(trace or {})}
    if metrics is not None:
        runtime |= {
            "passed": None,
            "BOUNDS": bounds, "started": metrics.started, "statuses": metrics.statuses, "entered": metrics.entered,
            "run_counts": metrics.execution.counts, "run_seconds": metrics.execution.total,
            "retried": metrics.retried, "caught": metrics.caught,
        }  # fmt: skip
        metrics.derived.update(range(len(numbers)))
        for state in all_states(workflow):
            # A task that is never tried again makes one attempt: its seconds are the state's
            if isinstance(state, Task) and not any(retrier.max_attempts > 0 for retrier in state.retry):
                metrics.attempts[numbers[state.location]] = metrics.seconds[numbers[state.location]]
    unit = Unit(workflow, runtime, dict(bindings), metrics, numbers, trace=trace is not None, stand_in=stand_in)
    unit.reveals_input = any(data.mentions(state, "Execution", "Input") for state in all_states(workflow))
    unit.text = text
    plans = Plans(unit.bindings)
    if most_stored(workflow, plans) > VARIABLES:
        unit.stored = ["stored"]
    unit.nests = any(plans.of(machine).cyclic for machine in machines(workflow))
    projection = projections.of(plans.of(workflow)) if text and not unit.reveals_input else None
    if projection is not None:
        unit.projects = True
        unit.objects["project"] = projector(projection.shape)
    if text:
        unit.because(workflow.states[workflow.start_at], "text", projections.described(projection))
    source = unit.source
    source.comment(f"express {version}, from {name!a} (sha256 {workflow.sha256[:8]}). Generated: change the definition, not this.")
    measures = Measures(unit, plain=plans.of(workflow).plain)
    entry = Flow(unit, plans, measures, workflow, "run", "root").write()
    if metrics is not None:
        unit.objects["passed"] = measures.passed
        metrics.tally(measures.passed, list(measures.passages))
    if unit.nests:
        for query in unit.objects.values():
            if isinstance(query, LibraryQuery):
                query.wary = True
    written = source.text
    filename = f"<express {ascii(name)[1:-1]}@{workflow.sha256[:8]}{' text' if unit.text else ''}>"
    check(written, unit.objects, filename)
    anonymous = entry.plain and not unit.looks_at_execution and not any(_takes_context(binding) for binding in bindings.values())
    return Module(
        written,
        filename,
        source.table,
        unit.objects,
        _event_ids(workflow),
        entry.plain,
        anonymous,
        unit.reveals_input,
        projection,
        {location: tuple(reasons) for location, reasons in unit.reasons.items()},
    )


def _takes_context(binding: Binding) -> bool:
    return getattr(binding, "plain", None) is None


def _event_ids(workflow: Workflow) -> dict[str, int]:
    """For every state the number of the history event by which AWS would enter it, on the shortest way there and without retries."""
    found: dict[str, int] = {}

    def walk(machine: Machine, first: int) -> None:
        pending = [(machine.start_at, first)]
        seen = {machine.start_at}
        for name, number in pending:  # grows while it is walked
            state = machine.states[name]
            found[state.location] = number
            if isinstance(state, Parallel):
                for branch in state.branches:
                    walk(branch, number + 2)
            elif isinstance(state, Map):
                walk(state.processor, number + 3)
            # entered and exited; a task is scheduled, started, and succeeds in between
            after = number + (5 if isinstance(state, Task) else 2)
            for target, _ in exits(state):
                if target is not None and target not in seen:
                    seen.add(target)
                    pending.append((target, after))

    walk(workflow, 2)
    return found


__all__ = ["Choice", "Module", "all_states", "generate", "machines"]
