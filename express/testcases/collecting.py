"""Files and folders in, the cases in them out, ready to run; for ``express test`` and for anybody's own pytest."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from os import PathLike
from pathlib import Path

from express.errors import ConfigurationError, DefinitionError
from express.language.model import Map, Parallel, Task
from express.runtime.values import loads
from express.testcases import files as reading
from express.testcases import running
from express.testcases.files import Answer, CaseData, CaseFile, Mock
from express.testcases.mocks import around
from express.testcases.running import Result
from express.testcases.workbench import Workbench

PATTERN = "*.test.yaml"


class Case:
    """One case of a file. ``run`` gives a Result, ``check`` raises an AssertionError that says what differs."""

    def __init__(self, file: CaseFile, bench: Workbench, name: str, data: CaseData) -> None:
        self.file, self.bench, self.name, self.data = file, bench, name, data
        self.line = file.line(("cases", name))

    def __str__(self) -> str:
        return f"{self.file.path}: {self.name}"

    def run(self) -> Result:
        return running.run(self.bench, self.file, self.data)

    def check(self) -> None:
        problems = self.run().problems
        if problems:
            raise AssertionError("\n".join([f"{self.file.path}:{self.line}: {self.name}", *(f"  {problem}" for problem in problems)]))


def collect(*paths: str | PathLike[str], keyword: str | None = None) -> list[Case]:
    """The cases of files, and of all ``*.test.yaml`` below folders. ``keyword``: only those whose file or name has this text in it.

    OSError for a path that is not there, ConfigurationError with everything that is wrong in all files, then DefinitionError with
    everything that is wrong in the definitions. Several of the first two are an ExceptionGroup.
    """
    files: list[CaseFile] = []
    problems: list[str] = []
    errors: list[Exception] = []
    for path in _files(paths):
        try:
            files.append(reading.read(path))
        except ConfigurationError as error:
            problems += error.problems
        except OSError as error:
            errors.append(error)
    if problems:
        errors.append(ConfigurationError(*problems))
    if errors:
        raise errors[0] if len(errors) == 1 else ExceptionGroup("files that cannot be used", errors)
    wrong = []
    cases: list[Case] = []
    for file in files:
        try:
            bench = Workbench(file)
        except ConfigurationError as error:
            problems += error.problems
        except DefinitionError as error:
            wrong += [problem for problem in error.problems if problem not in wrong]
        else:
            problems += _unknown(file, bench)
            cases += [Case(file, bench, name, data) for name, data in file.data.cases.items()]
    if problems:
        raise ConfigurationError(*problems)
    if wrong:
        raise DefinitionError(wrong)
    return [case for case in cases if keyword is None or keyword.casefold() in str(case).casefold()]


def _files(paths: Iterable[str | PathLike[str]]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            found |= dict.fromkeys(each for each in sorted(path.rglob(PATTERN)) if not _hidden(each.relative_to(path)))
        else:
            found[path] = None
    return list(found)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _unknown(file: CaseFile, bench: Workbench) -> list[str]:
    """Where a file speaks of states that there are not, or that cannot be what it says; inputs that are no JSON."""
    problems = []

    def state(field: tuple[str | int, ...], name: str, kinds: tuple[type, ...] = ()) -> None:
        known = bench.states.get(name)
        if known is None:
            near = get_close_matches(name, bench.states, 1)
            hint = f": did you mean {near[0]!r}?" if near else ""
            problems.append(f"{file.where(field)}: {bench.path.name} has no state {name!r}{hint}")
        elif kinds and not isinstance(known, kinds):
            problems.append(f"{file.where(field)}: {name} is a {type(known).__name__}: only Task, Parallel and Map can be mocked")

    def mocked(field: tuple[str | int, ...], name: str, mock: Mock) -> None:
        state(field, name, (Task, Parallel, Map))
        known = bench.states.get(name)
        if known is not None and "Map" not in around(known.location):
            for number, answer in enumerate((mock,) if isinstance(mock, Answer) else mock):
                if answer.index is not None:
                    place = field if isinstance(mock, Answer) else (*field, number)
                    problems.append(f"{file.where((*place, 'index'))}: {name} is in no Map, so there are no iterations to tell apart")

    for name, mock in file.data.mocks.items():
        mocked(("mocks", name), name, mock)
    for title, case in file.data.cases.items():
        at = ("cases", title)
        for name, mock in case.mocks.items():
            mocked((*at, "mocks", name), name, mock)
        for name in case.expect.calls:
            state((*at, "expect", "calls", name), name)
        if case.start_at is not None and case.start_at not in bench.workflow.states:
            hint = "a state inside a Parallel or Map cannot be the first" if case.start_at in bench.states else "there is no such state"
            problems.append(f"{file.where((*at, 'start_at'))}: {hint}: {case.start_at!r}")
        for number, step in enumerate(case.expect.path or ()):
            _steps((*at, "expect", "path", number), step, state)
        if case.input_file is not None:
            path = file.path.parent / case.input_file
            try:
                loads(path.read_bytes())
            except ValueError as error:
                problems.append(f"{file.where((*at, 'input_file'))}: {path}: {error}")
    return problems


def _steps(field: tuple[str | int, ...], step: object, state: object) -> None:
    assert callable(state)
    if isinstance(step, str):
        state(field, step)
    elif isinstance(step, dict):
        for name, branches in step.items():
            state(field, name)
            for branch, path in enumerate(branches):
                for number, below in enumerate(path):
                    _steps((*field, name, branch, number), below, state)
