"""What /metrics says of a workflow's states in, what a picture shows of it out."""

from __future__ import annotations

from collections.abc import Mapping

from express.drawing.marks import Mark, Marks, Tone
from express.language.model import Workflow
from express.language.transitions import machines
from express.observers.scraped import StateFigures
from express.units import duration_text

MUCH = 0.05  # of the entries failed


def marks(workflow: Workflow, figures: Mapping[str, StateFigures], source: str) -> Marks:
    """``figures`` by the state's name. A state without any was not entered yet."""
    states: dict[str, Mark] = {}
    for machine in machines(workflow):
        for state in machine.states.values():
            own = figures.get(state.name)
            states[state.location] = Mark("absent", "not entered") if own is None or not own.entered else Mark(_tone(own), _note(own))
    legend: tuple[tuple[Tone, str], ...] = (
        ("good", "no failures"),
        ("fair", "failures"),
        ("bad", f"{MUCH:.0%} of the entries or more failed"),
        ("absent", "not entered"),
    )
    return Marks(states=states, legend=legend, title=f"Live metrics of {source}", column="Metrics")


def _tone(own: StateFigures) -> Tone:
    return "good" if not own.failures else "bad" if own.failures >= MUCH * own.entered else "fair"


def _note(own: StateFigures) -> str:
    parts = [f"{own.entered:,}x"]
    if own.p99 is not None:
        parts.append(f"p99 {duration_text(own.p99)}")
    if own.failures:
        parts.append(f"{own.failures:,} failed")
    return ", ".join(parts)
