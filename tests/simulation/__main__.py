"""``python -m tests.simulation --seeds 50000``: so many seeds, with progress; ``--seed 417``: that one, with its log."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.world import Failure, digest, simulate

PART = 250  # seeds


class Part:
    """What became of some seeds."""

    def __init__(self) -> None:
        self.seeds = self.events = self.commits = self.maps = self.again = 0
        self.virtual = 0.0
        self.faults: Counter[str] = Counter()
        self.failures: list[str] = []

    def add(self, other: Part) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def some(seeds: Sequence[int]) -> Part:
    part = Part()
    for seed in seeds:
        part.seeds += 1
        try:
            world = simulate(seed)
        except Failure as failure:
            part.failures.append(str(failure))
            continue
        part.events += world.sent
        part.commits += world.ledger.commits
        part.maps += world.ledger.maps
        part.again += sum(world.ledger.ended.values()) - len(world.ledger.ended)
        part.virtual += world.clock.time()
        part.faults += world.faults
    return part


def one(seed: int) -> int:
    try:
        world, failure = simulate(seed), None
        log = world.ledger.log
    except Failure as error:
        failure, log = error, error.log
    for line in log:
        print(*line)
    print(f"{len(log)} lines, digest {digest(log)}")
    if failure is not None:
        print(failure)
    return failure is not None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, help="only this one, with its log")
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args(arguments)
    if chosen.seed is not None:
        return one(chosen.seed)
    began, total = time.monotonic(), Part()
    parts = [
        range(first, min(first + PART, chosen.first + chosen.seeds)) for first in range(chosen.first, chosen.first + chosen.seeds, PART)
    ]
    with ProcessPoolExecutor(chosen.processes) as pool:
        for number, part in enumerate(pool.map(some, parts), 1):
            total.add(part)
            for failure in part.failures:
                print(failure, flush=True)
            if number % 20 == 0 or number == len(parts):
                print(
                    f"{total.seeds:,} of {chosen.seeds:,} seeds, {len(total.failures)} failures, {time.monotonic() - began:.0f} s",
                    flush=True,
                )
    print(
        f"{total.events:,} events, {sum(total.faults.values()):,} faults, {total.commits:,} commits ({total.maps:,} with a map), "
        f"{total.again:,} events ended more than once, {total.virtual:,.0f} virtual seconds"
    )
    print(*(f"{count:9,} {name.replace('_', ' ')}" for name, count in total.faults.most_common()), sep="\n")
    return 1 if total.failures else 0


if __name__ == "__main__":
    sys.exit(main())
