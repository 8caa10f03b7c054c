"""The commit tracker against a plain model of a partition and its group: whatever happens, nothing unfinished is committed or skipped."""

import random
import sys
from base64 import b64decode, b64encode
from binascii import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from express.commits import MAX_METADATA, OffsetMap, Position, Tracker, _put, decode, encode

HYPOTHESIS_STEPS = 100_000
RANDOM_STEPS = 100_000


def finished_by(position: Position, existing: list[int]) -> set[int]:
    """The offsets that an owner who starts from ``position`` will not run."""
    below = {offset for offset in existing if offset < position.offset}
    known = decode(position.metadata, position.offset)
    if known is None:
        return below
    return below | {offset for offset in existing if position.offset <= offset <= known.highest and offset not in known.unfinished}


class World:
    """One partition with gaps, the group's committed position, and one owner after the other. Every step checks the promise.

    The model is two sets: ``delivered`` to this owner, ``finished`` by anyone ever. It does not know how the tracker works.
    """

    def __init__(self, asks: bool = False) -> None:
        self.asks = asks  # whether there is room, before it delivers
        self.existing: list[int] = []  # offsets that have a record
        self.end = 0  # the next offset of the log
        self.finished: set[int] = set()
        self.group: Position | None = None
        self.honest = ""  # the metadata as it was committed
        self.steps = 0
        self.take_over()

    # What can happen

    def produce(self, number: int) -> None:
        """Records arrive, some of their offsets are taken by transaction markers or were compacted away."""
        for index in range(number % 40 + 1):
            self.end += 1 if (number >> index % 7) & 3 else 1 + number % 9
            self.existing.append(self.end)
            self.end += 1

    def deliver(self, number: int) -> None:
        first = self.next
        batch = [offset for offset in self.existing if offset >= first][: number % 50 + 1] if self.existing[-1:] >= [first] else []
        if self.asks:
            batch = batch[: self.tracker.room(batch)]
        skipped = set(self.tracker.deliver(batch))
        if not batch:
            return
        self.next = batch[-1] + 1
        assert skipped == self.remembered & set(batch)
        assert skipped <= self.finished
        self.delivered.update(batch)
        self.mine.update(skipped)
        self.running.update(set(batch) - skipped)

    def finish(self, number: int) -> None:
        """Executions end in any order, in batches; sometimes all of them do."""
        running = sorted(self.running)
        if number % 11 == 0:
            done = running
        else:
            chooser = random.Random(number)
            done = chooser.sample(running, min(len(running), number % 17))
        self.tracker.finish(done)
        self.finished.update(done)
        self.mine.update(done)
        self.running.difference_update(done)

    def finish_what_was_never_delivered(self, number: int) -> None:
        self.tracker.finish([self.next + number % 5, *sorted(self.mine)[-2:]])

    def commit(self, number: int) -> None:
        position = self.tracker.position()
        if position is None or number % 4 == 0:  # nothing to say, or lost on the way: nobody tells the tracker
            return
        self.group, self.honest = position, position.metadata
        if number % 4 != 1:  # 1: it arrived, and the answer was lost
            self.tracker.committed(position)

    def take_over(self, number: int = 0) -> None:
        """A crash, a restart, a rebalance: a new owner knows only what the group has."""
        self.tracker = Tracker() if self.group is None else Tracker(self.group.offset, self.group.metadata)
        self.next = 0 if self.group is None else self.group.offset
        self.remembered = set() if self.group is None else finished_by(self.group, self.existing)
        self.delivered: set[int] = set()
        self.mine: set[int] = set()
        self.running: set[int] = set()
        self.highest_position = -1

    def garble(self, number: int) -> None:
        """Somebody else's metadata, or ours damaged: replayed, never skipped."""
        if self.group is not None:
            chooser = random.Random(number)
            text = list(self.group.metadata or "garbage")
            for _ in range(number % 3 + 1):
                text[chooser.randrange(len(text))] = chooser.choice("ABCxyz019+/=é ")
            offset, damaged = self.group.offset, "".join(text)
            assert damaged == self.honest or decode(damaged, offset) is None  # a second damage may repair the first
            self.group = Position(offset, damaged)
            self.take_over()

    def retain(self, number: int) -> None:
        """Retention or compaction removes records, finished or not, as brokers do."""
        if number % 5 == 0:
            self.existing = [offset for offset in self.existing if offset % 7 != number % 7 or offset in self.delivered]

    # What must hold

    def check(self) -> None:
        tracker = self.tracker
        unfinished = self.delivered - self.mine
        assert tracker.unfinished() == len(unfinished)
        position = tracker.position() or tracker._last
        if not self.delivered:
            assert tracker.position() is None
            return
        assert position is not None
        assert position.offset == min(unfinished, default=max(self.delivered) + 1)
        assert position.offset >= self.highest_position, "a position went back"
        self.highest_position = position.offset
        assert len(position.metadata) <= MAX_METADATA
        claimed = finished_by(position, [offset for offset in self.existing if offset >= position.offset])
        assert claimed <= self.finished, "an offset that is not finished would be skipped"
        assert not claimed & unfinished
        assert not (self.asks and tracker.full), "more was delivered than a map can tell of"
        if not tracker.full:
            assert {offset for offset in self.mine if offset > position.offset} <= claimed, "finished work would be forgotten"
        assert tracker.behind() == max(self.delivered) + 1 - (tracker._last.offset if tracker._last else min(self.delivered))

    def step(self, act: int, number: int) -> None:
        self.steps += 1
        ACTS[act % len(ACTS)](self, number)
        self.check()


