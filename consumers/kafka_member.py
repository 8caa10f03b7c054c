"""One membership in a consumer group, from joining to leaving: partitions come and go, records come out, positions are committed.

Everything that touches the inside of aiokafka on the reading side is in this file; ``tests/consumers/test_kafka_client.py`` notices when a
new version of it moves something. What aiokafka does that an engine has to know, what we do about it and which test shows it is listed in
``docs/kafka.md``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition, errors
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.protocol.commit import OffsetFetchRequest

from consumers.kafka_records import Record, lighten
from express import kafka
from express.commits import Position, Tracker
from express.kafka_silence import ANSWER_SECONDS, Silence
from express.sources import Assignment, Intake

log = logging.getLogger("express.kafka")

NOWHERE = TopicPartition("", -1)  # asked for while nothing may be taken: aiokafka sees that we live and gives nothing


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """What a member of the group is made of."""

    endpoint: kafka.Endpoint
    group: str
    start: str  # earliest, latest, none: where a group begins that has committed nothing
    session_seconds: float
    drain_seconds: float
    fetch_bytes: int = 1 << 20  # for each partition, at least,
    fetch_most_bytes: int = 4 << 20  # and at most: over a line with 400 ms there and back a partition that lags gets what one fetch holds,
    fetch_all_bytes: int = 32 << 20  # as long as no more than this comes together
    fetch_total_bytes: int = 16 << 20  # for each broker

    def settings(self, assignor: type[StickyPartitionAssignor]) -> dict[str, Any]:
        rebalance = int((self.drain_seconds + 10.0) * 1000)
        session = int(self.session_seconds * 1000)
        return {
            **self.endpoint.client,
            "group_id": self.group,
            "enable_auto_commit": False,
            # Also what happens when retention has overtaken the position. "latest" would skip what is left: ``start`` is handled below.
            "auto_offset_reset": "none" if self.start == "none" else "earliest",
            "isolation_level": "read_committed",
            "partition_assignment_strategy": (assignor,),
            "session_timeout_ms": session,
            # With the answer to a heartbeat a member learns that somebody joins: until all have, nobody gets a partition.
            "heartbeat_interval_ms": min(1000, session // 3),
            "rebalance_timeout_ms": rebalance,
            # A join waits at the broker for the slowest member: cut off earlier it would never come to an end.
            "request_timeout_ms": max(40_000, rebalance + 10_000),
            "max_poll_interval_ms": 300_000,
            # The broker holds a fetch back for this long when there is nothing; a partition that was emptied meanwhile waits for its
            # return.
            "fetch_max_wait_ms": 100,
            "max_partition_fetch_bytes": self.fetch_bytes,
            "fetch_max_bytes": self.fetch_total_bytes,
            "metadata_max_age_ms": 60_000,
            # That the other end of a connection is gone shows only when it is used: better a new one than one that had been idle when
            # a partition comes whose leader is there
            "connections_max_idle_ms": 10_000,
        }


class Member(ConsumerRebalanceListener):  # type: ignore[misc]
    """A member of the group. ``held`` are its partitions; ``settled`` is true while their records may be taken.

    ``broken`` is an error after which this member is of no use any more: the source makes a new one.
    """

    answer_seconds = ANSWER_SECONDS  # shorter in tests

    def __init__(self, membership: Membership, intake: Intake) -> None:
        self.membership, self.intake = membership, intake
        self.held: dict[TopicPartition, Assignment] = {}
        self.settled = self.joined = False
        self.changed = time.monotonic()  # when it was last settled or unsettled
        self.broken: BaseException | None = None
        self.ends: dict[TopicPartition, int] = {}
        self._epoch: tuple[int, str] = (-1, "")
        self._joining = False  # from the end of a drain until it is known what the group has given us
        self._released = False  # for good: whatever the group still says is another member's
        self._next: dict[Assignment, int] = {}  # the offset after the last one that was taken
        self._turn = 0
        self._postponed: Exception | None = None
        # aiokafka keeps what the sticky assignor remembers on the class, shared by every consumer of the process.
        self._assignor: Any = type("Sticky", (StickyPartitionAssignor,), {"member_assignment": None})
        self._consumer: Any = None
        self._silence: Silence | None = None

    async def start(self) -> None:
        """Connects and asks to join; the partitions come later. Raises ConnectionFailed."""
        membership = self.membership
        self._consumer = AIOKafkaConsumer(**membership.settings(self._assignor))
        self._silence = Silence(self._consumer._client, min(self.answer_seconds, max(2.0, membership.session_seconds)))
        try:
            await kafka.connected(self._connect(), membership.endpoint, membership.group)
        except BaseException:
            await self.leave(1.0)
            raise

    async def _connect(self) -> None:
        membership, consumer = self.membership, self._consumer
        await consumer.start()  # subscribed to nothing yet, so it does not wait for partitions
        consumer._coordinator._send_req = _whole(consumer._coordinator)
        await kafka.partitions(consumer._client, membership.endpoint)
        await consumer._coordinator.ensure_coordinator_known()
        consumer.subscribe([membership.endpoint.topic], listener=self)

    # Partitions

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Called by aiokafka inside a rebalance, before the group is joined again; heartbeats go on meanwhile. Most partitions come back to
        who had them: what runs longer than the drain is not given up before that is known."""
        self._unsettle()
        if self._released:
            return
        if self._current() and not self._joining:
            await self.intake.suspended(list(self.held.values()))
            # A commit that is under way when the group has joined would carry a generation that is over, and throw this member out
            self._joining = True
        if not self._current():
            self._lose()

    async def release(self) -> None:
        """Gives up what is held, for good: drained and committed as far as this member may still commit, then fenced."""
        self._released = True
        if self._current() and not self._joining:
            await self.intake.revoked(list(self.held.values()))
            self.held = {}
        else:
            self._lose()

    def _lose(self) -> None:
        """Others may own by now what was held here."""
        lost, self.held = list(self.held.values()), {}
        self.intake.lost(lost)

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Called by aiokafka when the group was joined. It sends no heartbeat before this returns, and swallows what this raises."""
        try:
            async with asyncio.timeout(max(1.0, min(10.0, self.membership.session_seconds / 2))):
                await self._take_over(list(assigned))
        except (errors.KafkaError, TimeoutError) as error:
            self.broken = error

    async def _take_over(self, assigned: list[TopicPartition]) -> None:
        coordinator, consumer = self._consumer._coordinator, self._consumer
        suspended = self.held if coordinator.member_id == self._epoch[1] else {}
        self.intake.lost([held for partition, held in self.held.items() if partition not in suspended or partition not in assigned])
        self._assignor.on_generation_assignment(coordinator.generation)  # aiokafka never does
        committed = await coordinator.fetch_committed_offsets(assigned)  # consumer.committed() would drop the metadata
        if self.membership.start == "latest" and len(committed) < len(assigned):
            committed = await self._begun(assigned)
        if self._released:
            return
        resumed, begun = [], []
        self.held, self.ends, self._next = {}, {}, {}
        for partition in sorted(assigned):
            known, former = committed.get(partition), suspended.get(partition)
            if former is not None and known and _tracker(former).goes_on_from(known.offset, known.metadata):
                self.held[partition] = former
                self._next[former] = _tracker(former).delivered + 1
                consumer.seek(partition, _tracker(former).next_needed(self._next[former]))
                resumed.append(former)
                continue
            if former is not None:
                self.intake.lost([former])
            if known:
                consumer.seek(partition, known.offset)
            begun.append(self._assignment(partition, Tracker(known.offset, known.metadata) if known else Tracker()))
        share = self.membership.fetch_all_bytes // max(1, len(self.held))
        consumer._fetcher._max_partition_fetch_bytes = max(self.membership.fetch_bytes, min(self.membership.fetch_most_bytes, share))
        self._epoch, self._joining = (coordinator.generation, coordinator.member_id), False
        self.intake.resumed(resumed)
        self.intake.assigned(begun)
        numbers = ", ".join(str(partition.partition) for partition in self.held)
        log.info("group %s: partitions of %s held: %s", self.membership.group, self.membership.endpoint.topic, numbers or "none")
        self.settled = self.joined = True
        self.changed = time.monotonic()

    async def _begun(self, assigned: Sequence[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        """``start=latest``: what is committed, once the group has begun. A group without any position in the topic begins at its ends as
        they are now, committed for all partitions by whoever holds the first one: otherwise a restart before the first commit would begin
        at later ends, and skip, and so would a group of which some partition came later."""
        coordinator, consumer = self._consumer._coordinator, self._consumer
        topic = self.membership.endpoint.topic
        everything = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        while not (committed := await coordinator.fetch_committed_offsets(everything)):
            if everything[0] in assigned:
                ends = await consumer.end_offsets(everything)
                positions = {partition: OffsetAndMetadata(offset, "") for partition, offset in ends.items()}
                await coordinator._do_commit_offsets(None, positions)
            else:
                await asyncio.sleep(0.1)
        return {partition: position for partition, position in committed.items() if partition in assigned}

    def _unsettle(self) -> None:
        self.settled = False
        self.changed = time.monotonic()

    def _current(self) -> bool:
        """Whether the group still knows us as who we were when we got our partitions."""
        coordinator = self._consumer._coordinator
        return bool((coordinator.generation, coordinator.member_id) == self._epoch)

    # Records

    async def take(self, limit: int) -> dict[Assignment, list[Record]]:
        """What was fetched already, at most ``limit``, shared out fairly over the partitions. Does not wait, so it need never be cancelled.

        A partition whose share is not needed leaves it to the next ones; who comes first changes from call to call.
        """
        if self._postponed:
            error, self._postponed = self._postponed, None
            raise error
        fetched = self._consumer._fetcher._records
        waiting = [partition for partition in fetched if (held := self.held.get(partition)) is not None and not held.crowded]
        if not waiting:
            await self.touch()
            return {}
        self._turn += 1
        first = self._turn % len(waiting)
        taken: dict[Assignment, list[Record]] = {}
        for index, partition in enumerate(waiting[first:] + waiting[:first]):
            share = -(-limit // (len(waiting) - index))
            if share <= 0:
                break
            lighten(fetched.get(partition), self.held[partition].tracker)
            try:
                # Named, because getmany() throws the buffers of what is paused away and empties one partition before it looks at the next.
                records = (await self._consumer.getmany(partition, timeout_ms=0, max_records=share)).get(partition)
            except Exception as error:
                self._mend_fetch_count()
                if not taken:
                    raise
                self._postponed = error  # what is here is given out first; aiokafka may not raise it again
                break
            if records:
                assignment = self.held[partition]
                if records[0].offset < self._next.get(assignment, 0):
                    assignment = self._begin_again(partition, assignment)
                self._next[assignment] = records[-1].offset + 1
                taken[assignment] = records
                limit -= len(records)
        return taken

    def _begin_again(self, partition: TopicPartition, former: Assignment) -> Assignment:
        """The position went back (the log was cut off, or is another one): what was finished says nothing of the records that come now."""
        log.warning("group %s: the offsets of %s have gone back; what is there is new", self.membership.group, former)
        self.intake.lost([former])
        assignment = self._assignment(partition, Tracker())
        self.intake.assigned([assignment])
        return assignment

    def _assignment(self, partition: TopicPartition, tracker: Tracker) -> Assignment:
        assignment = self.held[partition] = Assignment(partition.topic, partition.partition, tracker)
        assignment.partitions = len(self._consumer.partitions_for_topic(partition.topic) or ())
        return assignment

    async def touch(self) -> None:
        """Tells aiokafka that somebody is there (max_poll_interval) and raises what its background tasks ran into."""
        if self._consumer._subscription.reassignment_in_progress:  # then getmany() would wait for its end, for as long as that takes
            self._consumer._coordinator.check_errors()
            if self._joining and self._consumer._coordinator.member_id != self._epoch[1]:  # its session has ended
                self._lose()
            return
        try:
            await self._consumer.getmany(NOWHERE, timeout_ms=0)
        except Exception:
            self._mend_fetch_count()
            raise

    def _mend_fetch_count(self) -> None:
        # getmany() counts itself as running and forgets to stop counting when it raises: max_poll_interval would never pass again.
        self._consumer._subscription._fetch_count = 0

    async def arrival(self, seconds: float) -> None:
        """Returns when something was fetched, at the latest after ``seconds``. May be cancelled."""
        waiter = self._consumer._fetcher._create_fetch_waiter()
        try:
            await asyncio.wait({waiter}, timeout=seconds)
            if waiter.done():
                waiter.result()
        finally:
            waiter.cancel()

    # Positions

    async def commit(self, positions: Mapping[Assignment, Position]) -> list[Assignment]:
        """Commits once; raises what aiokafka raises. What is fenced, or was assigned to us in another generation, is left out."""
        coordinator = self._consumer._coordinator
        await coordinator.ensure_coordinator_known()
        # From here to the request there is no await: it carries the generation that was looked at, and the broker refuses any other.
        if self._joining or not self._current():
            return []
        sent, offsets = [], {}
        for assignment, position in positions.items():
            partition = TopicPartition(assignment.topic, assignment.partition)
            if not assignment.fenced and self.held.get(partition) is assignment:
                sent.append(assignment)
                offsets[partition] = OffsetAndMetadata(position.offset, position.metadata)
        if offsets:
            # Not consumer.commit(): that goes on trying, with whatever generation it then has, without asking whether the partition is
            # still ours.
            await coordinator._do_commit_offsets(None, offsets)
        return sent

    def look_for_silence(self) -> None:
        """To be called about once a second: gives connections up on which nobody answers."""
        if self._silence is not None:
            self._silence.look()

    # What is behind

    def positions(self) -> dict[TopicPartition, int]:
        """The next offset of each partition that is known."""
        states = ((partition, self._state(partition)) for partition in self.held)
        return {partition: state.position for partition, state in states if state is not None and state.has_valid_position}

    def lag(self) -> dict[tuple[str, int], int]:
        """Records between the next offset and the newest known end."""
        found = {}
        for partition, position in self.positions().items():
            state = self._state(partition)
            end = max(state.lso or 0, self.ends.get(partition, 0))
            found[partition.topic, partition.partition] = max(0, end - position)
        return found

    async def look_for_ends(self, seconds: float) -> set[TopicPartition]:
        """Asks the brokers for the ends, apart from any fetch: a fetch that is stuck, or paused, says nothing new. Each by itself: one that
        is away must not hide what stands still at another. Returns the partitions whose leader has answered within ``seconds``."""
        cluster, led = self._consumer._client.cluster, defaultdict(list)
        for partition in self.held:
            led[cluster.leader_for_partition(partition)].append(partition)
        asking = [asyncio.ensure_future(self._consumer.end_offsets(partitions)) for partitions in led.values()]
        if not asking:
            return set()
        try:
            done, _ = await asyncio.wait(asking, timeout=seconds)
        finally:
            for question in asking:
                question.cancel()
                question.add_done_callback(kafka.retrieve)
        told = [question.result() for question in done if not question.cancelled() and question.exception() is None]
        ends = {partition: offset for answer in told for partition, offset in answer.items() if partition in self.held}
        self.ends |= ends
        return set(ends)

    def _state(self, partition: TopicPartition) -> Any:
        subscription = self._consumer._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return None
        return subscription.assignment.state_value(partition)

    # The end

    async def leave(self, seconds: float) -> None:
        """Leaves the group and closes; when that takes too long, just closes. Never raises."""
        self._unsettle()
        consumer = self._consumer
        if consumer is None:
            return
        lines = kafka.lines(consumer._client)
        if await kafka.within(seconds, consumer.stop()):
            return
        consumer._closed = True
        coordinator, fetcher = consumer._coordinator, consumer._fetcher
        tasks: list[Any] = [getattr(coordinator, name, None) for name in ("_coordination_task", "_heartbeat_task", "_commit_refresh_task")]
        if fetcher is not None:
            fetcher._closed = True
            tasks += [fetcher._fetch_task, *fetcher._pending_tasks]
        await kafka.abandon(tasks, consumer._client, lines, 0.5)


def _whole(coordinator: Any) -> Callable[[Any], Awaitable[Any]]:
    """How a coordinator is asked, such that an answer about positions is one. When the coordinator moves, or is loading, the error is that
    of the whole answer, and no partition is in it: aiokafka looks at the partitions' errors only, and takes that for a group that has
    committed nothing, whose topics begin at their beginning (or, with ``start=latest``, at their end)."""
    send = coordinator._send_req

    async def sent(request: Any) -> Any:
        answer = await send(request)
        if not isinstance(request, OffsetFetchRequest):
            return answer
        error = errors.for_code(getattr(answer, "error_code", 0))
        if error is errors.NotCoordinatorForGroupError:
            coordinator.coordinator_dead()
        if error is not errors.NoError:
            raise error(coordinator.group_id)
        # One that the coordinator does not know (yet) would count as without a position, too
        unknown = errors.UnknownTopicOrPartitionError.errno
        told = {(topic, number) for topic, partitions in answer.topics for number, *_, code in partitions if code != unknown}
        if any((topic, number) not in told for topic, numbers in request._partitions for number in numbers):
            raise errors.GroupLoadInProgressError(coordinator.group_id)
        return answer

    return sent


def _tracker(assignment: Assignment) -> Tracker:
    """That of an assignment which ``Member`` has made."""
    assert isinstance(assignment.tracker, Tracker)
    return assignment.tracker
