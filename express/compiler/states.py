"""One function per type of state: each writes the Python of a state and says which state the code goes on with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from express.compiler import choice, data, failures
from express.compiler.facts import ENDLESS, Facts, bound
from express.compiler.source import Display, Leaf, Piece, call, flat, literal
from express.language.model import (
    ROOT,
    Call,
    Choice,
    Expression,
    Fail,
    Fallible,
    Literal,
    Map,
    Parallel,
    Pass,
    Path,
    Producer,
    State,
    Succeed,
    Task,
    Wait,
)
from express.language.paths import definite
from express.runtime import timestamps
from express.runtime.limits import PAYLOAD
from express.runtime.values import size as size_of

if TYPE_CHECKING:
    from express.compiler.flow import Frame


class Left:
    """All ways out of a state are written."""


LEFT = Left()


def title(state: State) -> str:
    """A comment for a state. ``ascii`` keeps line breaks and everything that is not printable out of the code."""
    return f"{ascii(state.name)}: {type(state).__name__}"


# --- Parts that several types have ------------------------------------------------------------------------------------------------


def _scope(frame: Frame, state: State, variable: str = "data") -> data.Scope:
    return data.Scope(frame.unit, state.name, variable, item=frame.item)


def _enter(frame: Frame, state: State, scope: data.Scope) -> None:
    """What is written where a state begins: its time of entry if somebody reads it."""
    if data.mentions(state, "State", "EnteredTime"):
        scope.entered = "entered_time"
        frame.source.line(f"entered_time = {frame.unit.execution()}.now()")


def _input(frame: Frame, state: State, scope: data.Scope) -> data.Scope:
    """InputPath: the scope of the effective input, which is another local where it is not all of the data."""
    if state.input_path == ROOT:
        return scope
    variable = frame.names.new(state.name, "_input")
    if state.input_path is None:
        frame.source.line(f"{variable} = {{}}")
    else:
        frame.source.statement(f"{variable} = ", data.path(state.input_path, scope, "InputPath", "input"))
    return scope.on(variable)


def _narrow(frame: Frame, state: State, scope: data.Scope) -> None:
    """InputPath of a state that hands on what it looks at."""
    path = state.input_path
    if path == ROOT:
        return
    if path is None:
        frame.source.line("data = {}")
        frame.facts = Facts(bound=2, own=True, exclusive=True)
        return
    frame.source.statement("data = ", data.path(path, scope, "InputPath", "input"))
    frame.facts = _selected(frame.facts, path)


def _selected(facts: Facts, path: Path) -> Facts:
    """What is known of what a path selects from the data."""
    from_data = path.root == "$"
    size = facts.bound if from_data and definite(path) else 4 * PAYLOAD
    return Facts(bound=size, exclusive=facts.exclusive and from_data)


def _result_path(frame: Frame, state: Producer, piece: Piece, *, whole: bool, size: int, owned: bool, in_place: bool = True) -> None:
    """ResultPath: ``data`` becomes the raw input with the result at its place.

    ``whole``: the result may contain the data itself. ``size`` bounds it. ``owned``: nobody else can reach it.
    """
    facts, path, source = frame.facts, state.result_path, frame.source
    if path is None:
        if not isinstance(piece, Leaf) or piece.uses or "(" in piece.text:
            source.statement("", piece)
        return
    if not path.segments:
        source.statement("data = ", piece)
        frame.facts = msgspec.structs.replace(facts, bound=size, own=isinstance(piece, Display) and piece.start == "{", exclusive=owned)
        return
    use = (data.Use(path, "data", "result", "ResultPath"),)
    names = [segment.name for segment in path.segments if isinstance(segment, data.Name)]
    total = facts.bound + size + sum(len(literal(name)) + 8 for name in names) + 8
    frame.facts = msgspec.structs.replace(facts, bound=total, own=True, exclusive=facts.exclusive and owned)
    if len(path.segments) == 1 and names:
        key = literal(names[0])
        if facts.own and in_place and not whole:
            source.statement(f"data[{key}] = ", piece)
        else:
            source.statement("data = ", Display("{", (("", Leaf("**data", use)), (f"{key}: ", piece)), "}"))
        return
    steps = ", ".join(literal(segment.name) if isinstance(segment, data.Name) else str(segment.index) for segment in path.segments)
    source.statement("data = ", call("put", Leaf("data", use), f"({steps},)", piece))


def _check_size(frame: Frame, state: State) -> None:
    """256 KiB, where more is possible at all."""
    if frame.facts.bound > PAYLOAD:
        with frame.source.block(f"if not at_most(data, {PAYLOAD}):"):
            frame.source.line(f"raise too_large({_name(frame, state.name)})")
        frame.facts = msgspec.structs.replace(frame.facts, bound=PAYLOAD)


def _output(frame: Frame, state: State, scope: data.Scope) -> None:
    """OutputPath."""
    if state.output_path == ROOT:
        return
    if state.output_path is None:
        frame.source.line("data = {}")
        frame.facts = msgspec.structs.replace(frame.facts, bound=2, own=True, exclusive=True)
        return
    frame.source.statement("data = ", data.path(state.output_path, scope, "OutputPath", "output"))
    frame.facts = _selected(frame.facts, state.output_path)
    _check_size(frame, state)


def _leave(frame: Frame, state: State, *, quick: bool) -> None:
    frame.measures.left(frame.unit.numbers[state.location], state.name, quick=quick)


def _name(frame: Frame, text: str) -> str:
    """A text from the definition as an argument."""
    return data.value(text, frame.unit, "text").text


def _fresh(node: Expression | None, frame: Frame) -> bool:
    """Whether nobody can reach into the value of an expression on ``$`` afterwards, once the data is gone."""
    return frame.facts.exclusive and not data.shared(node)


# --- Pass, Succeed, Fail, Choice, Wait --------------------------------------------------------------------------------------------


def _pass(frame: Frame, state: Pass) -> str | None:
    scope = _scope(frame, state)
    _enter(frame, state, scope)
    inner = _input(frame, state, scope)
    if state.result is not None:
        piece: Piece = data.value(state.result.value, frame.unit, state.name)
        size, owned, whole = size_of(state.result.value), isinstance(piece, Leaf) and piece.text[0] in "{[", False
    elif state.parameters is not None:
        piece = data.expression(state.parameters, inner, "Parameters")
        size, owned = bound(state.parameters, frame.facts.bound), _fresh(state.parameters, frame)
        whole = data.holds_whole_input(state.parameters)
    else:
        piece, size, owned, whole = Leaf(inner.variable), frame.facts.bound, frame.facts.exclusive, True
    if not (flat(piece) == "data" and state.result_path is not None and not state.result_path.segments):
        _result_path(frame, state, piece, whole=whole, size=size, owned=owned)
    _check_size(frame, state)
    _output(frame, state, scope)
    _leave(frame, state, quick=True)
    return state.next


def _succeed(frame: Frame, state: Succeed) -> None:
    scope = _scope(frame, state)
    _enter(frame, state, scope)
    _narrow(frame, state, scope)
    _output(frame, state, scope)
    _leave(frame, state, quick=True)


def _fail(frame: Frame, state: Fail) -> Left:
    scope = _scope(frame, state)
    _enter(frame, state, scope)

    def part(node: Literal | Path | Call | None, field: str) -> Piece:
        if node is None:
            return Leaf("None")
        if isinstance(node, Literal):
            return data.value(node.value, frame.unit, f"{state.name} {field}")
        piece = data.expression(node, scope, f"{field}Path")
        return call("text", piece, _name(frame, node.text), f'"{field}Path"')

    frame.source.statement("raise ", call("StateError", part(state.error, "Error"), part(state.cause, "Cause")))
    return LEFT


def _choice(frame: Frame, state: Choice) -> str | None | Left:
    scope = _scope(frame, state)
    _enter(frame, state, scope)
    _narrow(frame, state, scope)
    conditions = choice.Conditions(state.rules, scope, frame.names)
    rules = list(state.rules)
    while rules:
        # Rules in a row that lead to the same state are one condition
        rule = rules.pop(0)
        together = [rule]
        while rules and rules[0].next == rule.next:
            together.append(rules.pop(0))
        first = conditions.first(rule)
        if first is not None:
            frame.source.statement(f"{first[0]} = ", first[1])
        pieces = [conditions.write(one) for one in together]
        piece = pieces[0] if len(pieces) == 1 else Display("(", tuple(("", one) for one in pieces), ")", "or")
        with frame.source.when(piece), frame.branch():
            _output(frame, state, scope)
            _leave(frame, state, quick=True)
            frame.go(rule.next)
    if state.default is None:
        frame.source.line("raise no_choice()")
        return LEFT
    _output(frame, state, scope)
    _leave(frame, state, quick=True)
    return state.default


def _wait(frame: Frame, state: Wait) -> str | None:
    unit, source = frame.unit, frame.source
    scope = _scope(frame, state)
    frame.measures.entered(unit.numbers[state.location])
    _enter(frame, state, scope)
    _narrow(frame, state, scope)
    execution = unit.execution()
    if isinstance(state.seconds, Literal):
        seconds: Piece = data.value(state.seconds.value, unit, state.name)
    elif isinstance(state.seconds, Path):
        leaf = data.path(state.seconds, scope, "SecondsPath", "seconds")
        seconds = call("seconds_of", leaf, _name(frame, state.seconds.text), '"SecondsPath"')
    elif isinstance(state.timestamp, Path):
        leaf = data.path(state.timestamp, scope, "TimestampPath", "timestamp")
        seconds = call("until", execution, leaf, _name(frame, state.timestamp.text))
    else:
        assert state.timestamp is not None
        moment = timestamps.seconds(state.timestamp.value)
        seconds = Leaf(f"{moment!r} - {execution}.clock.wall()")
    source.statement("await ", call("sleep", execution, seconds))
    _output(frame, state, scope)
    _leave(frame, state, quick=False)
    return state.next


# --- Task, Parallel, Map ----------------------------------------------------------------------------------------------------------


def _task(frame: Frame, state: Task) -> str | None | Left:
    binding = frame.unit.bindings[state.location]
    return _fallible(frame, state, _Attempt(frame, state, binding))


class _Attempt:
    """Writes one attempt of a Task: payload, call, result."""

    def __init__(self, frame: Frame, state: Task, binding: Any) -> None:
        self.frame, self.state, self.binding = frame, state, binding
        self.function = frame.unit.object(binding, state.name, "_task")
        self.size = PAYLOAD if not state.resource.endswith("lambda:invoke") else PAYLOAD + 4_096
        plain = getattr(binding, "plain", None)
        self.plain = None
        if plain is not None and state.timeout_seconds is None:
            self.plain = frame.unit.object(plain, getattr(plain, "__name__", state.name))

    def write(self, scope: data.Scope, *, retried: bool) -> tuple[Piece, bool]:
        """The piece that is the result, and whether only this code can reach it."""
        frame, state, unit, source = self.frame, self.state, self.frame.unit, self.frame.source
        payload: Piece = Leaf(scope.variable)
        if state.parameters is not None:
            payload = data.expression(state.parameters, scope, "Parameters")
        if not self._given_away(scope):
            payload = call("copy", payload)
        attempt = "attempt" if retried else "1"
        timeout = self._timeout(scope)
        if self.plain is not None:
            # Evaluated outside of the `try`: what goes wrong in it is the function's
            if flat(payload) != scope.variable:
                source.statement("given = ", payload)
                payload = Leaf("given")
            with source.block("try:"):
                source.statement("result = ", call(self.plain, payload))
            with source.block("except RAISED as error:"):
                source.line(f"raise {self.function}.failure(error, execution) from None")
            return call(f"{self.function}.result", "result"), True
        kind = "call_inline" if self.binding.inline is not None else "await call"
        arguments = [Leaf(unit.execution()), Leaf(self.function), payload, Leaf(_name(frame, state.name)), Leaf(attempt)]
        return call(kind, *arguments, *([timeout] if timeout is not None else [])), True

    def _given_away(self, scope: data.Scope) -> bool:
        """Whether nobody looks at the payload, or at anything in it, once the function has it."""
        state, facts = self.state, self.frame.facts
        if not facts.exclusive or data.shared(state.parameters) or state.retry:
            return False
        if state.result_path is None or state.result_path.segments:
            return False
        return all(catcher.result_path == ROOT for catcher in state.catch)

    def _timeout(self, scope: data.Scope) -> Piece | None:
        node = self.state.timeout_seconds
        if node is None:
            return None
        if isinstance(node, Literal):
            return Leaf(literal(node.value))
        leaf = data.path(node, scope, "TimeoutSecondsPath", "timeout")
        return call("seconds_of", leaf, _name(self.frame, node.text), '"TimeoutSecondsPath"')


def _parallel(frame: Frame, state: Parallel) -> str | None | Left:
    return _fallible(frame, state, _Branches(frame, state))


class _Branches:
    """Writes one attempt of a Parallel."""

    size = ENDLESS
    plain = None

    def __init__(self, frame: Frame, state: Parallel) -> None:
        self.frame, self.state = frame, state
        self.entries = [frame.machine(branch, f"{state.name} branch {number + 1}", "branch", frame.item) for number, branch in enumerate(state.branches)]
        self.side_by_side = not all(entry.plain for entry in self.entries)

    def write(self, scope: data.Scope, *, retried: bool) -> tuple[Piece, bool]:
        frame, state = self.frame, self.state
        given: Piece = Leaf(scope.variable)
        if state.parameters is not None:
            given = data.expression(state.parameters, scope, "Parameters")
            frame.source.statement("given = ", given)
            given = Leaf("given")
        if not self.side_by_side:
            more = "".join(f", {name}" for name in frame.item or ())
            calls = tuple(("", Leaf(f"{entry.name}({flat(given)}, execution{more})")) for entry in self.entries)
            return Display("[", calls, "]"), False
        names = tuple(("", Leaf(self._branch(entry.name))) for entry in self.entries)
        branches = Display("(", names, ",)" if len(names) == 1 else ")")
        return call("await parallel", frame.unit.execution(), branches, given), False

    def _branch(self, name: str) -> str:
        """A branch as ``parallel`` calls it; inside a Map it is told the item."""
        item = self.frame.item
        return name if item is None else f"lambda data, execution: {name}(data, execution, {', '.join(item)})"


def _map(frame: Frame, state: Map) -> str | None | Left:
    return _fallible(frame, state, _Iterations(frame, state))


class _Iterations:
    """Writes one attempt of a Map."""

    size = ENDLESS
    plain = None

    def __init__(self, frame: Frame, state: Map) -> None:
        self.frame, self.state = frame, state
        self.item = ("index", "item_value")
        self.entry = frame.machine(state.processor, f"{state.name} item", "body", self.item)
        self.transitions = len(state.processor.states)

    def write(self, scope: data.Scope, *, retried: bool) -> tuple[Piece, bool]:
        frame, state, source, unit = self.frame, self.state, self.frame.source, self.frame.unit
        items = data.path(state.items_path, scope, "ItemsPath", "items")
        source.statement("items = ", call("array_of", items, _name(frame, state.items_path.text)))
        maker = "None"
        if state.parameters is not None:
            maker = frame.names.new(state.name, "_selected")
            inner = msgspec.structs.replace(scope, item=self.item, known={})
            source.gap()
            with source.block(f"def {maker}({', '.join(self.item)}):"):
                source.statement("return ", data.expression(state.parameters, inner, "ItemSelector"))
            source.gap()
        arguments = [unit.execution(), self.entry.name, "items", self._concurrency(scope), maker, str(self.transitions)]
        return call("await each", *arguments), False

    def _concurrency(self, scope: data.Scope) -> Piece:
        node = self.state.max_concurrency
        if isinstance(node, Literal):
            return Leaf(literal(node.value))
        leaf = data.path(node, scope, "MaxConcurrencyPath", "timeout")
        return call("seconds_of", leaf, _name(self.frame, node.text), '"MaxConcurrencyPath"')


def _fallible(frame: Frame, state: Fallible, attempt: Any) -> str | None | Left:
    """A state that Retry and Catch can be around: ``attempt`` writes what is tried."""
    scope = _scope(frame, state)
    if frame.flow.plans.waits(state):
        frame.measures.entered(frame.unit.numbers[state.location])
    _enter(frame, state, scope)
    inner = _input(frame, state, scope)
    retried = any(retrier.max_attempts > 0 for retrier in state.retry)
    guarded = retried or bool(state.catch)
    if retried:
        inner.retries = scope.retries = "(attempt - 1)"

    def tried() -> None:
        if frame.measures.on and isinstance(state, Task) and retried:
            frame.source.line("tried = clock()")
        piece, owned = attempt.write(inner, retried=retried)
        if frame.measures.on and isinstance(state, Task) and retried:
            if flat(piece) != "result":
                frame.source.statement("result = ", piece)
                piece = Leaf("result")
            frame.measures.attempt(frame.unit.numbers[state.location], state.name)
        size = attempt.size
        if state.result_selector is not None:
            frame.source.statement("result = ", piece)
            selection = scope.on("result")
            piece = data.expression(state.result_selector, selection, "ResultSelector")
            size = bound(state.result_selector, min(size, PAYLOAD * 4))
            owned = owned and not data.shared(state.result_selector)
        elif isinstance(state, Task) and state.result_path is not None and state.result_path.segments and not frame.facts.own:
            # The call comes before ResultPath may fail
            if flat(piece) != "result":
                frame.source.statement("result = ", piece)
                piece = Leaf("result")
        _result_path(frame, state, piece, whole=not isinstance(state, Task), size=size, owned=owned, in_place=not guarded)
        _check_size(frame, state)

    failures.write(frame, state, scope, tried)
    _output(frame, state, scope)
    _leave(frame, state, quick=False)
    return state.next


WRITERS: dict[type[State], Callable[[Frame, Any], str | None | Left]] = {
    Pass: _pass,
    Succeed: _succeed,
    Fail: _fail,
    Choice: _choice,
    Wait: _wait,
    Task: _task,
    Parallel: _parallel,
    Map: _map,
}
