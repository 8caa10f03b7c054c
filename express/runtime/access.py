"""Small questions that generated code asks about JSON values. Nothing here mutates what it is given."""

from __future__ import annotations

from typing import Any

from express.runtime import timestamps
from express.runtime.context import Execution
from express.runtime.failures import StateError
from express.runtime.values import dumps

NUMBERS: frozenset[type] = frozenset({int, float})  # a bool's class is neither
LONGEST_WAIT = 99_999_999  # seconds: AWS
QUERY = "States.QueryEvaluationError"


class Refused(Exception):  # noqa: N818 - named for what happened
    """A value that a state cannot work with. ``blame`` puts the state's name before ``cause``."""

    def __init__(self, cause: str, error: str = "States.Runtime") -> None:
        self.error, self.cause = error, cause
        super().__init__(cause)


class OutputTooLarge(StateError):  # noqa: N818
    """A state's output is over the limit: unlike a task's result over it, nothing but its own name catches this."""

    __slots__ = ()


def too_large(state: str) -> OutputTooLarge:
    cause = f"The state/task '{state}' returned a result with a size exceeding the maximum number of bytes service limit."
    return OutputTooLarge("States.DataLimitExceeded", cause)


def no_choice() -> Refused:
    return Refused("Failed to transition out of the state. The state does not point to a next state.", "States.NoChoiceMatched")


def present(value: Any, *steps: str | int) -> bool:
    """Whether names and indexes lead to something."""
    for step in steps:
        if step.__class__ is str:
            if value.__class__ is not dict or step not in value:
                return False
        elif value.__class__ is not list or not -len(value) <= step < len(value):  # type: ignore[operator]
            return False
        value = value[step]
    return True


def array(value: Any, path: str) -> list[Any]:
    """What ItemsPath selects, which must be an array."""
    if value.__class__ is not list:
        raise Refused(f'Reference path "{path}" must point to array.')
    items: list[Any] = value
    return items


def text(value: Any, path: str, field: str) -> str:
    """What ErrorPath or CausePath selects, which must be a text."""
    if value.__class__ is not str:
        raise Refused(f"The {field} field must be a string, but '{path}' is: {dumps(value).decode()}")
    found: str = value
    return found


def seconds_of(value: Any, path: str, field: str, least: int = 0) -> int:
    """What a field such as SecondsPath selects: a whole number from ``least`` (1 for a timeout: ASL wants those positive)."""
    if value.__class__ is not int:
        raise Refused(f"The {field} parameter cannot be parsed as a long value: {path} == {dumps(value).decode()}")
    if value < 0:
        raise Refused(f"The {field} parameter references a negative value: {path} == {value}")
    if value < least:
        raise Refused(f"The {field} parameter references a value less than {least}: {path} == {value}")
    if value > LONGEST_WAIT:
        raise Refused(f"The {field} parameter references a value greater than {LONGEST_WAIT}: {path} == {value}")
    found: int = value
    return found


def count_of(value: Any, expression: str, field: str, least: int = 0) -> int:
    """What JSONata gives for a field such as Seconds: a whole number from ``least`` (1 for a timeout: ASL wants those positive)."""
    if value.__class__ is float and value.is_integer():
        value = int(value)
    if value.__class__ is not int or not least <= value <= LONGEST_WAIT:
        raise Refused(
            f"The JSONata expression '{expression}' specified for the field '{field}' returned a value out of range. "
            f"Expected a whole number from {least} to {LONGEST_WAIT}, but was {dumps(value).decode()}",
            QUERY,
        )
    found: int = value
    return found


def items_of(value: Any) -> list[Any]:
    """The input of a Map without Items, which must be an array."""
    if value.__class__ is not list:
        raise Refused(f"Map state input must be an array but was: {dumps(value).decode()}", QUERY)
    items: list[Any] = value
    return items


def moment(execution: Execution, value: str) -> float:
    """Seconds from now to what JSONata gives for Timestamp; negative when it is over."""
    instant = timestamps.seconds(value)
    if instant is None:
        raise Refused(f"The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {value}", QUERY)
    return instant - execution.clock.wall()


def until(execution: Execution, value: Any, path: str) -> float:
    """Seconds from now to the timestamp that TimestampPath selects; negative when it is over."""
    instant = timestamps.seconds(value) if value.__class__ is str else None
    if instant is None:
        shown = value if value.__class__ is str else dumps(value).decode()
        raise Refused(
            f"The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: {path} == {shown}"
        )
    return instant - execution.clock.wall()


def error_output(failure: StateError) -> dict[str, Any]:
    """What a Catcher puts into the data."""
    return {"Error": failure.error or "", "Cause": failure.cause or ""}
