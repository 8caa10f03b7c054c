"""The visits of cases in, how often each state was entered and each transition taken out, per definition; kept in a JSON file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from express.errors import ConfigurationError
from express.language.model import Workflow
from express.language.transitions import Kind, machines, transitions
from express.observers.recording import Visit


class Taken(msgspec.Struct, kw_only=True, rename={"source": "from", "target": "to"}):
    """How often a transition was taken. ``source`` is the JSON pointer of a state, ``position`` that of the rule or catcher in its list."""

    source: str
    target: str
    kind: Kind
    position: int = 0
    count: int = 0

    def __str__(self) -> str:
        place = f"[{self.position}]"
        how = {"next": "", "choice": f" (Choices{place})", "default": " (Default)", "catch": f" (Catch{place})"}[self.kind]
        return f"{self.source} -> {self.target}{how}"


class Coverage(msgspec.Struct, kw_only=True):
    """Of one definition. ``states`` has the entries of each state by its JSON pointer."""

    definition: str
    sha256: str
    states: dict[str, int]
    transitions: list[Taken]

    @property
    def missing(self) -> list[str]:
        """What was never entered or taken, one line each."""
        never = [f"never entered: {location}" for location, count in self.states.items() if not count]
        return never + [f"never taken: {each}" for each in self.transitions if not each.count]

    @property
    def total(self) -> int:
        return len(self.states) + len(self.transitions)

    @property
    def percent(self) -> float:
        """Of states and transitions together, from 0 to 100."""
        return 100 * (self.total - len(self.missing)) / self.total


class Book(msgspec.Struct, kw_only=True):
    """What ``--coverage-file`` writes and ``express graph --coverage`` reads."""

    express_coverage: int = 1
    definitions: list[Coverage]


def empty(definition: str, workflow: Workflow) -> Coverage:
    """Nothing covered yet."""
    states = [state for machine in machines(workflow) for state in machine.states.values()]
    taken = [
        Taken(source=state.location, target=each.target, kind=each.kind, position=each.position)
        for state in states
        for each in transitions(state)
    ]
    return Coverage(definition=definition, sha256=workflow.sha256, states={state.location: 0 for state in states}, transitions=taken)


def add(coverage: Coverage, visits: Iterable[Visit]) -> None:
    """Counts the visits of one execution."""
    known = {(each.source, each.kind, each.position): each for each in coverage.transitions}
    for visit in visits:
        if visit.location in coverage.states:
            coverage.states[visit.location] += 1
        if visit.next is not None and (taken := known.get((visit.location, *_way(visit)))) is not None:
            taken.count += 1


def _way(visit: Visit) -> tuple[Kind, int]:
    """How a state was left for another one."""
    if visit.type == "Choice":
        return ("default", 0) if visit.rule is None else ("choice", visit.rule)
    return ("next", 0) if visit.catcher is None else ("catch", visit.catcher)


def text(coverages: Sequence[Coverage]) -> bytes:
    """As JSON, for ``read``."""
    return msgspec.json.format(msgspec.json.encode(Book(definitions=list(coverages)))) + b"\n"


def read(path: Path, sha256: str) -> Coverage:
    """The coverage of one definition out of a file. ConfigurationError when it is no such file, or of another definition."""
    try:
        book = msgspec.json.decode(path.read_bytes(), type=Book)
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"{path}: expected what express test --coverage-file writes: {error}") from None
    for coverage in book.definitions:
        if coverage.sha256 == sha256:
            return coverage
    there = ", ".join(coverage.definition for coverage in book.definitions) or "none"
    raise ConfigurationError(f"{path}: has no coverage of this version of the definition (there is coverage of: {there})")
