"""A file that is followed: rotated by renaming and by copying and cutting off, while it is read and while nobody reads; never a line less,
and after kill -9 as well."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from consumers import following
from consumers.file import InputSource, open_source
from consumers.following import FollowSource
from express import addresses
from express.errors import ConfigurationError, ConnectionFailed
from express.options import SourceOptions
from tests.commandline import running
from tests.consumers.contract import Bed, Reader, SourceContract, numbered, numbers
from tests.consumers.survival import KILLS

OPEN: list[int] = []  # descriptors of those who write


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(FollowSource, "grace_seconds", 0.1)
    yield
    while OPEN:
        os.close(OPEN.pop())


def opened(path: Path) -> FollowSource:
    address = addresses.parse(f"file:{path}?follow=true")
    source = open_source(address, SourceOptions(name="test", checkpoint_beside=str(path.parent / "results" / "done.jsonl")))
    assert isinstance(source, FollowSource)
    return source


async def test_checkpoints_are_written_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once would write into one file: a commit may come while a file that is done is let go."""
    (tmp_path / "results").mkdir()
    (tmp_path / "events.jsonl").touch()
    source = opened(tmp_path / "events.jsonl")
    reader = Reader(source)
    await source.start(reader)
    writing: list[int] = []

    def write(path: Path, body: bytes) -> None:
        writing.append(1)
        assert len(writing) == 1
        time.sleep(0.05)
        writing.pop()

    monkeypatch.setattr(following, "write", write)
    assert source._checkpoint is not None
    await asyncio.gather(source._saved(source._checkpoint), source._saved(source._checkpoint))
    await source.stop()


class Log:
    """A program that writes lines, and what rotates its file."""

    def __init__(self, folder: Path) -> None:
        self.path, self.count = folder / "events.jsonl", 0
        (folder / "results").mkdir(exist_ok=True)
        self.path.touch()
        self._file = self._open()

    def _open(self) -> int:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        OPEN.append(descriptor)
        return descriptor

    def write(self, count: int) -> None:
        self.raw(b"".join(value + b"\n" for value in numbered(count, self.count)))
        self.count += count

    def raw(self, content: bytes) -> None:
        os.write(self._file, content)

    def _shift(self) -> None:
        for number in range(8, 0, -1):
            if (old := self.path.with_name(f"{self.path.name}.{number}")).exists():
                old.rename(self.path.with_name(f"{self.path.name}.{number + 1}"))

    def rename(self) -> None:
        """As logrotate does by default: the writer goes on with its file until it is told."""
        self._shift()
        self.path.rename(self.path.with_name(f"{self.path.name}.1"))
        self.path.touch()

    def reopen(self) -> None:
        self._file = self._open()

    def rotate(self) -> None:
        self.rename()
        self.reopen()

    def copy_and_cut(self) -> None:
        self._shift()
        shutil.copyfile(self.path, self.path.with_name(f"{self.path.name}.1"))
        os.truncate(self.path, 0)


