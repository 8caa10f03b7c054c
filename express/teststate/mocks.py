"""What a request says that a Task, Map or Parallel returns or fails with: checked, and as something to be called instead of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from express.errors import RequestError
from express.language.model import Map, Parallel, State, Task
from express.runtime.context import Execution
from express.runtime.failures import StateError
from express.runtime.suspensions import Call
from express.teststate import readers, schema
from express.teststate.definitions import Subject, needs_mock

EXCEEDED = "States.ExceedToleratedFailureThreshold"
_NEED_MOCK = {
    "mapIterationFailureCount": "MapIterationFailureCount",
    "errorCausedByState": "ErrorCausedByState",
    "retrierRetryCount": "RetrierRetryCount",
    "mapItemReaderData": "MapItemReaderData",
}


class Mocked:
    """A binding that gives the same answer to every call. ``failed`` is how many iterations of a Map have failed, ``items`` what its
    ItemReader has read, if it has one."""

    resource = "the mock"

    def __init__(self, result: Any, failure: tuple[str, str | None] | None, failed: int | None, items: Any) -> None:
        self._result, self._failure, self._failed, self.items = result, failure, failed, items
        self.given: Any = None  # the inputs of a Map's iterations, once they are known
        self.inline: Callable[..., Any] | None = self._answer

    def _answer(self, payload: Any, execution: Execution, state: str, attempt: int) -> Any:
        self.given = payload
        if self._failure is not None:
            raise StateError(*self._failure)
        if self._failed:
            self._tolerate(payload, execution.recording.visits[-1].data)  # type: ignore[attr-defined]
        return self._result

    def _tolerate(self, items: Any, seen: Mapping[str, Any]) -> None:
        """Where a Map says how many failures it tolerates, and more have failed."""
        assert self._failed is not None
        count, percentage = seen.get("toleratedFailureCount"), seen.get("toleratedFailurePercentage")
        total = len(self._result) if isinstance(self._result, list) else len(items)
        too_many = count is not None and self._failed > count
        if too_many or (percentage is not None and self._failed * 100 > percentage * total):
            raise StateError(EXCEEDED, "The specified tolerated failure threshold was exceeded")

    def start(self, call: Call) -> None:
        raise NotImplementedError("it is called inline")

    def cancel(self, call: Call) -> None:
        pass

    def result(self, value: Any) -> Any:
        return value

    def failure(self, error: BaseException, execution: Execution) -> StateError:
        if not isinstance(error, StateError):
            raise error
        return error

    def saturated(self) -> bool:
        return False


def check_presence(subject: Subject, mock: Mapping[str, Any] | None, configuration: Mapping[str, Any], context: Any) -> None:
    """Which states must have a mock, which may not, and what may only be said along with one."""
    state = subject.state
    if mock is None:
        for field, name in _NEED_MOCK.items():
            if field in configuration:
                raise _refused(f"TestState does not support {name} when a mock is not specified.")
        if context is not None:
            raise _refused("TestState does not support Context when a mock is not specified.")
        if isinstance(state, (Map, Parallel)):
            raise RequestError(
                "InvalidDefinition",
                "TestState API does not support Map or Parallel states. "
                "Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]",
            )
        if needs_mock(subject.raw):
            resource = subject.raw["Resource"]
            raise RequestError(
                "InvalidDefinition", f"TestState API does not support the resource '{resource}' when a mock is not specified"
            )
    elif not isinstance(state, (Task, Map, Parallel)):
        raise _refused(f"State type '{type(state).__name__}' is not supported when a mock is specified")


def read(subject: Subject, mock: Mapping[str, Any], result: Any, configuration: Mapping[str, Any]) -> Mocked:
    """The mock of a request, its ``result`` decoded. RequestError if the state cannot give that."""
    if ("result" in mock) is ("errorOutput" in mock):
        raise _refused("A test mock should have only one of the following fields: [result, errorOutput].")
    state, raw = subject.state, subject.raw
    failed = configuration.get("mapIterationFailureCount")
    failure = None
    if "errorOutput" in mock:
        output = mock["errorOutput"]
        if output.get("error") is None:
            raise _refused("Value at 'mock.errorOutput.error' failed to satisfy constraint: Member must not be null")
        failure = output["error"], output.get("cause")
        caused = configuration.get("errorCausedByState")
        if caused is not None and caused not in _inside(state):
            raise _refused(f"State '{caused}' not found in the state under test")
    elif isinstance(state, Task):
        schema.check(raw["Resource"], result, mock.get("fieldValidationMode"))
    elif isinstance(state, Map) and "ResultWriter" in raw:
        if not isinstance(result, dict):
            raise _refused("Mocked result must be a JSON object.")
    elif not isinstance(result, list):
        raise _refused("Mocked result must be an array.")
    elif isinstance(state, Parallel) and len(result) != len(state.branches):
        raise _refused("Mocked result must contain the same number of items as number of Parallel branches.")
    if failed is not None and isinstance(result, list) and failed > len(result):
        raise _refused("Map iteration failure count must be less than or equal to the number of Map iterations")
    items = readers.items(raw, configuration.get("mapItemReaderData")) if isinstance(state, Map) and "ItemReader" in raw else None
    return Mocked(result, failure, failed, items)


def _inside(state: State) -> set[str]:
    """The names of the states inside a Map or Parallel."""
    found: set[str] = set()
    pending = [state]
    while pending:
        one = pending.pop()
        for machine in one.branches if isinstance(one, Parallel) else (one.processor,) if isinstance(one, Map) else ():
            found.update(machine.states)
            pending.extend(machine.states.values())
    return found


def _refused(reason: str) -> RequestError:
    return RequestError("ValidationException", reason)
