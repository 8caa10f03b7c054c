"""Event patterns as EventBridge has them in, a function from an event to yes or no out; or every problem of a pattern with its place."""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Test = Callable[[Any], bool]
Problem = tuple[str, str]  # the place in a pattern, such as value.order.total[0].numeric, and a sentence

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_MISSING = object()  # a field that is not there


def compiled(pattern: Any, fields: Mapping[str, str] | None = None) -> tuple[Test, list[Problem]]:
    """A pattern as a function of an event (a JSON object); its problems, all at once, with which the function means nothing. ``fields``:
    the names that an event has, where they are known."""
    problems: list[Problem] = []
    made = _Pattern(problems).object(pattern, "")
    if fields is not None and isinstance(pattern, dict):
        expected = ", ".join(fields)
        unknown = [name for name in names(pattern) if name not in fields]
        problems += [(name, f"there is no field of this name here, expected one of {expected}") for name in unknown]
    return made, problems


def names(pattern: Any) -> list[str]:
    """The fields of an event that a pattern looks at, at the top."""
    found: dict[str, None] = {}
    if isinstance(pattern, dict):
        for name, inner in pattern.items():
            if name != "$or":
                found[name] = None
            elif isinstance(inner, list):
                found.update(dict.fromkeys(name for each in inner for name in names(each)))
    return list(found)


def _nothing(_: Any) -> bool:
    return False