class FollowBed(Bed):
    keys = False

    def __init__(self, folder: Path) -> None:
        self.log = Log(folder)

    async def append(
        self, values: Sequence[bytes], partition: int = 0, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        self.log.raw(b"".join(value + b"\n" for value in values))

    def open(self) -> FollowSource:
        return opened(self.log.path)

    def missing(self) -> FollowSource:
        return opened(self.log.path.with_name("nowhere.jsonl"))


class TestFollowed(SourceContract):
    @pytest.fixture
    def bed(self, tmp_path: Path) -> FollowBed:
        return FollowBed(tmp_path)


async def start(path: Path) -> Reader:
    reader = Reader(opened(path))
    await reader.source.start(reader)
    return reader


async def end(reader: Reader, finish: bool = True) -> list[int]:
    """Finishes and commits everything; what it ran."""
    if finish:
        reader.finish(reader.taken)
    await reader.commit()
    await reader.source.stop()
    return numbers(reader.taken)


async def quiet(reader: Reader) -> None:
    """Nothing more comes."""
    count = len(reader.taken)
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        reader.take(await reader.fetch(100))
    assert len(reader.taken) == count


@pytest.mark.parametrize("rotate", [Log.rotate, Log.copy_and_cut])
async def test_a_rotated_file_is_read_to_its_end_before_the_new_one_is_begun(tmp_path: Path, rotate: Callable[[Log], None]) -> None:
    log = Log(tmp_path)
    log.write(10)
    reader = await start(log.path)
    await reader.read(5, limit=5)
    for _ in range(4):
        log.write(7)
        rotate(log)
        log.write(5)
        await reader.read(log.count)
    await quiet(reader)
    assert numbers(reader.taken) == list(range(58))
    assert [message.partition for message in reader.taken] == sorted(message.partition for message in reader.taken)
    assert len({(message.partition, message.offset) for message in reader.taken}) == 58, "an execution's name is its own"
    assert {message.partition for message in reader.taken} == set(range(5))
    await end(reader)


@pytest.mark.parametrize("rotate", [Log.rotate, Log.copy_and_cut])
@pytest.mark.parametrize("times", [1, 3])
async def test_a_file_that_was_rotated_while_nobody_read_is_gone_on_with(tmp_path: Path, rotate: Callable[[Log], None], times: int) -> None:
    log = Log(tmp_path)
    log.write(10)
    reader = await start(log.path)
    await reader.read(10)
    reader.finish(reader.taken[:4] + reader.taken[6:8])
    assert await end(reader, finish=False) == list(range(10))
    for _ in range(times if rotate is Log.rotate else 1):
        log.write(5)
        time.sleep(0.02)  # files are put in order by when they were last written
        rotate(log)
        log.write(5)
        time.sleep(0.02)
    again = await start(log.path)
    await again.read(log.count - 6)
    await quiet(again)
    assert await end(again) == [4, 5, 8, 9, *range(10, log.count)]
    third = await start(log.path)
    await quiet(third)
    assert await end(third) == []


async def test_whoever_goes_on_writing_to_the_renamed_file_is_read(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write(5)
    reader = await start(log.path)
    await reader.read(5)
    log.rename()
    await quiet(reader)
    log.write(5)  # into events.jsonl.1
    await reader.read(10)
    log.reopen()
    log.write(5)
    await reader.read(15)
    assert await end(reader) == list(range(15))


async def test_a_line_is_taken_when_it_has_its_newline_or_its_file_was_rotated(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.raw(b'{"n":0}\n{"n"')
    reader = await start(log.path)
    await reader.read(1)
    await quiet(reader)
    log.raw(b':1}\n{"n":2}')
    await reader.read(2)
    await quiet(reader)
    log.rotate()
    log.raw(b'{"n":3}\n')
    await reader.read(4)
    assert await end(reader) == [0, 1, 2, 3]


async def test_a_name_that_is_gone_for_a_while_is_waited_for(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write(5)
    reader = await start(log.path)
    log.path.rename(tmp_path / "elsewhere")
    await reader.read(5)
    await quiet(reader)
    log.reopen()
    log.write(5)
    await reader.read(10)
    assert await end(reader) == list(range(10))


async def test_a_file_that_was_cut_off_and_has_grown_again_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = Log(tmp_path)
    log.write(5)
    reader = await start(log.path)
    await reader.read(5)
    os.truncate(log.path, 0)  # nobody made a copy
    log.write(50)
    await reader.read(55)
    assert await end(reader) == list(range(55))
    assert "was cut off, and no copy of it is beside it: what came after byte 40 of it is lost" in caplog.text


async def test_a_rotated_file_stays_in_the_checkpoint_until_it_is_done_and_no_longer(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write(5)
    reader = await start(log.path)
    await reader.read(5)
    log.rotate()
    log.write(5)
    await reader.read(10)
    reader.finish(reader.taken[5:])
    await reader.commit()
    checkpoint = tmp_path / "results" / "done.jsonl.checkpoint"
    assert [file["number"] for file in orjson.loads(checkpoint.read_bytes())["files"]] == [0, 1]
    await reader.source.stop()
    again = await start(log.path)
    await again.read(5)
    await quiet(again)
    again.finish(again.taken)
    await again.commit()
    await again.fetch(1)
    assert [file["number"] for file in orjson.loads(checkpoint.read_bytes())["files"]] == [1]
    assert [held.partition for held in again.held] == [1]
    (tmp_path / "events.jsonl.1").unlink()
    assert await end(again) == list(range(5))
    third = await start(log.path)
    log.write(1)
    await third.read(1)
    assert await end(third) == [10]


async def test_a_file_that_was_not_done_and_is_nowhere_is_refused_with_advice(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write(5)
    reader = await start(log.path)
    await reader.read(5)
    await end(reader)
    log.rotate()
    log.write(5)
    (tmp_path / "events.jsonl.1").unlink()
    source = opened(log.path)
    with pytest.raises(ConnectionFailed, match=r"was read up to byte 40 is neither under this name nor beside it: put it back"):
        await source.start(Reader(source))
    await source.stop()


async def test_packed_files_and_files_of_other_names_are_not_read(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write(5)
    reader = await start(log.path)
    await reader.read(5)
    await end(reader)
    log.rotate()
    (tmp_path / "events.jsonl.2").write_bytes(b"\x1f\x8b packed\n")
    (tmp_path / "events.jsonl.bak").write_bytes(b'{"n":99}\n')
    log.write(5)
    again = await start(log.path)
    await again.read(5)
    await quiet(again)
    assert await end(again) == list(range(5, 10))


async def test_a_run_that_ended_with_the_file_is_gone_on_with_by_one_that_follows_and_not_the_other_way(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.raw(b'{"n":0}\n{"n":1')
    options = SourceOptions(name="test", checkpoint_beside=str(tmp_path / "results" / "done.jsonl"))
    first = Reader(open_source(addresses.parse(f"file:{log.path}"), options))
    await first.source.start(first)
    await first.read(10)
    first.finish(first.taken)
    await first.commit()
    await first.source.stop()
    assert [message.value for message in first.taken] == [b'{"n":0}', b'{"n":1']
    log.raw(b'1}\n{"n":2}\n')
    reader = await start(log.path)
    await reader.read(2)
    assert await end(reader) == [11, 2]
    source = open_source(addresses.parse(f"file:{log.path}"), options)
    with pytest.raises(ConnectionFailed, match=r"written by a run that followed .* go on with follow=true"):
        await source.start(Reader(source))
    await source.stop()


async def test_standard_input_from_a_file_goes_on_and_from_a_pipe_ends(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"n":0}\n')
    descriptor = os.open(path, os.O_RDONLY)
    reader = Reader(InputSource(descriptor, follow=True))
    await reader.source.start(reader)
    await reader.read(1)
    await quiet(reader)
    with path.open("ab") as file:
        file.write(b'{"n":1}\n')
    await reader.read(2)
    assert not reader.ended
    await reader.source.stop()
    await asyncio.sleep(0.15)  # its thread looks up
    os.close(descriptor)
    read, write = os.pipe()
    os.write(write, b'{"n":0}\n')
    os.close(write)
    piped = Reader(InputSource(read, follow=True))
    await piped.source.start(piped)
    await piped.read(5)
    assert piped.ended
    await piped.source.stop()
    os.close(read)


def test_what_follow_may_be() -> None:
    for address in ("file:x?follow=yes", "stdin:?follow=1"):
        with pytest.raises(ConfigurationError, match="expected true or false"):
            open_source(addresses.parse(address), SourceOptions(name="test"))


# --- A real worker ----------------------------------------------------------------------------------------------------------------


@pytest.mark.kills
def test_a_worker_that_is_killed_over_and_over_while_its_file_is_rotated_loses_no_line(tmp_path: Path) -> None:
    (tmp_path / "work.asl.json").write_bytes(
        orjson.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "SecondsPath": "$.wait", "End": True}}})
    )
    (tmp_path / "done").mkdir()
    log = Log(tmp_path)
    arguments = ["run", "work.asl.json", "--source", "file:events.jsonl", "--follow", "--sink", "file:done/done.jsonl"]
    arguments += ["--dead-letter", "file:done/dead.jsonl", "--commit-every", "20ms", "--in-flight", "40"]
    written = 0

    def write(count: int) -> None:
        nonlocal written
        log.raw(b"".join(b'{"n":%d,"wait":%d}\n' % (number, number % 17 == 3) for number in range(written, written + count)))
        written += count

    def done() -> set[int]:
        path = tmp_path / "done" / "done.jsonl"
        return {orjson.loads(line)["value"]["n"] for line in path.read_bytes().splitlines()} if path.exists() else set()

    for round_ in range(KILLS + 1):
        with running(*arguments, cwd=tmp_path) as worker:
            worker.until(lambda: worker.get("readyz")[0] == 200, "it was ready")
            for rotate in (Log.rotate, Log.copy_and_cut):
                write(60)
                # What is written in between a copy and its cut is lost by that way of rotating: nobody writes here meanwhile
                rotate(log)
                write(60)
                worker.until(lambda: len(done()) > written - 60, "the new file was begun")
            if round_ < KILLS:
                worker.signal(signal.SIGKILL)
                worker.wait()
                write(30)
                time.sleep(0.02)
                log.rotate()
            else:
                worker.until(lambda: len(done()) == written, "everything was done")
                worker.signal(signal.SIGTERM)
                assert worker.wait() == 0, worker.stderr
    assert done() == set(range(written))
    names = [orjson.loads(line)["express-execution"] for line in (tmp_path / "done" / "done.jsonl").read_bytes().splitlines()]
    assert len(set(names)) == written
    assert len(names) - written <= KILLS * (40 + 150), "in flight, and one burst that was finished since the last commit"
