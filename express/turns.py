"""Messages of one assignment in, those that may run now out: one at a time of each key, or of the whole partition, in offset order."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal, TypeAlias

from express.runtime.context import Message

Order: TypeAlias = Literal["unordered", "key", "partition"]


class Turns:
    """Whose turn it is. A turn lasts from the start of an execution until it has ended and its result or dead letter was handed over to the
    sink: retries are inside it. Records without a key have nothing to be in order with: by key, each runs at once.

    What waits for its turn has been taken from the source and counts as in flight.
    """

    __slots__ = ("_by_key", "_waiting", "waiting", "waiting_bytes")

    def __init__(self, order: Literal["key", "partition"]) -> None:
        self._by_key = order == "key"
        self.waiting = self.waiting_bytes = 0  # messages that do, and bytes of their values
        self._waiting: dict[bytes, deque[Message]] = {}  # by the key whose turn is taken; of a partition, by none

    def _key(self, message: Message) -> bytes | None:
        return message.key if self._by_key else b""

    def waits(self, message: Message) -> bool:
        """Whether somebody else's turn it is; then the message is kept until ``next`` gives it out."""
        if not self._waiting:  # as always when nothing is slow
            return False
        key = self._key(message)
        queue = self._waiting.get(key) if key is not None else None
        if queue is None:
            return False
        queue.append(message)
        self._count(1, message)
        return True

    def take(self, message: Message) -> None:
        """The message's execution goes on: nobody else of its key may begin."""
        if (key := self._key(message)) is not None:
            self._waiting.setdefault(key, deque())

    def next(self, message: Message) -> Message | None:
        """The message's turn is over: whose it is now, if somebody waits."""
        key = self._key(message)
        queue = self._waiting.get(key) if key is not None else None
        if queue:
            following = queue.popleft()
            self._count(-1, following)
            return following
        if key is not None:
            self._waiting.pop(key, None)
        return None

    def end(self, message: Message) -> None:
        """The message's turn is over, and nobody's begins."""
        if (key := self._key(message)) is not None and not self._waiting.get(key):
            self._waiting.pop(key, None)

    def give_up(self) -> Sequence[Message]:
        """All that wait: they will not run now. Turns that are taken go on."""
        waiting = [message for queue in self._waiting.values() for message in queue]
        for queue in self._waiting.values():
            queue.clear()
        self.waiting = self.waiting_bytes = 0
        return waiting

    def _count(self, messages: int, message: Message) -> None:
        self.waiting += messages
        if message.value is not None:
            self.waiting_bytes += messages * len(message.value)
