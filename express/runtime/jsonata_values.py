"""JSONata's view of JSON values: what is true, what is equal, what is less, how a value is written as text. UNDEFINED is a value here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import orjson

from express.runtime.jsonata import UNDEFINED, Query
from express.runtime.values import WIDE
from express.runtime.values import equal as same
from express.runtime.variables import UNSET

SAFE = 2**53  # beyond it a double does not know every whole number
HALF = 2**52
EXACT = 10**15  # JSONata writes 15 digits
LARGEST_INTEGER = 1e21  # from here on a number is written with an exponent
LONGEST_TEXT = 4 * 1024 * 1024  # characters: no text that is longer comes near a state's output
DEEPEST = 400

_15_DIGITS = Context(prec=15, rounding=ROUND_HALF_UP)
_quote = orjson.dumps


def or_undefined(value: Any) -> Any:
    """The value of a workflow variable that may not have been set."""
    return UNDEFINED if value is UNSET else value


def number(value: Any, query: Query) -> Any:
    """A computed number as it is kept: whole ones as int. Infinity and NaN are not JSON."""
    if value.__class__ is int:
        if -SAFE <= value <= SAFE:
            return value
        try:
            value = float(value)
        except OverflowError:
            raise out_of_range(query) from None
    if value.is_integer():
        return int(value) if -LARGEST_INTEGER < value < LARGEST_INTEGER else value
    if not math.isfinite(value):
        raise out_of_range(query)
    return value


def out_of_range(query: Query) -> Exception:
    """A number that is no double, or none that JSON has."""
    return query.failed("D1001", "Number out of range: null")


def truth(value: Any) -> bool:
    """``$boolean``, with undefined as false."""
    kind = value.__class__
    if kind is bool:
        return bool(value)
    if kind is list:
        return any(map(truth, value)) if len(value) > 1 else bool(value) and truth(value[0])
    return bool(value)


def equals(left: Any, right: Any) -> bool:
    """``=``: by value, never true for undefined."""
    if left.__class__ is str:
        return bool(left == right)
    if left.__class__ is int and right.__class__ is int:
        return left == right or (not -SAFE < left < SAFE and float(left) == float(right))
    return left is not UNDEFINED and right is not UNDEFINED and same(left, right)


def differs(left: Any, right: Any) -> bool:
    """``!=``: by value, never true for undefined."""
    return left is not UNDEFINED and right is not UNDEFINED and not equals(left, right)


def contained(value: Any, items: Any) -> bool:
    """``in``: objects and arrays are in an array only themselves."""
    if value is UNDEFINED or items is UNDEFINED:
        return False
    if value.__class__ is dict or value.__class__ is list:
        return any(item is value for item in items) if items.__class__ is list else items is value
    if items.__class__ is not list:
        return equals(value, items)
    return any(item.__class__ is not list and item.__class__ is not dict and equals(value, item) for item in items)


def whole_numbers(document: Any) -> dict[float, int]:
    """Those in a document from 2 to the 53 on, by their doubles; none where several have the same, but the one that is it."""
    every: set[int] = set()
    pending = [document]
    for item in pending:  # grows while it is walked
        if item.__class__ is dict:
            pending.extend(item.values())
        elif item.__class__ is list:
            pending.extend(item)
        elif item.__class__ is int and not -SAFE < item < SAFE:
            every.add(item)
    found: dict[float, int] = {}
    for number in every:
        double = float(number)
        found[double] = number if found.get(double, number) == number else int(double)
    return found


def restored(value: Any, numbers: Mapping[float, int]) -> Any:
    """A value with whole numbers in place of their doubles."""
    if value.__class__ is list:
        return [restored(item, numbers) for item in value]
    if value.__class__ is dict:
        return {name: restored(member, numbers) for name, member in value.items()}
    if value.__class__ is float or (value.__class__ is int and float(value) == value):
        return numbers.get(value, value)
    if value.__class__ is int and value == WIDE - 1:  # what the library makes of the double beside it, as is no other
        return numbers.get(float(WIDE), WIDE)
    return value


# --- Order ------------------------------------------------------------------------------------------------------------------------


def _ordered(left: Any, right: Any, sign: str, query: Query) -> tuple[Any, Any] | None:
    """What is compared; None when a side is undefined. Texts by their UTF-16 units, as JavaScript compares them."""
    one, other = left.__class__, right.__class__
    if one is str and other is str:
        if left.isascii() and right.isascii():
            return left, right
        return left.encode("utf-16-be", "surrogatepass"), right.encode("utf-16-be", "surrogatepass")
    one_number, other_number = one is int or one is float, other is int or other is float
    if one_number and other_number:
        return left, right
    for value, good in ((left, one_number or one is str), (right, other_number or other is str)):
        if not good and value is not UNDEFINED:
            raise query.failed("T2010", f'The expressions either side of operator "{sign}" must evaluate to numeric or string values')
    if left is UNDEFINED or right is UNDEFINED:
        return None
    shown = f"The values {json(left, query)} and {json(right, query)} either side of operator"
    raise query.failed("T2009", f'{shown} "{sign}" must be of the same data type')


def less(left: Any, right: Any, query: Query) -> Any:
    if left.__class__ is int and right.__class__ is int:
        return left < right if -SAFE < left < SAFE else float(left) < float(right)
    pair = _ordered(left, right, "<", query)
    return UNDEFINED if pair is None else pair[0] < pair[1]


def at_most_as(left: Any, right: Any, query: Query) -> Any:
    if left.__class__ is int and right.__class__ is int:
        return left <= right if -SAFE < left < SAFE else float(left) <= float(right)
    pair = _ordered(left, right, "<=", query)
    return UNDEFINED if pair is None else pair[0] <= pair[1]


def more(left: Any, right: Any, query: Query) -> Any:
    if left.__class__ is int and right.__class__ is int:
        return left > right if -SAFE < left < SAFE else float(left) > float(right)
    pair = _ordered(left, right, ">", query)
    return UNDEFINED if pair is None else pair[0] > pair[1]


def at_least_as(left: Any, right: Any, query: Query) -> Any:
    if left.__class__ is int and right.__class__ is int:
        return left >= right if -SAFE < left < SAFE else float(left) >= float(right)
    pair = _ordered(left, right, ">=", query)
    return UNDEFINED if pair is None else pair[0] >= pair[1]


# --- Arithmetic -------------------------------------------------------------------------------------------------------------------


def _operands(left: Any, right: Any, sign: str, query: Query) -> bool:
    """Whether there are two numbers; False when a side is undefined."""
    if left is not UNDEFINED and left.__class__ is not int and left.__class__ is not float:
        raise query.failed("T2001", f'The left side of the "{sign}" operator must evaluate to a number')
    if right is not UNDEFINED and right.__class__ is not int and right.__class__ is not float:
        raise query.failed("T2002", f'The right side of the "{sign}" operator must evaluate to a number')
    return left is not UNDEFINED and right is not UNDEFINED


def plus(left: Any, right: Any, query: Query) -> Any:
    if left.__class__ is int and right.__class__ is int:
        result = left + right
        if -HALF <= result <= HALF and -HALF <= right <= HALF:  # and so neither side is beyond what a double knows
            return result
    if not _operands(left, right, "+", query):
        return UNDEFINED
    try:
        return number(float(left) + float(right), query)
    except OverflowError:  # a whole number that is no double
        raise out_of_range(query) from None


def minus(left: Any, right: Any, query: Query) -> Any:
    if left.__class__ is int and right.__class__ is int:
        result = left - right
        if -HALF <= result <= HALF and -HALF <= right <= HALF:  # and so neither side is beyond what a double knows
            return result
    if not _operands(left, right, "-", query):
        return UNDEFINED
    try:
        return number(float(left) - float(right), query)
    except OverflowError:  # a whole number that is no double
        raise out_of_range(query) from None


def times(left: Any, right: Any, query: Query) -> Any:
    if left.__class__ is int and right.__class__ is int:
        result = left * right
        if -SAFE <= result <= SAFE:
            return result
    if not _operands(left, right, "*", query):
        return UNDEFINED
    try:
        return number(left * right, query)
    except OverflowError:  # a whole number that is no double, and a double
        raise out_of_range(query) from None


def divided(left: Any, right: Any, query: Query) -> Any:
    if not _operands(left, right, "/", query):
        return UNDEFINED
    if right == 0:
        raise out_of_range(query)
    try:
        return number(left / right, query)
    except OverflowError:  # whole numbers that are no doubles
        raise out_of_range(query) from None


def remainder(left: Any, right: Any, query: Query) -> Any:
    """With the sign of the left side."""
    if not _operands(left, right, "%", query):
        return UNDEFINED
    if right == 0:
        raise out_of_range(query)
    try:
        return number(math.fmod(left, right), query)
    except OverflowError:
        raise out_of_range(query) from None


def negated(value: Any, query: Query) -> Any:
    if value is UNDEFINED:
        return UNDEFINED
    if value.__class__ is not int and value.__class__ is not float:
        raise query.failed("D1002", f"Cannot negate a non-numeric value: {json(value, query)}")
    return number(-value, query)


# --- Text -------------------------------------------------------------------------------------------------------------------------


def text(value: Any, query: Query) -> str:
    """``$string`` of a value that there is."""
    kind = value.__class__
    if kind is str:
        return str(value)
    if kind is int and -EXACT < value < EXACT:
        return str(value)
    return json(value, query)


def joined(*values: Any) -> str:
    """``&``, of any number of values and, last, the query: undefined is no text."""
    *parts, query = values
    result = "".join([part if part.__class__ is str else "" if part is UNDEFINED else text(part, query) for part in parts])
    if len(result) > LONGEST_TEXT:
        raise too_long(query)
    return result


def too_long(query: Query) -> Exception:
    return query.failed("D1000", f"The evaluation needs a text of more than {LONGEST_TEXT} characters")


def json(value: Any, query: Query) -> str:
    """A value as JSON text, numbers with 15 digits."""
    if _surely_too_long(value):
        raise too_long(query)
    parts: list[str] = []
    try:
        _write(value, parts.append, [LONGEST_TEXT], 0)
    except _TooLarge:
        raise too_long(query) from None
    except OverflowError:  # a whole number that is no double
        raise out_of_range(query) from None
    result = "".join(parts)
    if len(result) > LONGEST_TEXT:  # with its backslashes
        raise too_long(query)
    return result


def _surely_too_long(value: Any) -> bool:
    """Whether there are more items and fields in a value than its text may have characters: seen without looking at each, since one list
    may be in it ten thousand times."""
    level: list[Any] = [value] if value.__class__ is list or value.__class__ is dict else []
    least = 0
    while level:
        least += sum(map(len, level))
        if least > LONGEST_TEXT:
            return True
        level = [
            item
            for container in level
            for item in (container if container.__class__ is list else container.values())
            if item.__class__ is list or item.__class__ is dict
        ]
    return False


class _TooLarge(Exception):  # noqa: N818 - it never leaves here
    pass


def _write(value: Any, write: Any, left: list[int], depth: int) -> None:
    kind = value.__class__
    if kind is str:
        left[0] -= len(value)
        if left[0] < 0:
            raise _TooLarge
        write(_text(value))
    elif kind is int or kind is float:
        write(number_text(value))
    elif value is None:
        write("null")
    elif kind is bool:
        write("true" if value else "false")
    elif kind is list or kind is dict:
        left[0] -= len(value)
        if left[0] < 0 or depth > DEEPEST:
            raise _TooLarge
        comma = ""
        write("[" if kind is list else "{")
        if kind is list:
            for item in value:
                write(comma)
                _write(item, write, left, depth + 1)
                comma = ","
        else:
            for name, member in value.items():
                write(comma)
                write(_text(name))
                write(":")
                _write(member, write, left, depth + 1)
                comma = ","
        write("]" if kind is list else "}")
    else:
        raise TypeError(f"{kind} is no JSON value")


def _text(value: str) -> str:
    try:
        return _quote(value).decode()
    except TypeError:  # half a character
        return "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else _quote(c).decode()[1:-1] for c in value).join('""')


def number_text(value: int | float) -> str:
    """A number as JavaScript writes it after rounding it to 15 digits, halves up; ``null`` where that is no double any more."""
    if value.__class__ is int and -EXACT < value < EXACT:
        return str(value)
    value = float(value)
    if float(f"{value:.15g}") != value:
        value = float(_15_DIGITS.create_decimal_from_float(value))  # unlike the format, which takes halves to the even digit
    if value.is_integer() and abs(value) < SAFE:
        return str(int(value))
    if not math.isfinite(value):
        return "null"
    written = repr(value)
    digits, e, exponent = written.partition("e")
    if abs(value) < LARGEST_INTEGER and (not e or int(exponent) > -7):
        return format(Decimal(written.removesuffix(".0")), "f")
    power = int(exponent)
    return f"{digits}e{'+' if power > 0 else '-'}{abs(power)}"
