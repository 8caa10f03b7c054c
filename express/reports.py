"""Problems of definitions in, a report out: for people, for programs, for code scanning (SARIF 2.1.0), for the log of a GitHub workflow."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from express.errors import Problem
from express.language.codes import CODES
from express.language.positions import Positions


class Report(NamedTuple):
    """What was found in one definition: its name (a path, or ``-``), its text, its problems."""

    name: str
    text: str
    problems: Sequence[Problem]

    @property
    def failed(self) -> bool:
        """AWS's result: FAIL if there is an error, OK otherwise."""
        return any(problem.severity == "ERROR" for problem in self.problems)


def text(reports: Sequence[Report]) -> str:
    """One problem a line; with the name of its definition if there are several."""
    lines = []
    for report in reports:
        prefix = f"{report.name}: " if len(reports) > 1 else ""
        for problem in report.problems:
            note = "" if problem.severity == "ERROR" else f" ({problem.severity.lower()} {problem.code})"
            lines.append(f"{prefix}{problem}{note}")
    return "\n".join(lines)


def as_json(reports: Sequence[Report]) -> str:
    """A list, for each definition an answer in the shape of AWS's ValidateStateMachineDefinition, with its name."""
    shown = [
        {
            "definition": report.name,
            "result": "FAIL" if report.failed else "OK",
            "diagnostics": [msgspec.structs.asdict(problem) for problem in report.problems],
        }
        for report in reports
    ]
    return json.dumps(shown, indent=2, ensure_ascii=False)


# --- SARIF ------------------------------------------------------------------------------------------------------------------------

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"ERROR": "error", "WARNING": "warning", "ADVICE": "note"}


def sarif(reports: Sequence[Report]) -> str:
    """One run with all definitions. A problem's fingerprint is its code and its place in the definition, whatever line that is on."""
    codes = sorted({problem.code for report in reports for problem in report.problems})
    results = []
    for report in reports:
        positions = Positions(report.text)
        results += [_result(report, problem, codes.index(problem.code), positions) for problem in report.problems]
    driver = {"name": "express check", "version": metadata.version("express-workflows"), "rules": [_rule(code) for code in codes]}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _rule(code: str) -> dict[str, Any]:
    known = CODES[code]
    return {
        "id": code,
        "shortDescription": {"text": known.meaning},
        "defaultConfiguration": {"level": _LEVELS[known.severity]},
    }


def _result(report: Report, problem: Problem, rule: int, positions: Positions) -> dict[str, Any]:
    line, column = positions.of(problem.location)
    return {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": _LEVELS[problem.severity],
        "message": {"text": f"{problem.location}: {problem.message}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "stdin" if report.name == "-" else quote(report.name)},
                    "region": {"startLine": line, "startColumn": column},
                },
                "logicalLocations": [{"fullyQualifiedName": problem.location, "kind": "member"}],
            }
        ],
        "partialFingerprints": {"place/v1": hashlib.sha256(f"{problem.code} {problem.location}".encode()).hexdigest()},
    }


# --- GitHub -----------------------------------------------------------------------------------------------------------------------

_COMMANDS = {"ERROR": "error", "WARNING": "warning", "ADVICE": "notice"}


def github(reports: Sequence[Report]) -> str:
    """Workflow commands, one a line, which GitHub Actions shows beside the lines of a change."""
    lines = []
    for report in reports:
        positions = Positions(report.text)
        for problem in report.problems:
            line, column = positions.of(problem.location)
            file = "" if report.name == "-" else f"file={_property(report.name)},line={line},col={column},"
            message = _data(f"{problem.location}: {problem.message}")
            lines.append(f"::{_COMMANDS[problem.severity]} {file}title={_property(problem.code)}::{message}")
    return "\n".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


FORMATS: dict[str, Callable[[Sequence[Report]], str]] = {"text": text, "json": as_json, "sarif": sarif, "github": github}
