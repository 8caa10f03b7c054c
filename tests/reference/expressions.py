"""Paths and intrinsic functions, as text, evaluated by walking the text: slow and plain, written from the States Language specification.

Imports nothing from express: the two must not share a mistake.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import random
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, NamedTuple


class Missing(Exception):  # noqa: N818 - named for what happened
    """A definite path selects nothing."""


class IntrinsicFailure(Exception):  # noqa: N818
    """An intrinsic function was given what it does not take."""


# --- JSONPath ---------------------------------------------------------------------------------------------------------------------


class Text:
    """A text and how far it has been read."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def peek(self, length: int = 1) -> str:
        return self.text[self.at : self.at + length]

    def take(self, expected: str) -> bool:
        if self.text.startswith(expected, self.at):
            self.at += len(expected)
            return True
        return False

    def must(self, expected: str) -> None:
        assert self.take(expected), f"{expected!r} expected at {self.at} of {self.text!r}"

    def while_in(self, wanted: Callable[[str], bool]) -> str:
        start = self.at
        while self.at < len(self.text) and wanted(self.text[self.at]):
            self.at += 1
        return self.text[start : self.at]

    def spaces(self) -> None:
        self.while_in(str.isspace)

    def quoted(self, quote: str) -> str:
        self.must(quote)
        out = ""
        while not self.take(quote):
            if self.take("\\"):
                out += self.text[self.at]
            else:
                out += self.text[self.at]
            self.at += 1
        return out

    def number(self) -> int | float:
        digits = self.while_in(lambda character: character in "+-.eE0123456789")
        return float(digits) if any(mark in digits for mark in ".eE") else int(digits)


Steps = list[tuple[str, Any]]


def read_path(text: Text) -> Steps:
    """The steps of a path behind its root: ("name", n), ("index", i), ("slice", s), ("all", None), ("several", keys), ("deep", None),
    ("filter", condition)."""
    steps: Steps = []
    while True:
        if text.take(".."):
            steps.append(("deep", None))
            if text.take("*"):
                steps.append(("all", None))
            elif text.peek() != "[":
                steps.append(("name", text.while_in(_in_name)))
        elif text.take("."):
            if text.take("*"):
                steps.append(("all", None))
            else:
                steps.append(("name", text.while_in(_in_name)))
        elif text.take("["):
            steps.append(_bracket(text))
            text.must("]")
        else:
            return steps


def _in_name(character: str) -> bool:
    return character.isalnum() or character in "_-"


def _bracket(text: Text) -> tuple[str, Any]:
    if text.take("*"):
        return ("all", None)
    if text.take("(@.length-"):
        behind = int(text.while_in(str.isdigit))
        text.must(")")
        return ("index", -behind)
    if text.take("?("):
        condition = _any(text)
        text.must(")")
        return ("filter", condition)
    keys: list[Any] = []
    while True:
        text.spaces()
        if text.peek() in ("'", '"'):
            keys.append(text.quoted(text.peek()))
        else:
            numbers: list[int | None] = [_integer(text)]
            while text.take(":"):
                numbers.append(_integer(text))
            keys.append(numbers[0] if len(numbers) == 1 else slice(*numbers))
        text.spaces()
        if not text.take(","):
            break
    if len(keys) > 1:
        return ("several", keys)
    if isinstance(keys[0], slice):
        return ("slice", keys[0])
    return ("name", keys[0]) if isinstance(keys[0], str) else ("index", keys[0])


def _integer(text: Text) -> int | None:
    digits = text.while_in(lambda character: character in "-0123456789")
    return int(digits) if digits else None


def _any(text: Text) -> Any:
    conditions = [_all(text)]
    while text.take("||"):
        conditions.append(_all(text))
    return ("any", conditions)


def _all(text: Text) -> Any:
    conditions = [_one(text)]
    while text.take("&&"):
        conditions.append(_one(text))
    return ("all", conditions)


def _one(text: Text) -> Any:
    text.spaces()
    if text.take("!"):
        inner = _one(text)
        text.spaces()
        return ("not", inner)
    if text.take("("):
        inner = _any(text)
        text.must(")")
        text.spaces()
        return inner
    left = _operand(text)
    text.spaces()
    for operator in ("==", "!=", "<=", ">=", "<", ">"):
        if text.take(operator):
            text.spaces()
            right = _operand(text)
            text.spaces()
            return ("compare", operator, left, right)
    return ("exists", left)


def _operand(text: Text) -> Any:
    for root in "@$":
        if text.take(root):
            return ("path", root, read_path(text))
    if text.peek() == "'":
        return ("value", text.quoted("'"))
    return ("value", text.while_in(lambda character: character.isalnum() or character in "+-."))


