"""express dlq: from a failure to a mend, as somebody on call would go."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from express.queue import Queue
from tests.commandline import express

BROKEN = {"StartAt": "A", "States": {"A": {"Type": "Pass", "InputPath": "$.total", "End": True}}}
MENDED = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three of five events have failed and lie in dead.db."""
    (tmp_path / "broken.json").write_text(json.dumps(BROKEN))
    (tmp_path / "mended.json").write_text(json.dumps(MENDED))
    (tmp_path / "orders.jsonl").write_text('{"total": 1}\n{"sum": 2}\nnot json\n{"total": 4}\n{"sum": 5}\n')
    done = express(
        "run", "broken.json", "--source", "file:orders.jsonl", "--sink", "file:done.jsonl", "--dead-letter", "queue:dead.db", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_a_list_says_what_failed_where_and_why(folder: Path) -> None:
    found = express("dlq", "list", "queue:dead.db", cwd=folder)
    lines = found.stdout.splitlines()
    assert found.returncode == 0
    assert [line.split("  ")[0] for line in lines] == ["1", "2", "3"]
    assert "broken/A  States.Runtime: An error occurred while executing the state 'A'" in lines[0]
    assert "broken  Express.Undecodable: it is not JSON" in lines[1]
    assert found.stderr == "3 dead letters in queue:dead.db\n"
    assert len(express("dlq", "list", "queue:dead.db", "--error", "Express.Undecodable", cwd=folder).stdout.splitlines()) == 1


def test_one_is_shown_whole(folder: Path) -> None:
    shown = express("dlq", "show", "queue:dead.db", "1", cwd=folder).stdout
    assert "express-error: States.Runtime\n" in shown
    assert "key: -\n" in shown
    assert shown.endswith('{"sum": 2}\n')


def test_a_mend_is_tried_then_the_records_are_sent_again_and_what_is_hopeless_is_dropped(folder: Path) -> None:
    tried = express("dlq", "replay", "queue:dead.db", "--all", "--definition", "mended.json", "--dry-run", cwd=folder)
    assert tried.returncode == 1, "one still fails"
    assert '1  States.Runtime -> SUCCEEDED  {"sum":2}' in tried.stdout
    assert "2  Express.Undecodable -> FAILED  Express.Undecodable: it is not JSON" in tried.stdout
    assert tried.stderr.endswith("2 of 3 would succeed; nothing was sent\n")
    would = express("dlq", "replay", "queue:dead.db", "--error", "States.Runtime", "--dry-run", cwd=folder)
    assert would.stderr == "would send 2 of queue:dead.db\n"
    sent = express("dlq", "replay", "queue:dead.db", "--error", "States.Runtime", "--to", "queue:again.db", cwd=folder)
    assert sent.stdout == "sent 2 of queue:dead.db to queue:again.db\n"
    dropped = express("dlq", "drop", "queue:dead.db", "2", cwd=folder)
    assert dropped.stdout == "dropped 1 of queue:dead.db\n"
    assert express("dlq", "list", "queue:dead.db", cwd=folder).stderr == "0 dead letters in queue:dead.db\n"
    assert express("queue", "show", "again.db", cwd=folder).stdout == "again.db: 2 waiting, 0 in flight or delayed\n"


def test_a_definition_is_tried_with_what_its_configuration_has_for_it(folder: Path) -> None:
    stage = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"stage": "${Stage}"}, "End": True}}}
    (folder / "stage.json").write_text(json.dumps(stage))
    workflows = {"orders": {"definition": "stage.json", "substitutions": {"Stage": "prod"}}}
    (folder / "express.yaml").write_text(json.dumps({"workflows": workflows}))
    tried = express("dlq", "replay", "queue:dead.db", "1", "--definition", "stage.json", "--dry-run", "-c", "express.yaml", cwd=folder)
    assert tried.stdout == '1  States.Runtime -> SUCCEEDED  {"stage":"prod"}\n', tried.stderr
    given = express(
        "dlq", "replay", "queue:dead.db", "1", "--definition", "stage.json", "--dry-run", "--substitute", "Stage=test", cwd=folder
    )
    assert '{"stage":"test"}' in given.stdout


