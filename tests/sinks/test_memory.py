"""The sinks in memory keep the contract and do what they are told; one of them keeps nothing at all."""

from __future__ import annotations

import pytest

from express import addresses
from express.errors import ConfigurationError, ConnectionFailed
from express.options import SinkOptions
from express.sinks import Sink, drop, memory
from express.sinks.drop import Drop
from express.sinks.memory import MemorySink
from tests.sinks.contract import Answers, Bed, SinkContract, entries


class MemoryBed(Bed):
    def __init__(self) -> None:
        self.sink = MemorySink()

    def open(self) -> Sink:
        return self.sink

    async def written(self) -> list[bytes | None]:
        return self.sink.values()


class TestMemory(SinkContract):
    @pytest.fixture
    def bed(self) -> Bed:
        return MemoryBed()


async def test_a_sink_in_memory_waits_rejects_and_fails_when_told_to() -> None:
    sink = MemorySink()
    answers = await Answers(sink).start()
    sink.held = True
    sink.reject = lambda entry: "odd" if entry.message.offset % 2 else None
    sink.put(entries(4))
    sink.release()
    await sink.flush()
    assert [entry.message.offset for entry in answers.acknowledged] == [0, 2]
    assert [(entry.message.offset, reason) for entry, reason in answers.rejected] == [(1, "odd"), (3, "odd")]
    sink.fail(ConnectionFailed("gone"))
    assert [str(error) for error in answers.failures] == ["gone"]
    sink.unreachable = "not there"
    with pytest.raises(ConnectionFailed, match="not there"):
        await answers.start()


async def test_drop_acknowledges_everything_and_keeps_nothing() -> None:
    answers = await Answers(Drop()).start()
    answers.sink.put(entries(3))
    await answers.sink.flush()
    assert len(answers.acknowledged) == 3
    await answers.sink.stop()


def test_addresses_of_memory_and_drop() -> None:
    options = SinkOptions(name="orders")
    assert memory.open_sink(addresses.parse("memory:done"), options) is memory.sink("done")
    assert isinstance(drop.open_sink(addresses.parse("drop:"), options), Drop)
    for module, text in ((memory, "memory:"), (memory, "memory:x?y=z"), (drop, "drop:x"), (drop, "drop:?y=z")):
        with pytest.raises(ConfigurationError):
            module.open_sink(addresses.parse(text), options)
