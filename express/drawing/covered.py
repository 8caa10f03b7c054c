"""The coverage that ``express test`` has written in, what a picture shows of it out."""

from __future__ import annotations

from express.drawing.marks import Mark, Marks
from express.testcases.coverage import Coverage


def marks(coverage: Coverage) -> Marks:
    """Reached states and transitions are good, the others bad."""
    states = {
        location: Mark("good", _times("entered", count)) if count else Mark("bad", "never entered")
        for location, count in coverage.states.items()
    }
    counts: dict[tuple[str, str, bool], int] = {}
    for taken in coverage.transitions:
        key = (taken.source, taken.target, taken.kind == "catch")
        counts[key] = counts.get(key, 0) + taken.count
    arrows = {key: Mark("good", _times("taken", count)) if count else Mark("bad", "never taken") for key, count in counts.items()}
    return Marks(
        states=states,
        arrows=arrows,
        legend=(("good", "reached by tests"), ("bad", "never reached")),
        title=f"Coverage by tests: {int(coverage.percent * 10) / 10:g} % of {coverage.total} states and transitions",
        column="Entered",
    )


def _times(what: str, count: int) -> str:
    return f"{what} {'once' if count == 1 else f'{count:,} times'}"
