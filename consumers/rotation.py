"""A file that others write to and rotate: which file was read, where it is now, what came after it. Looks at directories, reads nothing but
fingerprints.

Two ways of rotation are understood. The file is *renamed* (``events.jsonl.1``) and a new one made under its name; or it is *copied* and
then cut off (logrotate's ``copytruncate``).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from consumers.checkpoints import fingerprints

_PACKED = (b"\x1f\x8b", b"BZ", b"\x28\xb5", b"\xfd7")  # gzip, bzip2, zstandard, xz


class Identity(NamedTuple):
    """Which file, whatever it is called."""

    device: int
    inode: int


class Found(NamedTuple):
    """A file that is there."""

    path: Path
    identity: Identity
    size: int
    modified: int  # nanoseconds


def opened(path: Path) -> int:
    """A descriptor to read from, never blocking at what is no file."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)


def look(path: Path) -> Found | None:
    """The regular file of this name, if there is one."""
    try:
        about = path.stat()
    except OSError:
        return None
    return Found(path, identity(about), about.st_size, about.st_mtime_ns) if stat.S_ISREG(about.st_mode) else None


def identity(about: os.stat_result) -> Identity:
    return Identity(about.st_dev, about.st_ino)


def rotated(path: Path) -> list[Found]:
    """Files beside ``path`` that are called as a rotation calls them (``NAME.1``, ``NAME-20261126``, ``NAME.2026-11-26T03``) and are not
    packed; the oldest first."""
    name = re.compile(rf"{re.escape(path.name)}[.-]\d[\dT_.:-]*")
    try:
        names = [entry for entry in os.listdir(path.parent) if name.fullmatch(entry)]
    except OSError:
        return []
    found = [each for each in (look(path.parent / entry) for entry in names) if each is not None and not _packed(each.path)]
    return sorted(found, key=lambda each: (each.modified, each.path.name))


def _packed(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) in _PACKED
    except OSError:
        return True


def same(path: Path, reach: int, prints: tuple[str, str]) -> bool:
    """Whether a file begins, up to ``reach``, as the one did whose fingerprints these are."""
    try:
        descriptor = opened(path)
    except OSError:
        return False
    try:
        return os.fstat(descriptor).st_size >= reach and fingerprints(descriptor, reach) == prints
    finally:
        os.close(descriptor)


def whereabouts(path: Path, known: Identity, reach: int, prints: tuple[str, str]) -> Found | None:
    """The file that was read up to ``reach``, wherever it is now: under its name, renamed, or copied and cut off."""
    candidates = [each for each in (look(path), *reversed(rotated(path))) if each is not None]
    itself = [each for each in candidates if each.identity == known]
    others = [each for each in candidates if each.identity != known] if reach else []  # of nothing there is no fingerprint
    return next((each for each in (*itself, *others) if same(each.path, reach, prints)), None)


def successors(path: Path, modified: int, known: Collection[Identity]) -> Iterator[Found]:
    """What comes after a file that was last written at ``modified``: files that were rotated away since, then the one under the name."""
    for each in rotated(path):
        if each.modified >= modified and each.identity not in known:
            yield each
    present = look(path)
    if present is not None and present.identity not in known:
        yield present
