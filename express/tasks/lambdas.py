"""Lambda-shaped resources, bound to Python functions: ``arn:aws:lambda:...:function:NAME`` and ``arn:aws:states:::lambda:invoke``."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from email.utils import formatdate
from typing import Any

from express.language.model import Literal, ObjectTemplate
from express.runtime.context import Execution
from express.runtime.failures import StateError
from express.runtime.interrupts import is_ctrl_c
from express.runtime.limits import PAYLOAD
from express.runtime.suspensions import Call
from express.runtime.values import adopt, loads
from express.tasks import outcome
from express.tasks.function import Function, as_function
from express.tasks.inline import adapter
from express.tasks.invocation import function_arn
from express.tasks.modes import Mode, mode_of
from express.tasks.remote import Answered

INVOKE = re.compile(r"arn:aws[\w-]*:states:[\w-]*:\d*:lambda:invoke$")
PART = r"(?:\$\{[^}]*\}|[^:]*)"  # of an ARN; a placeholder may hold colons
DIRECT = re.compile(rf"arn:{PART}:lambda:{PART}:{PART}:function:")
REFERENCE = re.compile(
    rf"(?:(?:arn:{PART}:lambda:{PART}:{PART}:|\d{{12}}:)?function:|\d{{12}}:)?(?P<name>[^:]+)(?::(?P<qualifier>[^:]+))?$"
)

Inline = Callable[[Any, Execution, str, int], Any]


# --- Finding ----------------------------------------------------------------------------------------------------------------------


def find(reference: str, functions: Mapping[str, Function[Any]]) -> Function[Any] | None:
    """The function that a name or ARN means: provided under exactly that text, under NAME:QUALIFIER, or under NAME, or ``*`` for all
    others."""
    if reference in functions:
        return functions[reference]
    match = REFERENCE.match(reference)
    if match is None:
        return None
    name, qualifier = match["name"], match["qualifier"]
    return functions.get(f"{name}:{qualifier}") or functions.get(name) or functions.get("*")


def bind(resource: str, parameters: Any, provided: Mapping[str, Callable[..., Any]]) -> Direct | Invoke | InvokeAny | None:
    """The binding, or None if no function provides it."""
    functions = {name: as_function(name, value) for name, value in provided.items()}
    if not INVOKE.match(resource):
        known = resource in functions or DIRECT.match(resource)
        function = find(resource, functions) if known else None
        return None if function is None else Direct(resource, function)
    name = _function_name(parameters)
    if name is None:
        return InvokeAny(resource, functions)
    function = find(name, functions)
    return None if function is None else Invoke(resource, name, function)


def missing(resource: str, parameters: Any, provided: Mapping[str, Any]) -> str:
    """One sentence: which function is missing, and what there is."""
    name = _function_name(parameters) if INVOKE.match(resource) else resource if DIRECT.match(resource) else None
    if name is None:
        return f"nothing here provides the resource {resource!r}; expected the ARN of a Lambda function, or arn:aws:states:::lambda:invoke"
    match = REFERENCE.match(name)
    short = match["name"] if match else name
    near = get_close_matches(short, provided, 1)
    there = (
        f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(provided))}" if provided else "; no functions are given"
    )
    return f"no function is named {short!r}{there}"


def _function_name(parameters: Any) -> str | None:
    """lambda:invoke's FunctionName, if the definition says it outright."""
    name = None
    if isinstance(parameters, Literal) and isinstance(parameters.value, dict):
        name = parameters.value.get("FunctionName")
    elif isinstance(parameters, ObjectTemplate):
        value = dict(parameters.fields).get("FunctionName")
        name = value.value if isinstance(value, Literal) else None
    return name if isinstance(name, str) else None


# --- Bindings ---------------------------------------------------------------------------------------------------------------------


class Direct:
    """A function's ARN as the resource: it gets the state's payload, its result is the state's."""

    def __init__(self, resource: str, function: Function[Any]) -> None:
        self.resource = self.label = resource
        self.function = function
        self._arn = function_arn(resource)
        self._mode = mode_of(function)
        self.inline: Inline | None = adapter(function, self._arn) if function.run == "inline" else None
        # For generated code: the bare function, if calling it with the payload is all there is to do
        self.plain: Callable[[Any], Any] | None = function.wrapped if function.run == "inline" and not function.takes_context else None

    def start(self, call: Call) -> None:
        self._mode.start(call, call.payload, self._arn)

    def cancel(self, call: Call) -> None:
        self._mode.cancel(call)

    def result(self, value: Any) -> Any:
        return adopt(value.payload if value.__class__ is Answered else value, PAYLOAD, self.label)

    def raised(self, error: BaseException, execution: Execution) -> StateError:
        """``failure`` for generated code that has called ``plain``: Ctrl-C in a script goes on to whoever called run()."""
        if is_ctrl_c(error):
            raise error
        return self.failure(error, execution)

    def failure(self, error: BaseException, execution: Execution) -> StateError:
        return outcome.failure(error)

    def saturated(self) -> bool:
        return self._mode.saturated()


