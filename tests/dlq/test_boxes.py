"""What a dead-letter sink wrote is read back whole from every kind of place, removed, and sent again: real files, queues and servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from express import addresses, dead_letters, registry
from express.dlq.boxes import Box, open_box
from express.dlq.letters import Letter
from express.dlq.replaying import rehearse, send
from express.errors import ConfigurationError, ConnectionFailed, PipelineStopped
from express.options import SinkOptions
from express.outcome import Outcome
from express.runtime.values import loads
from express.sinks import Entry
from express.sources import Assignment
from tests.brokers.kafka_bed import Kafka
from tests.brokers.redis_server import Server
from tests.pipelines import Workflow

Address = Callable[[], str]
HEADERS = [
    ("trace", b"\xff\x00"),
    ("trace", b"2"),
    ("key", b"no key"),
    ("value", b"no value"),
    ("express-first-failure", b"2026-01-01T00:00:00.000Z"),
]


class Message:
    partition, topic, timestamp = 0, "orders", 1_790_000_000_000

    def __init__(self, offset: int, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        self.offset, self.key, self.value, self.headers = offset, key, value, headers


MESSAGES = [
    Message(0, b"a", b'{"total": 1}', HEADERS),
    Message(1, None, b"{not json", []),
    Message(2, b"\xff\xfe", b"\xff\xfe", []),
    Message(3, b"a", b'{"text": "line\\nbreak"}', []),
]


def failed(number: int) -> Outcome:
    return Outcome("FAILED", None, "OutOfStock" if number % 2 else "Declined", f"cause {number}", "Charge", "/States/Charge")


@pytest.fixture(params=["file", "queue", "redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Address:
    """Where each call names a new place of the kind."""
    count = iter(range(10))

    def place() -> str:
        match request.param:
            case "file":
                return f"file:{tmp_path}/dead-{next(count)}.jsonl"
            case "queue":
                return f"queue:{tmp_path}/dead-{next(count)}.db"
            case "redis":
                server: Server = request.getfixturevalue("redis")
                return f"redis://{server.address}/dead-{next(count)}"
        kafka: Kafka = request.getfixturevalue("kafka")
        return f"kafka://{kafka.servers}/{kafka.topic(1)}"

    return place


async def bury(place: str, messages: list[Any] = MESSAGES) -> None:
    """As a pipeline does."""
    sink = registry.open_sink(addresses.parse(place), SinkOptions(name="test", for_dead_letters=True))
    workflow: Any = Workflow()
    assignment: Any = Assignment("orders", 0, None)  # type: ignore[arg-type]
    acknowledged: list[Entry] = []
    await sink.start(acknowledged.extend, lambda entry, reason: pytest.fail(reason), lambda error: pytest.fail(str(error)))
    try:
        sink.put(
            [
                Entry(
                    assignment,
                    message,
                    message.value,
                    dead_letters.headers(message, failed(message.offset), workflow, "kafka", 1_790_000_000.0),
                )
                for message in messages
            ]
        )
        await asyncio.wait_for(sink.flush(), 20)
    finally:
        await sink.stop()
    assert len(acknowledged) == len(messages)


class Opened:
    def __init__(self, place: str) -> None:
        self.box: Box = open_box(addresses.parse(place), None)

    async def __aenter__(self) -> Box:
        await self.box.start()
        return self.box

    async def __aexit__(self, *error: object) -> None:
        await self.box.stop()


async def letters(box: Box) -> list[Letter]:
    return [one async for one in box.letters()]


async def test_a_dead_letter_is_read_back_as_the_original_record_and_its_reasons(address: Address) -> None:
    place = address()
    await bury(place)
    async with Opened(place) as box:
        found = await letters(box)
        assert [(one.key, one.value, list(one.headers)) for one in found] == [
            (message.key, message.value, message.headers) for message in MESSAGES
        ]
        first = found[0]
        assert {name: first.reason(name) for name in ("error", "cause", "state", "workflow", "execution", "first-failure")} == {
            "error": "Declined", "cause": "cause 0", "state": "Charge", "workflow": "orders", "execution": "orders-0-0",
            "first-failure": "2026-01-01T00:00:00.000Z",
        }  # fmt: skip
        assert '"offset":0' in first.reason("source")
        assert len({one.id for one in found}) == 4
        assert [one.id for one in await letters(box)] == [one.id for one in found], "looking changes nothing"


async def test_what_is_removed_is_gone_and_the_rest_stays(address: Address) -> None:
    place = address()
    await bury(place)
    async with Opened(place) as box:
        found = await letters(box)
        await box.remove([found[0].id])
        await box.remove([found[1].id, found[0].id])
        assert [one.id for one in await letters(box)] == [one.id for one in found[2:]]


async def test_kafka_removes_from_the_beginning_only_and_says_so(kafka: Kafka) -> None:
    place = f"kafka://{kafka.servers}/{kafka.topic(1)}"
    await bury(place)
    async with Opened(place) as box:
        with pytest.raises(ConfigurationError, match=r"only from the beginning of a partition: before 0-2 there is 0-0, which is to stay"):
            await box.remove(["0-1", "0-2"])
        assert len(await letters(box)) == 4


async def test_what_could_not_be_removed_afterwards_is_not_sent(kafka: Kafka, tmp_path: Path) -> None:
    """Otherwise it would be sent, stay, and be sent again by whoever tries once more."""
    place, target = f"kafka://{kafka.servers}/{kafka.topic(1)}", f"queue:{tmp_path}/orders.db"
    await bury(place)
    sink = registry.open_sink(addresses.parse(target), SinkOptions(name="test"))
    async with Opened(place) as box:
        found = await letters(box)
        with pytest.raises(ConfigurationError, match="which is to stay"):
            await send(box, found[1:], sink, keep=False, sent=lambda count: None)
        await send(box, found[1:], sink, keep=True, sent=lambda count: None)
        assert len(await letters(box)) == 4
    await sink.stop()
    async with Opened(target) as box:
        assert len(await letters(box)) == 3, "what was kept was sent once"


async def test_a_file_that_was_put_in_place_anew_while_it_was_opened_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sink that opened the old file and locked it after it was gone would write into nowhere."""
    import fcntl

    place = f"file:{tmp_path}/dead.jsonl"
    await bury(place)
    flock = fcntl.flock

    def late(descriptor: int, how: int) -> None:
        (tmp_path / "new").write_bytes((tmp_path / "dead.jsonl").read_bytes())
        (tmp_path / "new").replace(tmp_path / "dead.jsonl")
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    sink = registry.open_sink(addresses.parse(place), SinkOptions(name="test", for_dead_letters=True))
    with pytest.raises(ConnectionFailed, match="it was replaced while it was opened"):
        await sink.start(lambda entries: None, lambda entry, reason: None, lambda error: None)
    await sink.stop()
    async with Opened(place) as box:
        with pytest.raises(ConfigurationError, match="written anew"):
            await box.remove(["x"])
        assert len(await letters(box)) == 4


