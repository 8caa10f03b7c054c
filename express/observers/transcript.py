"""A recording in, what every state saw and did as lines to read or as JSON out; branches and iterations below their state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from express.observers.recording import Failure, Recording, Visit
from express.runtime.values import dumps, equal
from express.units import duration_text

LONGEST = 160  # characters of a payload that are shown
ENDINGS = {"SUCCEEDED": "", "CAUGHT": "caught", "FAILED": "FAILED", "TIMED_OUT": "TIMED OUT", "ABORTED": "given up"}
# What was seen of the data on the way, by what a reader calls it
STEPS = {
    "afterInputPath": "input path", "afterParameters": "parameters", "afterArguments": "arguments", "afterItemsPath": "items",
    "result": "result", "afterResultSelector": "selected",
}  # fmt: skip


class Line(msgspec.Struct):
    """``start`` is the indented name of a state (``head``) or of what is shown of it; ``wrong`` where something has failed."""

    start: str
    text: str
    head: bool = False
    wrong: bool = False


def lines(recording: Recording, longest: int = LONGEST) -> Iterator[Line]:
    """A recording as people read it. What changes nothing is not shown again; long payloads are cut."""
    inside: dict[int | None, list[Visit]] = {}
    for visit in recording.visits:
        inside.setdefault(visit.parent, []).append(visit)
    pending = [(visit, 0) for visit in reversed(inside.get(None, []))]
    while pending:
        visit, depth = pending.pop()
        yield from _visit(visit, depth, longest)
        below = sorted(inside.get(visit.number, []), key=lambda one: (one.index or 0, one.number))
        pending.extend((one, depth + 1) for one in reversed(below))
    if recording.dropped:
        yield Line("", f"{recording.dropped:,} more states are not shown", wrong=True)


def _visit(visit: Visit, depth: int, longest: int) -> Iterator[Line]:
    title = visit.name if visit.index is None else f"[{visit.index}] {visit.name}"
    ending = ENDINGS[visit.status]
    lasted = "" if visit.status == "ABORTED" else duration_text(visit.seconds)
    parts = [part for part in (visit.type, lasted, ending, f"-> {visit.next}" if visit.next else "") if part]
    yield Line("  " * depth + title, "  ".join(["", *parts]), head=True, wrong=visit.status not in ("SUCCEEDED", "CAUGHT"))

    def line(label: str, text: str, *, wrong: bool = False) -> Line:
        return Line(f"{'  ' * depth}    {label:<11} ", text, wrong=wrong)

    shown = visit.input
    yield line("input", _cut(shown, longest))
    for field, label in STEPS.items():
        if field in visit.data and not equal(visit.data[field], shown):
            shown = visit.data[field]
            yield line(label, _cut(shown, longest))
    for name, value in visit.assigned.items():
        yield line(f"${name}", _cut(value, longest))
    for failure in visit.failures:
        yield line("failed", _failure(failure), wrong=True)
    if visit.error is not None and not visit.failures:
        yield line("failed", _failure(Failure(visit.error, visit.cause)), wrong=True)
    if visit.status in ("SUCCEEDED", "CAUGHT"):
        yield line("output", "= input" if equal(visit.output, visit.input) else _cut(visit.output, longest))


def _failure(failure: Failure) -> str:
    again = "" if failure.delay is None else f" (again after {duration_text(failure.delay)})"
    return f"{failure.error}{f': {failure.cause}' if failure.cause else ''}{again}"


def _cut(value: Any, longest: int) -> str:
    text = dumps(value)
    if len(text) <= longest:
        return text.decode()
    return f"{text[: 4 * longest].decode(errors='ignore')[:longest]}... ({len(text):,} bytes)"


def as_json(visit: Visit) -> bytes:
    """A visit as one line of JSON, payloads whole: its fields, without those that say nothing."""
    fields: dict[str, Any] = {
        "number": visit.number, "trail": visit.trail, "location": visit.location, "name": visit.name, "type": visit.type,
        "parent": visit.parent, "index": visit.index, "status": visit.status, "next": visit.next, "catcher": visit.catcher,
        "rule": visit.rule,
        "error": visit.error, "cause": visit.cause, "attempts": visit.attempts, "entered": visit.entered, "seconds": visit.seconds,
    }  # fmt: skip
    fields = {name: value for name, value in fields.items() if value is not None}
    if visit.failures:
        fields["failures"] = [msgspec.to_builtins(failure) for failure in visit.failures]
    fields["input"] = visit.input
    fields |= {name: value for name, value in (("assigned", visit.assigned), ("data", visit.data)) if value}
    if visit.status in ("SUCCEEDED", "CAUGHT"):
        fields["output"] = visit.output
    return dumps(fields)
