"""Results in, lines on standard output out; on a terminal with colours."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from express.printable import printable
from express.testcases.collecting import PATTERN, Case
from express.testcases.coverage import Coverage
from express.testcases.running import Result
from express.testcases.suite import Summary
from express.units import duration_text

GREEN, RED, YELLOW = "32", "31", "33"


class Lines:
    """A line for every case, as soon as it has run, below the name of its file; ``quiet``: for those that failed."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._file: Path | None = None

    def __call__(self, case: Case, result: Result) -> None:
        if self._quiet and result.passed:
            return
        if case.file.path != self._file:
            self._file = case.file.path
            print(self._file)
        print(f"  {_coloured('ok  ', GREEN) if result.passed else _coloured('FAIL', RED)}  {printable(case.name)}")


def nothing(paths: Sequence[Path], keyword: str | None) -> None:
    where = ", ".join(map(str, paths))
    what = f"no case with {keyword!r} in its file or name" if keyword else f"no case: there is no {PATTERN} in it"
    print(f"express: {where}: {what}", file=sys.stderr)


def failures(summary: Summary) -> None:
    """What differs, case by case; then mocks that nobody needs."""
    for case, result in summary.results:
        if result.problems:
            print(f"\n{case.file.path}:{case.line}: {printable(case.name)}")
            for problem in result.problems:
                print(f"  {printable(problem)}")
    if summary.unused:
        print()
        for line in summary.unused:
            print(printable(line))


def coverage(summary: Summary, least: float | None) -> None:
    """Each definition's share, and what is missing."""
    for each in summary.coverages:
        states = sum(1 for count in each.states.values() if count)
        ways = sum(1 for taken in each.transitions if taken.count)
        enough = least is None or each.percent >= least
        share = _coloured(f"{percent(each)} %", GREEN if not each.missing else YELLOW if enough else RED)
        wanted = "" if enough else f", expected at least {least:g} %"
        print(
            f"\n{each.definition}: {share} covered{wanted}: "
            f"{states} of {len(each.states)} states, {ways} of {len(each.transitions)} transitions"
        )
        for line in each.missing:
            print(f"  {printable(line)}")


def percent(coverage: Coverage) -> str:
    """Rounded down: 100 is everything."""
    return f"{int(coverage.percent * 10) / 10:g}"


def total(summary: Summary) -> None:
    count, failed = len(summary.results), summary.failed
    seconds = duration_text(sum(result.seconds for _, result in summary.results))
    said = f"{count - failed} passed" + (f", {failed} failed" if failed else "")
    said += f", {len(summary.unused)} unused {'mock' if len(summary.unused) == 1 else 'mocks'}" if summary.unused else ""
    print(f"\n{_coloured(said, RED if failed or summary.unused else GREEN)} in {seconds}")


def good(summary: Summary, least: float | None) -> bool:
    return not summary.failed and not summary.unused and all(least is None or each.percent >= least for each in summary.coverages)


def _coloured(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if sys.stdout.isatty() else text
