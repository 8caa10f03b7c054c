"""The same event once while a store lives: duplicates are not run, failures leave room for another, kill -9 leaves a lease."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from express.addresses import parse
from express.dedup import Dedup, problems
from express.dedup.keys import keys_by
from express.dedup.opening import opened
from express.dedup.stores import Claim, Store
from express.dedup.window import Remembered
from express.errors import ConfigurationError
from express.pipes import Pipe
from express.runtime.context import Execution
from tests.brokers.redis_server import Server
from tests.pipelines import Pipeline, obey, wait_and_obey

BOTH = pytest.mark.parametrize("evaluate", [obey, wait_and_obey])
LEASE = 1.0


@pytest.fixture(params=["sqlite", "redis"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'dedup.db'}"
    server: Server = request.getfixturevalue("redis")
    return f"redis://{server.address}/dedup"


def memory(address: str, by: str = "$.id", **settings: Any) -> Remembered:
    dedup = Dedup(**{"by": by, "store": address, "lease": LEASE, **settings})
    return opened(dedup, parse(address), None, "orders", "orders", 262_144)


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'dedup.db'}"


def remembering(address: str, evaluate: Any = obey, by: str = "$.id", **more: Any) -> Pipeline:
    return Pipeline(evaluate, memory=memory(address, by), **more)


@BOTH
async def test_the_same_event_runs_once_now_and_after_a_start(sqlite: str, evaluate: Any) -> None:
    pipeline = remembering(sqlite, evaluate)
    pipeline.send(*({"id": number % 10, "number": number} for number in range(100)))
    summary = await pipeline.run()
    assert [event["number"] for event in pipeline.seen()] == list(range(10))
    assert (pipeline.metrics.duplicates, summary.results, pipeline.committed, pipeline.metrics.in_flight) == (90, 10, 100, 0)
    again = remembering(sqlite, evaluate)
    again.send({"id": 3}, {"id": 10})
    await again.run()
    assert [event["id"] for event in again.seen()] == [10]
    assert (again.metrics.duplicates, again.committed) == (1, 2)


@BOTH
async def test_after_a_failure_the_next_one_of_the_same_runs(sqlite: str, evaluate: Any) -> None:
    pipeline = remembering(sqlite, evaluate)
    pipeline.send({"id": 1, "fail": "Broken"}, {"id": 1}, {"id": 1})
    await pipeline.run()
    assert (len(pipeline.dead_letter.entries), pipeline.seen(), pipeline.metrics.duplicates) == (1, [{"id": 1}], 1)
    assert (pipeline.committed, pipeline.metrics.in_flight) == (3, 0)


async def test_a_duplicate_of_what_is_still_running_is_not_committed_before_it_is_known_what_became_of_it(sqlite: str) -> None:
    pipeline = remembering(sqlite, wait_and_obey, finite=False)
    pipeline.send({"id": 2}, {"id": 1, "wait": 0.4}, {"id": 1})
    pipeline.begin()
    await pipeline.until(lambda: pipeline.committed == 1)
    assert (pipeline.metrics.duplicates, pipeline.metrics.in_flight) == (0, 2)
    await pipeline.until(lambda: pipeline.committed == 3)
    assert pipeline.metrics.duplicates == 1
    await pipeline.end()


async def test_a_result_that_is_not_acknowledged_is_not_remembered(sqlite: str) -> None:
    pipeline = remembering(sqlite, finite=False)
    pipeline.sink.held = True
    pipeline.send({"id": 1})
    pipeline.begin()
    await pipeline.until(lambda: pipeline.workflow.started)
    assert pipeline.task is not None
    pipeline.task.cancel()
    await asyncio.wait({pipeline.task})
    again = remembering(sqlite, log=pipeline.log)
    await again.run()
    assert [event["id"] for event in again.seen()] == [1]


async def test_what_a_drain_gives_up_is_given_back_at_once(sqlite: str) -> None:
    pipeline = remembering(sqlite, wait_and_obey, finite=False, drain=0.05)
    pipeline.send({"id": 1, "wait": 60}, {"id": 1})
    pipeline.begin()
    await pipeline.until(lambda: pipeline.workflow.started)
    summary = await pipeline.end()
    assert (summary.abandoned, pipeline.metrics.in_flight) == (2, 0)
    store = memory(sqlite).store
    await store.start()
    key = memory(sqlite).key_of(pipeline.log.partitions[0][0])
    assert key is not None
    assert await store.claim([key], 1) == [Claim.OURS]
    await store.stop()


# --- Where order matters ----------------------------------------------------------------------------------------------------------


async def test_a_duplicate_keeps_its_turn_while_it_waits_and_other_keys_go_on(sqlite: str) -> None:
    pipeline = remembering(sqlite, wait_and_obey, finite=False, order="key")
    pipeline.sink.held = True
    pipeline.send({"id": 1}, {"id": 1}, {"id": 2}, {"id": 3}, key=b"a")
    pipeline.send({"id": 4}, key=b"b")
    pipeline.send({"id": 5}, key=None)
    pipeline.begin()
    await pipeline.until(lambda: pipeline.workflow.started == [0, 4, 5])
    await asyncio.sleep(0.05)
    assert pipeline.workflow.started == [0, 4, 5], "2 comes after 1, of which nobody knows yet whether it has to run again"
    pipeline.sink.release()
    await pipeline.until(lambda: pipeline.committed == 6)
    assert (pipeline.workflow.started, pipeline.metrics.duplicates) == ([0, 4, 5, 2, 3], 1)
    await pipeline.end()


@BOTH
async def test_what_somebody_else_runs_holds_its_partition_until_it_is_known_what_became_of_it(sqlite: str, evaluate: Any) -> None:
    other = memory(sqlite)
    await other.store.start()
    pipeline = remembering(sqlite, evaluate, finite=False, order="partition")
    pipeline.send({"id": 1}, {"id": 2}, {"id": 3})
    key = other.key_of(pipeline.log.partitions[0][1])
    assert key is not None
    assert await other.store.claim([key], 60) == [Claim.OURS]
    pipeline.begin()
    await pipeline.until(lambda: pipeline.committed == 1)
    pipeline.send({"id": 4})
    await asyncio.sleep(0.05)
    assert pipeline.workflow.started == [0]
    await other.store.release([key])
    await pipeline.until(lambda: pipeline.committed == 4)
    assert pipeline.workflow.started == [0, 1, 2, 3]
    await pipeline.end()
    await other.store.stop()


@BOTH
@pytest.mark.parametrize("order", ["key", "partition"])
async def test_whatever_repeats_and_fails_each_key_begins_in_its_order_and_nothing_completes_twice(
    sqlite: str, evaluate: Any, order: Any
) -> None:
    chooser = random.Random(7)
    pipeline = remembering(sqlite, evaluate, order=order, records=40)
    keys: dict[int, bytes | None] = {}
    for offset in range(300):
        keys[offset] = key = chooser.choice([b"a", b"b", b"c", None])
        event: dict[str, Any] = {"id": chooser.randrange(120), "offset": offset, "wait": chooser.choice([0, 0, 0.001, 0.004])}
        if offset < 150 and chooser.random() < 0.05:
            event["fail"] = "Broken"
        pipeline.send(event, key=key)
    await pipeline.run()
    began: dict[Any, list[int]] = {}
    for offset in pipeline.workflow.started:
        if order == "partition" or keys[offset] is not None:
            began.setdefault(keys[offset] if order == "key" else None, []).append(offset)
    assert all(each == sorted(each) for each in began.values())
    done = [event["id"] for event in pipeline.seen()]
    assert len(done) == len(set(done))
    assert len(done) + pipeline.metrics.duplicates + len(pipeline.dead_letter.entries) == 300
    assert (pipeline.committed, pipeline.metrics.in_flight) == (300, 0)


async def test_what_waits_for_its_turn_behind_a_duplicate_is_given_up_by_a_drain(sqlite: str) -> None:
    pipeline = remembering(sqlite, wait_and_obey, finite=False, order="key", drain=0.05)
    pipeline.send({"id": 1, "wait": 60}, {"id": 1}, {"id": 2})
    pipeline.begin()
    await pipeline.until(lambda: pipeline.workflow.started)
    summary = await pipeline.end()
    assert (summary.abandoned, pipeline.metrics.in_flight, pipeline.workflow.started) == (3, 0, [0])


async def test_what_is_claimed_while_its_partition_leaves_is_given_back(sqlite: str) -> None:
    """Otherwise the next owner would wait for as long as this process lives: claims are renewed."""
    found = memory(sqlite)
    claim, asked, answer = found.store.claim, asyncio.Event(), asyncio.Event()

    async def slow(keys: Any, lease: float) -> list[Claim]:
        answers = await claim(keys, lease)
        asked.set()
        await answer.wait()
        return answers

    found.store.claim = slow  # type: ignore[method-assign]
    pipeline = Pipeline(memory=found, finite=False)
    pipeline.send({"id": 1})
    pipeline.begin()
    await asked.wait()
    await pipeline.dispatcher.revoked(list(pipeline.source.assignments.values()))
    answer.set()
    other = memory(sqlite)
    await other.store.start()
    key = other.key_of(pipeline.log.partitions[0][0])
    assert key is not None
    while await other.store.claim([key], 5) != [Claim.OURS]:
        await asyncio.sleep(0.01)
    await pipeline.end()
    assert (pipeline.workflow.started, pipeline.metrics.in_flight) == ([], 0)
    await other.store.stop()


async def test_records_are_looked_at_before_they_are_batched(sqlite: str) -> None:
    from express.batches import BatchLimits

    pipeline = remembering(sqlite, pipe=Pipe(batch=BatchLimits(records=3, window=0.05)))
    pipeline.send(*({"id": number} for number in (1, 1, 2, 2, 3, 4)))
    await pipeline.run()
    assert [[event["id"] for event in seen] for seen in pipeline.seen()] == [[1, 2, 3], [4]]
    assert (pipeline.metrics.duplicates, pipeline.committed) == (2, 6)


async def test_two_processes_share_a_window(address: str) -> None:
    one, other = remembering(address, wait_and_obey), remembering(address, wait_and_obey)
    for pipeline in (one, other):
        pipeline.send(*({"id": number, "wait": 0.05} for number in range(20)))
    await asyncio.gather(one.run(), other.run())
    assert sorted(event["id"] for event in [*one.seen(), *other.seen()]) == list(range(20))
    assert one.metrics.duplicates + other.metrics.duplicates == 20
    assert (one.committed, other.committed) == (20, 20)


# --- Stores -------------------------------------------------------------------------------------------------------------------------

KEYS = [b"%032d" % number for number in range(3)]


async def with_stores(address: str, work: Callable[[Store, Store], Awaitable[None]]) -> None:
    one, other = memory(address).store, memory(address).store
    await one.start()
    await other.start()
    try:
        await work(one, other)
    finally:
        await one.stop()
        await other.stop()


async def test_a_claim_is_somebody_s_until_it_is_given_back_done_or_runs_out(address: str) -> None:
    async def work(one: Store, other: Store) -> None:
        assert await one.claim(KEYS, 30) == [Claim.OURS] * 3
        assert await other.claim(KEYS, 30) == [Claim.TAKEN] * 3
        await other.release(KEYS)
        assert await other.claim(KEYS[:1], 30) == [Claim.TAKEN]
        await one.release(KEYS[:1])
        await one.complete(KEYS[1:2], 30)
        assert await other.claim(KEYS, 30) == [Claim.OURS, Claim.DONE, Claim.TAKEN]
        await one.complete(KEYS[1:2], 0.01)
        await asyncio.sleep(0.03)
        assert await other.claim(KEYS[1:2], 0.2) == [Claim.OURS]
        await other.renew(KEYS[1:2], 30)
        await asyncio.sleep(0.25)
        assert await one.claim(KEYS[1:2], 30) == [Claim.TAKEN]

    await with_stores(address, work)


CHILD = """
import asyncio, os, signal, sys
from express.addresses import parse
from express.dedup import Dedup
from express.dedup.opening import opened

