"""The examples of workflow patterns: nothing to say about their definitions, their tests cover them, and their READMEs' commands run."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import express
from express.cli import main

EXAMPLES = Path(__file__).parents[2] / "examples"
PATTERNS = {"approval": 3, "images": 3, "map": 3, "pipeline": 3, "retry": 4, "saga": 2}  # results of their events
DEAD = {"approval": 0, "images": 1, "map": 0, "pipeline": 1, "retry": 1, "saga": 5}


def definition(pattern: str) -> Path:
    (found,) = (path for path in (EXAMPLES / pattern).iterdir() if ".asl." in path.name)
    return found


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    assert left.value.code in (0, None), arguments


def test_every_example_is_tested_here_or_by_itself() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_dir()} == {*PATTERNS, "composition", "earthquakes"}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_there_is_nothing_to_say_about_the_definition(pattern: str) -> None:
    extensions = ("callbacks",) if pattern == "approval" else ()
    assert express.check(definition(pattern), extensions=extensions) == []


@pytest.mark.timeout(240)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_readme_s_commands_run_and_leave_what_it_says(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(EXAMPLES / pattern, tmp_path / "examples" / pattern)
    monkeypatch.chdir(tmp_path)
    if pattern == "images":
        pytest.importorskip("PIL", reason="Pillow is not installed: the pictures of examples/images cannot be drawn")
    text = (EXAMPLES / pattern / "README.md").read_text()
    (commands,) = re.findall(r"^```\n((?:express|pip).*?)^```", text, re.MULTILINE | re.DOTALL)
    for command in re.sub(r"\\\n\s*", "", commands).splitlines():
        if command.startswith("express"):
            arguments = shlex.split(command)[1:]
            if pattern == "images" and arguments[0] == "run":  # its functions have processes, which end with whoever started them
                subprocess.run([sys.executable, "-m", "express", *arguments], check=True, capture_output=True, timeout=200)
            else:
                run(*arguments)
        elif "draw.py" in command:
            (tmp_path / "pictures").mkdir()
            loaded("images", "draw").draw(tmp_path / "pictures")
            events = [json.dumps({"path": str(path)}) for path in sorted((tmp_path / "pictures").iterdir())]
            (tmp_path / "pictures" / "events.jsonl").write_text("".join(f"{event}\n" for event in events))
    shown = capsys.readouterr().out
    assert "100" in shown, "its tests reach every state"
    written = {path.name: path.read_text().splitlines() for path in tmp_path.glob("*.jsonl")}
    dead = {name: lines for name, lines in written.items() if "dead" in name or "not-booked" in name}
    assert sum(map(len, written.values())) - sum(map(len, dead.values())) == PATTERNS[pattern]
    assert sum(map(len, dead.values())) == DEAD[pattern]


def loaded(pattern: str, name: str) -> Any:
    found = importlib.util.spec_from_file_location(f"{pattern}_{name}", EXAMPLES / pattern / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


# --- A failure at each step of the saga leaves nothing reserved ---------------------------------------------------------------------

STEPS = ["reserve_flight", "reserve_hotel", "charge"]


@pytest.mark.parametrize("worked", [False, True], ids=["before it worked", "after it worked"])
@pytest.mark.parametrize("failing", STEPS)
def test_a_saga_that_fails_leaves_nothing_reserved(failing: str, worked: bool) -> None:
    companies = loaded("saga", "functions")
    functions: dict[str, Callable[..., Any]] = {
        name: getattr(companies, name) for name in (*STEPS, "refund", "release_hotel", "release_flight")
    }
    real = functions[failing]

    @express.function(failing)
    def broken(event: Any) -> Any:
        if worked:
            real(event)
        raise TimeoutError("no answer")

    program = express.compile(definition("saga"), functions={**functions, failing: broken})
    outcome = program.run({"id": "j", "flight": "LH400", "hotel": "Plaza", "card": "4111", "amount": 7})
    assert (outcome.status, outcome.error) == ("FAILED", "Journey.NotBooked")
    assert (companies.flights, companies.hotels, companies.charged) == ({}, {}, {})
