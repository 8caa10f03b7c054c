"""What the command says about itself."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from express.cli.exits import MEANING
from tests.commandline import express


def test_help_lists_the_verbs_worked_examples_and_every_exit_code(tmp_path: Path) -> None:
    result = express("--help", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    for expected in ("run ", "exec ", "check ", "compile ", "queue ", "test ", "graph ", "Examples:", "express run -c express.yaml"):
        assert expected in result.stdout
    for code, meaning in MEANING.items():
        assert f"{code:3d}  {meaning}" in result.stdout


@pytest.mark.parametrize("verb", ["run", "exec", "check", "compile", "queue", "test", "graph"])
def test_the_help_of_each_verb_ends_with_worked_examples(tmp_path: Path, verb: str) -> None:
    result = express(verb, "--help", cwd=tmp_path)
    assert result.returncode == 0
    assert f"\n    express {verb} " in result.stdout.partition("Examples:")[2]


def test_without_a_verb_there_is_help_and_exit_code_2(tmp_path: Path) -> None:
    result = express(cwd=tmp_path)
    assert (result.returncode, result.stdout.startswith("Usage: express")) == (2, True)


def test_the_version_is_the_package_s(tmp_path: Path) -> None:
    assert express("--version", cwd=tmp_path).stdout == f"express {version('express-workflows')}\n"


def test_a_verb_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    result = express("rum", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("express: No such command 'rum'")
    assert len(result.stderr.splitlines()) == 1
