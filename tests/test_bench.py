"""Every benchmark runs, on a few events: what `make bench` measures must go on working between two measurements."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
FEW = {
    "evaluator.py": ("--events", "50", "--repeats", "1"),
    "http_task.py": ("--count", "200", "--repeats", "1"),
    "jsonata.py": ("--repeats", "1"),
    "parked.py": ("500",),
    "pipeline.py": ("--count", "2000", "--repeats", "1"),
    "sync_api.py": ("--requests", "200", "--rounds", "1"),
}


def test_every_benchmark_is_run_here() -> None:
    assert {path.name for path in (PROJECT / "bench").glob("*.py")} == set(FEW)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.kafka_group if name == "pipeline.py" else ()) for name in FEW])
def test_a_benchmark_checks_its_outputs_and_prints_ratios(name: str, request: pytest.FixtureRequest) -> None:
    broker = ("--servers", request.getfixturevalue("kafka").servers) if name == "pipeline.py" else ()
    done = subprocess.run(
        [sys.executable, f"bench/{name}", *FEW[name], *broker], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=220
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert any(character.isdigit() for character in done.stdout)
