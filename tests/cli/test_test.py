"""``express test`` as people call it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.commandline import express

CASES = """
cases:
  an order is priced:
    input: {total: 4}
    mocks: {Price: {result: {amount: 8}}}
    expect: {output: {total: 4, pricing: {amount: 8}}, path: [HasTotal, Price]}
  without a total it fails:
    input: {total: 0}
    expect: {error: Empty}
"""
WRONG = CASES.replace("{amount: 8}}, path", "{amount: 9}}, path")


@pytest.fixture
def cases(folder: Path) -> Path:
    path = folder / "orders.test.yaml"
    path.write_text(CASES)
    return path


def test_what_passes_is_listed_with_exit_code_0(folder: Path, cases: Path) -> None:
    result = express("test", cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    *lines, empty, total = result.stdout.splitlines()
    assert lines == ["orders.test.yaml", "  ok    an order is priced", "  ok    without a total it fails"]
    assert empty == ""
    assert re.fullmatch(r"2 passed in [\d.]+ \w+", total)


def test_what_differs_is_shown_place_by_place_with_exit_code_1(folder: Path, cases: Path) -> None:
    cases.write_text(WRONG)
    result = express("test", "orders.test.yaml", cwd=folder)
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.splitlines()[:-1] == [
        "orders.test.yaml",
        "  FAIL  an order is priced",
        "  ok    without a total it fails",
        "",
        "orders.test.yaml:3: an order is priced",
        "  output: $.pricing.amount: expected 9, found 8",
        "",
    ]
    assert result.stdout.splitlines()[-1].startswith("1 passed, 1 failed in ")


def test_quiet_shows_only_what_failed(folder: Path, cases: Path) -> None:
    cases.write_text(WRONG)
    assert "without a total" not in express("test", "-q", cwd=folder).stdout


def test_k_chooses_cases(folder: Path, cases: Path) -> None:
    result = express("test", "-k", "PRICED", cwd=folder)
    assert (result.returncode, "without" in result.stdout) == (0, False)
    none = express("test", "-k", "nothing", cwd=folder)
    assert (none.returncode, none.stdout) == (1, "")
    assert none.stderr == "express: .: no case with 'nothing' in its file or name\n"


def test_coverage_below_the_threshold_is_exit_code_1(folder: Path, cases: Path) -> None:
    whole = express("test", "--coverage", "--fail-under", "100", cwd=folder)
    assert whole.returncode == 0
    assert "orders.asl.json: 100 % covered: 3 of 3 states, 2 of 2 transitions\n" in whole.stdout
    part = express("test", "-k", "priced", "--fail-under", "70", cwd=folder)
    assert part.returncode == 1
    assert (
        "orders.asl.json: 60 % covered, expected at least 70 %: 2 of 3 states, 1 of 2 transitions\n"
        "  never entered: /States/Empty\n  never taken: /States/HasTotal -> Empty (Default)\n"
    ) in part.stdout
    assert express("test", "-k", "priced", "--fail-under", "60", cwd=folder).returncode == 0


def test_results_and_coverage_are_written_for_other_tools(folder: Path, cases: Path) -> None:
    cases.write_text(WRONG)
    assert express("test", "--junit", "results.xml", "--coverage-file", "coverage.json", cwd=folder).returncode == 1
    assert ElementTree.parse(folder / "results.xml").getroot().get("failures") == "1"
    assert json.loads((folder / "coverage.json").read_text())["definitions"][0]["states"] == {
        "/States/HasTotal": 2,
        "/States/Price": 1,
        "/States/Empty": 1,
    }


def test_a_mock_that_no_case_uses_is_exit_code_1(folder: Path, cases: Path) -> None:
    cases.write_text("mocks: {Price: {result: 1}}\ncases: {a: {input: {total: 0}, expect: {error: Empty}}}\n")
    result = express("test", cwd=folder)
    assert result.returncode == 1
    assert "\norders.test.yaml:1: mocks.Price: no case has used this mock\n" in result.stdout
    assert "1 passed, 1 unused mock in " in result.stdout


MISTAKES = {
    "file that cannot work": (
        "cases: {a: {inptu: 1}}\n",
        78,
        "orders.test.yaml:1: cases.a.inptu: there is no field of this name, did you mean 'input'?",
    ),
    "definition that is not valid": (
        "definition: bad.asl.json\ncases: {a: {}}\n",
        65,
        "bad.asl.json: /States/A: One of these fields is required: [Next, End]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence_and_an_exit_code(folder: Path, cases: Path, name: str) -> None:
    text, code, sentence = MISTAKES[name]
    (folder / "bad.asl.json").write_text('{"StartAt": "A", "States": {"A": {"Type": "Pass"}, "B": {"Type": "Succeed"}}}')
    cases.write_text(text)
    result = express("test", cwd=folder)
    assert (result.returncode, result.stdout) == (code, "")
    assert f"express: {sentence}\n" in result.stderr


def test_a_folder_without_cases_and_a_file_that_is_not_there_say_so(folder: Path) -> None:
    nothing = express("test", cwd=folder)
    assert (nothing.returncode, nothing.stderr) == (66, "express: .: no case: there is no *.test.yaml in it\n")
    gone = express("test", "gone.test.yaml", cwd=folder)
    assert (gone.returncode, gone.stderr) == (66, "express: there is no file gone.test.yaml\n")


def test_a_file_of_cases_that_is_not_there_hides_nothing_of_the_others(folder: Path, cases: Path) -> None:
    cases.write_text("cases: 5\n")
    result = express("test", "gone.test.yaml", cases.name, "lost.test.yaml", cwd=folder)
    first, second, third = result.stderr.splitlines()
    assert (first, second) == ("express: there is no file gone.test.yaml", "express: there is no file lost.test.yaml")
    assert third.startswith(f"express: {cases.name}")
    assert result.returncode == 66


def test_names_cannot_move_the_cursor(folder: Path, cases: Path) -> None:
    cases.write_text('cases: {"\\e[2Jx": {input: {total: 0}}}\n')
    result = express("test", cwd=folder)
    assert "\x1b" not in result.stdout
    assert "\\x1b[2Jx" in result.stdout