def test_a_line_that_is_there_twice_is_shown(folder: Path) -> None:
    done = express("run", "broken.json", "--source", "file:orders.jsonl", "--dead-letter", "file:dead.jsonl", cwd=folder)
    assert done.returncode == 0, done.stderr
    line = (folder / "dead.jsonl").read_text().splitlines(keepends=True)[0]
    (folder / "dead.jsonl").write_text(line + line)
    identity = express("dlq", "list", "file:dead.jsonl", cwd=folder).stdout.split()[0]
    shown = express("dlq", "show", "file:dead.jsonl", identity, cwd=folder)
    assert (shown.returncode, shown.stderr) == (0, "")


def test_damaged_headers_in_a_queue_are_kept_and_stop_nobody(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "dead.db")) as database:
        database.execute("UPDATE record SET headers = x'ff00' WHERE id = 1")
        database.commit()
    assert express("dlq", "list", "queue:dead.db", cwd=folder).returncode == 0
    assert "header express-damaged-headers: " in express("dlq", "show", "queue:dead.db", "1", cwd=folder).stdout
    with closing(Queue(folder / "dead.db")) as queue:
        first, *_ = queue.take(3, 60.0)
    assert first.headers == (("express-damaged-headers", b"\xff\x00"),)


HELP = "(see express dlq replay --help)"
KINDS = "file:, kafka:, queue:, redis:, sqs:"
MISTAKES = [
    (("list", "queue:gone.db"), 66, "queue:gone.db: there is no such queue"),
    (("list", "drop:"), 78, f"place of dead letters: drop:: there is no place of dead letters called drop:, expected one of {KINDS}"),
    (("show", "queue:dead.db", "9"), 78, "queue:dead.db: there is no dead letter 9"),
    (("drop", "queue:dead.db"), 2, "expected IDs, --error NAME, or --all (see express dlq drop --help)"),
    (("drop", "queue:dead.db", "--all", "--error", "Down"), 2, "expected --error NAME or --all, not both (see express dlq drop --help)"),
    (("replay", "queue:dead.db", "--all"), 2, f"expected --to ADDRESS, or --dry-run {HELP}"),
    (
        ("replay", "queue:dead.db", "--all", "--to", "file:x"),
        2,
        f"expected --to kafka:, queue:, redis: or sqs:, whose records keep key and headers; a file has lines only {HELP}",
    ),
    (
        ("replay", "queue:dead.db", "--all", "--definition", "mended.json"),
        2,
        f"expected --dry-run beside --definition: what is sent runs in a pipeline {HELP}",
    ),
]


@pytest.mark.parametrize(("arguments", "code", "sentence"), MISTAKES)
def test_a_mistake_is_one_sentence_and_nothing_is_removed(folder: Path, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    result = express("dlq", *arguments, cwd=folder)
    assert (result.returncode, result.stdout, result.stderr) == (code, "", f"express: {sentence}\n")
    assert express("dlq", "list", "queue:dead.db", cwd=folder).stderr.startswith("3 dead letters")


FUNCTIONS = """
import express

@express.function("reserve", run="inline")
def reserve(order, context):
    if order["quantity"] > 1:
        raise express.TaskError("OutOfStock", "no more of it")
    return order
"""


def test_the_commands_of_the_documentation_do_what_they_say(tmp_path: Path, project: Path) -> None:
    section = (project / "docs" / "sources.md").read_text().partition("## Dead letters, afterwards")[2]
    (block,) = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    reserve = {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:reserve", "End": True}
    (tmp_path / "orders.asl.json").write_text(json.dumps({"StartAt": "Reserve", "States": {"Reserve": reserve}}))
    (tmp_path / "orders_functions.py").write_text(FUNCTIONS)
    (tmp_path / "orders.jsonl").write_text("".join(f'{{"quantity": {2 if number < 16 else "null"}}}\n' for number in range(20)))
    run = ("--functions", "orders_functions.py", "--source", "file:orders.jsonl", "--dead-letter", "queue:dead.db")
    assert express("run", "orders.asl.json", *run, cwd=tmp_path).returncode == 0
    codes = {}
    for line in block.splitlines():
        words = shlex.split(line, comments=True)
        assert words[:2] == ["express", "dlq"]
        codes[words[2] + " --dry-run" * ("--dry-run" in words)] = express(*words[1:], cwd=tmp_path).returncode
    assert codes == {"list": 0, "show": 0, "replay --dry-run": 1, "replay": 0, "drop": 0}
    assert express("queue", "show", "orders.db", cwd=tmp_path).stdout == "orders.db: 16 waiting, 0 in flight or delayed\n"
    left = express("dlq", "list", "queue:dead.db", cwd=tmp_path).stdout.splitlines()
    assert [line.split("  ")[0] for line in left] == ["19", "20"]
