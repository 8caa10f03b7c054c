"""All variables of an execution together, where a definition lets them grow over 10 MiB: what each scope holds, and what is too much.

Generated code calls this only in workflows that could get there (``express.compiler.variables.most_stored``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from express.runtime.access import OutputTooLarge
from express.runtime.limits import VARIABLES
from express.runtime.values import size


class Stored:
    """The variables of one scope: the workflow, a branch, an iteration. ``total`` counts the bytes of those inside it, too."""

    __slots__ = ("around", "root", "sizes", "total")

    def __init__(self, around: Stored | None) -> None:
        self.around = around
        self.root: Stored = self if around is None else around.root
        self.sizes: dict[str, int] = {}
        self.total = 0

    def grow(self, added: int) -> None:
        scope: Stored | None = self
        while scope is not None:
            scope.total += added
            scope = scope.around


def storage(around: Stored | None) -> Stored:
    """A scope begins; ``around`` is None for the workflow's own."""
    return Stored(around)


def weigh(stored: Stored, state: str, names: Sequence[str], values: Sequence[Any]) -> list[int]:
    """The sizes of the new values of variables. StateError ``States.DataLimitExceeded`` if all variables together would be too large."""
    emptied(stored)
    sizes = [size(value) for value in values]
    grown = sum(sizes) - sum(stored.sizes.get(name, 0) for name in names)
    if stored.root.total + grown > VARIABLES:
        raise OutputTooLarge(
            "States.DataLimitExceeded",
            f"The state/task '{state}' assigned variables with which all variables of the execution exceed the maximum number of bytes"
            " service limit.",
        )
    return sizes


def keep(stored: Stored, names: Sequence[str], sizes: Sequence[int]) -> None:
    """The variables have their new values."""
    for name, bytes_ in zip(names, sizes, strict=True):
        stored.grow(bytes_ - stored.sizes.get(name, 0))
        stored.sizes[name] = bytes_


def emptied(stored: Stored) -> None:
    """Whatever ran inside is over, also what failed or was given up on the way: a machine is in one state at a time."""
    stored.grow(sum(stored.sizes.values()) - stored.total)


def release(stored: Stored) -> None:
    """A branch or an iteration has ended, and its variables with it."""
    if stored.around is not None:
        stored.around.grow(-stored.total)
