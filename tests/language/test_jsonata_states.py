"""States in JSONata: which fields take an expression, what they become, and what is said about the others."""

from __future__ import annotations

from typing import Any

import pytest

from express.language import model
from tests.language.definitions import FUNCTION, ending, errors, machine, state, workflow

INNER = {"StartAt": "In", "States": {"In": {"Type": "Pass", "End": True}}}


def jsonata(kind: str, **fields: Any) -> dict[str, Any]:
    return {**ending(kind, **fields), "QueryLanguage": "JSONata"}


def query(text: str) -> str:
    return f"{{% {text} %}}"


def texts(node: Any) -> Any:
    """What an expression computes, with JSONata's texts where the expressions are."""
    if isinstance(node, model.Jsonata):
        return query(node.text)
    if isinstance(node, model.ObjectTemplate):
        return {name: texts(inner) for name, inner in node.fields}
    if isinstance(node, model.ArrayTemplate):
        return [texts(inner) for inner in node.items]
    assert isinstance(node, model.Literal)
    return node.value


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1, "b": query("$states.input.x"), "c": [True, {"d": query("1")}]},
        query("$states.input"),
        [query("1"), None],
        "a text",
        "$.a",
        " {% 1 %} ",
        "1 %} of it",
        None,
        False,
        {},
    ],
)
def test_an_output_is_any_json_with_expressions_in_its_texts(value: Any) -> None:
    read = state(jsonata("Pass", Output=value))
    assert read.jsonata
    assert texts(read.output) == value


def test_a_key_is_no_expression() -> None:
    read = state(jsonata("Pass", Output={"{% 1 %}": query("2"), "x.$": "$.a"}))
    assert texts(read.output) == {"{% 1 %}": query("2"), "x.$": "$.a"}


def test_a_state_without_an_output_has_none() -> None:
    read = state(jsonata("Succeed"))
    assert read.output is None


@pytest.mark.parametrize("text", ["{%1%}", "{% 1%}", "{%1 %}", "{%\n1\n%}"])
def test_blanks_inside_the_marks_do_not_matter(text: str) -> None:
    read = state(jsonata("Pass", Output=text))
    assert isinstance(read.output, model.Jsonata)
    assert read.output.text == "1"


@pytest.mark.parametrize("text", ["{% 1", "{% 1 %} ", "{% 1 %", "{%}"])
def test_an_expression_that_does_not_end_is_reported(text: str) -> None:
    assert errors(jsonata("Pass", Output={"a": [text]})) == [f"/States/A/Output/a/0: a JSONata expression ends with '%}}', found {text!r}"]


def test_an_expression_that_does_not_parse_is_reported_where_it_stands() -> None:
    (found,) = errors(jsonata("Pass", Output={"a": [0, query("1 +")]}))
    assert found.startswith("/States/A/Output/a/1: '{% 1 + %}' is not a valid JSONata expression: ")


FIELDS: dict[str, dict[str, Any]] = {
    "Task": {
        "Resource": FUNCTION,
        "Arguments": {"a": query("$states.input.a")},
        "Credentials": {"RoleArn": query("$role")},
        "TimeoutSeconds": query("$t"),
        "HeartbeatSeconds": query("$h"),
        "Output": query("$states.result"),
        "Assign": {"x": query("$states.result.x")},
    },
    "Wait": {"Seconds": query("$s"), "Output": query("$states.input"), "Assign": {"x": query("1")}},
    "Parallel": {"Branches": [INNER], "Arguments": query("$states.input"), "Output": query("$states.result[0]"), "Assign": {"x": 1}},
    "Map": {
        "ItemProcessor": INNER,
        "Items": query("$states.input.items"),
        "ItemSelector": {"v": query("$states.context.Map.Item.Value")},
        "MaxConcurrency": query("$m"),
        "ToleratedFailureCount": query("$c"),
        "ToleratedFailurePercentage": query("$p"),
        "Output": query("$states.result"),
    },
    "Fail": {"Error": query("$e"), "Cause": query("'because ' & $c")},
    "Succeed": {"Output": query("$states.input")},
}
READ: dict[str, dict[str, str]] = {
    "Task": {"Arguments": "parameters", "TimeoutSeconds": "timeout_seconds", "HeartbeatSeconds": "heartbeat_seconds"},
    "Parallel": {"Arguments": "parameters"},
    "Map": {
        "Items": "items",
        "ItemSelector": "parameters",
        "MaxConcurrency": "max_concurrency",
        "ToleratedFailureCount": "tolerated_failure_count",
        "ToleratedFailurePercentage": "tolerated_failure_percentage",
    },
}