async def main():
    store = opened(Dedup(by="key", store=sys.argv[1]), parse(sys.argv[1]), None, "orders", "orders", 1000).store
    await store.start()
    await store.complete([b"%032d" % 0], 60)
    await store.claim([b"%032d" % 1], 1.0)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_after_kill_9_what_was_done_is_done_and_what_was_claimed_runs_when_its_lease_is_out(address: str) -> None:
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(CHILD), address], check=False, capture_output=True, timeout=60)
    assert died.returncode == -9, died.stderr.decode()

    async def ask() -> None:
        store = memory(address).store
        await store.start()
        limit = asyncio.get_running_loop().time() + 5
        assert (await store.claim(KEYS[:1], 30))[0] is Claim.DONE
        while (await store.claim(KEYS[1:2], 30))[0] is not Claim.OURS:
            assert asyncio.get_running_loop().time() < limit
            await asyncio.sleep(0.05)
        await store.stop()

    asyncio.run(ask())


# --- What is the same ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "same", "other", "like_no_other"),
    [
        (
            "$.order.id",
            [b'{"order":{"id":7},"n":1}', b'{"n":2,"order":{"id":7}}'],
            b'{"order":{"id":8}}',
            [b"{}", b'{"order":{"id":null}}', b"{,", None],
        ),
        ("{% $states.input.order.id %}", [b'{"order":{"id":"a"}}', b'{"order":{"id":"a","x":1}}'], b'{"order":{"id":"b"}}', [b"{}", b"{,"]),
        ("{% [$states.input.a, $states.input.b] %}", [b'{"a":1,"b":2}', b'{"b":2,"a":1}'], b'{"a":2,"b":1}', [b"{,"]),
    ],
)
def test_an_expression_says_what_is_the_same(by: str, same: list[bytes], other: bytes, like_no_other: list[bytes | None]) -> None:
    log, key_of = Pipeline().log, keys_by(by, "p", "w", 1_000)
    keys = {key_of(log.append(value, None)) for value in same}
    assert len(keys) == 1
    assert None not in keys
    assert key_of(log.append(other, None)) not in keys
    assert [key_of(log.append(value, b"k")) for value in like_no_other] == [None] * len(like_no_other)


