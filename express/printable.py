"""Text of a definition or a file in, text out that a terminal shows as it is: nothing in it moves the cursor or changes colours."""

from __future__ import annotations


def printable(text: str) -> str:
    """Control characters, lone surrogates and their like as Python writes them; everything else stays."""
    return text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
