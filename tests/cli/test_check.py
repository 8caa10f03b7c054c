"""``express check`` as people call it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.commandline import express

WRONG = '{"StartAt": "Charge", "States": {"Charge": {"Type": "Pass", "Next": "Chrage"}, "Done": {"Type": "Succeed"}}}'
WRONG_LINES = [
    "/States/Charge/Next: no state is named 'Chrage' (did you mean 'Charge'?)",
    "/States/Done: State 'Done' is not reachable: no state that is reached leads to it",
]


def test_a_definition_without_problems_is_silent(folder: Path) -> None:
    result = express("check", "orders.asl.json", cwd=folder)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_every_problem_is_one_line_with_its_place(folder: Path) -> None:
    (folder / "wrong.json").write_text(WRONG)
    result = express("check", "wrong.json", cwd=folder)
    assert (result.returncode, result.stdout.splitlines(), result.stderr) == (1, WRONG_LINES, "")


def test_of_several_definitions_each_line_names_its_file(folder: Path) -> None:
    (folder / "wrong.json").write_text(WRONG)
    result = express("check", "orders.asl.json", "wrong.json", cwd=folder)
    assert (result.returncode, result.stdout.splitlines()) == (1, [f"wrong.json: {line}" for line in WRONG_LINES])


def test_a_definition_may_come_from_standard_input(folder: Path) -> None:
    result = express("check", "-", cwd=folder, text=WRONG)
    assert (result.returncode, result.stdout.splitlines()) == (1, WRONG_LINES)


def test_json_has_the_shape_of_aws_s_diagnostics(folder: Path) -> None:
    (folder / "wrong.json").write_text(WRONG)
    result = express("check", "orders.asl.json", "wrong.json", "--format", "json", cwd=folder)
    good, wrong = json.loads(result.stdout)
    assert good == {"definition": "orders.asl.json", "result": "OK", "diagnostics": []}
    assert (result.returncode, wrong["definition"], wrong["result"]) == (1, "wrong.json", "FAIL")
    assert [f"{found['location']}: {found['message']}" for found in wrong["diagnostics"]] == WRONG_LINES
    assert {found["severity"] for found in wrong["diagnostics"]} == {"ERROR"}
    assert all(found["code"].isupper() for found in wrong["diagnostics"])


def test_a_file_that_is_not_there_is_not_a_problem_of_a_definition(folder: Path) -> None:
    result = express("check", "gone.json", cwd=folder)
    assert (result.returncode, result.stdout, result.stderr) == (66, "", "express: there is no file gone.json\n")
