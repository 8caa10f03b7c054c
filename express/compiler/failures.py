"""Retry and Catch to Python: a loop around what is tried, and the ways out of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from express.compiler import data
from express.compiler.facts import Facts
from express.compiler.source import Display, Leaf, call, literal
from express.language.model import Catcher, Fallible, Name, Path
from express.runtime.limits import PAYLOAD
from express.runtime.retries import Retries, matcher

if TYPE_CHECKING:
    from express.compiler.flow import Frame


def write(frame: Frame, state: Fallible, scope: data.Scope, tried: Callable[[], None]) -> None:
    """``tried`` with Retry and Catch around it; without either, just ``tried``."""
    retried = any(retrier.max_attempts > 0 for retrier in state.retry)
    if not retried and not state.catch:
        tried()
        return
    source, unit, before = frame.source, frame.unit, frame.facts
    number = unit.numbers[state.location]
    if retried:
        retries = unit.object(Retries(state.retry), state.name, "_retries")
        source.line("attempt = 1")
        source.line(f"tries = {retries}.counters()")
        with source.block("while True:"):
            _try(frame, tried, leaves=True)
            source.line(f"delay = {retries}.delay(failure, tries)")
            with source.block("if delay is None:"):
                source.line("break")
            if frame.measures.on:
                source.line(f"retried({number})")
            source.line("attempt += 1")
            source.line(f"await sleep({unit.execution()}, delay)")
    else:
        _try(frame, tried, leaves=False)
    after = frame.facts
    with source.block("if failure is not None:"):
        for catcher in state.catch:
            _catch(frame, state, catcher, scope, before)
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


def _catch(frame: Frame, state: Fallible, catcher: Catcher, scope: data.Scope, before: Facts) -> None:
    """One Catcher: its error output goes into the raw input, and on."""
    source, unit = frame.source, frame.unit
    matches = unit.object(matcher(catcher.error_equals), state.name, "_catches")
    with source.block(f"if {matches}(failure):"), frame.branch():
        frame.facts = before
        output = call("error_output", "failure")
        path: Path | None = catcher.result_path
        if path is not None:
            use = (data.Use(path, "data", "result", "Catch ResultPath"),)
            if not path.segments:
                source.statement("data = ", output)
                frame.facts = Facts(bound=PAYLOAD, own=True, exclusive=True)
            elif len(path.segments) == 1 and isinstance(path.segments[0], Name):
                key = literal(path.segments[0].name)
                source.statement("data = ", Display("{", (("", Leaf("**data", use)), (f"{key}: ", output)), "}"))
            else:
                steps = ", ".join(literal(step.name) if isinstance(step, Name) else str(step.index) for step in path.segments)  # type: ignore[union-attr]
                source.statement("data = ", call("put", Leaf("data", use), f"({steps},)", output))
            if path.segments:
                with source.block(f"if not at_most(data, {PAYLOAD}):"):
                    source.line(f"raise too_large({data.value(state.name, unit, 'text').text})")
                frame.facts = msgspec.structs.replace(before, own=True, bound=PAYLOAD)
        if frame.measures.on:
            name = data.value(catcher.next, unit, "text").text
            source.line(f"caught({unit.numbers[state.location]}, failure.error, {name})")
        frame.measures.left(unit.numbers[state.location], state.name, quick=False)
        source.line("failure = None")
        frame.go(catcher.next)
