"""What `make test` makes of failures: which it forgives, and that its last lines name them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FAILS_ONCE = """
import pathlib, pytest

def once(name):
    mark = pathlib.Path(name + ".ran")
    if not mark.exists():
        mark.touch()
        raise AssertionError(name)
"""


def run(project: Path, folder: Path, tests: dict[str, str], others: str = "echo '== Python 3.14'; echo 7 passed") -> tuple[int, list[str]]:
    """Exit code and last lines of .ci/test over these files, in a project of its own."""
    (folder / ".ci").mkdir()
    shutil.copy(project / ".ci/test", folder / ".ci/test")
    (folder / ".ci/other-pythons").write_text(f"#!/bin/sh\n{others}\n")
    (folder / ".ci/other-pythons").chmod(0o755)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = kills: x\n")
    for name, text in tests.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(FAILS_ONCE + text)
    ended = subprocess.run(
        [folder / ".ci/test", sys.executable, "--quiet"],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=folder,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    return ended.returncode, ended.stdout.splitlines()


def test_what_fails_beside_others_and_passes_alone_is_named_and_forgiven(project: Path, tmp_path: Path) -> None:
    code, lines = run(project, tmp_path, {"tests/test_a.py": "def test_slow(): once('slow')\ndef test_good(): pass\n"})
    assert (code, lines[-1]) == (0, "failed beside others, passed alone: tests/test_a.py::test_slow")
    assert "7 passed" in lines


@pytest.mark.parametrize(
    ("name", "text", "last"),
    [
        ("tests/test_a.py", "def test_wrong(): assert False\n", "failed: tests/test_a.py::test_wrong"),
        ("tests/chaos/test_a.py", "def test_lost(): once('lost')\n", "failed: tests/chaos/test_a.py::test_lost"),
        ("tests/test_a.py", "@pytest.mark.kills\ndef test_lost(): once('lost')\n", "failed: tests/test_a.py::test_lost"),
        ("tests/test_a.py", "".join(f"def test_{n}(): once('{n}')\n" for n in range(4)), "failed: tests/test_a.py::test_3"),
    ],
)
def test_what_fails_again_or_loses_something_or_is_one_of_many_fails_the_whole(
    project: Path, tmp_path: Path, name: str, text: str, last: str
) -> None:
    code, lines = run(project, tmp_path, {name: text})
    assert (code, lines[-1]) == (1, last)


def test_another_python_that_fails_fails_the_whole_and_is_shown(project: Path, tmp_path: Path) -> None:
    code, lines = run(project, tmp_path, {"tests/test_a.py": "def test_good(): pass\n"}, "echo E what broke; exit 1")
    assert (code, lines[-1]) == (1, "E what broke")


def test_a_run_that_could_not_collect_fails(project: Path, tmp_path: Path) -> None:
    code, _ = run(project, tmp_path, {"tests/test_a.py": "import nothing_of_this_name\n"})
    assert code != 0
