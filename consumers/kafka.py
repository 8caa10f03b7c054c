"""Records of a Kafka topic in, shared with the other members of a consumer group; finished positions out, as the group's commits."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition, errors

from consumers.kafka_member import Member, Membership
from express import kafka
from express.addresses import Address
from express.commits import Position
from express.errors import ConfigurationError, ConnectionFailed
from express.options import SourceOptions
from express.runtime.context import Message
from express.sources import FETCH_SECONDS, Assignment, Intake, Source, fetch_seconds
from express.units import duration

log = logging.getLogger("express.kafka")

STARTS = ("earliest", "latest", "none")
COMMIT_SECONDS = 5.0
STOP_SECONDS = 1.5  # to leave the group; then connections are just closed
WATCH_SECONDS = 5.0  # how often the watchdog looks
LISTEN_SECONDS = 1.0  # how often it looks for connections on which nobody answers
QUICK_SECONDS = 10.0  # a consumer that did not live for so long: the next one waits a moment
FROZEN_SECONDS = 30.0  # behind and not moving for so long: the consumer is made anew


def open_source(address: Address, options: SourceOptions) -> KafkaSource:
    """``kafka://HOST:PORT,.../TOPIC?group=NAME&start=earliest|latest|none&session=30s&connection=NAME``"""
    problems = kafka.problems(address, options.connection, ("group", "start", "session"))
    group, start = address.options.get("group", ""), address.options.get("start", "earliest")
    if not group:
        problems.append(f"{address}: expected ?group=NAME, the consumer group that shares the topic and remembers what is done")
    if start not in STARTS:
        problems.append(f"{address}: start={start!r} is not known: expected {', '.join(STARTS)}")
    session = 30.0
    try:
        session = duration(address.options.get("session", "30s"))
        if not 1.0 <= session <= 1800.0:
            problems.append(f"{address}: session={address.options['session']!r}: expected between 1s and 30m")
    except ValueError as error:
        problems.append(f"{address}: session: {error}")
    if problems:
        raise ConfigurationError(*problems)
    endpoint = kafka.endpoint(address, options.connection, options.name)
    membership = Membership(endpoint=endpoint, group=group, start=start, session_seconds=session, drain_seconds=options.drain_seconds)
    return KafkaSource(membership)


