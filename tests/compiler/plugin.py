"""When a test that compiled something fails, its report shows the generated code."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

import express

PROGRAMS = pytest.StashKey[list[express.Program]]()


@pytest.fixture
def compiled(request: pytest.FixtureRequest) -> Callable[..., express.Program]:
    """``express.compile`` for tests: functions that are not made by the decorator run inline."""
    programs = request.node.stash.setdefault(PROGRAMS, [])

    def compile_(definition: Any, name: str = "machine", functions: dict[str, Any] | None = None, **options: Any) -> express.Program:
        given = {
            name: function if hasattr(function, "run") else express.function(name, run="inline")(function)
            for name, function in (functions or {}).items()
        }
        program = express.compile(definition, name, given, **options)
        programs.append(program)
        return program

    return compile_


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.failed:
        for program in item.stash.get(PROGRAMS, []):
            report.sections.append((f"generated code of {program!r}", program.source))
    return report
