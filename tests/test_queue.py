"""The file of an embedded queue: nothing sent is lost, nothing is taken twice, whoever dies in between; made by several at once."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from express import queue as module
from express.errors import CannotCreate, ConnectionFailed, ExpressError
from express.queue import Queue, Taken
from tests.accounts import as_anybody
from tests.consumers.survival import VISIBILITY, Place, survive

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


def test_records_are_taken_oldest_first_with_what_they_were_sent_with(path: Path) -> None:
    with Queue(path) as queue:
        first = queue.send([b"1", b"2"], key=b"\x00key", headers=[("a", b"\xff"), ("a", b"")])
        assert first == [1, 2]
        assert queue.send([b"3"]) == [3]
        one, two = queue.take(2, 10)
        assert (one.value, one.key, one.headers) == (b"1", b"\x00key", [("a", b"\xff"), ("a", b"")])
        assert abs(one.timestamp - time.time() * 1000) < 60_000
        assert (two.value, one.lease.receives) == (b"2", 1)
        assert [record.value for record in queue.take(10, 10)] == [b"3"]
        assert queue.take(10, 10) == []
        assert (queue.waiting(), queue.held()) == (0, 3)


def test_whoever_knows_that_all_takers_are_gone_gives_everything_back_but_what_was_delayed(path: Path) -> None:
    with Queue(path) as queue:
        queue.send([b"taken", b"taken too"])
        queue.take(2, 60)
        queue.send([b"later"], delay=60)
        assert queue.give_back_all() == 2
        assert [record.value for record in queue.take(10, 60)] == [b"taken", b"taken too"]


def test_what_was_given_back_keeps_its_turn_and_what_ran_out_comes_first(path: Path) -> None:
    with Queue(path) as queue:
        queue.send([b"%d" % number for number in range(6)])
        taken = queue.take(4, 10)
        queue.give_back([taken[2].lease, taken[1].lease])
        queue.extend([taken[3].lease], 0)
        assert [record.value for record in queue.take(10, 10)] == [b"3", b"1", b"2", b"4", b"5"]


def test_a_deep_queue_does_not_keep_what_ran_out_waiting(path: Path) -> None:
    with Queue(path) as queue:
        queue.send([b"%d" % number for number in range(500)])
        queue.take(1, 0)
        assert queue.take(1, 10)[0].value == b"0"


def test_a_lease_that_somebody_else_has_by_now_changes_nothing(path: Path) -> None:
    with Queue(path) as queue:
        queue.send([b"1"])
        (old,) = queue.take(1, 0)
        (new,) = queue.take(1, 10)
        assert (old.lease.id, old.lease.receives, new.lease.receives) == (new.lease.id, 1, 2)
        queue.acknowledge([old.lease])
        queue.give_back([old.lease])
        assert queue.extend([old.lease, new.lease], 10) == {old.lease}
        assert (queue.waiting(), queue.held()) == (0, 1)
        queue.acknowledge([new.lease])
        assert (queue.waiting(), queue.held()) == (0, 0)


def test_one_take_is_bounded_in_bytes_but_takes_at_least_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_BYTES", 1_000)
    with Queue(path) as queue:
        queue.send([b"x" * 600] * 3 + [b"y" * 5_000] * 2)
        assert [len(queue.take(100, 10)) for _ in range(6)] == [1, 1, 1, 1, 1, 0]


def test_what_is_sent_is_sent_wholly_or_not_at_all(path: Path) -> None:
    with Queue(path) as queue:
        with pytest.raises(ValueError, match="a queue takes up to"):
            queue.send([b"1", b"x" * (module.LARGEST + 1)])
        assert queue.waiting() == 0


def test_what_was_sent_is_synchronised_to_the_disk(path: Path) -> None:
    """synchronous=FULL: the log is synced with every transaction, so a power failure loses nothing that was sent."""
    with Queue(path) as queue:
        assert queue._pragma("synchronous") == 2
        assert queue._pragma("journal_mode") == "wal"


def test_ids_are_never_used_again(path: Path) -> None:
    with Queue(path) as queue:
        queue.send([b"1", b"2"])
        queue.acknowledge([record.lease for record in queue.take(2, 10)])
    with Queue(path) as queue:
        assert queue.send([b"3"]) == [3]


def test_a_file_of_something_else_is_left_alone(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE invoice (number)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(ConnectionFailed, match="is an SQLite file of something else"):
        Queue(path)
    assert path.read_bytes() == before
    with Queue(path.with_name("new.db")) as queue:
        queue._pragma("user_version = 7")
    with pytest.raises(ConnectionFailed, match="written by another version of Express: format 7, expected 1"):
        Queue(path.with_name("new.db"))
    with pytest.raises(CannotCreate, match="is a directory"):
        Queue(path.parent)


def test_a_file_without_permission_is_a_sentence(path: Path) -> None:
    with Queue(path):
        pass
    path.chmod(0o400)
    with as_anybody(), pytest.raises(ConnectionFailed, match="no permission to read and write it"):
        Queue(path)


SENDER = """
import sys
from express.queue import Queue, Taken
first, count = int(sys.argv[2]), int(sys.argv[3])
with Queue(sys.argv[1]) as queue:
    for number in range(first, first + count, 5):
        queue.send([b'{"n":%d}' % each for each in range(number, number + 5)])
        print(number + 5, flush=True)
