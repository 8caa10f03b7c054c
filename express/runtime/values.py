"""JSON values: text in, plain dicts and lists out, and back; copies, checks of what foreign code returned, sizes.

Inside the engine a JSON value is built of exactly ``dict``, ``list``, ``str``, ``int``, ``float``, ``bool`` and None: ``loads`` and
``adopt`` see to it, and everything else relies on it. Nothing here recurses: a workflow that wraps its data in a loop nests
deeper than Python can.
"""

from __future__ import annotations

import re
import uuid
from math import isfinite
from typing import Any, NoReturn

import msgspec
import orjson

from express.runtime.failures import StateError
from express.runtime.limits import DEPTH, INTEGER_DIGITS, PAYLOAD, RESULT_DEPTH

CONTAINERS = frozenset({dict, list})
SCALARS = frozenset({str, int, float, bool, type(None)})
PLAIN = CONTAINERS | SCALARS

# A small result: so many fields, names and texts no longer than that, hence surely no more bytes, should every character be escaped
SMALL, SHORT = 8, 512
SURELY = SMALL * (2 * SHORT * 6 + 32)
WIDE = 2**63

# One half of a surrogate pair alone: msgspec says of such a text that the data was cut off
_LONE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]")
_decode = msgspec.json.Decoder().decode  # exact integers of any size, which orjson turns into floats; and faster on distinct small events
_encode = orjson.dumps
_quote = msgspec.json.Encoder().encode  # a text; UnicodeEncodeError for lone surrogates, where orjson has TypeError for everything


# --- Text -------------------------------------------------------------------------------------------------------------------------


def loads(data: bytes | str) -> Any:
    """JSON text to a value. ValueError with one sentence for what is not JSON, nests too deep or holds a number nobody can keep."""
    try:
        value = _decode(data)
    except RecursionError:
        raise ValueError(f"it nests deeper than {DEPTH} levels") from None
    except msgspec.ValidationError as error:
        raise ValueError(f"it holds a number that cannot be kept: {_sentence(error)}") from None
    except UnicodeError:
        raise ValueError("it is not valid UTF-8") from None
    except msgspec.DecodeError as error:
        if "truncated" in str(error) and _LONE.search(data if isinstance(data, bytes) else data.encode(errors="replace")):
            raise ValueError("it is not JSON: a text in it holds one half of a surrogate pair, which is no character") from None
        raise ValueError(f"it is not JSON: {_sentence(error)}") from None
    # Text this short, or with this few brackets, cannot nest too deep; only the others are walked
    if len(data) > 2 * DEPTH:
        brackets = data.count(b"[") + data.count(b"{") if isinstance(data, bytes) else data.count("[") + data.count("{")
        if brackets > DEPTH and deeper_than(value, DEPTH):
            raise ValueError(f"it nests deeper than {DEPTH} levels")
    return value


def _sentence(error: Exception) -> str:
    text = str(error).removeprefix("JSON is malformed: ")
    return text[:1].lower() + text[1:]


def dumps(value: Any) -> bytes:
    """A value to compact JSON text, integers of any size and any nesting included."""
    try:
        return _encode(value)
    except TypeError:  # an integer beyond 64 bits, or nested deeper than orjson goes
        return _text(value, ordered=False).encode()


def identity(value: Any) -> Any:
    """Something hashable that is equal for equal JSON values: 1 and 1.0 are, 1 and true are not, the order of fields does not matter."""
    kind = value.__class__
    if kind is bool:
        return (value,)
    if kind is dict or kind is list:
        return (_text(value, ordered=True), kind)
    return value


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values, as ``identity``; ends at the first difference."""
    left = [(one, other)]
    while left:
        one, other = left.pop()
        if one is other:  # an expression may put one list into another many thousand times
            continue
        kind = one.__class__
        if kind is dict:
            if other.__class__ is not dict or len(one) != len(other):
                return False
            for name, member in one.items():
                if name not in other:
                    return False
                left.append((member, other[name]))
        elif kind is list:
            if other.__class__ is not list or len(one) != len(other):
                return False
            left.extend(zip(one, other, strict=True))
        elif one != other or (kind is bool) is not (other.__class__ is bool):
            return False
    return True


def _text(value: Any, *, ordered: bool) -> str:
    """Compact JSON without recursion. ``ordered`` sorts fields and writes 1.0 as 1, so that equal values have equal texts."""
    parts: list[str] = []
    write = parts.append
    # What is left to write, the next at the end: a text goes out as it is, a value wrapped in a tuple has yet to be written
    left: list[str | tuple[Any]] = [(value,)]
    while left:
        entry = left.pop()
        if isinstance(entry, str):
            write(entry)
            continue
        item = entry[0]
        kind = item.__class__
        if kind is dict:
            write("{")
            left.append("}")
            fields = sorted(item.items(), reverse=True) if ordered else reversed(item.items())
            before = len(item)
            for name, member in fields:
                before -= 1
                left.append((member,))
                left.append(f"{',' if before else ''}{_quote(name).decode()}:")
        elif kind is list:
            write("[")
            left.append("]")
            for position in range(len(item) - 1, -1, -1):
                left.append((item[position],))
                if position:
                    left.append(",")
        elif kind is str:
            write(_quote(item).decode())
        elif kind is int:
            write(str(item))
        elif kind is float and ordered and item.is_integer():
            write(str(int(item)))
        else:
            write(_encode(item).decode())
    return "".join(parts)


# --- Sizes ------------------------------------------------------------------------------------------------------------------------


def size(value: Any) -> int:
    """Bytes of ``value`` as compact UTF-8 JSON: what AWS's 256 KiB limit counts."""
    return len(dumps(value))


