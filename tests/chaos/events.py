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


class Crowd(Events):
    """Events of the large run: besides the poison, one in ``SLOW`` takes a minute, one in twenty has a task that fails, half of those for
    good. One in twenty-one has one of 120 busy keys, a slow one has a key of its own: it does not end before the group has been quiet for
    a minute, and what waits behind it would fill the flight. The others have keys of which few are under way at once."""

    SLOW, FAILING = 1_000, 20

    def __init__(self, seconds: float, slow_seconds: float = 60.0) -> None:
        super().__init__(seconds)
        self.slow_seconds = slow_seconds

    def _slow(self, number: int) -> bool:
        return number % self.SLOW == 501 and number % 21 != 0

    def _key(self, number: int) -> bytes:
        if self._slow(number):
            return b"slow%d" % number
        return b"busy%d" % (number // 21 % 120) if number % 21 == 0 else b"k%d" % (number % 50_021)

    def _fails(self, number: int) -> str | None:
        if number % self.FAILING != 7:
            return None
        return ("always", "once")[number // self.FAILING % 2]

    def make(self, number: int) -> tuple[bytes, bytes]:
        _, value = super().make(number)
        if kind_of(number, self.every) is None:
            event: dict[str, object] = {"n": number, "seconds": self.seconds}
            if self._slow(number):
                event["seconds"] = self.slow_seconds
            if fails := self._fails(number):
                event["fails"] = fails
            value = orjson.dumps(event)
        return self._key(number), value

    def expected(self, number: int) -> Event:
        event = super().expected(number)
        return Event(number, b"Flaky") if event.reason is None and self._fails(number) == "always" else event
