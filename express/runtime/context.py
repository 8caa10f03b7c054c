"""One execution as its workflow sees it: identity, clock, deadline, Context Object."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any, Protocol

MAX_NAME = 80  # AWS: the longest execution name


class Message(Protocol):
    """One record of a source. aiokafka's ConsumerRecord is one as it is: nothing is copied."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None  # None is a tombstone: JSON null
    headers: Sequence[tuple[str, bytes]]
    timestamp: int  # milliseconds since the epoch


def execution_name(message: Message) -> str:
    """``topic-partition-offset``, hashed when over 80 characters: stable over every redelivery of the same record."""
    name = f"{message.topic}-{message.partition}-{message.offset}"
    return name if len(name) <= MAX_NAME else sha256(name.encode()).hexdigest()


class Execution:
    """What is known about one run of a workflow. Made per event: few fields, everything else computed when somebody looks.

    ``started`` and ``deadline`` are in seconds of ``clock`` (the executor's); ``message`` is the source record, if any.
    ``attempts`` counts the Task attempts of the state that failed last (for the dead letter).
    """

    __slots__ = ("__weakref__", "_name", "attempts", "clock", "deadline", "done", "extra", "fibers", "input", "message", "program", "started", "wall_started")

    # H4 (executor) and H2 (compiler) may adjust these fields together; keep the constructor cheap.
