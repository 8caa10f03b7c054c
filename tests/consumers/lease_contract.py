"""What a source must do beside the rest when it leases records one by one: a subclass with a ``bed`` fixture runs both suites over it."""

from __future__ import annotations

import asyncio
import time

import pytest

from consumers.leasing import LeaseSource
from tests.consumers.contract import Bed, Reader, SourceContract, numbered, numbers


class LeaseBed(Bed):
    """``open`` gives a source whose leases last for ``lease`` seconds, and may be called while others run: they share the records."""

    offsets = False
    fences = True  # an acknowledgement counts only from whoever holds the lease by now
    tells = True  # whoever would extend a lease that another holds by now is told so
    lease = 1.2

    def opened(self) -> LeaseSource[object]:
        source = self.open()
        assert isinstance(source, LeaseSource)
        return source


async def vanish(reader: Reader) -> None:
    """The process is gone, as after kill -9: nothing is given back, nothing is extended any more."""
    source = reader.source
    assert isinstance(source, LeaseSource)
    source._started = False
    await source.stop()


class LeaseContract(SourceContract):
    """The tests."""

    async def test_two_sources_share_the_records_without_overlap(self, bed: LeaseBed) -> None:
        await bed.append(numbered(100))
        one, two = await self.reading(bed), await self.reading(bed)
        patience = time.monotonic() + 30
        while len(one.taken) + len(two.taken) < 100:
            for reader in (one, two):
                reader.take(await reader.fetch(7))
            assert time.monotonic() < patience
        assert sorted(numbers(one.taken) + numbers(two.taken)) == list(range(100))
        assert one.taken
        assert two.taken
        for reader in (one, two):
            reader.finish(reader.taken)
            assert await reader.commit()
            await reader.source.stop()

    @pytest.mark.uvloop_only  # it waits for leases; once is enough
    async def test_a_record_in_flight_is_nobody_elses_however_long_it_takes(self, bed: LeaseBed) -> None:
        await bed.append(numbered(20))
        one, two = await self.reading(bed), await self.reading(bed)
        await one.read(20)
        until = time.monotonic() + bed.lease * 2.2
        while time.monotonic() < until:
            assert not await two.fetch(100), "the lease was not extended"
        one.finish(one.taken)
        assert await one.commit()
        await one.source.stop()
        until = time.monotonic() + bed.lease * 1.2
        while time.monotonic() < until:
            assert not await two.fetch(100), "what was acknowledged is gone"
        await two.source.stop()

    @pytest.mark.uvloop_only  # it waits for leases; once is enough
    async def test_records_of_a_process_that_is_gone_come_again_once_their_lease_has_run_out(self, bed: LeaseBed) -> None:
        await bed.append(numbered(20))
        one = await self.reading(bed)
        taken = await one.read(20)
        one.finish(taken[:5])
        assert await one.commit()
        first = {message.id: message.offset for message in taken}  # type: ignore[attr-defined]
        began = time.monotonic()
        await vanish(one)
        two = await self.reading(bed)
        again = await two.read(15, seconds=bed.lease + 10)
        waited = time.monotonic() - began
        assert bed.lease / 2 < waited < bed.lease + 5, "neither at once nor much later"
        assert sorted(numbers(again)) == sorted(numbers(taken[5:]))
        assert {message.id for message in again} < set(first), "they are called what they were called before"  # type: ignore[attr-defined]
        assert all(message.receives in (0, 2) for message in again)  # type: ignore[attr-defined]
        two.finish(again)
        assert await two.commit()
        await two.source.stop()

    @pytest.mark.uvloop_only  # it waits for leases; once is enough
    async def test_an_acknowledgement_after_somebody_else_has_the_record_acknowledges_nothing(self, bed: LeaseBed) -> None:
        if not bed.fences:
            return
        await bed.append(numbered(3))
        one = await self.reading(bed)
        taken = await one.read(3)
        source = one.source
        assert isinstance(source, LeaseSource)
        assert source._extending is not None
        source._extending.cancel()  # as if the process had been stopped for a while
        two = await self.reading(bed)
        await two.read(3, seconds=bed.lease + 10)
        one.finish(taken)
        await one.commit()
        await vanish(one)
        await vanish(two)
        three = await self.reading(bed)
        again = await three.read(3, seconds=bed.lease + 10)
        assert sorted(numbers(again)) == [0, 1, 2]
        three.finish(again)
        assert await three.commit()
        await three.source.stop()

    @pytest.mark.uvloop_only  # it waits for leases; once is enough
    async def test_a_lease_that_was_lost_is_said_and_its_record_may_come_again(self, bed: LeaseBed) -> None:
        if not bed.tells:
            return
        await bed.append(numbered(3))
        one = await self.reading(bed)
        await one.read(3)
        source = one.source
        assert isinstance(source, LeaseSource)
        assert source._extending is not None
        source._extending.cancel()
        two = await self.reading(bed)
        await two.read(3, seconds=bed.lease + 10)
        source._extending = asyncio.create_task(source._keep())
        patience = time.monotonic() + bed.lease + 5
        while source.lost < 3:
            assert time.monotonic() < patience
            await asyncio.sleep(0.02)
        assert source.assignment.tracker.unfinished() == 0
        two.finish(two.taken)
        assert await two.commit()
        for reader in (one, two):
            await reader.source.stop()

    async def test_what_is_refused_comes_again_at_once(self, bed: LeaseBed) -> None:
        await bed.append(numbered(5))
        one = await self.reading(bed)
        taken = await one.read(5)
        one.finish(taken[2:])
        source = one.source
        assert isinstance(source, LeaseSource)
        source.leases.refuse([message.offset for message in taken[:2]])
        one.finish(taken[:2])
        assert await one.commit()
        again = (await one.read(7, seconds=10))[5:]
        assert sorted(numbers(again)) == sorted(numbers(taken[:2]))
        one.finish(again)
        assert await one.commit()
        await one.source.stop()

    async def test_it_waits_for_news_without_a_rest(self, bed: LeaseBed) -> None:
        """A record that is sent while a fetch waits is there soon."""
        reader = await self.reading(bed)
        waits: list[float] = []
        for number in range(5):
            await reader.fetch(10)
            began = time.monotonic()
            await bed.append(numbered(1, number))
            await reader.read(number + 1)
            waits.append(time.monotonic() - began)
        assert min(waits) < 1.0, waits
        await reader.source.stop()
