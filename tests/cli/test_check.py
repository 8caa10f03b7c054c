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
    result = express("check", "orders.asl.json", "--no-advice", cwd=folder)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_every_problem_is_one_line_with_its_place(folder: Path) -> None:
    (folder / "wrong.json").write_text(WRONG)
    result = express("check", "wrong.json", cwd=folder)
    assert (result.returncode, result.stdout.splitlines(), result.stderr) == (1, WRONG_LINES, "")


def test_of_several_definitions_each_line_names_its_file(folder: Path) -> None:
    (folder / "wrong.json").write_text(WRONG)
    result = express("check", "orders.asl.json", "wrong.json", "--no-advice", cwd=folder)
    assert (result.returncode, result.stdout.splitlines()) == (1, [f"wrong.json: {line}" for line in WRONG_LINES])


def test_a_definition_may_come_from_standard_input(folder: Path) -> None:
    result = express("check", "-", cwd=folder, text=WRONG)
    assert (result.returncode, result.stdout.splitlines()) == (1, WRONG_LINES)


def test_json_has_the_shape_of_aws_s_diagnostics(folder: Path) -> None:
    (folder / "wrong.json").write_text(WRONG)
    result = express("check", "orders.asl.json", "wrong.json", "--format", "json", "--no-advice", cwd=folder)
    good, wrong = json.loads(result.stdout)
    assert good == {"definition": "orders.asl.json", "result": "OK", "diagnostics": []}
    assert (result.returncode, wrong["definition"], wrong["result"]) == (1, "wrong.json", "FAIL")
    assert [f"{found['location']}: {found['message']}" for found in wrong["diagnostics"]] == WRONG_LINES
    assert {found["severity"] for found in wrong["diagnostics"]} == {"ERROR"}
    assert all(found["code"].isupper() for found in wrong["diagnostics"])


def test_a_file_that_is_not_there_is_not_a_problem_of_a_definition(folder: Path) -> None:
    result = express("check", "gone.json", cwd=folder)
    assert (result.returncode, result.stdout, result.stderr) == (66, "", "express: there is no file gone.json\n")


def test_a_file_that_is_not_there_hides_nothing_of_the_others(folder: Path) -> None:
    (folder / "wrong.json").write_text(WRONG)
    result = express("check", "wrong.json", "gone.json", "orders.asl.json", "lost.json", "--no-advice", cwd=folder)
    missing = [f"{name}: /: the file {name} cannot be read: No such file or directory" for name in ("gone.json", "lost.json")]
    assert result.stdout.splitlines() == [*(f"wrong.json: {line}" for line in WRONG_LINES), *missing]
    assert (result.returncode, result.stderr) == (66, "express: there is no file gone.json\nexpress: there is no file lost.json\n")


# --- Advice and what is left out --------------------------------------------------------------------------------------------------

ADVICE = [
    (
        "/States/Price: there is no TimeoutSeconds: a call that never answers takes the whole execution with it, past Retry and Catch"
        " (advice TASK_WITHOUT_TIMEOUT)"
    ),
    (
        "/States/Price: there is no Retry: a call that fails for a moment (a timeout, a throttle, a lost connection) fails for good"
        " (advice TASK_WITHOUT_RETRY)"
    ),
]


def test_advice_is_printed_and_changes_no_exit_code(folder: Path) -> None:
    result = express("check", "orders.asl.json", cwd=folder)
    assert (result.returncode, result.stdout.splitlines(), result.stderr) == (0, ADVICE, "")


def test_a_warning_changes_no_exit_code(folder: Path) -> None:
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "B"}]}
    (folder / "choice.json").write_text(json.dumps({"StartAt": "A", "States": {"A": choice, "B": {"Type": "Succeed"}}}))
    result = express("check", "choice.json", cwd=folder)
    line = "/States/A: there is no Default: an input that matches no rule fails with States.NoChoiceMatched (warning NO_DEFAULT)"
    assert (result.returncode, result.stdout.splitlines()) == (0, [line])


def test_a_code_can_be_left_out(folder: Path) -> None:
    result = express("check", "orders.asl.json", "--ignore", "TASK_WITHOUT_TIMEOUT", cwd=folder)
    assert (result.returncode, result.stdout.splitlines()) == (0, ADVICE[1:])


def test_a_code_that_does_not_exist_cannot(folder: Path) -> None:
    result = express("check", "orders.asl.json", "--ignore", "NO_DEFALT", cwd=folder)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("express: --ignore NO_DEFALT: there is no code 'NO_DEFALT' (did you mean 'NO_DEFAULT'?)")