ACTS = (
    World.produce, World.deliver, World.finish, World.commit,
    World.produce, World.deliver, World.finish, World.commit,
    World.deliver, World.finish, World.commit, World.finish,
    World.finish_what_was_never_delivered, World.take_over, World.garble, World.retain,
)  # fmt: skip


def test_no_sequence_of_events_makes_the_tracker_break_its_promise() -> None:
    steps = 0

    @settings(max_examples=1_500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(min_size=150, max_size=360))
    def run(history: bytes) -> None:
        nonlocal steps
        world = World()
        for act, high, low in zip(*[iter(history)] * 3, strict=False):
            world.step(act, high << 8 | low)
        steps += world.steps

    run()
    assert steps >= HYPOTHESIS_STEPS, f"only {steps} steps"


@pytest.mark.parametrize("seed", range(4))
def test_long_random_histories_keep_the_promise(seed: int) -> None:
    chooser, steps = random.Random(seed), 0
    while steps < RANDOM_STEPS // 4:
        world = World()
        for _ in range(300):
            world.step(chooser.randrange(len(ACTS)), chooser.getrandbits(16))
        steps += world.steps


# One sentence of the promise each


def test_who_delivers_no_more_than_there_is_room_for_never_has_a_map_that_leaves_something_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps of 40 bytes: full all the time."""
    monkeypatch.setattr("express.commits._MAX_MAP", 40 + 25)
    for seed in range(10):
        chooser, world, held_back = random.Random(seed), World(asks=True), 0
        for _ in range(1_000):
            world.step(chooser.randrange(len(ACTS)), chooser.randrange(1 << 16))
            ahead = [offset for offset in world.existing if offset >= world.next][:50]
            held_back += world.tracker.room(ahead) < len(ahead)
        assert held_back > 100


@pytest.mark.parametrize("gap", [1, 2, 127, 128, 20_000])
def test_where_nothing_has_finished_there_is_room_for_as_much_as_a_map_can_tell_of_and_then_for_as_much_as_finishes(gap: int) -> None:
    tracker, offsets = Tracker(0), range(0, 10_000 * gap, gap)
    count = tracker.room(offsets)
    tracker.deliver(offsets[:count])
    assert count > 3_000 // len(_varint(gap))
    assert tracker.room(offsets[count:]) == 0
    tracker.finish(offsets[1:count:2])  # two steps become one, which is shorter at times
    tracker.position()
    assert not tracker.full
    tracker.finish(offsets[0:count:2])
    assert tracker.room(offsets[count:]) >= count - 3


def _varint(number: int) -> bytearray:
    content = bytearray()
    _put(content, number)
    return content


def test_what_a_former_owner_has_finished_needs_no_room() -> None:
    metadata, _ = encode(0, OffsetMap(99_999, tuple(range(0, 90_000, 30))))
    tracker = Tracker(0, metadata)
    assert tracker.room(range(90_001)) == 90_001
    assert tracker.room(range(200_000)) < 200_000


def test_nothing_is_committed_before_anything_was_delivered() -> None:
    assert Tracker().position() is None
    assert Tracker(7).position() is None


def test_the_first_offset_delivered_is_committed_so_that_a_group_without_one_keeps_its_place() -> None:
    tracker = Tracker()
    tracker.deliver([1_000, 1_001])
    assert tracker.position() == Position(1_000, "")


def test_an_unfinished_offset_holds_the_position_and_the_map_remembers_what_is_beyond() -> None:
    tracker = Tracker(0)
    tracker.deliver(range(10))
    tracker.finish([1, 2, 3, 5])
    position = tracker.position()
    assert position is not None
    assert position.offset == 0
    assert decode(position.metadata, 0) == OffsetMap(5, (0, 4))


def test_gaps_do_not_hold_the_position() -> None:
    tracker = Tracker(0)
    tracker.deliver([3, 10, 11, 50])
    tracker.finish([3, 10])
    assert tracker.position() == Position(11, "")
    tracker.finish([11, 50])
    assert tracker.position() == Position(51, "")


def test_a_failed_commit_is_offered_again_and_a_successful_one_is_not() -> None:
    tracker = Tracker(0)
    tracker.deliver([0, 1])
    tracker.finish([0])
    first = tracker.position()
    assert first == Position(1, "")
    assert tracker.position() == first
    tracker.committed(first)
    assert tracker.position() is None


def test_finished_work_is_skipped_after_a_restart_and_only_that() -> None:
    tracker = Tracker(0)
    tracker.deliver(range(10))
    tracker.finish([1, 2, 3, 5])
    position = tracker.position()
    assert position is not None
    heir = Tracker(*position)
    assert set(heir.deliver([0, 1, 2])) == {1, 2}
    assert set(heir.deliver([3, 4, 5, 6])) == {3, 5}
    assert heir.unfinished() == 3
    heir.finish([0, 4, 6])
    assert heir.position() == Position(7, "")


def test_what_the_former_owner_finished_is_still_remembered_before_it_is_delivered_again() -> None:
    tracker = Tracker(0)
    tracker.deliver(range(10))
    tracker.finish([2, 9])
    position = tracker.position()
    assert position is not None
    heir = Tracker(*position)
    heir.deliver([0])
    assert heir.position() is None, "one delivery on, the map is the same: nothing to commit"
    heir.finish([0])
    assert heir.position() == Position(1, encode(1, OffsetMap(9, (1, 3, 4, 5, 6, 7, 8)))[0])


def test_a_map_of_another_committed_offset_is_ignored() -> None:
    metadata, _ = encode(5, OffsetMap(9, (5,)))
    assert decode(metadata, 5) == OffsetMap(9, (5,))
    assert decode(metadata, 6) is None
    assert not Tracker(6, metadata).deliver([6, 7, 8, 9])


@pytest.mark.parametrize("seed", range(50))
def test_what_need_not_be_read_is_finished_and_leaving_it_out_changes_no_commit(seed: int) -> None:
    rng = random.Random(seed)
    before = Tracker(100)
    before.deliver(range(100, 400))
    before.finish(rng.sample(range(101, 400), rng.randrange(200, 298)))
    position = before.position()
    assert position is not None
    assert position.metadata
    unfinished = set(before.pending())
    whole, sparing = Tracker(*position), Tracker(*position)
    assert sparing.resumes(position.offset)
    assert not sparing.resumes(position.offset - 1)
    at, skipped = position.offset, 0
    while at < 420:
        batch = range(at, min(at + rng.randrange(1, 4), 420))
        at = batch.stop
        known = set(whole.deliver(batch))
        whole.finish(set(batch) - known)
        if sparing.skips(batch.start, batch.stop - 1):
            assert not unfinished.intersection(batch)
            assert known == set(batch)
            skipped += len(batch)
        else:
            sparing.finish(set(batch) - set(sparing.deliver(batch)))
            assert sparing.position() == whole.position()
    assert skipped > 50
    assert sparing.position() == whole.position() == Position(420, "")
    leaping, at, read = Tracker(*position), position.offset, set[int]()
    while at < 420:
        at = leaping.next_needed(at)
        batch = range(at, min(at + rng.randrange(1, 4), 420))
        at = batch.stop
        read.update(batch)
        leaping.finish(set(batch) - set(leaping.deliver(batch)))
    assert unfinished <= read
    assert len(read) < 300
    assert leaping.position() == Position(420, "")


def test_nothing_is_left_out_of_a_log_that_begins_anew_or_that_nothing_is_known_of() -> None:
    assert not Tracker().resumes(0)
    assert not Tracker(100).skips(100, 100)
    before = Tracker(100)
    before.deliver(range(100, 200))
    before.finish(range(101, 200))
    position = before.position()
    assert position is not None
    tracker = Tracker(*position)
    assert tracker.skips(101, 198)
    assert [tracker.next_needed(offset) for offset in (99, 100, 101, 199, 200)] == [99, 100, 199, 199, 200]
    assert not tracker.skips(101, 199), "the highest finished is delivered, so that the position can pass it"
    assert not tracker.skips(99, 105)
    assert not tracker.skips(100, 105)
    tracker.deliver(range(10))
    assert not tracker.resumes(100)
    assert not tracker.skips(101, 150)


def test_a_map_of_an_unknown_version_is_replayed() -> None:
    metadata, _ = encode(5, OffsetMap(9, (5,)))
    content = bytearray(b64decode(metadata))
    for version in set(range(256)) - {1}:
        content[0] = version
        body = bytes(content[:-4])
        assert decode(b64encode(body + crc32(body).to_bytes(4, "big")).decode(), 5) is None


def test_a_map_that_is_cut_short_at_any_length_is_replayed() -> None:
    metadata, _ = encode(5, OffsetMap(90, (5, 7, 20, 60)))
    content = b64decode(metadata)
    assert all(decode(metadata[:length], 5) is None for length in range(len(metadata)))
    assert all(decode(b64encode(content[:length]).decode(), 5) is None for length in range(len(content)))


def test_a_map_with_a_right_checksum_and_impossible_numbers_is_replayed() -> None:
    bodies = [b"\1", b"\1\5", b"\1\5\4\0\0", b"\1\5\4\5", b"\1\5\x84", b"\1\5" + b"\xff" * 10 + b"\1", b"\1\5" + b"\xff" * 9 + b"\1"]
    for body in bodies:
        assert decode(b64encode(body + crc32(body).to_bytes(4, "big")).decode(), 5) is None, body
    assert decode(b64encode(b"\1\5\4\0" + crc32(b"\1\5\4\0").to_bytes(4, "big")).decode(), 5) == OffsetMap(9, (5,))


@given(st.text(max_size=200), st.integers(0, 10))
def test_any_text_in_the_metadata_is_replayed(text: str, committed: int) -> None:
    assert decode(text, committed) is None


@given(st.integers(0, 2**62), st.sets(st.integers(0, 5_000), max_size=300), st.integers(0, 5_000))
def test_a_map_that_fits_survives_encoding(committed: int, beyond: set[int], highest: int) -> None:
    known = OffsetMap(committed + highest, tuple(sorted(committed + offset for offset in beyond if offset < highest)))
    metadata, cut = encode(committed, known)
    assert not cut
    assert decode(metadata, committed) == known


@given(st.integers(0, 2**62), st.integers(1, 3), st.integers())
def test_a_map_that_does_not_fit_tells_the_longest_prefix(committed: int, width: int, seed: int) -> None:
    chooser, unfinished, offset = random.Random(seed), [], committed
    while len(unfinished) < 4_000:
        unfinished.append(offset)
        offset += chooser.randint(1, 100**width)
    metadata, cut = encode(committed, OffsetMap(offset, tuple(unfinished)))
    assert cut
    assert len(metadata) <= MAX_METADATA
    known = decode(metadata, committed)
    assert known is not None
    assert known.unfinished == tuple(unfinished[: len(known.unfinished)]), "only what was left out may differ"
    assert known.highest == unfinished[len(known.unfinished)] - 1, "nothing is claimed from the first one left out"
    assert len(metadata) > MAX_METADATA - 40, "no room is wasted"


def test_the_tracker_says_when_the_map_is_full_and_when_it_is_not_any_more() -> None:
    tracker = Tracker(0)
    tracker.deliver(range(0, 20_000, 2))
    tracker.finish(range(2, 20_000, 4))
    position = tracker.position()
    assert tracker.full
    assert position is not None
    assert len(position.metadata) <= MAX_METADATA
    tracker.finish(range(0, 18_000, 4))
    assert tracker.position() is not None
    assert not tracker.full


def test_records_of_a_topic_made_anew_are_run_although_a_higher_offset_was_committed() -> None:
    tracker = Tracker(100, encode(100, OffsetMap(110, (100,)))[0])
    assert not tracker.deliver(range(50, 120))
    tracker.finish(range(50, 120))
    assert tracker.position() == Position(120, "")
    assert Tracker(100).deliver([0]) == ()


def test_offsets_that_go_back_within_an_assignment_are_an_error_and_change_nothing() -> None:
    tracker = Tracker(0)
    tracker.deliver([0, 1, 2])
    for again in ([2], [0, 5], [9, 3]):
        with pytest.raises(ValueError, match="delivered after offset 2 of the same assignment"):
            tracker.deliver(again)
    assert tracker.unfinished() == 3
    tracker.finish([0, 1, 2])
    assert tracker.position() == Position(3, "")


def test_the_parked_head_of_a_long_partition_costs_no_memory_for_what_finished_behind_it() -> None:
    tracker = Tracker(0)
    tracker.deliver([0])
    for first in range(1, 200_001, 500):
        tracker.deliver(range(first, first + 500))
        tracker.finish(range(first, first + 500))
    assert sys.getsizeof(tracker._pending) < 100_000
    assert tracker.position() == Position(0, encode(0, OffsetMap(200_000, (0,)))[0])
