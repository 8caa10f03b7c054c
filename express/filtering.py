"""Records in, those that a pipeline's patterns match out: what a record looks like to a pattern, by the kind of its source."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

from express import patterns
from express.runtime.context import Message, identity
from express.runtime.values import loads

Get = Callable[[Message], Any]
MOST_PATTERNS = 100


def _text(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return b64encode(value).decode()


def _headers(message: Message) -> Any:
    return {name: _text(value) for name, value in message.headers}


def _attributes(message: Message) -> Any:
    return {name: {"stringValue": _text(value)} for name, value in message.headers}


def _body(message: Message) -> Any:
    return None if message.value is None else loads(message.value)


def _key(message: Message) -> Any:
    return _text(message.key)


_GETS: dict[str, tuple[str, Get]] = {
    "value": ("the event", _body),
    "key": ("its key as text", _key),
    "headers": ("its headers by name", _headers),
    "topic": ("where it was", lambda message: message.topic),
    "partition": ("its partition", lambda message: message.partition),
    "offset": ("its offset", lambda message: message.offset),
    "id": ("what its source calls it", identity),
    "timestamp": ("milliseconds since the epoch", lambda message: message.timestamp),
}
_OFFSETS = ("value", "key", "headers", "topic", "partition", "offset", "timestamp")
_LEASED = ("value", "key", "headers", "topic", "id", "timestamp")
# AWS's names where Pipes has the source; ``value``, ``key`` and ``headers`` everywhere
_OWN: dict[str, dict[str, Get]] = {
    "sqs": {"body": _body, "messageId": identity, "messageAttributes": _attributes},
    "kinesis": {"data": _body, "partitionKey": _key, "sequenceNumber": identity},
}
_LEASING = frozenset({"sqs", "redis", "queue", "kinesis"})


def fields(kind: str) -> dict[str, Get]:
    """What a pattern may look at of the records of a source, by the scheme of its address."""
    return {**_OWN.get(kind, {}), **{name: _GETS[name][1] for name in (_LEASED if kind in _LEASING else _OFFSETS)}}


def listed(given: Any) -> list[Any]:
    """The patterns of a setting: it is one, or a list of them."""
    return list(given) if isinstance(given, list | tuple) else [given]


def problems(given: Any, kind: str) -> list[tuple[str, str]]:
    """What is wrong with a pipeline's patterns: the place and a sentence for each."""
    found = listed(given)
    if not 1 <= len(found) <= MOST_PATTERNS:
        return [("", f"expected a pattern, or a list of at most {MOST_PATTERNS}")]
    known = dict.fromkeys(fields(kind), "")
    single = not isinstance(given, list | tuple)
    return [
        ("" if single and not place else (f".{place}" if single else f"[{number}]{'.' if place else ''}{place}"), sentence)
        for number, pattern in enumerate(found)
        for place, sentence in patterns.compiled(pattern, known)[1]
    ]


class Filter:
    """Lets through what one of its patterns matches. What cannot be decoded, or is too large to be, is let through where a pattern looks
    at the event: the workflow's pipeline makes poison of it."""

    def __init__(self, given: Any, kind: str, payload: int) -> None:
        found = listed(given)
        self._tests = tuple(patterns.compiled(pattern)[0] for pattern in found)
        known = fields(kind)
        looked = dict.fromkeys(name for pattern in found for name in patterns.names(pattern))
        self._gets = tuple((name, known[name]) for name in looked)
        self._payload = payload if any(known[name] is _body for name in looked) else None

    def admits(self, message: Message) -> bool:
        if self._payload is not None and message.value is not None and len(message.value) > self._payload:
            return True
        try:
            event = {name: get(message) for name, get in self._gets}
        except ValueError:
            return True
        return any(test(event) for test in self._tests)

    def sorted(self, messages: Sequence[Message]) -> tuple[list[Message], list[Message]]:
        """Those let through, in their order, and the others."""
        admitted: list[Message] = []
        refused: list[Message] = []
        for message in messages:
            (admitted if self.admits(message) else refused).append(message)
        return admitted, refused
