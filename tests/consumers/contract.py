"""What every source must do, as tests: a subclass of ``SourceContract`` with a ``bed`` fixture runs them over one more source."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest

from express.commits import Position
from express.dispatcher import Dispatcher, Limits
from express.errors import ConnectionFailed
from express.executor import Executor
from express.observers.pipeline import PipelineMetrics
from express.runtime.context import Execution, Message
from express.runtime.suspensions import sleep
from express.sinks.memory import MemorySink
from express.sources import Assignment, EndOfSource, Source
from tests.pipelines import Workflow


class Bed(ABC):
    """Where the records of one test lie, and what reads them."""

    partitions = 1
    finite = False
    keys = True  # records have keys and headers
    remembers = True  # a second source goes on where the first one has committed
    ordered = True  # records come in the order in which they were written
    offsets = True  # it goes on at a position; otherwise every record is leased and acknowledged by itself

    @abstractmethod
    async def append(
        self, values: Sequence[bytes], partition: int = 0, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Adds records."""

    @abstractmethod
    def open(self) -> Source:
        """A source that is not started, as a new process would make one. Called again only after the one before was stopped."""

    def order(self, messages: Sequence[Message]) -> list[int]:
        """The numbers of records, sorted where their order says nothing."""
        return numbers(messages) if self.ordered else sorted(numbers(messages))

    def missing(self) -> Source | None:
        """A source that cannot start, since what it should read is not there."""
        return None


