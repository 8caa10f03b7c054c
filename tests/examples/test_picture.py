"""The picture of the example is that of its definition."""

from __future__ import annotations

from pathlib import Path

from express.drawing import drawing

EXAMPLE = Path(__file__).parents[2] / "examples" / "earthquakes"


def test_the_picture_of_the_example_is_up_to_date() -> None:
    """Made by ``express graph examples/earthquakes/alerts.asl.json -o examples/earthquakes/alerts.svg``."""
    assert (EXAMPLE / "alerts.svg").read_text() == drawing.draw(EXAMPLE / "alerts.asl.json", "svg")