class KafkaSource(Source):
    """A member of a consumer group, made anew when aiokafka cannot go on with the one it has.

    Backpressure is simply not to take what was fetched: aiokafka fetches nothing more for a partition until its buffer was taken, so at
    most one fetch a partition is held, and its pause(), which throws buffers away, is never called.
    """

    frozen_seconds, watch_seconds = FROZEN_SECONDS, WATCH_SECONDS  # shorter in tests

    def __init__(self, membership: Membership) -> None:
        kafka.spare()
        self.membership = membership
        self._intake: Intake | None = None
        self._member: Member | None = None
        self._paused = self._stopping = False
        self._resumed: asyncio.Future[None] | None = None
        self._commit: asyncio.Task[list[Assignment]] | None = None
        self._refused = False  # the last commit failed and was logged
        self._renewal: asyncio.Task[None] | None = None
        self._renewed = -QUICK_SECONDS
        self._watches: list[asyncio.Task[None]] = []
        self._moved: dict[Any, tuple[int, float]] = {}  # partition -> (position, since when; the time while paused left out)
        self._paused_since = 0.0
        self._unable: ConnectionFailed | None = None

    async def start(self, intake: Intake) -> None:
        self._intake = intake
        member = Member(self.membership, intake)
        await member.start()
        self._member = member
        loop = asyncio.get_running_loop()
        self._watches = [
            loop.create_task(self._watching(), name="kafka watchdog"),
            loop.create_task(self._listening(), name="kafka silence"),
        ]

    # Records

    async def fetch(self, limit: int) -> Mapping[Assignment, Sequence[Message]]:
        member = self._member
        if self._unable:
            raise self._unable
        if member is None or self._renewal is not None or self._stopping:
            await asyncio.sleep(FETCH_SECONDS / 4)
            return {}
        # What is buffered is taken without waiting for anything: without this a loop of fetches would keep heartbeats from being sent.
        await asyncio.sleep(0)
        try:
            if member.broken:
                raise member.broken
            if self._paused or not member.settled:
                await member.touch()
                await self._idle()
                return {}
            taken = await member.take(limit)
            if not taken:
                await member.arrival(fetch_seconds(member.held.values()))
                if member.settled and not self._paused and self._renewal is None:
                    taken = await member.take(limit)
            return taken
        except Exception as error:
            await self._failed(error)
            return {}

    async def _idle(self) -> None:
        """Waits until something changes, or a moment."""
        self._resumed = asyncio.get_running_loop().create_future()
        await asyncio.wait({self._resumed}, timeout=FETCH_SECONDS if self._paused else FETCH_SECONDS / 10)

    async def _failed(self, error: Exception) -> None:
        """What a fetch ran into: the operator must act, or a bad record batch is read again, or the consumer is made anew."""
        where, group = self.membership.endpoint, self.membership.group
        if isinstance(error, kafka.FATAL):
            raise ConnectionFailed(kafka.sentence(error, where, group)) from error
        if isinstance(error, (errors.NoOffsetForPartitionError, errors.OffsetOutOfRangeError)):
            raise ConnectionFailed(
                f"the group {group!r} has no position in {where} where records still are ({error}), and start=none forbids to choose one:"
                " commit one, or start with earliest or latest"
            ) from error
        if isinstance(error, errors.CorruptRecordException):
            log.error("a record batch of %s is damaged (%s); reading it again", where, error)
            await asyncio.sleep(1.0)
            return
        self._renew(f"{type(error).__name__}: {error}")

    def pause(self) -> None:
        self._paused, self._paused_since = True, time.monotonic()

    def resume(self) -> None:
        if self._paused:
            # A pipeline at its limit pauses and resumes every other moment: what does not move while it takes is frozen all the same
            paused = time.monotonic() - self._paused_since
            self._moved = {partition: (position, since + paused) for partition, (position, since) in self._moved.items()}
            self._paused = False
        if self._resumed and not self._resumed.done():
            self._resumed.set_result(None)

    # Positions

    async def commit(self, positions: Mapping[Assignment, Position]) -> Sequence[Assignment]:
        """One try. Its outcome is waited for at most COMMIT_SECONDS and it is never cancelled: a request that was cut off may still arrive,
        and must not arrive after a later one."""
        if not positions or self._member is None:
            return []
        if self._commit and not self._commit.done():
            await asyncio.wait({self._commit}, timeout=COMMIT_SECONDS)
            if not self._commit.done():
                return []
        task = self._commit = asyncio.get_running_loop().create_task(self._member.commit(positions), name="kafka commit")
        await asyncio.wait({task}, timeout=COMMIT_SECONDS)
        if not task.done():
            task.add_done_callback(kafka.retrieve)
            return self._not_committed(f"no answer within {COMMIT_SECONDS:.0f} s")
        if error := task.exception():
            if not isinstance(error, (errors.KafkaError, OSError)):
                raise error
            return self._not_committed(kafka.sentence(error, self.membership.endpoint, self.membership.group))
        committed = task.result()
        if self._refused and committed:
            self._refused = False
            log.info("group %s: commits succeed again", self.membership.group)
        return committed

    def _not_committed(self, why: str) -> list[Assignment]:
        if not self._refused:
            self._refused = True
            log.warning("group %s: positions could not be committed, the next commit tries again: %s", self.membership.group, why)
        return []

    # The consumer that is stuck

    async def _watching(self) -> None:
        """Asks for the ends now and then, so that the lag is true while nothing is fetched; a partition that is behind and does not move,
        or a
        group that is not joined again for long, is what aiokafka was seen in after broker restarts: a new consumer gets out of it."""
        while True:
            await asyncio.sleep(self.watch_seconds)
            member = self._member
            if member is None or self._renewal is not None:
                continue
            if not member.settled:
                self._moved.clear()
                longest = self.membership.drain_seconds + 2 * self.membership.session_seconds + self.frozen_seconds
                if time.monotonic() - member.changed > longest:
                    self._renew(f"the group was not joined for {longest:.0f} s")
                continue
            answered = await member.look_for_ends(self.watch_seconds)
            if answered and member.settled and not self._paused:
                self._look_for_frozen(member, answered)

    async def _listening(self) -> None:
        """Gives connections up on which nobody answers; apart from the watchdog, whose own question may hang on one."""
        while True:
            await asyncio.sleep(LISTEN_SECONDS)
            if self._member is not None:
                self._member.look_for_silence()

    def _look_for_frozen(self, member: Member, answered: Collection[TopicPartition]) -> None:
        """``answered``: those whose leader has just told their end. What stands still while its leader is away is not frozen."""
        now, moved = time.monotonic(), self._moved
        positions = member.positions()
        behind = {
            partition: position
            for partition, position in positions.items()
            if partition in answered and member.ends.get(partition, 0) > position and not member.held[partition].crowded
        }
        self._moved = {
            partition: known if (known := moved.get(partition)) and known[0] == position else (position, now)
            for partition, position in behind.items()
        }
        frozen = [partition for partition, (_, since) in self._moved.items() if now - since > self.frozen_seconds]
        if frozen:
            named = ", ".join(f"{partition.topic}-{partition.partition}" for partition in frozen)
            self._renew(f"no record of {named} for {self.frozen_seconds:.0f} s although there are some")

    def _renew(self, why: str) -> None:
        if self._renewal is None and not self._stopping:
            log.warning("group %s: a new Kafka consumer is made: %s", self.membership.group, why)
            self._renewal = asyncio.get_running_loop().create_task(self._renewing(), name="kafka renewal")

    async def _renewing(self) -> None:
        """Gives up what is held, leaves, and joins again, as often as it takes."""
        old, patience = self._member, 0.5
        assert self._intake
        if time.monotonic() - self._renewed < QUICK_SECONDS:  # it did not help for long
            await asyncio.sleep(QUICK_SECONDS / 5)
        self._renewed = time.monotonic()
        if old:
            old.settled = False
            await old.release()
            await old.leave(STOP_SECONDS)
        while not self._stopping:
            member = Member(self.membership, self._intake)
            try:
                await member.start()
            except Exception as error:  # whatever aiokafka ran into: nobody else would ever make one
                if isinstance(error, ConnectionFailed) and isinstance(error.__cause__, kafka.FATAL):
                    self._unable = error
                    return
                log.warning("group %s: %s; trying again in %.1f s", self.membership.group, error, patience)
                await asyncio.sleep(patience)
                patience = min(2 * patience, 10.0)
            else:
                self._moved.clear()
                self._member = member
                self._renewal = None
                return

    # The end

    async def stop(self) -> None:
        self._stopping = True
        for task in (*self._watches, self._renewal):
            if task:
                task.cancel()
                await asyncio.wait({task}, timeout=1.0)
        if self._commit and not self._commit.done():
            await asyncio.wait({self._commit}, timeout=1.0)
        if self._member:
            await self._member.leave(STOP_SECONDS)

    def lag(self) -> Mapping[tuple[str, int], int]:
        return self._member.lag() if self._member else {}

    def ready(self) -> bool:
        return self._member is not None and self._member.joined and self._renewal is None
