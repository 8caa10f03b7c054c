"""Real workers over a source that leases, one of them killed over and over: nothing is lost, little comes twice. Judged from outside."""

from __future__ import annotations

import math
import os
import signal
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import orjson

from tests.commandline import running

WORKFLOW = {
    "StartAt": "Slow",
    "States": {
        "Slow": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:slow", "Next": "Good"},
        "Good": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 0, "Next": "Bad"}], "Default": "Done"},
        "Bad": {"Type": "Fail", "Error": "Negative"},
        "Done": {"Type": "Succeed"},
    },
}
FUNCTIONS = """
import asyncio, express

@express.function
async def slow(event, context):
    await asyncio.sleep(0.2 + (event["n"] % 5) * 0.02 + (3.5 if event["n"] == 7 else 0))
    return event
"""
KILLS = 3 if os.environ.get("EXPRESS_CHAOS") else 1  # make chaos kills more often
COUNT, IN_FLIGHT, VISIBILITY, COMMIT_EVERY = 500 * KILLS, 60, 1, 0.05


class Place(ABC):
    """Where the events and what became of them lie. ``folder`` is where the workers run."""

    visibility = VISIBILITY

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}
        (folder / "work.asl.json").write_bytes(orjson.dumps(WORKFLOW))
        (folder / "functions.py").write_text(FUNCTIONS)

    @abstractmethod
    def command(self) -> list[str]:
        """What `express run` gets beside the workflow: source, sink, dead letter."""

    @abstractmethod
    def send(self, values: Sequence[bytes]) -> None: ...

    @abstractmethod
    def held(self) -> int:
        """How many are given out and not acknowledged."""

    @abstractmethod
    def left(self) -> int:
        """How many are not acknowledged."""

    @abstractmethod
    def sent(self) -> int:
        """How many results there are."""

    @abstractmethod
    def ended(self) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
        """Results, dead letters: the execution's name and the value of each."""


def stalls(metrics: str, seconds: float) -> int:
    """How often the event loop stood still for longer, as its own metric has it."""
    name = "express_loop_stall_seconds_bucket"
    found = [line.split() for line in metrics.splitlines() if line.startswith(name)]
    counts = {float(bucket.partition('le="')[2].partition('"')[0]): int(count) for bucket, count in found}
    return counts[math.inf] - max(count for bound, count in counts.items() if bound <= seconds)


def survive(place: Place, kills: int = KILLS) -> None:
    """Two workers, of which one is killed (kill -9) and started again; the other takes over after the visibility timeout."""
    events = [b"oops %d" % n if n % 100 == 99 else b'{"n":%d}' % (-n if n % 100 == 50 else n) for n in range(COUNT)]
    arguments = [
        "run", "work.asl.json", "--functions", "functions.py", *place.command(),
        "--in-flight", str(IN_FLIGHT), "--commit-every", f"{int(COMMIT_EVERY * 1000)}ms",
    ]  # fmt: skip
    with running(*arguments, cwd=place.folder, environment=place.environment) as survivor:
        survivor.until(lambda: survivor.get("readyz")[0] == 200, "it was ready")
        for number in range(kills):
            goal = place.sent() + 80
            with running(*arguments, cwd=place.folder, environment=place.environment) as victim:
                victim.until(lambda victim=victim: victim.get("readyz")[0] == 200, "it was ready")  # type: ignore[misc]
                place.send(events[number::kills])
                victim.until(lambda goal=goal: place.sent() > goal and place.held() > IN_FLIGHT, "both were in the middle")  # type: ignore[misc]
                victim.signal(signal.SIGKILL)
                victim.wait()
        killed = time.monotonic()
        survivor.until(lambda: place.left() == 0, "everything was done", 60)
        assert time.monotonic() - killed < place.visibility + 30
        lost = survivor.metric('express_leases_lost_total{pipeline="work"}')
        late = stalls(survivor.get("metrics")[1], place.visibility / 3)
        survivor.signal(signal.SIGTERM)
        assert survivor.wait() == 0, survivor.stderr
        assert ("ran out" in survivor.stderr) == (lost > 0), "what is lost is counted, and said"
        if lost:  # the lease of the slow one is extended while it runs, unless somebody stood still: then that was measured, or said
            assert late or "extending leases: " in survivor.stderr, survivor.stderr
    results, letters = place.ended()
    assert {orjson.loads(value)["n"] for _, value in results} == {n for n in range(COUNT) if n % 100 not in (50, 99)}, "nothing is lost"
    poison = {b"oops %d" % n for n in range(99, COUNT, 100)}
    assert {value for _, value in letters} == poison | {b'{"n":%d}' % -n for n in range(50, COUNT, 100)}
    names = Counter(name for name, _ in (*results, *letters))
    assert len(names) == COUNT, "an execution is called the same however often it runs"
    repeated = names.total() - COUNT
    # In flight, and what was finished since the last acknowledgement
    assert repeated <= kills * (IN_FLIGHT + 2 * COMMIT_EVERY * IN_FLIGHT / 0.2), repeated