def at_most(value: Any, limit: int) -> bool:
    """Whether ``value`` is at most ``limit`` bytes as JSON. Serialising in C is the fastest way to know."""
    try:
        return len(_encode(value)) <= limit
    except TypeError:
        return len(dumps(value)) <= limit


def at_most_shared(value: Any, limit: int) -> bool:
    """``at_most`` for what was built from many references: one object in it ten thousand times must not become gigabytes of text first."""
    return not surely_over(value, limit) and at_most(value, limit)


def surely_over(value: Any, limit: int) -> bool:
    """Whether even a lower bound of the size of ``value`` exceeds ``limit``; stops as soon as it does."""
    least = 0
    left = [value]
    while left:
        item = left.pop()
        kind = item.__class__
        if kind is str:
            least += len(item) + 2
        elif kind is dict:
            least += 4 * len(item)
            left.extend(item.values())
        elif kind is list:
            least += len(item)
            left.extend(item)
        else:
            least += 1
        if least > limit:
            return True
    return False


def deeper_than(value: Any, depth: int) -> bool:
    """Whether containers nest more than ``depth`` levels in ``value``."""
    level: list[Any] = [value] if value.__class__ in CONTAINERS else []
    for _ in range(depth):
        level = [
            item
            for container in level
            for item in (container.values() if container.__class__ is dict else container)
            if item.__class__ in CONTAINERS
        ]
        if not level:
            return False
    return bool(level)


# --- Copies -----------------------------------------------------------------------------------------------------------------------


def copy(value: Any) -> Any:
    """A value that shares no container with ``value``, which is already plain JSON (``loads`` or ``adopt`` made it)."""
    kind = value.__class__
    if kind is dict:
        made = value.copy()
        for item in made.values():
            if item.__class__ is dict or item.__class__ is list:
                return _copy_inside(made)
        return made
    if kind is list:
        return _copy_inside(value.copy())
    return value


def _copy_inside(made: Any) -> Any:
    """Replaces every container below ``made``, which is itself a copy already, by a copy."""
    pending = [made]
    for container in pending:  # grows while it is walked: breadth first, no recursion
        if container.__class__ is dict:
            for name, item in container.items():
                if item.__class__ is dict or item.__class__ is list:
                    container[name] = inner = item.copy()  # an existing key: the dict may be iterated on
                    pending.append(inner)
        else:
            for position, item in enumerate(container):
                if item.__class__ is dict or item.__class__ is list:
                    container[position] = inner = item.copy()
                    pending.append(inner)
    return made


# --- What foreign code returned ---------------------------------------------------------------------------------------------------


def adopt(value: Any, limit: int = PAYLOAD, state: str = "") -> Any:
    """What a function returned, checked and copied: plain JSON that nobody outside can change.

    Tuples become lists, subclasses (IntEnum, OrderedDict, ...) their plain base. StateError ``Runtime.MarshalError`` for what is not JSON:
    other types, keys that are not text, NaN and infinity, lone surrogates, cycles; ``States.DataLimitExceeded`` over ``limit`` bytes.
    """
    kind = value.__class__
    if kind is dict and len(value) <= SMALL and limit >= SURELY:
        # Short ASCII names and texts and plain numbers, as most results are: a look at each is faster than asking orjson
        try:
            for name, item in value.items():
                if name.__class__ is str and len(name) <= SHORT and name.isascii():
                    inner = item.__class__
                    if inner is bool or item is None:
                        continue
                    if inner is float:
                        if item - item == 0.0:  # not so for NaN and infinity
                            continue
                    elif inner is str:
                        if len(item) <= SHORT and item.isascii():
                            continue
                    elif inner is int and -WIDE < item < WIDE:
                        continue
                break
            else:
                return value.copy()
        except RuntimeError:  # another thread still changes it
            pass
    if kind is not dict and kind is not list:
        return _adopt(value, limit, state)
    made = value.copy()
    # The usual result is a flat dict of scalars. Others are copied container by container, counted so that lists sharing lists stay small
    if kind is list or not SCALARS.issuperset(map(type, made.values())):
        pending = [made]
        nodes = 0
        for container in pending:
            nodes += len(container)
            if 2 * nodes > limit:  # an item and its comma are at least two bytes
                return _adopt(value, limit, state)
            for place, item in container.items() if container.__class__ is dict else enumerate(container):
                if item.__class__ in SCALARS:
                    continue
                if item.__class__ is not dict and item.__class__ is not list:
                    return _adopt(value, limit, state)
                container[place] = inner = item.copy()
                pending.append(inner)
    try:
        text = _encode(made)  # refuses keys that are not exactly str, integers beyond 64 bits, lone surrogates, deep nesting
    except TypeError:
        return _adopt(value, limit, state)
    # orjson writes NaN and infinity as null: only where there is a null are the numbers worth a look
    if len(text) > limit or (b"null" in text and _has_odd_number(made)):
        return _adopt(value, limit, state)
    return made


