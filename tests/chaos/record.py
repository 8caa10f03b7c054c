"""The record of what the fault runs found: each run writes its own section of ``docs/chaos.md``, and leaves the others as they are."""

from __future__ import annotations

import os
import time
from pathlib import Path

RECORD = Path(__file__).parent.parent.parent / "docs" / "chaos.md"
INTRODUCTION = """# What the fault runs found

Written by the runs themselves, each its own section; what was not run as long as it is meant to be says so. All of it is `make chaos`.
Each alone:

```
python -m tests.chaos.cluster                             three brokers, four members, everything that goes wrong at once
python -m tests.chaos.storms storm drain dead-letter soak
python -m tests.simulation --seeds 50000                  in virtual time; --seed 417 for one, with its log
python -m tests.chaos.mutations                           planted bugs: mutations.md
```

EVENTS, RATE, MINUTES, SEED, IN_FLIGHT and ORDER make them shorter or other ones. A run starts its own brokers, members and proxy and leaves
nothing running; one that was broken off is simply started again. What is judged, by a ledger outside of the members from the topics and the
group's own commits: I1 every event has its result or dead letter, the right one; I2 no commit passed an event before that; I3 nor did a
map of finished work; I4 events of a key begin in their order, I5 never two of a key at once in a process (as results tell it: a dead letter
does not say when it began); I6 nothing came out that did not go in; duplicates, none of them of an event that a commit covered before the
fault: those that a killed process left within what it may have had in flight plus what was completed since the last commit, kill by kill;
those that a living one left by losing a partition within the same of a fault of the last minute; no partition without a terminal for 30 s,
of which the time is left out in which a broker was cut off, away or half-open.
"""


def write(title: str, text: str, path: Path = RECORD) -> None:
    """Puts a section in, or in the place of the one with its title. RECORD=no writes nothing."""
    if os.environ.get("RECORD") == "no":
        return
    content = path.read_text() if path.exists() else INTRODUCTION
    parts = content.split("\n## ")
    section = f"{title}\n\n{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC.\n\n{text.rstrip()}\n"
    kept = [part for part in parts[1:] if part.partition("\n")[0] != title]
    place = next((index for index, part in enumerate(parts[1:]) if part.partition("\n")[0] == title), len(kept))
    kept.insert(place, section)
    path.write_text("\n## ".join([parts[0], *(part.rstrip("\n") + "\n" for part in kept)]))
