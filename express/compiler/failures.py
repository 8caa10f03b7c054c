"""Retry and Catch to Python: a loop around what is tried, and the ways out of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from express.compiler import assigning, shaping
from express.compiler.data import Scope
from express.compiler.facts import Facts
from express.compiler.shaping import Result
from express.compiler.source import Leaf, call
from express.language.model import Catcher, Fallible
from express.runtime.limits import PAYLOAD
from express.runtime.retries import Retries, matcher

if TYPE_CHECKING:
    from express.compiler.flow import Frame


def retried(state: Fallible) -> bool:
    """Whether a state may be tried again. With MaxAttempts 0 a retrier only says that it may not."""
    return any(retrier.max_attempts > 0 for retrier in state.retry)


def write(frame: Frame, state: Fallible, scope: Scope, tried: Callable[[], None]) -> None:
    """``tried`` with Retry and Catch around it; without either, just ``tried``."""
    if not retried(state) and not state.catch:
        tried()
        return
    source, unit, before = frame.source, frame.unit, frame.facts
    if retried(state):
        retry = unit.object(Retries(state.retry), state.name, "_retry")
        source.line("attempt = 1")
        source.line(f"tries = {retry}.counters()")
        with source.block("while True:"):
            _try(frame, tried, leaves=True)
            source.line(f"delay = {retry}.delay(failure, tries)")
            with source.block("if delay is None:"):
                source.line("break")
            if frame.measures.on:
                source.line(f"retried({unit.numbers[state.location]})")
            source.line("attempt += 1")
            frame.traces.retried()
            source.line(f"await sleep({unit.execution()}, delay)")
    else:
        _try(frame, tried, leaves=False)
    after = frame.facts
    with source.block("if failure is not None:"):
        for position, catcher in enumerate(state.catch):
            _catch(frame, state, catcher, position, scope, before)
        with source.counted():
            source.line("raise failure")
    frame.facts = after


def _try(frame: Frame, tried: Callable[[], None], *, leaves: bool) -> None:
    source = frame.source
    source.line("failure = None")
    with source.block("try:"):
        tried()
        if leaves:
            source.line("break")
    with source.block("except Exception as error:"):
        source.line("failure = attempted(error, execution)")


def _catch(frame: Frame, state: Fallible, catcher: Catcher, position: int, scope: Scope, before: Facts) -> None:
    """One Catcher: its error output goes into the raw input, and on."""
    source, unit = frame.source, frame.unit
    number = unit.numbers[state.location]
    matches = unit.object(matcher(catcher.error_equals), state.name, "_catches")
    with source.block(f"if {matches}(failure):"), frame.branch():
        frame.facts = before
        output = Result(call("error_output", "failure"), PAYLOAD, exclusive=True, whole=False)
        if catcher.assign or catcher.output is not None:
            source.statement("fault = ", output.piece)
            output.piece = Leaf("fault")
        if state.jsonata:
            seen, place = replace(scope, error_output="fault"), f"Catch[{position}]"
            later = (catcher.output,)
            assigned = assigning.assign(frame, state, catcher.assign, seen, before.bound, later=later, field=f"{place}/Assign")
            shaping.output(frame, state, catcher.output, seen, output, field=f"{place}/Output")
        else:
            assigned = assigning.assign(frame, state, catcher.assign, scope.on("fault"), PAYLOAD)
            shaping.put(frame, state, catcher.result_path, output, in_place=False, field="Catch/ResultPath")
            frame.facts = replace(frame.facts, own=True) if catcher.result_path is not None else frame.facts
        shaping.limit(frame, state, now=True)
        assigning.commit(frame, assigned)
        if frame.measures.on:
            source.line(f"caught({number}, failure.error, {shaping.text(frame, catcher.next)})")
        shaping.leave(frame, state, catcher.next, position)
        source.line("failure = None")
        frame.go(catcher.next)
