"""What happens to data on its way into and out of a state: InputPath, ResultPath, OutputPath, Output, and the 256 KiB limit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from express.compiler import data
from express.compiler.facts import Facts, bound, only_once
from express.compiler.queries import ENDLESS
from express.compiler.source import Display, Leaf, Piece, Use, call, flat, literal, uses
from express.language.model import ROOT, Expression, Fallible, Index, Name, ObjectTemplate, Path, Producer, State, Wait
from express.language.paths import definite
from express.runtime.limits import PAYLOAD

if TYPE_CHECKING:
    from express.compiler.flow import Frame

MANY = 16  # times the limit


class Result:
    """A state's result: the piece that computes it, and what is known of it.

    ``size`` bounds it; ``exclusive``: nobody else can reach it; ``whole``: the data itself may be in it; ``fields`` as in Facts.
    """

    def __init__(
        self, piece: Piece, size: int, *, exclusive: bool = False, whole: bool = True, fields: frozenset[str] | None = None
    ) -> None:
        self.piece, self.size, self.exclusive, self.whole, self.fields = piece, size, exclusive, whole, fields

    @property
    def made_here(self) -> bool:
        """Whether the outermost object is made by this very piece."""
        return isinstance(self.piece, Display) and self.piece.start == "{"


def held(frame: Frame, result: Result) -> Result:
    """The result in a local."""
    name = flat(result.piece)
    if not name.isidentifier() or name in ("None", "True", "False"):
        frame.source.statement("result = ", result.piece)
        result = Result(Leaf("result"), result.size, exclusive=result.exclusive, whole=result.whole)
    return result


def begin(frame: Frame, state: State) -> data.Scope:
    """Where a state begins: what its paths mean; its time of entry, if somebody reads it."""
    # What another state has read of the Context Object may be that state's own
    known = {key: local for key, local in frame.facts.known.items() if key[0] != "$$"}
    variables = frame.flow.variables
    scope = data.Scope(
        frame.unit, state.name, item=frame.item, variables=variables.known, certain=variables.certain(state.name), known=known
    )
    frame.traces.entered(state)
    if data.mentions(state, "State", "EnteredTime"):
        scope.entered = "entered_time"
        frame.source.line(f"entered_time = {frame.unit.execution()}.now()")
    return scope


def effective(frame: Frame, state: Producer, scope: data.Scope) -> data.Scope:
    """InputPath of a state that needs its raw input later: the effective input is another local."""
    if state.input_path == ROOT:
        return scope
    variable = frame.names.new(state.name, "_input")
    piece = Leaf("{}") if state.input_path is None else data.path(state.input_path, scope, "InputPath", "input")
    frame.source.statement(f"{variable} = ", piece)
    frame.traces.note("afterInputPath", variable)
    return scope.on(variable)


def received(facts: Facts, path: Path | None, scope: data.Scope) -> int:
    """The most bytes that InputPath selects, as JSON."""
    return facts.bound if path == ROOT else 2 if path is None else bound(path, facts.bound, scope.variables)


def narrow(frame: Frame, state: State, path: Path | None, scope: data.Scope, field: str) -> None:
    """InputPath or OutputPath: the data becomes the part of it that the path selects."""
    if path == ROOT:
        return
    settle(frame, left=frame.facts.owed is not state)  # its own, too: ResultPath may have made it larger
    if path is None:
        frame.source.line("data = {}")
        frame.facts = Facts(bound=2, own=True, exclusive=True, fields=frozenset())
        frame.traces.narrowed(field)
        return
    scope.known = dict(frame.facts.known)
    frame.source.statement("data = ", data.path(path, scope, field, "input" if field == "InputPath" else "output"))
    scope.known = {}
    from_data = path.root == "$"
    size = frame.facts.bound if from_data and definite(path) else 4 * PAYLOAD
    frame.facts = Facts(bound=size, exclusive=frame.facts.exclusive and from_data)
    frame.traces.narrowed(field)


def put(frame: Frame, state: State, path: Path | None, result: Result, *, in_place: bool = True, field: str = "ResultPath") -> None:
    """ResultPath: the data becomes the raw input with the result at its place."""
    source, facts, piece = frame.source, frame.facts, result.piece
    if path is None:
        # The result is dropped, but what computes it may fail
        if uses(piece) or not isinstance(piece, Leaf) or "(" in piece.text:
            source.statement("", piece)
        return
    guarded = not in_place and field == "ResultPath"
    if not path.segments:
        settle(frame)
        frame.facts = Facts(bound=result.size, own=result.made_here, exclusive=result.exclusive, fields=result.fields)
        with _measured(frame, state, guarded) as target:
            source.statement(f"{target} = ", piece)
        return
    first, *more = path.segments
    added = result.size + sum(len(literal(segment.name)) + 8 for segment in path.segments if isinstance(segment, Name)) + 8
    grows = facts.fields is not None and not more and isinstance(first, Name) and first.name not in facts.fields
    if not grows:
        settle(frame)  # it may take the place of something larger
        facts = frame.facts
    fields = facts.fields | {first.name} if facts.fields is not None and isinstance(first, Name) else None
    frame.facts = replace(
        facts, known={}, bound=facts.bound + added, own=True, exclusive=facts.exclusive and result.exclusive, fields=fields
    )
    if facts.owed is not None and isinstance(first, Name):
        frame.facts = replace(frame.facts, grown=(*facts.grown, (state, first.name)))
    use = (Use(path, "data", "result", field),)
    with _measured(frame, state, guarded) as target:
        reason = _copied(facts, field, path, nested=bool(more) or not isinstance(first, Name), in_place=in_place, whole=result.whole)
        if reason is not None:
            frame.unit.because(state, "copy", reason)
        if more or not isinstance(first, Name):
            source.statement(f"{target} = ", call("put", Leaf("data", use), steps(path), piece))
        elif reason is None:
            source.statement(f"data[{literal(first.name)}] = ", piece)
        else:
            source.statement(f"{target} = ", Display("{", (("", Leaf("**data", use)), (f"{literal(first.name)}: ", piece)), "}"))


def _copied(facts: Facts, field: str, path: Path, *, nested: bool, in_place: bool, whole: bool) -> str | None:
    """Why the result cannot be set in the data as it is: what is around its place is copied (not what is beside it)."""
    if nested:
        return f"of the objects around {path.text}, for {field}"
    if not facts.own:
        return f"of the outermost object, for {field}: it was not made in this function"
    if not in_place:
        return f"of the outermost object, for {field}: Retry and Catch go on with the input as it was"
    return f"of the outermost object, for {field}: the result may have the input itself in it" if whole else None


@contextmanager
def _measured(frame: Frame, state: State, guarded: bool) -> Iterator[str]:
    """The local that takes the new data. What Retry and Catch go on with, the raw input, is not replaced by what is too large."""
    bound = frame.facts.bound
    if not guarded or bound <= PAYLOAD:
        yield "data"
        return
    frame.unit.because(state, "check", f"its output {may_have(bound)}, and Retry and Catch would go on with the input")
    yield "output"
    with frame.source.block(f"if not {measure(bound)}(output, {PAYLOAD}):"):
        frame.source.line(f"raise too_large({text(frame, state.name)})")
    frame.source.line("data = output")
    frame.facts = replace(frame.facts, bound=PAYLOAD, owed=None, grown=())


def steps(path: Path) -> str:
    """The names and indexes of a reference path as a tuple."""
    found = []
    for segment in path.segments:
        if isinstance(segment, Name):
            found.append(literal(segment.name))
        elif isinstance(segment, Index):
            found.append(str(segment.index))
    return f"({', '.join(found)})" if len(found) > 1 else f"({found[0]},)"


def limit(frame: Frame, state: State, *, now: bool = False) -> None:
    """A state's output is complete. It is measured only where it could be over the limit, and then as late as nobody can tell."""
    if frame.facts.bound > PAYLOAD:
        if frame.facts.owed is None:
            frame.facts = replace(frame.facts, owed=state)
        if now or frame.traces.on:  # a recorded failure is the state's own
            settle(frame, left=False)


