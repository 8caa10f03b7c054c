"""Texts as JavaScript's regular expressions see them, units of 16 bits, for an engine that sees characters: the halves of what is beyond
U+FFFF become characters of their own, of a private use. None of them is in such a text otherwise: it would have become two itself."""

from __future__ import annotations

import re
from typing import Any

HALVES = 0xF0000  # what stands for U+D800, and so on
_WIDE = re.compile("[\U00010000-\U0010ffff]")
_PAIR = re.compile(f"[{chr(HALVES)}-{chr(HALVES + 0x3FF)}][{chr(HALVES + 0x400)}-{chr(HALVES + 0x7FF)}]")
_HALF = re.compile(f"[{chr(HALVES)}-{chr(HALVES + 0x7FF)}]")


def half(unit: int) -> int:
    """What stands for one half, U+D800 to U+DFFF."""
    return unit - 0xD800 + HALVES


def units(text: str) -> str:
    if text.isascii():
        return text
    return _WIDE.sub(lambda found: "".join(chr(half(unit)) for unit in _halves(ord(found[0]))), text)


def _halves(character: int) -> tuple[int, int]:
    high, low = divmod(character - 0x10000, 0x400)
    return 0xD800 + high, 0xDC00 + low


def characters(value: Any) -> Any:
    """A text of units, or all texts in what was found in one, as it was. Half a character becomes half a surrogate pair."""
    if value.__class__ is str:
        return value if value.isascii() else _HALF.sub(lambda found: chr(ord(found[0]) - HALVES + 0xD800), _PAIR.sub(_whole, value))
    if value.__class__ is list:
        return [characters(item) for item in value]
    if value.__class__ is dict:
        return {name: characters(member) for name, member in value.items()}
    return value


def matches(text: str, found: Any) -> Any:
    """What $match has found in a text of units, as it would be found in the text itself. Where a match begins is counted in units of 16
    bits, of which each half has two in a text of units."""
    if found.__class__ is list:
        return [matches(text, each) for each in found]
    if found.__class__ is not dict or found.get("index").__class__ not in (int, float):
        return characters(found)  # of a function that is no regular expression
    at, units_before = 0, 0
    while units_before < found["index"]:
        units_before += 1 + (text[at] > "\uffff")
        at += 1
    return {**characters(found), "index": at}


def _whole(found: re.Match[str]) -> str:
    high, low = (ord(unit) - HALVES for unit in found[0])
    return chr(0x10000 + (high << 10) + low - 0x400)
