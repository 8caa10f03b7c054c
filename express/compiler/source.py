"""Lines of Python in, one text out, and for each line the place in the definition that it came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, TypeAlias

import msgspec

from express.language.model import Path

WIDTH = 110  # columns after which an object or a list is written over several lines
INDENT = "    "

# What a path stands for, which decides how AWS words that it selects nothing
Role: TypeAlias = Literal["field", "argument", "input", "output", "items", "variable", "result", "seconds", "timestamp", "timeout"]


class Use(msgspec.Struct, frozen=True):
    """A path that a line evaluates on the local ``variable`` ("" is the Context Object). ``field`` is the definition's field, ``text`` the
    intrinsic it is an argument of."""

    path: Path
    variable: str
    role: Role
    field: str
    text: str = ""


class Place(msgspec.Struct, frozen=True):
    """What a line belongs to: a state by its number in the metrics (-1: no single one), name and JSON pointer.

    What is raised on a line that is ``handed_on`` has been dealt with in the function it calls; on one that is ``counted``, the attempt
    that failed has been counted already; on one that comes when the state is ``left``, its seconds have been.
    """

    number: int
    name: str
    location: str
    task: bool = False
    handed_on: bool = False
    counted: bool = False
    left: bool = False


class Line(msgspec.Struct, frozen=True):
    """One line of generated code, as ``blame`` needs it. ``passed`` are states before it that are left but not yet counted (``~number``:
    one among them that has counted itself), ``queries`` the names of the JSONata expressions that it evaluates, or a part of; ``owed``: the
    state whose output is yet to be measured; ``grown``: those that have set a field of the data since then, and which."""

    place: Place
    uses: tuple[Use, ...] = ()
    passed: tuple[int, ...] = ()
    queries: tuple[str, ...] = ()
    owed: Place | None = None
    grown: tuple[tuple[Place, str], ...] = ()


class Leaf(msgspec.Struct, frozen=True):
    """A piece of an expression that stays on one line, with the paths it evaluates. ``query`` names the object of the JSONata expression
    that it is."""

    text: str
    uses: tuple[Use, ...] = ()
    query: str = ""


class Display(msgspec.Struct, frozen=True):
    """An object, a list, a call, or operands in parentheses: ``start``, entries (each with a prefix such as a key), ``end``.

    May be written over several lines: with a comma after each entry, or an ``operator`` before each but the first. ``query`` as in Leaf.
    """

    start: str
    entries: tuple[tuple[str, Piece], ...]
    end: str
    operator: str = ""
    query: str = ""


Piece: TypeAlias = Leaf | Display


def flat(piece: Piece) -> str:
    """A piece on one line."""
    if isinstance(piece, Leaf):
        return piece.text
    joint = f" {piece.operator} " if piece.operator else ", "
    return piece.start + joint.join(prefix + flat(entry) for prefix, entry in piece.entries) + piece.end


def uses(piece: Piece) -> tuple[Use, ...]:
    """All paths that a piece evaluates."""
    if isinstance(piece, Leaf):
        return piece.uses
    return tuple(use for _, entry in piece.entries for use in uses(entry))


def queries(piece: Piece) -> tuple[str, ...]:
    """The objects of all JSONata expressions that a piece evaluates."""
    if piece.query:
        return (piece.query,)
    return () if isinstance(piece, Leaf) else tuple(query for _, entry in piece.entries for query in queries(entry))


def call(function: str, *arguments: Piece | str) -> Display:
    """A call as a piece."""
    return Display(f"{function}(", tuple(("", Leaf(entry) if isinstance(entry, str) else entry) for entry in arguments), ")")


class Source:
    """Text that is written from top to bottom. ``place`` is what the lines being written belong to."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.table: dict[int, Line] = {}  # by line number, from 1
        self._indent = 0
        self._place: Place | None = None
        self.passed: tuple[int, ...] = ()  # by the execution when it comes to the lines being written
        self.owed: Place | None = None  # the state whose output is yet to be measured there
        self.grown: tuple[tuple[Place, str], ...] = ()

    @property
    def text(self) -> str:
        return "\n".join(self._lines) + "\n"

    def line(self, text: str = "", paths: Sequence[Use] = (), queries: tuple[str, ...] = ()) -> None:
        """One line, or an empty one."""
        self._lines.append(INDENT * self._indent + text if text else "")
        if self._place is not None:
            self.table[len(self._lines)] = Line(self._place, tuple(paths), self.passed, queries, self.owed, self.grown)

    def gap(self, lines: int = 1) -> None:
        """Empty lines, unless a block has just begun or they are there already."""
        if self._lines and not self._lines[-1].endswith(":"):
            while any(self._lines[-lines:]):
                self._lines.append("")

    def comment(self, text: str) -> None:
        """A comment; ``text`` has no line break: names in it went through ``ascii``."""
        self._lines.append(f"{INDENT * self._indent}# {text}")

    def statement(self, before: str, piece: Piece, after: str = "", inside: tuple[str, ...] = ()) -> None:
        """``before`` + expression + ``after``, over several lines if it is wide; ``inside``: it is a part of that JSONata expression."""
        text = before + flat(piece) + after
        asked = inside or queries(piece)
        if isinstance(piece, Leaf) or len(text) + self._indent * len(INDENT) <= WIDTH:
            self.line(text, uses(piece), asked)
            return
        if piece.entries:
            self.line(before + piece.start, uses(piece), asked)  # what puts the parts together fails on the first line
            inside = inside or ((piece.query,) if piece.query else ())
            self._indent += 1
            for number, (prefix, entry) in enumerate(piece.entries):
                if piece.operator:
                    self.statement(f"{piece.operator} {prefix}" if number else prefix, entry, "", inside)
                else:
                    self.statement(prefix, entry, ",", inside)
            self._indent -= 1
            self.line(piece.end + after, (), asked)
        else:
            self.line(text, (), asked)

    def together(self, targets: Sequence[str], pieces: Sequence[Piece]) -> None:
        """An assignment of several values at once."""
        values = Display("(", tuple(("", piece) for piece in pieces), ")")
        before, text = f"{', '.join(targets)} = ", flat(values)
        if len(before) + len(text) + self._indent * len(INDENT) <= WIDTH:
            self.line(before + text[1:-1], uses(values), queries(values))
        else:
            self.statement(before, values)

    @contextmanager
    def block(self, header: str, paths: Sequence[Use] = ()) -> Iterator[None]:
        """``header`` (with its colon) and what is indented below it; ``pass`` when nothing was."""
        self.line(header, paths)
        with self._inside():
            yield

    @contextmanager
    def _inside(self) -> Iterator[None]:
        self._indent += 1
        before = len(self._lines)
        yield
        if len(self._lines) == before:
            self.line("pass")
        self._indent -= 1

    @contextmanager
    def when(self, piece: Piece) -> Iterator[None]:
        """``if`` with a condition on one line or, in parentheses, on several."""
        text = flat(piece)
        if isinstance(piece, Display) and piece.operator and piece.start == "(":
            text = text[1:-1]
        if isinstance(piece, Display) and piece.operator and len(text) + self._indent * len(INDENT) > WIDTH:
            self.statement("if ", piece, ":")
        else:
            self.line(f"if {text}:", uses(piece), queries(piece))
        with self._inside():
            yield

    @contextmanager
    def handing_on(self) -> Iterator[None]:
        """What is raised on the lines written inside has been dealt with where it was raised first."""
        with self._marked(handed_on=True):
            yield

    @contextmanager
    def counted(self) -> Iterator[None]:
        """What is raised on the lines written inside has been counted as a failed attempt."""
        with self._marked(counted=True):
            yield

    @contextmanager
    def _marked(self, **marks: bool) -> Iterator[None]:
        place = self._place
        if place is not None:
            self._place = msgspec.structs.replace(place, **marks)
        yield
        self._place = place

    @contextmanager
    def at(self, place: Place) -> Iterator[None]:
        """Everything written inside belongs to ``place``."""
        outer, self._place = self._place, place
        yield
        self._place = outer


def literal(value: str | int | float | bool | None) -> str:
    """A plain value as Python writes it; text in double quotes where that needs no escaping."""
    text = repr(value)
    if text.startswith("'") and '"' not in text and "\\" not in text:
        return f'"{text[1:-1]}"'
    return text
