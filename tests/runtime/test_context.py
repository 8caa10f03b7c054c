"""What an execution says about itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import pytest

from express.runtime.context import Execution, execution_name, iso
from express.testing import VirtualClock
from tests.handmade import Handmade

PROGRAM = Handmade(lambda data, execution: data, plain=True)


@dataclass
class Record:
    topic: str = "orders"
    partition: int = 3
    offset: int = 42
    key: bytes | None = b"k\xc3\xbc"
    value: bytes | None = b"{}"
    headers: Sequence[tuple[str, bytes]] = field(default_factory=lambda: [("trace", b"abc"), ("raw", b"\xff\xfe")])
    timestamp: int = 1_790_000_000_000


def made(**changes: object) -> Execution:
    return Execution(PROGRAM, {"a": 1}, 0.0, 300.0, clock=VirtualClock(start=1_790_000_000.0), **changes)  # type: ignore[arg-type]


def test_an_execution_is_named_after_its_record() -> None:
    assert made(message=Record()).name == "orders-3-42"
    assert made(message=Record()).name == execution_name(Record())


def test_a_long_name_is_hashed_and_stays_the_same() -> None:
    record = Record(topic="t" * 249)
    name = made(message=record).name
    assert name == sha256(f"{'t' * 249}-3-42".encode()).hexdigest()
    assert len(name) <= 80


def test_an_execution_without_a_record_has_a_name_of_its_own_or_the_given_one() -> None:
    execution = made()
    assert re.fullmatch(r"[0-9a-f-]{36}", execution.name)
    assert execution.name == execution.name
    assert made().name != execution.name
    assert made(given_name="mine", message=Record()).name == "mine"


def test_times_are_written_as_aws_writes_them() -> None:
    assert iso(0) == "1970-01-01T00:00:00.000Z"
    assert iso(1_790_000_000.1239) == "2026-09-21T14:13:20.123Z"


def test_the_start_time_does_not_move() -> None:
    execution = made()
    execution.clock.advance(100)
    assert execution.start_time == "2026-09-21T14:13:20.000Z"
    execution.clock.advance(100)
    assert execution.start_time == "2026-09-21T14:13:20.000Z"
    assert execution.now() == "2026-09-21T14:16:40.000Z"


def test_the_source_is_the_record() -> None:
    assert made(message=Record(), kind="kafka").source() == {
        "kind": "kafka",
        "topic": "orders",
        "partition": 3,
        "offset": 42,
        "key": "kü",
        "headers": {"trace": "abc", "raw": "//4="},
        "timestamp": 1_790_000_000_000,
    }
    assert made().source() is None
    assert made(message=Record(key=None, headers=())).source() == {**(made(message=Record()).source() or {}), "key": None, "headers": {}}


def test_the_whole_context_object() -> None:
    context = made(message=Record(), extra={"Team": "shop"}).context("Charge", "2026-09-21T14:13:20.000Z", 2, (1, {"x": 1}))
    assert list(context) == ["Execution", "State", "StateMachine", "Map", "Source", "Team"]
    assert context["Execution"] == {
        "Id": "arn:aws:states:us-east-1:000000000000:express:handmade:orders-3-42",
        "Input": {"a": 1},
        "Name": "orders-3-42",
        "RoleArn": "arn:aws:iam::000000000000:role/express",
        "StartTime": "2026-09-21T14:13:20.000Z",
    }
    assert context["State"] == {"EnteredTime": "2026-09-21T14:13:20.000Z", "Name": "Charge", "RetryCount": 2}
    assert context["StateMachine"] == {"Id": "arn:aws:states:us-east-1:000000000000:stateMachine:handmade", "Name": "handmade"}
    assert context["Map"] == {"Item": {"Index": 1, "Value": {"x": 1}}}


@pytest.mark.parametrize("other", [False, True])
def test_executions_are_compared_by_identity(other: bool) -> None:
    one = made()
    assert (one == (made() if other else one)) is not other
    assert len({one, one}) == 1