"""
TAKER = """
import sys, time
from express.queue import Queue, Taken
with Queue(sys.argv[1]) as queue:
    idle = 0
    while idle < 200:
        taken = queue.take(7, 30)
        idle = 0 if taken else idle + 1
        for record in taken:
            print(record.value.decode(), flush=True)
        if taken:
            queue.acknowledge([record.lease for record in taken])
        else:
            time.sleep(0.01)
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], cwd=PROJECT, stdout=subprocess.PIPE, text=True)


def test_processes_that_make_fill_and_empty_one_queue_at_once_lose_and_repeat_nothing(path: Path) -> None:
    senders = [start(SENDER, path, 1_000 * number, 300) for number in range(3)]
    takers = [start(TAKER, path) for _ in range(3)]
    for sender in senders:
        sender.communicate(timeout=60)
        assert sender.returncode == 0
    taken = [line for taker in takers for line in taker.communicate(timeout=60)[0].splitlines()]
    assert sorted(orjson.loads(line)["n"] for line in taken) == [1_000 * number + n for number in range(3) for n in range(300)]


def test_whoever_opens_a_queue_while_another_makes_it_finds_a_queue(tmp_path: Path) -> None:
    """Between "whose is it?" and "is anything in it?" the other one may be done: it looked like a file of something else."""
    said: list[str] = []

    def open_with_the_others(path: Path, together: threading.Barrier) -> None:
        together.wait()
        try:
            Queue(path).close()
        except ExpressError as error:
            said.append(str(error))

    for number in range(40):
        arguments = tmp_path / f"{number}.db", threading.Barrier(6)
        threads = [threading.Thread(target=open_with_the_others, args=arguments) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert said == []


def test_a_sender_killed_in_the_middle_has_sent_what_it_was_told_is_sent(path: Path) -> None:
    sender = start(SENDER, path, 0, 100_000)
    assert sender.stdout is not None
    told = 0
    while told < 500:
        told = int(sender.stdout.readline())
    sender.send_signal(signal.SIGKILL)
    told = max([told, *(int(line) for line in sender.stdout.read().splitlines())])
    sender.wait()
    sender.stdout.close()
    with Queue(path) as queue:
        values = [orjson.loads(record.value or b"")["n"] for record in queue.take(1_000_000, 10)]
    assert values[:told] == list(range(told))
    assert len(values) in (told, told + 5), "a batch is there wholly, or not at all"


class QueuePlace(Place):
    def command(self) -> list[str]:
        return ["--source", f"queue:events.db?visibility={VISIBILITY}s", "--sink", "queue:done.db", "--dead-letter", "queue:dead.db"]

    def queue(self, name: str) -> Queue:
        return Queue(self.folder / name)

    def send(self, values: Sequence[bytes]) -> None:
        with self.queue("events.db") as queue:
            queue.send(values)

    def held(self) -> int:
        with self.queue("events.db") as queue:
            return queue.held()

    def left(self) -> int:
        with self.queue("events.db") as queue:
            return queue.waiting() + queue.held()

    def sent(self) -> int:
        with self.queue("done.db") as queue:
            return queue.waiting()

    def ended(self) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
        with self.queue("done.db") as done, self.queue("dead.db") as dead:
            results, letters = done.take(1_000_000, 1), dead.take(1_000_000, 1)
        return [named(record) for record in results], [named(record) for record in letters]


def named(record: Taken) -> tuple[str, bytes]:
    return dict(record.headers)["express-execution"].decode(), record.value or b""


def test_two_workers_one_of_them_killed_over_and_over_lose_nothing_and_repeat_at_most_what_was_in_flight(tmp_path: Path) -> None:
    survive(QueuePlace(tmp_path))
