"""One pipeline under load: a topic written at a fixed rate, members that come and go, and a ledger that sees everything."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from confluent_kafka import Producer

from tests.brokers.kafka_bed import QUIET, Kafka
from tests.chaos.events import Event, Events
from tests.chaos.ledger import Fault, Ledger, Place, Verdict, judge
from tests.chaos.members import CARGO, Member


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a run."""

    rate: float = 700.0  # events a second
    seconds: float = 0.18  # that the function takes: 63 unfinished on each of two members, on average
    partitions: int = 6
    session: float = 6.0
    drain: float = 2.0
    in_flight: int = 100
    commit_every: str = "200ms"
    poison: int = 100  # one in so many


class Load:
    """While entered, events are written at the rate; members are started by name. ``verdict`` ends it and judges."""

    def __init__(self, kafka: Kafka, settings: Settings, copies: int = 1, needed: int = 1, servers: str = "", made: Any = None) -> None:
        """``copies``: of every topic; ``needed``: of the results, without which the broker takes none; ``servers``: as members know them;
        ``made``: the events."""
        self.kafka, self.settings = kafka, settings
        self.topic = kafka.topic(settings.partitions, copies)
        stamped = {"message_timestamp_type": "LogAppendTime"}
        self.results = kafka.topic(settings.partitions, copies, min_insync_replicas=str(needed), **stamped)
        self.dead = kafka.topic(settings.partitions, copies, **stamped)
        self.group = kafka.group()
        self.folder = Path(tempfile.mkdtemp(prefix="express-chaos-"))
        self.events: dict[Place, Event] = {}
        self.faults: list[Fault] = []
        self.members: dict[str, Member] = {}
        self.ledger = Ledger(kafka, self.topic, self.results, self.dead, self.group)
        self._made = made or Events(settings.seconds, settings.poison)
        self.servers = servers or kafka.servers
        self._producing: _Producing | None = None
        self._starts = 0
        self.keep = False  # the logs of the members, although all went well

    def __enter__(self) -> Self:
        self.ledger.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._producing:
            self._producing.stop()
        for member in self.members.values():
            if member.process.poll() is None:
                member.kill()
        self.ledger.stop()
        if kind is None and not self.keep:
            for file in self.folder.iterdir():
                file.unlink()
            self.folder.rmdir()
        else:
            print(f"logs of the members: {self.folder}")

    def produce(self) -> None:
        """Begins to write, at the fixed rate, until everything is to end."""
        self._producing = _Producing(self, self._made)
        self._producing.start()

    def start(self, name: str, *more: str, definition: str = "chaos.asl.json") -> Member:
        settings, servers = self.settings, self.servers
        arguments = [
            f"--source=kafka://{servers}/{self.topic}?group={self.group}&session={settings.session:g}s",
            f"--sink=kafka://{servers}/{self.results}",
            f"--dead-letter=kafka://{servers}/{self.dead}",
            f"--in-flight={settings.in_flight}",
            f"--commit-every={settings.commit_every}",
            f"--drain={settings.drain:g}s",
            *more,
        ]
        self._starts += 1
        member = Member(f"{name}-{self._starts}", arguments, self.folder, CARGO / definition)
        self.members[name] = member
        return member

    def fault(self, what: str, name: str, at_least: int = 0, patience: float = 60.0) -> Fault:
        """Takes down what the member has in hand, once that is enough; the fault itself comes right after."""
        until = time.monotonic() + patience
        while True:
            unfinished, partitions = self.members[name].state()
            if unfinished >= at_least:
                break
            assert time.monotonic() < until, f"{name} never had {at_least} executions unfinished at once"
            time.sleep(0.02)
        fault = Fault(what, int(time.time() * 1000), self.members[name].name, partitions, unfinished)
        self.faults.append(fault)
        return fault

    def kill(self, name: str, at_least: int = 50) -> Fault:
        """kill -9, at a moment when so many executions are unfinished."""
        fault = self.fault("kill -9", name, at_least)
        self.members[name].kill()
        fault.milliseconds, fault.process = int(time.time() * 1000), self.members[name].worker()
        return fault

    def until_everything_has_ended(self, seconds: float = 90.0) -> None:
        """Stops the writing and waits until every event has its result or dead letter."""
        assert self._producing
        self._producing.stop()
        patience = time.monotonic() + seconds
        while missing := self.ledger.missing(self.events):
            tails = "\n\n".join(f"{member.name}:\n{member.tail()}" for member in self.members.values())
            assert time.monotonic() < patience, (
                f"{len(missing)} of {len(self.events)} events have not ended, such as {missing[:5]}\n{tails}"
            )
            assert not self.ledger.failure, self.ledger.failure
            dead = [member for member in self.members.values() if member.process.poll() not in (None, 0)]
            assert not dead, f"{dead[0].name} ended with {dead[0].process.poll()}:\n{dead[0].tail()}"
            time.sleep(0.2)

    def verdict(self, in_flight: int | None = None) -> Verdict:
        return judge(self.ledger, self.events, self.faults, in_flight or self.settings.in_flight)

    def until_committed(self, seconds: float = 30.0) -> None:
        """Waits until the group has committed everything."""
        ends = dict.fromkeys(range(self.settings.partitions), 0)
        for partition, offset in self.events:
            ends[partition] = max(ends[partition], offset + 1)
        patience = time.monotonic() + seconds
        while True:
            committed = self.kafka.committed(self.group, self.topic, range(self.settings.partitions))
            if {partition: offset for partition, (offset, _) in committed.items() if offset} == {p: end for p, end in ends.items() if end}:
                return
            assert time.monotonic() < patience, f"committed {committed}, written {ends}"
            time.sleep(0.2)


