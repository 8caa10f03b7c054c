"""Files and standard input keep the contract; a file's checkpoint is believed only while it fits."""

from __future__ import annotations

import asyncio
import logging
import os
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from consumers.checkpoints import Checkpoint
from consumers.file import FileSource, InputSource, open_source
from consumers.lines import WHOLE_LENGTH, Lines
from express import addresses
from express.errors import CannotCreate, ConfigurationError, ConnectionFailed
from express.options import SourceOptions
from express.sources import Source
from tests.accounts import as_anybody
from tests.consumers.contract import Bed, Reader, SourceContract, numbered


def opened(path: Path, results: Path | None) -> FileSource:
    source = open_source(
        addresses.parse(f"file:{path}"), SourceOptions(name="test", checkpoint_beside=None if results is None else str(results))
    )
    assert isinstance(source, FileSource)
    return source


class FileBed(Bed):
    finite, keys = True, False

    def __init__(self, directory: Path) -> None:
        self.path, self.results = directory / "events.jsonl", directory / "results.jsonl"
        self.path.touch()
        self.results.write_text("something\n")

    async def append(
        self, values: Sequence[bytes], partition: int = 0, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        with self.path.open("ab") as file:
            file.writelines(value + b"\n" for value in values)

    def open(self) -> Source:
        return opened(self.path, self.results)

    def missing(self) -> Source | None:
        return opened(self.path.with_name("nowhere.jsonl"), self.results)


class InputBed(Bed):
    finite, keys, remembers = True, False, False

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        self.closed = False

    async def append(
        self, values: Sequence[bytes], partition: int = 0, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        os.write(self.write, b"".join(value + b"\n" for value in values))
        if not self.closed:
            os.close(self.write)
            self.closed = True

    def open(self) -> Source:
        return InputSource(self.read)


@pytest.fixture
def file_bed(tmp_path: Path) -> FileBed:
    return FileBed(tmp_path)


class TestFile(SourceContract):
    @pytest.fixture
    def bed(self, file_bed: FileBed) -> Bed:
        return file_bed


class TestInput(SourceContract):
    @pytest.fixture
    def bed(self) -> Iterator[Bed]:
        bed = InputBed()
        yield bed
        os.close(bed.read)


async def read_all(source: Source) -> Reader:
    reader = Reader(source)
    await source.start(reader)
    await reader.read(1_000_000)
    return reader


async def finish_all(source: Source) -> list[bytes | None]:
    """One whole run; what it ran."""
    reader = await read_all(source)
    reader.finish(reader.taken)
    await reader.commit()
    await source.stop()
    return [message.value for message in reader.taken]


# --- Lines ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1_000])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"1\n22\n333\n", [(0, b"1"), (2, b"22"), (5, b"333")]),
        (b"1\n22", [(0, b"1"), (2, b"22")]),
        (b"\n\n1\n  \n\r\n2\r\n\n", [(2, b"1"), (9, b"2\r")]),
        (b"\xef\xbb\xbf{}\n{}\n", [(0, b"{}"), (6, b"{}")]),
        ("ž\n€".encode(), [(0, "ž".encode()), (3, "€".encode())]),
    ],
)
def test_lines_are_the_same_however_the_bytes_arrive(content: bytes, expected: list[tuple[int, bytes]], size: int) -> None:
    lines = Lines("x")
    found = [line for start in range(0, len(content), size) for line in lines.feed(content[start : start + size])]
    found += lines.end()
    assert [(line.offset, line.value) for line in found] == expected
    assert lines.reach == len(content)


@pytest.mark.parametrize("size", [1, 3, 10, 100])
def test_a_huge_line_is_cut_and_says_how_long_it_is(size: int) -> None:
    content = b"1\n" + b"x" * 25 + b"\n2\n" + b"y" * 12
    lines = Lines("x", huge=10)
    found = [line for start in range(0, len(content), size) for line in lines.feed(content[start : start + size])]
    found += lines.end()
    if size < 100:  # one that arrived whole costs nothing more
        assert [(line.offset, line.value) for line in found] == [(0, b"1"), (2, b"x" * 10), (28, b"2"), (30, b"y" * 10)]
        assert found[1].headers == ((WHOLE_LENGTH, b"25"),)
        assert found[3].headers == ((WHOLE_LENGTH, b"12"),)
    assert lines.reach == len(content)


async def test_a_file_that_is_one_endless_line_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.jsonl"
    with path.open("wb") as file:
        file.truncate(300 * 1024 * 1024)  # zeros, none of them on the disk
        file.seek(0, os.SEEK_END)
        file.write(b"\n1\n")
    tracemalloc.start()
    try:
        reader = await read_all(opened(path, None))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * 1024 * 1024
    cut, small = reader.taken
    assert len(cut.value or b"") == 16 * 1024 * 1024
    assert list(cut.headers) == [(WHOLE_LENGTH, b"314572800")]
    assert small.value == b"1"


