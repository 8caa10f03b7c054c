"""How wide a text is in the pictures' font, without a font: the widths of Helvetica, to which Arial and Liberation Sans are cut."""

from __future__ import annotations

import unicodedata

from express.printable import printable

_WIDTHS = {  # thousandths of the size
    222: "ijl'", 278: "ft !,./:;[]\\I|", 333: "r()-`", 355: '"', 389: "*", 469: "^", 500: "ckvxyzJs", 334: "{}",
    584: "+<=>~", 556: "abdeghnopqu0123456789$_?#L", 611: "FTZ", 667: "ABEKPSVXY&", 722: "wCDHNRU", 778: "GOQ", 833: "mM", 889: "%",
    944: "W", 1015: "@",
}  # fmt: skip
_WIDTH = {character: width for width, characters in _WIDTHS.items() for character in characters}
_BOLD = 1.07
_MONOSPACED = 0.602


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Pixels, a little on the wide side."""
    thousandths = sum(_WIDTH.get(character) or _other(character) for character in text)
    return thousandths / 1000 * size * (_BOLD if bold else 1.0)


def _other(character: str) -> int:
    if unicodedata.east_asian_width(character) in "WF":
        return 1000
    return 0 if unicodedata.combining(character) else 650


def cut(text: str, size: float, most: float, *, bold: bool = False) -> str:
    """A text that fits, with an ellipsis where something is missing."""
    if width(text, size, bold=bold) <= most:
        return text
    kept = text
    while kept and width(kept + "…", size, bold=bold) > most:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def plain(text: str) -> str:
    """On one line, and as ``printable`` shows it."""
    return printable(text.replace("\n", " ").replace("\t", " "))
