"""A seed in; a group of pipelines, what befalls them and what the ledger saw out."""

from __future__ import annotations

import asyncio
import logging
import random
import selectors
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from hashlib import sha256
from typing import Any, cast

import orjson

from express import batches, commits, dispatcher, gate
from express import executor as stepping
from express.batches import BatchLimits
from express.clock import Clock
from express.dead_letter_limit import DeadLetterLimit
from express.dedup import Dedup
from express.dedup.window import Remembered
from express.dispatcher import CLOSING, Dispatcher, Limits, Summary
from express.errors import PipelineStopped
from express.executor import Executor
from express.observers.pipeline import PipelineMetrics
from express.pipes import Pipe
from express.reruns import Retry
from express.runtime.context import Execution, Message, records_of
from express.runtime.failures import StateError
from express.runtime.suspensions import sleep
from express.sources import LEAVING, Assignment
from express.testing import VirtualClock, VirtualLoop
from express.turns import Order
from tests.pipelines import Workflow
from tests.simulation.broker import Broker, Member, Memory, Store
from tests.simulation.ledger import Ledger, Ownership, Violation, covers

TIMED: tuple[Any, ...] = (stepping, batches, gate)  # what measures how long the loop was kept
FAULTS = 10
RECORDS = 6  # in flight, a member
EXECUTION = 4.0  # seconds that an execution may take
PAYLOAD = 300  # bytes of an event
CALM = 120.0  # seconds within which everything has ended once nothing goes wrong any more


class Loop(VirtualLoop):
    """Timers are late by as much as the seed says, which asyncio allows; what is ready at once keeps its order, which asyncio promises."""

    def __init__(self, clock: VirtualClock, chooser: random.Random) -> None:
        self.clock, self.chooser = clock, chooser
        asyncio.SelectorEventLoop.__init__(self, NoSockets(clock))

    def call_at(self, when: float, callback: Callable[..., Any], *arguments: Any, context: Any = None) -> asyncio.TimerHandle:  # type: ignore[override]
        if self.chooser.random() < 0.2:
            when += self.chooser.random() * 0.02
        return super().call_at(when, callback, *arguments, context=context)


