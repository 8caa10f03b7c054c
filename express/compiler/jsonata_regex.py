"""Regular expressions of JavaScript in, those of Rust out, which the library runs: what is said with other signs there.

JavaScript sees a text as units of 16 bits; ``express.runtime.jsonata_units`` says what becomes of the halves of wide characters, here as in
the text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

from express.language.regular_expressions import Assertion, Character, Characters, Class, Group, Looks, Sign, parts
from express.runtime.jsonata_units import half

_BLANKS = (
    ("\t", "\r"), (" ", " "), ("\xa0", "\xa0"), ("\u1680", "\u1680"), ("\u2000", "\u200a"), ("\u2028", "\u2029"), ("\u202f", "\u202f"),
    ("\u205f", "\u205f"), ("\u3000", "\u3000"), ("\ufeff", "\ufeff"),
)  # fmt: skip
# JavaScript's classes know ASCII, blanks apart
_NAMED = {"d": (("0", "9"),), "w": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")), "s": _BLANKS}
_LINE_ENDS = (("\n", "\n"), ("\r", "\r"), ("\u2028", "\u2029"))
_NOTHING, _ANYTHING = r"[^\s\S]", r"[\s\S]"
_ASSERTIONS = {"^": "^", "$": "$", "b": r"(?-u:\b)", "B": r"\B"}


def of_rust(pattern: str, flags: str) -> tuple[str, str]:
    """Pattern and flags. Raises SyntaxProblem."""
    anyhow, written = "i" in flags, list[str]()
    for part in parts(pattern, 0):
        match part:
            case Character(value):
                like = _like(value) if anyhow else (value,)
                written.append(_sign(value) if len(like) == 1 else f"[{''.join(map(_sign, like))}]")
            case Characters("."):
                written.append(f"[^{_ranges(_LINE_ENDS)}]")
            case Characters(name):
                written.append(_named(name))
            case Class():
                written.append(_class(part, anyhow))
            case Assertion(name):
                written.append(_ASSERTIONS[name])
            case Group(text):
                written.append("(?:" if text == "(?:" else "(")  # nobody asks for groups by name
            case Sign(text) | Looks(text):
                written.append(text)
    if "m" in flags:  # a line may end with \r, too
        return f"(?R){''.join(written)}", "m"
    return "".join(written), ""


@lru_cache(256)
def _class(part: Class, anyhow: bool) -> str:
    if not part.ranges and not part.names:
        return _ANYTHING if part.negated else _NOTHING
    ranges = [*part.ranges, *_others(part.ranges)] if anyhow else part.ranges
    return f"[{'^' if part.negated else ''}{_ranges(ranges)}{''.join(map(_named, part.names))}]"


def _named(name: str) -> str:
    return f"[{'^' if name.isupper() else ''}{_ranges(_NAMED[name.lower()])}]"


def _ranges(ranges: Iterable[tuple[str, str]]) -> str:
    return "".join(_sign(first) if first == last else f"{_sign(first)}-{_sign(last)}" for first, last in _split(ranges))


def _split(ranges: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Halves of characters stand elsewhere."""
    for first, last in ranges:
        for low, high in (("\x00", "\ud7ff"), ("\ud800", "\udfff"), ("\ue000", "\uffff")):
            if first <= high and last >= low:
                yield max(first, low), min(last, high)


def _sign(unit: str) -> str:
    if unit.isascii() and unit.isalnum():
        return unit
    code = ord(unit)
    return rf"\x{{{half(code) if 0xD800 <= code <= 0xDFFF else code:x}}}"


# --- Upper and lower case ---------------------------------------------------------------------------------------------------------


def _canonical(unit: str) -> str:
    """What JavaScript compares without regard to case."""
    upper = unit.upper()
    return unit if len(upper) != 1 or (ord(unit) >= 128 and ord(upper) < 128) or ord(upper) > 0xFFFF else upper


@cache
def _cased() -> dict[str, tuple[str, ...]]:
    """Each unit that has others like it, with all of them."""
    together: dict[str, list[str]] = {}
    for code in (*range(0xD800), *range(0xE000, 0x10000)):
        together.setdefault(_canonical(chr(code)), []).append(chr(code))
    return {unit: tuple(group) for group in together.values() if len(group) > 1 for unit in group}


def _like(unit: str) -> tuple[str, ...]:
    return _cased().get(unit, (unit,))


def _others(ranges: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """What is like something in the ranges."""
    merged: list[tuple[str, str]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    starts = [first for first, _ in merged]
    for unit, group in _cased().items():
        at = bisect_right(starts, unit) - 1
        if at >= 0 and unit <= merged[at][1]:
            yield from ((other, other) for other in group if other != unit)
