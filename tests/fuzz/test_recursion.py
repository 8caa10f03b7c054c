"""Expressions that call themselves end as expressions do, whatever they build: in a process of their own, which they must not end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXPRESSIONS = 40  # `python -m tests.fuzz.recursion` has more of them


@pytest.mark.uvloop_only
def test_no_expression_that_calls_itself_ends_the_process() -> None:
    command = [sys.executable, "-m", "tests.fuzz.recursion", "--expressions", str(EXPRESSIONS)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert (found.returncode, found.stderr) == (0, ""), found.stdout
    assert f"{EXPRESSIONS} expressions" in found.stdout