def test_functions_may_say_that_they_must_not_be_called_twice(folder: Path) -> None:
    (folder / "careful.py").write_text(
        "import express\n\n\n@express.function('price', idempotent=False)\ndef price(event, context):\n    return 1\n"
    )
    arn = "arn:aws:lambda:us-east-1:123456789012:function:price"
    task = {"Type": "Task", "Resource": arn, "TimeoutSeconds": 3, "Retry": [{"ErrorEquals": ["States.ALL"]}], "End": True}
    (folder / "retried.json").write_text(json.dumps({"StartAt": "A", "States": {"A": task}}))
    result = express("check", "retried.json", "--functions", "careful.py", cwd=folder)
    assert result.returncode == 0
    assert result.stdout.startswith("/States/A/Retry/0: the function 'price' is not idempotent")
    assert express("check", "retried.json", cwd=folder).stdout == ""


# --- Substitutions, portability, configuration ------------------------------------------------------------------------------------


SAM = """{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "${Charge}", "TimeoutSeconds": ${Seconds},
 "Retry": [{"ErrorEquals": ["States.ALL"]}], "End": true}}}"""


def test_substitutions_have_their_values_from_flags(folder: Path) -> None:
    (folder / "sam.json").write_text(SAM)
    arn = "arn:aws:lambda:us-east-1:123456789012:function:charge"
    result = express("check", "sam.json", "--portable", "--substitute", f"Charge={arn}", "--substitute", "Seconds=3", cwd=folder)
    assert (result.returncode, result.stdout) == (0, "")
    result = express("check", "sam.json", "--substitute", "Charge=nothing", "--substitute", "Seconds=3", cwd=folder)
    assert result.returncode == 1
    assert result.stdout.startswith("/States/A/Resource: The resource provided nothing is not recognized.")
    result = express("check", "sam.json", "--substitute", "Seconds", cwd=folder)
    assert (result.returncode, result.stderr.partition(" (see")[0]) == (2, "express: --substitute takes NAME=VALUE, not 'Seconds'")


def test_a_placeholder_without_a_value_is_no_error_but_for_aws(folder: Path) -> None:
    (folder / "sam.json").write_text(SAM)
    result = express("check", "sam.json", "--substitute", "Seconds=3", cwd=folder)
    assert (result.returncode, result.stdout) == (0, "")
    result = express("check", "sam.json", "--substitute", "Seconds=3", "--portable", cwd=folder)
    assert result.returncode == 1
    assert result.stdout.startswith("/States/A/Resource: ${Charge} is a substitution without a value")


def test_a_configuration_brings_its_workflows_with_their_substitutions(folder: Path) -> None:
    (folder / "sam.json").write_text(SAM)
    arn = "arn:aws:lambda:us-east-1:123456789012:function:charge"
    (folder / "express.yaml").write_text(
        f"workflows:\n  charge: {{definition: sam.json, substitutions: {{Charge: '{arn}', Seconds: 3}}}}\n"
        "  wrong: {definition: wrong.json}\npipelines: []\n"
    )
    (folder / "wrong.json").write_text(WRONG)
    result = express("check", "-c", "express.yaml", "--no-advice", cwd=folder)
    assert (result.returncode, result.stdout.splitlines()) == (1, [f"wrong.json: {line}" for line in WRONG_LINES])


def test_nothing_to_check_is_wrong_usage(folder: Path) -> None:
    result = express("check", cwd=folder)
    assert (result.returncode, result.stdout) == (2, "")


# --- Formats ----------------------------------------------------------------------------------------------------------------------


def test_sarif_and_github_point_into_the_file(folder: Path) -> None:
    (folder / "wrong.json").write_text(WRONG)
    result = express("check", "wrong.json", "--format", "sarif", cwd=folder)
    (run,) = json.loads(result.stdout)["runs"]
    region = run["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert (result.returncode, region) == (1, {"startLine": 1, "startColumn": WRONG.index('"Next"') + 1})
    result = express("check", "wrong.json", "--format", "github", cwd=folder)
    assert result.stdout.splitlines()[0] == (
        f"::error file=wrong.json,line=1,col={WRONG.index(chr(34) + 'Next') + 1},title=MISSING_TRANSITION_TARGET::{WRONG_LINES[0]}"
    )


def test_sarif_without_problems_is_still_a_report(folder: Path) -> None:
    result = express("check", "orders.asl.json", "--no-advice", "--format", "sarif", cwd=folder)
    assert (result.returncode, json.loads(result.stdout)["runs"][0]["results"]) == (0, [])
