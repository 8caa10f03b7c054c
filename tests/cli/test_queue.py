"""``express queue``: what is sent is there, in order, for whoever runs a workflow over it."""

from __future__ import annotations

from pathlib import Path

import orjson

from express.queue import Queue
from tests.commandline import express, running


def test_lines_are_sent_in_order_and_run_through_a_workflow_to_other_queues(folder: Path) -> None:
    """A whole pipeline without a broker, in three commands; without --source it is the queue of the workflow's name."""
    sent = express("queue", "send", "orders.db", "events.jsonl", "--key", "customer-7", cwd=folder)
    assert (sent.returncode, sent.stdout, sent.stderr) == (0, "sent 100 to orders.db\n", "")
    shown = express("queue", "show", "queue:orders.db", cwd=folder)
    assert (shown.returncode, shown.stdout) == (0, "orders.db: 100 waiting, 0 in flight or delayed\n")
    queues = ("--sink", "queue:done.db", "--dead-letter", "queue:dead.db")
    with running("run", "orders.asl.json", "--functions", "functions.py", *queues, cwd=folder) as run:
        # Sent while it runs
        sent = express("queue", "send", "orders.db", cwd=folder, text='{"id": 100, "total": 1}\n\noops\n')
        assert sent.stdout == "sent 2 to orders.db\n"
        with Queue(folder / "orders.db") as orders:
            run.until(lambda: orders.waiting() + orders.held() == 0, "everything was done")
        assert run.metric('express_source_lag{pipeline="orders",topic="orders",partition="0"}') == 0
        run.process.terminate()
        assert run.wait() == 0, run.stderr
    assert "orders: events come from the embedded queue orders.db: send some with express queue send orders.db" in run.stderr
    with Queue(folder / "done.db") as done, Queue(folder / "dead.db") as dead:
        results = {orjson.loads(record.value or b"")["id"]: record for record in done.take(1_000, 1)}
        letters = {record.value: dict(record.headers) for record in dead.take(1_000, 1)}
    assert set(results) == {number for number in range(101) if number % 10 or number == 100}
    assert results[1].key == b"customer-7"
    assert dict(results[1].headers) == {"express-execution": b"orders-2", "express-workflow": b"orders"}
    assert len(letters) == 11
    assert letters[b"oops"]["express-error"] == b"Express.Undecodable"
    empty = letters[b'{"id": 10, "total": 0}']
    assert empty["express-execution"] == b"orders-11"
    assert orjson.loads(empty["express-source"]) | {"timestamp": 0} == {
        "kind": "queue", "topic": "orders", "partition": 0, "offset": None, "id": "orders-11", "timestamp": 0,
    }  # fmt: skip


def test_a_delayed_event_waits(folder: Path) -> None:
    express("queue", "send", "orders.db", "--delay", "1h", cwd=folder, text="{}\n")
    assert express("queue", "show", "orders.db", cwd=folder).stdout == "orders.db: 0 waiting, 1 in flight or delayed\n"


def test_what_cannot_work_is_a_sentence(folder: Path) -> None:
    (folder / "text.db").write_text("not a database, but long enough to have a header " * 10)
    for arguments, status, sentence in (
        (("show", "nowhere.db"), 66, "queue:nowhere.db: there is no such queue"),
        (("send", "nowhere/orders.db"), 73, "queue:nowhere/orders.db: there is no directory nowhere"),
        (("send", "text.db"), 69, "queue:text.db is not a queue: file is not a database"),
        (("send", "orders.db", "nowhere.jsonl"), 66, "there is no file nowhere.jsonl"),
        (("send", "orders.db", "--delay", "soon"), 2, "expected a duration such as 200ms, 20s or 5m, found 'soon'"),
        (("send", "queue:orders.db?speed=9"), 2, "expected the path of a queue, such as orders.db, found 'queue:orders.db?speed=9'"),
    ):
        result = express("queue", *arguments, cwd=folder, text="{}\n")
        assert (result.returncode, result.stdout) == (status, "")
        assert sentence in result.stderr
        assert len(result.stderr.splitlines()) == 1
