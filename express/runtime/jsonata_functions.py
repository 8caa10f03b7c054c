"""JSONata's own functions, as far as compiled expressions call them. The last argument is the query, for what goes wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from express.runtime.jsonata import UNDEFINED, Query
from express.runtime.jsonata_of_aws import Complaint
from express.runtime.jsonata_paths import MOST_ITEMS, member, too_many, unwrapped
from express.runtime.jsonata_texts import encode_url, encode_url_component, pad
from express.runtime.jsonata_values import LONGEST_TEXT, SAFE, json, number, out_of_range, text, too_long, truth

_BLANKS = re.compile(r"[ \t\n\r]+")
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([Ee][-+]?[0-9]+)?")
_OTHER_BASES = re.compile(r"0[xX][0-9A-Fa-f]+|0[oO][0-7]+|0[bB][01]+")


def called(query: Query, function: Callable[..., Any], *arguments: Any) -> Any:
    """One of AWS's functions."""
    try:
        return function(*[None if argument is UNDEFINED else argument for argument in arguments])
    except Complaint as complaint:
        raise query.failed(complaint.code, complaint.message) from None


def _mismatch(function: str, position: int, query: Query) -> Exception:
    return query.failed("T0410", f'Argument {position} of function "{function}" does not match function signature')


def _is_number(value: Any) -> bool:
    return value.__class__ is int or value.__class__ is float


def _text(value: Any, function: str, position: int, query: Query) -> Any:
    if value.__class__ is str or value is UNDEFINED:
        return value
    raise _mismatch(function, position, query)


def _number(value: Any, function: str, position: int, query: Query) -> Any:
    if _is_number(value) or value is UNDEFINED:
        return value
    raise _mismatch(function, position, query)


# --- Numbers ----------------------------------------------------------------------------------------------------------------------


def _numbers(value: Any, function: str, query: Query) -> list[Any]:
    items = value if value.__class__ is list else [value]
    if not all(map(_is_number, items)):
        raise _no_numbers(function, query)
    return items


def _no_numbers(function: str, query: Query) -> Exception:
    return query.failed("T0412", f'Argument 1 of function "{function}" must be an array of "numbers"')


def sum_of(value: Any, query: Query) -> Any:
    return UNDEFINED if value is UNDEFINED else number(_sum(value if value.__class__ is list else [value], "sum", query), query)


def _sum(items: list[Any], function: str, query: Query) -> Any:
    total: int | float = 0
    for item in items:  # in this order and without Python's compensation of rounding
        if item.__class__ is not int and item.__class__ is not float:
            raise _no_numbers(function, query)
        try:
            total += item
        except OverflowError:  # a whole number that is no double, and a double
            raise out_of_range(query) from None
    return total


def average_of(value: Any, query: Query) -> Any:
    if value is UNDEFINED:
        return UNDEFINED
    items = value if value.__class__ is list else [value]
    try:
        return number(_sum(items, "average", query) / len(items), query) if items else UNDEFINED
    except OverflowError:
        raise out_of_range(query) from None


def largest(value: Any, query: Query) -> Any:
    if value is UNDEFINED:
        return UNDEFINED
    return max(_numbers(value, "max", query), default=UNDEFINED)


def smallest(value: Any, query: Query) -> Any:
    if value is UNDEFINED:
        return UNDEFINED
    return min(_numbers(value, "min", query), default=UNDEFINED)


def how_many(value: Any) -> int:
    if value.__class__ is list:
        return len(value)
    return 0 if value is UNDEFINED else 1


def number_of(value: Any, query: Query) -> Any:
    kind = value.__class__
    if kind is int or kind is float or value is UNDEFINED:
        return value
    if kind is bool:
        return int(value)
    if kind is str:
        if _DECIMAL.fullmatch(value):
            found = float(value)
            if math.isfinite(found):
                return number(int(value) if value.lstrip("-").isdigit() and len(value) < 16 else found, query)
        elif _OTHER_BASES.fullmatch(value):
            return number(int(value, 0), query)
    elif kind is list or kind is dict or value is None:
        raise _mismatch("number", 1, query)
    raise query.failed("D3030", f"Unable to cast value to a number: {json(value, query)}")


