"""``express graph``: a definition in, its picture out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from express.cli import substitutions
from express.cli.exits import Exit, usage, write

SHORT = "Draw a definition, coloured by coverage or live metrics."
EXAMPLES = """
\b
Examples:
  express graph orders.asl.json
  express graph orders.asl.json -o orders.svg
  express graph orders.asl.json -o orders.html --coverage coverage.json
  express graph orders.asl.json -o orders.html --metrics http://127.0.0.1:9464/metrics
"""


class Format(StrEnum):
    MERMAID = "mermaid"
    SVG = "svg"
    HTML = "html"


def command(
    definition: Annotated[Path, typer.Argument(metavar="DEFINITION", help="A file in JSON or YAML.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to.  [default: standard output]")] = None,
    form: Annotated[Format | None, typer.Option("--format", help="What to draw.  [default: by the name of the file, else mermaid]")] = None,
    coverage: Annotated[Path | None, typer.Option(metavar="FILE", help="What express test --coverage-file has written.")] = None,
    metrics: Annotated[str | None, typer.Option(metavar="URL|FILE", help="The /metrics of a running process, or a file of it.")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The workflow's name.  [default: the file's]")] = None,
    substitute: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help=substitutions.HELP)] = None,
) -> int:
    """Draws a definition as Mermaid's text, as SVG, or as a page of HTML; nothing is fetched to read them."""
    from express.drawing import drawing

    if coverage is not None and metrics is not None:
        raise usage("--coverage and --metrics cannot both give the colours")
    values = substitutions.parsed(substitute)
    kind = form or (Format.MERMAID if output is None else Format(drawing.kind_of(output)))
    text = drawing.draw(definition, str(kind), name=name, coverage=coverage, metrics=metrics, values=values)
    if output is None:
        print(text, end="")
    else:
        write(output, text.encode())
    return Exit.OK