# --- Where a file goes on ---------------------------------------------------------------------------------------------------------


async def test_the_offset_of_a_record_is_that_of_its_lines_first_byte(file_bed: FileBed) -> None:
    file_bed.path.write_bytes(b'{"n":0}\n\n{"n":1}\n{"n":2}')
    reader = await read_all(file_bed.open())
    assert [message.offset for message in reader.taken] == [0, 9, 17]
    assert {message.topic for message in reader.taken} == {"events.jsonl"}


async def test_a_second_run_does_nothing_and_a_grown_file_is_gone_on_with(file_bed: FileBed) -> None:
    await file_bed.append(numbered(10))
    assert len(await finish_all(file_bed.open())) == 10
    assert await finish_all(file_bed.open()) == []
    await file_bed.append(numbered(3, 10))
    assert await finish_all(file_bed.open()) == numbered(3, 10)


async def test_nothing_is_written_beside_the_source(file_bed: FileBed, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    await file_bed.append(numbered(3))
    await finish_all(opened(file_bed.path, elsewhere / "results.jsonl"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "events.jsonl", "results.jsonl"]
    assert [path.name for path in elsewhere.iterdir()] == ["results.jsonl.checkpoint"]


async def test_a_checkpoint_can_be_put_anywhere(file_bed: FileBed, tmp_path: Path) -> None:
    await file_bed.append(numbered(3))
    address = addresses.parse(f"file:{file_bed.path}?checkpoint={tmp_path / 'position.json'}")
    assert len(await finish_all(open_source(address, SourceOptions(name="test")))) == 3
    assert await finish_all(open_source(address, SourceOptions(name="test"))) == []
    assert orjson.loads((tmp_path / "position.json").read_bytes())["offset"] == 17


async def test_without_a_checkpoint_every_run_begins_anew_and_says_so(file_bed: FileBed, caplog: pytest.LogCaptureFixture) -> None:
    await file_bed.append(numbered(3))
    for _ in range(2):
        assert len(await finish_all(opened(file_bed.path, None))) == 3
    assert "nothing remembers how far it was read" in caplog.text


@pytest.mark.parametrize("tail", [b"", b"\n"])
async def test_a_last_line_without_a_newline_is_an_event_and_is_not_run_again_once_it_has_one(file_bed: FileBed, tail: bytes) -> None:
    file_bed.path.write_bytes(b'{"n":0}\n{"n":1}')
    assert await finish_all(file_bed.open()) == [b'{"n":0}', b'{"n":1}']
    with file_bed.path.open("ab") as file:
        file.write(tail and tail + b'{"n":2}\n')
    assert await finish_all(file_bed.open()) == ([b'{"n":2}'] if tail else [])


async def test_a_last_line_that_was_read_while_it_was_being_written_is_run_again_whole(file_bed: FileBed) -> None:
    file_bed.path.write_bytes(b'{"n":0}\n{"n":1')
    assert await finish_all(file_bed.open()) == [b'{"n":0}', b'{"n":1']
    with file_bed.path.open("ab") as file:
        file.write(b'23}\n{"n":2}\n')
    assert await finish_all(file_bed.open()) == [b'{"n":123}', b'{"n":2}']


def shrink(path: Path) -> None:
    os.truncate(path, 30)


def replace_the_beginning(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'{"n":0}', b'{"n":9}'))


def replace_what_was_read_last(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'{"n":999}', b'{"n":888}'))


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (shrink, "has shrunk: 9,890 bytes of it were read, now it has 30"),
        (replace_the_beginning, "is not the file that was read before"),
        (replace_what_was_read_last, "is not the file that was read before"),
    ],
)
async def test_a_file_that_was_replaced_or_shrank_is_refused_with_advice(
    file_bed: FileBed, harm: Callable[[Path], None], sentence: str
) -> None:
    await file_bed.append(numbered(1_000))
    await finish_all(file_bed.open())
    harm(file_bed.path)
    with pytest.raises(ConnectionFailed) as failed:
        await file_bed.open().start(Reader(file_bed.open()))
    assert sentence in str(failed.value)
    assert f"remove {file_bed.results}.checkpoint to run it from its beginning" in str(failed.value)


async def test_a_copy_of_the_file_is_the_same_file(file_bed: FileBed) -> None:
    await file_bed.append(numbered(10))
    await finish_all(file_bed.open())
    content = file_bed.path.read_bytes()
    file_bed.path.unlink()
    file_bed.path.write_bytes(content)
    assert await finish_all(file_bed.open()) == []