def test_a_key_includes_the_pipeline_and_the_workflow() -> None:
    record = Pipeline().log.append(b"1", b"k")
    keys = {keys_by("key", pipeline, workflow, 1_000)(record) for pipeline, workflow in (("a", "b"), ("a", "c"), ("c", "b"))}
    assert len(keys) == 3
    assert keys_by("key", "a", "b", 1_000)(Pipeline().log.append(b"1", None)) is None


@pytest.mark.parametrize("by", ["order.id", "$.order[", "{% $states.input.( %}"])
def test_an_expression_that_is_none_is_refused_with_a_sentence(by: str) -> None:
    with pytest.raises(ConfigurationError):
        keys_by(by, "a", "b", 1_000)


def test_what_makes_no_sense_is_said_all_at_once() -> None:
    found = dict(problems(Dedup(by="key", store="sqlite:a", window=0, lease=0.1)))
    assert found == {
        "window": "expected more than 0s",
        "lease": "expected at least 1s",
    }


async def test_a_store_that_does_not_answer_holds_results_back_until_it_does(sqlite: str) -> None:
    remembered = memory(sqlite)
    complete, broken = remembered.store.complete, True

    async def unreliable(keys: Any, window: float) -> None:
        if broken:
            raise OSError("it is not there")
        await complete(keys, window)

    remembered.store.complete = unreliable  # type: ignore[method-assign]
    pipeline = Pipeline(memory=remembered, finite=False)
    pipeline.send({"id": 1})
    pipeline.begin()
    await pipeline.until(lambda: pipeline.sink.entries)
    await asyncio.sleep(0.05)
    assert pipeline.committed in (None, 0)
    broken = False
    await pipeline.until(lambda: pipeline.committed == 1)
    await pipeline.end()


async def test_an_execution_longer_than_the_lease_keeps_its_claim(sqlite: str) -> None:
    async def evaluate(event: Any, execution: Execution) -> Any:
        return await wait_and_obey(event, execution)

    one = remembering(sqlite, evaluate)
    one.send({"id": 1, "wait": 1.6})
    other = remembering(sqlite, evaluate)
    other.send({"id": 1, "wait": 0})
    running = asyncio.create_task(one.run())
    await one.until(lambda: one.workflow.started)
    await other.run()
    await running
    assert (len(one.sink.entries), len(other.sink.entries), other.metrics.duplicates) == (1, 0, 1)