class NoSockets(selectors.SelectSelector):
    """Nothing comes from outside, so nobody is asked: where the loop would wait, time passes."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Violation("everybody waits for ever")
        self._clock.advance(timeout)
        return []


class WallClock(VirtualClock):
    """Its wall clock may be set."""

    def set(self, seconds: float) -> None:
        self._start += seconds


class Process:
    """One member: a dispatcher with everything around it."""

    def __init__(self, world: World, name: str) -> None:
        chooser, self.world = world.chooser, world
        self.source = Member(name, world.broker)
        self.source.trouble = chooser.choice([0.0, 0.0, 0.3])
        latency = chooser.choice([0.0, 0.0, 0.05, 0.4])
        self.sink, self.dead_letter = Store("result", self.source, latency), Store("letter", self.source, latency)
        self.sink.reject = lambda entry: "too large" if entry.message.offset % 41 == 7 else None
        self.drain = chooser.choice([0.05, 0.5, 2.0])
        self.limit = chooser.choice(LIMITS) if world.limited else None
        self.without_dead_letter = chooser.random() < 0.04 and not world.limited
        self.model = LimitModel(self.limit)
        work: Any = self.plainly if chooser.random() < 0.25 else self.work
        self.workflow = Workflow(work)
        self.executor = Executor(world.clock)
        self.metrics = PipelineMetrics("orders")
        self.dispatcher = Dispatcher(
            "orders",
            self.workflow,
            self.source,
            self.sink,
            None if self.without_dead_letter else self.dead_letter,
            self.executor,
            self.metrics,
            Limits(records=RECORDS, payload=PAYLOAD, execution=EXECUTION, commit_every=0.9, drain=self.drain, dead_letters=self.limit),
            order=world.order,
            pipe=world.pipe,
            memory=self._memory(),
        )
        if (reruns := self.dispatcher._evaluation.reruns) is not None:
            reruns._chance = chooser.random
        self.model.watch(self.dispatcher)
        self.drained: dict[Assignment, set[tuple[Assignment, int]]] = {}
        self._watch_drains()
        self.task: asyncio.Task[Summary] = asyncio.get_running_loop().create_task(self.run())

    def acknowledged(self) -> set[tuple[Assignment, int]]:
        return self.sink.acknowledged | self.dead_letter.acknowledged

    def _watch_drains(self) -> None:
        """What was acknowledged when a drain's commit began is noted for each assignment."""
        committer = self.dispatcher._committer
        commit = committer.commit

        async def committing(assignments: Iterable[Assignment], patience: float | None = None) -> None:
            assignments = list(assignments)
            if patience is not None:
                self.drained.update(dict.fromkeys(assignments, self.acknowledged()))
            await commit(assignments, patience)

        committer.commit = committing  # type: ignore[method-assign]

    def _memory(self) -> Remembered | None:
        world = self.world
        if world.pipe.dedup is None:
            return None
        trouble = world.chooser.choice([0.0, 0.0, 0.2])
        ids = world.ledger.ids

        def key_of(message: Message) -> bytes | None:
            identity = ids.get((message.partition, message.offset))
            return None if identity is None else b"%d" % identity

        return Remembered(world.pipe.dedup, key_of, Memory(self.source, world.claims, trouble, world.clock.time))

    async def run(self) -> Summary:
        try:
            return await self.dispatcher.run()
        finally:
            await self.executor.close()

    # The workflow: does as the event says

    def _begun(self, execution: Execution) -> tuple[Ownership, Sequence[Message]]:
        messages = records_of((cast(Message, execution.message),))
        first = messages[0]
        assignment = self.source.held[first.partition]
        if assignment.fenced:
            self.world.ledger.broken(f"{first.partition}-{first.offset} was begun by {self.source.name} after {assignment} was fenced")
        if self.metrics.in_flight > RECORDS:
            self.world.ledger.broken(f"{self.source.name} has {self.metrics.in_flight} records in flight, the limit is {RECORDS}")
        ownership = self.source.ownerships[assignment]
        self.world.ledger.begun(ownership, messages, self.world.order)
        return ownership, messages

    def plainly(self, event: Any, execution: Execution) -> Any:
        ownership, messages = self._begun(execution)
        try:
            return obey(event, ownership, messages)
        finally:
            self.world.ledger.over(ownership, messages, self.world.order)

    async def work(self, event: Any, execution: Execution) -> Any:
        ownership, messages = self._begun(execution)
        try:
            for each in event if isinstance(event, list) else [event]:
                for seconds in each["waits"]:  # a slow task, or the retries of one that fails
                    await sleep(execution, seconds)
            return obey(event, ownership, messages)
        finally:
            self.world.ledger.over(ownership, messages, self.world.order)

    # What becomes of it

    def kill(self) -> None:
        """As kill -9: from here on nothing that it does reaches anybody."""
        self.source.dead = True
        self.task.cancel()

    def ended_as_it_may(self) -> None:
        """It ended by itself: only for a reason that was given to it."""
        error = self.task.exception()
        if error is None or not isinstance(error, PipelineStopped):
            raise error or Violation(f"{self.source.name} ended although nobody stopped it")
        if "dead-letter limit" in str(error):
            self.model.must_have_been_reached(str(error))
        elif not ("was rejected" in str(error) and self.dead_letter.reject(None)) and not self.without_dead_letter:  # type: ignore[arg-type]
            raise error


LIMITS = [DeadLetterLimit(consecutive=4), DeadLetterLimit(ratio=0.5, window=10), DeadLetterLimit(consecutive=6, ratio=0.7, window=12)]


