"""One execution as its workflow sees it: identity, clock, deadline, Context Object."""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Protocol

import msgspec

from express.clock import REAL, Clock
from express.runtime.limits import NAME_CHARACTERS

ACCOUNT = "arn:aws:states:us-east-1:000000000000"  # where executions and workflows pretend to live
ROLE = "arn:aws:iam::000000000000:role/express"  # what they pretend to be, unless somebody said it


class Message(Protocol):
    """One record of a source. aiokafka's ConsumerRecord is one as it is: nothing is copied."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None  # None is a tombstone: JSON null
    headers: Sequence[tuple[str, bytes]]
    timestamp: int  # milliseconds since the epoch


class Batch(msgspec.Struct, eq=False):
    """Several records of one assignment that run as one: a message whose ``value`` is the array of theirs."""

    topic: str
    partition: int
    offset: int  # of the first
    key: bytes | None
    value: bytes | None
    timestamp: int
    id: str
    records: Sequence[Message]
    headers: Sequence[tuple[str, bytes]] = ()


def records_of(messages: Sequence[Message]) -> Sequence[Message]:
    """The records of the source: a batch stands for its own."""
    return [record for message in messages for record in (message.records if isinstance(message, Batch) else (message,))]


def identity(message: Message) -> str | None:
    """What a record of a source without offsets is called there (a message id, a stream's id), where its offset only numbers the delivery;
    None where offsets say it."""
    found: str | None = getattr(message, "id", None)
    return found


def execution_name(message: Message) -> str:
    """``topic-partition-offset``, or the record's own id, hashed when over 80 characters: stable over every redelivery of a record."""
    name = identity(message) or f"{message.topic}-{message.partition}-{message.offset}"
    return name if len(name) <= NAME_CHARACTERS else sha256(name.encode()).hexdigest()


def place(message: Message, kind: str) -> dict[str, Any]:
    """Where a record came from, as JSON: ``kind``, ``topic``, ``partition``, ``offset``, or an ``id`` of its own instead of an offset."""
    found: dict[str, Any] = {"kind": kind, "topic": message.topic, "partition": message.partition, "offset": message.offset}
    if (name := identity(message)) is not None:
        found["offset"], found["id"] = None, name
    return found


def iso(wall: float) -> str:
    """Seconds since the epoch as AWS writes times: ``2026-01-31T23:59:59.123Z``."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


class Execution(msgspec.Struct, eq=False):
    """What is known about one run of a workflow. Made per event: filled in C, everything else computed when somebody looks.

    ``started`` and ``deadline`` are in seconds of ``clock`` (the executor's). ``message`` is the source record, if any, and ``kind`` the
    scheme of its source. ``extra`` are fields added to the Context Object. ``attempts`` counts the Task attempts of the state that failed
    last. ``fiber`` and ``done`` are the executor's.
    """

    program: Any
    input: Any
    started: float
    deadline: float
    message: Message | None = None
    kind: str = "memory"
    clock: Clock = REAL
    extra: Mapping[str, Any] | None = None
    attempts: int = 0
    fiber: Any = None
    done: Callable[[Execution, Any], None] | None = None
    given_name: str | None = None
    started_wall: float = 0.0
    given_id: str | None = None

    # Read by generated code for definite paths into the Context Object

    @property
    def name(self) -> str:
        """``$$.Execution.Name``, and what tasks and headers get as the execution's id."""
        if self.given_name is None:
            self.given_name = str(uuid.uuid4()) if self.message is None else execution_name(self.message)
        return self.given_name

    @property
    def id(self) -> str:
        """``$$.Execution.Id``."""
        return self.given_id or f"{ACCOUNT}:express:{self.program.name}:{self.name}"

    @property
    def start_time(self) -> str:
        """``$$.Execution.StartTime``."""
        if not self.started_wall:
            self.started_wall = self.clock.wall() - (self.clock.time() - self.started)
        return iso(self.started_wall)

    @property
    def role(self) -> str:
        """``$$.Execution.RoleArn``: nobody assumes it."""
        role: str = getattr(self.program, "role", ROLE)
        return role

    @property
    def workflow_id(self) -> str:
        """``$$.StateMachine.Id``."""
        return f"{ACCOUNT}:stateMachine:{self.program.name}"

    @property
    def workflow_name(self) -> str:
        """``$$.StateMachine.Name``."""
        name: str = self.program.name
        return name

    def now(self) -> str:
        """The time as the Context Object writes it: ``$$.State.EnteredTime``."""
        return iso(self.clock.wall())

    def source(self) -> dict[str, Any] | None:
        """``$$.Source``: the record that the input came from (or what ``extra`` says in its place), or None. A key that is not UTF-8 is
        given as base64. A batch has the same of each of its records under ``records``."""
        message = self.message
        if message is None:
            return self.extra.get("Source") if self.extra else None
        found = _origin(message, self.kind)
        if isinstance(message, Batch):
            found["records"] = [_origin(record, self.kind) for record in message.records]
        return found

    def context(
        self, state: str, entered: str, retries: int | None = None, item: tuple[int, Any] | None = None, token: str | None = None
    ) -> dict[str, Any]:
        """The whole Context Object (``$$``) as seen in ``state``; ``item`` is the (index, value) of the innermost Map around it,
        ``retries`` is None in states that cannot be retried."""
        context: dict[str, Any] = {
            "Execution": {
                "Id": self.id,
                "Input": self.input,
                "Name": self.name,
                "RoleArn": self.role,
                "StartTime": self.start_time,
            },
            "State": {"EnteredTime": entered, "Name": state},
            "StateMachine": {"Id": self.workflow_id, "Name": self.workflow_name},
        }
        if retries is not None:
            context["State"]["RetryCount"] = retries
        if item is not None:
            context["Map"] = {"Item": {"Index": item[0], "Value": item[1]}}
        if token is not None:
            context["Task"] = {"Token": token}
        if (source := self.source()) is not None:
            context["Source"] = source
        if self.extra:
            context.update(self.extra)
        return context


class Recorded(Execution, eq=False):
    """An execution of which a recording may be made."""

    recording: Any = None


def _origin(message: Message, kind: str) -> dict[str, Any]:
    return {
        **place(message, kind),
        "key": None if message.key is None else as_text(message.key),
        "headers": {name: as_text(value) for name, value in message.headers},
        "timestamp": message.timestamp,
    }


def as_text(value: bytes) -> str:
    """A key or a header as the Context Object has it: base64 where it is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return b64encode(value).decode()
