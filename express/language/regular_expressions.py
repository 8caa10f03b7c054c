"""A regular expression as JavaScript reads it (ECMA-262 with annex B, without flag ``u``): text in, parts out, or what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TypeAlias

import msgspec

from express.language.scanner import SyntaxProblem

MOST = 10_000  # characters
ESCAPED = {"f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_QUANTIFIER = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_HEX = {"x": re.compile(r"[0-9a-fA-F]{2}"), "u": re.compile(r"[0-9a-fA-F]{4}")}
_OCTAL = re.compile(r"[0-3][0-7]{0,2}|[4-7][0-7]?")
_GROUP = re.compile(r"\?(?::|=|!|<=|<!|<([A-Za-z_$][A-Za-z0-9_$]*)>)")
_NUMBER = re.compile("[0-9]{1,9}")
_REFERENCE = re.compile(r"k<[A-Za-z_$][A-Za-z0-9_$]*>")
_NAMED = re.compile(r"\(\?<([A-Za-z_$][A-Za-z0-9_$]*)>")


class Character(msgspec.Struct, frozen=True):
    """One unit of 16 bits, literally: a character, or half of one."""

    value: str


class Characters(msgspec.Struct, frozen=True):
    """``.`` or one of ``\\d \\D \\w \\W \\s \\S`` outside of brackets; ``name`` is the sign or the letter."""

    name: str


class Class(msgspec.Struct, frozen=True):
    """``[...]``: pairs of first and last character, and names of Characters."""

    negated: bool
    ranges: tuple[tuple[str, str], ...]
    names: tuple[str, ...]


class Assertion(msgspec.Struct, frozen=True):
    """``^``, ``$``, ``\\b`` or ``\\B``; ``name`` is the sign or the letter."""

    name: str


class Group(msgspec.Struct, frozen=True):
    """What opens a group: ``(``, ``(?:`` or ``(?<name>``."""

    text: str


class Sign(msgspec.Struct, frozen=True):
    """``|`` , ``)`` or a quantifier."""

    text: str


class Looks(msgspec.Struct, frozen=True):
    """What looks around (it opens a group) or back: no expression that takes linear time has it."""

    text: str


Part: TypeAlias = Character | Characters | Class | Assertion | Group | Sign | Looks


def parts(pattern: str, position: int) -> tuple[Part, ...]:
    """The parts in order. Raises SyntaxProblem for what JavaScript refuses; ``position`` is where the pattern begins. A character beyond
    U+FFFF is two."""
    if len(pattern) > MOST:
        raise SyntaxProblem(f"a regular expression may have at most {MOST:,} characters", position)
    if not pattern.isascii():
        encoded = pattern.encode("utf-16-be", "surrogatepass")
        pattern = "".join(chr(int.from_bytes(encoded[at : at + 2])) for at in range(0, len(encoded), 2))
    return tuple(_Reader(pattern, position).all())


class _Reader:
    def __init__(self, text: str, position: int) -> None:
        self.text, self.at, self.start = text, 0, position
        self.named = bool(_NAMED.search(text))

    def wrong(self, what: str) -> SyntaxProblem:
        return SyntaxProblem(f"Invalid regular expression: {what}", self.start + self.at)

    def all(self) -> Iterator[Part]:
        depth: list[bool] = []  # whether each open group may be repeated
        names: set[str] = set()
        repeatable = False
        while self.at < len(self.text):
            sign = self.text[self.at]
            if sign in "*+?" or (sign == "{" and _QUANTIFIER.match(self.text, self.at)):
                if not repeatable:
                    raise self.wrong("nothing to repeat")
                yield self.quantifier()
                repeatable = False
                continue
            self.at += 1
            part: Part
            repeatable = True
            if sign == "(":
                part = self.group(names)
                depth.append(not (isinstance(part, Looks) and "<" in part.text))
                repeatable = False
            elif sign == ")":
                if not depth:
                    raise self.wrong("unmatched ')'")
                part, repeatable = Sign(")"), depth.pop()
            elif sign == "|":
                part, repeatable = Sign("|"), False
            elif sign in "^$":
                part, repeatable = Assertion(sign), False
            elif sign == ".":
                part = Characters(".")
            elif sign == "[":
                part = self.brackets()
            elif sign == "\\":
                part = self.escape()
                repeatable = not isinstance(part, Assertion)
            else:
                part = Character(sign)
            yield part
        if depth:
            raise self.wrong("unterminated group")

    def quantifier(self) -> Sign:
        start = self.at
        found = _QUANTIFIER.match(self.text, start)
        if found is None:
            self.at += 1
        else:
            if found[3] and int(found[3]) < int(found[1]):
                raise self.wrong("numbers out of order in {} quantifier")
            self.at = found.end()
        if self.text.startswith("?", self.at):
            self.at += 1
        return Sign(self.text[start : self.at])

    def group(self, names: set[str]) -> Part:
        if not self.text.startswith("?", self.at):
            return Group("(")
        found = _GROUP.match(self.text, self.at)
        if found is None:
            raise self.wrong("invalid group")
        self.at = found.end()
        if found[1] is None:
            return Group("(?:") if found[0] == "?:" else Looks(f"({found[0]}")
        if found[1] in names:
            raise self.wrong(f"duplicate capture group name '{found[1]}'")
        names.add(found[1])
        return Group(f"(?<{found[1]}>")

    def escape(self) -> Part:
        """What stands behind a backslash outside of brackets."""
        if self.at >= len(self.text):
            raise self.wrong("\\ at end of pattern")
        sign = self.text[self.at]
        if sign in "bB":
            self.at += 1
            return Assertion(sign)
        if sign in "123456789" and (found := _NUMBER.match(self.text, self.at)) and (self.named or int(found[0]) <= self.groups):
            self.at = found.end()
            return Looks(f"\\{found[0]}")
        if sign == "k" and self.named:
            found = _REFERENCE.match(self.text, self.at)
            if found is None:
                raise self.wrong("invalid named reference")
            self.at = found.end()
            return Looks(f"\\{found[0]}")
        return self.character()

    @cached_property
    def groups(self) -> int:
        """How many groups are captured, in the whole pattern."""
        count, inside, at = 0, False, 0
        while at < len(self.text):
            sign = self.text[at]
            if sign == "\\":
                at += 1
            elif inside:
                inside = sign != "]"
            elif sign == "[":
                inside = True
            elif sign == "(":
                count += not self.text.startswith("?", at + 1) or _NAMED.match(self.text, at) is not None
            at += 1
        return count

    def character(self) -> Character | Characters:
        """A character that is written with a backslash, the same in brackets as outside."""
        sign = self.text[self.at]
        self.at += 1
        if sign in "dDwWsS":
            return Characters(sign)
        if sign in ESCAPED:
            return Character(ESCAPED[sign])
        if sign in _HEX and (found := _HEX[sign].match(self.text, self.at)):
            self.at = found.end()
            return Character(chr(int(found[0], 16)))
        if sign in "01234567" and (found := _OCTAL.match(self.text, self.at - 1)):
            self.at = found.end()
            return Character(chr(int(found[0], 8)))
        if sign == "c":
            letter = self.text[self.at : self.at + 1]
            if letter.isascii() and letter.isalpha():
                self.at += 1
                return Character(chr(ord(letter) % 32))
            self.at -= 1
            return Character("\\")  # and the c after it is one, too
        return Character(sign)

    def brackets(self) -> Class:
        negated = self.text.startswith("^", self.at)
        self.at += negated
        ranges: list[tuple[str, str]] = []
        names: list[str] = []
        while True:
            first = self.member()
            if first is None:
                return Class(negated, tuple(ranges), tuple(names))
            last: Character | Characters | None = None
            if self.text.startswith("-", self.at) and not self.text.startswith("]", self.at + 1):
                self.at += 1
                last = self.member()
            if last is None:
                last = first
            elif isinstance(first, Characters) or isinstance(last, Characters):  # no range: a hyphen between two
                ranges.append(("-", "-"))
            elif first.value > last.value:
                raise self.wrong("range out of order in character class")
            if isinstance(first, Character) and isinstance(last, Character):
                ranges.append((first.value, last.value))
                continue
            for member in (first, last):
                if isinstance(member, Characters):
                    names.append(member.name)
                else:
                    ranges.append((member.value, member.value))

    def member(self) -> Character | Characters | None:
        """One of a class; None at its end."""
        if self.at >= len(self.text):
            raise self.wrong("unterminated character class")
        sign = self.text[self.at]
        self.at += 1
        if sign == "]":
            return None
        if sign != "\\":
            return Character(sign)
        if self.at >= len(self.text):
            raise self.wrong("\\ at end of pattern")
        if self.text[self.at] == "b":
            self.at += 1
            return Character("\b")
        return self.character()
