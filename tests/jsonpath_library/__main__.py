"""``python -m tests.jsonpath_library [PAIRS] [SEED]``: random paths here and in AWS's library; prints every difference."""

from __future__ import annotations

import sys

from tests.jsonpath_library.comparing import differences
from tests.jsonpath_library.random_paths import Pairs


def main() -> int:
    count, seed = (int(sys.argv[place]) if len(sys.argv) > place else default for place, default in ((1, 100_000), (2, 0)))
    pairs = Pairs(seed)
    found = list(differences([pairs.pair() for _ in range(count)]))
    for line in found:
        print(line)
    print(f"{count} pairs, {len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
