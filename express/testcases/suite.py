"""All cases in, all results and the coverage of each definition out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from express.testcases import coverage
from express.testcases.collecting import Case
from express.testcases.coverage import Coverage
from express.testcases.running import Result


class Summary(msgspec.Struct, kw_only=True):
    """``unused``: a line for every mock of a whole file that none of its cases has used. ``coverages``: one for each definition."""

    results: list[tuple[Case, Result]]
    unused: list[str]
    coverages: list[Coverage]

    @property
    def failed(self) -> int:
        return sum(not result.passed for _, result in self.results)


def run(cases: Sequence[Case], told: Callable[[Case, Result], None] = lambda case, result: None) -> Summary:
    """Runs the cases one after the other; ``told`` is called after each."""
    results: list[tuple[Case, Result]] = []
    covered: dict[str, Coverage] = {}
    for case in cases:
        result = case.run()
        results.append((case, result))
        told(case, result)
        found = covered.get(case.bench.workflow.sha256)
        if found is None:
            found = covered[case.bench.workflow.sha256] = coverage.empty(str(case.bench.path), case.bench.workflow)
        coverage.add(found, result.visits)
    return Summary(results=results, unused=_unused(results), coverages=list(covered.values()))


def _unused(results: Sequence[tuple[Case, Result]]) -> list[str]:
    """Only of files all of whose cases have run."""
    lines = []
    for file in {id(case.file): case.file for case, _ in results}.values():
        own = [(case, result) for case, result in results if case.file is file]
        if len(own) < len(file.data.cases):
            continue
        used = {state for case, result in own for state in result.used if state not in case.data.mocks}
        lines += [f"{file.where(('mocks', state))}: no case has used this mock" for state in file.data.mocks if state not in used]
    return lines
