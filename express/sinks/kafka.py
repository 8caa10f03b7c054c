"""Entries in, records of a Kafka topic out: idempotent, acknowledged by all in-sync replicas, in batches that form by themselves."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from aiokafka import AIOKafkaProducer, errors
from aiokafka.partitioner import murmur2

from express import kafka
from express.addresses import Address
from express.errors import ConfigurationError
from express.kafka_silence import ANSWER_SECONDS, Silence
from express.options import SinkOptions
from express.sinks import Acknowledged, Entry, Rejected, Sink

log = logging.getLogger("express.kafka")

SMALLEST_BATCH_BYTES = 4096
BATCH_BYTES = 900_000  # below what a broker takes by default (message.max.bytes, 1 MiB)
STALLED_SECONDS = 5.0  # unacknowledged for so long: not ready, said once
STUCK_SECONDS = 60.0  # unacknowledged for so long: a new producer
STOP_SECONDS = 1.5

TOO_LARGE = (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError)
REFUSED = (
    *TOO_LARGE,
    errors.InvalidTimestampError,
    kafka.InvalidRecordError,
)  # a record of the batch can never be written; its parts show which


def open_sink(address: Address, options: SinkOptions) -> KafkaSink:
    """``kafka://HOST:PORT,.../TOPIC?connection=NAME``"""
    if problems := kafka.problems(address, options.connection, ()):
        raise ConfigurationError(*problems)
    return KafkaSink(kafka.endpoint(address, options.connection, options.name))


