"""What a JSONata expression is at run time: its text and place, for the sentences AWS fails with; and the value that stands for nothing."""

from __future__ import annotations

from typing import Any, Final

from express.runtime.failures import StateError
from express.runtime.values import dumps

ERROR = "States.QueryEvaluationError"
LONGEST_SHOWN = 8_192  # characters of a value that a cause shows


class Undefined:
    """The value of a path that selects nothing. There is one, compared by ``is``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "undefined"

    def __bool__(self) -> bool:
        return False


UNDEFINED: Final = Undefined()


class TooManyItems(Exception):  # noqa: N818 - what is wrong
    """A step of a path has found more than an expression may have."""


def unforeseen(error: Exception) -> str:
    """What to say of an exception of Python in the midst of an evaluation."""
    if isinstance(error, RecursionError):
        code, what = "D1000", "The values are nested too deep"
    elif isinstance(error, (OverflowError, ZeroDivisionError)):
        code, what = "D1001", "Number out of range"
    elif isinstance(error, TooManyItems):
        code, what = "D2015", "The maximum sequence length was exceeded"
    elif isinstance(error, MemoryError):
        code, what = "D1000", "The evaluation needs more memory than there is"
    else:
        code, what = "D1000", f"The evaluation broke off: {type(error).__name__}: {error}"
    return f"threw an error during evaluation. {code}: {what}"


class Query:
    """An expression of a definition. ``text`` is what stands between ``{%`` and ``%}``, ``field`` its place in the state (for example
    ``Output/total``), ``source`` what a library is given instead of the text."""

    __slots__ = ("field", "source", "text")

    def __init__(self, text: str, field: str, source: str = "") -> None:
        self.text, self.field, self.source = text, field, source

    def __repr__(self) -> str:
        return f"{{% {self.text} %}}"

    def undefined(self) -> StateError:
        return self._failure("returned nothing (undefined).")

    def unsupported(self) -> StateError:
        """The result is a function, or a number that JSON does not have."""
        return self._failure("returned an unsupported result type.")

    def failed(self, code: str, message: str) -> StateError:
        """The evaluation ended with one of JSONata's errors."""
        return self._failure(f"threw an error during evaluation. {code}: {message}")

    def broken(self, error: Exception) -> StateError:
        """The evaluation ended with an exception of Python that nobody expected."""
        return self._failure(unforeseen(error))

    def unexpected(self, expected: str, value: Any) -> StateError:
        """The result is defined, but not of the type that the field needs."""
        shown = dumps(value).decode()[:LONGEST_SHOWN]
        what = f"Expected '{expected}', but was '{type_name(value)}' for value: {shown}"
        return self._failure(f"returned an unexpected result type. {what}")

    def _failure(self, what: str) -> StateError:
        return StateError(ERROR, f"The JSONata expression '{self.text}' specified for the field '{self.field}' {what}")


def type_name(value: Any) -> str:
    """What AWS calls the type of a JSON value."""
    kind = value.__class__
    if kind is bool:
        return "boolean"
    if kind is int or kind is float:
        return "number"
    return {str: "string", list: "array", dict: "object", type(None): "null"}.get(kind, "function")


# --- What the code around an expression does with its result ----------------------------------------------------------------------


def defined(value: Any, query: Query) -> Any:
    """The value, unless there is none."""
    if value is UNDEFINED:
        raise query.undefined()
    return value


def boolean_result(value: Any, query: Query) -> Any:
    """The value of a field that must be true or false: Condition."""
    if value is True or value is False:
        return value
    raise query.undefined() if value is UNDEFINED else query.unexpected("boolean", value)


def array_result(value: Any, query: Query) -> Any:
    """The value of a field that must be an array: Items."""
    if value.__class__ is list:
        return value
    raise query.undefined() if value is UNDEFINED else query.unexpected("array", value)


def string_result(value: Any, query: Query) -> Any:
    """The value of a field that must be a text: Error, Cause, Timestamp."""
    if value.__class__ is str:
        return value
    raise query.undefined() if value is UNDEFINED else query.unexpected("string", value)


def number_result(value: Any, query: Query) -> Any:
    """The value of a field that must be a number: Seconds, TimeoutSeconds, MaxConcurrency."""
    if value.__class__ is int or value.__class__ is float:
        return value
    raise query.undefined() if value is UNDEFINED else query.unexpected("number", value)


RESULTS = (defined, boolean_result, array_result, string_result, number_result)
