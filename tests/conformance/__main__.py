"""``python -m tests.conformance [--failures] [--strict] [suite ...]``: the score by group, and what went wrong."""

from __future__ import annotations

import argparse
import sys

from tests.conformance import data, score


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description="Scores Express against recorded answers of AWS.")
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"which: {', '.join(score.SUITES)} (default: all)")
    parser.add_argument("--failures", action="store_true", help="show what each failed case wanted and got")
    parser.add_argument("--strict", action="store_true", help="with --failures: cases of which only the cause's text is wrong, too")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    arguments = parser.parse_args()
    if unknown := set(arguments.suites) - set(score.SUITES):
        parser.error(f"no such suite: {', '.join(sorted(unknown))}")
    if not data.present():
        print(data.ABSENT, file=sys.stderr)
        return 1
    scores = [each for name in arguments.suites or score.SUITES for each in score.SUITES[name]() if arguments.only in each.case]
    if arguments.failures:
        for each in scores:
            if each.not_yet is None and not (each.strict if arguments.strict else each.ok):
                print(f"{each.suite}: {each.case}\n  wanted {each.wanted}\n  got    {each.got}")
    print(f"{'':44} {'cases':>6} {'ok':>6} {'strict':>6} {'not yet':>8}")
    totals: dict[str, list[int]] = {}
    for (suite, group), counts in sorted(score.by_group(scores).items()):
        row = [counts["cases"], counts["ok"], counts["strict"], counts["not yet"]]
        print(f"{suite + ' / ' + group:44} {row[0]:6} {row[1]:6} {row[2]:6} {row[3]:8}")
        totals[suite] = [one + other for one, other in zip(totals.get(suite, [0] * 4), row, strict=True)]
    print()
    for suite, row in totals.items():
        print(f"{suite:44} {row[0]:6} {row[1]:6} {row[2]:6} {row[3]:8}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