@pytest.mark.parametrize("kind", FIELDS)
def test_expressions_stand_wherever_aws_lists_them(kind: str) -> None:
    read = state(jsonata(kind, **FIELDS[kind]))
    for field, value in FIELDS[kind].items():
        if field in ("Resource", "Branches", "ItemProcessor"):
            continue
        found = getattr(read, READ.get(kind, {}).get(field, field.lower()))
        assert ({name: texts(inner) for name, inner in found} if field == "Assign" else texts(found)) == value, field


def test_a_timestamp_is_an_expression_or_a_timestamp() -> None:
    read = state(jsonata("Wait", Timestamp=query("$at")))
    assert isinstance(read, model.Wait)
    assert texts(read.timestamp) == query("$at")
    (found,) = errors(jsonata("Wait", Timestamp="tomorrow"))
    assert found.startswith("/States/A/Timestamp: String does not match RFC3339 timestamp")


@pytest.mark.parametrize(
    ("condition", "expected"), [(query("$states.input.a > 1"), query("$states.input.a > 1")), (True, True), (False, False)]
)
def test_a_condition_is_an_expression_or_a_constant(condition: Any, expected: Any) -> None:
    rule = {"Condition": condition, "Next": "B", "Output": {"o": query("1")}, "Assign": {"x": query("2")}}
    definition = {
        **machine({"Type": "Choice", "Choices": [rule], "Default": "B", "Output": 1, "Assign": {"y": 1}}, B={"Type": "Succeed"}),
        "QueryLanguage": "JSONata",
    }
    read = state(definition)
    assert isinstance(read, model.Choice)
    assert texts(read.rules[0].condition) == condition
    assert texts(read.rules[0].output) == {"o": query("1")}
    assert texts(read.output) == 1


@pytest.mark.parametrize("condition", ["$states.input.a", 1, None, {"a": 1}])
def test_a_condition_that_is_neither_is_reported(condition: Any) -> None:
    definition = {
        **machine({"Type": "Choice", "Choices": [{"Condition": condition, "Next": "B"}], "Default": "B"}, B={"Type": "Succeed"}),
        "QueryLanguage": "JSONata",
    }
    (found,) = errors(definition)
    assert found.startswith("/States/A/Choices/0/Condition: expected a JSONata expression")


@pytest.mark.parametrize(("items", "good"), [([1, query("2")], True), (query("$x"), True), ({"a": 1}, False), ("text", False), (3, False)])
def test_items_are_an_array_or_an_expression(items: Any, good: bool) -> None:
    found = errors(jsonata("Map", ItemProcessor=INNER, Items=items))
    assert (found == []) is good
    assert all(one.startswith("/States/A/Items: expected an array") for one in found)


@pytest.mark.parametrize(("field", "value"), [("TimeoutSeconds", 0), ("TimeoutSeconds", "10"), ("HeartbeatSeconds", 1.5)])
def test_a_constant_number_is_checked_as_in_jsonpath(field: str, value: Any) -> None:
    (found,) = errors(jsonata("Task", Resource=FUNCTION, **{field: value}))
    assert found.startswith(f"/States/A/{field}: expected a whole number from 1 to ")


# --- What $states has -------------------------------------------------------------------------------------------------------------

RESULT = "it is for Assign and Output of a Task, Parallel or Map that has succeeded"
ERROR = "it is for Assign and Output of a Catcher"


