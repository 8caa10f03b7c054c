"""Durations and sizes as people write them: ``200ms``, ``5m``, ``64MiB`` in, seconds and bytes out."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "kB": 1000, "MB": 1000**2, "GB": 1000**3}
_QUANTITY = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s?([A-Za-z]*)", re.ASCII)


def duration(text: str) -> float:
    """``200ms``, ``20s``, ``1.5s``, ``5m``, ``2h``, ``1d`` in seconds; ValueError with what was expected."""
    found = _QUANTITY.fullmatch(text.strip())
    if found is None or found[2] not in _SECONDS:
        raise ValueError(f"expected a duration such as 200ms, 20s or 5m, found {text!r}")
    return round(float(found[1]) * _SECONDS[found[2]], 9)


def lease(text: str | None, default: float) -> float:
    """For how long a record is kept from others, in seconds; ValueError with what was expected."""
    if text is None:
        return default
    seconds = duration(text)
    if not 1 <= seconds <= 43_200:
        raise ValueError(f"expected 1s to 12h, found {text!r}")
    return seconds


def size(text: str) -> int:
    """``256KiB``, ``64MiB``, ``1GB``, ``4096`` in bytes; ValueError with what was expected."""
    found = _QUANTITY.fullmatch(text.strip())
    if found is None or found[2] not in _BYTES:
        raise ValueError(f"expected a size such as 256KiB or 64MiB, found {text!r}")
    return int(float(found[1]) * _BYTES[found[2]])


def duration_text(seconds: float) -> str:
    """Seconds as people read them: ``850 ns``, ``12.5 us``, ``3.2 ms``, ``20 s``, ``5 m``; three digits are enough."""
    for unit, factor, below in (("ns", 1e9, 1e-6), ("us", 1e6, 1e-3), ("ms", 1e3, 1.0), ("s", 1.0, 300.0)):
        if seconds < below:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds / 60:.3g} m"


def size_text(count: int) -> str:
    """Bytes as people read them: ``256 KiB``."""
    for unit in ("GiB", "MiB", "KiB"):
        if count >= _BYTES[unit]:
            return f"{count / _BYTES[unit]:.4g} {unit}"
    return f"{count} bytes"
