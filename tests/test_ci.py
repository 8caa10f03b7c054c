"""What `make test` makes of failures: it fails, its last lines name them, and say which pass alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FAILS_ONCE = """
import pathlib

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
    (folder / "pytest.ini").write_text("[pytest]\n")
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


def test_what_failed_is_said_last_and_what_passes_alone_has_failed_all_the_same(project: Path, tmp_path: Path) -> None:
    text = "def test_slow(): once('slow')\ndef test_good(): pass\ndef test_wrong(): assert False\n"
    code, lines = run(project, tmp_path, {"tests/test_a.py": text})
    assert code == 1
    assert lines[-2:] == ["failed beside others, passed alone: tests/test_a.py::test_slow", "failed: tests/test_a.py::test_wrong"]
    assert "7 passed" in lines


def test_one_that_only_fails_beside_others_fails_the_whole(project: Path, tmp_path: Path) -> None:
    code, lines = run(project, tmp_path, {"tests/test_a.py": "def test_slow(): once('slow')\n"})
    assert (code, lines[-1]) == (1, "failed beside others, passed alone: tests/test_a.py::test_slow")


def test_many_are_only_named(project: Path, tmp_path: Path) -> None:
    code, lines = run(project, tmp_path, {"tests/test_a.py": "".join(f"def test_{n}(): once('{n}')\n" for n in range(11))})
    assert (code, lines[-1]) == (1, "failed: tests/test_a.py::test_10")


def test_all_that_passes_passes(project: Path, tmp_path: Path) -> None:
    code, lines = run(project, tmp_path, {"tests/test_a.py": "def test_good(): pass\n"})
    assert (code, lines[-1]) == (0, "7 passed")


def test_another_python_that_fails_fails_the_whole_and_is_shown(project: Path, tmp_path: Path) -> None:
    code, lines = run(project, tmp_path, {"tests/test_a.py": "def test_good(): pass\n"}, "echo E what broke; exit 1")
    assert (code, lines[-1]) == (1, "E what broke")


def test_a_run_that_could_not_collect_fails(project: Path, tmp_path: Path) -> None:
    code, _ = run(project, tmp_path, {"tests/test_a.py": "import nothing_of_this_name\n"})
    assert code != 0