def _has_odd_number(value: Any) -> bool:
    left = [value]
    while left:
        container = left.pop()
        for item in container.values() if container.__class__ is dict else container:
            if item.__class__ is float:
                if not isfinite(item):
                    return True
            elif item.__class__ in CONTAINERS:
                left.append(item)
    return False


def _adopt(value: Any, limit: int, state: str) -> Any:
    """``adopt`` for everything unusual, item by item; knows what is wrong."""
    holder: list[Any] = []
    level: list[tuple[Any, Any]] = [([value], holder)]
    nodes = 0
    try:
        # Level by level, so that a cycle ends at the depth limit; counting nodes, so that lists that share lists do not explode before it
        for _ in range(RESULT_DEPTH + 1):
            below: list[tuple[Any, Any]] = []
            for source, made in level:
                nodes += len(source)
                if 2 * nodes > limit + 2:  # an item and its comma are at least two bytes
                    raise too_large(state)
                if made.__class__ is list:
                    for item in source:
                        if item.__class__ not in PLAIN:
                            item = _plain(item)
                        if item.__class__ is dict or item.__class__ is list:
                            inner: Any = item.__class__()
                            below.append((item, inner))
                            item = inner
                        elif item.__class__ is float and not isfinite(item):
                            _refuse(f"Out of range float values are not JSON compliant: {item!r}")
                        made.append(item)
                else:
                    for name, item in source.items():
                        if name.__class__ is not str:
                            name = _plain_name(name)
                        if item.__class__ not in PLAIN:
                            item = _plain(item)
                        if item.__class__ is dict or item.__class__ is list:
                            inner = item.__class__()
                            below.append((item, inner))
                            item = inner
                        elif item.__class__ is float and not isfinite(item):
                            _refuse(f"Out of range float values are not JSON compliant: {item!r}")
                        made[name] = item
            if not below:
                break
            level = below
        else:
            _refuse(f"Circular reference, or nested deeper than {RESULT_DEPTH} levels")
        result = holder[0]
        if len(dumps(result)) > limit:
            raise too_large(state)
    except StateError:
        raise
    except UnicodeEncodeError:
        _refuse("a text holds a lone surrogate, which has no UTF-8 form")
    except ValueError:
        _refuse(f"an integer has more than {INTEGER_DIGITS} digits")
    except Exception as error:  # a subclass whose own methods fail, a dict that another thread still changes
        _refuse(f"{type(error).__name__}: {error}")
    return result


def _plain(item: Any) -> Any:
    """A subclass, a tuple: as what JSON knows."""
    if isinstance(item, str):
        return str.__str__(item)
    if isinstance(item, int):
        return int.__index__(item)
    if isinstance(item, float):
        return float.__float__(item)
    if isinstance(item, dict):
        return dict(item.items())
    if isinstance(item, (list, tuple)):
        return list(item)
    return _refuse(f"Object of type {type(item).__name__} is not JSON serializable")


def _plain_name(name: Any) -> str:
    if isinstance(name, str):
        return str.__str__(name)
    return _refuse(f"keys must be str, not {type(name).__name__}")


def _refuse(reason: str) -> NoReturn:
    """Fails as the Lambda Python runtime does when it cannot write a result."""
    cause = {
        "errorMessage": f"Unable to marshal response: {reason}",
        "errorType": "Runtime.MarshalError",
        "requestId": str(uuid.uuid4()),
        "stackTrace": [],
    }
    raise StateError("Runtime.MarshalError", _encode(cause).decode()) from None


def too_large(state: str) -> StateError:
    """AWS's failure for a result over the limit."""
    return StateError(
        "States.DataLimitExceeded",
        f"The state/task '{state}' returned a result with a size exceeding the maximum number of bytes service limit.",
    )
