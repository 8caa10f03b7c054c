"""The source of a Kinesis stream keeps the contract of a source, over real HTTP and over a stream in memory; shards are shared, closed
ones come to an end before their children begin, and nobody who lost a shard moves its checkpoint."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consumers import kinesis_reader
from consumers.kinesis import KinesisSource, open_source
from consumers.kinesis_store import WORKER, Row
from express import addresses
from express.errors import ConfigurationError, ConnectionFailed
from express.options import SourceOptions
from express.queue import Queue
from tests.brokers.aws_server import Server
from tests.consumers.contract import Reader, SourceContract, numbered, numbers
from tests.consumers.kinesis_beds import ModelBed, Modelled, MotoBed, create_table, modelled
from tests.consumers.kinesis_model import Stream, failure
from tests.consumers.survival import COUNT, IN_FLIGHT, Place, survive


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory nobody limits how often a shard is read."""
    monkeypatch.setattr(kinesis_reader, "PACE", 0.02)


class KinesisContract(SourceContract):
    async def test_bytes_keys_and_headers_are_untouched(self, bed: Any) -> None:
        value = '{"text": "žluť", "space":  1.10 }'.encode()
        await bed.append([value])
        reader = await self.reading(bed)
        (message,) = await reader.read(1)
        assert (message.value, message.key, list(message.headers)) == (value, b"k", [])
        await reader.source.stop()


class TestInMemory(KinesisContract):
    @pytest.fixture
    def bed(self, tmp_path: Path) -> ModelBed:
        return ModelBed(tmp_path)


@pytest.mark.uvloop_only  # once is enough
class TestMoto(KinesisContract):
    @pytest.fixture
    def bed(self, moto: Server) -> MotoBed:
        return MotoBed(moto)

    # Said in memory already, and every answer of moto's takes its time: a tenth of a second for a checkpoint, in which much is finished.
    # TestAllOverMoto has them.
    test_a_pipeline_that_crashes_over_and_over_loses_nothing = None  # type: ignore[assignment]
    test_a_fetch_returns_no_more_than_it_was_asked_for = None  # type: ignore[assignment]
    test_a_fetch_without_records_returns_soon_or_says_that_there_are_no_more = None  # type: ignore[assignment]
    test_a_paused_source_gives_nothing_and_loses_nothing = None  # type: ignore[assignment]
    test_resume_lets_a_waiting_fetch_go_on_or_return = None  # type: ignore[assignment]
    test_the_lag_falls_to_nothing = None  # type: ignore[assignment]
    test_it_is_ready_once_started = None  # type: ignore[assignment]
    test_stop_can_be_called_at_any_time_and_again = None  # type: ignore[assignment]
    test_a_fenced_assignment_is_not_committed = None  # type: ignore[assignment]
    test_metadata_of_nobody_is_replayed_and_does_not_hurt = None  # type: ignore[assignment]


@pytest.mark.uvloop_only
@pytest.mark.chaos
class TestAllOverMoto(KinesisContract):
    @pytest.fixture
    def bed(self, moto: Server) -> MotoBed:
        return MotoBed(moto, lease=20)


# --- Shards that are shared -------------------------------------------------------------------------------------------------------


class Worker(Reader):
    """A source at work: everything is taken, and finished and committed unless ``holds`` says otherwise."""

    source: Modelled

    def __init__(self, source: KinesisSource, holds: Callable[[Any], bool] = lambda message: False) -> None:
        super().__init__(source)
        self.holds = holds
        self.task: asyncio.Task[None] | None = None

    async def revoked(self, assignments: Any) -> None:
        await self.commit()
        await super().revoked(assignments)

    async def start(self) -> Worker:
        await self.source.start(self)
        self.task = asyncio.create_task(self.run())
        return self

    async def run(self) -> None:
        while True:
            before = len(self.taken)
            self.take({held: records for held, records in (await self.fetch(100)).items() if held in self.held})
            self.finish([message for message in self.taken[before:] if not self.holds(message)])
            await self.commit()

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})
        await self.source.stop()

    async def vanish(self) -> None:
        """As after kill -9: nothing is given back."""
        self.source._started = False
        await self.stop()

    @property
    def shards(self) -> list[int]:
        return sorted(held.partition for held in self.held if not held.fenced)


async def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    patience = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < patience
        await asyncio.sleep(0.01)


