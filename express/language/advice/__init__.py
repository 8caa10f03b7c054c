"""Advice about a checked Workflow: the mistakes that production suffers from. One file per piece, one function each, listed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from express.errors import Problem
from express.language.advice import catches, compensation, growth, retries, timeouts
from express.language.advice.functions import Functions
from express.language.advice.places import Place, places
from express.language.model import Workflow

_OF_STATES: tuple[Callable[[Place, Functions], Iterator[Problem]], ...] = (
    timeouts.without_timeout,
    timeouts.judged_too_late,
    retries.without_retry,
    retries.not_idempotent,
    catches.drops,
    growth.grows,
)


def advise(workflow: Workflow, functions: Mapping[str, Any]) -> list[Problem]:
    """ADVICE in the order of the definition. ``functions`` are those that its Tasks call, by name."""
    known = Functions(functions)
    found: list[Problem] = []
    for place in places(workflow):
        for piece in _OF_STATES:
            found += piece(place, known)
        if place.first:
            found += compensation.incomplete(place.machine)
    return found
