"""Exceptions of functions, as the error names and causes that Retry and Catch see."""

from __future__ import annotations

import json
from typing import Any

import pytest

from express.errors import TaskError
from express.runtime.failures import StateError
from express.tasks.outcome import failure


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


class OutOfStock(TaskError):  # noqa: N818
    pass


class Unprintable(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "name", "cause"),
    [
        (TaskError("OutOfStock", "no more s1"), "OutOfStock", "no more s1"),
        (TaskError("OutOfStock"), "OutOfStock", ""),
        (OutOfStock("Other", "why"), "Other", "why"),
        (TaskError("bad\ud800", "x\ud800"), "bad\\ud800", "x\\ud800"),
        (StateError("Lambda.Unknown", "gone"), "Lambda.Unknown", "gone"),
    ],
)
def test_a_task_error_is_taken_exactly(error: BaseException, name: str, cause: str) -> None:
    made = failure(error)
    assert (made.error, made.cause) == (name, cause)
    assert made is not error


@pytest.mark.parametrize(
    ("error", "name", "message"),
    [
        (ValueError("nö"), "ValueError", "nö"),
        (KeyError("x"), "KeyError", "'x'"),
        (Exception(), "Exception", ""),
        (ValueError("a\ud800"), "ValueError", "a\\ud800"),
        (Unprintable(), "Unprintable", "<unprintable Unprintable>"),
        (ValueError("m" * 100_000), "ValueError", "m" * 8_192),
        (KeyboardInterrupt(), "KeyboardInterrupt", ""),
    ],
)
def test_another_exception_gives_its_class_and_lambdas_json(error: BaseException, name: str, message: str) -> None:
    made = failure(raised(error))
    assert made.error == name
    (made.cause or "").encode()  # can be written
    cause = json.loads((made.cause or "").replace("\\ud800", "\\\\ud800"))
    assert list(cause) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert (cause["errorMessage"], cause["errorType"], len(cause["requestId"])) == (message, name, 36)
    assert len(cause["stackTrace"]) == 1
    assert cause["stackTrace"][0].startswith(f'  File "{__file__}", line ')


@pytest.mark.parametrize(("code", "status"), [(None, 0), (0, 0), (3, 3), ("a message", 1)])
def test_leaving_is_reported_as_a_runtime_that_exited(code: Any, status: int) -> None:
    made = failure(raised(SystemExit(code)))
    assert made.error == "Runtime.ExitError"
    assert json.loads(made.cause or "")["errorMessage"].endswith(f" Error: Runtime exited with error: exit status {status}")


def test_a_deep_stack_is_cut() -> None:
    def deeper(depth: int) -> None:
        deepest(depth + 1)

    def deepest(depth: int) -> None:
        deeper(depth + 1)

    with pytest.raises(RecursionError) as caught:
        deeper(0)
    made = failure(caught.value)
    assert len(json.loads(made.cause or "")["stackTrace"]) == 100
