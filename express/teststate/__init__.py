# ruff: noqa: PT028 - test_state is what AWS calls it, not a test
"""AWS's TestState: the definition of one state and an input in, what the state makes of it out. Pure: nothing is kept or deployed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Literal

from express.clock import Clock
from express.errors import RequestError
from express.runtime.failures import StateError
from express.runtime.values import adopt, dumps, loads
from express.teststate.answering import TEXTS, answer
from express.teststate.parameters import check_call

__all__ = ["answer", "test_state"]

Functions = Mapping[str, Callable[..., Any]]

ANY_SIZE = 1 << 40  # bytes: how long its text may be is the service's to say


def test_state(
    definition: Mapping[str, Any] | str | bytes | os.PathLike[str],
    input: Any = None,  # noqa: A002 - AWS's word
    *,
    state_name: str | None = None,
    inspection_level: Literal["INFO", "DEBUG", "TRACE"] = "INFO",
    mock: Mapping[str, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
    state_configuration: Mapping[str, Any] | None = None,
    role_arn: str | None = None,
    functions: Functions | None = None,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """What AWS's TestState answers, with JSON values where AWS has JSON text.

    ``definition`` is that of one state, or of a whole machine together with ``state_name``; ``input`` is ``{}`` unless given.
    ``mock`` is ``{"result": any JSON value}`` or ``{"errorOutput": {"error": ..., "cause": ...}}``, with ``"fieldValidationMode"``
    (STRICT, PRESENT or NONE: how far a result must have the shape that the service gives it, for which botocore is needed). Map and
    Parallel need one; a Task without one calls ``functions``. ``state_configuration`` has AWS's fields: retrierRetryCount,
    errorCausedByState, mapIterationFailureCount, mapItemReaderData (text as the ItemReader finds it, or the value).

    The answer: ``status`` (SUCCEEDED, FAILED, RETRIABLE: a retrier takes the failure, CAUGHT_ERROR), ``output``, ``error``, ``cause``,
    ``nextState``; from level DEBUG on ``inspectionData`` (input, afterInputPath, afterParameters, afterArguments, result, ...,
    variables, errorDetails). RequestError for a request that AWS refuses.

        express.test_state(state, {"total": 5}, mock={"errorOutput": {"error": "Busy"}})["nextState"]
    """
    request: dict[str, Any] = {"definition": _definition(definition), "inspectionLevel": inspection_level}
    if mock is not None:
        # What is not a mapping is refused below, in the words of the SDK
        named = isinstance(mock, Mapping) and "result" in mock
        request["mock"] = {**mock, "result": _text("mock.result", mock["result"])} if named else mock
    if state_configuration is not None:
        request["stateConfiguration"] = state_configuration
        data = state_configuration.get("mapItemReaderData") if isinstance(state_configuration, Mapping) else None
        if data is not None and not isinstance(data, str):
            data = _text("stateConfiguration.mapItemReaderData", data)
            request["stateConfiguration"] = {**state_configuration, "mapItemReaderData": data}
    for name, value in (("input", input), ("variables", variables), ("context", context)):
        if value is not None:
            request[name] = _text(name, value)
    request |= {name: text for name, text in (("stateName", state_name), ("roleArn", role_arn)) if text is not None}
    check_call(request)
    answered = answer(request, functions=functions, clock=clock)
    shown = answered.get("inspectionData", {})
    for place, names in ((answered, ("output",)), (shown, TEXTS)):
        for name in names:
            if name in place:
                place[name] = loads(place[name])
    return answered


test_state.__test__ = False  # type: ignore[attr-defined] # pytest shall not take it for a test


def _definition(definition: Any) -> str:
    if isinstance(definition, os.PathLike):
        try:
            with open(definition, "rb") as file:
                definition = file.read()
        except OSError as error:
            raise RequestError("InvalidDefinition", f"the file {os.fspath(definition)} cannot be read: {error.strerror}") from None
    if isinstance(definition, bytes):
        return definition.decode(errors="replace")
    return definition if isinstance(definition, str) else _text("definition", definition)


def _text(name: str, value: Any) -> str:
    """A JSON value as text; RequestError for what is none."""
    try:
        return dumps(adopt(dict(value) if isinstance(value, Mapping) else value, ANY_SIZE, name)).decode()
    except StateError as error:
        reason = loads(error.cause or "{}").get("errorMessage", "").removeprefix("Unable to marshal response: ")
        raise RequestError("ParamValidationError", f"Parameter validation failed:\nInvalid value for parameter {name}: {reason}") from None
