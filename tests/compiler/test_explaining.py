"""Why the code of a state is as it is, as ``express compile --explain`` says it."""

from __future__ import annotations

from typing import Any

import pytest

import express
from express.compiler.explaining import Reason
from tests.compiler.machines import choice, counts, machine, map_, pass_, task

INLINE = express.function("f", run="inline")(lambda event: event)
THREAD = express.function("f")(lambda event: event)
WITH_CONTEXT = express.function("f", run="inline")(lambda event, context: event)


def reasons(definition: dict[str, Any], function: Any = INLINE) -> list[Reason]:
    return express.compile(definition, "m", {"f": function}).reasons()


def said(definition: dict[str, Any], state: str, about: str, function: Any = INLINE) -> list[str]:
    return [reason.text for reason in reasons(definition, function) if (reason.state, reason.about) == (state, about)]


def test_definite_paths_and_intrinsics_are_code_and_others_are_walked() -> None:
    fields = {"a.$": "$.a.b[0]", "b.$": "States.Format('{}', $.c)", "c.$": "$.d[*].e", "d.$": "States.ArrayLength($.f[1:])"}
    found = machine(P=pass_(Parameters=fields))
    assert said(found, "P", "code") == ["$.a.b[0], States.Format('{}', $.c), States.ArrayLength($.f[1:])"]
    assert said(found, "P", "path") == ["$.d[*].e: it may select several values", "$.f[1:]: it may select several values"]


def test_jsonata_of_common_shapes_is_code_and_the_rest_is_the_library_s_with_the_reason() -> None:
    common, rare = "$states.input.total > 5", "$sort($states.input.all, function($a, $b) { $a.n > $b.n })"
    found = machine(P=pass_(Output={"a": f"{{% {common} %}}", "b": f"{{% {rare} %}}"}))
    found["QueryLanguage"] = "JSONata"
    assert said(found, "P", "code") == [common]
    (reason,) = said(found, "P", "library")
    assert reason.startswith("$sort($states.input.all")
    source = express.compile(found).source
    assert source.count("_query(") == 1, "one expression goes to the library"


def test_the_expressions_inside_a_map_are_those_of_its_states() -> None:
    found = machine(M=map_(machine(X=pass_(Parameters={"x.$": "$.x"})), ItemsPath="$.all"))
    assert said(found, "M", "code") == ["$.all"]
    assert said(found, "X", "code") == ["$.x"]


CALLS = {
    "straight": (INLINE, {}, "straight: it runs inline and takes no context, and the state has no TimeoutSeconds"),
    "with a timeout": (
        INLINE,
        {"TimeoutSeconds": 5},
        "inline, through a call of the engine: its TimeoutSeconds is judged after it has returned",
    ),
    "with a context": (
        WITH_CONTEXT,
        {},
        "inline, through a call of the engine: it takes the context, or its resource wraps the result",
    ),
    "thread": (THREAD, {}, "awaited: its function runs as thread"),
}


@pytest.mark.parametrize("name", CALLS)
def test_how_a_task_is_called(name: str) -> None:
    function, fields, words = CALLS[name]
    assert said(machine(T=task("f", **fields)), "T", "call", function) == [words]


COPIES: dict[str, tuple[dict[str, Any], str | None]] = {
    "nothing needs it": ({}, None),
    "retry": ({"Retry": [{"ErrorEquals": ["E"]}]}, "another attempt must get the same"),
    "result path": ({"ResultPath": "$.r"}, "the input goes on after the call (ResultPath)"),
    "catch": (
        {"Catch": [{"ErrorEquals": ["E"], "ResultPath": "$.e", "Next": "Z"}]},
        "the input goes on where an error is caught (ResultPath)",
    ),
    "twice the same": ({"Parameters": {"a.$": "$.x", "b.$": "$.x"}}, "something may be in it twice"),
    "a constant": ({"Parameters": {"a": {"b": 1}, "c.$": "$.x"}}, "it has parts that the definition or the Context Object has, too"),
}