@pytest.mark.parametrize(
    ("kind", "fields", "place", "member"),
    [
        ("Pass", {"Output": query("$states.result")}, "Output", "result"),
        ("Wait", {"Seconds": 1, "Assign": {"x": [query("$states.result.a")]}}, "Assign/x/0", "result"),
        ("Task", {"Arguments": {"a": query("$states.result")}}, "Arguments/a", "result"),
        ("Task", {"TimeoutSeconds": query("$states.result")}, "TimeoutSeconds", "result"),
        ("Task", {"Output": query("$states.errorOutput")}, "Output", "errorOutput"),
        ("Task", {"Catch": [{"ErrorEquals": ["E"], "Next": "A", "Output": query("$states.result")}]}, "Catch/0/Output", "result"),
        ("Map", {"Items": query("$states.result")}, "Items", "result"),
    ],
)
def test_a_member_of_states_that_is_not_there_is_reported(kind: str, fields: dict[str, Any], place: str, member: str) -> None:
    more: dict[str, Any] = {"Task": {"Resource": FUNCTION}, "Map": {"ItemProcessor": INNER}}.get(kind, {})
    reason = {"result": RESULT, "errorOutput": ERROR}[member]
    assert errors(jsonata(kind, **more, **fields)) == [f"/States/A/{place}: there is no $states.{member} here: {reason}"]


def test_a_catcher_has_the_error_output() -> None:
    catcher = {
        "ErrorEquals": ["E"],
        "Next": "A",
        "Output": query("$states.errorOutput"),
        "Assign": {"x": query("$states.errorOutput.Cause")},
    }
    read = state(jsonata("Task", Resource=FUNCTION, Catch=[catcher]))
    assert isinstance(read, model.Task)
    assert texts(read.catch[0].output) == query("$states.errorOutput")


def test_all_of_states_is_what_there_is_of_it() -> None:
    assert errors(jsonata("Pass", Output=query("$states"))) == []


# --- Both languages ---------------------------------------------------------------------------------------------------------------


def test_a_state_may_be_in_jsonata_while_the_others_are_not() -> None:
    read = workflow(
        machine(
            {"Type": "Pass", "Parameters": {"x.$": "$.a"}, "Next": "B"},
            B={"Type": "Pass", "QueryLanguage": "JSONata", "Output": query("$states.input.x"), "End": True},
        )
    )
    assert [one.jsonata for one in read.states.values()] == [False, True]


def test_a_state_in_a_map_has_the_language_of_the_definition_not_of_the_map() -> None:
    inner = {"StartAt": "In", "States": {"In": {"Type": "Pass", "Parameters": {"x.$": "$.a"}, "End": True}}}
    read = state(ending("Map", QueryLanguage="JSONata", ItemProcessor=inner))
    assert isinstance(read, model.Map)
    assert read.jsonata
    assert not read.processor.states["In"].jsonata
    read = state(jsonata("Map", ItemProcessor=INNER))
    assert isinstance(read, model.Map)
    assert read.processor.states["In"].jsonata


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"Catch": [{"ErrorEquals": ["E"], "Next": "A", "ResultPath": "$.e"}]}, "Catch/0/ResultPath"),
        ({"Parameters": {}}, "Parameters"),
        ({"TimeoutSecondsPath": "$.t"}, "TimeoutSecondsPath"),
        ({"ResultSelector": {}}, "ResultSelector"),
    ],
)
def test_the_fields_of_jsonpath_are_named(fields: dict[str, Any], place: str) -> None:
    name = place.rpartition("/")[2]
    assert errors(jsonata("Task", Resource=FUNCTION, **fields)) == [f"/States/A/{place}: '{name}' needs the query language JSONPath"]


def test_a_comparison_in_a_rule_of_jsonata_is_named() -> None:
    rule = {"Variable": "$.a", "IsNull": True, "Next": "B"}
    definition = {**machine({"Type": "Choice", "Choices": [rule], "Default": "B"}, B={"Type": "Succeed"}), "QueryLanguage": "JSONata"}
    assert errors(definition) == [
        "/States/A/Choices/0/Variable: 'Variable' needs the query language JSONPath",
        "/States/A/Choices/0/IsNull: 'IsNull' needs the query language JSONPath",
        "/States/A/Choices/0: The field 'Condition' is required but was missing",
    ]


def test_the_fields_of_jsonata_in_a_jsonpath_state_are_named() -> None:
    assert errors(ending("Pass", Output=1)) == ["/States/A/Output: 'Output' needs the query language JSONata"]
