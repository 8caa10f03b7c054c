"""How far a shard is done, in sequence numbers: no unfinished record is behind the checkpoint, finished ones beyond it are skipped."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from consumers import kinesis_progress
from consumers.kinesis_progress import Progress, checkpoint
from consumers.kinesis_shards import Shard, Watch, quota, readable, shard_of
from consumers.kinesis_store import WORKER, Row
from tests.consumers.kinesis_model import FIRST


def names(count: int) -> list[str]:
    return [str(FIRST + 1_000_003 * number) for number in range(count)]


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_finished_in_whatever_order_each_run_goes_on_where_the_one_before_was_committed(seed: int) -> None:
    """Runs that are cut off, over one shard: some records are read and not delivered, some delivered and not finished, commits fail."""
    chance = random.Random(seed)
    log, done, after, metadata = names(60), set[str](), "", ""
    for _ in range(30):
        progress = Progress(after, metadata)
        start = log.index(after) + 1 if after else 0
        assert set(log[:start]) <= done, "an unfinished record is behind the checkpoint"
        end = min(len(log), start + chance.randrange(40))
        numbers = [progress.number(name) for name in log[start:end]]
        running: list[int] = []
        ran: set[str] = set()
        while numbers or running:
            if numbers and chance.random() < 0.5:
                batch, numbers = numbers[: (size := chance.randrange(1, 8))], numbers[size:]
                skipped = set(progress.deliver(batch))
                assert {log[start + number] for number in skipped} <= done, "it was skipped and never finished"
                running += [number for number in batch if number not in skipped]
            if running and chance.random() < 0.6:
                number = running.pop(chance.randrange(len(running)))
                progress.finish([number])
                ran.add(log[start + number])
                done.add(log[start + number])
            if chance.random() < 0.3 and (position := progress.position()) is not None and chance.random() < 0.8:
                found = checkpoint(position)
                after, metadata = found.after, found.metadata
                progress.committed(position)
                assert progress.position() is None
            if chance.random() < 0.05:
                break
    assert set(log[: log.index(after) + 1 if after else 0]) <= done


@pytest.mark.parametrize("seed", range(60))
def test_of_an_aggregated_record_all_user_records_are_finished_before_it_counts_as_done(seed: int) -> None:
    """As above, with several user records to a record, delivered and finished in any parts; a record is done when one run finished all."""
    chance = random.Random(seed)
    log, done, after, metadata = names(30), set[str](), "", ""
    sizes = {name: chance.choice([1, 1, 2, 5]) for name in log}
    for _ in range(25):
        progress = Progress(after, metadata)
        start = log.index(after) + 1 if after else 0
        assert set(log[:start]) <= done, "an unfinished record is behind the checkpoint"
        read = [(name, part) for name in log[start : start + chance.randrange(20)] for part in range(sizes[name])]
        numbers = [progress.number(name, part < sizes[name] - 1) for name, part in read]
        assert numbers == list(range(len(read)))
        running: list[int] = []
        left = {name: set(range(sizes[name])) for name in log}
        while numbers or running:
            if numbers and chance.random() < 0.5:
                batch, numbers = numbers[: (size := chance.randrange(1, 6))], numbers[size:]
                skipped = set(progress.deliver(batch))
                assert {read[number][0] for number in skipped} <= done, "it was skipped and never finished"
                running += [number for number in batch if number not in skipped]
            if running and chance.random() < 0.6:
                number = running.pop(chance.randrange(len(running)))
                progress.finish([number])
                name, part = read[number]
                left[name].discard(part)
                if not left[name]:
                    done.add(name)
            if chance.random() < 0.4 and (position := progress.position()) is not None and chance.random() < 0.8:
                found = checkpoint(position)
                after, metadata = found.after, found.metadata
                progress.committed(position)
            if chance.random() < 0.04:
                break
    assert set(log[: log.index(after) + 1 if after else 0]) <= done
    assert done, "nothing was ever done"


def test_only_what_is_unfinished_is_run_again() -> None:
    log = names(20)
    progress = Progress()
    numbers = [progress.number(name) for name in log]
    progress.deliver(numbers)
    progress.finish([*numbers[:5], *numbers[7:15]])
    position = progress.position()
    assert position
    found = checkpoint(position)
    assert found.after == log[4]
    again = Progress(found.after, found.metadata)
    numbers = [again.number(name) for name in log[5:]]
    assert set(again.deliver(numbers[:4])) == {2, 3}
    half = again.position()
    assert half
    assert checkpoint(half) == found, "what was not read again yet is still known"
    assert set(again.deliver(numbers[4:])) == set(range(4, 10))


def test_it_is_whole_when_everything_that_was_read_is_delivered_finished_and_committed() -> None:
    progress = Progress()
    assert progress.whole(), "nothing was read"
    numbers = [progress.number(name) for name in names(3)]
    assert not progress.whole(), "read, and not delivered"
    progress.deliver(numbers)
    progress.finish(numbers[:2])
    assert not progress.whole()
    progress.finish(numbers[2:])
    assert not progress.whole(), "not committed"
    position = progress.position()
    assert position
    progress.committed(position)
    assert progress.whole()


@pytest.mark.parametrize("metadata", ["not a map: žluť", "{}", '{"through":"x","unfinished":[]}', '{"through":5}'])
def test_metadata_that_cannot_be_understood_is_run_again(metadata: str) -> None:
    progress = Progress(names(1)[0], metadata)
    assert list(progress.deliver([progress.number(name) for name in names(5)[1:]])) == []


def test_far_beyond_the_checkpoint_intake_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinesis_progress, "FAR", 10)
    progress = Progress()
    numbers = [progress.number(name) for name in names(12)]
    progress.deliver(numbers)
    progress.finish(numbers[1:])
    assert progress.full
    progress.finish(numbers[:1])
    position = progress.position()
    assert position
    progress.committed(position)
    assert not progress.full


# --- Shards -----------------------------------------------------------------------------------------------------------------------


def row(name: str, **about: Any) -> Row:
    return Row(shard=name, **about)


def listed(found: Mapping[str, tuple[str, ...]]) -> list[Shard]:
    return [Shard(name, number, parents, True) for number, (name, parents) in enumerate(found.items())]


def test_a_shard_as_it_is_listed() -> None:
    found = {
        "ShardId": "shardId-000000000012",
        "ParentShardId": "shardId-000000000003",
        "SequenceNumberRange": {"EndingSequenceNumber": "9"},
    }
    assert shard_of(found) == Shard("shardId-000000000012", 12, ("shardId-000000000003",), False)


def test_children_may_be_read_when_all_their_parents_are_done_or_not_there_any_more() -> None:
    shards = listed({"a": (), "b": (), "c": ("a", "b"), "d": ("gone",), "e": ("c",)})
    done = row("a", done=True)
    assert [shard.name for shard in readable(shards, {})] == ["a", "b", "d"]
    assert [shard.name for shard in readable(shards, {"a": done})] == ["b", "d"]
    assert [shard.name for shard in readable(shards, {"a": done, "b": row("b", done=True)})] == ["c", "d"]


@pytest.mark.parametrize("shards", range(12))
def test_everybody_has_as_many_shards_as_the_others_or_one_more(shards: int) -> None:
    workers = ["w1", "w2", "w3", "w4", "w5"]
    shares = [quota(shards, workers, me) for me in workers]
    assert sum(shares) == shards
    assert max(shares) - min(shares) <= 1


def test_a_lease_has_run_out_when_its_beat_stood_still_for_as_long_whatever_the_other_clocks_say() -> None:
    watch = Watch(10.0)
    watch.look([row("s", owner="o", fence=1, beat=5)], 100.0)
    assert not watch.silent(row("s"), 110.0)
    assert watch.silent(row("s"), 110.1)
    watch.look([row("s", owner="o", fence=1, beat=6), row(f"{WORKER}w")], 111.0)
    assert not watch.silent(row("s"), 120.0)
    assert watch.workers([row(f"{WORKER}w")], 121.0) == [f"{WORKER}w"]
    assert watch.workers([row(f"{WORKER}w")], 121.1) == []
    assert not watch.silent(row("never seen"), 1e9)
