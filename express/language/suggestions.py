"""A misspelt name in, ``" (did you mean 'Charge'?)"`` out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_CANDIDATES = 200  # similar in length; comparing each with each of 10,000 names would take minutes
_LONGEST = 100


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` was probably meant to be."""
    if not name or len(name) > _LONGEST:
        return None
    reach = max(2, len(name) // 3)
    near = [other for other in known if abs(len(other) - len(name)) <= reach and other != name]
    lower = name.lower()
    for other in near:
        if other.lower() == lower:
            return other
    if len(near) > _CANDIDATES:
        near = [other for other in near if other[:1].lower() == lower[:1]][:_CANDIDATES]
    found = difflib.get_close_matches(name, near, n=1, cutoff=0.7)
    return found[0] if found else None


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    """For the end of a sentence; empty if nothing is near."""
    found = nearest(name, known)
    return f" (did you mean '{prefix}{found}'?)" if found is not None else ""
