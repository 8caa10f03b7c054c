"""The same event once, while a store remembers it: what says that two are the same, for how long, and where that is kept.

Completed results are recorded once while the store lives. Not claimed: exactly once.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from express.documents import Duration

SHORTEST_LEASE = 1.0


class Dedup(msgspec.Struct, frozen=True, kw_only=True):
    """``by``: ``key``, or a JSONPath (``$.order.id``) or JSONata (``{% $states.input.order.id %}``) on the event. ``window``: how long a
    completed one is remembered. ``store``: ``sqlite:PATH`` or ``redis://HOST:PORT/NAME``. ``lease``: how long one that is being run is
    nobody else's when its process has died."""

    by: str
    store: str
    window: Duration = 86_400.0
    lease: Duration = 30.0


def problems(dedup: Dedup) -> Iterator[tuple[str, str]]:
    """What is wrong with one, beside its expression and its store: the field and a sentence for each."""
    if dedup.window <= 0:
        yield "window", "expected more than 0s"
    if dedup.lease < SHORTEST_LEASE:
        yield "lease", "expected at least 1s"