async def test_records_that_are_sent_again_are_the_original_ones_and_leave_the_box(address: Address, tmp_path: Path) -> None:
    place, target = address(), f"queue:{tmp_path}/orders.db"
    await bury(place)
    sink = registry.open_sink(addresses.parse(target), SinkOptions(name="test"))
    sent: list[int] = []
    async with Opened(place) as box:
        await send(box, await letters(box), sink, keep=False, sent=sent.append)
        assert await letters(box) == []
    await sink.stop()
    assert sent == [4]
    async with Opened(target) as box:
        found = await letters(box)
    assert [(one.key, one.value) for one in found] == [(message.key, message.value) for message in MESSAGES]
    # It keeps when it first failed, once
    assert list(found[0].headers) == HEADERS
    assert [name for name, _ in found[1].headers] == ["express-first-failure"]


async def test_what_the_sink_does_not_take_stays_where_it_is(tmp_path: Path) -> None:
    place = f"queue:{tmp_path}/dead.db"
    await bury(place)

    class Refusing(registry.Sink):  # type: ignore[misc, name-defined]
        async def start(self, acknowledged: Any, rejected: Any, failed: Any) -> None:
            self.rejected = rejected

        def put(self, entries: Any) -> None:
            self.rejected(entries[2], "too large")

        async def flush(self) -> None:
            pass

        async def stop(self) -> None:
            pass

    async with Opened(place) as box:
        with pytest.raises(PipelineStopped, match=r"records from 1 on could not all be sent, and stay where they are: too large"):
            await send(box, await letters(box), Refusing(), keep=False, sent=lambda count: None)
        assert len(await letters(box)) == 4


async def test_a_rehearsal_runs_the_records_and_touches_nothing(tmp_path: Path) -> None:
    import express

    place = f"file:{tmp_path}/dead.jsonl"
    await bury(place)
    definition = {"StartAt": "Total", "States": {"Total": {"Type": "Pass", "OutputPath": "$.total", "End": True}}}
    async with Opened(place) as box:
        tried = [one.outcome async for one in rehearse(express.compile(definition, name="orders"), await letters(box))]
        assert [(one.status, one.output, one.error) for one in tried] == [
            ("SUCCEEDED", 1, None), ("FAILED", None, "Express.Undecodable"), ("FAILED", None, "Express.Undecodable"),
            ("FAILED", None, "States.Runtime"),
        ]  # fmt: skip
        assert len(await letters(box)) == 4


async def test_a_rehearsal_has_the_context_that_the_record_had_and_batches_where_it_is_told(tmp_path: Path) -> None:
    import express

    place = f"file:{tmp_path}/dead.jsonl"
    await bury(place)
    told = {
        "Type": "Pass",
        "Parameters": {"topic.$": "$$.Source.topic", "offset.$": "$$.Source.offset", "event.$": "$[0].total"},
        "End": True,
    }
    program = express.compile({"StartAt": "Told", "States": {"Told": told}}, name="orders")
    async with Opened(place) as box:
        first, *_ = await letters(box)
        (tried,) = [one.outcome async for one in rehearse(program, [first], batch=True)]
    assert tried.output == {"topic": "orders", "offset": loads(first.reason("source").encode())["offset"], "event": 1}


async def test_a_file_that_a_pipeline_writes_is_not_removed_from(tmp_path: Path) -> None:
    place = f"file:{tmp_path}/dead.jsonl"
    await bury(place)
    sink = registry.open_sink(addresses.parse(place), SinkOptions(name="test", for_dead_letters=True))
    await sink.start(lambda entries: None, lambda entry, reason: None, lambda error: None)
    async with Opened(place) as box:
        found = await letters(box)
        with pytest.raises(ConfigurationError, match="a pipeline is writing it"):
            await box.remove([found[0].id])
        await sink.stop()
        assert len(await letters(box)) == 4


NAMELESS = b'{"headers": [{"x": "y"}], "express-error": "Down"}\n'
RESULT = b'{"total": 1}\n'


@pytest.mark.parametrize("text", [b'{"a": 1', b"[1]\n", b'{"headers": 5}\n', b"plain\n", NAMELESS, RESULT])
async def test_a_line_that_is_no_dead_letter_is_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "dead.jsonl").write_bytes(text)
    async with Opened(f"file:{tmp_path}/dead.jsonl") as box:
        if text.endswith(b"\n"):
            with pytest.raises(ConnectionFailed, match="line 1 is no dead letter"):
                await letters(box)
        else:
            assert await letters(box) == []  # its sink is still writing it
