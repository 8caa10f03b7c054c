"""2,000 seeds: whatever goes wrong, the promises hold; and a seed that breaks one breaks it again, line by line.

``EXPRESS_SEED=417`` runs that one alone, ``EXPRESS_SEEDS=50000`` more of them; ``python -m tests.simulation --seed 417`` prints its log.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from express.commits import OffsetMap, Position, Tracker, decode
from tests.simulation.ledger import Ledger, Violation
from tests.simulation.world import ACTS, FAULTS, Failure, digest, simulate

SEEDS = int(os.environ.get("EXPRESS_SEEDS", "2000"))
ONE = os.environ.get("EXPRESS_SEED")


@pytest.mark.parametrize("part", range(4) if ONE is None else [0])
def test_whatever_goes_wrong_nothing_is_lost_and_no_promise_is_broken(part: int) -> None:
    faults: Counter[str] = Counter()
    commits = maps = again = duplicates = 0
    around: Counter[str] = Counter()
    for seed in range(part, SEEDS, 4) if ONE is None else [int(ONE)]:
        world = simulate(seed)
        assert sum(world.faults.values()) >= FAULTS
        faults += world.faults
        commits, maps = commits + world.ledger.commits, maps + world.ledger.maps
        again += sum(world.ledger.ended.values()) - len(world.ledger.ended)
        duplicates += len(world.ledger.expected) - len(world.ledger.ended) - list(world.ledger.expected.values()).count("nothing")
        around.update(name for name in ("filter", "dedup", "batch", "retry") if getattr(world.pipe, name) is not None)
        around["little room"] += bool(world.map_bytes)
    if ONE is None:
        assert set(faults) == set(ACTS), "a kind of fault that never happened"
        assert min(around[name] for name in ("filter", "dedup", "batch", "retry", "little room")) > SEEDS / 40
        assert duplicates > SEEDS / 40, "hardly an event was a duplicate of another"
        assert commits > SEEDS
        assert maps > SEEDS / 10, "hardly a commit had a map"
        assert again > SEEDS / 10, "hardly an event was run again: the faults were too mild to tell anything"


def highest_seen(tracker: Tracker) -> Position | None:
    """What other engines did."""
    return Position(tracker._delivered + 1, "") if tracker._delivered >= 0 else None


def test_a_planted_bug_is_found_and_its_seed_replays_identically_ten_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tracker, "_measure", highest_seen)
    first = next(failure for failure in map(failure_of, range(50)) if failure is not None)
    assert f"python -m tests.simulation --seed {first.seed}" in str(first)
    assert "has not ended" in str(first)
    assert len(first.log) > 5
    for _ in range(10):
        again = failure_of(first.seed)
        assert again is not None
        assert (str(again), again.log) == (str(first), first.log)


def failure_of(seed: int) -> Failure | None:
    try:
        simulate(seed)
    except Failure as failure:
        return failure
    return None


def test_a_seed_without_a_failure_replays_identically_too() -> None:
    logs = {digest(simulate(7).ledger.log) for _ in range(3)}
    assert len(logs) == 1


def test_another_process_with_other_hashes_replays_identically() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seed", "11"]
    ran = subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "4711"}, capture_output=True, text=True, check=True)
    assert digest(simulate(11).ledger.log) in ran.stdout.splitlines()[-1]


# The ledger itself


def test_the_ledger_sees_what_it_is_there_for() -> None:
    def fresh() -> Ledger:
        ledger = Ledger()
        for offset in range(4):
            ledger.written(0, offset, "result")
        ledger.ended.update([(0, 0), (0, 2)])
        return ledger

    from express.commits import encode

    fresh().committing("m1", 0, Position(1, encode(1, OffsetMap(2, (1,)))[0]))
    with pytest.raises(Violation, match="I2: 0-1 is committed"):
        fresh().committing("m1", 0, Position(2, ""))
    with pytest.raises(Violation, match="I3: 0-3 is committed"):
        fresh().committing("m1", 0, Position(1, encode(1, OffsetMap(3, (1,)))[0]))
    with pytest.raises(Violation, match="cannot be read"):
        fresh().committing("m1", 0, Position(1, "nonsense"))
    assert decode("nonsense", 1) is None
