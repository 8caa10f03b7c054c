"""What a variable is before anything was assigned to it."""

from __future__ import annotations

from typing import Any


class Unset:
    """The class of ``UNSET``, which no JSON value is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset()


def those_set(values: dict[str, Any]) -> dict[str, Any]:
    """Without the members that are unset."""
    return {name: value for name, value in values.items() if value is not UNSET}


def assigned(value: Any) -> Any:
    """The value of a variable that may be unset; KeyError if it is, which the failed line's paths explain."""
    if value is UNSET:
        raise KeyError
    return value