class _Producing:
    """Writes at a fixed rate from a thread, and enters each event into the books once it is acknowledged."""

    def __init__(self, load: Load, made: Events) -> None:
        import threading

        self.load, self.made = load, made
        self._enough, self.written, self.most = threading.Event(), 0, 1 << 62
        self._thread = threading.Thread(target=self._run, name="producing", daemon=True)
        self.start, self.failures = self._thread.start, []  # type: ignore[var-annotated]

    def stop(self) -> None:
        self._enough.set()
        self._thread.join(90)
        assert not self.failures, self.failures[:3]

    def _run(self) -> None:
        # Large enough queues and patience to go on while a broker restarts; ten batches a second, so that it is the members who work
        producer = Producer(
            {
                "bootstrap.servers": self.load.kafka.servers,
                "linger.ms": 100,
                "enable.idempotence": True,
                "queue.buffering.max.messages": 1_000_000,
                "message.timeout.ms": 300_000,
                **QUIET,
            }
        )
        began, number, rate = time.monotonic(), 0, self.load.settings.rate
        self.written = 0
        while not self._enough.is_set():
            while number < min((time.monotonic() - began) * rate, self.most):
                key, value = self.made.make(number)
                event = self.made.expected(number)
                producer.produce(
                    self.load.topic, value, key, on_delivery=lambda error, message, event=event: self._note(error, message, event)
                )
                number += 1
            self.written = number
            producer.poll(0.02)
        if left := producer.flush(60):
            self.failures.append(f"{left} not written")

    def _note(self, error, message, event: Event) -> None:  # type: ignore[no-untyped-def]
        if error:
            self.failures.append(error)
        else:
            self.load.events[message.partition(), message.offset()] = event


@contextmanager
def load(kafka: Kafka, settings: Settings = Settings()) -> Iterator[Load]:  # noqa: B008 - frozen
    with Load(kafka, settings) as made:
        yield made


def kills(kafka: Kafka, count: int, settings: Settings, say=print) -> Verdict:  # type: ignore[no-untyped-def]
    """``count`` times kill -9 of one of two members, by turns, two sessions apart; the killed one comes back after two seconds. The eager
    group stands still until the dead member's session has ended."""
    with load(kafka, settings) as run:
        for name in ("a", "b"):
            run.start(name)
        for member in run.members.values():
            member.until_ready()
        run.produce()
        time.sleep(3.0)
        for turn in range(count):
            name = "ab"[turn % 2]
            fault = run.kill(name)
            say(f"{turn + 1}: {fault.what} of {fault.member}: {fault.unfinished} unfinished, partitions {fault.partitions}")
            time.sleep(2.0)
            run.start(name)
            time.sleep(2 * settings.session - 2.0 if turn + 1 < count else settings.session)
        run.until_everything_has_ended()
        run.until_committed()
        for member in run.members.values():
            member.signal(15)
        for member in run.members.values():
            status, seconds = member.ended(settings.drain + 5.0)
            assert status == 0, f"{member.name} ended with {status}:\n{member.tail()}"
            say(f"{member.name} drained in {seconds:.1f} s")
        time.sleep(0.5)  # the ledger reads the last commits
        return run.verdict()
