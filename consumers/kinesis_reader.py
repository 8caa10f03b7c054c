"""One shard read from a position on: batches of records into a buffer, at the pace that Kinesis allows."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from consumers.kinesis_aggregated import deaggregated
from consumers.leasing import Failing
from express import aws
from express.errors import ConnectionFailed

PACE = 0.25  # seconds between two reads of a shard: five a second are allowed, for all who read it
MOST = 10_000  # records of one read
LONGEST_PAUSE = 5.0
THROTTLED = {"ProvisionedThroughputExceededException", "LimitExceededException", "KMSThrottlingException", "ThrottlingException"}
EXPIRED = "ExpiredIteratorException"
TRIMMED = "InvalidArgumentException"  # of a sequence number that the shard does not have (any more)
GONE = ("ResourceNotFoundException",)

log = logging.getLogger("express")


class Record(msgspec.Struct, gc=False):
    """A record. ``offset`` is its number in this assignment, ``id`` what it is called for ever."""

    topic: str
    partition: int
    offset: int
    id: str
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Sequence[tuple[str, bytes]] = ()


class Place(Protocol):
    """What a reader needs of its stream."""

    client: Any
    endpoint: aws.Endpoint
    topic: str
    strict: bool  # a position that is gone may not be replaced by another one

    def stream(self) -> dict[str, str]: ...


class Reader:
    """Reads one batch ahead: the next one is asked for when the one before was taken, so that a shard holds 10 MB at most. The user records
    of an aggregated record come each by itself.

    ``ended``: the shard is closed and was read to its end. ``news`` is called when there is something to take, or it has ended.
    """

    def __init__(
        self, place: Place, shard: str, partition: int, after: str, number: Callable[[str, bool], int], news: Callable[[], None]
    ) -> None:
        self._place, self.shard, self._partition, self._number, self._news = place, shard, partition, number, news
        self._after = after  # as a Row says it; moves on with what was read
        self.buffer: deque[Record] = deque()
        self.ended = False
        self.failure: Exception | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._behind = 0  # records, estimated
        self._failing = Failing(f"{place.endpoint}: reading {shard}")

    def take(self, limit: int) -> list[Record]:
        taken = [self.buffer.popleft() for _ in range(min(limit, len(self.buffer)))]
        if not self.buffer:
            self._room.set()
        return taken

    @property
    def behind(self) -> int:
        """Records that were not taken: those that are here, and about as many as must have come since the last of them."""
        return len(self.buffer) + self._behind

    async def run(self) -> None:
        """Until the shard has ended, or cannot be read; cancelled when it is not ours any more."""
        try:
            await self._read()
        except Exception as error:  # a fetch raises it
            self.failure = error
        self._news()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        iterator: str | None = None
        pause, due = 0.0, loop.time()
        while not self.ended:
            await self._room.wait()
            if (wait := max(due - loop.time(), pause)) > 0:
                await asyncio.sleep(wait)
            due = loop.time() + PACE
            try:
                if iterator is None:
                    iterator = await self._iterator()
                answer = await self._do(self._place.client.get_records(ShardIterator=iterator, Limit=MOST))
            except aws.FOR_NOW as error:
                if aws.code(error) == EXPIRED:  # nothing was asked for five minutes: we were paused, or could not reach it
                    iterator = None
                    continue
                pause = min(max(2 * PACE, pause * 2), LONGEST_PAUSE)
                if aws.code(error) not in THROTTLED or pause == LONGEST_PAUSE:
                    self._failing.failed(error)
                continue
            self._failing.worked()
            pause, iterator = 0.0, answer.get("NextShardIterator")
            self._keep(answer)
            self.ended = iterator is None

    def _keep(self, answer: Mapping[str, Any]) -> None:
        found = answer.get("Records", ())
        for each in found:
            sequence = each["SequenceNumber"]
            name = f"{self._place.topic}-{self._partition}-{sequence}"
            at = int(each["ApproximateArrivalTimestamp"].timestamp() * 1000)
            parts = deaggregated(each["Data"])
            if parts is None:
                self._add(sequence, False, name, each["PartitionKey"].encode(), each["Data"], at)
                continue
            for index, (key, data) in enumerate(parts):
                self._add(sequence, index < len(parts) - 1, f"{name}-{index}", key, data, at)
        self._behind = 0
        if found:
            self._after = found[-1]["SequenceNumber"]
            self._room.clear()
            self._behind = self._estimate(answer.get("MillisBehindLatest") or 0, found)
            self._news()

    def _add(self, sequence: str, more: bool, name: str, key: bytes, data: bytes, at: int) -> None:
        self.buffer.append(Record(self._place.topic, self._partition, self._number(sequence, more), name, key, data, at))

    @staticmethod
    def _estimate(milliseconds: int, found: Sequence[Mapping[str, Any]]) -> int:
        """Kinesis says how much time is behind, not how many records: as many as came in such a time lately."""
        took = (found[-1]["ApproximateArrivalTimestamp"] - found[0]["ApproximateArrivalTimestamp"]).total_seconds()
        return int(len(found) * milliseconds / 1000 / max(took, 0.001)) if milliseconds else 0

    def _do(self, answer: Awaitable[Any]) -> Awaitable[Any]:
        return aws.running(answer, self._place.endpoint, GONE)

    async def _iterator(self) -> str:
        try:
            return await self._iterator_of(self._after)
        except aws.FOR_NOW as error:
            if aws.code(error) != TRIMMED or not self._after:
                raise
            what = f"{self._place.endpoint}: {self.shard} has no records from the checkpoint on (retention has removed them)"
            if self._place.strict:
                raise ConnectionFailed(
                    f"{what}, and start=none forbids to choose another position: start with earliest or latest"
                ) from error
            log.warning("%s: it is read from the oldest one that it has", what)
            self._after = ""
            return await self._iterator_of("")

    async def _iterator_of(self, after: str) -> str:
        if not after:
            how: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        elif after.startswith("@"):
            how = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": int(after[1:]) / 1000}
        else:
            how = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": after}
        answer = await self._do(self._place.client.get_shard_iterator(ShardId=self.shard, **self._place.stream(), **how))
        iterator: str = answer["ShardIterator"]
        return iterator
