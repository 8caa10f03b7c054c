"""A seed in: its hostile definition is compiled, what was generated is looked at, and it is run while an audit hook watches."""

from __future__ import annotations

import ast
import functools
import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import express
from express.runtime.jsonata_library import ENDLESS, LibraryQuery
from express.testing import VirtualClock
from tests.fuzz import hostile
from tests.fuzz.allowed import violations

WATCHED = {
    "open",
    "import",
    "exec",
    "compile",
    "os.system",
    "os.exec",
    "os.fork",
    "os.spawn",
    "subprocess.Popen",
    "socket.connect",
    "ctypes.dlopen",
}
CHUNK = 500
INPUT = {"a": {"b": ["'", 1, None]}, "data": "x", "'": [1], "\n": 2}


class Watch:
    """What the interpreter was asked for while ``on``. Audit hooks stay for ever, so there is one."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        self._hooked = False

    def __enter__(self) -> Watch:
        if not self._hooked:
            sys.addaudithook(self._hook)
            self._hooked = True
        self.seen, self.on = [], True
        return self

    def __exit__(self, *_: object) -> None:
        self.on = False

    def _hook(self, event: str, arguments: Any) -> None:
        if self.on and event in WATCHED:
            self.seen.append(f"{event} {arguments!r:.200}")


watch = Watch()


@dataclass
class Findings:
    outcomes: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, str]] = field(default_factory=list)


def examine(seed: int, findings: Findings) -> None:
    definition = hostile.definition(seed)
    try:
        program = express.compile(definition, "name\nof 'it'", missing="defer")
    except express.DefinitionError:
        findings.outcomes["refused"] += 1
        return
    except Exception as error:
        findings.violations.append((seed, f"{type(error).__name__} is not a declared error: {error}"))
        return
    findings.outcomes["compiled"] += 1
    found = violations(program.source, given(program))
    with watch:
        try:
            outcome = program.run(INPUT, clock=VirtualClock(0))
        except Exception as error:
            found.append(f"run: {type(error).__name__}: {error}")
        else:
            findings.outcomes[f"ran: {outcome.status}"] += 1
    found += [f"while it ran: {event}" for event in watch.seen]
    findings.violations += [(seed, each) for each in found]


def given(program: express.Program) -> set[str]:
    """The names that generated code is given: what its module holds without what it defines."""
    own = {node.name for node in ast.parse(program.source).body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    return set(program.evaluate.__globals__) - own - {"__builtins__", "__name__"}


def in_processes(first: int, count: int, processes: int) -> Iterator[Findings]:
    chunks = range(first, first + count, CHUNK)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(_chunk, chunks)


def _chunk(first: int) -> Findings:
    warm_up()
    findings = Findings()
    for seed in range(first, first + CHUNK):
        examine(seed, findings)
    return findings


@functools.cache
def warm_up() -> None:
    """What is imported, or started, once, at the first use of it, is not the definition's doing."""
    LibraryQuery("1", "Output", "1", power=ENDLESS)({})
    for seed in range(200):
        examine(seed, Findings())