class LimitModel:
    """What the dead-letter limit must do, counted anew at every end."""

    def __init__(self, limit: DeadLetterLimit | None) -> None:
        self.limit, self.reached = limit, False
        self.ends: deque[bool] = deque(maxlen=50)  # whether dead

    def watch(self, dispatcher: Dispatcher) -> None:
        if self.limit is None:
            return
        endings = dispatcher._endings
        watch = endings._watch
        assert watch is not None
        succeeded, failed = watch.succeeded, watch.failed

        def told_of_success(count: int) -> None:
            self.ends.extend([False] * count)
            succeeded(count)

        def told_of_failure(count: int = 1) -> str | None:
            self.ends.extend([True] * count)
            self.reached = self.reached or self._reached()
            said = failed(count)
            if (said is not None) != self._reached():
                raise Violation(f"the dead-letter limit {self.limit} said {said!r} after {list(self.ends)}")
            return said

        watch.succeeded, watch.failed = told_of_success, told_of_failure  # type: ignore[method-assign]

    def _reached(self) -> bool:
        assert self.limit is not None
        if self.limit.consecutive is not None and list(self.ends)[-self.limit.consecutive :] == [True] * self.limit.consecutive:
            return True
        last = list(self.ends)[-self.limit.window :]
        return self.limit.ratio is not None and len(last) == self.limit.window and sum(last) > self.limit.ratio * len(last)

    def must_have_been_reached(self, said: str) -> None:
        if not self.reached:
            raise Violation(f"stopped without a reason: {said}")


def obey(event: Any, ownership: Ownership, messages: Sequence[Message]) -> Any:
    """An event that fails does so a few times, or always."""
    for each, message in zip(event if isinstance(event, list) else [event], messages, strict=True):
        if "fail" in each and ownership.runs[message.offset] <= each["times"]:
            raise StateError(each["fail"], None, "Charge", "/States/Charge")
    return {"n": event[0]["n"] if isinstance(event, list) else event["n"]}


def chosen_pipe(chooser: random.Random) -> Pipe:
    """What stands around the workflow; often nothing."""
    often = chooser.random() < 0.5
    retry, filtered, batch, dedup = (often and chooser.random() < 0.4 for _ in range(4))
    return Pipe(
        filter={"value": {"skip": [{"exists": False}]}} if filtered else None,
        dedup=Dedup(by="$.id", store="memory", lease=3.0) if dedup else None,
        batch=BatchLimits(records=chooser.randint(2, 4), window=chooser.choice([0.05, 0.5]), bytes=PAYLOAD) if batch else None,
        retry=Retry(attempts=chooser.randint(2, 3), interval=chooser.choice([0.05, 0.5])) if retry else None,
    )


