"""Draws the pictures of the example, and the events that announce them: python draw.py FOLDER"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PIL import Image, ImageDraw


def draw(folder: Path) -> list[Path]:
    made = []
    for name, sky, hill in (("morning", "#ffd9a0", "#6b8f71"), ("noon", "#8ec5ff", "#3f7d3a"), ("night", "#101840", "#0b1f18")):
        picture = Image.new("RGB", (1280, 800), sky)
        ImageDraw.Draw(picture).ellipse((-200, 450, 1500, 1600), fill=hill)
        made.append(folder / f"{name}.png")
        picture.save(made[-1])
    made.append(folder / "notes.txt")
    made[-1].write_text("this is no picture")
    return made


if __name__ == "__main__":
    where = Path(sys.argv[1])
    (where / "events.jsonl").write_text("".join(json.dumps({"path": str(path)}) + "\n" for path in draw(where)))
