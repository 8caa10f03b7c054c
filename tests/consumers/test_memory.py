"""The source in memory keeps the contract, and does on demand what brokers do when nobody asked."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from consumers import memory
from consumers.memory import Log, MemorySource, open_source
from express import addresses
from express.errors import ConfigurationError
from express.options import SourceOptions
from express.sources import Source
from tests.consumers.contract import Bed, Reader, SourceContract, numbered, numbers


class MemoryBed(Bed):
    def __init__(self, partitions: int, finite: bool) -> None:
        self.partitions, self.finite = partitions, finite
        self.log = Log("orders", partitions)

    async def append(
        self, values: Sequence[bytes], partition: int = 0, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        for value in values:
            self.log.append(value, key, headers, partition)

    def open(self) -> Source:
        return MemorySource(self.log, finite=self.finite)


class TestMemory(SourceContract):
    @pytest.fixture(params=[(1, True), (1, False), (3, True), (3, False)], ids=["finite", "endless", "finite-3", "endless-3"])
    def bed(self, request: pytest.FixtureRequest) -> Bed:
        return MemoryBed(*request.param)


async def test_partitions_take_turns() -> None:
    log = Log("orders", 3)
    for partition in range(3):
        for value in numbered(30):
            log.append(value, partition=partition)
    source = MemorySource(log)
    reader = Reader(source)
    await source.start(reader)
    order = []
    for _ in range(9):
        batches = await reader.fetch(10)
        order += [(assignment.partition, len(messages)) for assignment, messages in batches.items()]
    assert order == [(0, 10), (1, 10), (2, 10)] * 3


async def test_a_revoked_partition_goes_on_with_another_member_where_it_was_committed() -> None:
    log = Log("orders", 2)
    one, two = MemorySource(log), MemorySource(log, partitions=[])
    first, second = Reader(one), Reader(two)
    await one.start(first)
    await two.start(second)
    for value in numbered(10):
        log.append(value, partition=1)
    first.finish((await first.read(10))[:4])
    await first.commit()
    await one.revoke([1])
    assert [held.partition for held in first.held] == [0]
    two.assign([1])
    assert numbers(await second.read(6)) == [4, 5, 6, 7, 8, 9]


async def test_a_log_made_anew_is_read_from_its_beginning() -> None:
    log = Log("orders")
    for value in numbered(10):
        log.append(value)
    reader = Reader(MemorySource(log))
    await reader.source.start(reader)
    reader.finish(await reader.read(10))
    await reader.commit()
    log.clear()
    log.append(b'{"n": 100}')
    again = Reader(MemorySource(log))
    await again.source.start(again)
    assert numbers(await again.read(1)) == [100]


def test_an_address_names_a_log_of_this_process() -> None:
    options = SourceOptions(name="orders")
    source = open_source(addresses.parse("memory:test-addresses?finite=true"), options)
    assert source.finite
    assert source.log is memory.log("test-addresses")
    assert open_source(addresses.parse("memory:"), options).log is memory.log("orders")
    with pytest.raises(ConfigurationError) as wrong:
        open_source(addresses.parse("memory://host/x?finite=maybe&speed=9"), options)
    assert len(wrong.value.problems) == 3
