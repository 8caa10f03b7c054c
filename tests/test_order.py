"""order: key and order: partition, on workflows that wait: one at a time, in offset order, retries and dead letters inside the turn."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import orjson
import pytest

from express.errors import PipelineStopped
from express.runtime.context import Execution
from express.runtime.suspensions import sleep
from express.turns import Turns
from tests.pipelines import Pipeline, obey


class Watched:
    """Waits as the event says, and notes who ran when."""

    def __init__(self) -> None:
        self.running: dict[bytes | None, int] = {}
        self.most: dict[bytes | None, int] = {}
        self.started: list[int] = []

    async def __call__(self, event: Any, execution: Execution) -> Any:
        assert execution.message is not None
        key = execution.message.key
        self.started.append(execution.message.offset)
        self.running[key] = self.running.get(key, 0) + 1
        self.most[key] = max(self.most.get(key, 0), self.running[key])
        try:
            for seconds in event.get("waits", ()):
                await sleep(execution, seconds)
            return obey(event, execution)
        finally:
            self.running[key] -= 1


def pipeline(watched: Watched, **more: Any) -> Pipeline:
    async def evaluate(event: Any, execution: Execution) -> Any:
        return await watched(event, execution)

    return Pipeline(evaluate, **more)


def offsets(entries: list[Any], key: bytes | None = None) -> list[int]:
    return [entry.message.offset for entry in entries if key is None or entry.message.key == key]


async def test_events_of_one_key_run_one_at_a_time_in_offset_order_and_other_keys_beside_them() -> None:
    rng, watched = random.Random(5), Watched()
    ran = pipeline(watched, order="key")
    keys = [b"a", b"b", b"c"]
    for number in range(300):
        ran.send({"number": number, "waits": [rng.choice([0, 0.001, 0.003])] if rng.random() < 0.7 else []}, key=rng.choice(keys))
    await ran.run()
    assert set(watched.most.values()) == {1}
    started = {key: [entry.message.offset for entry in ran.sink.entries if entry.message.key == key] for key in keys}
    for key in keys:
        assert started[key] == sorted(started[key]) == offsets(ran.sink.entries, key)
    assert len(ran.sink.entries) == 300 == ran.committed
    assert watched.started != sorted(watched.started)  # keys overtook each other


async def test_a_slow_key_does_not_hold_the_others() -> None:
    watched = Watched()
    ran = pipeline(watched, order="key", finite=False)
    ran.send({"waits": [30]}, {"second": True}, key=b"slow")
    ran.send(*({"waits": [0.001], "number": number} for number in range(50)), key=b"quick")
    ran.begin()
    await ran.until(lambda: len(ran.sink.entries) == 50)
    assert offsets(ran.sink.entries) == list(range(2, 52))
    assert 1 not in watched.started
    summary = await ran.end()
    assert summary.abandoned == 2
    assert ran.committed == 0


SLOW = {"waits": [30], "text": "x" * 973}  # 1,000 bytes


@pytest.mark.parametrize("limits", [{"records": 100}, {"records": 10_000, "bytes": 100_000}], ids=["records", "bytes"])
async def test_many_events_of_a_slow_key_do_not_hold_other_partitions(limits: dict[str, int]) -> None:
    watched = Watched()
    ran = pipeline(watched, order="key", partitions=2, finite=False, **limits)
    ran.send(SLOW, key=b"slow")
    ran.begin()
    await ran.until(lambda: ran.metrics.in_flight == 1)  # how large they are is known
    ran.send(*[SLOW] * 1_000, key=b"slow")
    await ran.until(lambda: ran.metrics.in_flight >= 25)
    for number in range(1_000):
        ran.send({"waits": [0.001], "number": number}, key=b"quick%d" % number, partition=1)
    await ran.until(lambda: len(ran.sink.entries) == 1_000)
    assert [entry.message.partition for entry in ran.sink.entries] == [1] * 1_000
    assert 25 < ran.metrics.in_flight <= 75, "the slow key's: a quarter of the room, and what was fetched at once"
    await ran.end()


async def test_what_waits_behind_a_partition_goes_on_where_it_was() -> None:
    """Crowded over and over, and nothing is passed over or held for longer than its turn."""
    watched = Watched()
    ran = pipeline(watched, order="partition", partitions=3, records=60)
    for number in range(3_000):
        ran.send({"waits": [0.0005]}, partition=number % 3)
    await ran.run()
    for partition in range(3):
        assert [entry.message.offset for entry in ran.sink.entries if entry.message.partition == partition] == list(range(1_000))


async def test_records_without_a_key_have_nothing_to_be_in_order_with() -> None:
    watched = Watched()
    ran = pipeline(watched, order="key")
    ran.send({"waits": [0.05]}, {"waits": [0.01]}, {"waits": []}, key=None)
    await ran.run()
    assert offsets(ran.sink.entries) == [2, 1, 0]
    assert watched.most == {None: 2} or watched.most == {None: 3}


async def test_by_partition_everything_of_a_partition_runs_one_at_a_time() -> None:
    watched = Watched()
    ran = pipeline(watched, order="partition", partitions=2)
    for number in range(20):
        ran.send({"waits": [0.002 if number % 3 else 0.01]}, key=b"%d" % number, partition=number % 2)
    await ran.run()
    for partition in (0, 1):
        own = [entry.message.offset for entry in ran.sink.entries if entry.message.partition == partition]
        assert own == list(range(10))
    assert len(watched.started) == 20


async def test_retries_and_dead_letters_happen_inside_the_turn() -> None:
    """A failure, a record that is no JSON and one that is too large each come to an end before the next of their key begins."""
    watched = Watched()
    ran = pipeline(watched, order="key")
    ran.send({"waits": [0.01, 0.01]}, {"fail": "Broken", "waits": [0.01]}, b"{,", {"waits": [0.005]}, {"fail": "Broken"}, {"waits": []})
    await ran.run()
    assert watched.started == [0, 1, 3, 4, 5]
    assert offsets(ran.sink.entries) == [0, 3, 5]
    assert offsets(ran.dead_letter.entries) == [1, 2, 4]
    assert ran.committed == 6


async def test_a_drain_finishes_what_runs_and_gives_up_what_waits_for_its_turn() -> None:
    watched = Watched()
    ran = pipeline(watched, order="key", finite=False)
    ran.send({"waits": [0.6]}, {"number": 1}, {"number": 2})
    ran.begin()
    await ran.until(lambda: ran.metrics.in_flight == 3)
    summary = await ran.end()
    assert watched.started == [0]
    assert (summary.results, summary.abandoned, ran.committed) == (1, 2, 1)
    assert ran.metrics.in_flight == 0
    again = pipeline(watched, order="key", log=ran.log)
    await again.run()
    assert watched.started == [0, 1, 2]
    assert ran.log.committed[0].offset == 3


async def test_nothing_of_a_key_begins_after_a_failure_that_nobody_could_keep() -> None:
    watched = Watched()
    ran = pipeline(watched, order="key", dead_letter=False)
    ran.send({"fail": "Broken", "waits": [0.02]}, {"number": 1}, {"number": 2})
    with pytest.raises(PipelineStopped, match="Broken"):
        await ran.run()
    assert watched.started == [0]
    assert ran.committed in (None, 0)
    assert ran.metrics.in_flight == 0


async def test_thousands_of_one_key_that_end_at_once_let_the_loop_have_its_turns() -> None:
    """One slow event, then all that waited behind it: the loop is never held longer than a stint or so."""
    watched = Watched()
    ran = pipeline(watched, order="key", records=5_000)
    ran.send({"waits": [0.3]}, *({"number": number} for number in range(4_000)))
    loop, longest, running = asyncio.get_running_loop(), 0.0, True

    async def beat() -> None:
        nonlocal longest
        while running:
            before = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - before)

    beating = asyncio.create_task(beat())
    await ran.run()
    running = False
    await beating
    assert watched.started == list(range(4_001))
    assert offsets(ran.sink.entries) == list(range(4_001))
    assert longest < 1.0


async def test_a_turn_is_kept_per_key_and_given_on_in_order() -> None:
    class Record:
        def __init__(self, offset: int, key: bytes | None) -> None:
            self.offset, self.key, self.value = offset, key, b"12345"

    turns: Any = Turns("key")
    first, second, third, other = Record(0, b"k"), Record(1, b"k"), Record(2, b"k"), Record(3, b"o")
    assert not turns.waits(first)
    turns.take(first)
    assert turns.waits(second)
    assert turns.waits(third)
    assert (turns.waiting, turns.waiting_bytes) == (2, 10)
    assert not turns.waits(other)
    assert turns.next(first) is second
    assert turns.next(second) is third
    assert turns.next(third) is None
    assert (turns.waiting, turns.waiting_bytes) == (0, 0)
    assert not turns.waits(first)
    turns.take(first)
    turns.waits(second)
    assert turns.give_up() == [second]
    assert (turns.waiting, turns.waiting_bytes) == (0, 0)
    assert not turns.waits(other)
    assert turns.waits(third), "the turn that was taken is not over"
    assert turns.next(first) is third
    turns.end(third)
    assert not turns.waits(first)


async def test_a_plain_workflow_is_in_order_as_it_is() -> None:
    ran = Pipeline(obey, order="key")
    ran.send(*range(1_000))
    await ran.run()
    assert offsets(ran.sink.entries) == list(range(1_000))
    assert [orjson.loads(entry.value)["seen"] for entry in ran.sink.entries] == list(range(1_000))


async def test_when_it_is_ended_at_once_nobodys_turn_comes_any_more() -> None:
    watched = Watched()
    ran = pipeline(watched, order="key", finite=False)
    ran.send(*({"number": number, "waits": [60.0]} for number in range(5)), key=b"a")
    ran.begin()
    await ran.until(lambda: watched.started)
    assert ran.task is not None
    ran.task.cancel()
    await asyncio.wait({ran.task})
    assert watched.started == [0], "giving up the first began the next, whose effects nobody waits for"
