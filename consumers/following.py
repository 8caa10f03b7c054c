"""Lines of a file that goes on growing and is rotated in, as ``tail -F`` does; how far each of its files is done out, into a checkpoint.

Each file that has had the name is a partition of its own, numbered as they came, so offsets begin anew and an execution's name stays one of
its own. A rotated file is read to its end before the next one is begun; it is kept in the checkpoint until all of it is finished.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import stat
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from consumers import rotation
from consumers.checkpoints import VERSION, Checkpoint, State, fingerprints, is_torn, write
from consumers.lines import Line, Lines
from consumers.rotation import Identity
from express.commits import Position, Tracker
from express.errors import ConnectionFailed
from express.runtime.context import Message
from express.sources import Assignment, Intake, Source

CHUNK = 256 * 1024  # bytes read at a time
LOOK_SECONDS = 0.1  # between two looks at a file that has not grown
GRACE_SECONDS = 1.0  # a rotated file that has not grown for so long is at its end: whoever wrote it has opened the new one
TAIL = 64  # bytes before the position by which a file that was cut off, and has grown again, is noticed

log = logging.getLogger("express")


class Kept(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One file in a checkpoint. ``reach``: an offset up to which it was read; ``head`` and ``tail``: fingerprints of what is before it."""

    number: int
    device: int
    inode: int
    offset: int
    metadata: str
    reach: int
    head: str
    tail: str