class World:
    """A broker, a group over it, and what happens to them."""

    def __init__(self, seed: int, clock: WallClock, chooser: random.Random) -> None:
        self.seed, self.clock, self.chooser = seed, clock, chooser
        self.ledger = Ledger()
        self.broker = Broker(chooser.randint(1, 3), chooser, self.ledger)
        self.order: Order = chooser.choice(["unordered", "key", "partition"])
        self.limited = chooser.random() < 0.2
        self.pipe = chosen_pipe(chooser)
        self.ledger.attempts = 1 if self.pipe.retry is None else self.pipe.retry.attempts
        self.claims: dict[bytes, tuple[str | None, float]] = {}
        self.map_bytes = chooser.choice([0, 0, chooser.randint(4, 10)])  # for the steps of a map; 0: as many as there are
        self.members: list[Process] = []
        self.moving: dict[int, asyncio.Task[None]] = {}
        self.faults: Counter[str] = Counter()
        self.sent = self.joined = 0
        self.restarts = 0
        self.failure: BaseException | None = None

    # Events

    def produce(self, count: int, failing: float = 0.08) -> None:
        chooser, partitions = self.chooser, len(self.broker.records)
        for _ in range(count):
            partition = chooser.randrange(partitions)
            if chooser.random() < 0.05:
                self.broker.skip(partition, chooser.randint(1, 9))
            event: dict[str, Any] = {"n": self.sent, "waits": []}
            expected, kind = "result", chooser.random()
            if chooser.random() < failing:
                event |= {"fail": "E", "times": chooser.choice([1, 2, 99])}
                expected = "letter" if event["times"] >= self.ledger.attempts else "result"
            if kind < 0.5:
                event["waits"] = [round(chooser.random() * chooser.choice([0.01, 0.3, 1.5]), 4) for _ in range(chooser.randint(1, 2))]
            if skipped := self.pipe.filter is not None and chooser.random() < 0.3:
                event["skip"] = True
            identity = None
            if self.pipe.dedup is not None and chooser.random() < 0.8:
                identity = self.sent if chooser.random() < 0.5 else max(0, self.sent - chooser.randint(1, 5))
            value = orjson.dumps(event)
            if kind > 0.98:
                value, expected = b"poison", "letter"
            elif kind > 0.97:
                value, expected = value + b" " * PAYLOAD, "letter"
            elif kind > 0.96:
                value = orjson.dumps({**event, "waits": [10_000.0], "hangs": True})
            if self.broker.ends[partition] % 41 == 7:
                expected = "letter"  # its result is rejected
            if expected == "result" and event["waits"]:
                expected = "slow"
            if b"hangs" in value or (self.pipe.batch is not None and value[:1] == b"{" and len(value) <= PAYLOAD):
                expected = "either"  # in a batch all of them end as one
            if skipped and value[:1] == b"{" and len(value) <= PAYLOAD:
                expected = "nothing"
            key = chooser.choice([b"a", b"b", b"c", None])
            self.sent += 1
            self.broker.append(partition, key, value, int(self.clock.wall() * 1000), expected, identity)

    # The group

    async def join(self) -> Process:
        self.joined += 1
        process = Process(self, f"m{self.joined}")
        while not process.dispatcher.ready():
            await asyncio.sleep(0)
        self.members.append(process)
        self.ledger.log.append(("joined", process.source.name, process.drain))
        return process

    def move(self, partition: int, to: Process) -> None:
        """A rebalance of one partition begins: taken from its owner, within the owner's drain deadline, and given to another."""
        if partition not in self.moving:
            self._moves(partition, self._move(partition, to))

    def _moves(self, partition: int, moving: Coroutine[Any, Any, None]) -> None:
        """Beside everything else that happens."""
        self.moving[partition] = task = asyncio.get_running_loop().create_task(moving)

        def moved(task: asyncio.Task[None]) -> None:
            self.moving.pop(partition, None)
            if not task.cancelled() and (error := task.exception()) is not None and self.failure is None:
                self.failure = error

        task.add_done_callback(moved)

    async def _move(self, partition: int, to: Process) -> None:
        owner = self.owner(partition)
        if owner is None:
            self._give(partition, to)
        elif self.chooser.random() < 0.3:
            await self._taken_from(owner, partition, owner.source.revoked([partition]), fenced=True)
            self._give(partition, to)
        else:
            await self._taken_from(owner, partition, owner.source.suspended(partition), fenced=False)
            await self._joined_again(owner, partition, to)

    async def _taken_from(self, owner: Process, partition: int, taken: Coroutine[Any, Any, None], fenced: bool) -> None:
        held, began = owner.source.held.get(partition), self.clock.time()
        jumps = self.faults["the_machine_stands_still"]
        taking = asyncio.get_running_loop().create_task(taken)
        await asyncio.wait({taking, owner.task}, return_when=asyncio.FIRST_COMPLETED)
        if not taking.done():  # it was killed, or it ended, meanwhile
            pass  # what goes on in there reaches nobody
        elif held is not None and not owner.source.dead:
            took = self.clock.time() - began
            if took > owner.drain + LEAVING + 1.0 and jumps == self.faults["the_machine_stands_still"]:
                self.ledger.broken(f"the drain of {owner.drain} s took {took:.1f} s")
            if fenced and not held.fenced and not owner.task.done():
                self.ledger.broken(f"{held} was given away and not fenced")
            if not fenced and held.fenced and not owner.dispatcher._over:
                self.ledger.broken(f"{held} was fenced before it was given away")
            # Where the machine stood still its time may have been over at once; one that stops as well commits no more of what is suspended
            if jumps == self.faults["the_machine_stands_still"] and (fenced or not owner.dispatcher._over):
                self._in_order(owner, held, None if fenced else owner.drained.get(held, set()))

    async def _joined_again(self, owner: Process, partition: int, to: Process) -> None:
        """The group waits for its slowest member; most partitions come back to who had them, now and then after somebody else."""
        chooser = self.chooser
        await asyncio.sleep(chooser.random() * chooser.choice([0.0, 0.3, 3.0]))
        if chooser.random() < 0.6:
            if to is not owner and chooser.random() < 0.3 and self._give(partition, to):
                await asyncio.sleep(chooser.random() * chooser.choice([0.1, 2.0]))
                await self._taken_from(to, partition, to.source.revoked([partition]), fenced=True)
            to = owner
        self._give(partition, to)
        if to is not owner:
            await asyncio.sleep(chooser.random() * chooser.choice([0.0, 0.0, 1.0]))  # it may be the last one to hear of it
            if not owner.task.done():
                owner.source.lost(partition)

    def _give(self, partition: int, to: Process) -> bool:
        if to in self.members and not to.task.done():
            self.broker.give(partition, to.source)
            return True
        self.broker.owners.pop(partition, None)
        return False

    def owner(self, partition: int) -> Process | None:
        source = self.broker.owners.get(partition)
        return next((member for member in self.members if member.source is source), None)

    async def settle(self) -> None:
        """Whoever ended is replaced; partitions without an owner are given to somebody."""
        for member in list(self.members):
            if member.task.done():
                self.members.remove(member)
                member.ended_as_it_may()
                self.restarts += 1
                self.ledger.log.append(("stopped", member.source.name))
        if self.restarts > 3:
            self.limited = False  # the operator has understood
        while not self.members:
            await self.join()
        for partition in range(len(self.broker.records)):
            if partition not in self.moving and self.owner(partition) is None:
                self.move(partition, self.chooser.choice(self.members))
        if self.failure is not None:
            raise self.failure
        if self.ledger.violations:
            raise Violation(self.ledger.violations[0])

    # What goes wrong

    def anybody(self) -> Process:
        return self.chooser.choice(self.members)

    async def crash(self) -> None:
        """kill -9; somebody else, or a new process, goes on."""
        member = self.anybody()
        self.members.remove(member)
        member.kill()
        await asyncio.wait({member.task})

    async def leave(self) -> None:
        member = self.anybody()
        self.members.remove(member)
        began, jumps = self.clock.time(), self.faults["the_machine_stands_still"]
        member.dispatcher.stop()
        await asyncio.wait({member.task})
        if member.task.exception():
            member.ended_as_it_may()
        else:
            limit = member.drain + LEAVING + CLOSING + 2.0
            if (took := self.clock.time() - began) > limit and jumps == self.faults["the_machine_stands_still"]:
                self.ledger.broken(f"{member.source.name} took {took:.1f} s to stop, the drain is {member.drain} s")
            if jumps == self.faults["the_machine_stands_still"]:
                self._left_in_order(member)

    def _left_in_order(self, member: Process) -> None:
        for partition, assignment in member.source.held.items():
            if self.broker.owners.get(partition) is member.source and partition not in member.source.joining:
                self._in_order(member, assignment)

    def _in_order(self, member: Process, assignment: Assignment, acknowledged: set[tuple[Assignment, int]] | None = None) -> None:
        """What was acknowledged to a member whose commits all arrive is committed when it has given the partition up, or has left; where it
        was only suspended, what was ``acknowledged`` when its drain was over."""
        if member.source.trouble or member.source._late or member.source.missed or self.pipe.dedup is not None:
            return  # or it was acknowledged by the sink, and the store of what is done could not be told
        position = self.broker.committed.get(assignment.partition)
        for given, offset in sorted(member.acknowledged() if acknowledged is None else acknowledged, key=lambda pair: pair[1]):
            if given is assignment and (position is None or not covers(position, offset)):
                self.ledger.broken(f"{member.source.name} gave {assignment} up, and {offset}, acknowledged to it, is not committed")

    async def rebalance(self) -> None:
        self.move(self.chooser.randrange(len(self.broker.records)), self.anybody())

    async def session_lost(self) -> None:
        """The group goes on without a member that does not know it yet: it works on, and its commits are refused."""
        member = self.anybody()
        lost = [partition for partition, owner in self.broker.owners.items() if owner is member.source and partition not in self.moving]
        for partition in lost:
            self.broker.epochs[partition] += 1  # from here on nobody's
            del self.broker.owners[partition]
        if len(self.members) == 1:
            await self.join()
        for partition in lost:
            self._moves(partition, self._learn(member, partition))

    async def _learn(self, member: Process, partition: int) -> None:
        """Others take over at once; the member hears of it later."""
        others = [other for other in self.members if other is not member and not other.task.done()]
        if others:
            self.broker.give(partition, self.chooser.choice(others).source)
        await asyncio.sleep(self.chooser.random() * 2)
        if not member.task.done():
            member.source.lost(partition)

    async def a_store_cannot_be_reached(self) -> None:
        store = self.chooser.choice([self.anybody().sink, self.anybody().dead_letter, self.anybody().dead_letter])
        store.held = True
        asyncio.get_running_loop().call_later(self.chooser.random() * 3, store.release)

    async def letters_are_rejected(self) -> None:
        self.anybody().dead_letter.reject = lambda entry: "too large for dead letters"

    async def commits_in_trouble(self) -> None:
        self.anybody().source.trouble = self.chooser.choice([0.5, 1.0])

    async def a_map_of_another_version(self) -> None:
        """Something else commits for the group while nobody owns the partition: what it says beyond the position is not to be believed."""
        for partition, position in sorted(self.broker.committed.items()):
            if position.metadata and partition not in self.moving and (owner := self.owner(partition)) is not None:
                self.members.remove(owner)
                owner.kill()
                await asyncio.wait({owner.task})
                self.broker.owners.pop(partition, None)
                self.broker.committed[partition] = position._replace(metadata=foreign(position))
                break

    async def another(self) -> None:
        if len(self.members) < 3:
            process = await self.join()
            self.move(self.chooser.randrange(len(self.broker.records)), process)

    async def a_bad_deployment(self) -> None:
        self.produce(6, failing=0.9)

    async def saturation(self) -> None:
        tasks = self.anybody().workflow.tasks
        tasks.full = not tasks.full

    async def the_wall_clock_is_set(self) -> None:
        self.clock.set(self.chooser.choice([-7200.0, -1.0, 3.0, 86_400.0]))

    async def the_machine_stands_still(self) -> None:
        """Everything that was due in between is due at once."""
        self.ledger.stalled = True
        self.clock.advance(self.chooser.choice([0.5, 3.0, 20.0]))

    async def run(self) -> None:
        acts = [getattr(self, name) for name in ACTS]
        await self.settle()
        self.produce(self.chooser.randint(3, 12))
        for _ in range(FAULTS):
            await asyncio.sleep(self.chooser.random() * self.chooser.choice([0.01, 0.1, 0.6]))
            self.produce(self.chooser.choice([0, 0, 1, 1, 2, 2, 3, 10]))
            await self.settle()
            act = self.chooser.choice(acts)
            self.faults[act.__name__] += 1
            self.ledger.log.append(("fault", act.__name__))
            await act()
            await self.settle()
        await self._calm()
        await self._end()

    async def _calm(self) -> None:
        """Nothing goes wrong any more: everything ends."""
        until = self.clock.time() + CALM
        self.limited = False
        while self.clock.time() < until:
            for member in self.members:
                member.workflow.tasks.full, member.source.trouble = False, 0.0
            await self.settle()
            if not self.moving and all(self.broker.finished(partition) for partition in range(len(self.broker.records))):
                return
            await asyncio.sleep(1.5)

    async def _end(self) -> None:
        if never := sorted(place for place in self.ledger.expected if not self.ledger.finished(place)):
            self.ledger.broken(f"I1: {never[:5]} have neither result nor letter")
        for partition in range(len(self.broker.records)):
            if not self.broker.finished(partition):
                self.ledger.broken(f"partition {partition} froze: {self.broker.committed.get(partition)} of {self.broker.ends[partition]}")
        for member in self.members:
            if member.task.done():
                member.ended_as_it_may()
                continue
            member.dispatcher.stop()
            await asyncio.wait({member.task})
            if member.task.exception() is not None:
                member.ended_as_it_may()
                continue
            lost = sum(assignment.in_flight for assignment in member.source.gone)
            if member.metrics.in_flight != lost or (member.metrics.in_flight_bytes and not lost):
                self.ledger.broken(f"{member.metrics.in_flight} records in flight at the end of {member.source.name}")
            self._left_in_order(member)


