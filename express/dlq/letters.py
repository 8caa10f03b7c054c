"""A record as a dead-letter sink wrote it in, the original record and what became of it out."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

Headers = Sequence[tuple[str, bytes]]
FIRST = "express-execution"  # of the headers that a dead letter adds behind the record's own
KEPT = "express-first-failure"  # goes along when a record is sent again


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """``id`` names it within its box. ``key``, ``value`` and ``headers`` are the original record's, untouched; ``reasons`` are the headers
    that say what became of it (``express-error``, ...), empty for a record that is no dead letter of Express."""

    id: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    reasons: Mapping[str, str]

    def reason(self, name: str) -> str:
        """``error``, ``state``, ``last-failure``, ... or nothing."""
        return self.reasons.get(f"express-{name}", "")


class Record(msgspec.Struct, kw_only=True):
    """An original record on its way back: what a sink, or a workflow, takes for a message."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int = 0
    offset: int = 0
    timestamp: int = 0


def letter(identity: str, key: bytes | None, value: bytes | None, headers: Headers) -> Letter:
    """From a record with headers: those from the last ``express-execution`` on are ours."""
    names = [name for name, _ in headers]
    ours = len(names) - 1 - names[::-1].index(FIRST) if FIRST in names else len(names)
    reasons = {name: content.decode(errors="replace") for name, content in headers[ours:]}
    return Letter(id=identity, key=key, value=value, headers=tuple(headers[:ours]), reasons=reasons)


def record(one: Letter) -> Record:
    """The original record, as it goes back to its topic: it keeps when it first failed."""
    headers = [(name, content) for name, content in one.headers if name != KEPT]
    if first := one.reason(KEPT.removeprefix("express-")):
        headers.append((KEPT, first.encode()))
    return Record(topic="replay", key=one.key, value=one.value, headers=headers)


class _Header(msgspec.Struct):
    name: str
    value: str | None = None
    value_base64: str | None = msgspec.field(default=None, name="value-base64")


class _Envelope(msgspec.Struct):
    """A line of a file: see ``express.envelopes``."""

    headers: list[_Header] = []
    key: str | None = None
    key_base64: str | None = msgspec.field(default=None, name="key-base64")
    value: msgspec.Raw = msgspec.Raw(b"null")
    value_base64: str | None = msgspec.field(default=None, name="value-base64")


_envelope = msgspec.json.Decoder(_Envelope)


def from_line(identity: str, line: bytes) -> Letter:
    """From a line of a file. ValueError (msgspec.DecodeError) for what no dead-letter sink has written."""
    found = _envelope.decode(line)
    fields: dict[str, Any] = msgspec.json.decode(line)
    reasons = {name: _text(value) for name, value in fields.items() if name.startswith("express-")}
    if "express-error" not in reasons:
        raise ValueError("nothing says why it is one")  # a result, perhaps: --all must not remove it
    # A tombstone and a value that is JSON's null look the same in a file: both are read as null
    value = None if found.value == b"null" else bytes(found.value)
    return Letter(
        id=identity,
        key=_bytes(found.key, found.key_base64),
        value=value if found.value_base64 is None else b64decode(found.value_base64),
        headers=tuple((each.name, _bytes(each.value, each.value_base64) or b"") for each in found.headers),
        reasons=reasons,
    )


def _bytes(text: str | None, base64: str | None) -> bytes | None:
    return b64decode(base64) if base64 is not None else None if text is None else text.encode()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