def is_definite(steps: Steps) -> bool:
    if steps and steps[-1][0] == "several" and all(isinstance(key, str) for key in steps[-1][1]):
        steps = steps[:-1]  # several names at the end make one object
    return all(kind in ("name", "index") for kind, _ in steps)


class Broken(Exception):  # noqa: N818
    """An index, slice or filter was applied to what is no array: not forgiven where Missing is."""


def walk(steps: Steps, document: Any, root: Any = None) -> Any:
    """What the steps select from ``document``: the value of a definite path, else the list of all there is. Missing if the path fails.

    Written from what json-path 2.0 documents and does, the library that AWS's answers come from.
    """
    whole = document if root is None else root
    if document is None and steps:
        raise Missing
    found: list[Any] = []
    try:
        visit(steps, 0, document, whole, found)
    except Broken:
        raise Missing from None
    if is_definite(steps):
        if not found:
            raise Missing
        return found[0]
    return found


def visit(steps: Steps, at: int, node: Any, whole: Any, found: list[Any]) -> None:
    """Applies the step ``at`` to one node, and the steps after it to what that selects."""
    if at == len(steps):
        found.append(node)
        return
    kind, detail = steps[at]
    last = at == len(steps) - 1

    def on(value: Any) -> None:
        visit(steps, at + 1, value, whole, found)

    if kind == "name" or (kind == "several" and isinstance(detail[0], str)):
        names = [detail] if kind == "name" else detail
        if not isinstance(node, dict):
            raise Missing
        if kind == "several" and last:
            found.append({name: node[name] for name in names if name in node})
            return
        for name in names:
            if name in node:
                on(node[name])
            elif kind == "name" and (last or is_definite(steps[max(at - 1, 0) :])):
                raise Missing
    elif kind in ("index", "slice", "several"):
        if node is None:
            raise Missing
        if not isinstance(node, list):
            raise Broken
        for key in detail if kind == "several" else [detail]:
            if isinstance(key, slice):
                for element in node[key]:
                    on(element)
            elif -len(node) <= key < len(node):
                on(node[key])
            else:
                raise Missing
    elif kind == "all" and isinstance(node, dict):
        for value in node.values():
            on(value)
    elif kind == "all" and isinstance(node, list):
        for element in node:
            try:
                on(element)
            except Missing:
                continue
    elif kind == "filter":
        if not isinstance(node, dict | list):
            raise Broken
        for candidate in node if isinstance(node, list) else [node]:
            if holds(detail, candidate, whole):
                on(candidate)
    elif kind == "deep":
        for inner in everything(node):
            if not asks(steps[at + 1], inner, whole):
                continue
            if isinstance(inner, dict) or at + 1 == len(steps) - 1:
                visit(steps, at + 1, inner, whole, found)
            else:
                for element in inner:
                    visit(steps, at + 2, element, whole, found)


def asks(step: tuple[str, Any], node: Any, whole: Any) -> bool:
    """Whether the step behind ``..`` is tried on a node."""
    kind, detail = step
    if kind == "name":
        return isinstance(node, dict) and detail in node
    if kind == "several" and isinstance(detail[0], str):
        return isinstance(node, dict) and all(name in node for name in detail)
    if kind == "all":
        return isinstance(node, dict | list)
    if kind == "filter":
        return isinstance(node, dict | list) and holds(detail, node, whole)
    return isinstance(node, list)


def everything(value: Any) -> list[Any]:
    found = [value]
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        found += everything(inner)
    return found


def holds(condition: Any, candidate: Any, whole: Any) -> bool:
    kind = condition[0]
    if kind == "any":
        return any(holds(each, candidate, whole) for each in reversed(condition[1]))
    if kind == "all":
        return all(holds(each, candidate, whole) for each in reversed(condition[1]))
    if kind == "not":
        return not holds(condition[1], candidate, whole)

    def value(operand: Any) -> Any:
        if operand[0] == "value":
            return operand[1]
        selected: list[Any] = []
        visit(operand[2], 0, candidate if operand[1] == "@" else whole, whole, selected)
        if not selected:
            raise Missing
        return selected[0]

    try:
        if kind == "exists":
            found = value(condition[1])
            wanted = condition[1][2][-1] if condition[1][2] else ("", None)
            return found is not None and (wanted[0] != "several" or len(found) == len(wanted[1]))
        _, operator, left, right = condition
        actual, expected = value(left), value(right)
    except Missing:
        return False
    if operator not in ("==", "!=") and (actual is None) != (expected is None):
        return False
    order = ordered(expected, actual)
    if order is None:
        return False
    return {"==": order == 0, "!=": order != 0, "<": order > 0, "<=": order >= 0, ">": order < 0, ">=": order <= 0}[operator]


