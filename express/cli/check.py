"""``express check``: definitions in, all their problems out, one a line."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from express.cli.exits import Exit

SHORT = "Say what is wrong with definitions."
EXAMPLES = """
\b
Examples:
  express check orders.asl.json
  express check workflows/*.asl.json --format json
  generate-definition | express check -
"""


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


def command(
    definitions: Annotated[list[str], typer.Argument(metavar="DEFINITION...", help="Files in JSON or YAML; - is standard input.")],
    form: Annotated[Format, typer.Option("--format", help="How problems are printed.")] = Format.TEXT,
) -> int:
    """Says everything that is wrong with definitions, one problem a line. Exit code 1 when there are errors."""
    import express

    reports: list[dict[str, Any]] = []
    for name in definitions:
        if name != "-":
            with open(name, "rb"):
                pass  # what is wrong with the file itself is no problem of the definition
        problems = express.check(sys.stdin.buffer.read() if name == "-" else Path(name))
        failed = any(problem.severity == "ERROR" for problem in problems)
        reports.append({"definition": name, "result": "FAIL" if failed else "OK", "diagnostics": problems})
    if form is Format.JSON:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(reports)).decode())
    else:
        for report in reports:
            prefix = f"{report['definition']}: " if len(reports) > 1 else ""
            for problem in report["diagnostics"]:
                print(f"{prefix}{problem}{' (warning)' if problem.severity == 'WARNING' else ''}")
    return Exit.NO if any(report["result"] == "FAIL" for report in reports) else Exit.OK
