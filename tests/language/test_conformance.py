"""AWS's own answers, where the recordings lie beside the project: what it rejects is rejected at the same place, what it runs is not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from express.errors import Problem
from express.language import load
from tests.conformance.score import DECIDED_OTHERWISE

DATA = Path(__file__).parent.parent.parent.parent / "shared" / "conformance"


def cases(name: str) -> list[dict[str, Any]]:
    file = DATA / f"{name}.jsonl"
    if not file.exists():
        pytest.skip(f"the recordings of AWS are not here ({file.name})")
    return [json.loads(line) for line in file.read_text().splitlines()]


def ours(problems: list[Problem]) -> list[Problem]:
    """Errors other than those of what this version does not run yet."""
    return [problem for problem in problems if problem.severity == "ERROR" and problem.code != "NOT_SUPPORTED_YET"]


def express_only(problem: Problem) -> bool:
    return problem.message.startswith("Express state machine does not support")


@pytest.mark.parametrize("name", ["executions", "services"])
def test_what_aws_has_run_loads(name: str) -> None:
    complaints = {}
    for case in cases(name):
        problems = load(case["definition"]).problems
        if found := [problem for problem in ours(problems) if not express_only(problem)]:
            complaints[case["id"]] = found
        if case["query_language"] == "JSONPath" and "Assign" not in json.dumps(case["definition"]):
            assert not any(problem.code == "NOT_SUPPORTED_YET" for problem in problems), case["id"]
    assert complaints == {}


def test_real_definitions_load_and_only_what_express_forbids_is_complained_about() -> None:
    complaints = {}
    for case in cases("real_definitions"):
        if found := [problem for problem in ours(load(case["definition"]).problems) if not express_only(problem)]:
            complaints[case["id"]] = found
    assert complaints == {}


def test_what_aws_rejects_is_rejected_at_the_same_place_with_the_same_code() -> None:
    wrong = {}
    for case in cases("validation"):
        expected = case["expected"]
        if expected["status"] != "INVALID_DEFINITION":
            continue
        problems = ours(load(case.get("definition", {})).problems)
        found = {(problem.code, problem.location) for problem in problems}
        if "diagnostics" in expected:
            wanted = {(diagnostic["code"], diagnostic["location"]) for diagnostic in expected["diagnostics"]}
        elif match := re.search(r"'([A-Z_]+): .* at (/.*)'$", expected["cause"], re.DOTALL):
            wanted = {(match[1], match[2])}
        else:
            wanted = {("INVALID_LABEL_NAME", "/States/MapState/Label")}  # recorded as the text of a Python error
        if found != wanted:
            wrong[case["id"]] = (found, wanted)
    assert wrong == {}


def test_other_peoples_lint_cases_are_judged_alike_but_where_aws_decides() -> None:
    wrong = []
    for case in cases("lint_definitions"):
        problems = load(case["text"]).problems
        wanted = (case["expected"] == "invalid") != (case["id"] in DECIDED_OTHERWISE)
        if bool(ours(problems)) != wanted:
            wrong.append((case["id"], [str(problem) for problem in problems]))
    assert wrong == []
