"""Records of a Kinesis stream in, its shards shared with the other workers of a group; how far each is done out, into a store.

A shard is a partition, held by a lease (``kinesis_store``). Workers share the shards evenly: who has more than its share drains and gives
back the rest, what nobody has is taken by who has less, and a shard whose owner is silent for as long as a lease lasts is taken over.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from consumers.kinesis_progress import Progress, checkpoint
from consumers.kinesis_reader import GONE, Reader, Record
from consumers.kinesis_shards import Shard, Watch, quota, readable, shard_of
from consumers.kinesis_sqlite import SqliteStore
from consumers.kinesis_store import WORKER, Checkpoint, Lease, Row, Store
from consumers.leasing import Failing
from express import aws, units
from express.addresses import Address
from express.commits import Position
from express.errors import ConfigurationError, ConnectionFailed
from express.options import SourceOptions
from express.runtime.context import Message
from express.sources import Assignment, Intake, Source, fetch_seconds

STARTS = {"earliest": "earliest", "trim_horizon": "earliest", "latest": "latest", "none": "none"}
LEASE_SECONDS = 30.0
LIST_SECONDS = 10.0  # between two looks at which shards there are
SAVE_SECONDS = 5.0  # for the checkpoints of one commit
CLOSING = 2.0
DYNAMODB = "dynamodb:"

log = logging.getLogger("express")


def open_source(address: Address, options: SourceOptions) -> Source:
    """``kinesis://REGION/STREAM?group=NAME&checkpoint=PATH|dynamodb:TABLE&start=earliest|latest|none&lease=30s&connection=NAME``"""
    known = ("group", "checkpoint", "start", "lease")
    endpoint, problems = aws.endpoint(address, options.connection, known, "kinesis://eu-west-1/orders")
    group, place, start = address.options.get("group", ""), address.options.get("checkpoint", ""), address.options.get("start", "earliest")
    if not group:
        problems.append(f"{address}: expected ?group=NAME, under which checkpoints are kept and shards are shared")
    if not place or place == DYNAMODB:
        problems.append(f"{address}: expected checkpoint=PATH (an SQLite file, for one machine) or checkpoint=dynamodb:TABLE")
    if start not in STARTS:
        problems.append(f"{address}: start={start!r} is not known: expected earliest, latest, none")
    seconds = LEASE_SECONDS
    try:
        seconds = units.lease(address.options.get("lease"), LEASE_SECONDS)
    except ValueError as error:
        problems.append(f"{address}: lease: {error}")
    if problems:
        raise ConfigurationError(*problems)
    return KinesisSource(endpoint, _store(endpoint, place, f"{group}/{endpoint.name}"), group, STARTS[start], seconds)


def _store(endpoint: aws.Endpoint, place: str, stream: str) -> Store:
    if not place.startswith(DYNAMODB):
        return SqliteStore(place, stream)
    from consumers.kinesis_dynamodb import DynamoStore

    table = place.removeprefix(DYNAMODB)
    return DynamoStore(msgspec.structs.replace(endpoint, text=f"the table {table} of {endpoint}", name=table, account=None), stream)


class Held(msgspec.Struct, eq=False):
    """A shard that is ours. ``leaving``: it is on its way back, or lost."""

    lease: Lease
    assignment: Assignment
    progress: Progress
    reader: Reader
    reading: asyncio.Task[None]
    leaving: asyncio.Task[None] | None = None