class Reader:
    """The simplest intake: takes what it is told to, finishes what it is told to."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.held: list[Assignment] = []
        self.taken: list[Message] = []
        self.of: dict[int, Assignment] = {}  # id of a record -> its assignment
        self.ended = False

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        self.held.extend(assignments)

    async def revoked(self, assignments: Sequence[Assignment]) -> None:
        self.lost(assignments)

    async def suspended(self, assignments: Sequence[Assignment]) -> None:
        pass

    def resumed(self, assignments: Sequence[Assignment]) -> None:
        pass

    def lost(self, assignments: Sequence[Assignment]) -> None:
        for assignment in assignments:
            assignment.fenced = True
            self.held.remove(assignment)

    def failed(self, error: Exception) -> None:
        raise AssertionError(error)

    async def read(self, count: int, limit: int = 100, seconds: float = 30.0) -> list[Message]:
        """Takes until there are ``count`` records in all that were not finished before, or the source has ended."""
        patience = time.monotonic() + seconds
        while len(self.taken) < count and not self.ended:
            assert time.monotonic() < patience, f"{len(self.taken)} of {count} records after {seconds} s"
            self.take(await self.fetch(limit))
        return self.taken

    async def fetch(self, limit: int) -> Mapping[Assignment, Sequence[Message]]:
        try:
            return await self.source.fetch(limit)
        except EndOfSource:
            self.ended = True
            return {}

    def take(self, batches: Mapping[Assignment, Sequence[Message]]) -> None:
        for assignment, messages in batches.items():
            assert assignment in self.held, "records of an assignment that was not announced"
            assert assignment.topic == messages[0].topic
            assert {message.partition for message in messages} == {assignment.partition}
            finished = assignment.tracker.deliver([message.offset for message in messages])
            for message in messages:
                if message.offset not in finished:
                    self.taken.append(message)
                    self.of[id(message)] = assignment

    def finish(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.of[id(message)].tracker.finish([message.offset])

    async def commit(self) -> Sequence[Assignment]:
        positions = {held: position for held in self.held if (position := held.tracker.position()) is not None}
        committed = await self.source.commit(positions) if positions else []
        for assignment in committed:
            assignment.tracker.committed(positions[assignment])
        return committed


def value_of(message: Message) -> Any:
    return orjson.loads(message.value or b"null")


def numbered(count: int, start: int = 0) -> list[bytes]:
    return [b'{"n":%d}' % number for number in range(start, start + count)]


def numbers(messages: Sequence[Message]) -> list[int]:
    return [value_of(message)["n"] for message in messages]


class SourceContract:
    """The tests. ``bed`` is a fixture of the subclass."""

    @staticmethod
    async def reading(bed: Bed) -> Reader:
        source = bed.open()
        reader = Reader(source)
        await source.start(reader)
        return reader

    async def test_records_come_once_each_in_offset_order_as_they_were_written(self, bed: Bed) -> None:
        before = time.time() * 1000
        for partition in range(bed.partitions):
            await bed.append(numbered(250, 1_000 * partition), partition)
        reader = await self.reading(bed)
        taken = await reader.read(250 * bed.partitions)
        for partition in range(bed.partitions):
            own = [message for message in taken if message.partition == partition]
            assert bed.order(own) == list(range(1_000 * partition, 1_000 * partition + 250))
            offsets = [message.offset for message in own]
            assert offsets == sorted(set(offsets))
            assert all(before - 60_000 < message.timestamp < before + 60_000 for message in own)
        await reader.source.stop()

    async def test_bytes_keys_and_headers_are_untouched(self, bed: Bed) -> None:
        value, headers = '{"text": "žluť", "space":  1.10 }'.encode(), [("trace", b"\xff\x00"), ("twice", b"1"), ("twice", b"2")]
        await bed.append([value], key=b"\x00key" if bed.keys else None, headers=headers if bed.keys else ())
        reader = await self.reading(bed)
        (message,) = await reader.read(1)
        assert message.value == value
        if bed.keys:
            assert message.key == b"\x00key"
            assert [(name, bytes(content)) for name, content in message.headers] == headers
        else:
            assert message.key is None
            assert not message.headers
        await reader.source.stop()

    async def test_a_fetch_returns_no_more_than_it_was_asked_for(self, bed: Bed) -> None:
        await bed.append(numbered(50))
        reader = await self.reading(bed)
        sizes = []
        while len(reader.taken) < 50:
            batches = await reader.fetch(7)
            sizes.append(sum(map(len, batches.values())))
            reader.take(batches)
        assert max(sizes) <= 7
        assert bed.order(reader.taken) == list(range(50))
        await reader.source.stop()

    async def test_a_fetch_without_records_returns_soon_or_says_that_there_are_no_more(self, bed: Bed) -> None:
        await bed.append(numbered(1))
        reader = await self.reading(bed)
        await reader.read(1)
        began = time.monotonic()
        for _ in range(3):
            assert not await reader.fetch(10)
        assert time.monotonic() - began < 5
        assert reader.ended == bed.finite
        await reader.source.stop()

    async def test_a_paused_source_gives_nothing_and_loses_nothing(self, bed: Bed) -> None:
        await bed.append(numbered(300))
        reader = await self.reading(bed)
        await reader.read(10, limit=10)
        reader.source.pause()
        began = time.monotonic()
        for _ in range(3):
            assert not await reader.fetch(100)
        assert not reader.ended
        assert time.monotonic() - began < 5
        reader.source.resume()
        await reader.read(300)
        assert bed.order(reader.taken) == list(range(300))
        await reader.source.stop()

    async def test_an_assignment_that_is_crowded_gives_way_to_the_others_and_loses_nothing(self, bed: Bed) -> None:
        for partition in range(bed.partitions):
            await bed.append(numbered(50, start=50 * partition), partition=partition)
        reader = await self.reading(bed)
        (first,) = await reader.read(1, limit=1)
        crowded = reader.of[id(first)]
        crowded.crowded = bed.partitions > 1
        await reader.read(50 * (bed.partitions - 1) + 1)
        if crowded.crowded:
            for _ in range(3):
                reader.take(await reader.fetch(100))
            assert [message for message in reader.taken if message.partition == crowded.partition] == [first]
        crowded.crowded = False
        await reader.read(50 * bed.partitions)
        assert sorted(numbers(reader.taken)) == list(range(50 * bed.partitions))
        await reader.source.stop()

    async def test_resume_lets_a_waiting_fetch_go_on_or_return(self, bed: Bed) -> None:
        await bed.append(numbered(10))
        reader = await self.reading(bed)
        reader.source.pause()
        waiting = asyncio.create_task(reader.fetch(10))
        await asyncio.sleep(0.05)
        reader.source.resume()
        reader.take(await asyncio.wait_for(waiting, 5))
        await reader.read(10)
        assert bed.order(reader.taken) == list(range(10))
        await reader.source.stop()

    async def test_the_next_source_goes_on_at_the_committed_position(self, bed: Bed) -> None:
        await bed.append(numbered(20))
        reader = await self.reading(bed)
        taken = await reader.read(20, limit=10)
        reader.finish(taken[:12])
        assert 0 in [assignment.partition for assignment in await reader.commit()]
        assert await reader.commit() == [], "nothing new"
        await reader.source.stop()
        if bed.remembers:
            again = await self.reading(bed)
            assert bed.order(await again.read(8)) == bed.order(taken[12:])
            await again.source.stop()

    async def test_what_is_finished_beyond_the_position_is_skipped_by_the_next_source(self, bed: Bed) -> None:
        await bed.append(numbered(20))
        reader = await self.reading(bed)
        taken = await reader.read(20)
        reader.finish([*taken[:3], *taken[5:9], taken[15]])
        assert 0 in [assignment.partition for assignment in await reader.commit()]
        await reader.source.stop()
        if bed.remembers:
            again = await self.reading(bed)
            assert bed.order(await again.read(12)) == bed.order([*taken[3:5], *taken[9:15], *taken[16:]])
            await again.source.stop()

    async def test_a_source_whose_records_are_all_done_has_nothing_for_the_next_one(self, bed: Bed) -> None:
        await bed.append(numbered(20))
        reader = await self.reading(bed)
        reader.finish(await reader.read(20))
        await reader.commit()
        await reader.source.stop()
        if bed.remembers:
            again = await self.reading(bed)
            for _ in range(3):
                assert not await again.fetch(100)
            await again.source.stop()
            await bed.append(numbered(5, 20))
            third = await self.reading(bed)
            assert bed.order(await third.read(5)) == list(range(20, 25))
            await third.source.stop()

    async def test_metadata_of_nobody_is_replayed_and_does_not_hurt(self, bed: Bed) -> None:
        if not bed.offsets:  # nor positions
            return
        await bed.append(numbered(10))
        reader = await self.reading(bed)
        taken = await reader.read(10)
        (assignment,) = {reader.of[id(message)] for message in taken}
        assert list(await reader.source.commit({assignment: Position(taken[4].offset, "not a map: žluť")})) == [assignment]
        await reader.source.stop()
        if bed.remembers:
            again = await self.reading(bed)
            assert numbers(await again.read(6)) == list(range(4, 10))
            await again.source.stop()

    async def test_a_fenced_assignment_is_not_committed(self, bed: Bed) -> None:
        await bed.append(numbered(10))
        reader = await self.reading(bed)
        reader.finish(await reader.read(10))
        positions = {held: position for held in reader.held if (position := held.tracker.position()) is not None}
        for assignment in positions:
            assignment.fenced = True
        assert not await reader.source.commit(positions)
        await reader.source.stop()
        if bed.remembers:
            again = await self.reading(bed)
            assert bed.order(await again.read(10)) == list(range(10))
            await again.source.stop()

    async def test_the_lag_falls_to_nothing(self, bed: Bed) -> None:
        await bed.append(numbered(500))
        reader = await self.reading(bed)
        await reader.read(1, limit=1)
        lag = sum(reader.source.lag().values())
        assert lag > 0
        await reader.read(500)
        await reader.fetch(1)
        assert sum(reader.source.lag().values()) == 0
        await reader.source.stop()

    async def test_it_is_ready_once_started(self, bed: Bed) -> None:
        await bed.append(numbered(1))
        reader = await self.reading(bed)
        await reader.read(1)
        assert reader.source.ready()
        await reader.source.stop()

    async def test_one_that_cannot_start_says_so_in_a_sentence_and_can_be_stopped(self, bed: Bed) -> None:
        source = bed.missing()
        if source is None:  # nothing that it reads can be missing
            return
        with pytest.raises(ConnectionFailed) as failed:
            await source.start(Reader(source))
        assert str(failed.value).count("\n") == 0
        assert len(str(failed.value)) > 20
        await source.stop()

    async def test_stop_can_be_called_at_any_time_and_again(self, bed: Bed) -> None:
        await bed.append(numbered(10))
        await bed.open().stop()
        reader = await self.reading(bed)
        await reader.source.stop()
        await reader.source.stop()

    async def test_a_pipeline_that_crashes_over_and_over_loses_nothing(self, bed: Bed) -> None:
        """Two thirds of the executions wait; every run is cut off without a drain, until one may finish."""
        if not bed.remembers:  # what it gave out does not come again
            return

        async def work(event: Any, execution: Execution) -> Any:
            if event["n"] % 3:
                await sleep(execution, 0.002 * (event["n"] % 7))
            return event

        total = 400
        for partition in range(bed.partitions):
            await bed.append(numbered(total, total * partition), partition)
        results: list[int] = []
        for attempt in range(6):
            workflow, sink, executor = Workflow(work), MemorySink(), Executor()
            metrics = PipelineMetrics("contract")
            limits = Limits(records=40, commit_every=0.01, drain=5.0)
            dispatcher = Dispatcher("contract", workflow, bed.open(), sink, None, executor, metrics, limits)
            running = asyncio.create_task(dispatcher.run())
            everything = total * bed.partitions
            goal = everything if attempt == 5 else min(everything, len(set(results)) + 60)
            patience = time.monotonic() + 30
            while not running.done() and len({*results, *self.written(sink)}) < goal:
                assert time.monotonic() < patience, f"{len(set(results))} of {goal}"
                await asyncio.sleep(0.005)
            if attempt == 5:
                dispatcher.stop()
            else:
                running.cancel()
            await asyncio.wait({running})
            await executor.close()
            results += self.written(sink)
        assert set(results) == set(range(total * bed.partitions)), "nothing is lost"
        assert len(results) - len(set(results)) <= 5 * (40 + 100), "what was in flight, and finished since the last commit"

    @staticmethod
    def written(sink: MemorySink) -> list[int]:
        return [orjson.loads(value or b"")["n"] for value in sink.values()]
