"""The codes of problems: the table has all of them, the page explains all of them, and its examples are true."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from express.checking import check
from express.language import codes, findings
from express.language.codes import CODES

PROJECT = Path(__file__).parent.parent.parent
PAGE = (PROJECT / "docs" / "checking.md").read_text()
# What no short definition shows
NOT_SHOWN = {
    "MISSING_DESCRIPTION",
    "TOO_DEEPLY_NESTED",
    "DEFINITION_TOO_LARGE",
    "INVALID_SUBSTITUTION",
    "DEFINITION_UNREADABLE",
    "CONSTANT_TOO_LARGE",
    "INLINE_TIMEOUT",
    "INTEGRATION_NOT_CHECKED",
    "SUBSTITUTION_WITHOUT_VALUE",
}

_SECTION = re.compile(r"^### ([A-Z_]+)\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
_EXAMPLE = re.compile(r"^```(?:yaml|json)\n(.*?)^```\n((?:> [^\n]*\n)+)", re.MULTILINE | re.DOTALL)
SECTIONS = dict(_SECTION.findall(PAGE))
EXAMPLES = [(code, text, quoted) for code, section in SECTIONS.items() for text, quoted in _EXAMPLE.findall(section)]


def test_the_page_lists_exactly_the_codes_that_exist() -> None:
    assert sorted(SECTIONS) == sorted(CODES)
    assert len(re.findall(r"^### ", PAGE, re.MULTILINE)) == len(CODES), "each once"


def test_every_code_is_under_the_heading_of_its_severity() -> None:
    for severity, title in (("ERROR", "Errors"), ("WARNING", "Warnings"), ("ADVICE", "Advice")):
        part = re.search(rf"^# {title}$\n(.*?)(?=^# |\Z)", PAGE, re.MULTILINE | re.DOTALL)
        assert part
        assert sorted(re.findall(r"^### ([A-Z_]+)", part[1], re.MULTILINE)) == sorted(
            name for name, code in CODES.items() if code.severity == severity
        )


def test_every_code_that_a_short_definition_can_show_has_an_example() -> None:
    assert set(CODES) - {code for code, _, _ in EXAMPLES} == NOT_SHOWN & set(CODES)


@pytest.mark.parametrize(("code", "text", "quoted"), EXAMPLES, ids=[code for code, _, _ in EXAMPLES])
def test_an_example_gives_what_the_page_says(code: str, text: str, quoted: str) -> None:
    problems = [problem for problem in check(text, portable=code == "NOT_PORTABLE") if problem.code == code]
    assert [str(problem) for problem in problems] == [line.removeprefix("> ") for line in quoted.splitlines()]
    assert {problem.severity for problem in problems} == {CODES[code].severity}


def test_the_python_of_the_page_runs() -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(program, "checking.md", "exec"), {})


def test_every_code_that_the_language_uses_is_in_the_table() -> None:
    """Codes are the constants of `findings` and `codes`: texts in capitals with underscores."""
    named = {
        value
        for module in (findings, codes)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and re.fullmatch(r"[A-Z]+(_[A-Z]+)+", value)
    }
    assert named == set(CODES)


def test_no_problem_is_made_with_a_code_of_its_own() -> None:
    """Whoever reports one gives a constant's name, never a text."""
    for path in (PROJECT / "express" / "language").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                place = {"Problem": 1, "error": 2, "warning": 2}.get(name)
                if place is not None and len(node.args) > place:
                    assert not isinstance(node.args[place], ast.Constant), f"{path.name}:{node.lineno}"
