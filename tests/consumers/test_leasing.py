"""Leases are kept: extended in time although an extension fails or is slow, and only what is really lost counts as lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence

import pytest

from consumers.leasing import Leased, LeaseSource
from express.commits import Position
from tests.consumers.contract import Reader

pytestmark = pytest.mark.uvloop_only


class Held(LeaseSource[int]):
    """Gives out ``count`` records once. ``answers``: what each extension does: seconds it takes, an error, or (None) nothing special."""

    def __init__(self, lease: float, count: int = 1, answers: Sequence[float | Exception | None] = ()) -> None:
        super().__init__("orders", "held:orders", lease)
        self.count, self.answers = count, list(answers)
        self.extended: list[float] = []
        self.gone: set[int] = set()
        self.acknowledging = asyncio.Event()
        self.acknowledge = asyncio.Event()

    async def _connect(self) -> None: ...

    async def _receive(self, limit: int) -> Sequence[tuple[Leased, int]]:
        count, self.count = self.count, 0
        if not count:
            await asyncio.sleep(0.05)
        return [(Leased("orders", str(number), b"{}", 0), number) for number in range(count)]

    async def _acknowledge(self, leases: Mapping[int, int]) -> Collection[int]:
        self.gone.update(leases.values())  # the server has done it, the answer is on its way
        self.acknowledging.set()
        await self.acknowledge.wait()
        return leases.keys()

    async def _extend(self, leases: Mapping[int, int]) -> Collection[int]:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer:
            await asyncio.sleep(answer)
        self.extended.append(time.monotonic())
        return [offset for offset, lease in leases.items() if lease in self.gone]

    async def _give_back(self, leases: Mapping[int, int]) -> None: ...

    async def _disconnect(self) -> None: ...


async def reading(source: Held) -> Reader:
    reader = Reader(source)
    await source.start(reader)
    await reader.read(source.count)
    return reader


@pytest.mark.parametrize("trouble", [OSError("no route to host"), 9.0], ids=["fails", "is not answered"])
async def test_an_extension_that_fails_is_tried_again_before_the_lease_runs_out(trouble: float | Exception) -> None:
    source = Held(lease=0.9, answers=[None, trouble])
    await reading(source)
    await asyncio.sleep(2.0)
    await source.stop()
    gaps = [later - earlier for earlier, later in zip(source.extended, source.extended[1:], strict=False)]
    assert gaps
    assert max(gaps) < 0.9, "the lease ran out"


async def test_an_extension_that_takes_long_does_not_put_off_the_next_one() -> None:
    source = Held(lease=0.9, answers=[0.25] * 20)
    await reading(source)
    await asyncio.sleep(2.0)
    await source.stop()
    gaps = [later - earlier for earlier, later in zip(source.extended, source.extended[1:], strict=False)]
    assert max(gaps) < 0.5, "a third of a lease, not a third and what the last one took"


async def test_what_was_refused_and_is_lost_while_something_else_is_acknowledged_is_not_given_back() -> None:
    source = Held(lease=0.3, count=2)
    reader = await reading(source)
    finished, refused = reader.taken
    source.leases.refuse([refused.offset])
    reader.finish([finished, refused])
    committing = asyncio.create_task(reader.commit())
    await source.acknowledging.wait()
    source.gone.add(1)  # somebody else has it by now, as the next extension finds out
    for _ in range(500):
        if refused.offset not in source.leases.held:
            break
        await asyncio.sleep(0.02)
    source.acknowledge.set()
    assert await committing
    assert source.lost == 1
    await source.stop()


async def test_what_is_being_acknowledged_while_its_lease_is_extended_is_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    source = Held(lease=0.3, count=3)
    reader = await reading(source)
    reader.finish(reader.taken)
    committing = asyncio.create_task(reader.commit())
    await source.acknowledging.wait()
    count = len(source.extended)
    while len(source.extended) < count + 2:  # the extension is told that they are gone
        await asyncio.sleep(0.02)
    assert source.lost == 0
    source.acknowledge.set()
    assert await committing == [source.assignment]
    assert source.leases.behind() == 0
    assert "ran out" not in caplog.text
    await source.stop()


async def test_what_somebody_else_has_taken_is_lost_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    source = Held(lease=0.3, count=3)
    reader = await reading(source)
    source.gone = {1, 2}
    while not source.lost:
        await asyncio.sleep(0.02)
    assert source.lost == 2
    assert "the leases of 2 records ran out while they were in flight" in caplog.text
    reader.finish(reader.taken)
    assert source.leases.position() == Position(3, "")
    assert source.leases.finished() == [reader.taken[0].offset]
    await source.stop()