def settle(frame: Frame, *, left: bool = True) -> None:
    """Measures now, if that is still to be done. ``left``: the state whose output it is has been left."""
    owed = frame.facts.owed
    if owed is not None:
        frame.unit.because(owed, "check", f"its output {may_have(frame.facts.bound)}")
        test = f"if not {measure(frame.facts.bound)}(data, {PAYLOAD}):"
        with frame.source.at(replace(frame.unit.place(owed), left=left)), frame.source.block(test):
            frame.source.line(f"raise too_large({text(frame, owed.name)})")
        frame.facts = replace(frame.facts, bound=PAYLOAD, owed=None, grown=())


def may_have(bound: int) -> str:
    """``may have up to 300 KiB``, for a reason."""
    return "may have any size" if bound >= ENDLESS else f"may have up to {-(-bound // 1024):,} KiB, {PAYLOAD // 1024} are allowed"


def measure(bound: int) -> str:
    """What measures data of at most ``bound`` bytes: text of many times the limit must not be made only to be counted."""
    return "at_most" if bound <= MANY * PAYLOAD else "at_most_shared"


# --- Output -----------------------------------------------------------------------------------------------------------------------


def output(
    frame: Frame,
    state: State,
    node: Expression | None,
    scope: data.Scope,
    result: Result | None = None,
    *,
    in_place: bool = True,
    field: str = "Output",
) -> None:
    """Output: the data becomes its value; without it the state's result, where there is one."""
    if node is not None:
        size = min(ENDLESS, frame.facts.bound + (0 if result is None else result.size))
        fields = frozenset(name for name, _ in node.fields) if isinstance(node, ObjectTemplate) else None
        piece = data.expression(node, scope, field)
        exclusive = frame.facts.exclusive and not data.shared(node) and only_once(node)
        result = Result(piece, bound(node, size, scope.variables), exclusive=exclusive, fields=fields)
    if result is not None:
        put(frame, state, ROOT, result, in_place=in_place)


def leave(frame: Frame, state: State, target: str | None, catcher: int | None = None) -> None:
    """A state ends; ``target`` comes next, by way of ``catcher`` if that has a number."""
    frame.traces.left(target, catcher)
    quick = not isinstance(state, (Fallible, Wait))
    frame.measures.left(frame.unit.numbers[state.location], state.name, quick=quick)


def text(frame: Frame, value: str) -> str:
    """A text from the definition as an argument."""
    return data.value(value, frame.unit, "text").text
