"""docs/callbacks.md: its definitions and its program run as they stand there, and every way to switch an extension on works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import express
from express import config
from express.cli import main
from express.worker import prepare

PAGE = (Path(__file__).parents[1] / "docs" / "callbacks.md").read_text()
ASK, CHARGE = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FUNCTIONS = """
import express
from express.callbacks import Callbacks

@express.function("ask", run="inline")
def ask(event):
    Callbacks().succeed(event["token"], event["order"])
"""


def test_the_page_s_program_runs() -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(program, "callbacks.md", "exec"), {"definition": ASK})


def test_the_page_s_nested_workflow_runs() -> None:
    charging = express.compile({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "r1", "End": True}}}, name="charging")
    program = express.compile(CHARGE, extensions=["nested"], workflows={"charging": charging})
    assert program.run({"order": 1}).output == {"receipt": "r1"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "ask.asl.yaml").write_text(ASK)
    (tmp_path / "charge.asl.yaml").write_text(CHARGE)
    (tmp_path / "charging.asl.json").write_text('{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}')
    (tmp_path / "ask.py").write_text(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def status(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    code = left.value.code
    return code if isinstance(code, int) else 0


def test_the_flag_switches_it_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    on = ("--extension", "callbacks")
    assert status("check", "ask.asl.yaml") == 1
    assert status("check", "ask.asl.yaml", *on) == 0
    assert status("check", "ask.asl.yaml", *on, "--portable") == 1
    assert "extension of Express" in capsys.readouterr().out
    assert status("compile", "ask.asl.yaml", "--show", *on) == 0
    assert "new_token()" in capsys.readouterr().out
    assert status("exec", "ask.asl.yaml", "--functions", "ask.py", "--input", '{"order": 7}', *on) == 0
    assert capsys.readouterr().out == "7\n"
    (folder / "events.jsonl").write_text('{"order": 1}\n{"order": 2}\n')
    flags = ("--source", "file:events.jsonl", "--sink", "file:out.jsonl", "--dead-letter", "file:dead.jsonl", "--functions", "ask.py")
    assert status("run", "ask.asl.yaml", *flags, *on) == 0
    assert sorted(json.loads(line)["value"] for line in (folder / "out.jsonl").read_text().splitlines()) == [1, 2]


def test_a_configuration_switches_it_on_for_all_its_workflows(folder: Path) -> None:
    (folder / "express.yaml").write_text(
        "extensions: [callbacks, nested]\n"
        "workflows:\n"
        "  ask: {definition: ask.asl.yaml, functions: [ask.py]}\n"
        "  charge: {definition: charge.asl.yaml}\n"
        "  charging: {definition: charging.asl.json}\n"
        "pipelines:\n"
        "  - {source: 'memory:a', workflow: ask}\n"
        "  - {source: 'memory:b', workflow: charge}\n"
    )
    parts = prepare(config.load(folder / "express.yaml", {}))
    assert parts[1].program.run({"order": 1}).output == {"receipt": {"order": 1}}
    assert status("check", "-c", "express.yaml") == 0
