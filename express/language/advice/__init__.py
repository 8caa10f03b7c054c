"""Advice about a checked Workflow: the mistakes that production suffers from. One file per piece, one function each, listed here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from express.errors import Problem
from express.language.advice import catches, compensation, growth, retries, timeouts
from express.language.advice.places import Place, places
from express.language.model import Workflow

_OF_STATES: tuple[Callable[[Place, Collection[str]], Iterator[Problem]], ...] = (
    timeouts.without_timeout,
    retries.without_retry,
    retries.not_idempotent,
    catches.drops,
    growth.grows,
)


def advise(workflow: Workflow, not_idempotent: Collection[str] = ()) -> list[Problem]:
    """ADVICE in the order of the definition. ``not_idempotent`` names functions that a second call would harm."""
    found: list[Problem] = []
    for place in places(workflow):
        for piece in _OF_STATES:
            found += piece(place, not_idempotent)
        if place.first:
            found += compensation.incomplete(place.machine)
    return found