@pytest.mark.uvloop_only
async def test_shards_are_shared_evenly_by_whoever_is_there_and_nothing_is_run_twice(tmp_path: Path) -> None:
    stream = Stream(4)
    one = await Worker(modelled(stream, tmp_path, lease=1.5)).start()
    assert one.shards == [0, 1, 2, 3]
    for shard in range(4):
        stream.put(shard, *numbered(10, 100 * shard))
    two = await Worker(modelled(stream, tmp_path, lease=1.5)).start()
    await until(lambda: len(one.shards) == len(two.shards) == 2)
    assert sorted(one.shards + two.shards) == [0, 1, 2, 3]
    for shard in range(4):
        stream.put(shard, *numbered(10, 100 * shard + 10))
    await until(lambda: len(one.taken) + len(two.taken) >= 80)
    await until(lambda: all(held.tracker.position() is None for held in (*one.held, *two.held)))  # committed: what is not may come twice
    await two.stop()
    await until(lambda: len(one.shards) == 4)
    await asyncio.sleep(0.1)
    await one.stop()
    assert sorted(numbers(one.taken) + numbers(two.taken)) == sorted(100 * shard + n for shard in range(4) for n in range(20))
    assert (one.source.lost, two.source.lost) == (0, 0)


@pytest.mark.uvloop_only
async def test_the_shards_of_a_worker_that_is_gone_are_taken_over_after_a_lease(tmp_path: Path) -> None:
    stream = Stream(2)
    one = await Worker(modelled(stream, tmp_path, lease=0.6), holds=lambda message: message.offset >= 3).start()
    stream.put(0, *numbered(6))
    await until(lambda: len(one.taken) == 6)
    await until(lambda: all(held.tracker.position() is None for held in one.held))
    await one.vanish()
    began = time.monotonic()
    two = await Worker(modelled(stream, tmp_path, lease=0.6)).start()
    assert two.shards == []
    await until(lambda: len(two.taken) == 3)
    assert 0.5 < time.monotonic() - began < 30
    assert numbers(two.taken) == [3, 4, 5], "what was finished and committed is not run again"
    await two.stop()


@pytest.mark.uvloop_only
async def test_a_worker_that_stood_still_loses_its_shards_says_so_and_moves_no_checkpoint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stream = Stream(1)
    one = await Worker(modelled(stream, tmp_path, lease=0.6), holds=lambda message: True).start()
    stream.put(0, *numbered(3))
    await until(lambda: len(one.taken) == 3)
    coordinating = one.source._coordinating
    assert coordinating is not None
    coordinating.cancel()  # as if the process had been stopped
    two = await Worker(modelled(stream, tmp_path, lease=0.6), holds=lambda message: True).start()
    await until(lambda: len(two.taken) == 3)
    one.finish(one.taken)
    assert await one.commit() == []
    rows = {row.shard: row for row in await two.source.store.rows()}
    assert rows["shardId-000000000000"].after == ""
    one.source._coordinating = asyncio.create_task(one.source._coordinate())
    await until(lambda: one.source.lost == 1)
    await until(lambda: one.shards == [])
    assert "the lease of shardId-000000000000 ran out while it was ours" in caplog.text
    for worker in (one, two):
        await worker.stop()


@pytest.mark.uvloop_only
async def test_a_store_that_cannot_be_reached_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream(1)
    one = await Worker(modelled(stream, tmp_path, lease=0.6)).start()
    store: Any = one.source.store
    renew, save = store.renew, store.save

    async def fails(_: Any) -> Any:
        raise OSError("the disk is full")

    store.renew = store.save = fails
    stream.put(0, *numbered(3))
    await until(lambda: len(one.taken) == 3)
    await asyncio.sleep(0.5)
    store.renew, store.save = renew, save
    await until(lambda: all(held.tracker.behind() == 0 for held in one.held))
    assert caplog.text.count("the disk is full; trying again") == 2, "each once"
    assert one.source.lost == 0
    await one.stop()


# --- Shards that end --------------------------------------------------------------------------------------------------------------


