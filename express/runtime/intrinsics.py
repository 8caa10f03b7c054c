"""The intrinsic functions: evaluated arguments in, a JSON value out, or ``States.IntrinsicFailure``.

None changes or keeps an argument; a result may share parts with its arguments, which is free because values are never mutated.
What a workflow holds is at most 256 KiB, and every function takes time in proportion to its arguments.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import random
import re
import uuid as uuids
from collections.abc import Callable
from math import floor
from typing import Any

from express.runtime.failures import StateError
from express.runtime.limits import ARRAY_RANGE_ITEMS, BASE64_CHARACTERS, HASH_CHARACTERS, LARGEST_INTEGER, PAYLOAD, SMALLEST_INTEGER
from express.runtime.values import dumps, identity, loads, surely_over

HASHES: dict[str, str] = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


def failure(function: str, reason: str) -> StateError:
    return StateError("States.IntrinsicFailure", f"The function 'States.{function}' had the following error: {reason}")


# --- Arrays -----------------------------------------------------------------------------------------------------------------------


def array(*items: Any) -> list[Any]:
    return list(items)


def array_partition(items: Any, size: Any) -> list[list[Any]]:
    items = _array("ArrayPartition", items)
    size = _integer("ArrayPartition", size)
    if size <= 0:
        raise failure("ArrayPartition", f"the chunk size must be greater than 0, but is {size}")
    return [items[start : start + size] for start in range(0, len(items), size)]


def array_contains(items: Any, wanted: Any) -> bool:
    wanted = identity(_bounded("ArrayContains", wanted))
    return any(identity(item) == wanted for item in _bounded("ArrayContains", _array("ArrayContains", items)))


def array_range(first: Any, last: Any, step: Any) -> list[int]:
    first, last, step = _integer("ArrayRange", first), _integer("ArrayRange", last), _integer("ArrayRange", step)
    if step == 0:
        raise failure("ArrayRange", "the increment must not be 0")
    made = range(first, last + (1 if step > 0 else -1), step)
    if len(made) > ARRAY_RANGE_ITEMS:
        raise failure("ArrayRange", f"the array would have {len(made)} items, at most {ARRAY_RANGE_ITEMS} are allowed")
    return list(made)


def array_get_item(items: Any, index: Any) -> Any:
    items = _array("ArrayGetItem", items)
    index = _integer("ArrayGetItem", index)
    if not 0 <= index < len(items):
        raise failure("ArrayGetItem", f"index {index} is out of bounds for an array of {len(items)}")
    return items[index]


def array_length(items: Any) -> int:
    return len(_array("ArrayLength", items))


def array_unique(items: Any) -> list[Any]:
    """Keeps the first of equal items."""
    seen: dict[Any, Any] = {}
    for item in _bounded("ArrayUnique", _array("ArrayUnique", items)):
        seen.setdefault(identity(item), item)
    return list(seen.values())


# --- Encoding, hashes -------------------------------------------------------------------------------------------------------------


def base64_encode(text: Any) -> str:
    return base64.b64encode(_text("Base64Encode", text, BASE64_CHARACTERS).encode()).decode()


def base64_decode(text: Any) -> str:
    """Line breaks and missing padding are accepted, as MIME's decoders do; bytes that are not UTF-8 become U+FFFD, as in Java."""
    packed = _text("Base64Decode", text, BASE64_CHARACTERS).replace("\r", "").replace("\n", "").rstrip("=")
    try:
        return binascii.a2b_base64(packed + "=" * (-len(packed) % 4), strict_mode=True).decode(errors="replace")
    except ValueError:
        raise failure("Base64Decode", "the argument is not Base64") from None


def hash_(data: Any, algorithm: Any) -> str:
    name = HASHES.get(algorithm) if algorithm.__class__ is str else None
    if name is None:
        raise failure("Hash", f"the algorithm must be one of {', '.join(HASHES)}")
    return hashlib.new(name, _text("Hash", data, HASH_CHARACTERS).encode(), usedforsecurity=False).hexdigest()


# --- JSON -------------------------------------------------------------------------------------------------------------------------


def json_merge(one: Any, other: Any, deep: Any) -> dict[str, Any]:
    if deep is not False:
        raise failure("JsonMerge", "the third argument must be false: only shallow merging is supported")
    if one.__class__ is not dict or other.__class__ is not dict:
        raise failure("JsonMerge", "the first two arguments must be JSON objects")
    return {**one, **other}


def string_to_json(text: Any) -> Any:
    """Blank text is null, as on AWS."""
    text = _text("StringToJson", text)
    if not text or text.isspace():
        return None
    try:
        return loads(text)
    except ValueError as error:
        raise failure("StringToJson", f"the argument cannot be parsed: {error}") from None


def json_to_string(value: Any) -> str:
    return dumps(_bounded("JsonToString", value)).decode()


# --- Numbers ----------------------------------------------------------------------------------------------------------------------


def math_random(start: Any, end: Any, seed: Any = None) -> int:
    """From ``start`` to before ``end``; the same number for the same seed (not the one that AWS draws for it)."""
    start, end = _integer("MathRandom", start), _integer("MathRandom", end)
    if start >= end:
        raise failure("MathRandom", f"the start number {start} must be less than the end number {end}")
    if seed is None:
        return random.randrange(start, end)
    return random.Random(_integer("MathRandom", seed)).randrange(start, end)


