"""A ``*.test.yaml`` file as typed data, and every problem with its line. docs/testing.md shows the same with examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from express.documents import Document, Duration, Field, Moment, Reader
from express.errors import ConfigurationError
from express.outcome import Status

ABSENT = msgspec.UNSET  # of fields for which null is a value


class ErrorOutput(msgspec.Struct, frozen=True, kw_only=True):
    """How a task fails, in the words of AWS's TestState."""

    error: str
    cause: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True, rename={"error_output": "errorOutput"}):
    """What a mocked task does: ``result`` or ``error_output``, ``after`` so many seconds of virtual time, ``times`` in a row.

    ``when``: only for calls whose payload has these fields with these values. ``index``: only in this iteration of the Map around, from 0.
    """

    result: Any = ABSENT
    error_output: ErrorOutput | None = None
    after: Duration = 0.0
    times: int = 1
    when: Any = ABSENT
    index: int | None = None


Mock = Answer | tuple[Answer, ...]  # one answers every call, several answer one call each


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What must come out. What is not named is not looked at; without ``status`` and ``error`` the execution must succeed.

    ``output`` and ``cause`` are compared whole, ``output_has`` and ``cause_has`` in part. ``path`` are the states in order, each a name, or
    ``{name: [path of the first branch or iteration, ...]}``. ``variables`` are values at the end, ``takes`` is virtual
    time, ``calls`` what each task was called with.
    """

    status: Status | None = None
    output: Any = ABSENT
    output_has: Any = ABSENT
    error: str | None = None
    cause: str | None = None
    cause_has: str | None = None
    path: tuple[Any, ...] | None = None
    variables: dict[str, Any] = {}
    takes: Duration | None = None
    calls: dict[str, tuple[Any, ...]] = {}


class CaseData(msgspec.Struct, frozen=True, kw_only=True):
    """One case. ``start_at`` begins in another state, with ``variables`` assigned before it."""

    input: Any = ABSENT
    input_file: str | None = None
    name: str | None = None
    start: Moment | None = None
    start_at: str | None = None
    variables: dict[str, Any] = {}
    context: dict[str, Any] = {}
    mocks: dict[str, Mock] = {}
    expect: Expectation = Expectation()


class FileData(msgspec.Struct, frozen=True, kw_only=True):
    """A whole file. Relative paths start from its folder. ``mocks`` and ``context`` hold for every case that has none of its own."""

    definition: str | None = None
    functions: tuple[str, ...] = ()
    substitutions: dict[str, Any] = {}
    extensions: tuple[Literal["callbacks", "nested"], ...] = ()
    start: Moment | None = None
    context: dict[str, Any] = {}
    mocks: dict[str, Mock] = {}
    cases: dict[str, CaseData]


class CaseFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that has been read."""

    path: Path
    document: Document
    data: FileData

    def where(self, field: Field) -> str:
        """``orders.test.yaml:12: cases.large.expect``"""
        return self.document.where(field)

    def line(self, field: Field) -> int:
        return self.document.line(field)

    @property
    def definition(self) -> Path:
        """The definition that is tested: named in the file, or ``orders.asl.json`` (.asl.yaml, .json, ...) beside ``orders.test.yaml``."""
        if self.data.definition is not None:
            return self.path.parent / self.data.definition
        return next((path for path in self._beside() if path.is_file()), self._beside()[0])

    def _beside(self) -> list[Path]:
        name = self.path.name.removesuffix(self.path.suffix).removesuffix(".test")
        return [self.path.parent / f"{name}{suffix}" for suffix in (".asl.json", ".asl.yaml", ".asl.yml", ".asl", ".json", ".yaml", ".yml")]


def read(path: Path) -> CaseFile:
    """A file of cases. OSError when it cannot be read, ConfigurationError with a sentence for everything that is wrong in it."""
    document = Document(path)
    reader = Reader(document, None)
    data = reader.read(FileData)
    problems = reader.problems
    if data is not None and not problems:
        file = CaseFile(path=path, document=document, data=data)
        problems = _Rules(file).problems
        if not problems:
            return file
    raise ConfigurationError(*problems)


class _Rules:
    """What the types do not say."""

    def __init__(self, file: CaseFile) -> None:
        self._file = file
        self.problems: list[str] = []
        data = file.data
        if not data.cases:
            self._problem(("cases",), "there is no case: nothing would be tested")
        if not file.definition.is_file():
            said = "" if data.definition is not None else "; name one in the field definition"
            self._problem(("definition",), f"there is no file {file.definition}{said}")
        for number, name in enumerate(data.functions):
            if not (file.path.parent / name).is_file():
                self._problem(("functions", number), f"there is no file {file.path.parent / name}")
        self._mocks((), data.mocks)
        for name, case in data.cases.items():
            self._case(("cases", name), case)

    def _problem(self, field: Field, sentence: str) -> None:
        self.problems.append(f"{self._file.where(field)}: {sentence}")

    def _case(self, field: Field, case: CaseData) -> None:
        if case.input_file is not None:
            if case.input is not ABSENT:
                self._problem((*field, "input_file"), "input and input_file cannot both be given")
            if not (self._file.path.parent / case.input_file).is_file():
                self._problem((*field, "input_file"), f"there is no file {self._file.path.parent / case.input_file}")
        if case.variables and case.start_at is None:
            self._problem(
                (*field, "variables"), "variables are given to the state that start_at names: a whole workflow begins without any"
            )
        self._mocks(field, case.mocks)
        self._expectation((*field, "expect"), case.expect)

    def _mocks(self, field: Field, mocks: dict[str, Mock]) -> None:
        for state, mock in mocks.items():
            if isinstance(mock, Answer):
                self._answer((*field, "mocks", state), mock, alone=True)
                continue
            if not mock:
                self._problem((*field, "mocks", state), "expected at least one answer")
            for number, answer in enumerate(mock):
                self._answer((*field, "mocks", state, number), answer, alone=False)

    def _answer(self, field: Field, answer: Answer, *, alone: bool) -> None:
        if (answer.result is ABSENT) == (answer.error_output is None):
            self._problem(field, "expected one of result and errorOutput")
        if answer.times < 1:
            self._problem((*field, "times"), f"expected a number from 1, found {answer.times}")
        if alone and answer.times != 1:
            self._problem((*field, "times"), "one answer that is no list answers every call: times has no meaning for it")

    def _expectation(self, field: Field, expect: Expectation) -> None:
        fails = expect.error is not None or expect.cause is not None or expect.cause_has is not None
        gives = expect.output is not ABSENT or expect.output_has is not ABSENT
        if gives and (fails or expect.status not in (None, "SUCCEEDED")):
            self._problem(field, "an execution that fails has no output: expected output, or error and cause")
        if fails and expect.status == "SUCCEEDED":
            self._problem(field, "an execution that succeeds has no error and no cause")
        for number, step in enumerate(expect.path or ()):
            self._step((*field, "path", number), step)

    def _step(self, field: Field, step: Any) -> None:
        if isinstance(step, str):
            return
        if isinstance(step, dict) and len(step) == 1:
            name, inner = next(iter(step.items()))
            if isinstance(inner, list) and all(isinstance(path, list) for path in inner):
                for branch, path in enumerate(inner):
                    for number, below in enumerate(path):
                        self._step((*field, name, branch, number), below)
                return
        self._problem(field, "expected a state's name, or {name: [[states of the first branch or iteration], ...]}")


__all__ = ["ABSENT", "Answer", "CaseData", "CaseFile", "ErrorOutput", "Expectation", "FileData", "Mock", "read"]