@pytest.mark.uvloop_only
async def test_children_are_begun_when_everything_of_their_parents_is_finished(tmp_path: Path) -> None:
    stream = Stream(1)
    held: set[int] = {2}
    worker = await Worker(modelled(stream, tmp_path), holds=lambda message: numbers([message])[0] in held).start()
    stream.put(0, *numbered(5))
    children = stream.split(0)
    for child in children:
        stream.put(child, *numbered(5, 10 * child))
    await until(lambda: len(worker.taken) == 5)
    await asyncio.sleep(0.6)
    assert worker.shards == [0], "the parent is read to its end, one record of it still runs"
    worker.finish([message for message in worker.taken if numbers([message]) == [2]])
    await until(lambda: len(worker.taken) == 15)
    assert worker.shards == [1, 2]
    grandchild = stream.merge(*children)
    stream.put(grandchild, *numbered(5, 30))
    await until(lambda: worker.shards == [3])
    await until(lambda: len(worker.taken) == 20)
    assert numbers(worker.taken)[15:] == list(range(30, 35))
    await until(lambda: all(held.tracker.behind() == 0 for held in worker.held))
    await worker.stop()
    again = await Worker(modelled(stream, tmp_path)).start()
    assert again.shards == [3], "what is done stays done"
    await asyncio.sleep(0.2)
    assert again.taken == []
    await again.stop()


@pytest.mark.uvloop_only
async def test_records_of_the_end_of_a_shard_that_were_given_out_and_never_begun_come_again(tmp_path: Path) -> None:
    """The pipeline stops while a fetch returns: what it returned is dropped, and must not count as done."""
    stream = Stream(1)
    stream.put(0, *numbered(3))
    source = modelled(stream, tmp_path, lease=0.3)
    reader = Reader(source)
    await source.start(reader)
    stream.split(0)
    patience = time.monotonic() + 10
    while not (dropped := await reader.fetch(10)):
        assert time.monotonic() < patience
    assert sum(map(len, dropped.values())) == 3
    await asyncio.sleep(0.6)
    assert not next(row for row in await source.store.rows() if row.shard == "shardId-000000000000").done
    await source.stop()
    again = await Worker(modelled(stream, tmp_path)).start()
    await until(lambda: len(again.taken) == 3)
    await again.stop()


@pytest.mark.uvloop_only
async def test_rows_of_shards_that_retention_has_removed_and_of_workers_that_are_gone_are_removed(tmp_path: Path) -> None:
    stream = Stream(1)
    source = modelled(stream, tmp_path, lease=0.05)
    worker = await Worker(source).start()
    await source.store.add([Row(shard="shardId-000000000077", done=True), Row(shard=f"{WORKER}somebody")])
    rows: set[str] = set()
    patience = time.monotonic() + 10
    while rows != {"shardId-000000000000", WORKER + source.me}:
        assert time.monotonic() < patience, rows
        await asyncio.sleep(0.05)
        rows = {row.shard for row in await source.store.rows()}
    await worker.stop()


# --- What Kinesis answers ---------------------------------------------------------------------------------------------------------


async def test_an_iterator_that_has_expired_is_made_anew_behind_what_was_read(tmp_path: Path) -> None:
    stream = Stream(1)
    stream.put(0, *numbered(5))
    worker = await Worker(modelled(stream, tmp_path)).start()
    await until(lambda: len(worker.taken) == 5)
    stream.fail["get_records"] = [failure("ExpiredIteratorException")]
    stream.put(0, *numbered(5, 5))
    await until(lambda: len(worker.taken) == 10)
    assert numbers(worker.taken) == list(range(10))
    await worker.stop()


