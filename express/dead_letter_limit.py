"""How executions ended in, a sentence out when too many of them fail: a bad deployment must not empty a topic into its dead letters."""

from __future__ import annotations

from collections import deque

import msgspec


class DeadLetterLimit(msgspec.Struct, frozen=True, kw_only=True):
    """``consecutive``: so many dead letters without a success between them are one too many. ``ratio``: the largest share (0 to 1) of dead
    letters among the last ``window`` executions, judged once that many have ended. None is no limit."""

    consecutive: int | None = None
    ratio: float | None = None
    window: int = 1_000


class Watch:
    """Looks at every end, in the order in which executions end."""

    def __init__(self, limit: DeadLetterLimit) -> None:
        self._limit = limit
        self._consecutive = 0
        # The last ends as runs of one kind: whether dead letters, and how many
        self._runs: deque[list[int]] = deque()
        self._ended = self._dead = 0

    def succeeded(self, count: int) -> None:
        if count:
            self._consecutive = 0
            self._note(False, count)

    def failed(self, count: int = 1) -> str | None:
        """So many more dead letters; what to say when that is too many."""
        self._consecutive += count
        self._note(True, count)
        limit = self._limit
        if limit.consecutive is not None and self._consecutive >= limit.consecutive:
            return f"{self._consecutive:,} executions in a row have failed, the limit is {limit.consecutive:,}"
        if limit.ratio is not None and self._ended >= limit.window and self._dead > limit.ratio * self._ended:
            return f"{self._dead:,} of the last {self._ended:,} executions have failed, the limit is {limit.ratio:.0%}"
        return None

    def _note(self, dead: bool, count: int) -> None:
        if self._limit.ratio is None:
            return
        if self._runs and self._runs[-1][0] == dead:
            self._runs[-1][1] += count
        else:
            self._runs.append([dead, count])
        self._ended += count
        self._dead += dead * count
        while (over := self._ended - self._limit.window) > 0:
            run = self._runs[0]
            gone = min(over, run[1])
            run[1] -= gone
            self._ended -= gone
            self._dead -= run[0] * gone
            if not run[1]:
                self._runs.popleft()
