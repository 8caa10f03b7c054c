"""What is written in the other query language, or almost in this one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.language.definitions import ending, errors, warnings


def jsonata(**fields: Any) -> dict[str, Any]:
    return {"QueryLanguage": "JSONata", **ending("Pass", **fields)}


@pytest.mark.parametrize("field", ["Parameters", "ResultSelector"])
@pytest.mark.parametrize(
    ("value", "place"),
    [({"a": "{% $states.input %}"}, "a"), ({"a": [1, {"b": "{%1%}"}]}, "a/1/b")],
)
def test_jsonata_in_a_jsonpath_state_is_a_text(field: str, value: Any, place: str) -> None:
    state = ending("Parallel", Branches=[ending("Pass") | {"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}], **{field: value})
    assert warnings(state) == [f"/States/A/{field}/{place}: this is a text, not JSONata: the state's query language is JSONPath"]


@pytest.mark.parametrize("value", ["{% $x", "$x %}", " {% $x %} ", "50 {% off %}!", "{%", ""])
def test_other_texts_of_a_jsonpath_state_are_nothing_but_texts(value: str) -> None:
    assert warnings(ending("Pass", Parameters={"a": value})) == []


@pytest.mark.parametrize("value", [" {% $states.input %}" + " ", "\n{% 1 %}\t"])
def test_blanks_outside_make_a_text_of_jsonata(value: str) -> None:
    line = "this is a text, not JSONata, since there are blanks outside of '{%' and '%}'"
    assert warnings(jsonata(Output={"a": [value]})) == [f"/States/A/Output/a/0: {line}"]


@pytest.mark.parametrize("value", ["10 %}", " {% 10 %}", "% 10 %}"])
def test_jsonata_that_is_not_opened_is_an_error(value: str) -> None:
    assert errors(jsonata(Output={"a": value})) == [f"/States/A/Output/a: a JSONata expression begins with '{{%', found {value!r}"]


def test_jsonata_that_is_not_closed_is_an_error() -> None:
    assert errors(jsonata(Output="{% 10 %")) == ["/States/A/Output: a JSONata expression ends with '%}', found '{% 10 %'"]


def test_a_jsonpath_field_of_a_jsonata_state_stays_as_it_is() -> None:
    assert warnings(jsonata(Output={"a.$": "$.b", "c": {"d.$": "States.UUID()", "e.$": "{% 1 %}", "f.$": "plain"}})) == [
        "/States/A/Output/a.$: in a JSONata state 'a.$' stays a field of that name, and '$.b' a text",
        "/States/A/Output/c/d.$: in a JSONata state 'd.$' stays a field of that name, and 'States.UUID()' a text",
    ]
