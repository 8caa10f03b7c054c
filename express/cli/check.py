"""``express check``: definitions in, all their problems out, one a line."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from express.cli import extensions
from express.cli import substitutions as values
from express.cli.exits import Exit, together, usage
from express.cli.extensions import Extension

SHORT = "Say what is wrong with definitions."
EXAMPLES = """
\b
Examples:
  express check orders.asl.json
  express check workflows/*.asl.json --format sarif > findings.sarif
  express check orders.asl.json --portable --substitute ChargeFunction=arn:aws:lambda:us-east-1:123456789012:function:charge
  express check orders.asl.json --ignore TASK_WITHOUT_TIMEOUT
  express check -c express.yaml
  generate-definition | express check -
"""


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


class _Wanted(NamedTuple):
    """A definition to be checked: its name as reports show it, where it is (None: standard input), what goes with it."""

    name: str
    path: Path | None
    substitutions: dict[str, Any]
    functions: tuple[Path, ...]
    extensions: tuple[str, ...]


def command(
    definitions: Annotated[
        list[str] | None, typer.Argument(metavar="DEFINITION...", help="Files in JSON or YAML; - is standard input.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How problems are printed.")] = Format.TEXT,
    portable: Annotated[bool, typer.Option("--portable", help="Also what Express runs and AWS would not, as errors.")] = False,
    advice: Annotated[bool, typer.Option("--advice/--no-advice", help="Also advice, about what production suffers from.")] = True,
    ignore: Annotated[list[str] | None, typer.Option(metavar="CODE", help="Leave out a warning or advice; may be repeated.")] = None,
    substitute: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help=values.HELP)] = None,
    extension: Annotated[list[Extension] | None, typer.Option(help=extensions.HELP)] = None,
    functions: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A Python file of functions, for advice about how they are called; may be repeated."),
    ] = None,
    configuration: Annotated[
        Path | None, typer.Option("-c", "--config", metavar="FILE", help="All workflows of express.yaml, with its substitutions.")
    ] = None,
) -> int:
    """Says everything that is wrong with definitions, one problem a line. Exit code 1 when there are errors; warnings and advice are none.
    What each code means, and how a Comment leaves one out, is in docs/checking.md."""
    import express
    from express import reports
    from express.language.suppression import unknown
    from express.loading import functions_of

    for code in ignore or ():
        if (reason := unknown(code)) is not None:
            raise usage(f"--ignore {code}: {reason}")
    found: list[reports.Report] = []
    missing: list[OSError] = []
    all_wanted = _wanted(definitions or [], configuration, values.parsed(substitute), tuple(functions or ()), tuple(extension or ()))
    for wanted in all_wanted:
        raw = b""
        try:
            raw = sys.stdin.buffer.read() if wanted.path is None else wanted.path.read_bytes()
        except OSError as error:
            missing.append(error)
            if form is Format.TEXT and len(all_wanted) == 1:
                continue  # said on standard error, like everywhere
        problems = express.check(
            raw if wanted.path is None else wanted.path,
            wanted.substitutions,
            advice=advice,
            portable=portable,
            ignore=ignore or (),
            functions=functions_of(wanted.functions),
            extensions=wanted.extensions,
        )
        found.append(reports.Report(wanted.name, raw.decode(errors="replace"), problems))
    if shown := reports.FORMATS[form](found):
        print(shown)
    together("files that cannot be read", missing)
    return Exit.NO if any(report.failed for report in found) else Exit.OK


def _wanted(
    names: list[str], configuration: Path | None, given: dict[str, Any], functions: tuple[Path, ...], extended: tuple[str, ...]
) -> list[_Wanted]:
    found = [_Wanted(name, None if name == "-" else Path(name), given, functions, extended) for name in names]
    if configuration is not None:
        from express.config import load

        loaded = load(configuration, os.environ)
        for workflow in loaded.settings.workflows.values():
            path = loaded.directory / workflow.definition
            files = tuple(loaded.directory / file for file in workflow.functions)
            found.append(
                _Wanted(
                    os.path.relpath(path),
                    path,
                    {**workflow.substitutions, **given},
                    (*files, *functions),
                    (*loaded.settings.extensions, *extended),
                )
            )
    if not found:
        raise usage("expected a DEFINITION, or -c FILE")
    return found
