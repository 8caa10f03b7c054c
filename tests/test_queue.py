"""The file of an embedded queue: nothing sent is lost, nothing is taken twice, whoever dies in between; made by several at once."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import orjson
import pytest

from express import queue as module
from express.errors import CannotCreate, ConnectionFailed
from express.queue import Queue
from tests.accounts import as_anybody
from tests.commandline import running

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
from express.queue import Queue
first, count = int(sys.argv[2]), int(sys.argv[3])
with Queue(sys.argv[1]) as queue:
    for number in range(first, first + count, 5):
        queue.send([b'{"n":%d}' % each for each in range(number, number + 5)])
        print(number + 5, flush=True)
"""
TAKER = """
import sys, time
from express.queue import Queue
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


WORKFLOW = {
    "StartAt": "Slow",
    "States": {
        "Slow": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:slow", "Next": "Good"},
        "Good": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 0, "Next": "Bad"}], "Default": "Done"},
        "Bad": {"Type": "Fail", "Error": "Negative"},
        "Done": {"Type": "Succeed"},
    },
}
FUNCTIONS = """
import asyncio, express

@express.function
async def slow(event, context):
    await asyncio.sleep(0.2 + (event["n"] % 5) * 0.02 + (2.5 if event["n"] == 7 else 0))
    return event
"""
COUNT, IN_FLIGHT, VISIBILITY = 1_500, 60, 1


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "work.asl.json").write_bytes(orjson.dumps(WORKFLOW))
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    with Queue(tmp_path / "events.db") as queue:
        queue.send([b"oops" if n % 100 == 99 else b'{"n":%d}' % (-n if n % 100 == 50 else n) for n in range(COUNT)])
    return tmp_path


def sent(queue: Queue) -> int:
    count: int = queue._connection.execute("SELECT count(*) FROM record").fetchone()[0]
    return count


def ended(path: Path) -> Counter[str]:
    """How often each execution is in a queue of results or dead letters."""
    with Queue(path) as queue:
        names = queue._connection.execute("SELECT headers FROM record").fetchall()
    return Counter(dict(module._headers_of(headers))["express-execution"].decode() for (headers,) in names)


def test_two_workers_one_of_them_killed_over_and_over_lose_nothing_and_repeat_at_most_what_was_in_flight(place: Path) -> None:
    """kill -9, three times, under the load of another worker that takes over after the visibility timeout."""
    arguments = (
        "run", "work.asl.json", "--functions", "functions.py", "--source", f"queue:events.db?visibility={VISIBILITY}s",
        "--sink", "queue:done.db", "--dead-letter", "queue:dead.db", "--in-flight", str(IN_FLIGHT), "--commit-every", "50ms",
    )  # fmt: skip
    kills = 0
    with running(*arguments, cwd=place) as survivor, Queue(place / "events.db") as events, Queue(place / "done.db") as done:
        for _ in range(3):
            goal = sent(done) + 80
            with running(*arguments, cwd=place) as victim:
                victim.until_said("metrics at")
                victim.until(lambda goal=goal: sent(done) > goal and events.held() > IN_FLIGHT, "both were in the middle")  # type: ignore[misc]
                victim.signal(signal.SIGKILL)
                victim.wait()
                kills += 1
        killed = time.monotonic()
        survivor.until(lambda: events.waiting() + events.held() == 0, "everything was done", 30)
        assert time.monotonic() - killed < VISIBILITY + 20
        survivor.signal(signal.SIGTERM)
        assert survivor.wait() == 0, survivor.stderr
        assert "ran out" not in survivor.stderr, "the lease of the slow one was extended while it ran"
    results, letters = ended(place / "done.db"), ended(place / "dead.db")
    assert not results.keys() & letters.keys()
    assert {*results, *letters} == {f"events-{n + 1}" for n in range(COUNT)}, "nothing is lost"
    assert set(letters) == {f"events-{n + 1}" for n in range(COUNT) if n % 100 in (50, 99)}
    repeated = results.total() - len(results) + letters.total() - len(letters)
    # In flight, and what was finished since the last acknowledgement
    assert repeated <= kills * (IN_FLIGHT + 2 * 0.05 * IN_FLIGHT / 0.2), repeated