def math_add(one: Any, other: Any) -> int:
    return _integer("MathAdd", one) + _integer("MathAdd", other)


# --- Text -------------------------------------------------------------------------------------------------------------------------


def string_split(text: Any, delimiters: Any) -> list[str]:
    """Splits at every character of ``delimiters``; empty pieces are dropped, as Java's tokenizer does."""
    text, delimiters = _text("StringSplit", text), _text("StringSplit", delimiters)
    if not delimiters:
        return [text] if text else []
    if len(delimiters) > 1:
        first = delimiters[0]
        text = text.translate(dict.fromkeys(map(ord, delimiters[1:]), first))
        delimiters = first
    return [piece for piece in text.split(delimiters) if piece]


def uuid() -> str:
    return str(uuids.uuid4())


# `{}`, an escaped character, a lone brace or backslash
_MARKS = re.compile(r"\{\}|\\([{}'\\])|[{}\\]")


def format_(template: Any, *values: Any) -> str:
    r"""``template`` with each ``{}`` replaced by the next value. ``\{``, ``\}``, ``\'`` and ``\\`` stand for the character itself."""
    template = _text("Format", template)
    parts: list[str] = []
    position = taken = 0
    for match in _MARKS.finditer(template):
        parts.append(template[position : match.start()])
        position = match.end()
        if match[0] != "{}":
            parts.append(match[1] or match[0])
        elif taken < len(values):
            parts.append(as_java_shows(values[taken]))
            taken += 1
        else:
            raise failure("Format", f"the template has more occurrences of {{}} than values, which are {len(values)}")
    if taken < len(values):
        raise failure("Format", f"the template has {taken} occurrences of {{}}, but {len(values)} values were given")
    parts.append(template[position:])
    if sum(map(len, parts)) > PAYLOAD:
        raise failure("Format", f"the text would be longer than {PAYLOAD} characters")
    return "".join(parts)


def as_java_shows(value: Any) -> str:
    """As AWS puts a value into text: JSON, but text without quotes, and objects and arrays as Java shows them, ``{a=1, b=[x, y]}``."""
    kind = value.__class__
    if kind is str:
        return str(value)
    if kind is not dict and kind is not list:
        return dumps(value).decode()
    value = _bounded("Format", value)
    parts: list[str] = []
    left: list[str | tuple[Any]] = [(value,)]  # as in values: a text goes out as it is, a wrapped value has yet to be shown
    while left:
        entry = left.pop()
        if isinstance(entry, str):
            parts.append(entry)
            continue
        item = entry[0]
        if item.__class__ is dict or item.__class__ is list:
            opening, closing = "{}" if item.__class__ is dict else "[]"
            parts.append(opening)
            left.append(closing)
            entries: list[tuple[str, Any]] = [(f"{name}=", member) for name, member in item.items()] if item.__class__ is dict else []
            entries = entries or [("", member) for member in item]
            for place in range(len(entries) - 1, -1, -1):
                before, member = entries[place]
                left.append((member,))
                left.append(f", {before}" if place else before)
        else:
            parts.append(item if item.__class__ is str else dumps(item).decode())
    return "".join(parts)


# --- Arguments --------------------------------------------------------------------------------------------------------------------


def _array(function: str, value: Any) -> list[Any]:
    if value.__class__ is not list:
        raise failure(function, f"an array is expected, but the argument is {_named(value)}")
    return value


def _text(function: str, value: Any, characters: int = PAYLOAD) -> str:
    if value.__class__ is not str:
        raise failure(function, f"a string is expected, but the argument is {_named(value)}")
    if len(value) > characters:
        raise failure(function, f"a string of at most {characters} characters is expected, but the argument has {len(value)}")
    return value


def _integer(function: str, value: Any) -> int:
    """Numbers with a fraction are rounded as Java rounds: to the nearest, a half upwards."""
    if value.__class__ is float:
        whole = floor(value)
        value = whole + (value - whole >= 0.5)
    if value.__class__ is not int:
        raise failure(function, f"a number is expected, but the argument is {_named(value)}")
    if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
        raise failure(function, f"the number {value} is not between {SMALLEST_INTEGER} and {LARGEST_INTEGER}")
    return value


def _bounded(function: str, value: Any) -> Any:
    """Refuses what would be over 256 KiB as text before anybody makes that text: one object may be in it ten thousand times."""
    if surely_over(value, PAYLOAD):
        raise failure(function, f"the argument is larger than {PAYLOAD} bytes")
    return value


def _named(value: Any) -> str:
    return {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}.get(value.__class__, "a number")


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Array": array,
    "ArrayPartition": array_partition,
    "ArrayContains": array_contains,
    "ArrayRange": array_range,
    "ArrayGetItem": array_get_item,
    "ArrayLength": array_length,
    "ArrayUnique": array_unique,
    "Base64Encode": base64_encode,
    "Base64Decode": base64_decode,
    "Hash": hash_,
    "JsonMerge": json_merge,
    "StringToJson": string_to_json,
    "JsonToString": json_to_string,
    "MathRandom": math_random,
    "MathAdd": math_add,
    "StringSplit": string_split,
    "UUID": uuid,
    "Format": format_,
}
