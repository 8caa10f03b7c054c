"""``express queue``: events into an embedded queue, and how many are in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from express.cli.exits import Exit, duration, usage

SHORT = "Send events to an embedded queue, look into one."
EXAMPLES = """
\b
Examples:
  express queue send orders.db orders.jsonl
  echo '{"total": 65}' | express queue send orders.db --key customer-7
  express queue show orders.db
  express run orders.asl.json --source queue:orders.db --sink queue:done.db --dead-letter queue:dead.db
"""
BATCH = 1_000  # records of one transaction

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]})

Place = Annotated[str, typer.Argument(metavar="PATH", help="The queue's file, with or without 'queue:' before it.")]


@app.command(short_help="Send each line of a file as an event.")
def send(
    place: Place,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="One event a line.  [default: standard input]")] = None,
    key: Annotated[str | None, typer.Option(metavar="TEXT", help="The key of every event.")] = None,
    delay: Annotated[Any, typer.Option(metavar="TIME", parser=duration, help="Until they may be taken.  [default: at once]")] = None,
) -> int:
    """Sends each line as an event, in order; makes the queue when it is not there. What it says is sent is on the disk."""
    from express.queue import Outgoing

    sent, named = 0, None if key is None else key.encode(errors="surrogateescape")
    with ExitStack() as stack:
        lines: BinaryIO = sys.stdin.buffer if file is None else stack.enter_context(file.open("rb"))
        queue = stack.enter_context(_opened(place, create=True))
        for batch in _batches(lines):
            sent += len(queue.put([Outgoing(line, named) for line in batch], delay or 0.0))
    print(f"sent {sent:,} to {queue.path}")
    return Exit.OK


@app.command(short_help="Say how many events are in a queue.")
def show(place: Place) -> int:
    """Says how many events wait, and how many are leased by running workers or delayed."""
    with _opened(place, create=False) as queue:
        print(f"{queue.path}: {queue.waiting():,} waiting, {queue.held():,} in flight or delayed")
    return Exit.OK


def _opened(place: str, create: bool) -> Any:
    from express.queue import Queue

    path = place.removeprefix("queue:")
    if not path or "?" in path:
        raise usage(f"expected the path of a queue, such as orders.db, found {place!r}")
    return Queue(path, create=create)


def _batches(lines: BinaryIO) -> Iterator[list[bytes]]:
    whole = (line.rstrip(b"\r\n") for line in lines if not line.isspace())
    while batch := list(islice(whole, BATCH)):
        yield batch
