"""The process of ``jsonata_apart``: questions in, answers out. It has bounds that only a process can have, and may die of them.

It is a program, run by its path with the directories of ``sys.path`` as arguments. Of Express it takes but what evaluates expressions: the
packages around that, which would import all of it, are empty here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

MEMORY = 512 << 20  # bytes beyond what it needs to begin with
SHARE = 4  # of a container's memory it gets one in so many: where that is used up, the whole container may be ended
CONTAINER = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
STACK = 256 << 20  # bytes: functions in functions in functions are freed one inside the other
DEPTH = 10_000  # evaluations in evaluations, about 3,000 calls in calls
LONGEST = 8 << 20  # bytes of an answer


def _alone() -> None:
    sys.path[:] = sys.argv[1:]
    root = Path(__file__).resolve().parent.parent
    for name, directory in (("express", root), ("express.runtime", root / "runtime")):
        module = sys.modules[name] = ModuleType(name)
        module.__path__ = [str(directory)]


def allowance(limits: Sequence[Path] = CONTAINER) -> int:
    """Bytes that evaluations may take. ``limits``: files that say how much this container may have, if they exist."""
    most = MEMORY
    for each in limits:
        with suppress(OSError, ValueError):  # no container, or "max"
            most = min(most, int(each.read_text()) // SHARE)
    return most


def _bound() -> None:
    """The system's limits, and that it ends this process first where memory runs out all the same."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, ValueError):  # a system that has other bounds
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + allowance()
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        Path("/proc/self/oom_score_adj").write_text("1000")


def _serve() -> None:
    import msgspec

    from express.runtime import jsonata_apart, jsonata_library
    from express.runtime.failures import StateError
    from express.runtime.jsonata_values import DEEPEST
    from express.runtime.values import deeper_than, dumps

    jsonata_library.DEPTH = DEPTH
    length, decode = jsonata_apart.LENGTH, msgspec.json.Decoder().decode
    questions, answers = sys.stdin.buffer, sys.stdout.buffer

    def answer(found: bytes) -> None:
        answers.write(length.pack(len(found)) + found)
        answers.flush()

    _bound()
    answer(jsonata_apart.READY)
    while header := questions.read(length.size):
        text, field, source, document = decode(questions.read(length.unpack(header)[0]))
        query = jsonata_library.LibraryQuery(text, field, source)
        try:
            value = query.here(document)
            if deeper_than(value, DEEPEST):
                raise query.failed("D1000", f"The values are nested deeper than {DEEPEST} levels")
            found = jsonata_apart.VALUE + dumps(value)
            if len(found) > LONGEST:
                raise query.failed("D1000", f"The result has more than {LONGEST} bytes")
        except StateError as failure:
            found = b"f" + (failure.cause or "").encode("utf-8", "surrogatepass")
        except Exception as error:
            found = b"f" + (query.broken(error).cause or "").encode("utf-8", "surrogatepass")
        value = document = None
        answer(found)


def _main() -> None:
    import threading

    _alone()
    with suppress(ValueError):
        threading.stack_size(STACK)
    thread = threading.Thread(target=_serve)
    thread.start()
    thread.join()


if __name__ == "__main__":
    _main()