async def test_when_the_results_were_removed_everything_is_run_again(file_bed: FileBed, caplog: pytest.LogCaptureFixture) -> None:
    await file_bed.append(numbered(10))
    await finish_all(file_bed.open())
    file_bed.results.unlink()
    assert len(await finish_all(file_bed.open())) == 10
    assert "results.jsonl is empty, or gone" in caplog.text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not a checkpoint"),
        (b'{"version": 1', "is not a checkpoint"),
        (b'{"offset": 5}', "is not a checkpoint"),
        (b'{"version":2,"source":"","offset":0,"metadata":"","reach":0,"last":0,"head":"","tail":"","written":0}', "another version"),
    ],
)
async def test_a_checkpoint_that_cannot_be_understood_is_not_guessed_at(file_bed: FileBed, content: bytes, sentence: str) -> None:
    (file_bed.results.parent / "results.jsonl.checkpoint").write_bytes(content)
    with pytest.raises(ConnectionFailed, match=sentence):
        await file_bed.open().start(Reader(file_bed.open()))


async def test_a_checkpoint_that_cannot_be_written_is_tried_again_and_nothing_counts_as_committed(
    file_bed: FileBed, caplog: pytest.LogCaptureFixture
) -> None:
    await file_bed.append(numbered(10))
    reader = await read_all(file_bed.open())
    reader.finish(reader.taken)
    obstacle = Path(f"{file_bed.results}.checkpoint.new")
    obstacle.mkdir()
    assert await reader.commit() == []
    assert await reader.commit() == []
    assert caplog.text.count("the checkpoint cannot be written") == 1, "said once"
    obstacle.rmdir()
    assert await reader.commit() == reader.held
    await reader.source.stop()


async def test_a_crash_while_a_checkpoint_is_written_leaves_the_old_one(file_bed: FileBed) -> None:
    await file_bed.append(numbered(10))
    await finish_all(file_bed.open())
    Path(f"{file_bed.results}.checkpoint.new").write_bytes(b'{"version"')
    assert await finish_all(file_bed.open()) == []


async def test_a_place_where_no_checkpoint_can_be_written_is_known_before_the_first_event(file_bed: FileBed) -> None:
    await file_bed.append(numbered(1))
    with pytest.raises(CannotCreate, match="the checkpoint cannot be written: No such file or directory"):
        await opened(file_bed.path, file_bed.path.parent / "nowhere" / "results.jsonl").start(Reader(file_bed.open()))


async def test_a_file_that_shrinks_while_it_is_read_is_noticed(file_bed: FileBed) -> None:
    await file_bed.append([b'{"n":0,"x":"%s"}' % (b"x" * 100_000) for _ in range(10)])
    reader = Reader(source := file_bed.open())
    await source.start(reader)
    await reader.read(1, limit=1)
    os.truncate(file_bed.path, 10)
    with pytest.raises(ConnectionFailed, match="has shrunk while it was read"):
        await reader.read(10)
    await source.stop()


def test_the_sentence_for_something_that_is_not_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, sentence in [
        (tmp_path, "is not a regular file: what comes from a pipe is read with stdin:"),
        (tmp_path / "pipe", "is not a regular file: what comes from a pipe is read with stdin:"),
        (tmp_path / "nothing", "there is no such file"),
    ]:
        source = opened(path, None)
        with pytest.raises(ConnectionFailed, match=sentence):
            asyncio.run(source.start(Reader(source)))
        asyncio.run(source.stop())


@pytest.mark.parametrize(
    ("address", "problems"),
    [
        ("file:", ["file:: expected file:PATH, such as file:events.jsonl"]),
        (
            "file:x?fast=yes&b=2",
            ["file:x?fast=yes&b=2: there is no option 'fast'", "file:x?fast=yes&b=2: there is no option 'b'"],
        ),
        ("file://host/x", ["file://host/x: files are read from this machine only: expected file:PATH"]),
        ("stdin:x", ["stdin:x: stdin: has no name"]),
    ],
)
def test_an_address_that_cannot_work_is_told_why(address: str, problems: list[str]) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        open_source(addresses.parse(address), SourceOptions(name="test"))
    assert list(wrong.value.problems) == problems


# --- Standard input ---------------------------------------------------------------------------------------------------------------


async def test_standard_input_says_that_nothing_comes_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    read, write = os.pipe()
    os.write(write, b"1\n2")
    os.close(write)
    assert await finish_all(InputSource(read)) == [b"1", b"2"]
    assert "does not come again" in caplog.text
    os.close(read)


async def test_standard_input_is_not_read_ahead_without_bounds() -> None:
    read, write = os.pipe()
    source = InputSource(read)
    reader = Reader(source)
    await source.start(reader)
    source.pause()
    os.set_blocking(write, False)
    written = 0
    for _ in range(100):
        try:
            written += os.write(write, b"1\n" * 500_000)
        except BlockingIOError:
            await asyncio.sleep(0.01)
    assert written < 5_000_000
    source.resume()
    os.set_blocking(write, True)
    os.close(write)
    await reader.read(1_000_000_000, limit=10_000)
    assert len(reader.taken) == written // 2
    await source.stop()
    os.close(read)


def test_a_checkpoint_in_a_directory_that_may_not_be_written_needs_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with as_anybody(), pytest.raises(ConnectionFailed, match="no permission to write the checkpoint"):
        Checkpoint(tmp_path / "x").check()
