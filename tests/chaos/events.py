"""Numbered events, one in a hundred of them poison of one of five kinds, and what must become of each."""

from __future__ import annotations

from typing import NamedTuple

import orjson

KINDS = ("not JSON", "wrong shape", "too large", "raises", "hangs")
REASONS = {
    "not JSON": b"Express.Undecodable",
    "wrong shape": b"WrongShape",
    "too large": b"Express.TooLarge",
    "raises": b"ValueError",
    "hangs": b"States.Timeout",
}
_LARGE = b'{"n":0,"text":"' + b"x" * 270_000 + b'"}'


class Event(NamedTuple):
    """``reason``: of its dead letter; None: it has a result, with ``number`` and its square."""

    number: int
    reason: bytes | None


def kind_of(number: int, every: int = 100) -> str | None:
    """Poison or not. Large ones are a tenth of the poison: they are there for their size, not to load the network."""
    if number % every:
        return None
    turn = number // every
    if turn % 10 == 2:
        return "too large"
    return ("not JSON", "wrong shape", "raises", "hangs")[turn % 4]


class Events:
    """Makes them: (key, value) for a number. ``seconds``: how long the function takes for a good one."""

    def __init__(self, seconds: float, every: int = 100) -> None:
        self.seconds, self.every = seconds, every

    def make(self, number: int) -> tuple[bytes, bytes]:
        kind, key = kind_of(number, self.every), b"k%d" % (number % 997)
        if kind is None:
            return key, orjson.dumps({"n": number, "seconds": self.seconds})
        if kind == "not JSON":
            return key, b'{"n": %d, truncated' % number
        if kind == "wrong shape":
            return key, orjson.dumps({"n": f"number {number}"})
        if kind == "too large":
            return key, _LARGE
        return key, orjson.dumps({"n": number, "seconds": self.seconds, kind: True})

    def expected(self, number: int) -> Event:
        kind = kind_of(number, self.every)
        return Event(number, REASONS[kind] if kind else None)