@pytest.mark.uvloop_only
async def test_a_throttled_read_is_tried_again_more_slowly_and_is_no_news(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream(1)
    stream.fail["get_records"] = [failure("ProvisionedThroughputExceededException") for _ in range(4)]
    stream.put(0, *numbered(5))
    worker = await Worker(modelled(stream, tmp_path)).start()
    began = time.monotonic()
    await until(lambda: len(worker.taken) == 5)
    assert time.monotonic() - began > 0.04 + 0.08 + 0.16
    assert "ProvisionedThroughput" not in caplog.text
    await worker.stop()


@pytest.mark.uvloop_only
async def test_a_shard_is_not_read_more_often_than_it_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert 1 / kinesis_reader.PACE <= 5
    stream = Stream(1)
    stream.largest = 10
    stream.put(0, *numbered(1000))
    worker = await Worker(modelled(stream, tmp_path)).start()
    await asyncio.sleep(1.0)
    assert stream.calls["get_records"] <= 5
    await worker.stop()


async def test_records_that_retention_has_removed_are_passed_over_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stream = Stream(1)
    stream.put(0, *numbered(5))
    worker = await Worker(modelled(stream, tmp_path)).start()
    await until(lambda: len(worker.taken) == 5)
    await until(lambda: all(held.tracker.behind() == 0 for held in worker.held))
    await worker.stop()
    stream.put(0, *numbered(5, 5))
    stream.shards["shardId-000000000000"].trimmed = 7
    strict = Reader(modelled(stream, tmp_path, start="none"))
    await strict.source.start(strict)
    with pytest.raises(ConnectionFailed, match=r"has no records from the checkpoint on .* and start=none forbids"):
        await strict.read(1)
    await strict.source.stop()
    again = await Worker(modelled(stream, tmp_path)).start()
    await until(lambda: len(again.taken) == 3)
    assert numbers(again.taken) == [7, 8, 9]
    assert "it is read from the oldest one that it has" in caplog.text
    await again.stop()


@pytest.mark.uvloop_only
async def test_start_latest_begins_at_the_end_and_skips_nothing_that_comes_after_a_restart(tmp_path: Path) -> None:
    stream = Stream(2)
    stream.put(0, *numbered(3), at=time.time() - 10)
    stream.split(1)
    worker = await Worker(modelled(stream, tmp_path, start="latest")).start()
    await asyncio.sleep(0.2)
    await worker.stop()
    assert worker.taken == []
    stream.put(0, *numbered(2, 10))
    stream.put(2, *numbered(2, 20))
    again = await Worker(modelled(stream, tmp_path, start="latest")).start()
    await until(lambda: len(again.taken) == 4)
    assert sorted(numbers(again.taken)) == [10, 11, 20, 21]
    children = stream.split(0)
    stream.put(children[0], *numbered(2, 30), at=time.time() - 100)
    await until(lambda: len(again.taken) == 6)  # children are read from their beginning
    await again.stop()


async def test_start_none_refuses_a_group_without_a_checkpoint(tmp_path: Path) -> None:
    source = modelled(Stream(1), tmp_path, start="none")
    with pytest.raises(ConnectionFailed, match=r"^the group 'g' has no checkpoint of kinesis://.*, and start=none forbids"):
        await source.start(Reader(source))
    await source.stop()


async def test_a_failure_that_no_retry_mends_ends_the_source_with_a_sentence(tmp_path: Path) -> None:
    stream = Stream(1)
    reader = Reader(modelled(stream, tmp_path))
    await reader.source.start(reader)
    stream.fail["get_records"] = [failure("AccessDeniedException", "not yours")]
    with pytest.raises(ConnectionFailed, match="access denied: not yours"):
        await reader.read(1)
    await reader.source.stop()


@pytest.mark.uvloop_only
async def test_what_is_read_ahead_is_one_batch_of_each_shard(tmp_path: Path) -> None:
    stream = Stream(1)
    stream.largest = 50
    stream.put(0, *numbered(1000))
    reader = Reader(modelled(stream, tmp_path))
    await reader.source.start(reader)
    await reader.read(10, limit=10)
    await asyncio.sleep(0.3)
    assert stream.calls["get_records"] == 1
    assert sum(reader.source.lag().values()) >= 40
    await reader.source.stop()


async def test_a_full_shard_does_not_delay_the_others(tmp_path: Path) -> None:
    stream = Stream(3)
    stream.put(0, *numbered(3000))
    reader = Reader(modelled(stream, tmp_path))
    await reader.source.start(reader)
    await reader.read(100, limit=20)
    stream.put(1, *numbered(1, 5000))
    stream.put(2, *numbered(1, 6000))
    before = len(reader.taken)
    patience = time.monotonic() + 10
    while not {1, 2} <= {message.partition for message in reader.taken}:
        assert time.monotonic() < patience
        reader.take(await reader.fetch(20))
        await asyncio.sleep(0.005)
    assert len(reader.taken) - before < 2900
    await reader.source.stop()


# --- Addresses --------------------------------------------------------------------------------------------------------------------


def test_addresses_of_streams() -> None:
    source = open_source(
        addresses.parse("kinesis://eu-west-1/123456789012/orders?group=g&checkpoint=x.db&start=trim_horizon&lease=10s"),
        SourceOptions(name="orders"),
    )
    assert isinstance(source, KinesisSource)
    assert (source.topic, source.lease_seconds, source._start) == ("orders", 10, "earliest")
    assert source.stream() == {"StreamARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"}
    with pytest.raises(ConfigurationError) as wrong:
        open_source(addresses.parse("kinesis://nowhere/orders?start=sometime&lease=0s&speed=9"), SourceOptions(name="orders"))
    text = "kinesis://nowhere/orders?start=sometime&lease=0s&speed=9"
    assert wrong.value.problems == (
        f"{text}: kinesis has no option 'speed' here: expected connection, group, checkpoint, start, lease",
        f"{text}: expected a region or the name of a connection first, as in kinesis://eu-west-1/orders",
        f"{text}: expected ?group=NAME, under which checkpoints are kept and shards are shared",
        f"{text}: expected checkpoint=PATH (an SQLite file, for one machine) or checkpoint=dynamodb:TABLE",
        f"{text}: start='sometime' is not known: expected earliest, latest, none",
        f"{text}: lease: expected 1s to 12h, found '0s'",
    )


@pytest.mark.uvloop_only
async def test_what_cannot_start_is_a_sentence(moto: Server, tmp_path: Path) -> None:
    bed = MotoBed(moto)
    create_table(moto, f"{bed.table}-other", name="HASH")
    for source, sentence in (
        (bed.open(stream="nowhere"), "there is nothing of this name: create it"),
        (bed.open(table="nowhere"), "the table nowhere of kinesis://.*: there is nothing of this name: create it"),
        (bed.open(table=f"{bed.table}-other"), "expected a table whose partition key is stream and whose sort key is shard, both strings"),
        (modelled(Stream(1), tmp_path / "nowhere"), "checkpoint=.*/nowhere/shards.db: there is no directory"),
    ):
        with pytest.raises(ConnectionFailed, match=sentence) as failed:
            await source.start(Reader(source))
        assert "\n" not in str(failed.value)
        await source.stop()


@pytest.fixture(autouse=True)
def info(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO, "express"):
        yield


# --- Real workers -----------------------------------------------------------------------------------------------------------------


class KinesisPlace(Place):
    """Two shards, checkpoints in a file, results in a queue. Endpoint and credentials come from the environment."""

    visibility = 3

    def __init__(self, folder: Path, server: Server) -> None:
        super().__init__(folder)
        self.bed = MotoBed(server)
        self.done, self.dead = Queue(folder / "done.db"), Queue(folder / "dead.db")
        self.environment = {"AWS_ENDPOINT_URL_KINESIS": server.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

    def command(self) -> list[str]:
        source = f"kinesis://eu-west-1/{self.bed.stream}?group=g&checkpoint=shards.db&lease={self.visibility}s"
        return ["--source", source, "--sink", "queue:done.db", "--dead-letter", "queue:dead.db"]

    def send(self, values: Sequence[bytes]) -> None:
        for partition in range(self.bed.partitions):
            self.bed.put(values[partition :: self.bed.partitions], partition)

    def held(self) -> int:
        """Both workers have a shard: as many in flight as two may have."""
        with contextlib.closing(sqlite3.connect(self.folder / "shards.db")) as database:
            owners = database.execute("SELECT count(DISTINCT owner) FROM shard WHERE owner <> '' AND name NOT LIKE 'worker/%'")
            return 2 * IN_FLIGHT if owners.fetchone()[0] == 2 else 0

    def left(self) -> int:
        return COUNT - len({name for name, _ in (*self._of(self.done), *self._of(self.dead))})

    def sent(self) -> int:
        return self.done.waiting()

    def ended(self) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
        return self._of(self.done), self._of(self.dead)

    @staticmethod
    def _of(queue: Queue) -> list[tuple[str, bytes]]:
        with contextlib.closing(sqlite3.connect(queue.path)) as database:
            rows = database.execute("SELECT headers, value FROM record").fetchall()
        decode = msgspec.msgpack.Decoder(list[tuple[str, bytes]]).decode
        return [(dict(decode(headers))["express-execution"].decode(), value) for headers, value in rows]


@pytest.mark.kills
def test_two_workers_one_of_them_killed_over_and_over_lose_nothing_and_repeat_at_most_what_was_in_flight(
    tmp_path: Path, moto: Server
) -> None:
    survive(KinesisPlace(tmp_path, moto))
