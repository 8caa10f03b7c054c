"""One function per type of state: each writes the Python of a state and says which state the code goes on with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace

from express.compiler import assigning, choice, data, jsonata, shaping, tasks
from express.compiler.facts import bound, only_once
from express.compiler.graph import alike
from express.compiler.shaping import Result
from express.compiler.source import Display, Leaf, Piece, call, flat
from express.language.model import (
    ROOT,
    Call,
    Choice,
    Fail,
    Jsonata,
    Literal,
    Map,
    ObjectTemplate,
    Parallel,
    Pass,
    Path,
    Rule,
    Scalar,
    State,
    Succeed,
    Task,
    Wait,
)
from express.runtime import timestamps
from express.runtime.values import size

if TYPE_CHECKING:
    from express.compiler.flow import Frame


class Left:
    """All ways out of a state are written."""


LEFT = Left()
Following: TypeAlias = str | Left | None  # None is the machine's end


def title(state: State) -> str:
    """A comment for a state. ``ascii`` keeps line breaks and everything that is not printable out of the code."""
    return f"{state.name!a}: {type(state).__name__}"


def _pass(frame: Frame, state: Pass) -> Following:
    scope = shaping.begin(frame, state)
    if state.jsonata:
        assigned = assigning.assign(frame, state, state.assign, scope, frame.facts.bound, later=(state.output,))
        shaping.output(frame, state, state.output, scope)
    else:
        assigned = _put(frame, state, scope)
    shaping.limit(frame, state)
    assigning.commit(frame, assigned)
    shaping.leave(frame, state, state.next)
    return state.next


def _put(frame: Frame, state: Pass, scope: data.Scope) -> assigning.Assigned:
    """A Pass of JSONPath: its result, Assign, ResultPath, OutputPath."""
    inner = shaping.effective(frame, state, scope)
    result = _passed(frame, state, inner)
    if any(data.paths(state.assign, "$")) or (state.parameters is not None and any(data.may_fail(node) for _, node in state.assign)):
        result = shaping.held(frame, result)  # Parameters come first: what they fail with is the state's failure
    later = (state.parameters, state.output_path)
    received = inner.on(flat(result.piece))
    assigned = assigning.assign(frame, state, state.assign, received, result.size, later=later)
    if not (flat(result.piece) == "data" and state.result_path == ROOT):
        shaping.put(frame, state, state.result_path, result)
    frame.traces.note("afterResultPath")
    shaping.limit(frame, state)
    shaping.narrow(frame, state, state.output_path, scope, "OutputPath")
    return assigned


def _passed(frame: Frame, state: Pass, scope: data.Scope) -> Result:
    """What a Pass gives out: its Result, what its Parameters make, or its input."""
    facts = frame.facts
    received = shaping.received(facts, state.input_path, scope)
    if state.result is not None:
        constant = state.result.value
        piece = data.value(constant, frame.unit, state.name)
        written = piece.text[0] in "{["
        fields = frozenset(constant) if isinstance(constant, dict) and written else None
        return Result(piece, size(constant), exclusive=written or not isinstance(constant, (dict, list)), whole=False, fields=fields)
    if state.parameters is not None:
        node = state.parameters
        fields = frozenset(name for name, _ in node.fields) if isinstance(node, ObjectTemplate) else None
        exclusive = facts.exclusive and not data.shared(node) and only_once(node)
        return Result(
            frame.traces.seen("afterParameters", data.expression(node, scope, "Parameters")),
            bound(node, received, scope.variables),
            exclusive=exclusive,
            whole=data.holds_whole_input(node),
            fields=fields,
        )
    return Result(Leaf(scope.variable), received, exclusive=facts.exclusive and state.result_path == ROOT)


def _succeed(frame: Frame, state: Succeed) -> Following:
    scope = shaping.begin(frame, state)
    shaping.narrow(frame, state, state.input_path, scope, "InputPath")
    shaping.output(frame, state, state.output, scope)
    shaping.narrow(frame, state, state.output_path, scope, "OutputPath")
    shaping.limit(frame, state)
    shaping.leave(frame, state, None)
    return None


def _fail(frame: Frame, state: Fail) -> Following:
    shaping.settle(frame)
    scope = shaping.begin(frame, state)

    def part(node: Scalar | Call | None, field: str) -> Piece:
        if node is None:
            return Leaf("None")
        if isinstance(node, Literal):
            return data.value(node.value, frame.unit, f"{state.name} {field}")
        if isinstance(node, Jsonata):
            return jsonata.expression(node, scope, field, "string")
        return call("text_of", data.expression(node, scope, f"{field}Path"), shaping.text(frame, node.text), f'"{field}Path"')

    frame.source.statement("raise ", call("StateError", part(state.error, "Error"), part(state.cause, "Cause")))
    return LEFT


def _choice(frame: Frame, state: Choice) -> Following:
    scope = shaping.begin(frame, state)
    shaping.narrow(frame, state, state.input_path, scope, "InputPath")
    conditions: choice.Queries | choice.Conditions
    if state.jsonata:
        conditions = choice.Queries(state.rules, scope)
    else:
        conditions = choice.Conditions(state.rules, scope, frame.names)
    rules = list(state.rules)
    while rules:
        # Rules in a row that lead to the same state are one condition
        rule = rules.pop(0)
        together = [rule]
        while rules and alike(rule, rules[0]):
            together.append(rules.pop(0))
        first = conditions.first(rule)
        if first is not None:
            frame.source.statement(f"{first[0]} = ", first[1])
        first_number = len(state.rules) - len(rules) - len(together)
        pieces = [frame.traces.ruled(first_number, conditions.write(rule))]
        certain = dict(scope.known)  # where one of the later rules is not reached, what it reads is not known
        pieces += [frame.traces.ruled(number, conditions.write(one)) for number, one in enumerate(together[1:], first_number + 1)]
        piece = pieces[0] if len(pieces) == 1 else Display("(", tuple(("", one) for one in pieces), ")", "or")
        known, scope.known = scope.known, dict(certain)
        frame.facts = replace(frame.facts, known=certain)
        with frame.source.when(piece), frame.branch():
            place = f"Choices[{len(state.rules) - len(rules) - 1}]/"
            _chosen(frame, state, scope, rule, place)
            frame.go(rule.next)
        scope.known = known
        frame.facts = replace(frame.facts, known=dict(known))
    if state.default is None:
        shaping.settle(frame)
        frame.source.line("raise no_choice()")
        return LEFT
    _chosen(frame, state, scope, state, "")
    return state.default


def _chosen(frame: Frame, state: Choice, scope: data.Scope, way: Rule | Choice, place: str) -> None:
    """The way out of a Choice: Assign and Output of the rule that is taken, or the state's on the way to Default."""
    target = way.next if isinstance(way, Rule) else way.default
    later = (way.output, state.output_path)
    assigned = assigning.assign(frame, state, way.assign, scope, frame.facts.bound, later=later, field=f"{place}Assign")
    shaping.output(frame, state, way.output, scope, field=f"{place}Output")
    shaping.narrow(frame, state, state.output_path, scope, "OutputPath")
    shaping.limit(frame, state)
    assigning.commit(frame, assigned)
    shaping.leave(frame, state, target)