def ordered(expected: Any, actual: Any) -> int | None:
    """-1, 0, 1 as the expected value is less, equal, greater; None if the two do not compare. What a path says is a text."""
    if expected is actual:
        return 0
    nulls = [side is None or side == "null" for side in (expected, actual)]
    if any(nulls):
        return 0 if all(nulls) else -1 if nulls[0] else 1
    if isinstance(expected, str) and isinstance(actual, str):
        one, other = expected.encode("utf-16-be"), actual.encode("utf-16-be")
        return (one > other) - (one < other)
    if isinstance(expected, str) and isinstance(actual, bool):
        return (expected.lower() == "true") - actual
    if isinstance(expected, bool) and isinstance(actual, bool):
        return expected - actual
    if is_number(actual) and (is_number(expected) or isinstance(expected, str)):
        try:
            least, most = Decimal(str(expected)), Decimal(str(actual))
        except InvalidOperation:
            return None
        return (least > most) - (least < most)
    return None


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    return (type(one) is type(other) or (is_number(one) and is_number(other))) and bool(one == other)


class Roots(NamedTuple):
    """What paths begin at: ``$``, ``$$``, and ``$name`` for each variable."""

    data: Any
    context: Any
    variables: dict[str, Any]


def path(text: str, roots: Roots) -> Any:
    """A path as a whole text: ``$.a[0]``, ``$$.State.Name``, ``$total``."""
    root, steps = _whole_path(text)
    return _walk_from(root, steps, roots)


@lru_cache(maxsize=4_096)
def _whole_path(text: str) -> tuple[str, Steps]:
    reader = Text(text)
    found = _read_root(reader), read_path(reader)
    assert reader.at == len(text), text
    return found


def _read_root(reader: Text) -> str:
    """``$``, ``$$`` or ``$name``."""
    if reader.take("$$"):
        return "$$"
    reader.must("$")
    return "$" + reader.while_in(lambda character: character.isalnum() or character == "_")


def _walk_from(root: str, steps: Steps, roots: Roots) -> Any:
    if root in ("$", "$$"):
        return walk(steps, roots.data if root == "$" else roots.context)
    if root[1:] not in roots.variables:
        raise Missing
    return walk(steps, roots.variables[root[1:]])


# --- Intrinsic functions ----------------------------------------------------------------------------------------------------------


def intrinsic(text: str, roots: Roots) -> Any:
    reader = Text(text)
    result = _call(reader, roots)
    assert reader.at == len(text), text
    return result


def _call(reader: Text, roots: Roots) -> Any:
    reader.must("States.")
    name = reader.while_in(str.isalnum)
    reader.must("(")
    arguments: list[Any] = []
    reader.spaces()
    while not reader.take(")"):
        arguments.append(_argument(reader, roots, template=name == "Format" and not arguments))
        reader.spaces()
        if reader.take(","):
            reader.spaces()
    return INTRINSICS[name](*arguments)


def _argument(reader: Text, roots: Roots, template: bool) -> Any:
    if reader.text.startswith("States.", reader.at):
        return _call(reader, roots)
    if reader.peek() == "$":
        return _walk_from(_read_root(reader), read_path(reader), roots)
    if reader.peek() == "'":
        if not template:
            return reader.quoted("'")
        reader.must("'")  # Format reads its template's escapes itself
        raw = ""
        while not reader.take("'"):
            raw += reader.peek(2) if reader.peek() == "\\" else reader.peek()
            reader.at += 2 if reader.peek() == "\\" else 1
        return raw
    for word, value in (("true", True), ("false", False), ("null", None)):
        if reader.take(word):
            return value
    return reader.number()


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def text_of(value: Any) -> str:
    """Compact JSON."""
    return _ENCODER.encode(value)


def copied(value: Any) -> Any:
    """The same JSON value, made of objects of its own: what was one object in two places becomes two."""
    if isinstance(value, dict):
        return {name: copied(each) for name, each in value.items()}
    return [copied(each) for each in value] if isinstance(value, list) else value


def _need(condition: bool, reason: str) -> None:
    if not condition:
        raise IntrinsicFailure(reason)


def _whole(value: Any) -> int:
    _need(is_number(value), "a number is expected")
    if isinstance(value, float):
        value = math.floor(value) + (1 if value - math.floor(value) >= 0.5 else 0)
    _need(-(2**31) <= value < 2**31, "out of range")
    return int(value)


def _list(value: Any) -> list[Any]:
    _need(isinstance(value, list), "an array is expected")
    return list(value)


def _string(value: Any, longest: int = 262_144) -> str:
    _need(isinstance(value, str) and len(value) <= longest, "a string is expected")
    return str(value)


