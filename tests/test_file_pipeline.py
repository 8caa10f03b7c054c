"""From a file to files as a real process, killed and stopped in the middle: nothing is lost, little comes twice."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.commandline import express, running

WORKFLOW = {
    "StartAt": "Slow",
    "States": {
        "Slow": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:slow", "Next": "Good"},
        "Good": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 0, "Next": "Bad"}], "Default": "Done"},
        "Bad": {"Type": "Fail", "Error": "Negative", "Cause": "n is below zero"},
        "Done": {"Type": "Succeed"},
    },
}
FUNCTIONS = """
import asyncio, express

@express.function
async def slow(event, context):
    await asyncio.sleep(0.03 + (event["n"] % 5) * 0.01)
    return event
"""
IN_FLIGHT, COMMIT_EVERY = 60, 0.05
CONFIGURATION = f"""
workflows:
  work: {{definition: work.asl.json, functions: [functions.py]}}
pipelines:
  - source: file:events.jsonl
    workflow: work
    sink: file:results.jsonl
    dead_letter: file:dead.jsonl
    in_flight: {{records: {IN_FLIGHT}}}
    commit_every: {int(COMMIT_EVERY * 1000)}ms
    drain: 5s
ops: {{listen: "127.0.0.1:0"}}
"""
COUNT = 2_500
POISON = range(100, COUNT, 100)
NEGATIVE = range(50, COUNT, 100)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "work.asl.json").write_bytes(orjson.dumps(WORKFLOW))
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    (tmp_path / "express.yaml").write_text(CONFIGURATION)
    events = [b"oops" if n in POISON else b'{"n":%d}' % (-n if n in NEGATIVE else n) for n in range(COUNT)]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(events))
    return tmp_path


def written(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file that may be torn at its end."""
    return [orjson.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []


def judge(place: Path) -> int:
    """Every event has ended, where it should; returns how many came more than once."""
    results = Counter(line["express-execution"] for line in written(place / "results.jsonl"))
    letters = Counter(line["express-execution"] for line in written(place / "dead.jsonl"))
    good = {line["value"]["n"] for line in written(place / "results.jsonl")}
    assert good == set(range(COUNT)) - set(POISON) - set(NEGATIVE)
    errors = Counter({line["express-execution"]: line["express-error"] for line in written(place / "dead.jsonl")}.values())
    assert errors == {"Negative": len(NEGATIVE), "Express.Undecodable": len(POISON)}
    assert not results.keys() & letters.keys()
    return results.total() - len(results) + letters.total() - len(letters)


def test_a_run_does_everything_once_and_a_second_run_nothing(place: Path) -> None:
    done = express("run", "-c", "express.yaml", cwd=place)
    assert done.returncode == 0, done.stderr
    assert judge(place) == 0
    again = express("run", "-c", "express.yaml", cwd=place)
    assert again.returncode == 0, again.stderr
    assert judge(place) == 0


def test_kill_9_in_the_middle_loses_nothing_and_repeats_at_most_what_was_in_flight(place: Path) -> None:
    kills = 0
    while True:
        before = len(written(place / "results.jsonl"))
        with running("run", "-c", "express.yaml", cwd=place) as run:
            goal = before + 350
            while run.process.poll() is None and (kills == 4 or len(written(place / "results.jsonl")) < goal):
                time.sleep(0.01)
            if run.process.poll() is not None:
                assert run.process.returncode == 0, run.stderr
                break
            run.signal(signal.SIGKILL)
            run.wait()
            kills += 1
    assert kills == 4
    repeated = judge(place)
    # In flight, and what was finished since the last commit: at most so many begin within two ticks
    assert repeated <= kills * (IN_FLIGHT + 2 * COMMIT_EVERY * IN_FLIGHT / 0.03), repeated


def test_sigterm_in_the_middle_finishes_what_is_in_flight_and_repeats_nothing(place: Path) -> None:
    for _ in range(3):
        with running("run", "-c", "express.yaml", cwd=place) as run:
            goal = len(written(place / "results.jsonl")) + 300
            run.until(lambda goal=goal: len(written(place / "results.jsonl")) >= goal, "it was in the middle")  # type: ignore[misc]
            run.signal(signal.SIGTERM)
            assert run.wait(10) == 0, run.stderr
    done = express("run", "-c", "express.yaml", cwd=place)
    assert done.returncode == 0, done.stderr
    assert judge(place) == 0


def test_standard_input_is_a_source_that_ends(place: Path) -> None:
    done = express(
        "run", "work.asl.json", "--functions", "functions.py", "--source", "stdin:", "--sink", "file:out.jsonl", "--ops", "127.0.0.1:0",
        cwd=place, text='{"n": 1}\n\n{"n": 2}',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [(line["express-execution"], line["value"]) for line in written(place / "out.jsonl")] == [
        ("stdin-0-0", {"n": 1}),
        ("stdin-0-10", {"n": 2}),
    ]


def test_the_first_failure_without_a_dead_letter_stops_with_a_sentence_and_comes_again(place: Path) -> None:
    (place / "few.jsonl").write_text('{"n": 1}\n{"n": 2}\n{"n": -3}\n{"n": 4}\n')
    arguments = ["run", "work.asl.json", "--functions", "functions.py", "--source", "file:few.jsonl", "--sink", "file:out.jsonl"]
    for _ in range(2):
        done = express(*arguments, "--ops", "127.0.0.1:0", cwd=place)
        assert done.returncode == 1
        assert "the record at few.jsonl, partition 0, offset 18 failed in state 'Bad': Negative: n is below zero" in done.stderr
        assert "Traceback" not in done.stderr
    assert {line["value"]["n"] for line in written(place / "out.jsonl")} == {1, 2, 4}
    assert len(written(place / "out.jsonl")) == 3, "what had finished beside it did not come again"


@pytest.mark.parametrize(
    ("source", "sink", "status", "sentence"),
    [
        ("file:nowhere.jsonl", "file:out.jsonl", 66, "file:nowhere.jsonl: there is no such file"),
        ("file:events.jsonl", "file:nowhere/out.jsonl", 73, "there is no directory"),
        ("file:events.jsonl", "file:events.jsonl", 78, "the sink is what the source reads"),
    ],
)
def test_files_that_cannot_be_used_are_named(place: Path, source: str, sink: str, status: int, sentence: str) -> None:
    before = (place / "events.jsonl").read_bytes()
    done = express(
        "run", "work.asl.json", "--functions", "functions.py", "--source", source, "--sink", sink, "--ops", "127.0.0.1:0", cwd=place
    )
    assert done.returncode == status, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert (place / "events.jsonl").read_bytes() == before
