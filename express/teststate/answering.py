"""The operation as AWS's API has it: a TestStateInput in, a TestStateOutput out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from express.clock import Clock
from express.errors import RequestError
from express.runtime.values import dumps, loads
from express.teststate import batches, contexts, definitions, inspection, mocks, parameters, readers, running

# What of inspectionData is JSON as text
TEXTS = frozenset({
    "input", "afterArguments", "afterInputPath", "afterParameters", "result", "afterResultSelector", "afterResultPath", "variables",
    "afterItemsPath", "afterItemSelector", "afterItemBatcher", "afterItemsPointer",
})  # fmt: skip


def answer(
    request: Mapping[str, Any], *, functions: Mapping[str, Callable[..., Any]] | None = None, clock: Clock | None = None
) -> dict[str, Any]:
    """JSON values are text in it, as in AWS's API. RequestError for what AWS refuses. ``functions`` are what Tasks without a mock call."""
    request = {name: value for name, value in request.items() if value is not None}
    parameters.check_request(request)
    value = _json(request.get("input", "{}"), "InvalidExecutionInput", "Invalid State Machine Execution Input: '{}'")
    variables = _json(request.get("variables", "{}"), "ValidationException", "Invalid variables: {}")
    if not isinstance(variables, dict):
        raise RequestError("ValidationException", "Invalid variables: they must be a JSON object")
    configuration = request.get("stateConfiguration", {})
    subject = definitions.find(request["definition"], request.get("stateName"), variables, _setter(variables))
    mock = request.get("mock")
    mocks.check_presence(subject, mock, configuration, request.get("context"))
    context = None
    if "context" in request:
        context = _json(request["context"], "ValidationException", "Invalid Context object provided: {}")
        contexts.check(context)
    mocked = None
    if mock is not None:
        result = _json(mock["result"], "ValidationException", "Mocked result must be valid JSON") if "result" in mock else None
        mocked = mocks.read(subject, mock, result, configuration)
    setting = running.Setting(
        functions=functions or {},
        retries=configuration.get("retrierRetryCount", 0),
        context=context,
        variables=variables,
        role=request.get("roleArn"),
        clock=clock,
    )
    ran = running.run(subject, value, setting, mocked)
    answered = _answered(ran)
    if request.get("inspectionLevel", "INFO") != "INFO":
        shown = inspection.of(subject, ran.visit, {**variables, **ran.visit.assigned}, _details(ran))
        if mocked is not None and isinstance(mocked.given, list):
            shown |= _distributed(subject, mocked, shown, setting)
        answered["inspectionData"] = {name: dumps(each).decode() if name in TEXTS else each for name, each in shown.items()}
    return answered


def _distributed(subject: definitions.Subject, mocked: mocks.Mocked, shown: Mapping[str, Any], setting: running.Setting) -> dict[str, Any]:
    """What a Distributed Map makes of its items besides."""
    found: dict[str, Any] = {}
    if mocked.items is not None and readers.pointed(subject.raw):
        found["afterItemsPointer"] = mocked.items
    batcher = subject.raw.get("ItemBatcher")
    if isinstance(batcher, dict):
        template = batches.template(batcher, jsonata=subject.jsonata)
        evaluated = running.evaluate(subject, template, shown.get("afterInputPath", shown["input"]), setting)
        if isinstance(evaluated, dict):
            found["afterItemBatcher"] = batches.batches(mocked.given, evaluated)
    return found


def _setter(variables: Mapping[str, Any]) -> dict[str, Any]:
    """A state that sets the variables to what the execution has for it."""
    return {"Type": "Pass", "QueryLanguage": "JSONPath", "Assign": {f"{name}.$": f"$$.Variables.{name}" for name in variables}}


def _json(text: str, code: str, sentence: str) -> Any:
    try:
        return loads(text)
    except ValueError as error:
        raise RequestError(code, sentence.format(error)) from None


def _details(ran: running.Ran) -> dict[str, int]:
    """What took a failure."""
    found = {} if ran.retrier is None else {"retryIndex": ran.retrier}
    if ran.delay is not None:
        found["retryBackoffIntervalSeconds"] = round(ran.delay)
    elif ran.visit.catcher is not None:
        found["catchIndex"] = ran.visit.catcher
    return found


def _answered(ran: running.Ran) -> dict[str, Any]:
    visit = ran.visit
    answered: dict[str, Any] = {}
    if ran.delay is not None:
        answered["status"] = "RETRIABLE"
    elif visit.status == "CAUGHT":
        answered["status"] = "CAUGHT_ERROR"
    else:
        answered["status"] = "SUCCEEDED" if visit.status == "SUCCEEDED" else "FAILED"
    if visit.status in ("SUCCEEDED", "CAUGHT"):
        answered["output"] = dumps(visit.output).decode()
        if visit.next is not None:
            answered["nextState"] = visit.next
    answered |= {name: text for name, text in (("error", visit.error), ("cause", visit.cause)) if text is not None}
    return answered
