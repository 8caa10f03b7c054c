"""Text of a JSONata expression in, tokens out, as jsonata 2.0.6 cuts them."""

from __future__ import annotations

import math
import re

from express.language.regular_expressions import parts
from express.language.scanner import SyntaxProblem

BLANKS = " \t\n\r\v"
OPERATORS = frozenset(
    {".", "[", "]", "{", "}", "(", ")", ",", "@", "#", ";", ":", "?", "+", "-", "*", "/", "%", "|", "=", "<", ">", "^", "&", "!", "~"}
)
_TOKEN = re.compile(
    r"[ \t\n\r\v]*(?:"
    r"(?P<operator>\.\.|:=|!=|>=|<=|\*\*|~>|[.\[\]{}(),@#;:?+\-*%|=<>^&!~]|/(?!\*))"
    r"|(?P<comment>/\*)"
    r"|(?P<text>[\"'])"
    r"|(?P<number>(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[Ee][-+]?[0-9]+)?)"
    r"|(?P<name>`)"
    r"|(?P<word>[^ \t\n\r\v.\[\]{}(),@#;:?+\-*/%|=<>^&!~]+))"
)
_TEXTS = {quote: re.compile(rf"[^{quote}\\]*") for quote in "\"'"}
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_CONSTANTS = {"true": True, "false": False, "null": None}
WORDS = frozenset({"and", "or", "in"})
END = "(end)"


class Token:
    """``kind`` is operator, name, variable, text, number, value, regex or end; ``position`` counts from 0."""

    __slots__ = ("kind", "position", "value")

    def __init__(self, kind: str, value: object, position: int) -> None:
        self.kind, self.value, self.position = kind, value, position


class Tokens:
    """Hands out one token after the other. Whether ``/`` divides or begins a regular expression is known to who asks."""

    __slots__ = ("position", "text")

    def __init__(self, text: str) -> None:
        self.text, self.position = text, 0

    def next(self, divides: bool) -> Token:
        text = self.text
        while True:
            found = _TOKEN.match(text, self.position)
            if found is None:  # blanks until the end
                return Token("end", END, len(text))
            kind, position = found.lastgroup, found.start(found.lastgroup or 0)
            if kind != "comment":
                break
            end = text.find("*/", position + 2)
            if end < 0:
                raise SyntaxProblem("S0106: Comment has no closing tag", position)
            self.position = end + 2
        self.position = found.end()
        if kind == "operator":
            value = found["operator"]
            if value == "/" and not divides:
                return Token("regex", self._regex(), position)
            return Token("operator", value, position)
        if kind == "word":
            word = found["word"]
            if word[0] == "$":
                return Token("variable", word[1:], position)
            if word in WORDS:
                return Token("operator", word, position)
            if word in _CONSTANTS:
                return Token("value", _CONSTANTS[word], position)
            return Token("name", word, position)
        if kind == "number":
            return Token("number", _number(found["number"], position), position)
        if kind == "text":
            return Token("text", self._text(found["text"]), position)
        end = text.find("`", self.position)
        if end < 0:
            raise SyntaxProblem("S0105: Quoted property name must be terminated with a backquote (`)", position)
        name, self.position = text[self.position : end], end + 1
        return Token("name", name, position)

    def _text(self, quote: str) -> str:
        text, plain, parts = self.text, _TEXTS[quote], []
        while True:
            found = plain.match(text, self.position)
            assert found is not None  # it matches nothing, too
            parts.append(found[0])
            self.position = found.end()
            if self.position >= len(text):
                raise SyntaxProblem("S0101: String literal must be terminated by a matching quote", self.position)
            if text[self.position] == quote:
                self.position += 1
                break
            parts.append(self._escape())
        whole = "".join(parts)
        # Two escapes may be the halves of one character
        return whole if whole.isascii() else whole.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")

    def _escape(self) -> str:
        """What the escape at the scanner's place means; goes past it."""
        letter = self.text[self.position + 1 : self.position + 2]
        if letter == "u":
            digits = _HEX.match(self.text, self.position + 2)
            if digits is None:
                raise SyntaxProblem("S0104: The escape sequence \\u must be followed by 4 hex digits", self.position + 1)
            self.position += 6
            return chr(int(digits[0], 16))
        if letter not in _ESCAPES:
            raise SyntaxProblem(f"S0103: Unsupported escape sequence: \\{letter}", self.position + 1)
        self.position += 2
        return _ESCAPES[letter]

    def _regex(self) -> tuple[str, str]:
        """Pattern and flags; the scanner stands behind the first ``/``. A ``/`` in brackets or behind a backslash does not end it."""
        text, start, depth = self.text, self.position, 0
        position = start
        while position < len(text):
            character = text[position]
            if character == "/" and depth == 0 and not _escaped(text, position):
                if position == start:
                    raise SyntaxProblem("S0301: Empty regular expressions are not allowed", position)
                end = position + 1
                while end < len(text) and text[end] in "im":
                    end += 1
                if end - position - 1 > len(set(text[position + 1 : end])):
                    raise SyntaxProblem("S0302: A flag of a regular expression is there twice", position)
                self.position = end
                parts(text[start:position], start)
                return text[start:position], text[position + 1 : end]
            if text[position - 1] != "\\":
                depth += (character in "([{") - (character in ")]}")
            position += 1
        raise SyntaxProblem("S0302: No terminating / in regular expression", position)


def _escaped(text: str, position: int) -> bool:
    """Whether an odd number of backslashes stands before ``position``."""
    before = position
    while before and text[before - 1] == "\\":
        before -= 1
    return (position - before) % 2 == 1


def _number(text: str, position: int) -> int | float:
    value = float(text)
    if math.isinf(value):
        raise SyntaxProblem(f"S0102: Number out of range: {text}", position)
    return int(value) if value.is_integer() and abs(value) < 1e21 else value
