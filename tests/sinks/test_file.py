"""The file sink keeps the contract; what it acknowledged is whole, in order and on the disk, whatever happens in between."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import logging
import os
import resource
from pathlib import Path
from typing import Any

import orjson
import pytest

from consumers.memory import Record
from express import addresses, dead_letters, envelopes
from express.errors import CannotCreate, ConfigurationError, ConnectionFailed
from express.options import SinkOptions
from express.outcome import Outcome
from express.sinks import Entry, Sink
from express.sinks.file import FileSink, open_sink
from tests.accounts import as_anybody
from tests.pipelines import Workflow
from tests.sinks.contract import ASSIGNMENT, Answers, Bed, SinkContract, entries


def opened(path: Path, dead_letters: bool = False) -> FileSink:
    return open_sink(addresses.parse(f"file:{path}"), SinkOptions(name="test", for_dead_letters=dead_letters))


def lines(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    assert not content or content.endswith(b"\n")
    return [orjson.loads(line) for line in content.splitlines()]


class FileBed(Bed):
    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> Sink:
        return opened(self.path)

    async def written(self) -> list[bytes | None]:
        return [orjson.dumps(line["value"]) for line in lines(self.path)]


class TestFile(SinkContract):
    @pytest.fixture
    def bed(self, tmp_path: Path) -> Bed:
        return FileBed(tmp_path / "results.jsonl")


# --- Envelopes --------------------------------------------------------------------------------------------------------------------


def test_a_result_is_one_line_with_the_names_of_its_headers() -> None:
    (entry,) = entries(1)
    entry.value = b'{"text":"\\n","big":123456789012345678901234567890}'
    assert envelopes.result(entry) == (
        b'{"express-execution":"orders-0-0","express-workflow":"orders","key":"key",'
        b'"value":{"text":"\\n","big":123456789012345678901234567890}}\n'
    )


def test_a_key_that_is_no_text_is_kept_as_base64() -> None:
    (entry,) = entries(1)
    entry.message = Record("orders", 0, 0, b"\xff\x00", b"{}")
    found = orjson.loads(envelopes.result(entry))
    assert base64.b64decode(found["key-base64"]) == b"\xff\x00"
    assert "key" not in found


def letter(value: bytes | None, outcome: Outcome | None = None) -> dict[str, Any]:
    record = Record("orders", 3, 1041, b"k", value, [("trace", b"\xff"), ("kind", b"gold")], 1_790_000_000_000)
    outcome = outcome or Outcome("FAILED", None, "OutOfStock", "nothing left", "Charge", "/States/Charge", 2)
    headers = dead_letters.headers(record, outcome, Workflow(), "kafka", 1_790_000_001.5)
    written = envelopes.dead_letter(Entry(ASSIGNMENT, record, value, headers))
    assert written.count(b"\n") == 1
    found: dict[str, Any] = orjson.loads(written)
    return found


def test_a_dead_letter_has_everything_needed_to_understand_and_to_replay_it() -> None:
    assert letter(b'{"total": 65}') == {
        "express-execution": "orders-3-1041",
        "express-workflow": "orders",
        "express-definition": Workflow.sha256,
        "express-status": "FAILED",
        "express-state": "Charge",
        "express-error": "OutOfStock",
        "express-cause": "nothing left",
        "express-attempts": "2",
        "express-first-failure": "2026-09-21T14:13:21.500Z",
        "express-last-failure": "2026-09-21T14:13:21.500Z",
        "express-source": {"kind": "kafka", "topic": "orders", "partition": 3, "offset": 1041, "timestamp": 1_790_000_000_000},
        "headers": [{"name": "trace", "value-base64": "/w=="}, {"name": "kind", "value": "gold"}],
        "key": "k",
        "value": {"total": 65},
    }


@pytest.mark.parametrize("value", [b"{oops", b"\xff\xfe\x00", b"", b'"\\ud800"', b"[" * 100 + b"]" * 100, b'{"a": 1}\x00'])
def test_what_is_not_json_is_kept_byte_by_byte(value: bytes) -> None:
    found = letter(value)
    assert base64.b64decode(found["value-base64"]) == value
    assert "value" not in found


def test_json_over_several_lines_becomes_one_line_and_stays_the_same_json() -> None:
    assert letter(b'{\r\n  "a": "\\n",\n  "b": 1.10\n}')["value"] == {"a": "\n", "b": 1.10}


def test_a_tombstone_is_null() -> None:
    assert letter(None)["value"] is None


# --- What is on the disk ----------------------------------------------------------------------------------------------------------


async def test_a_second_sink_appends(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    for start in (0, 10):
        answers = await Answers(opened(path)).start()
        answers.sink.put(entries(10, start))
        await answers.sink.flush()
        await answers.sink.stop()
    assert [line["value"]["n"] for line in lines(path)] == list(range(20))


@pytest.mark.parametrize(
    "torn", [b"{", b'{"express-exec', b'{"express-execution":"orders-0-7","key":"ke', b'{"express-execution":"' + b"x" * 200_000]
)
@pytest.mark.parametrize("before", [0, 1, 100])
async def test_a_torn_last_line_is_cut_off_before_anything_is_appended(tmp_path: Path, before: int, torn: bytes) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"".join(map(envelopes.result, entries(before))) + torn)
    answers = await Answers(opened(path)).start()
    answers.sink.put(entries(5, before))
    await answers.sink.flush()
    await answers.sink.stop()
    assert [line["value"]["n"] for line in lines(path)] == list(range(before + 5))


@pytest.mark.parametrize("content", [b"my notes", b"a,b\n1,2", b'{"n": 1}\n{"n": 2}', b"x" * 200_000])
async def test_a_file_of_somebody_elses_is_not_cut(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    sink = opened(path)
    with pytest.raises(CannotCreate, match="its last line has no end and is not one of ours"):
        await Answers(sink).start()
    await sink.stop()
    assert path.read_bytes() == content


async def test_two_sinks_cannot_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    first, second = opened(path), opened(path)
    await Answers(first).start()
    with pytest.raises(CannotCreate, match="another sink, of this process or of another, is writing it"):
        await Answers(second).start()
    await second.stop()
    await first.stop()
    third = opened(path)
    await Answers(third).start()
    await third.stop()


async def test_nothing_is_acknowledged_before_fsync_has_returned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        fsync(descriptor)
        done.append("fsync")

    answers = await Answers(opened(tmp_path / "results.jsonl")).start()
    monkeypatch.setattr(os, "fsync", watched)
    answers._acknowledge = lambda entries: done.append("acknowledged")  # type: ignore[method-assign,assignment]
    answers.sink._acknowledged = answers._acknowledge  # type: ignore[attr-defined]
    answers.sink.put(entries(3))
    await answers.sink.flush()
    assert done == ["fsync", "acknowledged"]
    await answers.sink.stop()


async def test_what_arrives_during_a_write_is_written_together(tmp_path: Path) -> None:
    answers = await Answers(opened(tmp_path / "results.jsonl")).start()
    for number in range(1_000):
        answers.sink.put(entries(1, number))
    await answers.sink.flush()
    assert answers.batches[0] == 1
    assert len(answers.batches) == 2
    assert [line["value"]["n"] for line in lines(tmp_path / "results.jsonl")] == list(range(1_000))
    await answers.sink.stop()


async def test_a_full_disk_is_tried_again_until_there_is_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "results.jsonl"
    caplog.set_level(logging.INFO)
    answers = await Answers(opened(path)).start()
    answers.sink.put(entries(10))
    await answers.until(10)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 200, before[1]))  # as much as a full disk still takes
    try:
        answers.sink.put(entries(10, 10))
        await asyncio.sleep(0.4)
        assert len(answers.acknowledged) == 10
        assert not answers.sink.ready()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    answers.sink.put(entries(10, 20))
    await answers.until(30)
    assert answers.sink.ready()
    assert [line["value"]["n"] for line in lines(path)] == list(range(30)), "nothing torn, nothing twice"
    assert caplog.text.count("writing failed: File too large") == 1
    assert "writing works again" in caplog.text
    await answers.sink.stop()


async def test_stop_while_the_disk_is_full_gives_up(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    answers = await Answers(opened(path)).start()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        answers.sink.put(entries(10))
        await asyncio.sleep(0.15)
        await answers.sink.stop()
        await asyncio.sleep(0.3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not answers.acknowledged


async def test_an_entry_that_cannot_be_written_down_is_a_failure_and_not_silence(tmp_path: Path) -> None:
    answers = await Answers(opened(tmp_path / "results.jsonl")).start()
    put = entries(1)
    put[0].headers = (("express-execution", None),)  # type: ignore[assignment]
    answers.sink.put(put)
    while not answers.failures:
        await asyncio.sleep(0.01)
    assert isinstance(answers.failures[0], AttributeError)
    await answers.sink.stop()


# --- What cannot work -------------------------------------------------------------------------------------------------------------


async def test_the_sentences_for_what_cannot_be_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, error, sentence in [
        (tmp_path / "nowhere" / "x.jsonl", CannotCreate, f"there is no directory {tmp_path}/nowhere"),
        (tmp_path, CannotCreate, "Is a directory"),
        (tmp_path / "pipe", CannotCreate, "is not a regular file"),
    ]:
        sink = opened(path)
        with pytest.raises(error, match=sentence):
            await Answers(sink).start()
        await sink.stop()


async def test_no_permission_is_said_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.touch()
    path.chmod(0o400)
    sink = opened(path)
    with as_anybody(), pytest.raises(ConnectionFailed, match="no permission to write it") as failed:
        sink._open()
    assert isinstance(failed.value.__cause__, PermissionError)


async def test_a_disk_without_room_is_said_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    sink = opened(path)
    try:
        with pytest.raises(CannotCreate, match="there is no room for a single result"):
            await Answers(sink).start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        await sink.stop()


def test_an_address_that_cannot_work_is_told_why() -> None:
    for address, problems in [
        ("file:", ["file:: expected file:PATH, such as file:results.jsonl"]),
        ("file:x?fast=yes", ["file:x?fast=yes: there is no option 'fast'"]),
        ("file://host/x", ["file://host/x: files are written on this machine only: expected file:PATH"]),
    ]:
        with pytest.raises(ConfigurationError) as wrong:
            open_sink(addresses.parse(address), SinkOptions(name="test"))
        assert list(wrong.value.problems) == problems


async def test_the_lock_of_a_file_goes_with_its_sink(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    sink = opened(path)
    await Answers(sink).start()
    await sink.stop()
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
