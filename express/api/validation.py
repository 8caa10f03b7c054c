"""A request's body in, its Struct out, or a RequestError in the words in which AWS refuses it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from express.errors import RequestError

SHOWN = 2_000  # characters of a wrong value that are repeated

T = TypeVar("T")


def decoder(shape: type[T]) -> Callable[[bytes], T]:
    """``body -> shape``. What is right is decoded at once; only what is wrong is looked at again, for all of AWS's sentences."""
    decode = msgspec.json.Decoder(shape).decode
    kind = inspect.type_info(shape)

    def decoded(body: bytes) -> T:
        try:
            return decode(body)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise _refusal(body, kind, error) from None

    return decoded


def _refusal(body: bytes, kind: inspect.Type, error: Exception) -> RequestError:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as unreadable:
        return RequestError("SerializationException", f"the body is not JSON: {unreadable}")
    try:
        found = list(_problems(value, kind, ""))
    except TypeError as mistyped:
        return RequestError("SerializationException", str(mistyped))
    if not found:  # a bound that only msgspec knows
        return RequestError("SerializationException", str(error))
    detected = f"{len(found)} validation error{'' if len(found) == 1 else 's'} detected"
    return RequestError("ValidationException", f"{detected}: {'; '.join(found)}")


def _problems(value: Any, kind: inspect.Type, place: str) -> Iterator[str]:
    """One sentence for each constraint that is not satisfied; TypeError for what has the wrong type."""
    sensitive = False
    if isinstance(kind, inspect.Metadata):
        sensitive, kind = bool(kind.extra), kind.type
    if isinstance(kind, inspect.UnionType):  # of a type and None: null is absent
        if value is not None:
            yield from _problems(value, next(one for one in kind.types if not isinstance(one, inspect.NoneType)), place)
        return
    if isinstance(kind, inspect.StructType):
        yield from _fields(value, kind, place)
        return
    if isinstance(kind, inspect.LiteralType):
        if not isinstance(value, str):
            raise TypeError(f"'{place}' has the wrong type: expected a string")
        if value not in kind.values:
            yield _said(value, place, f"Member must satisfy enum value set: [{', '.join(map(str, kind.values))}]", sensitive)
        return
    if isinstance(kind, inspect.ListType):
        if not isinstance(value, list):
            raise TypeError(f"'{place}' has the wrong type: expected a list")
        yield from _length(value, kind, place, _listed(value, kind), sensitive)
        for number, each in enumerate(value, 1):
            yield from _problems(each, kind.item_type, f"{place}.{number}.member")
        return
    if isinstance(kind, inspect.StrType):
        if not isinstance(value, str):
            raise TypeError(f"'{place}' has the wrong type: expected a string")
        yield from _length(value, kind, place, value, sensitive)
        if kind.pattern is not None and _mismatch(value, kind):
            pattern = kind.pattern.replace(r"\Z", "$")
            yield _said(value, place, f"Member must satisfy regular expression pattern: {pattern}", sensitive)
        return
    if isinstance(kind, inspect.IntType):
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"'{place}' has the wrong type: expected a whole number")
        if kind.ge is not None and value < kind.ge:
            yield _said(value, place, f"Member must have value greater than or equal to {kind.ge}", sensitive)
        if kind.le is not None and value > kind.le:
            yield _said(value, place, f"Member must have value less than or equal to {kind.le}", sensitive)
        return
    if isinstance(kind, inspect.BoolType) and not isinstance(value, bool):
        raise TypeError(f"'{place}' has the wrong type: expected true or false")


def _fields(value: Any, kind: inspect.StructType, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        raise TypeError(f"{repr(place) if place else 'the request'} has the wrong type: expected an object")
    for field in kind.fields:
        name = f"{place}.{field.encode_name}" if place else field.encode_name
        inner = value.get(field.encode_name)
        if inner is not None:
            yield from _problems(inner, field.type, name)
        elif field.required:
            yield f"Value null at '{name}' failed to satisfy constraint: Member must not be null"


def _length(value: Sequence[Any], kind: Any, place: str, shown: str, sensitive: bool) -> Iterator[str]:
    if kind.min_length is not None and len(value) < kind.min_length:
        yield _said(shown, place, f"Member must have length greater than or equal to {kind.min_length}", sensitive)
    if kind.max_length is not None and len(value) > kind.max_length:
        yield _said(shown, place, f"Member must have length less than or equal to {kind.max_length}", sensitive)


def _mismatch(value: str, kind: inspect.StrType) -> bool:
    """Whether a text does not satisfy its pattern, as msgspec judges it."""
    return re.search(kind.pattern or "", value) is None


def _said(value: Any, place: str, constraint: str, sensitive: bool) -> str:
    shown = "" if sensitive else f" '{str(value)[:SHOWN]}'"
    return f"Value{shown} at '{place}' failed to satisfy constraint: {constraint}"


def _listed(value: list[Any], kind: inspect.ListType) -> str:
    """A list as AWS's sentences show it."""
    item = kind.item_type.type if isinstance(kind.item_type, inspect.Metadata) else kind.item_type
    if not isinstance(item, inspect.StructType):
        return f"[{', '.join(map(str, value))}]"
    each = (f"{item.cls.__name__}({', '.join(f'{name}={inner}' for name, inner in one.items())})" for one in value if isinstance(one, dict))
    return f"[{', '.join(each)}]"
