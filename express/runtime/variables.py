"""What a variable is before anything was assigned to it: what JSONata has for nothing."""

from __future__ import annotations

from typing import Any, Final

from express.runtime.jsonata import UNDEFINED

UNSET: Final = UNDEFINED


def those_set(values: dict[str, Any]) -> dict[str, Any]:
    """Without the members that are unset."""
    return {name: value for name, value in values.items() if value is not UNSET}


def assigned(value: Any) -> Any:
    """The value of a variable that may be unset; KeyError if it is, which the failed line's paths explain."""
    if value is UNSET:
        raise KeyError
    return value
