"""What every sink must do, as tests: a subclass of ``SinkContract`` with a ``bed`` fixture runs them over one more sink."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence

from consumers.memory import Record
from express.commits import Tracker
from express.sinks import Entry, Sink
from express.sources import Assignment


class Bed(ABC):
    """Where the entries of one test go."""

    @abstractmethod
    def open(self) -> Sink:
        """A sink that is not started, as a new process would make one."""

    @abstractmethod
    async def written(self) -> list[bytes | None]:
        """The values that are there, as whoever reads them next would find them."""


class Answers:
    """Starts a sink and keeps what it reports."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.acknowledged: list[Entry] = []
        self.batches: list[int] = []
        self.rejected: list[tuple[Entry, str]] = []
        self.failures: list[Exception] = []

    async def start(self) -> Answers:
        await self.sink.start(self._acknowledge, lambda entry, reason: self.rejected.append((entry, reason)), self.failures.append)
        return self

    def _acknowledge(self, entries: Sequence[Entry]) -> None:
        self.acknowledged.extend(entries)
        self.batches.append(len(entries))

    async def until(self, count: int, seconds: float = 30.0) -> None:
        loop = asyncio.get_running_loop()
        patience = loop.time() + seconds
        while len(self.acknowledged) < count:
            assert loop.time() < patience, f"{len(self.acknowledged)} of {count}; rejected {self.rejected}; failed {self.failures}"
            await asyncio.sleep(0.005)


ASSIGNMENT = Assignment("orders", 0, Tracker())


def entries(count: int, start: int = 0) -> list[Entry]:
    return [
        Entry(
            ASSIGNMENT,
            Record("orders", 0, number, b"key", b"{}"),
            b'{"n":%d}' % number,
            (("express-execution", b"orders-0-%d" % number), ("express-workflow", b"orders")),
        )
        for number in range(start, start + count)
    ]


class SinkContract:
    """The tests. ``bed`` is a fixture of the subclass."""

    async def test_every_entry_is_acknowledged_once_and_is_there_by_then(self, bed: Bed) -> None:
        answers = await Answers(bed.open()).start()
        put = entries(300)
        for start in range(0, 300, 50):
            answers.sink.put(put[start : start + 50])
        await answers.until(300)
        assert sorted(id(entry) for entry in answers.acknowledged) == sorted(id(entry) for entry in put)
        assert set(await bed.written()) >= {entry.value for entry in put}
        await answers.sink.stop()
        assert not answers.rejected
        assert not answers.failures

    async def test_acknowledgements_come_in_batches(self, bed: Bed) -> None:
        answers = await Answers(bed.open()).start()
        answers.sink.put(entries(500))
        await answers.until(500)
        assert len(answers.batches) <= 5
        await answers.sink.stop()

    async def test_null_and_nothing_are_written_as_they_are(self, bed: Bed) -> None:
        answers = await Answers(bed.open()).start()
        put = entries(1)
        put[0].value = b"null"
        answers.sink.put(put)
        await answers.until(1)
        assert await bed.written() == [b"null"]
        await answers.sink.stop()

    async def test_flush_returns_when_all_that_was_put_is_acknowledged(self, bed: Bed) -> None:
        answers = await Answers(bed.open()).start()
        await answers.sink.flush()
        answers.sink.put(entries(200))
        await asyncio.wait_for(answers.sink.flush(), 30)
        assert len(answers.acknowledged) == 200
        await answers.sink.stop()

    async def test_flush_does_not_wait_for_what_is_put_after_it(self, bed: Bed) -> None:
        answers = await Answers(bed.open()).start()
        answers.sink.put(entries(10))
        flushed = asyncio.create_task(answers.sink.flush())
        number = 10
        while not flushed.done():
            answers.sink.put(entries(10, number))
            number += 10
            await asyncio.sleep(0.001)
            assert number < 100_000, "others that go on putting hold up a rebalance"
        assert {entry.message.offset for entry in answers.acknowledged} >= set(range(10))
        await answers.sink.flush()
        await answers.sink.stop()

    async def test_a_flush_that_is_cut_off_does_no_harm(self, bed: Bed) -> None:
        answers = await Answers(bed.open()).start()
        answers.sink.put(entries(10))
        flush = asyncio.create_task(answers.sink.flush())
        await asyncio.sleep(0)
        flush.cancel()
        answers.sink.put(entries(10, 10))
        await answers.sink.flush()
        assert len(answers.acknowledged) == 20
        await answers.sink.stop()

    async def test_it_is_ready_once_started(self, bed: Bed) -> None:
        answers = await Answers(bed.open()).start()
        assert answers.sink.ready()
        await answers.sink.stop()

    async def test_stop_can_be_called_at_any_time_and_again(self, bed: Bed) -> None:
        await bed.open().stop()
        answers = await Answers(bed.open()).start()
        answers.sink.put(entries(10))
        await answers.sink.stop()
        await answers.sink.stop()
        before = len(answers.acknowledged)
        await asyncio.sleep(0.05)
        assert len(answers.acknowledged) == before, "nothing is acknowledged after the end"
