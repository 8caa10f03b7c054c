"""The main example as its users run it: real processes over the real events, against what plain Python says must come out."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.examples.oracle import EVENTS, Dead, Result, expected, finds_the_gazetteer_busy

PROJECT = Path(__file__).parents[2]
EXAMPLE = PROJECT / "examples" / "earthquakes"
LINES = EVENTS.read_bytes().splitlines()
EVERY = [json.loads(line) for line in LINES]
IN_FLIGHT = 500  # the default

pytestmark = pytest.mark.timeout(180)


class Demo:
    """`make demo`, with its output in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.results, self.dead_letters = folder, folder / "alerts.jsonl", folder / "dead-letters.jsonl"

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "express", "run", str(EXAMPLE / "alerts.asl.json"), "--functions", str(EXAMPLE / "functions.py")]
        command += ["--source", f"file:{EVENTS}", "--commit-every", "50ms"]
        command += ["--sink", f"file:{self.results}", "--dead-letter", f"file:{self.dead_letters}"]
        return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self) -> str:
        with self.start() as process:
            output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        return output

    def kill_after(self, results: int) -> int:
        """Runs until so many results are on the disk, then kill -9. Returns how many there are then."""
        with self.start() as process:
            patience = time.monotonic() + 60
            while self.count() < results and process.poll() is None and time.monotonic() < patience:
                time.sleep(0.01)
            assert process.poll() is None, f"it ended before it could be killed: {process.communicate()[0]}"
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=20)
        return self.count()

    def count(self) -> int:
        return sum(path.read_bytes().count(b"\n") for path in (self.results, self.dead_letters) if path.exists())

    def outcomes(self) -> list[tuple[str, Result | Dead]]:
        """What is in the two files, by event: (id, result or dead letter)."""
        found: list[tuple[str, Result | Dead]] = [(line["value"]["id"], Result(line["value"])) for line in whole_lines(self.results)]
        for line in whole_lines(self.dead_letters):
            assert line["value"] == EVERY[POSITIONS[line["value"]["id"]]], "a dead letter carries the original record"
            found.append((line["value"]["id"], Dead(line["express-error"], line["express-state"], line["express-cause"])))
        return found


def whole_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")] if path.exists() else []


POSITIONS = {event["id"]: number for number, event in enumerate(EVERY)}
EXPECTED = {event["id"]: expected(event) for event in EVERY}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Demo, str]:
    """One whole run, and what it showed."""
    demo = Demo(tmp_path_factory.mktemp("demo"))
    return demo, demo.run()


def test_every_event_has_the_result_or_the_dead_letter_that_plain_python_expects(finished: tuple[Demo, str]) -> None:
    demo, _ = finished
    outcomes = demo.outcomes()
    assert len(outcomes) == len(EVERY)
    assert dict(outcomes) == EXPECTED


def test_the_summary_counts_what_happened_in_each_state(finished: tuple[Demo, str]) -> None:
    """entered, failed, retried, caught: each from the events themselves."""
    _, shown = finished
    table = {words[0]: words[1:] for line in shown.splitlines() if len(words := line.split()) >= 6}
    busy = sum(map(finds_the_gazetteer_busy, EVERY))
    alerts = [answer.output for answer in EXPECTED.values() if isinstance(answer, Result) and "impact" in answer.output]
    unknown = sum(alert["impact"]["intensity"] is None for alert in alerts)
    assert table["CheckKind"][:2] == ["Choice", "1,707"]
    assert table["Locate"][:5] == ["Task", "1,677", str(busy), str(busy), "-"]
    assert table["EstimateImpact"][:5] == ["Task", str(len(alerts)), str(unknown), "-", str(unknown)]
    assert table["NotReviewed"][:3] == ["Fail", "33", "33"]
    assert table["Alert"][:3] == ["Pass", "264", "-"]


def test_the_summary_says_where_the_results_are(finished: tuple[Demo, str]) -> None:
    demo, shown = finished
    assert re.search(rf"results\s+1,672\s.*{re.escape(str(demo.results))}", shown)
    assert re.search(rf"dead letters\s+35\s.*{re.escape(str(demo.dead_letters))}", shown)


def test_a_second_run_finds_nothing_to_do(finished: tuple[Demo, str]) -> None:
    demo, _ = finished
    before = demo.results.read_bytes(), demo.dead_letters.read_bytes()
    shown = demo.run()
    assert (demo.results.read_bytes(), demo.dead_letters.read_bytes()) == before
    assert "no new events" in shown


@pytest.mark.parametrize("killed_after", [1, 1200])
def test_after_kill_9_in_the_middle_nothing_is_lost_and_at_most_what_was_in_flight_comes_twice(tmp_path: Path, killed_after: int) -> None:
    demo = Demo(tmp_path)
    written = demo.kill_after(killed_after)
    assert written < len(EVERY), "the kill came too late to mean anything"
    demo.run()
    outcomes = demo.outcomes()
    assert dict(outcomes) == EXPECTED
    twice = sum(count - 1 for count in Counter(identifier for identifier, _ in outcomes).values())
    assert twice <= IN_FLIGHT


def test_the_numbers_of_the_example_s_readme_are_true() -> None:
    text = (EXAMPLE / "README.md").read_text() + (EXAMPLE / "data" / "README.md").read_text()
    answers = list(EXPECTED.values())
    outputs = [answer.output for answer in answers if isinstance(answer, Result)]
    dead = Counter(answer.error for answer in answers if isinstance(answer, Dead))
    alerts = [output for output in outputs if "impact" in output]
    properties = [event["properties"] for event in EVERY]
    for sentence in (
        f"{sum(output['severity'] == 'none' for output in outputs)} explosions and quarry blasts end here",
        f"{dead['Unlocated']} locations never converged",
        f"{sum(map(finds_the_gazetteer_busy, EVERY))} events find the gazetteer busy",
        f"{sum(output['severity'] == 'micro' for output in outputs):,} are too small to announce",
        f"{dead['NotReviewed']} were located automatically",
        f"for the {sum(output['severity'] == 'severe' for output in outputs)} of magnitude 5 and more",
        f"{sum(alert['impact']['intensity'] is None for alert in alerts)} have no station nearby",
        f"{sum(alert['notified']['paged'] == 'headquarters' for alert in alerts)} lie in seas nobody watches",
        f"{len(alerts)} alerts",
        f"{len(outputs):,} results and {sum(dead.values())} dead letters",
        f"{len(EVERY):,} [real events]",
        f"{sum(each['type'] != 'earthquake' for each in properties)} events are explosions and quarry blasts",
        f"{sum(each['rms'] is None for each in properties)} have no residual",
        f"{sum(each['dmin'] is None for each in properties)} have no nearby station",
        f"{sum(each['status'] == 'automatic' for each in properties)} were never looked at",
        f"{sum(each['mag'] < 0 for each in properties)} have a magnitude",
    ):
        assert sentence in " ".join(text.split()), sentence
