"""What Express runs and AWS would not, named only when asked for."""

from __future__ import annotations

from typing import Any

import pytest

from express.language import check
from tests.language.definitions import ending, machine, said, task

EXTENSION = "is an extension of Express: AWS's Context Object has no Source"


@pytest.mark.parametrize(
    ("definition", "line"),
    [
        (ending("Pass", Parameters={"a.$": "$$.Source.offset"}), f"/States/A/Parameters/a.$: '$$.Source' {EXTENSION}"),
        (ending("Pass", InputPath="$$['Source']"), f"/States/A/InputPath: \"$$['Source']\" {EXTENSION}"),
        (
            ending("Pass", Parameters={"a.$": "States.Format('{}', $$.Source.topic)"}),
            f"/States/A/Parameters/a.$: '$$.Source' {EXTENSION}",
        ),
        (
            task(TimeoutSeconds=1, Parameters={"table": "${Table}-x"}),
            (
                "/States/A/Parameters/table: ${Table} is a substitution without a value: AWS takes it as it stands"
                " (--substitute Table=VALUE gives it one)"
            ),
        ),
    ],
)
def test_what_is_not_portable_is_an_error_when_asked_for(definition: dict[str, Any], line: str) -> None:
    assert said(check(definition, portable=True)) == [line]
    assert said(check(definition)) == []


@pytest.mark.parametrize(
    ("path", "extension"),
    [
        ("$.a[-1]", "negative index"),
        ("$.a[0:9:2]", "slice with a step"),
        ("$.a[:]", "slice without a start and an end"),
        ("$.a[-3:-1]", "slice with two ends of which one is negative"),
        ("$.a[1:-1]", "slice with two ends of which one is negative"),
        ("$.a[0,-1]", "negative index among others"),
        ("$.a[0,2:4]", "index beside a slice in one bracket"),
        ("$['a','b'].c", "list of names before the end"),
        ('$["a"]', "name in double quotes"),
        ("$.a[?((@.b == 1 || @.c == 2) && @.d)]", "parentheses in a filter"),
    ],
)
def test_a_path_that_aws_s_library_does_not_take_is_named(path: str, extension: str) -> None:
    line = f"/States/A/InputPath: AWS takes no {extension} in a path, as in {path!r}"
    assert said(check(ending("Pass", InputPath=path), portable=True)) == [line]
    assert said(check(ending("Pass", InputPath=path))) == []


@pytest.mark.parametrize(
    "path",
    [
        *("$", "$.a.b[0]", "$['a b']", "$['a(']", "$.a[*].b", "$..b", "$.a[1:3]", "$.a[-2:]", "$.a[:-1]", "$.a[0,1]", "$['a','b']"),
        *("$.a[?(@.b == 1 && @.c > 2)]", "$.a[?(@.b == 'x(y)')].c", "$.a.length()", "$$.Execution.Id", "$.a[(@.length-1)]"),
    ],
)
def test_a_path_that_aws_takes_is_portable(path: str) -> None:
    assert said(check(ending("Pass", InputPath=path), portable=True)) == []


@pytest.mark.parametrize(
    "definition",
    [
        ending("Pass", Parameters={"a.$": "$$.Execution.Id", "b.$": "$.Source", "c": "Source", "d.$": "$$.SourceOfAll"}),
        ending("Pass", Comment="reads ${Table} and $$.Source"),
        machine({"Type": "Succeed", "InputPath": "$.source"}),
    ],
)
def test_what_aws_runs_is_portable(definition: dict[str, Any]) -> None:
    assert said(check(definition, portable=True)) == []


def test_a_substitution_with_its_value_is_portable() -> None:
    assert said(check(task(Parameters={"table": "${Table}"}), {"Table": "orders"}, portable=True)) == []
