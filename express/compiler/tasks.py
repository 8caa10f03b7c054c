"""Task, Parallel and Map to Python: what one attempt does; Retry and Catch are put around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from msgspec.structs import replace

from express.compiler import assigning, data, failures, jsonata, shaping
from express.compiler.assigning import Assigned
from express.compiler.facts import bound, only_once
from express.compiler.queries import ENDLESS, INPUT, members
from express.compiler.shaping import Result
from express.compiler.source import Display, Leaf, Piece, Role, call, flat, literal
from express.language.model import ROOT, Fallible, Jsonata, Literal, Map, Parallel, Path, Scalar, Task
from express.language.paths import definite
from express.runtime.limits import PAYLOAD

if TYPE_CHECKING:
    from express.compiler.flow import Frame

FEW = 8  # fields that are looked at one by one
TOKEN = "token"  # the local that holds $$.Task.Token
WRAPPING = 4_096  # bytes that a resource may put around a function's result


class Attempt(Protocol):
    """One attempt of a state: ``write`` writes the statements before its result and gives the piece that is its result."""

    def write(self, scope: data.Scope, attempt: str) -> Result: ...


def write(frame: Frame, state: Fallible) -> None:
    """A state that Retry and Catch can be around."""
    shaping.settle(frame)
    number = frame.unit.numbers[state.location]
    if frame.flow.plans.waits(state):
        frame.measures.entered(number)
    scope = shaping.begin(frame, state)
    inner = shaping.effective(frame, state, scope)
    attempt = _ATTEMPTS[type(state)](frame, state)
    retried = failures.retried(state)
    inner.retries = scope.retries = "(attempt - 1)" if retried else "0"
    guarded = retried or bool(state.catch)

    assigned = Assigned()

    def tried() -> None:
        nonlocal assigned
        timed = retried and isinstance(state, Task) and frame.measures.on
        if timed:
            frame.source.line("tried = clock()")
        result = attempt.write(inner, "attempt" if retried else "1")
        if timed:
            result = shaping.held(frame, result)
            frame.measures.attempt(number, state.name)
        result.piece = frame.traces.seen("result", result.piece)
        assigned = (_queried if state.jsonata else _put)(frame, state, result, inner, guarded=guarded)
        shaping.limit(frame, state, now=guarded)

    failures.write(frame, state, scope, tried)
    shaping.narrow(frame, state, state.output_path, scope, "OutputPath")
    shaping.limit(frame, state)
    assigning.commit(frame, assigned)
    shaping.leave(frame, state, state.next)


def _put(frame: Frame, state: Fallible, result: Result, scope: data.Scope, *, guarded: bool) -> Assigned:
    """ResultSelector and Assign, both of the raw result, and ResultPath."""
    assigned = Assigned()
    if state.assign:
        result = shaping.held(frame, result)
        later = (state.result_selector, state.output_path)
        assigned = assigning.assign(frame, state, state.assign, scope.on("result"), result.size, hold=guarded, later=later)
    if state.result_selector is not None:
        result = _selected(frame, state, shaping.held(frame, result), scope)
    elif state.result_path is not None and state.result_path.segments and not frame.facts.own:
        result = shaping.held(frame, result)  # the call comes before ResultPath may fail
    shaping.put(frame, state, state.result_path, result, in_place=not guarded)
    frame.traces.note("afterResultPath")
    return assigned


def _queried(frame: Frame, state: Fallible, result: Result, scope: data.Scope, *, guarded: bool) -> Assigned:
    """Assign and Output, both of the input and the result."""
    if state.assign or state.output is not None:
        result = shaping.held(frame, result)
        scope = replace(scope, result="result")
    size = min(ENDLESS, frame.facts.bound + result.size)
    assigned = assigning.assign(frame, state, state.assign, scope, size, hold=guarded, later=(state.output,))
    shaping.output(frame, state, state.output, scope, result, in_place=not guarded)
    return assigned


def _selected(frame: Frame, state: Fallible, result: Result, scope: data.Scope) -> Result:
    """ResultSelector."""
    node = state.result_selector
    assert node is not None
    piece = frame.traces.seen("afterResultSelector", data.expression(node, scope.on("result"), "ResultSelector"))
    exclusive = result.exclusive and not data.shared(node) and only_once(node)
    return Result(piece, bound(node, min(result.size, 4 * PAYLOAD), scope.variables), exclusive=exclusive, whole=result.whole)


_POSITIVE = ("TimeoutSeconds", "HeartbeatSeconds")  # ASL: where a 0 that the data gives is as wrong as one in the definition


def number(frame: Frame, node: Scalar, scope: data.Scope, field: str, role: Role = "timeout") -> Piece:
    """A whole number: the constant in ``field``, what its JSONata gives, or what the path in its ``Path`` form selects."""
    if isinstance(node, Literal):
        return Leaf(literal(node.value))
    least = ("1",) if field in _POSITIVE else ()
    if isinstance(node, Jsonata):
        return call("count_of", jsonata.expression(node, scope, field, "number"), shaping.text(frame, node.text), f'"{field}"', *least)
    field = f"{field}Path"
    return call("seconds_of", data.path(node, scope, field, role), shaping.text(frame, node.text), f'"{field}"', *least)


def given(frame: Frame, state: Task | Parallel, scope: data.Scope) -> Piece:
    """Parameters, or Arguments."""
    assert state.parameters is not None
    field = "Arguments" if state.jsonata else "Parameters"
    return frame.traces.seen(f"after{field}", data.expression(state.parameters, scope, field))


def limited(frame: Frame, state: Task | Parallel, payload: Piece, scope: data.Scope) -> Piece:
    """What Parameters make is measured where it can be over the limit by more than what a definition adds in names and constants."""
    received = shaping.received(frame.facts, state.input_path, scope)
    most = received if state.parameters is None else bound(state.parameters, received, scope.variables)
    if most <= PAYLOAD + WRAPPING:
        return payload
    what = "what the function gets" if isinstance(state, Task) else "what the branches get"
    frame.unit.because(state, "check", f"{what} {shaping.may_have(most)}")
    frame.source.statement("given = ", payload)
    with frame.source.block(f"if not {shaping.measure(most)}(given, {PAYLOAD}):"):
        frame.source.line(f"raise too_large({shaping.text(frame, state.name)})")
    return Leaf("given")


def _called(
    frame: Frame,
    state: Fallible,
    name: str,
    payload: Piece | str,
    attempt: str,
    timeout: Piece | None = None,
    heartbeat: Piece | None = None,
) -> Piece:
    """One call of what is bound to a state."""
    if called_back(frame, state):
        given: list[Piece | str] = [frame.unit.execution(), name, payload, shaping.text(frame, state.name), attempt, TOKEN]
        return call("await call_back", *given, timeout or "None", heartbeat or "None")
    function = "await call" if frame.unit.bindings[state.location].inline is None else "call_inline"
    arguments: list[Piece | str] = [frame.unit.execution(), name, payload, shaping.text(frame, state.name), attempt]
    return call(function, *arguments, *(() if timeout is None else (timeout,)))


def called_back(frame: Frame, state: Fallible) -> bool:
    """Whether what is bound to a state waits for somebody outside; a mock does not."""
    return getattr(frame.unit.bindings[state.location], "called_back", False) is True


class _Task:
    """Payload, call, result."""

    def __init__(self, frame: Frame, state: Task) -> None:
        self.frame, self.state = frame, state
        self.binding = frame.unit.bindings[state.location]
        self.name = frame.unit.object(self.binding, state.name, "_task")
        plain = getattr(self.binding, "plain", None)
        # The bare function, if calling it and adopting what it returns is all there is to do
        self.function = None
        if plain is not None and state.timeout_seconds is None:
            self.function = frame.unit.object(plain, getattr(plain, "__name__", state.name))

    def write(self, scope: data.Scope, attempt: str) -> Result:
        state, frame, source = self.state, self.frame, self.frame.source
        if state.resource.endswith(".waitForTaskToken"):
            source.line(f"{TOKEN} = new_token()")
            scope = replace(scope, token=TOKEN)
        timeout = self._timeout(scope)
        heartbeat = self._heartbeat(scope)
        if state.credentials is not None and any(data.queries(state.credentials)):
            source.statement("", data.expression(state.credentials, scope, "Credentials"))
        payload: Piece = Leaf(scope.variable)
        if state.parameters is not None:
            payload = given(frame, state, scope)
        payload = limited(frame, state, payload, scope)
        self._explain()
        if self.function is not None and self._flat(payload, scope):
            payload = self._copied(scope.variable)
        elif not self._given_away():
            payload = call("copy", payload)
        if self.function is not None:
            # What goes wrong inside this `try` is the function's, so the payload is computed before it
            if flat(payload) not in (scope.variable, "given"):
                source.statement("given = ", payload)
                payload = Leaf("given")
            with source.block("try:"):
                source.statement("result = ", call(self.function, payload))
            with source.block("except BaseException as error:"):
                source.line(f"raise {self.name}.raised(error, execution) from None")
            piece: Piece = call("adopt", "result", str(PAYLOAD), shaping.text(frame, self.binding.resource))
        else:
            piece = _called(frame, state, self.name, payload, attempt, timeout, heartbeat)
        return Result(piece, PAYLOAD + (WRAPPING if self._wraps else 0), exclusive=True, whole=False)

    @property
    def _wraps(self) -> bool:
        return not self.state.resource.startswith("arn:aws:lambda")

    def _given_away(self) -> bool:
        """Whether nobody looks at the payload, or at anything in it, once the function has it; and nothing is in it twice."""
        return self._kept() is None

    def _kept(self) -> str | None:
        """Why the function gets a copy of the payload."""
        state = self.state
        if getattr(self.binding, "reads_only", False) is True:
            return None
        if any("input" in query.states for query in data.queries((state.output, state.assign, state.catch))):
            return "JSONata reads the state's input after the call"
        if state.retry:
            return "another attempt must get the same"
        if state.result_path != ROOT:
            return "the input goes on after the call (ResultPath)"
        if not self.frame.facts.exclusive:
            return "something else may hold parts of the input, too"
        if data.shared(state.parameters):
            return "it has parts that the definition or the Context Object has, too"
        if not only_once(state.parameters):
            return "something may be in it twice"
        if any(catcher.result_path != ROOT for catcher in state.catch):
            return "the input goes on where an error is caught (ResultPath)"
        return None

    def _explain(self) -> None:
        """Writes down how the function is called, and why it gets a copy."""
        unit, state, binding = self.frame.unit, self.state, self.binding
        if self.function is not None:
            unit.because(state, "call", "straight: it runs inline and takes no context, and the state has no TimeoutSeconds")
        elif binding.inline is not None:
            plain = getattr(binding, "plain", None) is not None
            reason = (
                "its TimeoutSeconds is judged after it has returned" if plain else "it takes the context, or its resource wraps the result"
            )
            unit.because(state, "call", f"inline, through a call of the engine: {reason}")
        else:
            run = getattr(getattr(binding, "function", None), "run", None)
            unit.because(
                state, "call", f"awaited: its function runs as {run}" if run else "awaited: what it calls is known when it is reached"
            )
        kept = self._kept()
        if kept is not None:
            unit.because(state, "copy", f"of what the function gets: {kept}")

    def _flat(self, payload: Piece, scope: data.Scope) -> bool:
        """Whether the payload must be copied and is the data itself, of few fields: often all plain, and then copied without a call."""
        fields = self.frame.facts.fields
        return flat(payload) == scope.variable == "data" and fields is not None and len(fields) <= FEW and not self._given_away()

    def _copied(self, variable: str) -> Leaf:
        source = self.frame.source
        source.line(f"given = {variable}.copy()")
        with source.block("for value in given.values():"), source.block("if value.__class__ in CONTAINERS:"):
            source.line(f"given = copy({variable})")
            source.line("break")
        return Leaf("given")

    def _heartbeat(self, scope: data.Scope) -> Piece | None:
        """HeartbeatSeconds concern who waits to be called back. Elsewhere nobody uses them, but they may fail."""
        node = self.state.heartbeat_seconds
        if not isinstance(node, Path | Jsonata):
            return None if node is None else Leaf(literal(node.value))
        piece = number(self.frame, node, scope, "HeartbeatSeconds")
        used = called_back(self.frame, self.state)
        self.frame.source.statement("heartbeat = " if used else "", piece)
        return Leaf("heartbeat") if used else None

    def _timeout(self, scope: data.Scope) -> Piece | None:
        """TimeoutSeconds; TimeoutSecondsPath is evaluated before Parameters are."""
        node = self.state.timeout_seconds
        if node is None or isinstance(node, Literal):
            return None if node is None else Leaf(literal(node.value))
        self.frame.source.statement("timeout = ", number(self.frame, node, scope, "TimeoutSeconds"))
        return Leaf("timeout")


class _Parallel:
    """All branches on the same input; their results in a list."""

    def __init__(self, frame: Frame, state: Parallel) -> None:
        self.frame, self.state = frame, state
        self.mock = frame.flow.plans.mock(state)
        branches = () if self.mock is not None else state.branches
        self.entries = [
            frame.machine(state, branch, f"{state.name} branch {position}", "branch", frame.item)
            for position, branch in enumerate(branches, 1)
        ]

    def write(self, scope: data.Scope, attempt: str) -> Result:
        state, frame = self.state, self.frame
        _emptied(frame)
        payload: Piece = Leaf(scope.variable) if state.parameters is None else given(frame, state, scope)
        payload = limited(frame, state, payload, scope)
        variable = flat(payload)
        if state.parameters is not None and variable != "given":
            frame.source.statement("given = ", payload)
            variable = "given"
        if self.mock is not None:
            name = frame.unit.object(self.mock, state.name, "_mock")
            return Result(_called(frame, state, name, variable, attempt), ENDLESS)
        # Inside a Map, a branch is told the item; and the variables that it reads
        besides = [
            [*(frame.item or ()), *entry.given, *frame.traces.inside(str(index)), *frame.unit.stored]
            for index, entry in enumerate(self.entries)
        ]
        items = ["".join(f", {name}" for name in more) for more in besides]
        if all(entry.plain for entry in self.entries):
            calls = tuple(("", Leaf(f"{entry.name}({variable}, execution{item})")) for entry, item in zip(self.entries, items, strict=True))
            return Result(Display("[", calls, "]"), ENDLESS)
        names = [
            f"lambda data, execution: {entry.name}(data, execution{item})" if item else entry.name
            for entry, item in zip(self.entries, items, strict=True)
        ]
        branches = Display("[", tuple(("", Leaf(name)) for name in names), "]")
        return Result(call("await parallel", frame.unit.execution(), branches, variable), ENDLESS)


class _Map:
    """The processor on every item; its results in a list."""

    item = ("index", "item_value")

    def __init__(self, frame: Frame, state: Map) -> None:
        self.frame, self.state = frame, state
        self.mock = frame.flow.plans.mock(state)
        self.entry = None if self.mock is not None else frame.machine(state, state.processor, f"{state.name} item", "body", self.item)

    def write(self, scope: data.Scope, attempt: str) -> Result:
        state, frame, source = self.state, self.frame, self.frame.source
        _emptied(frame)
        read = getattr(self.mock, "items", None)  # by an ItemReader, so it is said
        if read is not None:
            source.line(f"items = {frame.unit.object(read, state.name, '_read')}")
        else:
            source.statement("items = ", self._items(scope))
        maker = "None"
        if state.parameters is not None:
            maker = frame.names.new(state.name, "_selected")
            inner = replace(scope, item=self.item, known={})
            source.gap()
            with source.block(f"def {maker}({', '.join(self.item)}):"):
                source.statement("return ", data.expression(state.parameters, inner, "ItemSelector"))
            source.gap()
        if read is None:
            maker = self._measured(scope, maker)
        concurrency = number(frame, state.max_concurrency, scope, "MaxConcurrency")
        transitions = str(len(state.processor.states))
        if self.entry is None:
            return self._mocked(scope, attempt, maker, concurrency)
        for _, limit in self._tolerated(scope):
            if not isinstance(limit, Leaf):  # means something for a distributed Map only, but JSONata may fail
                source.statement("", limit)
        body = self.entry.name
        if besides := [*self.entry.given, *frame.traces.inside(self.item[0]), *frame.unit.stored]:
            given = ", ".join(["data", "execution", *self.item])
            body = f"lambda {given}: {body}({', '.join([given, *besides])})"
        return Result(call("await each", frame.unit.execution(), body, "items", concurrency, maker, transitions), ENDLESS)

    def _measured(self, scope: data.Scope, maker: str) -> str:
        """Inputs of iterations are measured one by one only where one could be too large, and the data is large enough for that."""
        state, frame = self.state, self.frame
        least = self._harmless(scope)
        if least is None:
            return maker
        frame.unit.because(state, "check", "what an iteration gets may be too large: measured one by one where the data is large")
        measured = frame.names.new(state.name, "_measured")
        measuring = call("measured", maker, shaping.text(frame, state.name), "at_most_shared")
        if least <= 0:
            frame.source.statement(f"{measured} = ", measuring)
            return measured
        variable, size = scope.variable, shaping.received(frame.facts, state.input_path, scope)
        if state.jsonata and state.parameters is None:
            variable, size = "items", ENDLESS  # none of them is larger than all together
        frame.source.line(f"{measured} = {maker}")
        with frame.source.block(f"if not {shaping.measure(size)}({variable}, {least}):"):
            frame.source.statement(f"{measured} = ", measuring)
        return measured

    def _harmless(self, scope: data.Scope) -> int | None:
        """The most bytes of the effective input with which no iteration can get too much; None where none ever does."""
        state, variables = self.state, scope.variables
        received = shaping.received(self.frame.facts, state.input_path, scope)
        node, allowed = state.parameters, PAYLOAD + WRAPPING
        if node is None:
            # Items of JSONPath are parts of something that has been measured
            return PAYLOAD if state.items is not None and bound(state.items, received, variables) > allowed else None
        item = _items_of(state)
        if bound(node, received, variables, item) <= allowed:
            return None
        low, high = 0, min(received, PAYLOAD)  # the bound grows with the data
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if bound(node, middle, variables, item) <= allowed else (low, middle - 1)
        return low

    def _mocked(self, scope: data.Scope, attempt: str, maker: str, concurrency: Piece) -> Result:
        """What is called instead gets the inputs of all iterations."""
        state, frame = self.state, self.frame
        frame.traces.tell("maxConcurrency", concurrency)
        for field, limit in self._tolerated(scope):
            frame.traces.tell(field[0].lower() + field[1:], limit)
        given: Piece = Leaf("items")
        if maker != "None":
            given = call("await each", frame.unit.execution(), "lambda data, execution, index, item_value: data", "items", "1", maker)
            given = frame.traces.seen("afterItemSelector", given)
        name = frame.unit.object(self.mock, state.name, "_mock")
        return Result(_called(frame, state, name, given, attempt), ENDLESS)

    def _tolerated(self, scope: data.Scope) -> Iterator[tuple[str, Piece]]:
        """ToleratedFailureCount and -Percentage, where they are given; a percentage may be a fraction."""
        count, percentage = self.state.tolerated_failure_count, self.state.tolerated_failure_percentage
        if count is not None:
            yield "ToleratedFailureCount", number(self.frame, count, scope, "ToleratedFailureCount")
        if isinstance(percentage, Jsonata):
            yield "ToleratedFailurePercentage", jsonata.expression(percentage, scope, "ToleratedFailurePercentage", "number")
        elif percentage is not None:
            yield "ToleratedFailurePercentage", number(self.frame, percentage, scope, "ToleratedFailurePercentage")

    def _items(self, scope: data.Scope) -> Piece:
        state, frame = self.state, self.frame
        if not state.jsonata:
            items = data.path(state.items_path, scope, "ItemsPath", "items")
            return frame.traces.seen("afterItemsPath", call("array_of", items, shaping.text(frame, state.items_path.text)))
        if state.items is None:
            return call("items_of", scope.variable)
        if isinstance(state.items, Jsonata):
            return jsonata.expression(state.items, scope, "Items", "array")
        return data.expression(state.items, scope, "Items")


def _items_of(state: Map) -> Path | None:
    """The path to the array whose items a Map takes, where they are parts of its effective input."""
    if not state.jsonata:
        return state.items_path if state.items_path.root == "$" and definite(state.items_path) else None
    if state.items is None:
        return INPUT
    return members(state.items) if isinstance(state.items, Jsonata) else None


def _emptied(frame: Frame) -> None:
    """Nothing is left of what ran in this machine before."""
    if frame.unit.stored:
        frame.source.line("emptied(stored)")


_ATTEMPTS: dict[type[Fallible], Callable[[Frame, Any], Attempt]] = {Task: _Task, Parallel: _Parallel, Map: _Map}
