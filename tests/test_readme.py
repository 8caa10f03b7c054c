"""Every command and every program of README.md, run as it stands there, in order, in a fresh copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from express.cli.exits import MEANING
from tests.brokers.kafka_bed import Kafka
from tests.examples.oracle import Result, expected_of_all

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text()

# `make test` would run this very test, `make bench` takes minutes; `make lint` and `make test` are what CI runs (.ci/run): shown only.
SMALLER = {
    "make test": "make --dry-run test",
    "make bench": "make --dry-run bench",
    "make lint": "make --dry-run lint",
}

LEFT = (".git", ".venv*", ".pytest_cache", ".ruff_cache", ".mypy_cache", "__pycache__")
MADE = ("*.egg-info", "build", "demo-output", ".hypothesis")

pytestmark = [pytest.mark.installs, pytest.mark.timeout(480)]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """One string per command, continuation lines joined."""
    return [line for block in blocks("sh") for line in re.sub(r"\\\n\s*", "", block).splitlines() if line]


COMMANDS = commands()
LOCAL = [command for command in COMMANDS if "localhost:9092" not in command]
KAFKA = [command for command in COMMANDS if "localhost:9092" in command]


class Checkout:
    """A copy of the project without what was made in it, and the environment of somebody who just came."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(
            PROJECT,
            folder,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(*LEFT, *MADE),
        )
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("EXPRESS_", "PYTEST", "MAKE", "MFLAGS", "VIRTUAL_ENV"))
        }
        self.environment = {**kept, "EXPRESS_ONLY_MAIN_PYTHON": "1", "EXPRESS_TEST_SESSION": os.environ["EXPRESS_TEST_SESSION"]}

    def start(self, command: str) -> subprocess.Popen[str]:
        if command == ". .venv/bin/activate":
            self.environment["PATH"] = f"{self.folder / '.venv' / 'bin'}:{self.environment['PATH']}"
        return subprocess.Popen(
            ["/bin/sh", "-c", command if command.startswith(".") else f"exec {command}"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> str:
        with self.start(command) as process:
            output, _ = process.communicate(timeout=400)
        assert process.returncode == 0, f"$ {command}\n{output}"
        return output


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout"))


def test_the_commands_that_need_no_broker_do_what_they_say(checkout: Checkout) -> None:
    output = {command: checkout.run(SMALLER.get(command, command)) for command in LOCAL}
    results = (checkout.folder / "demo-output" / "alerts.jsonl").read_text().splitlines()
    dead_letters = (checkout.folder / "demo-output" / "dead-letters.jsonl").read_text().splitlines()
    assert (len(results), len(dead_letters)) == (1672, 35)
    assert "Locate" in output["make demo"]
    assert '"severity":"severe"' in next(shown for command, shown in output.items() if command.startswith("express exec"))
    assert "def run" in next(shown for command, shown in output.items() if command.startswith("express compile"))


@pytest.mark.kafka_group
def test_the_quick_start_with_kafka_does_what_it_says(checkout: Checkout, kafka: Kafka) -> None:
    """After the commands above: they install. The broker of the tests stands in for localhost:9092; Ctrl-C is a SIGINT."""
    fill, daemon = (command.replace("localhost:9092", kafka.servers) for command in KAFKA)
    assert "1707 events" in checkout.run(fill)
    wanted = [answer.output for answer in expected_of_all() if isinstance(answer, Result)]
    with checkout.start(daemon) as running:
        try:
            found = kafka.read("earthquakes.alerts", len(wanted), seconds=60)
            dead = kafka.read("earthquakes.dead", 35, seconds=20)
            running.send_signal(signal.SIGINT)
            output, _ = running.communicate(timeout=30)
        finally:
            running.kill()
    assert running.returncode == 0, output
    assert (len(found), len(dead)) == (len(wanted), 35), output


def test_the_python_program_of_the_readme_runs() -> None:
    (program,) = blocks("python")
    exec(compile(program, "README.md", "exec"), {})


def test_the_table_of_exit_codes_is_the_command_line_s_own() -> None:
    table = README.partition("## Exit codes")[2].partition("\n## ")[0]
    assert re.findall(r"^\| (\d+) \| (.+) \|$", table, re.MULTILINE) == [(str(int(code)), text) for code, text in MEANING.items()]