@pytest.mark.parametrize("name", COPIES)
def test_why_a_function_gets_a_copy(name: str) -> None:
    fields, reason = COPIES[name]
    found = said(machine(T=task("f", **fields), Z=pass_()), "T", "copy")
    of_payload = [text.removeprefix("of what the function gets: ") for text in found if text.startswith("of what the function gets")]
    assert of_payload == ([] if reason is None else [reason])
    source = express.compile(machine(T=task("f", **fields), Z=pass_()), "m", {"f": INLINE}).source
    assert ("copy(" in source) == (reason is not None), "what is said is what the code does"


def test_a_size_is_measured_where_it_can_be_too_large() -> None:
    small = machine(P=pass_(Result=1))
    assert said(small, "P", "check") == []
    large = machine(P=pass_(Parameters={"a.$": "$.x", "b.$": "$.x"}))
    assert said(large, "P", "check") == ["its output may have up to 513 KiB, 256 are allowed"]
    assert "at_most" in express.compile(large).source


def test_where_functions_begin_and_why_they_can_wait() -> None:
    found = machine(
        A=choice({"Variable": "$.x", "IsPresent": True, "Next": "B"}, default="C"),
        B=pass_(Next="D"),
        C=task("f", Retry=[{"ErrorEquals": ["E"]}], Next="D"),
        D=pass_(Parameters={"x.$": "$.x"}, Next="E"),
        E=choice({"Variable": "$.y", "IsPresent": True, "Next": "D"}, default="F"),
        F={"Type": "Parallel", "Branches": [machine(G=task("f"))]},
    )
    assert said(found, "D", "function") == ["3 ways lead here"]
    assert said(found, "D", "wait") == ["the way leads back here: a loop lets others run every 1,000 transitions"]
    assert said(found, "C", "wait") == ["Retry waits between attempts"]
    assert said(found, "F", "wait") == []
    assert said(found, "F", "wait", THREAD) == ["a branch can wait"]
    assert said(found, "G", "wait", THREAD) == ["its function does not run inline"]


def test_reasons_come_in_the_definition_s_order_with_their_places() -> None:
    found = reasons(machine(B=pass_(Parameters={"x.$": "$.x"}, Next="A"), A=pass_(Parameters={"y.$": "$.y"})))
    assert [(reason.location, reason.about, reason.text) for reason in found if reason.about == "code"] == [
        ("/States/B", "code", "$.x"),
        ("/States/A", "code", "$.y"),
    ]


# --- The form that a pipeline runs, text in and text out ---------------------------------------------------------------------------


def test_what_a_pipeline_decodes_of_an_event_is_said_where_the_workflow_begins() -> None:
    picking = machine(A=pass_(Parameters={"id.$": "$.order.id", "n.$": "$.n"}), B=pass_())
    assert said(picking, "A", "text")[0] == "a pipeline decodes of an event only $.order.id, $.n"
    assert said(picking, "B", "text") == []
    whole = "a pipeline decodes whole events: "
    assert said(machine(A=pass_()), "A", "text") == [f"{whole}more than fields by their names may be looked at"]
    assert said(machine(A=task("f")), "A", "text", THREAD) == [f"{whole}it can wait"]
    seen = machine(A=pass_(Parameters={"all.$": "$$.Execution.Input"}))
    assert said(seen, "A", "text") == [f"{whole}the Context Object's Execution.Input is read"]


def test_what_a_pipeline_writes_is_measured_as_text() -> None:
    large = machine(A=pass_(), P=pass_(Parameters={"a.$": "$.x", "b.$": "$.x"}))
    measured = "its output may have up to 513 KiB, 256 are allowed: the text that a pipeline writes is measured, at no cost"
    assert said(large, "P", "text") == [measured]


def test_to_ask_for_reasons_changes_nothing_of_what_runs_and_is_counted() -> None:
    program = express.compile(machine(A=pass_(Parameters={"id.$": "$.id"})))
    before = program.reasons()
    assert program.process(b'{"id": 1}', None) == b'{"id":1}'
    assert program.reasons() == before
    assert counts(program) == {"A": 1}
