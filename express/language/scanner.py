"""A text and a place in it: what the parsers of paths, filters and intrinsic functions read from."""

from __future__ import annotations

import re

WHITESPACE = " \t\r\n"
_STRINGS = {quote: re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL) for quote in "'\""}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class SyntaxProblem(ValueError):  # noqa: N818 - it becomes a Problem
    """An expression that does not parse: one sentence that says what was found and what was expected, and the place (from 0)."""

    def __init__(self, message: str, position: int) -> None:
        self.position = position
        super().__init__(message)


class Scanner:
    """Reads ``text`` from left to right. ``peek`` is '' at the end."""

    __slots__ = ("position", "text")

    def __init__(self, text: str, position: int = 0) -> None:
        self.text, self.position = text, position

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def at(self, expected: str) -> bool:
        return self.text.startswith(expected, self.position)

    def take(self, expected: str) -> bool:
        """Goes past ``expected`` if it comes next."""
        if self.text.startswith(expected, self.position):
            self.position += len(expected)
            return True
        return False

    def expect(self, expected: str, where: str) -> None:
        if not self.take(expected):
            raise self.problem(f"expected '{expected}' {where}")

    def space(self) -> None:
        text, position = self.text, self.position
        while position < len(text) and text[position] in WHITESPACE:
            position += 1
        self.position = position

    def quoted(self) -> str:
        """A quoted text, in either quote, with the escapes of JSON and ``\\'``. The scanner stands at the quote."""
        found = _STRINGS[self.peek()].match(self.text, self.position)
        if not found:
            raise SyntaxProblem(f"the quote at character {self.position + 1} is never closed", self.position)
        self.position = found.end()
        return unescape(found[1], _CONTROL)

    def found(self) -> str:
        """What comes next, for messages."""
        here = self.peek()
        return f"found {here!r} at character {self.position + 1}" if here else "but the text ends"

    def problem(self, expected: str) -> SyntaxProblem:
        return SyntaxProblem(f"{expected}, {self.found()}", self.position)


def unescape(text: str, names: dict[str, str] | None = None) -> str:
    """Without backslashes: ``\\uXXXX`` is that character (surrogates in pairs), ``\\x`` is ``x`` unless ``names`` says something else."""
    if "\\" not in text:
        return text

    def character(found: re.Match[str]) -> str:
        code, other = found.groups()
        if code:
            return chr(int(code, 16))
        return (names or {}).get(other, other)

    return _ESCAPE.sub(character, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