class Trail(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a checkpoint file holds: the files that are not done, the oldest first."""

    version: int = VERSION
    followed: str
    files: list[Kept]


class File:
    """One file that has, or had, the name. ``final``: nobody writes to it any more (a copy); ``ended``: it was read to its end."""

    def __init__(self, number: int, descriptor: int, topic: str, position: Position | None = None, start: int = 0) -> None:
        self.number, self.descriptor = number, descriptor
        self.identity = rotation.identity(os.fstat(descriptor))
        self.tracker = Tracker() if position is None else Tracker(*position)
        self.assignment = Assignment(topic, number, self.tracker)
        self.position = position or Position(0, "")  # as it was committed last
        self.lines, self.read = Lines(topic, start), start
        self._start = start
        self.last = -1  # the offset of the line that was given out last
        self.count = 0  # lines that were read
        self.ended = self.final = False
        self.grown = time.monotonic()
        self._reach, self._prints = start, fingerprints(descriptor, start)
        self._tail = os.pread(descriptor, min(TAIL, start), max(0, start - TAIL))

    def next(self) -> list[Line] | None:
        """The lines of the next bytes; None when the file is not what it was: it was cut off, and may have grown again."""
        chunk = os.pread(self.descriptor, CHUNK, self.read)
        if not self.intact():
            return None
        if not chunk:
            return []
        self.read += len(chunk)
        self._tail = (self._tail + chunk)[-TAIL:]
        self.grown = time.monotonic()
        lines = self.lines.feed(chunk)
        self.count += len(lines)
        return lines

    def idle(self) -> bool:
        """Whether everything that is there was read: the last bytes may be the beginning of a line."""
        return os.fstat(self.descriptor).st_size <= self.read

    def intact(self) -> bool:
        """Whether what was read is still there."""
        before = len(self._tail)
        return os.fstat(self.descriptor).st_size >= self.read and os.pread(self.descriptor, before, self.read - before) == self._tail

    def mark(self) -> None:
        """Takes fingerprints of what was read so far, which find the file again, whatever it is called by then."""
        if self.read != self._reach and self.intact():
            self._reach, self._prints = self.read, fingerprints(self.descriptor, self.read)

    def found_in(self, path: Path) -> bool:
        """Whether a file goes on from what was read: a copy of this one."""
        if not rotation.same(path, self._reach, self._prints):
            return False
        descriptor = rotation.opened(path)
        try:
            return os.pread(descriptor, len(self._tail), self.read - len(self._tail)) == self._tail
        finally:
            os.close(descriptor)

    def go_on_in(self, path: Path) -> None:
        """The rest is in a copy, which nobody writes to."""
        os.close(self.descriptor)
        self.descriptor = rotation.opened(path)
        self.identity = rotation.identity(os.fstat(self.descriptor))
        self.final = True

    def mean(self) -> float:
        """Bytes a line, about."""
        return (self.lines.reach - self._start) / self.count if self.count else 100.0

    def whole(self) -> bool:
        """Whether it was read to its end, and everything of it is finished and committed."""
        return self.ended and self.tracker.finished >= self.last and not self.tracker.unfinished() and self.tracker.position() is None

    def kept(self) -> Kept:
        self.mark()
        (head, tail), (device, inode), (offset, metadata) = self._prints, self.identity, self.position
        return Kept(
            number=self.number, device=device, inode=inode, offset=offset, metadata=metadata, reach=self._reach, head=head, tail=tail
        )

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class FollowSource(Source):
    """A file and those that come after it under its name."""

    grace_seconds = GRACE_SECONDS  # shorter in tests

    def __init__(self, path: Path, checkpoint: Checkpoint | None) -> None:
        self.topic, self._path, self._checkpoint = path.name, path, checkpoint
        self._name = f"file:{path}"
        self._files: list[File] = []  # the last one is read
        self._queue: deque[Line] = deque()
        self._paused = self._failing = False
        self._resumed, self._saving = asyncio.Event(), asyncio.Lock()
        self._intake: Intake | None = None

    # --- Where it begins ----------------------------------------------------------------------------------------------------------

    async def start(self, intake: Intake) -> None:
        self._intake = intake
        await asyncio.to_thread(self._open)
        if self._checkpoint is None:
            log.warning("%s: nothing remembers how far it was read, since no sink is a file: every run begins anew", self._name)
        intake.assigned([file.assignment for file in self._files])

    def _open(self) -> None:
        kept: list[Kept] = []
        if self._checkpoint is not None:
            self._checkpoint.check()
            kept = self._load(self._checkpoint)
        for each in kept:
            self._reopen(each)
        if not self._files:
            self._files = [File(0, self._open_named(), self.topic)]
        if self._checkpoint is not None and not kept:
            self._save(self._checkpoint, self._files)  # it may be rotated away before anything of it is finished

    def _open_named(self) -> int:
        try:
            descriptor = rotation.opened(self._path)
        except FileNotFoundError as error:
            raise ConnectionFailed(f"{self._name}: there is no such file") from error
        except PermissionError as error:
            raise ConnectionFailed(f"{self._name}: no permission to read it") from error
        except OSError as error:
            raise ConnectionFailed(f"{self._name}: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ConnectionFailed(f"{self._name} is not a regular file: what comes from a pipe is read with stdin:")
        return descriptor

    def _load(self, checkpoint: Checkpoint) -> list[Kept]:
        """What is kept, also by a run that did not follow."""
        try:
            content = checkpoint.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConnectionFailed(f"{checkpoint.path}: the checkpoint cannot be read: {error.strerror}") from error
        try:
            found = msgspec.json.decode(content, type=Trail)
            if found.version == VERSION:
                return found.files
        except msgspec.DecodeError:
            with suppress(msgspec.DecodeError):
                state = msgspec.json.decode(content, type=State)
                return [self._translated(state)]
        raise ConnectionFailed(
            f"{checkpoint.path} is not a checkpoint that this version of Express can read: remove it to run {self._path} from its beginning"
        )

    def _translated(self, state: State) -> Kept:
        """The checkpoint of a run that ended with the file. Its last line may have been taken without a newline, and have grown since."""
        found = rotation.look(self._path)
        device, inode = found.identity if found is not None else (0, 0)
        fields = {name: getattr(state, name) for name in ("offset", "metadata", "reach", "head", "tail")}
        if found is not None and found.size > state.reach and _is_torn(self._path, state.reach):
            fields |= {"offset": min(state.offset, state.last), "metadata": ""}
        return Kept(number=0, device=device, inode=inode, **fields)

    def _reopen(self, kept: Kept) -> None:
        """A file of the checkpoint, wherever it is now."""
        known = Identity(kept.device, kept.inode)
        found = rotation.whereabouts(self._path, known, kept.reach, (kept.head, kept.tail))
        if found is None:
            what = f"{self._name}: the file that was read up to byte {kept.reach:,} is neither under this name nor beside it"
            path = self._checkpoint.path if self._checkpoint is not None else ""
            raise ConnectionFailed(
                f"{what}: put it back (as {self._path.name}.1), or remove {path} to run what is there from its beginning"
            )
        descriptor = rotation.opened(found.path)
        file = File(kept.number, descriptor, self.topic, Position(kept.offset, kept.metadata), _line_at(descriptor, kept.offset))
        self._files.append(file)

    # --- Reading ------------------------------------------------------------------------------------------------------------------

    async def fetch(self, limit: int) -> Mapping[Assignment, Sequence[Message]]:
        await self._let_go()
        if self._paused:
            with suppress(TimeoutError):
                async with asyncio.timeout(2 * LOOK_SECONDS):
                    await self._resumed.wait()
            return {}
        if not self._queue:
            await self._more()
        if not self._queue:
            return {}
        file = next(file for file in self._files if file.number == self._queue[0].partition)
        taken: list[Line] = []
        while self._queue and len(taken) < limit and self._queue[0].partition == file.number:
            taken.append(self._queue.popleft())
        file.last = taken[-1].offset
        return {file.assignment: taken}

    async def _more(self) -> None:
        """Adds to the queue; waits a moment when there is nothing."""
        file = next(file for file in self._files if not file.ended)
        new: File | None = None
        try:
            found = await asyncio.to_thread(file.next)
            lines = found or []
            if found is None:
                lines, new = await asyncio.to_thread(self._cut_off, file)
            elif not lines and file.idle():
                lines, new = await asyncio.to_thread(self._look_further, file)
        except OSError as error:
            raise ConnectionFailed(f"{self._name}: reading failed: {error.strerror}") from None
        for line in lines:
            line.partition = file.number
        self._queue.extend(lines)
        if new is not None:
            self._files.append(new)
            assert self._intake is not None
            self._intake.assigned([new.assignment])
        elif not lines and not file.ended and not file.final and time.monotonic() - file.grown > LOOK_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)

    def _look_further(self, file: File) -> tuple[list[Line], File | None]:
        """At the end of what there is: whether the file was rotated away, and nobody writes to it any more."""
        if file is not self._files[-1]:  # the next one was begun before a restart
            return self._end(file), None
        known = {each.identity for each in self._files}
        found = list(rotation.successors(self._path, os.fstat(file.descriptor).st_mtime_ns, known))
        present = rotation.look(self._path)
        if file.final:
            return (self._end(file), self._begin(file, found[0])) if found else ([], None)
        begun = len(found) > 1 or (found and found[0].size > 0)  # otherwise whoever writes has not begun with the new one yet
        renamed = present is None or present.identity != file.identity
        if not begun or not renamed or time.monotonic() - file.grown < self.grace_seconds:
            return [], None
        return self._end(file), self._begin(file, found[0])

    @staticmethod
    def _end(file: File) -> list[Line]:
        """Its last line counts, newline or not."""
        file.mark()
        file.ended = True
        return file.lines.end()

    def _begin(self, file: File, found: rotation.Found) -> File:
        log.info("%s was rotated: file %d of it is %s", self._name, file.number + 1, found.path)
        return File(file.number + 1, rotation.opened(found.path), self.topic)

    def _cut_off(self, file: File) -> tuple[list[Line], File | None]:
        """The file was copied and cut off: the rest of it is in the copy. Without one, what was not read is lost, and that is said."""
        known = {each.identity for each in self._files}
        copies = [each for each in reversed(rotation.rotated(self._path)) if each.identity not in known]
        copy = next((each for each in copies if file.found_in(each.path)), None)
        if copy is not None:
            log.info("%s was copied and cut off: the rest of file %d of it is in %s", self._name, file.number, copy.path)
            file.go_on_in(copy.path)
            return [], None
        log.warning("%s was cut off, and no copy of it is beside it: what came after byte %d of it is lost", self._name, file.read)
        file.identity = Identity(-1, -1)  # it is not there any more: what is there now is another one
        file.ended = True
        return file.lines.end(), File(file.number + 1, self._open_named(), self.topic)

    def lag(self) -> Mapping[tuple[str, int], int]:
        """Lines of the file that is read now that were not delivered; those not read yet are estimated by the length of those that were."""
        found: dict[tuple[str, int], int] = {}
        for file in self._files:
            if file.descriptor >= 0 and not file.ended:
                waiting = sum(line.partition == file.number for line in self._queue)
                unread = max(0, os.fstat(file.descriptor).st_size - file.read)
                found[self.topic, file.number] = waiting + math.ceil(unread / max(1.0, file.mean()))
        return found

    def pause(self) -> None:
        self._paused = True
        self._resumed.clear()

    def resume(self) -> None:
        self._paused = False
        self._resumed.set()

    # --- How far it is done -------------------------------------------------------------------------------------------------------

    async def commit(self, positions: Mapping[Assignment, Position]) -> Sequence[Assignment]:
        committed = [file for file in self._files if not file.assignment.fenced and file.assignment in positions]
        if not committed:
            return []
        if self._checkpoint is not None:
            before = [file.position for file in committed]
            for file in committed:
                file.position = positions[file.assignment]
            try:
                await self._saved(self._checkpoint)
            except OSError as error:
                for file, position in zip(committed, before, strict=True):
                    file.position = position
                if not self._failing:
                    log.error("%s: the checkpoint cannot be written: %s; trying again", self._checkpoint.path, error.strerror)
                self._failing = True
                return []
            self._failing = False
        return [file.assignment for file in committed]

    async def _saved(self, checkpoint: Checkpoint) -> None:
        """One at a time: a commit and the end of a file may come together."""
        async with self._saving:
            await asyncio.to_thread(self._save, checkpoint, list(self._files))

    def _save(self, checkpoint: Checkpoint, files: Sequence[File]) -> None:
        trail = Trail(followed=str(self._path.absolute()), files=[file.kept() for file in files])
        write(checkpoint.path, msgspec.json.encode(trail) + b"\n")

    async def _let_go(self) -> None:
        """Files that are done."""
        for file in [file for file in self._files if file.whole()]:
            assert self._intake is not None
            self._files.remove(file)
            await self._intake.revoked([file.assignment])
            file.assignment.fenced = True
            file.close()
            if self._checkpoint is not None:  # whoever rotates may remove it now
                with suppress(OSError):  # the next commit writes it
                    await self._saved(self._checkpoint)

    async def stop(self) -> None:
        for file in self._files:
            file.close()
        self._files = []


def _line_at(descriptor: int, offset: int) -> int:
    """Where the first line begins that begins at ``offset`` or behind it."""
    place = offset - 1
    while offset and (chunk := os.pread(descriptor, CHUNK, place)):
        if (found := chunk.find(b"\n")) >= 0:
            return place + found + 1
        place += len(chunk)
    return place if offset else 0


def _is_torn(path: Path, reach: int) -> bool:
    descriptor = rotation.opened(path)
    try:
        return is_torn(descriptor, reach)
    finally:
        os.close(descriptor)
