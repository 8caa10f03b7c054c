"""``express exec``: one definition and one input in, one output out."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from express.cli import extensions, substitutions, traces
from express.cli.exits import Exit
from express.cli.extensions import Extension

SHORT = "Run one execution."
EXAMPLES = """
\b
Examples:
  express exec orders.asl.json --input '{"total": 65}' --functions orders_functions.py
  express exec orders.asl.json --input @event.json --trace
  head -1 orders.jsonl | express exec orders.asl.json --input -
  express exec orders.asl.json -c express.yaml --input @event.json
"""


def command(
    definition: Annotated[Path, typer.Argument(metavar="DEFINITION", help="A file in JSON or YAML.")],
    text: Annotated[str, typer.Option("--input", metavar="JSON|@FILE|-", help="The input: JSON, a file of it, or standard input.")] = "{}",
    functions: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="A Python file of functions; may be repeated.")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The execution's name.")] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Show every state's input, output, variables and duration.")] = False,
    trace_json: Annotated[bool, typer.Option("--trace-json", help="The same as JSON, whole, a line a state.")] = False,
    substitute: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help=substitutions.HELP)] = None,
    extension: Annotated[list[Extension] | None, typer.Option(help=extensions.HELP)] = None,
    configuration: Annotated[
        Path | None,
        typer.Option("-c", "--config", metavar="FILE", help="Connections, functions and extensions from express.yaml, and its workflow."),
    ] = None,
) -> int:
    """Runs one execution and prints its output; when it fails, its error and cause on standard error, with exit code 1. What --trace shows
    goes to standard error, too."""
    from express.loading import program_of
    from express.observers.recording import Recording
    from express.runtime import values
    from express.surroundings import surroundings

    recording = Recording(traces.MOST) if trace or trace_json else None
    there = surroundings(definition, configuration, os.environ, functions or ())
    program = program_of(
        definition,
        there.functions,
        substitutions={**there.substitutions, **substitutions.parsed(substitute)},
        trace=recording is not None,
        connections=there.connections,
        extensions=(*there.extensions, *(extension or ())),
    )
    outcome = program.run(_input(text), name=name, trace=recording)
    if recording is not None:
        traces.show(recording, as_json=trace_json)
    if outcome.status == "SUCCEEDED":
        print(values.dumps(outcome.output).decode())
        return Exit.OK
    print(f"{outcome.error or 'the workflow failed without an error name'}{f': {outcome.cause}' if outcome.cause else ''}", file=sys.stderr)
    if outcome.location:
        print(f"in {outcome.location} of {definition}", file=sys.stderr)
    return Exit.NO


def _input(text: str) -> Any:
    from express.errors import DefinitionError, Problem
    from express.runtime import values

    if text == "-":
        raw = sys.stdin.buffer.read()
    elif text.startswith("@"):
        raw = Path(text[1:]).read_bytes()
    else:
        raw = text.encode(errors="surrogateescape")
    try:
        return values.loads(raw)
    except ValueError as error:
        raise DefinitionError([Problem("ERROR", "INVALID_INPUT", "--input", str(error))]) from None
