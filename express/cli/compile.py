"""``express compile``: a definition in, the Python it becomes out."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Annotated

import typer

from express.cli import extensions, reasons, substitutions
from express.cli.exits import Exit, usage
from express.cli.extensions import Extension

SHORT = "Show the Python that a definition becomes."
EXAMPLES = """
\b
Examples:
  express compile orders.asl.json --show
  express compile orders.asl.json --show --functions orders_functions.py
  express compile orders.asl.json --show --state Charge
  express compile orders.asl.json --explain --functions orders_functions.py
"""


def command(
    definition: Annotated[Path, typer.Argument(metavar="DEFINITION", help="A file in JSON or YAML.")],
    show: Annotated[bool, typer.Option("--show", help="Print the generated Python, without the lines that measure.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say why the Python of each state is as it is.")] = False,
    metrics: Annotated[bool, typer.Option("--metrics", help="With the lines that measure, as a pipeline runs it.")] = False,
    state: Annotated[str | None, typer.Option(metavar="NAME", help="Only the lines of this state.")] = None,
    functions: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="A Python file of functions; may be repeated.")] = None,
    substitute: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help=substitutions.HELP)] = None,
    extension: Annotated[list[Extension] | None, typer.Option(help=extensions.HELP)] = None,
) -> int:
    """Compiles a definition; a resource that nothing provides is no error here. How a Task is called depends on its function's mode: with
    the functions that a pipeline has, the Python is the one that it runs."""
    from express.loading import functions_of, program_of

    values = substitutions.parsed(substitute)
    program = program_of(
        definition, functions_of(functions or ()), substitutions=values, missing="defer", metrics=metrics, extensions=extension or ()
    )
    if state is not None and state not in program.states:
        raise usage(f"{definition} has no state {state!r}: it has {', '.join(program.states)}")
    if explain:
        reasons.show([reason for reason in program.reasons() if state in (None, reason.state)])
    elif state is not None:
        print(textwrap.dedent("\n".join(program.lines(state))))
    elif show:
        print(program.source, end="")
    else:
        print(
            f"{definition} compiles: {len(program.states)} states, {len(program.source.splitlines())} lines of Python; --show prints them"
        )
    return Exit.OK
