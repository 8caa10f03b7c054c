"""RFC 3339 timestamps as the States Language wants them: text in, an exact instant or seconds out, and back."""

from __future__ import annotations

import re
import time
from datetime import date
from math import floor
from typing import TypeAlias

# Seconds since the epoch, and the digits after the point without trailing zeros: both compare as the instants do, at any precision
Instant: TypeAlias = tuple[int, str]

# An uppercase T, an uppercase Z or a numeric offset: the States Language's restrictions of RFC 3339
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))",
)
_LONGEST = 64  # no honest timestamp has more characters
_EPOCH = date(1970, 1, 1).toordinal()


def parse(text: str) -> Instant | None:
    """The instant that ``text`` names; None if it is no timestamp (wrong form, no such day, no such hour)."""
    match = _TIMESTAMP.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = match.groups()
    if hour > "23" or minute > "59" or second > "59":
        return None
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH
    except ValueError:
        return None
    seconds = days * 86_400 + int(hour) * 3_600 + int(minute) * 60 + int(second)
    if sign is not None:
        if offset_hours > "23" or offset_minutes > "59":
            return None
        offset = int(offset_hours) * 3_600 + int(offset_minutes) * 60
        seconds += offset if sign == "-" else -offset
    return seconds, (fraction or "").rstrip("0")


def seconds(text: str) -> float | None:
    """Seconds since the epoch of the instant that ``text`` names; None if it is no timestamp."""
    instant = parse(text)
    if instant is None:
        return None
    whole, fraction = instant
    return whole + float(f"0.{fraction}") if fraction else float(whole)


def text(seconds: float) -> str:
    """Seconds since the epoch as AWS writes them in the Context Object: UTC, milliseconds, ``Z``."""
    whole, milliseconds = divmod(floor(seconds * 1_000 + 0.5), 1_000)
    year, month, day, hour, minute, second = time.gmtime(whole)[:6]
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{milliseconds:03d}Z"
