"""A record of Kinesis in; out, the user records that a producer library (KPL) has put together into it, or None when it is a single one.

The format is four magic bytes, a protobuf message, and the MD5 of that message. Of the message: field 1, the partition keys; field 3, the
records, each with the index of its key (1) and its data (3). Read here, in a few lines, since a library for it would bring protobuf along.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import md5

MAGIC = b"\xf3\x89\x9a\xc2"  # no text of UTF-8 begins like this
_DIGEST = 16  # bytes
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def deaggregated(data: bytes) -> list[tuple[bytes, bytes]] | None:
    """Partition key and data of each user record, in their order. None for what is no aggregated record, or a broken or an empty
    one: that stays one record, which is no JSON, and becomes a dead letter as it is."""
    if not data.startswith(MAGIC) or len(data) < len(MAGIC) + _DIGEST:
        return None
    message = data[len(MAGIC) : -_DIGEST]
    if md5(message, usedforsecurity=False).digest() != data[-_DIGEST:]:
        return None
    try:
        return list(_records(message)) or None
    except (ValueError, IndexError):
        return None


def _records(message: bytes) -> Iterator[tuple[bytes, bytes]]:
    fields = list(_fields(message))
    keys = [content for number, content in fields if number == 1 and isinstance(content, bytes)]
    for number, content in fields:
        if number == 3 and isinstance(content, bytes):
            own = dict(_fields(content))  # the last one of a number counts
            index, data = own.get(1), own.get(3)
            if not isinstance(index, int) or not isinstance(data, bytes):
                raise ValueError("a record without key or data")
            yield keys[index], data


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message, by number. ValueError or IndexError where it is cut short, or is none."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + length > len(message):
            raise ValueError("cut short")
        yield tag >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number that is too long")
