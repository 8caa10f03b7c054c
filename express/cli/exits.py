"""How the process ends: one named number per kind of end, those of sysexits.h where it has one."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path

import typer

from express.errors import CannotCreate


class Exit(IntEnum):
    OK = 0
    NO = 1
    USAGE = 2
    DEFINITION = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    BUG = 70
    CANNOT_CREATE = 73
    IO = 74
    NO_PERMISSION = 77
    CONFIGURATION = 78
    INTERRUPTED = 130
    TERMINATED = 143


MEANING = {
    Exit.OK: "done, or drained after a signal",
    Exit.NO: "the answer is no: problems were found, an execution failed, a failure stopped the pipeline",
    Exit.USAGE: "flags that do not exist or do not go together",
    Exit.DEFINITION: "a definition or an input is not valid, or a Task's function is missing",
    Exit.NO_INPUT: "a file that should be read is not there",
    Exit.UNAVAILABLE: "a broker, a topic or another place of events cannot be reached or used, or a port is in use",
    Exit.BUG: "a defect of Express: EXPRESS_DEBUG=1 shows where",
    Exit.CANNOT_CREATE: "a file that should be written cannot be created",
    Exit.IO: "reading or writing failed while running, or what hung was left behind at the end of a drain",
    Exit.NO_PERMISSION: "no permission to read or write",
    Exit.CONFIGURATION: "a configuration, an address or a file of functions cannot work",
    Exit.INTERRUPTED: "a second Ctrl-C: left at once",
    Exit.TERMINATED: "a second SIGTERM, or one before anything had begun: left at once",
}


def duration(text: str) -> float:
    """A flag's duration in seconds, as typer wants what is wrong with it."""
    from express import units

    try:
        return units.duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def write(path: Path, body: bytes) -> None:
    """A file that the command was asked for."""
    try:
        path.write_bytes(body)
    except OSError as error:
        raise CannotCreate(f"{path}: cannot be written: {error.strerror}") from error


def usage(sentence: str) -> Exception:
    """What click raises for flags that do not go together, wherever this version of typer keeps it."""
    error: Exception = typer.BadParameter.__mro__[1](sentence)
    return error


def together(what: str, errors: Sequence[Exception]) -> None:
    """Raises all errors, if there are any: the exit code is the first one's, and each has its sentences."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup(what, errors)
