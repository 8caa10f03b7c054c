"""A pipeline that looks for duplicates, killed in the middle: what the store knew as done has no second result, and nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
from collections import Counter
from pathlib import Path

import orjson
import pytest

from express.addresses import parse
from express.dedup import Dedup
from express.dedup.opening import opened
from express.dlq.letters import Record
from express.queue import Outgoing, Queue
from tests.commandline import running

KILLS = 8 if os.environ.get("EXPRESS_CHAOS") else 1  # make chaos kills more often
IDS, IN_FLIGHT = 120 * KILLS, 30
WORKFLOW = {
    "StartAt": "Slow",
    "States": {
        "Slow": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:slow", "Next": "Good"},
        "Good": {"Type": "Choice", "Choices": [{"Variable": "$.bad", "BooleanEquals": True, "Next": "Bad"}], "Default": "Done"},
        "Bad": {"Type": "Fail", "Error": "Bad"},
        "Done": {"Type": "Succeed"},
    },
}
FUNCTIONS = (
    "import asyncio, express\n\n@express.function\nasync def slow(event, context):\n    await asyncio.sleep(0.02)\n    return event\n"
)
SETTINGS = Dedup(by="$.id", store="sqlite:dedup.db", lease=1.0)


def results(folder: Path) -> Counter[int]:
    """How many results each id has, of whole lines."""
    path = folder / "done.jsonl"
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return Counter(json.loads(line)["value"]["id"] for line in lines if line.endswith(b"\n"))


def known_as_done(folder: Path) -> set[bytes]:
    database = sqlite3.connect(folder / "dedup.db")
    try:
        return {key for (key,) in database.execute("SELECT key FROM claims WHERE owner IS NULL")}
    finally:
        database.close()


@pytest.mark.kills
@pytest.mark.parametrize("order", ["key"] if KILLS == 1 else ["unordered", "key"])
def test_after_kill_9_nothing_is_lost_and_what_was_known_as_done_has_no_other_result(tmp_path: Path, order: str) -> None:
    (tmp_path / "work.asl.json").write_bytes(orjson.dumps(WORKFLOW))
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    pipeline = {
        "source": "queue:orders.db?visibility=1s", "workflow": "work", "sink": "file:done.jsonl", "dead_letter": "queue:dead.db",
        "dedup": {"by": SETTINGS.by, "store": SETTINGS.store, "lease": "1s"}, "order": order, "in_flight": {"records": IN_FLIGHT},
        "commit_every": "50ms",
    }  # fmt: skip
    workflow = {"definition": "work.asl.json", "functions": ["functions.py"]}
    (tmp_path / "express.yaml").write_text(json.dumps({"workflows": {"work": workflow}, "pipelines": [pipeline]}))
    chooser = random.Random(3)
    events = [{"id": number, "bad": again == 1 and number % 10 == 0} for number in range(IDS) for again in range(3)]
    # The same business event comes again soon after, and long after
    events.sort(key=lambda event: event["id"] + chooser.choice([0, 4, 60]))
    key_of = opened(SETTINGS, parse(SETTINGS.store), None, "work", "work", 262_144).key_of
    keys = {number: key_of(Record(topic="", key=None, value=orjson.dumps({"id": number}), headers=[])) for number in range(IDS)}
    settled: dict[int, int] = {}  # ids that were known as done, and how many results they had then
    with Queue(tmp_path / "orders.db") as orders:
        orders.put([Outgoing(orjson.dumps(event), b"k%d" % (event["id"] % 9)) for event in events])
        for kill in range(KILLS + 1):
            with running("run", "-c", "express.yaml", cwd=tmp_path) as worker:
                if kill == KILLS:
                    worker.until(lambda: orders.waiting() + orders.held() == 0, "everything was done", 90)
                    worker.signal(signal.SIGTERM)
                    assert worker.wait() == 0, worker.stderr
                    break
                goal = len(results(tmp_path)) + 40
                worker.until(lambda goal=goal: len(results(tmp_path)) >= goal, "some were done", 60)  # type: ignore[misc]
                worker.signal(signal.SIGKILL)
                worker.wait()
            done, before = known_as_done(tmp_path), results(tmp_path)
            known = {number for number in range(IDS) if keys[number] in done}
            assert known, "the store knew of nothing"
            assert known <= before.keys(), "known as done and without a result"
            assert all(before[number] == count for number, count in settled.items()), "done, and done again"
            settled = {number: before[number] for number in known}
    found = results(tmp_path)
    assert found.keys() == set(range(IDS)), "lost"
    assert all(found[number] == count for number, count in settled.items()), "done, and done again"
    assert sum(found.values()) - IDS <= KILLS * IN_FLIGHT