def _range(first: Any, last: Any, step: Any) -> list[int]:
    first, last, step = _whole(first), _whole(last), _whole(step)
    _need(step != 0, "the step is 0")
    out: list[int] = []
    while (first <= last if step > 0 else first >= last) and len(out) <= 1_000:
        out.append(first)
        first += step
    _need(len(out) <= 1_000, "too many")
    return out


def _partition(items: Any, size: Any) -> list[Any]:
    items, size = _list(items), _whole(size)
    _need(size > 0, "the size is not positive")
    out: list[Any] = []
    for item in items:
        if not out or len(out[-1]) == size:
            out.append([])
        out[-1].append(item)
    return out


def _get(items: Any, index: Any) -> Any:
    items, index = _list(items), _whole(index)
    _need(0 <= index < len(items), "out of bounds")
    return items[index]


def _unique(items: Any) -> list[Any]:
    out: list[Any] = []
    for item in _list(items):
        if not any(equal(item, one) for one in out):
            out.append(item)
    return out


def _decode(text: Any) -> str:
    packed = _string(text, 10_000).replace("\r", "").replace("\n", "").rstrip("=")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True).decode(errors="replace")
    except ValueError:
        raise IntrinsicFailure("not Base64") from None


def _hash(data: Any, algorithm: Any) -> str:
    _need(algorithm in ("MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512"), "no such algorithm")
    return hashlib.new(algorithm.lower().replace("-", ""), _string(data, 10_000).encode()).hexdigest()


def _merge(one: Any, other: Any, deep: Any) -> Any:
    _need(deep is False, "only shallow")
    _need(isinstance(one, dict) and isinstance(other, dict), "objects are expected")
    return {**one, **other}


def _parse(text: Any) -> Any:
    if not _string(text).strip():
        return None
    try:
        return json.loads(text, parse_constant=lambda _: _need(False, "not JSON"))
    except ValueError:
        raise IntrinsicFailure("not JSON") from None


def _random(start: Any, end: Any, seed: Any = None) -> int:
    start, end = _whole(start), _whole(end)
    _need(start < end, "nothing between them")
    return random.Random(None if seed is None else _whole(seed)).randrange(start, end)


def _split(text: Any, delimiters: Any) -> list[str]:
    pieces = [""]
    delimiters = _string(delimiters)
    for character in _string(text):
        if character in delimiters:
            pieces.append("")
        else:
            pieces[-1] += character
    return [piece for piece in pieces if piece]


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_shown(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_shown(inner) for inner in value) + "]"
    return text_of(value)


def _format(template: Any, *values: Any) -> str:
    reader = Text(_string(template))
    left = list(values)
    out = ""
    while reader.peek():
        if reader.take("{}"):
            _need(bool(left), "too few values")
            out += _shown(left.pop(0))
        elif reader.peek() == "\\" and reader.peek(2)[1:] in ("{", "}", "\\", "'") and len(reader.peek(2)) == 2:
            out += reader.peek(2)[1]
            reader.at += 2
        else:
            out += reader.peek()
            reader.at += 1
    _need(not left, "too many values")
    return out


INTRINSICS: dict[str, Callable[..., Any]] = {
    "Array": lambda *items: list(items),
    "ArrayPartition": _partition,
    "ArrayContains": lambda items, wanted: any(equal(item, wanted) for item in _list(items)),
    "ArrayRange": _range,
    "ArrayGetItem": _get,
    "ArrayLength": lambda items: len(_list(items)),
    "ArrayUnique": _unique,
    "Base64Encode": lambda text: base64.b64encode(_string(text, 10_000).encode()).decode(),
    "Base64Decode": _decode,
    "Hash": _hash,
    "JsonMerge": _merge,
    "StringToJson": _parse,
    "JsonToString": text_of,
    "MathRandom": _random,
    "MathAdd": lambda one, other: _whole(one) + _whole(other),
    "StringSplit": _split,
    "UUID": lambda: str(uuid.uuid4()),
    "Format": _format,
}


# --- Payload templates ------------------------------------------------------------------------------------------------------------


def template(value: Any, roots: Roots) -> Any:
    """A payload template: fields whose names end in ``.$`` are computed."""
    if isinstance(value, dict):
        out = {}
        for name, inner in value.items():
            if name.endswith(".$"):
                out[name[:-2]] = expression(inner, roots)
            else:
                out[name] = template(inner, roots)
        return out
    if isinstance(value, list):
        return [template(inner, roots) for inner in value]
    return value


def expression(text: str, roots: Roots) -> Any:
    return intrinsic(text, roots) if text.startswith("States.") else path(text, roots)
