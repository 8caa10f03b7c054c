"""Letters in; out, their original records in a sink, or what a definition would do with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec

from express.commits import Tracker
from express.dlq.boxes import Box
from express.dlq.letters import Letter, record
from express.errors import PipelineStopped
from express.outcome import Outcome
from express.program import Program
from express.runtime.context import as_text
from express.runtime.values import loads
from express.sinks import Entry, Sink
from express.sources import Assignment

BATCH = 500  # records sent, and then removed, together
FLUSH_SECONDS = 60.0


class Tried(msgspec.Struct, frozen=True):
    """A letter and what became of it this time."""

    letter: Letter
    outcome: Outcome


async def send(box: Box, chosen: Sequence[Letter], sink: Sink, *, keep: bool, sent: Callable[[int], None]) -> None:
    """Sends the original records, in order, and removes each batch from the box once the sink has acknowledged it: what is cut off in
    between is in both places, never in none. PipelineStopped with one sentence when the sink refuses a record or is gone;
    ConfigurationError, and nothing sent, where these could not be removed afterwards."""
    if not keep:
        await box.removable([one.id for one in chosen])
    assignment = Assignment("replay", 0, Tracker())
    refused: list[str] = []

    def rejected(entry: Entry, reason: str) -> None:
        refused.append(reason)

    await sink.start(lambda entries: None, rejected, lambda error: refused.append(str(error)))
    for begin in range(0, len(chosen), BATCH):
        batch = chosen[begin : begin + BATCH]
        sink.put([Entry(assignment, found := record(one), found.value, found.headers) for one in batch])
        flushed = asyncio.ensure_future(sink.flush())
        await asyncio.wait({flushed}, timeout=FLUSH_SECONDS)
        if not flushed.done():
            flushed.cancel()
            refused.append(f"not acknowledged within {FLUSH_SECONDS:.0f} s")
        else:
            flushed.result()
        if refused:
            raise PipelineStopped(f"the records from {batch[0].id} on could not all be sent, and stay where they are: {refused[0]}")
        if not keep:
            await box.remove([one.id for one in batch])
        sent(len(batch))


async def rehearse(program: Program, chosen: Sequence[Letter], batch: bool = False) -> AsyncIterator[Tried]:
    """Runs each record through a program, functions and all, one after the other; nothing is sent, nothing removed. The Context Object has
    the ``Source`` that it had. ``batch``: as an array of one, which is what a pipeline with batches gives it."""
    for one in chosen:
        try:
            event: Any = None if one.value is None else loads(one.value)
        except ValueError as error:
            yield Tried(one, Outcome("FAILED", None, "Express.Undecodable", str(error)))
            continue
        name, context = one.reason("execution") or None, {"Source": _source(one, batch)}
        yield Tried(one, await program.execute([event] if batch else event, name=name, context=context))


def _source(one: Letter, batch: bool) -> dict[str, Any]:
    """``$$.Source`` of a record, from what its letter says of where it was."""
    try:
        place: Any = loads(one.reason("source").encode())
    except ValueError:
        place = {}
    key = None if one.key is None else as_text(one.key)
    headers = {name: as_text(content) for name, content in one.headers}
    source = {**(place if isinstance(place, dict) else {}), "key": key, "headers": headers}
    return {**source, "records": [source]} if batch else source
