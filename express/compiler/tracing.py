"""The lines that record: what comes into a state, what each of its fields makes of it, what goes out and where to. Only on request.

Where nothing is recorded nothing is written. What is recorded is called in ``express.observers.recording``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from express.compiler.source import Display, Leaf, Piece, call, literal
from express.language.model import State

if TYPE_CHECKING:
    from express.compiler.unit import Unit

# Names with a meaning of their own in every function that records
LOCALS = frozenset({"visit", "within"})


class Traces:
    """Writes nothing when nothing is recorded. ``visit`` is the local that holds the record of the state being executed, ``within`` the
    one that says which branch or iteration it is in."""

    def __init__(self, unit: Unit, *, on: bool) -> None:
        self._unit, self.on = unit, on

    @property
    def carried(self) -> list[str]:
        """What the functions of a machine hand on to each other."""
        return ["within"] if self.on else []

    def start(self) -> None:
        """At the beginning of the workflow itself, which is in nothing."""
        if self.on:
            self._unit.source.line("within = None")

    def entered(self, state: State) -> None:
        """A state begins with its raw input in ``data``."""
        if self.on:
            place = self._unit.object((state.name, type(state).__name__, state.location), state.name, "_place")
            self._unit.source.line(f"visit = trace_enter({self._unit.execution()}, {place}, within, data)")

    def seen(self, field: str, piece: Piece) -> Piece:
        """The same value, recorded as ``field`` of the state's visit."""
        return call("trace_seen", "visit", literal(field), piece) if self.on else piece

    def note(self, field: str, variable: str = "data") -> None:
        """Records what a local holds now."""
        if self.on:
            self._unit.source.statement("", self.seen(field, Leaf(variable)))

    def tell(self, field: str, piece: Piece) -> None:
        """Records a value that the state does not go on with."""
        if self.on:
            self._unit.source.statement("", self.seen(field, piece))

    def narrowed(self, field: str) -> None:
        """InputPath or OutputPath has been applied; what OutputPath selects is the output itself."""
        if field == "InputPath":
            self.note("afterInputPath")

    def assigned(self, variables: Iterable[tuple[str, str]]) -> None:
        """Variables, each with the local that holds its new value."""
        if self.on and (values := tuple((f"{literal(name)}: ", Leaf(local)) for name, local in variables)):
            self._unit.source.statement("", call("trace_assign", "visit", Display("{", values, "}")))

    def retried(self) -> None:
        """Another attempt will be made after ``delay`` seconds."""
        if self.on:
            self._unit.source.line("trace_retry(visit, delay)")

    def ruled(self, rule: int, condition: Piece) -> Piece:
        """The same condition; that of the rule by which a Choice is left is recorded."""
        return call("trace_ruled", "visit", str(rule), condition) if self.on else condition

    def left(self, target: str | None, catcher: int | None) -> None:
        """A state ends with its output in ``data``; ``target`` comes next, by way of a catcher if it has a number."""
        if self.on:
            following = self._unit.object(target, "next state") if target is not None and len(target) > 80 else literal(target)
            self._unit.source.line(f"trace_leave(visit, data, {following}, {catcher})")

    def inside(self, index: str) -> list[str]:
        """What a branch or an iteration of the state is called with besides."""
        return [f"trace_inside(visit, {index})"] if self.on else []
