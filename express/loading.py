"""Files of definitions and functions in, programs out; problems carry the name of their file."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from express.errors import ConfigurationError, DefinitionError, Problem
from express.options import Connection
from express.program import Program, compile  # noqa: A004 - the public name
from express.tasks import function

SUFFIXES = (".json", ".yaml", ".yml", ".asl")


def name_of(path: Path) -> str:
    """What a definition is called that nobody named: ``orders`` for ``orders.asl.json``."""
    name = path.name
    while Path(name).suffix in SUFFIXES:
        name = name.removesuffix(Path(name).suffix)
    return name or "workflow"


def functions_of(paths: Iterable[str | os.PathLike[str]]) -> dict[str, function.Function[Any]]:
    """The functions of several files by name; ConfigurationError with one sentence per file that cannot be used, and for equal names."""
    found: dict[str, function.Function[Any]] = {}
    origin: dict[str, str] = {}
    problems: list[str] = []
    cause: ConfigurationError | None = None
    for path in paths:
        try:
            loaded = function.load(path)
        except ConfigurationError as error:
            problems += error.problems
            cause = error
            continue
        for name, each in loaded.items():
            if name in found and found[name] is not each:
                problems.append(f"{path}: there is a function {name!r} in {origin[name]} already")
            found[name], origin[name] = each, str(path)
    if problems:
        raise ConfigurationError(*problems) from cause
    return found


def program_of(
    path: Path,
    functions: Mapping[str, Any],
    name: str | None = None,
    substitutions: Mapping[str, Any] | None = None,
    missing: Literal["error", "defer"] = "error",
    metrics: bool = True,
    trace: bool = False,
    connections: Mapping[str, Connection] | None = None,
    extensions: Collection[str] = (),
    workflows: Mapping[str, Program] | None = None,
) -> Program:
    """A definition's program. OSError when the file cannot be read, DefinitionError with every problem, each with the file's name."""
    with path.open("rb"):
        pass  # what is wrong with the file itself is an OSError that names it
    try:
        return compile(path, name or name_of(path), functions, substitutions, missing, metrics, trace, connections, extensions, workflows)
    except DefinitionError as error:
        raise DefinitionError([located(path, problem) for problem in error.problems]) from error


def located(path: Path, problem: Problem) -> Problem:
    """A problem with the file's name before its place."""
    return msgspec.structs.replace(problem, location=f"{path}: {problem.location or '/'}")