def absolute(value: Any, query: Query) -> Any:
    return value if _number(value, "abs", 1, query) is UNDEFINED else abs(value)


def floor_of(value: Any, query: Query) -> Any:
    return value if _number(value, "floor", 1, query) is UNDEFINED else number(math.floor(value), query)


def ceiling_of(value: Any, query: Query) -> Any:
    return value if _number(value, "ceil", 1, query) is UNDEFINED else number(math.ceil(value), query)


def rounded(value: Any, query: Query) -> Any:
    """To the nearest whole number, halves to the even one."""
    if _number(value, "round", 1, query) is UNDEFINED or value.__class__ is int:
        return value
    return number(float(round(value)) if abs(value) < SAFE else value, query)


def milliseconds(seconds: float) -> int:
    """What ``$millis`` answers, of a time in seconds since the epoch."""
    return round(seconds * 1_000_000) // 1_000  # cut off, as the Context Object's times are


# --- Text -------------------------------------------------------------------------------------------------------------------------


def string_of(value: Any, query: Query) -> Any:
    return UNDEFINED if value is UNDEFINED else text(value, query)


def length_of(value: Any, query: Query) -> Any:
    return UNDEFINED if _text(value, "length", 1, query) is UNDEFINED else len(value)


def upper(value: Any, query: Query) -> Any:
    return UNDEFINED if _text(value, "uppercase", 1, query) is UNDEFINED else value.upper()


def lower(value: Any, query: Query) -> Any:
    return UNDEFINED if _text(value, "lowercase", 1, query) is UNDEFINED else value.lower()


def trimmed(value: Any, query: Query) -> Any:
    """Runs of blanks become one, those at the ends disappear."""
    return UNDEFINED if _text(value, "trim", 1, query) is UNDEFINED else _BLANKS.sub(" ", value).strip(" ")


def before(value: Any, mark: Any, query: Query) -> Any:
    _text(value, "substringBefore", 1, query)
    _text(mark, "substringBefore", 2, query)
    if value is UNDEFINED or mark is UNDEFINED:
        return value
    head, found, _ = value.partition(mark) if mark else ("", "found", "")
    return head if found else value


def after(value: Any, mark: Any, query: Query) -> Any:
    _text(value, "substringAfter", 1, query)
    _text(mark, "substringAfter", 2, query)
    if value is UNDEFINED or mark is UNDEFINED or not mark:
        return value
    _, found, tail = value.partition(mark)
    return tail if found else value


def part(value: Any, start: Any, length: Any, query: Query) -> Any:
    """``$substring``; ``length`` is UNDEFINED where none is given."""
    _text(value, "substring", 1, query)
    _number(start, "substring", 2, query)
    _number(length, "substring", 3, query)
    if value is UNDEFINED:
        return UNDEFINED
    begin = 0 if start is UNDEFINED or len(value) + start < 0 else min(start, len(value))
    if length is UNDEFINED:
        return value[math.trunc(begin) :]
    if length <= 0:
        return ""
    length = min(length, 2 * len(value))  # no number that Python cannot cut with
    end = begin + length if begin >= 0 else len(value) + begin + length
    return value[math.trunc(begin) : math.trunc(end)]


def part_here(context: Any, value: Any, start: Any, query: Query) -> Any:
    """``$substring`` with two arguments where there is a context: two numbers mean a part of the context."""
    if not _is_number(value):
        return part(value, start, UNDEFINED, query)
    if not _is_number(start) and start is not UNDEFINED:
        raise _mismatch("substring", 1, query)
    if context.__class__ is not str and context is not UNDEFINED:
        raise query.failed("T0411", 'Context value is not a compatible type with argument 1 of function "substring"')
    return part(context, value, start, query)


def contains(value: Any, wanted: Any, query: Query) -> Any:
    _text(value, "contains", 1, query)
    _text(wanted, "contains", 2, query)
    if value is UNDEFINED:
        return UNDEFINED
    return wanted is not UNDEFINED and wanted in value


