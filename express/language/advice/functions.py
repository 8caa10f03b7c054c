"""What advice wants to know of the functions that Tasks call. They are looked at, not called: the language knows nothing of running."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from express.language.model import Literal, ObjectTemplate, Task

_FUNCTION = re.compile(r"(?:.*:function:)?([\w$-]+)(?::[\w$.-]+)?", re.ASCII | re.DOTALL)


class Functions:
    """Functions by name; those made by ``@express.function`` say more about themselves."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._not_idempotent = {name for name, each in given.items() if getattr(each, "idempotent", None) is False}
        self._inline = {name for name, each in given.items() if getattr(each, "run", None) == "inline"}

    def not_idempotent(self, task: Task) -> str | None:
        """The name of the function that ``task`` calls, if it says that it is not."""
        return self._among(task, self._not_idempotent)

    def inline(self, task: Task) -> str | None:
        """The name of the function that ``task`` calls, if it runs in the engine's own loop."""
        return self._among(task, self._inline)

    @staticmethod
    def _among(task: Task, names: set[str]) -> str | None:
        name = called(task) if names else None
        return name if name in names else None


def called(task: Task) -> str | None:
    """The name of the Lambda function that is called, if it is known before it runs."""
    named: object = None
    if ":lambda:" in task.resource and ":function:" in task.resource:
        named = task.resource
    elif task.resource.rpartition(":::")[2].partition(".")[0] == "lambda:invoke":
        arguments = task.parameters
        if isinstance(arguments, Literal) and isinstance(arguments.value, dict):
            named = arguments.value.get("FunctionName")
        elif isinstance(arguments, ObjectTemplate):
            field = dict(arguments.fields).get("FunctionName")
            named = field.value if isinstance(field, Literal) else None
    found = _FUNCTION.fullmatch(named) if isinstance(named, str) else None
    return found[1] if found else None
