"""Why generated code is as it is, on standard output: a table on a terminal, one line each elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from express.printable import printable

if TYPE_CHECKING:
    from express.compiler.explaining import Reason

COLOURS = {"library": "yellow", "path": "yellow", "copy": "cyan", "check": "cyan", "wait": "magenta"}


def show(reasons: Sequence[Reason]) -> None:
    if not sys.stdout.isatty():
        for reason in reasons:
            print(f"{printable(reason.location)}: {reason.about}: {printable(reason.text)}")
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_lines=False)
    table.add_column("state", overflow="fold", style="bold")
    table.add_column("about")
    table.add_column("what and why", overflow="fold")
    for name, own in groupby(reasons, key=lambda reason: reason.state):
        for number, reason in enumerate(own):
            about = Text(reason.about, COLOURS.get(reason.about, ""))
            table.add_row(Text(printable(name) if not number else ""), about, Text(printable(reason.text)))
    Console(highlight=False).print(table)