def pieces(value: Any, separator: Any, query: Query) -> Any:
    """``$split`` by a text."""
    _text(value, "split", 1, query)
    _text(separator, "split", 2, query)
    if value is UNDEFINED:
        return UNDEFINED
    if separator is UNDEFINED:
        raise _mismatch("split", 2, query)
    return value.split(separator) if separator else list(value)


def padded(value: Any, width: Any, filler: Any, query: Query) -> Any:
    """``$pad``; ``filler`` is UNDEFINED where none is given."""
    _text(value, "pad", 1, query)
    _number(width, "pad", 2, query)
    _text(filler, "pad", 3, query)
    if value is UNDEFINED or width is UNDEFINED:
        return value
    if abs(width) > LONGEST_TEXT:
        raise too_long(query)
    return pad(value, width, " " if filler is UNDEFINED else filler)


def url_component(value: Any, query: Query) -> Any:
    return _encoded(value, encode_url_component, "encodeUrlComponent", query)


def url(value: Any, query: Query) -> Any:
    return _encoded(value, encode_url, "encodeUrl", query)


def _encoded(value: Any, function: Callable[[str], str], name: str, query: Query) -> Any:
    if _text(value, name, 1, query) is UNDEFINED:
        return UNDEFINED
    try:
        return function(value)
    except Complaint as complaint:
        raise query.failed(complaint.code, complaint.message) from None


def texts_joined(value: Any, separator: Any, query: Query) -> Any:
    """``$join``; ``separator`` is UNDEFINED where none is given."""
    if value is not UNDEFINED:
        items = value if value.__class__ is list else [value]
        if not all(item.__class__ is str for item in items):
            raise query.failed("T0412", 'Argument 1 of function "join" must be an array of "strings"')
    _text(separator, "join", 2, query)
    if value is UNDEFINED:
        return UNDEFINED
    mark = "" if separator is UNDEFINED else separator
    if sum(map(len, items)) + len(mark) * len(items) > LONGEST_TEXT:
        raise too_long(query)
    return mark.join(items)


# --- Any value --------------------------------------------------------------------------------------------------------------------


def boolean_of(value: Any) -> Any:
    return UNDEFINED if value is UNDEFINED else truth(value)


def negation(value: Any) -> Any:
    return UNDEFINED if value is UNDEFINED else not truth(value)


def exists(value: Any) -> bool:
    return value is not UNDEFINED


def type_of(value: Any) -> Any:
    kind = value.__class__
    if kind is int or kind is float:
        return "number"
    return {str: "string", bool: "boolean", list: "array", dict: "object", type(None): "null"}.get(kind, UNDEFINED)


def appended(one: Any, other: Any, query: Query) -> Any:
    if one is UNDEFINED:
        return other
    if other is UNDEFINED:
        return one
    found = [*(one if one.__class__ is list else [one]), *(other if other.__class__ is list else [other])]
    if len(found) > MOST_ITEMS:
        raise too_many(query)
    return found


def keys_of(value: Any) -> Any:
    found: dict[str, None] = {}
    _keys(value, found)
    return unwrapped(list(found))


def _keys(value: Any, found: dict[str, None]) -> None:
    if value.__class__ is dict:
        found.update(dict.fromkeys(value))
    elif value.__class__ is list:
        for item in value:
            _keys(item, found)


def looked_up(value: Any, name: Any, query: Query) -> Any:
    _text(name, "lookup", 2, query)
    return UNDEFINED if name is UNDEFINED else member(value, name)


def merged(value: Any, query: Query) -> Any:
    if value is UNDEFINED:
        return UNDEFINED
    items = value if value.__class__ is list else [value]
    if not all(item.__class__ is dict for item in items):
        raise query.failed("T0412", 'Argument 1 of function "merge" must be an array of "objects"')
    made: dict[str, Any] = {}
    for item in items:
        made.update(item)
    return made


def turned(value: Any) -> Any:
    """``$reverse``."""
    if value is UNDEFINED:
        return UNDEFINED
    return value[::-1] if value.__class__ is list else [value]
