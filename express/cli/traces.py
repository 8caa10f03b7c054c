"""What was recorded of an execution, on standard error: coloured on a terminal, plain elsewhere, or as lines of JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from express.observers.recording import Recording

MOST = 10_000  # states that are kept to be shown


def show(recording: Recording, *, as_json: bool) -> None:
    from express.observers import transcript

    if as_json:
        for visit in recording.visits:
            print(transcript.as_json(visit).decode(), file=sys.stderr)
        return
    if not sys.stderr.isatty():
        for line in transcript.lines(recording):
            print(f"{line.start}{line.text}", file=sys.stderr)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    for line in transcript.lines(recording):
        text = Text().append(line.start, "bold" if line.head else "dim").append(line.text, "red" if line.wrong else "")
        console.print(text, no_wrap=True, overflow="ellipsis")