class KinesisSource(Source):
    """One worker of a group."""

    def __init__(self, endpoint: aws.Endpoint, store: Store, group: str, start: str, lease_seconds: float) -> None:
        self.endpoint, self.topic, self.group, self._start, self.lease_seconds = endpoint, endpoint.name, group, start, lease_seconds
        self.strict = start == "none"
        self.store = store
        self.me = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.client: Any = None
        self._intake: Intake | None = None
        self._held: dict[str, Held] = {}  # by shard
        self._shards: list[Shard] = []
        self._listed = 0.0
        self._watch = Watch(lease_seconds)
        self._news, self._due = asyncio.Event(), asyncio.Event()
        self._paused = self._started = self._stopping = False
        self._turn = 0
        self._coordinating: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._sharing, self._saving = (Failing(f"{endpoint}: {what}") for what in ("sharing shards", "writing checkpoints"))
        self._for_now: tuple[type[BaseException], ...] = (*aws.FOR_NOW, *store.transient, TimeoutError)
        self._not_saved: tuple[type[BaseException], ...] = (*self._for_now, ConnectionFailed)

    # --- The contract -------------------------------------------------------------------------------------------------------------

    async def start(self, intake: Intake) -> None:
        self._intake = intake
        await self.store.open()
        await aws.started(self._connect(), self.endpoint, GONE)
        try:
            await self._begin()
            await self._share()
        except self._for_now as error:
            raise ConnectionFailed(f"{self.endpoint}: {error}") from error
        self._started = True
        self._coordinating = asyncio.create_task(self._coordinate(), name=f"express-kinesis-{self.topic}")

    async def _connect(self) -> None:
        self.client = await self.endpoint.client("kinesis")
        await self._list()

    async def fetch(self, limit: int) -> Mapping[Assignment, Sequence[Message]]:
        self._news.clear()
        for held in self._held.values():
            if (failure := held.reader.failure) is not None:
                raise failure
        taken = {} if self._paused else self._take(limit)
        if not taken:
            with suppress(TimeoutError):
                async with asyncio.timeout(fetch_seconds([held.assignment for held in self._held.values()])):
                    await self._news.wait()
            taken = {} if self._paused else self._take(limit)
        return taken

    def _take(self, limit: int) -> dict[Assignment, Sequence[Message]]:
        """From each shard its share; a shard whose share is not needed leaves it to the next ones, who comes first changes."""
        waiting = [held for held in self._held.values() if held.reader.buffer and held.leaving is None and not held.assignment.crowded]
        if not waiting:
            return {}
        self._turn += 1
        first = self._turn % len(waiting)
        taken: dict[Assignment, Sequence[Message]] = {}
        for index, held in enumerate(waiting[first:] + waiting[:first]):
            if (share := -(-limit // (len(waiting) - index))) <= 0:
                break
            records: list[Record] = held.reader.take(share)
            taken[held.assignment] = records
            limit -= len(records)
        return taken

    async def commit(self, positions: Mapping[Assignment, Position]) -> Sequence[Assignment]:
        wanted: dict[Lease, Checkpoint] = {}
        assignments: dict[Lease, Assignment] = {}
        for assignment, position in positions.items():
            held = next((held for held in self._held.values() if held.assignment is assignment), None)
            if held is not None and not assignment.fenced:
                wanted[held.lease] = checkpoint(position)
                assignments[held.lease] = assignment
        if not wanted:
            return []
        try:
            async with asyncio.timeout(SAVE_SECONDS):
                saved = await self.store.save(wanted)
        except self._not_saved as error:
            self._saving.failed(error)
            return []
        self._saving.worked()
        if len(saved) < len(wanted) or any(held.reader.ended for held in self._held.values()):
            self._due.set()  # somebody else has one by now; or one may be done
        return [assignments[lease] for lease in saved]

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._news.set()

    async def stop(self) -> None:
        self._stopping = True
        tasks = [held.reading for held in self._held.values()] + [*self._leaving]
        tasks += [self._coordinating] if self._coordinating is not None else []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSING)
        leases = [held.lease for held in self._held.values()]
        self._held.clear()
        if self._started:
            self._started = False
            try:
                async with asyncio.timeout(CLOSING):
                    await self.store.release(leases)
                    await self.store.forget([WORKER + self.me])
            except Exception as error:
                log.debug("%s: giving back: %r", self.endpoint, error)
        await self.store.close()
        client, self.client = self.client, None
        await aws.close(client)

    def lag(self) -> Mapping[tuple[str, int], int]:
        """Records that were not taken, estimated by how long they have been there."""
        return {(self.topic, held.assignment.partition): held.reader.behind for held in self._held.values()}

    def ready(self) -> bool:
        return self._started

    # --- Where a group begins -----------------------------------------------------------------------------------------------------

    def stream(self) -> dict[str, str]:
        """How the stream is called in a request; by its ARN when it is another account's."""
        where = self.endpoint
        if where.account is None:
            return {"StreamName": where.name}
        return {"StreamARN": f"arn:aws:kinesis:{where.region or where.connection.region}:{where.account}:stream/{where.name}"}

    def _do(self, answer: Awaitable[Any]) -> Awaitable[Any]:
        return aws.running(answer, self.endpoint, GONE)

    async def _list(self) -> Mapping[str, Any]:
        shards: list[Shard] = []
        request: dict[str, Any] = self.stream()
        while True:
            answer = await self._do(self.client.list_shards(**request))
            shards += map(shard_of, answer["Shards"])
            if not answer.get("NextToken"):
                break
            request = {"NextToken": answer["NextToken"]}
        self._shards, self._listed = shards, time.monotonic()
        about: Mapping[str, Any] = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return about

    async def _begin(self) -> None:
        """``start``: of a group that has no checkpoint of this stream. The end is written down at once: a restart before the first
        checkpoint would find a later one, and skip what came between."""
        if any(not row.shard.startswith(WORKER) for row in await self.store.rows()) or self._start == "earliest":
            return
        if self._start == "none":
            raise ConnectionFailed(
                f"the group {self.group!r} has no checkpoint of {self.endpoint}, and start=none forbids to choose one: start with earliest"
                " or latest"
            )
        # By the clock of the service, which says seconds: up to one second of what was there before comes along, and nothing is skipped
        about = await self._list()
        now = parsedate_to_datetime(about["date"]).timestamp() if "date" in about else time.time()
        rows = [Row(shard=shard.name, after=f"@{int(now * 1000)}", done=not shard.open) for shard in self._shards]
        await self.store.add(rows)

    # --- Sharing ------------------------------------------------------------------------------------------------------------------

    async def _coordinate(self) -> None:
        """At a third of a lease, and whenever something is due."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.lease_seconds / 3):
                    await self._due.wait()
            self._due.clear()
            try:
                async with asyncio.timeout(self.lease_seconds / 3):
                    await self._share()
            except self._for_now as error:
                self._sharing.failed(error)
                await asyncio.sleep(min(1.0, self.lease_seconds / 10))
            except Exception as error:
                if self._intake is not None:
                    self._intake.failed(error)
                raise
            else:
                self._sharing.worked()

    async def _share(self) -> None:
        """One round: live, notice what is lost, close what is done, give back what is too much, take what is free."""
        await self.store.greet(WORKER + self.me)
        leases = {held.lease: held for held in self._held.values()}
        for lease in await self.store.renew(list(leases)):
            self._lose(leases[lease])
        ended = await self._close_ended()
        if ended or time.monotonic() - self._listed > min(LIST_SECONDS, self.lease_seconds):
            await self._list()
        rows = await self.store.rows()
        now = time.monotonic()
        self._watch.look(rows, now)
        await self._tidy(rows, now)
        known = {row.shard: row for row in rows}
        shards = readable(self._shards, known)
        share = quota(len(shards), self._watch.workers(rows, now), WORKER + self.me)
        ours = [held for held in self._held.values() if held.leaving is None and not held.reader.ended]
        for held in ours[share:]:
            self._give_back(held)
        for shard in shards:
            if len(ours) >= share:
                break
            row = known.get(shard.name, Row(shard=shard.name))
            if shard.name not in self._held and (not row.owner or self._watch.silent(row, now)):
                taken = await self.store.take(row, self.me)
                if taken is not None:
                    if row.owner:
                        log.warning("%s: %s is taken over from %s, which is silent", self.endpoint, shard.name, row.owner)
                    ours.append(self._take_over(shard, row, taken))

    async def _tidy(self, rows: Iterable[Row], now: float) -> None:
        """Rows of workers that are gone, and of shards that retention has removed after they were done."""
        names = {shard.name for shard in self._shards}
        old = [row.shard for row in rows if row.done and row.shard not in names and not row.shard.startswith(WORKER)]
        if forgotten := [*self._watch.gone(rows, now), *old]:
            await self.store.forget(forgotten)

    def _take_over(self, shard: Shard, row: Row, lease: Lease) -> Held:
        assert self._intake is not None
        progress = Progress(row.after, row.metadata)
        assignment = Assignment(self.topic, shard.number, progress, identified=True)
        reader = Reader(self, shard.name, shard.number, row.after, progress.number, self._arrived)
        reading = asyncio.create_task(reader.run(), name=f"express-{shard.name}")
        held = self._held[shard.name] = Held(lease, assignment, progress, reader, reading)
        self._intake.assigned([assignment])
        log.info("group %s: %s of %s held", self.group, shard.name, self.topic)
        return held

    def _arrived(self) -> None:
        self._news.set()
        if any(held.reader.ended for held in self._held.values()):
            self._due.set()

    async def _close_ended(self) -> bool:
        """Shards that were read to their end and are finished are marked as done: their children may begin. Whether there were any."""
        ended = [
            held
            for held in self._held.values()
            if held.reader.ended and held.leaving is None and not held.reader.buffer and held.progress.whole()
        ]
        for held in ended:
            row = next(row for row in await self.store.rows() if row.shard == held.lease.shard)
            if held.lease in await self.store.save({held.lease: Checkpoint(row.after, "", True)}):
                log.info("group %s: %s of %s has ended, and is done", self.group, held.lease.shard, self.topic)
                self._give_back(held)
            else:
                self._lose(held)
        return bool(ended)

    def _give_back(self, held: Held) -> None:
        """Drained and committed, then somebody else's. Takes as long as a drain; leases are renewed meanwhile."""
        self._leave(held, self._release(held))

    def _leave(self, held: Held, steps: Any) -> None:
        held.reading.cancel()
        held.leaving = task = asyncio.create_task(steps, name=f"express-leaving-{held.lease.shard}")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _release(self, held: Held) -> None:
        assert self._intake is not None
        await self._intake.revoked([held.assignment])
        held.assignment.fenced = True
        try:
            await self.store.release([held.lease])
        except self._for_now as error:
            log.debug("%s: giving back %s: %r", self.endpoint, held.lease.shard, error)  # it runs out
        self._forget(held)
        self._due.set()

    def _lose(self, held: Held) -> None:
        """Somebody else has it: what finishes from now on is done again there, and is not ours to commit."""
        if held.assignment.fenced:
            return
        self.lost += 1
        log.warning("%s: the lease of %s ran out while it was ours: what is in flight is run again", self.endpoint, held.lease.shard)
        held.assignment.fenced = True
        if held.leaving is None:
            self._leave(held, self._drop(held))

    async def _drop(self, held: Held) -> None:
        assert self._intake is not None
        await self._intake.revoked([held.assignment])
        self._forget(held)

    def _forget(self, held: Held) -> None:
        if self._held.get(held.lease.shard) is held:
            del self._held[held.lease.shard]
