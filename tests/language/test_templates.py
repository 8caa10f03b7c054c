from __future__ import annotations

from typing import Any

import pytest

from express.language import paths
from express.language.model import ArrayTemplate, Call, Expression, Literal, ObjectTemplate, Pass
from tests.language.definitions import ending, errors, state, warnings

A = paths.parse("$.a")
UUID = Call("UUID", (), "States.UUID()")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, Literal({})),
        ("text", Literal("text")),
        ({"x": 1, "y": {"z": [1, {"q": None}]}}, Literal({"x": 1, "y": {"z": [1, {"q": None}]}})),
        ({"x.$": "$.a"}, ObjectTemplate((("x", A),))),
        ({"x.$": "States.UUID()"}, ObjectTemplate((("x", UUID),))),
        ({"x.$": "$$.Execution.Id"}, ObjectTemplate((("x", paths.parse("$$.Execution.Id")),))),
        ({"b": 1, "x.$": "$.a", "a": 2}, ObjectTemplate((("b", Literal(1)), ("x", A), ("a", Literal(2))))),
        ({"c": {"d": 1}, "x": {"y.$": "$.a"}}, ObjectTemplate((("c", Literal({"d": 1})), ("x", ObjectTemplate((("y", A),)))))),
        ([{"x.$": "$.a"}, [1]], ArrayTemplate((ObjectTemplate((("x", A),)), Literal([1])))),
        ({"x": ["$.a"]}, Literal({"x": ["$.a"]})),
        ({".$": "$.a"}, ObjectTemplate((("", A),))),
        ({"x.$.$": "$.a"}, ObjectTemplate((("x.$", A),))),
    ],
)
def test_a_template_becomes_an_expression_and_its_constant_parts_are_folded(parameters: Any, expected: Expression) -> None:
    made = state(ending("Pass", Parameters=parameters))
    assert isinstance(made, Pass)
    assert made.parameters == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (
            {"x.$": 5},
            "/States/A/Parameters: The value for the field 'x.$' must be a valid JSONPath or a valid intrinsic function call, found 5",
        ),
        (
            {"x": [{"y.$": "a"}]},
            (
                "/States/A/Parameters/x/0: The value for the field 'y.$' must be a valid JSONPath or a valid intrinsic function call: "
                "a path begins with '$', found 'a' at character 1"
            ),
        ),
        (
            {"x.$": "States.Uuid()"},
            (
                "/States/A/Parameters: The value for the field 'x.$' must be a valid JSONPath or a valid intrinsic function call: "
                "there is no intrinsic function 'States.Uuid' (did you mean 'States.UUID'?)"
            ),
        ),
        ({"x": 1, "x.$": "$.a"}, "/States/A/Parameters: The field 'x' is given twice: as 'x' and as 'x.$'"),
    ],
)
def test_a_wrong_field_of_a_template_is_reported_at_the_object_around_it(parameters: Any, expected: str) -> None:
    assert errors(ending("Pass", Parameters=parameters)) == [expected]


def test_a_template_may_be_sixty_four_deep_and_no_deeper() -> None:
    nested: Any = 1
    for _ in range(64):
        nested = [nested]
    assert errors(ending("Pass", Parameters=nested)) == []
    location = "/States/A/Parameters" + "/0" * 65
    assert errors(ending("Pass", Parameters=[nested])) == [f"{location}: a payload template may be nested 64 deep, this one is deeper"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (
            "$.a",
            "/States/A/Parameters: Parameters is this text itself: to look values up, make it an object with fields such as 'order.$'",
        ),
        (
            {"x": "$.a"},
            "/States/A/Parameters/x: 'x' holds the text itself: to look the value up, name the field 'x.$'",
        ),
        (
            {"x": "States.Format('{}', $.a)"},
            "/States/A/Parameters/x: 'x' holds the text itself: to look the value up, name the field 'x.$'",
        ),
        (
            {"x.$": "$.items.length()"},
            "/States/A/Parameters/x.$: Step Functions has no JSONPath functions: 'length()' will not be found",
        ),
        (
            {"x.$": r"States.Format('{} \{\} {}', $.a)"},
            "/States/A/Parameters/x.$: States.Format has 2 {} in its template and 1 values for them: it will fail",
        ),
    ],
)
def test_what_is_legal_and_hardly_meant_is_a_warning(parameters: Any, expected: str) -> None:
    assert warnings(ending("Pass", Parameters=parameters)) == [expected]


def test_a_price_in_dollars_is_no_path() -> None:
    assert warnings(ending("Pass", Parameters={"x": "$5", "y": "$", "z": "a $.b"})) == []