def _wait(frame: Frame, state: Wait) -> Following:
    shaping.settle(frame)
    frame.measures.entered(frame.unit.numbers[state.location])
    scope = shaping.begin(frame, state)
    shaping.narrow(frame, state, state.input_path, scope, "InputPath")
    frame.source.statement("await ", call("sleep", frame.unit.execution(), _seconds(frame, state, scope)))
    later = (state.output, state.output_path)
    assigned = assigning.assign(frame, state, state.assign, scope, frame.facts.bound, later=later)
    shaping.output(frame, state, state.output, scope)
    shaping.narrow(frame, state, state.output_path, scope, "OutputPath")
    shaping.limit(frame, state)
    assigning.commit(frame, assigned)
    shaping.leave(frame, state, state.next)
    return state.next


def _seconds(frame: Frame, state: Wait, scope: data.Scope) -> Piece:
    """How long a Wait takes."""
    if state.seconds is not None:
        return tasks.number(frame, state.seconds, scope, "Seconds", "seconds")
    execution = frame.unit.execution()
    if isinstance(state.timestamp, Path):
        moment = data.path(state.timestamp, scope, "TimestampPath", "timestamp")
        return call("until", execution, moment, shaping.text(frame, state.timestamp.text))
    if isinstance(state.timestamp, Jsonata):
        return call("moment", execution, jsonata.expression(state.timestamp, scope, "Timestamp", "string"))
    assert state.timestamp is not None
    return Leaf(f"{timestamps.seconds(state.timestamp.value)!r} - {execution}.clock.wall()")


def _fallible(frame: Frame, state: Task | Parallel | Map) -> Following:
    tasks.write(frame, state)
    return state.next


WRITERS: dict[type[State], Callable[[Frame, Any], Following]] = {
    Pass: _pass,
    Succeed: _succeed,
    Fail: _fail,
    Choice: _choice,
    Wait: _wait,
    Task: _fallible,
    Parallel: _fallible,
    Map: _fallible,
}
