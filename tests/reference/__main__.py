"""``python -m tests.reference --count N --seed S``: compares Express with the reference interpreter on N random machines."""

from __future__ import annotations

import argparse
import logging
import re
import sys
import time

from tests.reference.differential import Tally, compare


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.reference", description="Random machines, run by Express and by the reference.")
    parser.add_argument("--count", type=int, default=1_000, help="machines, each with several inputs")
    parser.add_argument("--seed", type=int, default=0, help="the first of the consecutive seeds")
    parser.add_argument("--show", type=int, default=5, help="differences shown in full")
    parser.add_argument("--features", action="store_true", help="how often each feature was part of a compared pair")
    arguments = parser.parse_args()
    logging.getLogger("express").setLevel(logging.CRITICAL)  # defects of the engine are differences here
    tally = Tally()
    differences = 0
    kinds: dict[str, list[int]] = {}
    began = time.monotonic()
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        for difference in compare(seed, tally):
            differences += 1
            kinds.setdefault(difference.what, []).append(difference.seed)
            if differences <= arguments.show:
                print(re.sub(r"(.)\1{50,}", r"\1\1\1...", str(difference))[:3_000], file=sys.stderr)
    print(f"{tally.pairs} pairs ({tally.traces} with traces), {differences} differences, {time.monotonic() - began:.1f} s; not compared: "
          f"{dict(tally.skipped)}")  # fmt: skip
    for what, seeds in kinds.items():
        print(f"  {what}: {len(seeds)} (seeds {seeds[:10]})")
    print("endings:", ", ".join(f"{ending} {count}" for ending, count in tally.endings.most_common()))
    if arguments.features:
        for feature, count in sorted(tally.features.items()):
            print(f"{count:8} {feature}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
