"""Pictures with Pillow. Each call has a process: decoding is work, and a picture that takes forever can be killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

import express


def opened(path: str) -> Image.Image:
    try:
        return Image.open(path).convert("RGB")
    except (UnidentifiedImageError, OSError):
        raise express.TaskError("Picture.Unreadable", path) from None


@express.function("resize", run="process")
def resize(event: dict[str, Any]) -> dict[str, Any]:
    """Written beside the original; the same picture again writes the same file again."""
    picture = opened(event["path"])
    picture.thumbnail((event["pixels"], event["pixels"]))
    picture.save(event["to"], "WEBP", quality=80)
    return {"path": event["to"], "width": picture.width, "height": picture.height, "bytes": Path(event["to"]).stat().st_size}


@express.function("colours", run="process")
def colours(event: dict[str, Any]) -> list[str]:
    """The most frequent colours, as in CSS."""
    small = opened(event["path"]).resize((64, 64)).quantize(event["count"])
    palette = small.getpalette() or []
    ranked = sorted(small.getcolors() or [], reverse=True)
    return ["#{:02x}{:02x}{:02x}".format(*palette[3 * index : 3 * index + 3]) for _, index in ranked]
