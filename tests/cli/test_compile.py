"""``express compile`` as people call it."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commandline import express


def test_show_prints_python_in_which_every_state_is_named(folder: Path) -> None:
    result = express("compile", "orders.asl.json", "--show", cwd=folder)
    ast.parse(result.stdout)
    assert (result.returncode, result.stderr) == (0, "")
    assert [line.strip() for line in result.stdout.splitlines() if line.strip().startswith("# '")] == [
        "# 'HasTotal': Choice", "# 'Price': Task", "# 'Empty': Fail",
    ]  # fmt: skip


def test_with_functions_the_python_is_the_one_that_a_pipeline_runs(folder: Path) -> None:
    (folder / "inline.py").write_text("import express\n\n@express.function('price', run='inline')\ndef price(event):\n    return event\n")
    without = express("compile", "orders.asl.json", "--show", cwd=folder).stdout
    given = express("compile", "orders.asl.json", "--show", "--functions", "inline.py", cwd=folder).stdout
    assert "async def run(" in without
    assert "async def run(" not in given


def test_the_lines_that_measure_are_shown_when_asked_for(folder: Path) -> None:
    assert "clock()" not in express("compile", "orders.asl.json", "--show", cwd=folder).stdout
    assert "clock()" in express("compile", "orders.asl.json", "--show", "--metrics", cwd=folder).stdout


def test_one_state_s_lines_can_be_asked_for(folder: Path) -> None:
    result = express("compile", "orders.asl.json", "--show", "--state", "Price", cwd=folder)
    lines = result.stdout.splitlines()
    assert lines[0] == "# 'Price': Task"
    assert any("price_task" in line for line in lines)
    assert "Empty" not in result.stdout


def test_a_state_that_is_not_there_is_a_mistake_that_lists_those_that_are(folder: Path) -> None:
    result = express("compile", "orders.asl.json", "--state", "Prize", cwd=folder)
    assert result.returncode == 2
    assert result.stderr == ("express: orders.asl.json has no state 'Prize': it has HasTotal, Price, Empty (see express compile --help)\n")


def test_without_flags_it_says_that_it_compiles(folder: Path) -> None:
    result = express("compile", "orders.asl.json", cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("orders.asl.json compiles: 3 states, ")


def test_a_definition_that_is_wrong_is_named_with_every_problem(folder: Path) -> None:
    (folder / "wrong.json").write_text('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "C": {"Type": "Succeed"}}}')
    result = express("compile", "wrong.json", "--show", cwd=folder)
    assert (result.returncode, result.stdout) == (65, "")
    assert result.stderr.splitlines() == [
        "express: wrong.json: /States/A/Next: no state is named 'B'",
        "express: wrong.json: /States/C: State 'C' is not reachable: no state that is reached leads to it",
    ]


def test_explain_says_state_by_state_why_the_code_is_as_it_is(folder: Path) -> None:
    result = express("compile", "orders.asl.json", "--explain", "--functions", "functions.py", cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "/States/HasTotal: code: $.total",
        "/States/HasTotal: text: a pipeline decodes whole events: more than fields by their names may be looked at",
        "/States/Price: call: inline, through a call of the engine: it takes the context, or its resource wraps the result",
        "/States/Price: copy: of what the function gets: the input goes on after the call (ResultPath)",
        "/States/Price: copy: of the outermost object, for ResultPath: it was not made in this function",
        "/States/Price: check: its output may have up to 513 KiB, 256 are allowed",
        "/States/Price: text: its output may have up to 513 KiB, 256 are allowed: the text that a pipeline writes is measured, at no cost",
    ]


def test_explain_may_be_asked_of_one_state(folder: Path) -> None:
    result = express("compile", "orders.asl.json", "--explain", "--state", "HasTotal", cwd=folder)
    assert (result.returncode, result.stdout) == (
        0,
        "/States/HasTotal: code: $.total\n/States/HasTotal: text: a pipeline decodes whole events: it can wait\n",
    )


def test_on_a_terminal_the_reasons_are_a_table(folder: Path) -> None:
    """`script` gives the command a terminal."""
    if shutil.which("script") is None:
        pytest.skip("there is no `script` here, which gives a command a terminal")
    command = f"{sys.executable} -m express compile orders.asl.json --explain"
    result = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100"},
        timeout=60,
    )
    assert "what and why" in result.stdout
    assert "HasTotal" in result.stdout
    assert "\x1b[" in result.stdout


def test_substitutions_have_their_values_from_flags(folder: Path) -> None:
    (folder / "sam.json").write_text('{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "${Table}-1", "End": true}}}')
    result = express("compile", "sam.json", "--show", "--substitute", "Table=orders", cwd=folder)
    assert result.returncode == 0
    assert "orders-1" in result.stdout
