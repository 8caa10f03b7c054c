"""What an author does not want to hear of: by option, and in a Comment for the object that has it."""

from __future__ import annotations

from typing import Any

import pytest

from express.language import check
from express.language.suppression import unknown
from tests.language.definitions import FUNCTION, ending, machine, said

TASK: dict[str, Any] = {"Type": "Task", "Resource": FUNCTION, "Retry": [{"ErrorEquals": ["States.ALL"]}]}


def two(comment: str = "", first: str = "", **top: Any) -> dict[str, Any]:
    states = {"A": {**TASK, "Comment": first, "Next": "B"}, "B": {**TASK, "End": True}}
    return {"Comment": comment, "StartAt": "A", "States": states, **top}


def places(definition: Any, code: str = "TASK_WITHOUT_TIMEOUT", **options: Any) -> list[str]:
    return [problem.location for problem in check(definition, **options) if problem.code == code]


def test_without_a_word_everything_is_said() -> None:
    assert places(two()) == ["/States/A", "/States/B"]


def test_a_code_is_ignored_everywhere_by_option() -> None:
    assert check(two(), ignore=["TASK_WITHOUT_TIMEOUT"]) == []
    assert places(two(), ignore=["TASK_WITHOUT_RETRY"]) == ["/States/A", "/States/B"]


@pytest.mark.parametrize(
    "words",
    [
        "express: ignore TASK_WITHOUT_TIMEOUT",
        "Charges. express: ignore NO_DEFAULT, TASK_WITHOUT_TIMEOUT because it is quick",
        "express:ignore NO_DEFAULT express:  ignore  TASK_WITHOUT_TIMEOUT",
    ],
)
def test_a_comment_speaks_for_its_object_and_what_is_below_it(words: str) -> None:
    assert places(two(first=words)) == ["/States/B"]
    assert places(two(comment=words)) == []
    inner = {"StartAt": "C", "States": {"C": {**TASK, "End": True}}}
    parallel = machine({"Type": "Parallel", "Comment": words, "Branches": [inner], "Next": "B"}, B={**TASK, "End": True})
    assert places(parallel) == ["/States/B"]


def test_the_comment_of_a_state_whose_name_begins_like_another_s_is_its_own() -> None:
    states = {"A": {**TASK, "Comment": "express: ignore TASK_WITHOUT_TIMEOUT", "Next": "A2"}, "A2": {**TASK, "End": True}}
    assert places({"StartAt": "A", "States": states}) == ["/States/A2"]


def test_a_comment_of_a_catcher_is_for_that_catcher() -> None:
    catch = {"ErrorEquals": ["X"], "ResultPath": None, "Next": "B"}
    quiet = {**catch, "ErrorEquals": ["Y"], "Comment": "express: ignore CATCH_DROPS_ERROR"}
    definition = machine({**TASK, "TimeoutSeconds": 1, "Catch": [catch, quiet], "Next": "B"}, B={"Type": "Succeed"})
    assert places(definition, "CATCH_DROPS_ERROR") == ["/States/A/Catch/0"]


def test_what_looks_like_a_comment_in_data_is_data() -> None:
    data = {"States": {"X": {"Comment": "express: ignore TASK_WITHOUT_TIMEOUT"}}}
    definition = two()
    definition["States"]["A"]["Parameters"] = data
    assert places(definition) == ["/States/A", "/States/B"]


def test_an_error_is_never_ignored() -> None:
    definition = ending("Pass", Foo=1, Comment="express: ignore SCHEMA_VALIDATION_FAILED")
    assert said(check(definition)) == ["/States/A/Foo: Field is not supported: a Pass state has no field 'Foo'"]
    assert said(check(definition), "WARNING") == ["/States/A/Comment: SCHEMA_VALIDATION_FAILED is an error: it cannot be ignored"]


def test_a_misspelt_code_is_said() -> None:
    problems = check(two(comment="express: ignore TASK_WITHOUT_TIMEOUTS"), ignore=["TASK_WITHOUT_TIMEOUT"])
    assert said(problems, "WARNING") == ["/Comment: there is no code 'TASK_WITHOUT_TIMEOUTS' (did you mean 'TASK_WITHOUT_TIMEOUT'?)"]


def test_warnings_and_advice_can_be_ignored_and_errors_cannot() -> None:
    assert unknown("NO_DEFAULT") is None
    assert unknown("TASK_WITHOUT_TIMEOUT") is None
    assert unknown("MISSING_END_STATE") == "MISSING_END_STATE is an error: it cannot be ignored"