ACTS = (
    "crash",
    "crash",
    "leave",
    "rebalance",
    "rebalance",
    "session_lost",
    "a_store_cannot_be_reached",
    "a_store_cannot_be_reached",
    "letters_are_rejected",
    "commits_in_trouble",
    "a_map_of_another_version",
    "another",
    "a_bad_deployment",
    "saturation",
    "the_wall_clock_is_set",
    "the_machine_stands_still",
)


def foreign(position: Any) -> str:
    """A map that reads like ours and says that everything is finished, of a version that does not exist."""
    metadata, _ = commits.encode(position.offset, commits.OffsetMap(position.offset + 1_000, ()))
    content = bytearray(commits.binascii.a2b_base64(metadata))[: -commits._CHECKSUM]
    content[0] = commits.VERSION + 1
    content += commits.binascii.crc32(content).to_bytes(commits._CHECKSUM, "big")
    return commits.binascii.b2a_base64(content, newline=False).decode()


class Failure(AssertionError):  # noqa: N818 - what a seed is reported as
    """A seed that broke a promise, and its log."""

    def __init__(self, seed: int, error: BaseException, log: Sequence[tuple[Any, ...]]) -> None:
        super().__init__(f"seed {seed}: {type(error).__name__}: {error}; again: python -m tests.simulation --seed {seed}")
        self.seed, self.log = seed, list(log)


