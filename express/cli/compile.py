"""``express compile``: a definition in, the Python it becomes out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from express.cli.exits import Exit

SHORT = "Show the Python that a definition becomes."
EXAMPLES = """
\b
Examples:
  express compile orders.asl.json --show
  express compile orders.asl.json --show --state Charge
"""


def command(
    definition: Annotated[Path, typer.Argument(metavar="DEFINITION", help="A file in JSON or YAML.")],
    show: Annotated[bool, typer.Option("--show", help="Print the generated Python.")] = False,
    state: Annotated[str | None, typer.Option(metavar="NAME", help="Only the lines of this state.")] = None,
) -> int:
    """Compiles a definition; a resource that nothing provides is no error here."""
    from express.loading import program_of

    program = program_of(definition, {}, missing="defer")
    if show or state is not None:
        print(program.source, end="")
    return Exit.OK
