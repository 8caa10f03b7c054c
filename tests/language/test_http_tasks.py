"""What ``check`` says of HTTP Tasks."""

from __future__ import annotations

from typing import Any

import pytest

from express.language import check
from tests.language.definitions import ending

ARN = "arn:aws:events:eu-west-1:123456789012:connection/billing/0a1b"
GOOD: dict[str, Any] = {"ApiEndpoint": "https://a.example", "Method": "GET", "InvocationConfig": {"ConnectionArn": ARN}}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no connection": (
        {"InvocationConfig": ...},
        ": http:invoke needs a connection: InvocationConfig (or Authentication) with its ConnectionArn",
    ),
    "no method": ({"Method": ...}, ": http:invoke needs the parameter Method"),
    "a misspelt parameter": ({"Header": {}}, "/Header: http:invoke has no parameter 'Header' (did you mean 'Headers'?)"),
    "no URL": ({"ApiEndpoint": "a.example"}, "/ApiEndpoint: expected a URL that begins with https://, found 'a.example'"),
    "no ARN": (
        {"InvocationConfig": {"ConnectionArn": "billing"}},
        "/InvocationConfig/ConnectionArn: expected arn:aws:events:REGION:ACCOUNT:connection/NAME/ID, found 'billing'",
    ),
    "an encoding": (
        {"Transform": {"RequestBodyEncoding": "XML"}},
        "/Transform/RequestBodyEncoding: expected NONE or URL_ENCODED, found 'XML'",
    ),
    "a form without its type": (
        {"Transform": {"RequestBodyEncoding": "URL_ENCODED"}},
        (
            "/Transform: Step Functions needs the header content-type: application/x-www-form-urlencoded beside URL_ENCODED "
            "(Express adds it)"
        ),
    ),
    "a header by a path": (
        {"Headers": {"x-amz-date.$": "$.date"}},
        "/Headers/x-amz-date.$: the header 'x-amz-date' cannot be used in an HTTP Task: the state fails with States.Runtime",
    ),
}  # fmt: skip


def said(parameters: Any, field: str = "Parameters", **options: Any) -> list[str]:
    language = {"QueryLanguage": "JSONata"} if field == "Arguments" else {}
    definition = ending("Task", Resource="arn:aws:states:::http:invoke", **{field: parameters}, **language)
    return [str(problem) for problem in check(definition, advice=False, **options)]


@pytest.mark.parametrize(("changes", "expected"), WRONG.values(), ids=WRONG)
def test_what_is_refused_when_it_runs_is_a_warning_before(changes: dict[str, Any], expected: str) -> None:
    given = {name: value for name, value in {**GOOD, **changes}.items() if value is not ...}
    assert said(given) == [f"/States/A/Parameters{expected}"]


def test_what_only_the_data_tell_is_not_judged() -> None:
    assert said(GOOD) == []
    assert said({"ApiEndpoint.$": "$.url", "Method.$": "$.method", "Authentication.$": "$.connection", "Headers.$": "$.headers"}) == []
    arguments = {"ApiEndpoint": "{% $states.input.url %}", "Method": "{% $states.input.method %}"}
    assert said({**arguments, "InvocationConfig": {"ConnectionArn": "{% $states.input.arn %}"}}, "Arguments") == []
    assert said({**GOOD, "ApiEndpoint": "${Url}", "InvocationConfig": {"ConnectionArn": "${Arn}"}}) == []


def test_plain_http_is_not_portable() -> None:
    assert said({**GOOD, "ApiEndpoint": "http://a.example"}) == []
    assert said({**GOOD, "ApiEndpoint": "http://a.example"}, portable=True) == ["/States/A/Parameters/ApiEndpoint: AWS calls https:// only"]
