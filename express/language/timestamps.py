"""Is a text a timestamp of the States Language: RFC 3339, uppercase T, uppercase Z or a numeric offset, a day that exists."""

from __future__ import annotations

import re
from datetime import date

_FORM = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_LONGEST = 64


def valid(text: str) -> bool:
    found = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return False
    try:
        date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return False
    return True
