"""Whatever a function raises is a failure of its state, which Retry and Catch see: no exception of a function is the engine's."""

from __future__ import annotations

import json
from typing import Any

import pytest

import express


class Odd(BaseException):
    """Not an Exception."""


def catching(function: Any) -> express.Program:
    task: dict[str, Any] = {
        "Type": "Task",
        "Resource": "arn:aws:lambda:us-east-1:000000000000:function:odd",
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
        "End": True,
    }
    return express.compile({"StartAt": "Odd", "States": {"Odd": task, "Caught": {"Type": "Succeed"}}}, functions={"odd": function})


@pytest.mark.parametrize("error", [Odd(), GeneratorExit(), SystemExit(1), BaseExceptionGroup("several", [KeyboardInterrupt()])])
@pytest.mark.parametrize("mode", ["inline", "async"])
def test_what_is_not_an_exception_is_caught_like_one(mode: str, error: BaseException) -> None:
    def plain(event: Any) -> Any:
        raise error

    async def waiting(event: Any) -> Any:
        raise error

    program = catching(express.function("odd", run="inline")(plain) if mode == "inline" else waiting)
    outcome = program.run({})
    assert (outcome.status, outcome.output["Error"]) == (
        "SUCCEEDED",
        "Runtime.ExitError" if isinstance(error, SystemExit) else type(error).__name__,
    )


def test_a_ctrl_c_in_an_inline_function_reaches_whoever_called_run() -> None:
    def interrupted(event: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catching(express.function("odd", run="inline")(interrupted)).run({})


def test_the_stack_trace_in_a_cause_begins_with_the_functions_own_frame() -> None:
    def failing(event: Any) -> Any:
        return event["missing"]

    cause = json.loads(catching(express.function("odd", run="inline")(failing)).run({}).output["Cause"])
    assert [", in failing\n" in frame for frame in cause["stackTrace"]] == [True]
