"""``python -m tests.reference``: compares Express with the reference interpreter on random machines and inputs.

``--pairs 1000000`` from ``--seed`` on (Ctrl-C ends it early, with what was compared until then); ``--replay SEED`` runs one seed again,
shrinks what differs and prints it.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import re
import sys
import time
from collections import Counter

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tests.reference import campaign, machines
from tests.reference.differential import Tally, compare, compare_case
from tests.reference.shrinking import shown, smaller

SHOWN = 5
SHRUNK = 3


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.reference", description=__doc__)
    parser.add_argument("--pairs", type=int, default=10_000, help="comparisons: a machine and an input (default 10,000)")
    parser.add_argument("--seed", type=int, default=0, help="the first of the consecutive seeds")
    parser.add_argument("--inputs", type=int, default=20, help="inputs of each machine (default 20)")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--least", type=int, default=0, help="hits that every feature must have, or the exit code is 1")
    parser.add_argument("--replay", type=int, metavar="SEED", help="only this seed; what differs is shrunk and printed")
    arguments = parser.parse_args()
    if arguments.replay is not None:
        return replay(arguments.replay, arguments.inputs)
    return compare_many(arguments)


def compare_many(arguments: argparse.Namespace) -> int:
    console = Console(stderr=True)
    tally, seeds, kinds = Tally(), list[int](), Counter[str]()
    began = time.monotonic()
    done = TextColumn("{task.completed:,.0f} of {task.total:,.0f} pairs")
    columns = (done, BarColumn(), TimeRemainingColumn(), TextColumn("{task.fields[found]}"))
    with contextlib.suppress(KeyboardInterrupt), Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=arguments.pairs, found="no difference")
        for number, chunk in enumerate(campaign.run(arguments.seed, arguments.pairs, arguments.inputs, arguments.processes), 1):
            tally.add(chunk.tally)
            for seed, what, text in chunk.differences:
                kinds[what] += 1
                if seed not in seeds:
                    seeds.append(seed)
                    if len(seeds) <= SHOWN:
                        progress.console.print(_short(text), markup=False, highlight=False)
            progress.update(bar, completed=tally.pairs, found=f"{len(seeds)} seeds differ" if seeds else "no difference")
            if not console.is_terminal and number % 50 == 0:
                print(f"{tally.pairs:,} pairs, {len(seeds)} seeds differ, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    report(tally, time.monotonic() - began, kinds)
    if seeds:
        print(f"seeds that differ: {' '.join(map(str, sorted(seeds)))}")
    for seed in seeds[:SHRUNK]:
        replay(seed, arguments.inputs)
    missing = {name: tally.features[name] for name in campaign.known_features() if tally.features[name] < arguments.least}
    if missing:
        print(f"under {arguments.least:,} hits: {missing}")
    return 1 if seeds or missing else 0


def report(tally: Tally, seconds: float, kinds: Counter[str]) -> None:
    print("hits (pairs in which a state that has it was entered):")
    for feature, count in sorted(tally.features.items()):
        print(f"{count:10,}  {feature}")
    print("endings: " + ", ".join(f"{ending} {count:,}" for ending, count in tally.endings.most_common()))
    print("not compared: " + (", ".join(f"{why} {count:,}" for why, count in tally.skipped.most_common()) or "none"))
    differences = f"{kinds.total()} differences {dict(kinds) or ''}"
    print(f"{tally.pairs:,} pairs ({tally.traces:,} with traces) in {seconds:.0f} s: {differences}")


def replay(seed: int, inputs: int) -> int:
    """One seed again: what differs, and the smallest case of it."""
    logging.getLogger("express").setLevel(logging.CRITICAL)
    found = list(compare(seed, Tally(), inputs))
    print(f"--- seed {seed}: {len(found)} differences; again with: python -m tests.reference --replay {seed} --inputs {inputs}")
    if found:
        case = smaller(machines.case(seed, inputs), seed, found[0])
        print(shown(case))
        print(_short(str(next(iter(compare_case(case, seed, Tally())), ""))))
    return 1 if found else 0


def _short(text: str) -> str:
    return re.sub(r"(.)\1{50,}", r"\1\1\1...", text)[:3_000]


if __name__ == "__main__":
    sys.exit(main())
