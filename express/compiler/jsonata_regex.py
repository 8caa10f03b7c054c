"""Regular expressions of JavaScript in, those of Rust out, which the library runs: where the same signs mean something else."""

from __future__ import annotations

import re

_BLANKS = r"\t\n\x0b\x0c\r \xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}"
_WORD = "0-9A-Za-z_"
# JavaScript's classes know ASCII, blanks apart
_CLASSES = {"d": "[0-9]", "D": "[^0-9]", "w": f"[{_WORD}]", "W": f"[^{_WORD}]", "s": f"[{_BLANKS}]", "S": f"[^{_BLANKS}]"}
_OUTSIDE = {**_CLASSES, "b": r"(?-u:\b)"}
_SIGNS = re.compile(r"\\.|\[\^?|\]|&&|~~|\{,|.", re.DOTALL)


def of_rust(pattern: str) -> str:
    """Classes in brackets may stand in brackets there; what JavaScript takes literally has a backslash."""
    parts, inside = [], False
    for found in _SIGNS.findall(pattern):
        if found[0] == "\\":
            found = (_CLASSES if inside else _OUTSIDE).get(found[1:], found)
        elif found[0] == "[":
            found = "".join(f"\\{sign}" if sign == "[" else sign for sign in found) if inside else found
            inside = True
        elif found == "]":
            inside = False
        elif inside and found in ("&&", "~~"):
            found = "".join(f"\\{sign}" for sign in found)
        elif not inside and found == "{,":
            found = "\\{,"
        parts.append(found)
    return "".join(parts)
