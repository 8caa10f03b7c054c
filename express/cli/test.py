"""``express test``: files of cases in, what did not come out as expected out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from express.cli.exits import Exit, write

SHORT = "Test workflows with mocked tasks, in virtual time."
EXAMPLES = """
\b
Examples:
  express test orders.test.yaml
  express test workflows/ -k refund --junit results.xml
  express test workflows/ --coverage --fail-under 90

docs/testing.md describes the files.
"""


def command(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files, or folders of *.test.yaml.  [default: .]")] = None,
    keyword: Annotated[str | None, typer.Option("-k", metavar="TEXT", help="Only cases with this text in their file or name.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the results as JUnit's XML.")] = None,
    coverage: Annotated[bool, typer.Option("--coverage", help="Show which states and transitions no case has reached.")] = False,
    coverage_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the coverage as JSON, for express graph.")] = None,
    fail_under: Annotated[
        float | None, typer.Option(metavar="PERCENT", min=0, max=100, help="Fail when a definition is covered less.")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only what failed, and the sum.")] = False,
) -> int:
    """Runs the cases of test files. Exit code 1 when one fails, a mock is never used, or a definition is covered too little."""
    from express.testcases import coverage as covering
    from express.testcases import junit as writing
    from express.testcases import report, suite
    from express.testcases.collecting import collect

    cases = collect(*(paths or [Path()]), keyword=keyword)
    if not cases:
        report.nothing(paths or [Path()], keyword)
        return Exit.NO if keyword else Exit.NO_INPUT
    summary = suite.run(cases, report.Lines(quiet=quiet))
    report.failures(summary)
    if coverage or fail_under is not None:
        report.coverage(summary, fail_under)
    if junit is not None:
        write(junit, writing.xml(summary.results))
    if coverage_file is not None:
        write(coverage_file, covering.text(summary.coverages))
    report.total(summary)
    return Exit.OK if report.good(summary, fail_under) else Exit.NO
