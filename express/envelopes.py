"""An entry in, one line of JSON out: how sinks without headers (a file) keep what others put into a record's key, value and headers.

The names are those of the headers. ``value`` is the record's value as JSON; what is not JSON is kept as ``value-base64``: nothing is lost.
A dead letter's line also has the original record's ``headers``.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import orjson

from express.runtime.values import loads
from express.sinks import Entry

SOURCE = "express-source"  # itself JSON
_NEWLINES = bytes.maketrans(b"\n\r", b"  ")


def result(entry: Entry) -> bytes:
    """A result: its value was written by us, so it is JSON on one line."""
    fields: dict[str, Any] = {name: value.decode() for name, value in entry.headers}
    _put(fields, "key", entry.message.key)
    fields["value"] = None if entry.value is None else orjson.Fragment(entry.value)
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def dead_letter(entry: Entry) -> bytes:
    """A dead letter: the original record is whatever it is."""
    original = len(entry.message.headers)
    fields: dict[str, Any] = {}
    for name, text in entry.headers[original:]:
        fields[name] = orjson.Fragment(text) if name == SOURCE else text.decode(errors="replace")
    fields["headers"] = [_header(name, value) for name, value in entry.headers[:original]]
    _put(fields, "key", entry.message.key)
    value = entry.value
    if value is None:
        fields["value"] = None
    elif _is_json(value):
        # Between the tokens of JSON a newline is a space, and within a text there is none
        fields["value"] = orjson.Fragment(value.translate(_NEWLINES))
    else:
        fields["value-base64"] = b64encode(value).decode()
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def _is_json(value: bytes) -> bool:
    try:
        loads(value)
    except ValueError:
        return False
    return True


def _header(name: str, value: bytes) -> dict[str, str]:
    fields = {"name": name.encode(errors="replace").decode()}
    _put(fields, "value", value)
    return fields


def _put(fields: dict[str, Any], name: str, value: bytes | None) -> None:
    """Bytes as text where they are text, else as base64 under another name."""
    try:
        fields[name] = None if value is None else value.decode()
    except UnicodeDecodeError:
        fields[f"{name}-base64"] = b64encode(value or b"").decode()
