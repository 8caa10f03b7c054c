"""A misspelt name in, ``" (did you mean 'Charge'?)"`` out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_CANDIDATES = 100  # for the thorough look; comparing each with each of 10,000 names would take minutes
_LONGEST = 100
_REGION = 3  # characters within which the two differ


def nearest(name: str, known: Iterable[str], thorough: bool = True) -> str | None:
    """The known name that ``name`` was probably meant to be: other capitals, a slip at one place, or (``thorough``) at several."""
    if not name or len(name) > _LONGEST:
        return None
    lower = name.lower()
    reach = max(_REGION, len(name) // 4)
    near = [other for other in known if abs(len(other) - len(name)) <= reach and other != name]
    best: tuple[int, str] | None = None
    for other in near:
        distance = _region(lower, other.lower())
        if distance <= min(_REGION, len(name) // 2) and (best is None or distance < best[0]):
            best = (distance, other)
    if best is not None:
        return best[1]
    if not thorough or len(name) > _LONGEST // 2:
        return None
    found = difflib.get_close_matches(name, [other for other in near if other[:1].lower() == lower[:1]][:_CANDIDATES], n=1, cutoff=0.75)
    return found[0] if found else None


def did_you_mean(name: str, known: Iterable[str], prefix: str = "", thorough: bool = True) -> str:
    """For the end of a sentence; empty if nothing is near."""
    found = nearest(name, known, thorough)
    return f" (did you mean {prefix + found!r}?)" if found is not None else ""


def _region(one: str, other: str) -> int:
    """How many characters lie between the first and the last place where two texts differ."""
    start, shorter = 0, min(len(one), len(other))
    while start < shorter and one[start] == other[start]:
        start += 1
    end = 0
    while end < shorter - start and one[-1 - end] == other[-1 - end]:
        end += 1
    return max(len(one), len(other)) - start - end
