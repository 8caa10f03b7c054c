"""Coverage or live metrics in, for each state and transition what a picture says about it and in which colour out."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Tone: TypeAlias = Literal["plain", "good", "fair", "bad", "absent"]


class Mark(msgspec.Struct, frozen=True):
    """``tone`` is a colour, ``note`` a line of words: the colour never says anything that the words do not."""

    tone: Tone = "plain"
    note: str = ""


class Marks(msgspec.Struct, frozen=True):
    """``states`` by the state's JSON pointer; ``arrows`` by (JSON pointer of the source, target, whether it is a Catch).
    ``legend`` says what the tones mean, ``title`` where they come from,
    ``column`` what the notes are about."""

    states: dict[str, Mark] = {}
    arrows: dict[tuple[str, str, bool], Mark] = {}
    legend: tuple[tuple[Tone, str], ...] = ()
    title: str = ""
    column: str = ""


NONE = Marks()
