"""Which fields each type of state has in each query language, from AWS's documentation: none else is accepted, none of them is refused."""

from __future__ import annotations

from typing import Any

import pytest

from express.language import check
from tests.language.definitions import FUNCTION

# Developer guide, "State machine structure" to "Map state", and the table of fields in "Processing input and output"
BOTH: dict[str, str] = {
    "Task": "Type Comment QueryLanguage Resource Credentials TimeoutSeconds HeartbeatSeconds Next End Assign Retry Catch",
    "Pass": "Type Comment QueryLanguage Next End Assign",
    "Choice": "Type Comment QueryLanguage Choices Default Assign",
    "Wait": "Type Comment QueryLanguage Seconds Timestamp Next End Assign",
    "Succeed": "Type Comment QueryLanguage",
    "Fail": "Type Comment QueryLanguage Error Cause",
    "Parallel": "Type Comment QueryLanguage Branches Next End Assign Retry Catch",
    "Map": "Type Comment QueryLanguage ItemProcessor Iterator ItemSelector ItemReader ItemBatcher ResultWriter MaxConcurrency Label"
    " ToleratedFailureCount ToleratedFailurePercentage Next End Assign Retry Catch",
}
JSONPATH: dict[str, str] = {
    "Task": "InputPath Parameters ResultSelector ResultPath OutputPath TimeoutSecondsPath HeartbeatSecondsPath",
    "Pass": "InputPath Parameters Result ResultPath OutputPath",
    "Choice": "InputPath OutputPath",
    "Wait": "InputPath OutputPath SecondsPath TimestampPath",
    "Succeed": "InputPath OutputPath",
    "Fail": "ErrorPath CausePath",
    "Parallel": "InputPath Parameters ResultSelector ResultPath OutputPath",
    "Map": "InputPath Parameters ResultSelector ResultPath OutputPath ItemsPath MaxConcurrencyPath ToleratedFailureCountPath"
    " ToleratedFailurePercentagePath",
}
JSONATA: dict[str, str] = {
    "Task": "Arguments Output",
    "Pass": "Output",
    "Choice": "Output",
    "Wait": "Output",
    "Succeed": "Output",
    "Fail": "",
    "Parallel": "Arguments Output",
    "Map": "Items Output",
}
EVERY = sorted({field for table in (BOTH, JSONPATH, JSONATA) for fields in table.values() for field in fields.split()} | {"Foo", "next"})
PART = {"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}
NEEDED: dict[str, dict[str, Any]] = {
    "Task": {"Resource": FUNCTION, "End": True},
    "Pass": {"End": True},
    "Wait": {"Seconds": 1, "End": True},
    "Parallel": {"Branches": [PART], "End": True},
    "Map": {"ItemProcessor": PART, "End": True},
}


def refused(kind: str, language: str, field: str) -> bool:
    """Whether the field, whatever is in it, does not belong to the state."""
    state: dict[str, Any] = {"Type": kind, "QueryLanguage": language, **NEEDED.get(kind, {})}
    if kind == "Choice":
        rule = {"Variable": "$.a", "IsNull": True} if language == "JSONPath" else {"Condition": "{% true %}"}
        state |= {"Choices": [{**rule, "Next": "Z"}], "Default": "Z"}
    state.setdefault(field, "$.a")
    others = {"Z": {"Type": "Succeed"}} if kind == "Choice" else {}
    problems = check({"StartAt": "A", "States": {"A": state, **others}}, advice=False)
    return any(
        problem.location == f"/States/A/{field}"
        and ("Field is not supported" in problem.message or "needs the query language" in problem.message)
        for problem in problems
    )


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("language", ["JSONPath", "JSONata"])
def test_a_state_has_the_fields_of_its_type_and_its_query_language(kind: str, language: str) -> None:
    theirs = {*BOTH[kind].split(), *(JSONPATH if language == "JSONPath" else JSONATA)[kind].split()}
    assert sorted(field for field in EVERY if not refused(kind, language, field)) == sorted(theirs)


@pytest.mark.parametrize(
    ("language", "field", "message"),
    [
        ("JSONata", "Parameters", "'Parameters' needs the query language JSONPath"),
        ("JSONPath", "Arguments", "'Arguments' needs the query language JSONata"),
        ("JSONPath", "Argments", "Field is not supported: a Task state has no field 'Argments'"),
        ("JSONPath", "Catc", "Field is not supported: a Task state has no field 'Catc' (did you mean 'Catch'?)"),
    ],
)
def test_a_field_of_the_other_query_language_is_named_as_such(language: str, field: str, message: str) -> None:
    state = {"Type": "Task", "QueryLanguage": language, "Resource": FUNCTION, "End": True, field: {}}
    found = [
        problem for problem in check({"StartAt": "A", "States": {"A": state}}, advice=False) if problem.location == f"/States/A/{field}"
    ]
    assert [problem.message for problem in found] == [message]
