"""A record and how its execution ended in, the headers of its dead letter out."""

from __future__ import annotations

from typing import Protocol

import orjson

from express.outcome import Outcome
from express.runtime import context
from express.runtime.context import Message, execution_name, identity, iso

MAX_CAUSE = 1_024  # bytes

# Error names of what never became an execution, or ended well and could not be written
UNDECODABLE = "Express.Undecodable"
TOO_LARGE = "Express.TooLarge"
RESULT_REJECTED = "Express.ResultRejected"

Header = tuple[str, bytes]


class Workflow(Protocol):
    """The part of a Program that a dead letter names."""

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...


class History(Protocol):
    """Of a record that was executed several times: the executions that failed."""

    executions: int
    attempts: int
    first_failure: float  # seconds since the epoch


def headers(
    message: Message,
    outcome: Outcome,
    workflow: Workflow,
    kind: str,
    failed: float,
    history: History | None = None,
    execution: str | None = None,
) -> list[Header]:
    """The record's own headers, untouched, followed by ours; ``failed`` is when, in seconds since the epoch.

    ``express-first-failure`` is kept from a record that was a dead letter before. With a ``history`` the attempts are those of all its
    executions, and ``express-executions`` says how many these were. ``execution``: its name, where it is not
    the record's own. The value is never repeated here, except for what the
    workflow itself wrote into its cause.
    """
    own = dict(message.headers)
    now = iso(failed).encode()
    return [
        *message.headers,
        ("express-execution", _text(execution or execution_name(message))),
        ("express-workflow", _text(workflow.name)),
        ("express-definition", _text(workflow.sha256)),
        ("express-status", _text(outcome.status)),
        ("express-state", _text(outcome.state)),
        ("express-error", _text(outcome.error)),
        ("express-cause", cut(_text(outcome.cause), MAX_CAUSE)),
        ("express-attempts", b"%d" % (outcome.attempts if history is None else history.attempts)),
        *([] if history is None else [("express-executions", b"%d" % history.executions)]),
        ("express-first-failure", own.get("express-first-failure") or (now if history is None else iso(history.first_failure).encode())),
        ("express-last-failure", now),
        ("express-source", orjson.dumps({**context.place(message, kind), "timestamp": message.timestamp})),
    ]


def sentence(message: Message, outcome: Outcome) -> str:
    """What happened to one record, for an operator: ``the record at orders, partition 3, offset 1041 failed in state 'Charge': ...``."""
    ended = "ran out of time" if outcome.status == "TIMED_OUT" else "failed"
    state = f" in state {outcome.state!r}" if outcome.state else ""
    reason = ": ".join(part for part in (outcome.error, cut(_text(outcome.cause), 300).decode()) if part)
    return f"the record at {place(message)} {ended}{state}{': ' + reason if reason else ''}"


def too_large(size: int, limit: int) -> str:
    return f"the event has {size:,} bytes, the limit is {limit:,}"


def place(message: Message) -> str:
    if (name := identity(message)) is not None:
        return f"{message.topic}, record {name}"
    return f"{message.topic}, partition {message.partition}, offset {message.offset}"


def cut(text: bytes, limit: int) -> bytes:
    """At most ``limit`` bytes of UTF-8 text, without half a character at the end."""
    return text if len(text) <= limit else text[:limit].decode(errors="ignore").encode()


def _text(text: str | None) -> bytes:
    return b"" if text is None else text.encode(errors="backslashreplace")