def simulate(seed: int) -> World:
    """Raises Failure. Nothing of it depends on anything but the seed: real time is shut out, too."""
    chooser = random.Random(seed)
    clock = WallClock(1_790_000_000.0)
    loop = Loop(clock, chooser)
    world = World(seed, clock, chooser)
    measured, silenced = stepping.perf_counter, logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # half of the time otherwise
    for module in TIMED:
        module.perf_counter = lambda: chooser.random() * 0.02  # a stint is as long as the seed says
    glance, dispatcher.GLANCE = dispatcher.GLANCE, 0.2
    longest = commits._MAX_MAP
    if world.map_bytes:
        commits._MAX_MAP = commits._CHECKSUM + commits._HEAD + world.map_bytes
    try:
        loop.run_until_complete(_watched(world))
    except Exception as error:
        raise Failure(seed, error, world.ledger.log) from error
    finally:
        _close(loop)
        dispatcher.GLANCE, commits._MAX_MAP = glance, longest
        for module in TIMED:
            module.perf_counter = measured
        logging.disable(silenced)
    return world


async def _watched(world: World) -> None:
    await world.run()
    left = asyncio.all_tasks() - {cast("asyncio.Task[Any]", asyncio.current_task())}
    if left:
        _, left = await asyncio.wait(left, timeout=LEAVING + 5.0)  # the last commits of the dead, which reach nobody
    if left:
        named = sorted(task.get_coro().__qualname__ for task in left)  # type: ignore[union-attr]
        world.ledger.broken(f"tasks left behind: {named}")


def _close(loop: asyncio.AbstractEventLoop) -> None:
    for task in (left := asyncio.all_tasks(loop)):
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=10))
    loop.close()


def digest(log: Iterable[tuple[Any, ...]]) -> str:
    return sha256("\n".join(map(repr, log)).encode()).hexdigest()[:16]


__all__ = ["Clock", "Failure", "World", "digest", "simulate"]
