"""The main example as its users run it: real processes over the real events, against what plain Python says must come out."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from consumers.checkpoints import SUFFIX
from express.commits import OffsetMap, decode
from tests.examples.oracle import EVENTS, Dead, Result, expected, finds_the_gazetteer_busy

PROJECT = Path(__file__).parents[2]
EXAMPLE = PROJECT / "examples" / "earthquakes"
LINES = EVENTS.read_bytes().splitlines()
EVERY = [json.loads(line) for line in LINES]
PLACES = [0, *accumulate(len(line) + 1 for line in LINES)][:-1]  # the offset of each event's first byte

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

    def killed_after(self, results: int) -> bool:
        """Runs until so many results are on the disk, then kill -9. False when it was done by then: a busy machine looks late."""
        with self.start() as process:
            while self.count() < results and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=20)
        return process.returncode == -signal.SIGKILL and self.count() < len(EVERY)

    def count(self) -> int:
        return sum(path.read_bytes().count(b"\n") for path in (self.results, self.dead_letters) if path.exists())

    def outcomes(self) -> list[tuple[str, Result | Dead]]:
        """What is in the two files, by event: (id, result or dead letter)."""
        found: list[tuple[str, Result | Dead]] = [(line["value"]["id"], Result(line["value"])) for line in whole_lines(self.results)]
        for line in whole_lines(self.dead_letters):
            assert line["value"] == EVERY[POSITIONS[line["value"]["id"]]], "a dead letter carries the original record"
            found.append((line["value"]["id"], Dead(line["express-error"], line["express-state"], line["express-cause"])))
        return found

    def committed(self) -> set[str]:
        """The events that the last commit says are finished, by id: what comes before its offset, and what its map names beyond."""
        path = self.results.with_name(self.results.name + SUFFIX)
        if not path.exists():
            return set()
        state = json.loads(path.read_bytes())
        known = decode(state["metadata"], state["offset"]) or OffsetMap(state["offset"] - 1, ())
        return {
            event["id"]
            for event, place in zip(EVERY, PLACES, strict=True)
            if place < state["offset"] or (place <= known.highest and place not in known.unfinished)
        }


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
def test_after_kill_9_in_the_middle_nothing_is_lost_and_nothing_that_was_committed_comes_twice(tmp_path: Path, killed_after: int) -> None:
    """What was in flight, and what was completed since the last commit, may come again; how much that is depends on the moment."""
    for attempt in range(10):
        (folder := tmp_path / str(attempt)).mkdir()
        demo = Demo(folder)
        if demo.killed_after(killed_after):
            break
    else:
        pytest.fail("each kill came too late to mean anything")
    committed, before = demo.committed(), {identifier for identifier, _ in demo.outcomes()}
    assert committed <= before, "nothing is committed that was not written"
    demo.run()
    outcomes = demo.outcomes()
    assert dict(outcomes) == EXPECTED
    counts = Counter(identifier for identifier, _ in outcomes)
    twice = {identifier for identifier, count in counts.items() if count > 1}
    assert max(counts.values()) <= 2
    assert twice <= before - committed


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
