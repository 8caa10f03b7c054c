"""Names from a definition in, safe Python identifiers out: an ASCII slug, and a number where two would be the same."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

LONGEST = 40  # characters of a slug: lines stay readable, whatever a definition calls its states

_OTHER = re.compile(r"[^a-z0-9]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def slug(name: str) -> str:
    """``CheckStock 2`` to ``check_stock_2``; never empty, never a digit first, no double underscore, nothing but ``a-z0-9_``."""
    text = _OTHER.sub("_", _HUMP.sub("_", name).lower()).strip("_")[:LONGEST].strip("_")
    if not text:
        return "state"
    return f"state_{text}" if text[0].isdigit() else text


class Names:
    """Hands out the names of a module, each once. ``taken`` are names that code uses for something else."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {*taken, *keyword.kwlist, *keyword.softkwlist}
        self._local: set[str] = set()
        self._tried: dict[str, int] = {}

    def new(self, text: str, suffix: str = "") -> str:
        """An identifier that looks like ``text``: its slug, then ``suffix``, then a number if that is taken."""
        wanted = f"{slug(text)}{suffix}"
        found, number = wanted, self._tried.get(wanted, 1)
        while found in self._taken or found in self._local:
            number += 1
            found = f"{wanted}_{number}"
        self._tried[wanted] = number
        self._taken.add(found)
        return found

    def function(self) -> Locals:
        """Names for the locals of one function."""
        return Locals(self._taken, self._local)


class Locals:
    """The locals of one function: none is also a name of the module, two functions may use the same."""

    def __init__(self, taken: set[str], seen: set[str]) -> None:
        self._module, self._seen, self._own = taken, seen, set[str]()

    def new(self, text: str, suffix: str = "") -> str:
        wanted = f"{slug(text)}{suffix}"
        found, number = wanted, 1
        while found in self._module or found in self._own:
            number += 1
            found = f"{wanted}_{number}"
        self._own.add(found)
        self._seen.add(found)
        return found