class _Pattern:
    """Compiles one pattern. What is wrong is noted, and stands in the result as something that nothing matches."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems

    def _problem(self, place: str, sentence: str) -> Test:
        self._problems.append((place, sentence))
        return _nothing

    # --- Objects ------------------------------------------------------------------------------------------------------------------

    def object(self, pattern: Any, place: str) -> Test:
        """All fields of a pattern have to match."""
        if not isinstance(pattern, dict):
            return self._problem(place, f"expected fields, each with a list of the values that match, found {_shown(pattern)}")
        if not pattern:
            return self._problem(place, "expected at least one field: an empty pattern would let everything through")
        alternatives: list[Test] = []
        fields: list[tuple[str, Test]] = []
        for name, inner in pattern.items():
            where = f"{place}.{name}" if place else str(name)
            if name == "$or":
                alternatives = self._alternatives(inner, where)
            elif isinstance(inner, dict):
                fields.append((name, _inside(self.object(inner, where))))
            elif isinstance(inner, list):
                fields.append((name, self._leaf(inner, where)))
            else:
                self._problem(
                    where, f"expected a list of the values that match, such as [{_shown(inner)}], or fields, found {_shown(inner)}"
                )
        return _all(tuple(fields), tuple(alternatives))

    def _alternatives(self, given: Any, place: str) -> list[Test]:
        if not isinstance(given, list) or len(given) < 2:
            self._problem(place, "expected a list of at least two patterns")
            return []
        return [self.object(each, f"{place}[{number}]") for number, each in enumerate(given)]

    # --- Values -------------------------------------------------------------------------------------------------------------------

    def _leaf(self, given: list[Any], place: str) -> Test:
        """One of the values or conditions has to match one of the field's values."""
        if not given:
            return self._problem(place, "expected at least one value: nothing is in an empty list")
        strings: set[str] = set()
        numbers: set[float] = set()
        words: set[bool | None] = set()
        tests: list[Test] = []
        absent = False
        for number, each in enumerate(given):
            where = f"{place}[{number}]"
            if isinstance(each, str):
                strings.add(each)
            elif each is None or isinstance(each, bool):
                words.add(each)
            elif isinstance(each, int | float):
                numbers.add(each)
            elif isinstance(each, dict) and each.keys() == {"exists"}:
                if not isinstance(each["exists"], bool):
                    self._problem(f"{where}.exists", f"expected true or false, found {_shown(each['exists'])}")
                elif each["exists"]:
                    tests.append(lambda _: True)
                else:
                    absent = True
            else:
                tests.append(self._condition(each, where))
        return _any(frozenset(strings), frozenset(numbers), frozenset(words), tuple(tests), absent)

    def _condition(self, given: Any, place: str) -> Test:
        known = ("prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "exists", "cidr")
        if not isinstance(given, dict) or len(given) != 1:
            return self._problem(place, f"expected a value, or one condition such as {{prefix: a}}, found {_shown(given)}")
        ((name, wanted),) = given.items()
        where = f"{place}.{name}"
        match name:
            case "prefix" | "suffix":
                return self._edge(name, wanted, where)
            case "equals-ignore-case":
                return self._ignoring_case(wanted, where)
            case "wildcard":
                return self._wildcard(wanted, where)
            case "anything-but":
                return self._anything_but(wanted, where)
            case "numeric":
                return self._numeric(wanted, where)
            case "cidr":
                return self._cidr(wanted, where)
        return self._problem(where, f"there is no condition of this name, expected one of {', '.join(known)}")

    def _edge(self, name: str, wanted: Any, place: str) -> Test:
        starts = name == "prefix"
        if isinstance(wanted, dict) and wanted.keys() == {"equals-ignore-case"}:
            inner = wanted["equals-ignore-case"]
            if isinstance(inner, str):
                low = inner.lower()
                if starts:
                    return lambda value: value.__class__ is str and value.lower().startswith(low)
                return lambda value: value.__class__ is str and value.lower().endswith(low)
            place, wanted = f"{place}.equals-ignore-case", inner
        if not isinstance(wanted, str):
            return self._problem(place, f"expected a text, found {_shown(wanted)}")
        if starts:
            return lambda value: value.__class__ is str and value.startswith(wanted)
        return lambda value: value.__class__ is str and value.endswith(wanted)

    def _ignoring_case(self, wanted: Any, place: str) -> Test:
        if not isinstance(wanted, str):
            return self._problem(place, f"expected a text, found {_shown(wanted)}")
        low = wanted.lower()
        return lambda value: value.__class__ is str and value.lower() == low

    def _wildcard(self, wanted: Any, place: str) -> Test:
        if not isinstance(wanted, str):
            return self._problem(place, f"expected a text in which * stands for any characters, found {_shown(wanted)}")
        pieces = [""]
        characters = iter(wanted)
        for character in characters:
            if character == "\\":
                character = next(characters, "")
                if character not in ("*", "\\"):
                    return self._problem(place, "expected \\* or \\\\ after a backslash: nothing else needs one")
                pieces[-1] += character
            elif character == "*":
                if len(pieces) > 1 and not pieces[-1]:
                    return self._problem(place, "two * behind each other mean no more than one")
                pieces.append("")
            else:
                pieces[-1] += character
        return _glob(pieces)

    def _anything_but(self, wanted: Any, place: str) -> Test:
        if isinstance(wanted, dict) and len(wanted) == 1:
            ((name, inner),) = wanted.items()
            if name not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
                expected = "expected prefix, suffix, equals-ignore-case or wildcard"
                return self._problem(f"{place}.{name}", f"there is no such condition in anything-but, {expected}")
            several = inner if isinstance(inner, list) and inner else [inner]
            tests = tuple(self._condition({name: each}, place) for each in several)
            return lambda value: not any(test(value) for test in tests)
        listed = wanted if isinstance(wanted, list) else [wanted]
        if not listed or not (all(map(_is_number, listed)) or all(isinstance(each, str) for each in listed)):
            return self._problem(place, "expected a text, a number, a list of texts or of numbers, or one condition such as {prefix: a}")
        refused = frozenset(listed)
        return lambda value: value.__class__ is bool or value not in refused

    def _numeric(self, wanted: Any, place: str) -> Test:
        expected = 'expected one comparison such as [">", 0], or two that bound a range, such as [">", 0, "<=", 5]'
        if not isinstance(wanted, list) or len(wanted) not in (2, 4):
            return self._problem(place, f"{expected}, found {_shown(wanted)}")
        pairs = list(zip(wanted[::2], wanted[1::2], strict=True))
        for sign, number in pairs:
            if not isinstance(sign, str) or sign not in _COMPARISONS:
                return self._problem(place, f"expected one of {', '.join(_COMPARISONS)}, found {_shown(sign)}")
            if not _is_number(number):
                return self._problem(place, f"expected a number after {sign}, found {_shown(number)}")
        (compare, bound), (also, limit) = [(_COMPARISONS[sign], number) for sign, number in (pairs * 2)[:2]]
        if len(pairs) == 2:
            (low, least), (high, most) = pairs
            if low not in (">", ">=") or high not in ("<", "<="):
                return self._problem(place, f"the first of two comparisons is > or >=, the second < or <=: {expected}")
            if least > most or (least == most and (low, high) != (">=", "<=")):
                return self._problem(place, "no number is in this range")
        return lambda value: _is_number(value) and compare(value, bound) and also(value, limit)

    def _cidr(self, wanted: Any, place: str) -> Test:
        try:
            network = ipaddress.ip_network(wanted, strict=False) if isinstance(wanted, str) else None
        except ValueError:
            network = None
        if network is None:
            return self._problem(place, f"expected a network such as 10.0.0.0/24 or 2001:db8::/32, found {_shown(wanted)}")
        return lambda value: value.__class__ is str and (address := _address(value)) is not None and address in network


# --- What a pattern is made of ------------------------------------------------------------------------------------------------------


def _all(fields: tuple[tuple[str, Test], ...], alternatives: tuple[Test, ...]) -> Test:
    missing = _MISSING
    if len(fields) == 1 and not alternatives:
        ((only, single),) = fields
        return lambda event: single(event.get(only, missing))

    def test(event: dict[str, Any]) -> bool:
        for name, matches in fields:
            if not matches(event.get(name, missing)):
                return False
        return not alternatives or any(alternative(event) for alternative in alternatives)

    return test


def _inside(inner: Test) -> Test:
    """Fields inside of a field. Of a list all have to match within one element; where there is no object, no field is there."""

    def test(value: Any) -> bool:
        if value.__class__ is dict:
            return inner(value)
        if value.__class__ is list and value:
            return any(test(each) for each in value)
        return inner({})

    return test


def _any(strings: frozenset[str], numbers: frozenset[float], words: frozenset[bool | None], tests: tuple[Test, ...], absent: bool) -> Test:
    def scalar(value: Any) -> bool:
        kind = value.__class__
        if kind is str:
            if value in strings:
                return True
        elif kind is bool or value is None:
            if value in words:
                return True
        elif value in numbers:
            return True
        return any(matches(value) for matches in tests) if tests else False

    def test(value: Any) -> bool:
        kind = value.__class__
        if kind is list:
            there = False
            for each in _scalars(value):
                if scalar(each):
                    return True
                there = True
            return absent and not there
        if kind is dict or value is _MISSING:
            return absent
        return scalar(value)

    return test


def _scalars(values: list[Any]) -> Iterator[Any]:
    for value in values:
        if value.__class__ is list:
            yield from _scalars(value)
        elif value.__class__ is not dict:
            yield value


def _glob(pieces: list[str]) -> Test:
    """What is between the stars, found from left to right: linear, whatever the text."""
    first, *middle = pieces
    if not middle:
        return lambda value: value.__class__ is str and value == first
    last = middle.pop()

    def test(value: Any) -> bool:
        if value.__class__ is not str or len(value) < len(first) + len(last):
            return False
        if not value.startswith(first) or not value.endswith(last):
            return False
        place, end = len(first), len(value) - len(last)
        for piece in middle:
            place = value.find(piece, place, end)
            if place < 0:
                return False
            place += len(piece)
        return True

    return test


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "fields"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
