"""Text in, text out: an event is decoded only as far as the workflow looks at it, and nobody can tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import express
from express.compiler import projection
from express.compiler.graph import Plan, Plans
from express.language import load
from express.outcome import unsuccessful
from express.runtime.context import Execution
from express.runtime.decoding import Undecodable
from tests.compiler.machines import choice, machine, pass_, task

Compiled = Callable[..., express.Program]

SLIM = pass_(Parameters={"id.$": "$.id", "tier.$": "$.customer.tier"})
CHECK = choice({"Variable": "$.total", "NumericGreaterThan": 0, "Next": "Slim"}, default="Empty")
ORDERS = machine(Check=CHECK, Slim=SLIM | {"End": True}, Empty={"Type": "Fail", "Error": "Empty", "CausePath": "$.why"})


def shape(definition: dict[str, Any]) -> Any:
    workflow = load(definition).workflow
    assert workflow is not None
    found = projection.of(Plan(workflow, Plans({})))
    return None if found is None else found.shape


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (ORDERS, {"total": {}, "id": {}, "customer": {"tier": {}}, "why": {}}),
        (machine(S=pass_(Parameters={"a.$": "$.x.y", "b.$": "$.x"})), {"x": {}}),
        (machine(S=pass_(Parameters={"a.$": "$.x", "b.$": "$.x.y"})), {"x": {}}),
        (machine(S=pass_(Parameters={"a.$": "$.list[0].y", "n.$": "States.ArrayLength($.other)"})), {"list": {}, "other": {}}),
        (machine(S=pass_(Parameters={"a.$": "$..y"})), None),
        (machine(S=pass_(Parameters={"a.$": "$"})), None),
        (machine(S=pass_(Parameters={"a.$": "$.a", "b.$": "$.größe"})), None),  # msgspec would not find it
        (machine(S=pass_(Parameters={"a.$": "$.a"}, ResultPath="$.r")), None),
        (machine(S=pass_()), None),
        (machine(S={"Type": "Succeed"}), None),
    ],
)
def test_what_a_workflow_looks_at(definition: dict[str, Any], expected: Any) -> None:
    assert shape(definition) == expected


def processed(program: express.Program, text: bytes) -> Any:
    """The output, or how it failed, of ``process``; the same of ``evaluate``."""
    found: list[Any] = []
    for whole in (False, True):
        execution = Execution(program, None, 0.0, 300.0)
        try:
            if whole:
                execution.input = json.loads(text)
                found.append(program.evaluate(execution.input, execution))
            else:
                found.append(json.loads(program.process(text, execution)))
        except Exception as error:
            outcome = unsuccessful(error, program, execution)
            found.append((outcome.error, outcome.cause, outcome.state))
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    "event",
    [
        {"total": 5, "id": "x", "customer": {"tier": "gold", "more": [1]}, "items": [{"a": 1}]},
        {"total": 5, "id": "é", "customer": {"tier": None}},
        {"total": 5, "customer": {"tier": 1}, "other": 7},
        {"total": 5, "id": 1, "customer": "text"},
        {"total": 0, "why": "none", "x": [1, 2]},
        {"total": 0, "other": {"deep": 1}},
        {"id": 1},
        [1, 2],
        None,
        5,
    ],
)
def test_nobody_can_tell_what_was_not_decoded(compiled: Compiled, event: Any) -> None:
    processed(compiled(ORDERS), json.dumps(event).encode())


def queried(**states: dict[str, Any]) -> dict[str, Any]:
    return {**machine(**states), "QueryLanguage": "JSONata"}


def rule(**fields: Any) -> dict[str, Any]:
    """A Choice in JSONata with one rule, to B, and C by default."""
    return {
        "Type": "Choice",
        "QueryLanguage": "JSONata",
        "Choices": [{"Condition": "{% $states.input.a.b = 1 %}", "Next": "B"}],
        "Default": "C",
        **fields,
    }


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (queried(A=pass_(Output={"a": "{% $states.input.a %}", "l": "{% $states.input.l[n > 1].n %}"})), {"a": {}, "l": {}}),
        (queried(A={"Type": "Succeed", "Output": "{% $states.input.a.b %}"}), {"a": {"b": {}}}),
        (queried(A=pass_(Output="{% $states.input %}")), None),
        (queried(A=pass_(), B=pass_(Output=1)), None),
        (queried(A=rule(Output="{% $states.input.l %}"), B=pass_(Output=1, End=True), C={"Type": "Succeed"}), None),
        (queried(A=rule(), B=pass_(Output="{% $states.input.l %}", End=True), C=pass_(Output=1)), {"a": {"b": {}}, "l": {}}),
        (machine(A=rule(), B=pass_(Parameters={"l.$": "$.l"}, End=True), C=pass_(Parameters={})), {"a": {"b": {}}, "l": {}}),
    ],
)
def test_what_a_workflow_in_jsonata_looks_at(definition: dict[str, Any], expected: Any) -> None:
    assert shape(definition) == expected


CAUGHT = [{"ErrorEquals": ["States.ALL"], "Next": "End", "Output": "{% $states.input.l %}"}]


@pytest.mark.parametrize(
    "state",
    [
        pass_(Output={"l": "{% $states.input.l[n > 1] %}"}),
        rule(
            Output="{% $states.input.l %}",
            Default="End",
            Choices=[{"Condition": "{% $states.input.a.b = 1 %}", "Next": "End", "Output": "{% $states.input.other %}"}],
        ),
        task("echo", Arguments={"a": "{% $states.input.a %}"}, Output="{% $states.input.l %}"),
        task("echo", Arguments={"a": "{% $states.input.a %}"}, Catch=CAUGHT, Output="{% $states.result.nothing %}"),
        task("echo", Arguments={"a": "{% $states.input.a %}"}, TimeoutSeconds="{% $states.input.t %}"),
        task("echo", Output="{% $states.input.l %}"),
        {"Type": "Fail", "Error": "E", "Cause": "{% $states.input.other %}"},
    ],
)
def test_nobody_can_tell_what_was_not_decoded_for_jsonata(compiled: Compiled, state: dict[str, Any]) -> None:
    states = {"A": state} if state["Type"] == "Fail" else {"A": state, "End": pass_()}
    program = compiled(queried(**states), functions={"echo": lambda event: event})
    for event in ({"a": {"b": 1}, "l": [{"n": 1}, {"n": 2}], "other": "x", "t": 5}, {"a": 1}, [{"a": 1, "l": 1, "other": "y"}], None):
        processed(program, json.dumps(event).encode())


def test_a_failure_shows_the_whole_event(compiled: Compiled) -> None:
    error, cause, _ = processed(compiled(ORDERS), b'{"total":1,"customer":{},"unseen":[1,2]}')
    assert error == "States.Runtime"
    assert 'in the input \'{"total":1,"customer":{},"unseen":[1,2]}\'' in cause


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"total":1}x', b"\xff\xfe", b'{"total": 1, "x": "\xff"}', b'{"a": NaN}', b'{"total": 1e999}']
)
def test_what_is_not_json_is_refused_wherever_it_is(compiled: Compiled, text: bytes) -> None:
    program = compiled(ORDERS)
    with pytest.raises(Undecodable):
        program.process(text, None)
    assert program.metrics is not None
    assert program.metrics.started == [0]


def test_integers_of_any_size_go_in_and_out(compiled: Compiled) -> None:
    program = compiled(machine(S=pass_(Parameters={"n.$": "$.n"})))
    assert program.process(b'{"n":123456789012345678901234567890,"m":1}', None) == b'{"n":123456789012345678901234567890}'


def test_an_output_over_the_limit_names_the_state_that_made_it(compiled: Compiled) -> None:
    program = compiled(machine(A=pass_(Parameters={"x.$": "$.x", "y.$": "$.x"}), B=pass_(Result=1, ResultPath="$.b")))
    with pytest.raises(Exception, match=r"States\.DataLimitExceeded"):
        program.process(json.dumps({"x": "x" * 140_000}).encode(), None)
    error, _, state = processed(program, json.dumps({"x": "x" * 140_000}).encode())
    assert (error, state) == ("States.DataLimitExceeded", "A")


def test_who_looks_at_the_execution_s_input_gets_all_of_it(compiled: Compiled) -> None:
    program = compiled(machine(A=pass_(Parameters={"a.$": "$.a"}), B=pass_(Parameters={"in.$": "$$.Execution.Input"})))
    assert processed(program, b'{"a":1,"b":2}') == {"in": {"a": 1, "b": 2}}


def test_both_ways_count_into_the_same_metrics(compiled: Compiled) -> None:
    program = compiled(ORDERS)
    text = b'{"total":5,"id":"x","customer":{"tier":"gold"}}'
    for _ in range(3):
        processed(program, text)
    assert program.metrics is not None
    assert program.metrics.started == [6]
    assert program.metrics.statuses["SUCCEEDED"] == 6
    assert [program.metrics.entries(number) for number in range(3)] == [6, 6, 0]


def test_only_a_plain_program_turns_text_into_text_at_once(compiled: Compiled) -> None:
    with pytest.raises(TypeError):
        _ = compiled(machine(W={"Type": "Wait", "Seconds": 1})).process


def test_a_task_gets_what_it_was_given_only(compiled: Compiled) -> None:
    seen: list[Any] = []
    program = compiled(machine(T=task("f", Parameters={"a.$": "$.a"})), functions={"f": lambda event: seen.append(event)})
    assert program.process(b'{"a":{"b":[1]},"c":1}', None) == b"null"
    assert seen == [{"a": {"b": [1]}}]


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        (
            {"Parameters": {"x.$": "$.b", "y.$": "$.c"}},
            """'$.c' specified for the field 'y.$' could not be found in the input '{"a":1,"b":2}'""",
        ),
        ({"ResultSelector": {"r.$": "$.a"}}, """'$.a' specified for the field 'r.$' could not be found in the input '{"made":1}'"""),
        ({"OutputPath": "$.a"}, "Invalid path '$.a' : No results for path: $['a']"),
    ],
)
def test_a_failure_shows_the_event_only_where_the_event_was_looked_at(compiled: Compiled, lost: dict[str, Any], sentence: str) -> None:
    program = compiled(machine(T=task("f", **{"Parameters": {"x.$": "$.a"}, **lost})), functions={"f": lambda event: {"made": 1}})
    error, cause, _ = processed(program, b'{"a":1,"b":2}')
    assert error == "States.Runtime"
    assert cause.endswith(sentence)


def test_a_name_beyond_ascii_is_found_in_text() -> None:
    program = express.compile(machine(S=pass_(Parameters={"a.$": "$.größe", "n.$": "$.n"})))
    for text in ('{"n": 1, "größe": 2}', '{"n": 1, "gr\\u00f6\\u00dfe": 2}'):
        assert json.loads(program.process(text.encode(), None)) == {"a": 2, "n": 1}