class Invoke:
    """lambda:invoke of a function named in the definition: it gets Payload, its result comes wrapped as Lambda's API answers."""

    label, compact = "lambda", True  # how causes name it, and are spaced

    def __init__(self, resource: str, name: str, function: Function[Any]) -> None:
        self.resource, self.function = resource, function
        self._arn = function_arn(name)
        self._mode = mode_of(function)
        self.inline: Inline | None = None
        if function.run == "inline":
            inline = adapter(function, self._arn)
            self.inline = lambda payload, execution, state, attempt: inline(_payload(payload), execution, state, attempt)

    def start(self, call: Call) -> None:
        self._mode.start(call, _payload(call.payload), self._arn)

    def cancel(self, call: Call) -> None:
        self._mode.cancel(call)

    def result(self, value: Any) -> Any:
        return _invoked(value, self.label)

    def failure(self, error: BaseException, execution: Execution) -> StateError:
        return outcome.failure(error, compact=True)

    def saturated(self) -> bool:
        return self._mode.saturated()


class InvokeAny:
    """lambda:invoke of whichever function the data names."""

    label, compact = "lambda", True
    inline: Inline | None = None

    def __init__(self, resource: str, functions: Mapping[str, Function[Any]]) -> None:
        self.resource = resource
        self._functions = functions
        self._modes: dict[Function[Any], Mode] = {}

    def start(self, call: Call) -> None:
        name = call.payload.get("FunctionName") if isinstance(call.payload, dict) else None
        if not isinstance(name, str):
            raise StateError("States.Runtime", "The parameter 'FunctionName' of lambda:invoke must be a string.")
        function = find(name, self._functions)
        if function is None:
            raise not_found(name)
        mode = self._modes.get(function)
        if mode is None:
            mode = self._modes[function] = mode_of(function)
        mode.start(call, _payload(call.payload), function_arn(name))

    def cancel(self, call: Call) -> None:
        if call.job is not None:  # which of the functions it is that runs, the job knows
            call.job.cancel()

    def result(self, value: Any) -> Any:
        return _invoked(value, self.label)

    def failure(self, error: BaseException, execution: Execution) -> StateError:
        return outcome.failure(error, compact=True)

    def saturated(self) -> bool:
        return any(mode.saturated() for mode in self._modes.values())


class Missing:
    """A resource that nothing provides: fails when it is reached, as on AWS. ``reason``: why there is no integration."""

    inline: Inline | None = None

    def __init__(self, resource: str, parameters: Any, reason: str | None = None) -> None:
        self.resource, self._reason = resource, reason
        self._name = _function_name(parameters) if INVOKE.match(resource) else resource if DIRECT.match(resource) else None

    def start(self, call: Call) -> None:
        if self._name is None:
            reason = "" if self._reason is None else f": {self._reason}"
            raise StateError("States.TaskFailed", f"Nothing here provides the resource '{self.resource}'{reason}.")
        raise not_found(self._name)

    def cancel(self, call: Call) -> None:
        pass

    def result(self, value: Any) -> Any:
        return value

    def failure(self, error: BaseException, execution: Execution) -> StateError:
        return outcome.failure(error)

    def saturated(self) -> bool:
        return False


def not_found(name: str) -> StateError:
    """AWS's failure for a function that does not exist."""
    arn = function_arn(name)
    qualified = arn if arn.count(":") > 6 else f"{arn}:$LATEST"
    return StateError(
        "Lambda.ResourceNotFoundException",
        f"Function not found: {qualified} (Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; "
        f"Request ID: {uuid.uuid4()}; Proxy: null)",
    )


# --- Lambda's API -----------------------------------------------------------------------------------------------------------------


def _payload(parameters: Any) -> Any:
    """What the function gets: Payload, where null or nothing is an empty object. A text is not a JSON string, but JSON text, as on AWS."""
    payload = parameters.get("Payload") if isinstance(parameters, dict) else None
    if payload.__class__ is str:
        if not payload:
            return {}
        try:
            return loads(payload)
        except ValueError as error:
            raise not_json(str(error)) from None
    return {} if payload is None else payload


def not_json(reason: str) -> StateError:
    """What Lambda's API answers to a payload that it cannot read."""
    return StateError(
        "Lambda.InvalidRequestContentException",
        f"Could not parse request body into json: Could not parse payload into json: {reason} (Service: AWSLambda; Status Code: 400; "
        f"Error Code: InvalidRequestContentException; Request ID: {uuid.uuid4()}; Proxy: null)",
    )


def _invoked(value: Any, label: str) -> Any:
    """What lambda:invoke gives: Lambda's own answer, or one made as it would be."""
    if value.__class__ is Answered:
        return {**value.response, "Payload": adopt(value.payload, PAYLOAD, label)}
    return _response(adopt(value, PAYLOAD, label))


def _response(value: Any) -> dict[str, Any]:
    """A function's result as lambda:invoke returns it."""
    request = str(uuid.uuid4())
    headers = {
        "Connection": "keep-alive",
        "Content-Length": str(len(json.dumps(value, ensure_ascii=False).encode())),  # the Python runtime writes spaces
        "Content-Type": "application/json",
        "Date": formatdate(time.time(), usegmt=True),
        "X-Amz-Executed-Version": "$LATEST",
        "x-amzn-Remapped-Content-Length": "0",
        "x-amzn-RequestId": request,
        "X-Amzn-Trace-Id": f"root=1-{int(time.time()):08x}-{request.replace('-', '')[:24]};sampled=0",
    }
    return {
        "ExecutedVersion": "$LATEST",
        "Payload": value,
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [text] for name, text in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": 200,
        },
        "SdkResponseMetadata": {"RequestId": request},
        "StatusCode": 200,
    }