class KafkaSink(Sink):
    """Writes to one topic; an entry counts as acknowledged when all in-sync replicas have it.

    Each partition of the topic has a buffer and at most one batch under way. When none is, everything buffered goes out at once: at a low
    rate a record waits for nothing, at a high rate batches grow while the one before is under way. No timer, no task per record.

    An entry keeps the partition number of the record it answers when both topics have as many partitions; otherwise its key chooses as
    Kafka's own clients do, and entries without a key take turns by the batch.
    """

    answer_seconds, stalled_seconds, stuck_seconds = ANSWER_SECONDS, STALLED_SECONDS, STUCK_SECONDS  # shorter in tests

    def __init__(self, endpoint: kafka.Endpoint) -> None:
        kafka.spare()
        self.endpoint = endpoint
        self._producer: Any = None
        self._silence: Silence
        self._partitions = 0  # of the topic
        self._buffers: dict[int, list[Entry]] = {}
        self._under_way: dict[int, tuple[list[Entry], float]] = {}  # partition -> what was sent, and when
        self._settled: dict[int, int] = {}  # partition -> entries acknowledged or rejected, from the beginning
        self._batch_bytes = BATCH_BYTES
        self._smaller: dict[int, int] = {}  # partition -> records a batch, while looking for one that is refused
        self._turn = 0
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: BaseException | None = None  # of the present producer
        self._setbacks = 0  # failures since something was acknowledged
        self._complained = False
        self._acknowledged: Acknowledged
        self._rejected: Rejected
        self._failed: Callable[[Exception], None]

    async def start(self, acknowledged: Acknowledged, rejected: Rejected, failed: Callable[[Exception], None]) -> None:
        self._acknowledged, self._rejected, self._failed = acknowledged, rejected, failed
        await self._connect()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._sending(), name="kafka sink"), loop.create_task(self._watching(), name="kafka sink watchdog")]

    async def _connect(self) -> None:
        """A new producer: connected, with a producer id, the topic known. Raises ConnectionFailed."""
        producer = AIOKafkaProducer(
            **self.endpoint.client,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=self._batch_bytes,
            request_timeout_ms=30_000,
            metadata_max_age_ms=60_000,
        )
        silence = Silence(producer.client, self.answer_seconds)
        try:
            await kafka.connected(self._ask(producer), self.endpoint)
        except BaseException:
            await self._close(producer, 1.0)
            raise
        self._producer, self._silence = producer, silence

    async def _ask(self, producer: Any) -> None:
        await producer.start()
        self._partitions = await kafka.partitions(producer.client, self.endpoint)

    # On the way in

    def put(self, entries: Sequence[Entry]) -> None:
        buffers, count = self._buffers, self._partitions
        keyless = self._turn % count
        for entry in entries:
            assignment = entry.assignment
            if assignment.partitions == count:
                partition = assignment.partition
            elif entry.message.key is None:
                partition = keyless
            else:
                partition = (murmur2(entry.message.key) & 0x7FFFFFFF) % count
            try:
                buffers[partition].append(entry)
            except KeyError:
                buffers[partition] = [entry]
        self._turn += 1
        self._wake.set()

    # On the way out

    async def _sending(self) -> None:
        """Sends what is buffered for partitions that have nothing under way; makes a new producer when the present one has failed."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._failure:
                await self._renew(self._failure)
            for partition in [partition for partition in self._buffers if partition not in self._under_way]:
                try:
                    await self._send(partition)
                except Exception as error:  # of the producer: its sender has died, the topic is gone
                    self._failure = self._failure or error
                    self._wake.set()
                    break

    async def _send(self, partition: int) -> None:
        """One batch: as much of the buffer as fits."""
        buffer, producer = self._buffers[partition], self._producer
        batch = producer.create_batch()
        now = int(time.time() * 1000)
        # The builder itself: BatchBuilder.append() costs a third more, for serializers that there are none of.
        append, limit, count = batch._builder.append, self._smaller.get(partition), 0
        for entry in buffer if limit is None else islice(buffer, limit):
            headers = entry.headers
            if headers.__class__ is not list:
                headers = list(headers)
            if append(count, now, entry.message.key, entry.value, headers) is None:
                break
            count += 1
        batch._relative_offset = count
        batch.close()
        if count == len(buffer):
            sent = self._buffers.pop(partition)
        else:
            sent, self._buffers[partition] = buffer[:count], buffer[count:]
        self._under_way[partition] = (sent, time.monotonic())
        future = await producer.send_batch(batch, self.endpoint.topic, partition=partition)
        future.add_done_callback(lambda done: self._settle(producer, partition, done))

    def _settle(self, producer: Any, partition: int, outcome: asyncio.Future[Any]) -> None:
        """A batch was acknowledged, or failed."""
        error = None if outcome.cancelled() else outcome.exception()
        if producer is not self._producer or outcome.cancelled():
            return  # given up; what it carried was, or will be, sent again
        if error is None:
            sent, _ = self._under_way.pop(partition)
            if partition in self._smaller:
                self._grow(partition, len(sent))
            self._setbacks = 0
            if self._complained and self._age() < self.stalled_seconds:  # all of it, not only other partitions
                self._complained = False
                log.info("%s is written again", self.endpoint)
            self._count(partition, len(sent))
            self._acknowledged(sent)
            return
        if isinstance(error, REFUSED):
            self._split(partition, error)
        # A batch that failed leaves a gap in the sequence numbers: the broker would refuse every later one, so the producer is of no use
        # now.
        self._failure = self._failure or error
        self._wake.set()

    def _count(self, partition: int, settled: int) -> None:
        self._settled[partition] = self._settled.get(partition, 0) + settled
        self._progress.set()
        if partition in self._buffers:
            self._wake.set()

    def _split(self, partition: int, error: BaseException) -> None:
        """A batch was refused for what is in it: half of it next time, until it is one record, which is rejected."""
        sent, _ = self._under_way[partition]
        if len(sent) > 1:
            if isinstance(error, TOO_LARGE) and self._batch_bytes > SMALLEST_BATCH_BYTES:
                self._batch_bytes //= 2  # and so it stays: the topic takes less than most do
            else:
                self._smaller[partition] = len(sent) // 2
            return
        del self._under_way[partition]
        entry = sent[0]
        size = len(entry.value or b"")
        self._count(partition, 1)
        self._rejected(entry, f"{self.endpoint} refuses the record ({size} bytes): {type(error).__name__}: {error}")

    def _grow(self, partition: int, count: int) -> None:
        """After a part of a refused batch was written: twice as much next time, until batches are whole again."""
        limit = self._smaller[partition] * 2
        if limit > 10_000 or (partition not in self._buffers and count < limit):
            del self._smaller[partition]
        else:
            self._smaller[partition] = limit

    # When it does not work

    async def _renew(self, error: BaseException) -> None:
        """A new producer, as often as it takes, and what was not acknowledged again. Some of it may have been written already:
        duplicates."""
        if not isinstance(error, REFUSED):
            self._setbacks += 1
        patience = 0.1
        if not self._complained and not isinstance(error, REFUSED):
            self._complained = True
            log.warning("%s is not written, trying until it is: %s", self.endpoint, kafka.sentence(error, self.endpoint))
        old, self._producer = self._producer, None
        if old:
            await self._close(old, 0.0)
        if self._setbacks > 1:  # it connects and then fails: not ten times a second
            await asyncio.sleep(min(0.1 * 2**self._setbacks, 5.0))
        while True:
            try:
                await self._connect()
                break
            except Exception as again:  # whatever aiokafka ran into: nobody else would ever make one
                log.debug("%r", again)
                await asyncio.sleep(patience)
                patience = min(2 * patience, 5.0)
        self._failure = None
        for partition, (sent, _) in self._under_way.items():
            self._buffers[partition] = sent + self._buffers.get(partition, [])
        self._under_way.clear()
        for partition in [partition for partition in self._buffers if partition >= self._partitions]:  # the topic was made anew, smaller
            self._buffers.setdefault(partition % self._partitions, []).extend(self._buffers.pop(partition))
        self._wake.set()

    async def _watching(self) -> None:
        """Says once that brokers do not acknowledge, and gives a producer up that has been stuck for long."""
        while True:
            await asyncio.sleep(min(1.0, self.stalled_seconds / 4))
            self._silence.look()
            age = self._age()
            if age > self.stalled_seconds and not self._complained:
                self._complained = True
                log.warning("%s has acknowledged nothing for %.0f s; trying until it does", self.endpoint, age)
            if age > self.stuck_seconds and not self._failure:
                self._failure = TimeoutError(f"nothing acknowledged for {age:.0f} s")
                self._wake.set()

    def _age(self) -> float:
        """For how long the oldest batch under way has been that."""
        return time.monotonic() - min((since for _, since in self._under_way.values()), default=time.monotonic())

    # The end

    async def flush(self) -> None:
        goal = {partition: self._settled.get(partition, 0) + len(entries) for partition, entries in self._buffers.items()}
        for partition, (sent, _) in self._under_way.items():
            goal[partition] = goal.get(partition, self._settled.get(partition, 0)) + len(sent)
        while any(self._settled.get(partition, 0) < number for partition, number in goal.items()):
            self._progress.clear()
            await self._progress.wait()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        if self._producer:
            await self._close(self._producer, 0.5 if self._under_way else STOP_SECONDS)
            self._producer = None

    async def _close(self, producer: Any, seconds: float) -> None:
        """Closes a producer; what it has not delivered by then, it never will."""
        lines = kafka.lines(producer.client)
        if seconds and await kafka.within(seconds, producer.stop()):
            return
        producer._closed = True
        if producer._sender.sender_task is not None:
            producer._sender.sender_task.cancel()
        producer._message_accumulator.fail_all(errors.ProducerClosed())
        await kafka.abandon([producer._sender.sender_task], producer.client, lines, 0.5)

    def ready(self) -> bool:
        return self._producer is not None and not self._failure and self._age() < self.stalled_seconds
