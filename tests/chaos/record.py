"""The record of what the fault runs found: each run writes its own section of ``docs/chaos.md``, and leaves the others as they are."""

from __future__ import annotations

import os
import time
from pathlib import Path

RECORD = Path(__file__).parent.parent.parent / "docs" / "chaos.md"
INTRODUCTION = """# What the fault runs found

Written by the runs themselves (`make chaos`; `tests/chaos/`), each its own section. What was not run as long as it is meant to be says so.
"""


def write(title: str, text: str, path: Path = RECORD) -> None:
    """Puts a section in, or in the place of the one with its title. RECORD=no writes nothing."""
    if os.environ.get("RECORD") == "no":
        return
    content = path.read_text() if path.exists() else INTRODUCTION
    parts = content.split("\n## ")
    section = f"{title}\n\n{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC. {text.rstrip()}\n"
    kept = [part for part in parts[1:] if part.partition("\n")[0] != title]
    place = next((index for index, part in enumerate(parts[1:]) if part.partition("\n")[0] == title), len(kept))
    kept.insert(place, section)
    path.write_text("\n## ".join([parts[0], *(part.rstrip("\n") + "\n" for part in kept)]))
