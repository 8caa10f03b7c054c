"""A Context Object from a request in, checked; the execution that shows it to the state under test out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from express.errors import RequestError
from express.runtime.context import ACCOUNT, Recorded

# What may be given, and which type it has; None is any value
FIELDS: dict[str, dict[str, type | None]] = {
    "Execution": {
        "Id": str, "Input": None, "Name": str, "RoleArn": str, "StartTime": str, "RedriveCount": int, "RedriveTime": str,
    },
    "State": {"EnteredTime": str, "Name": str, "RetryCount": int},
    "StateMachine": {"Id": str, "Name": str},
    "Task": {"Token": str},
}  # fmt: skip
_NAMES = {str: "a string", int: "a number"}
_ROLE = re.compile(r"arn:[\w-]+:iam::(\d{12}):role/")

SETTER = "Variables of the request"  # the state before the one under test, which sets them


def check(context: Any) -> None:
    """RequestError for what AWS does not take for a Context Object."""
    if not isinstance(context, dict):
        raise _invalid("Context must be a JSON object")
    for name, inner in context.items():
        if name == "Map":
            raise _invalid("'Map' field is not supported when mocking a Context object")
        if name not in FIELDS:
            raise _invalid(f"Field '{name}' is not allowed")
        if not isinstance(inner, dict):
            raise _invalid(f"{name} must be an object")
        for field, value in inner.items():
            if field not in FIELDS[name]:
                raise _invalid(f"Field '{field}' is not allowed")
            kind = FIELDS[name][field]
            if kind is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
                raise _invalid(f"{name}.{field} must be {_NAMES[kind]}")


def _invalid(reason: str) -> RequestError:
    return RequestError("ValidationException", f"Invalid Context object provided: {reason}")


class Tested(Recorded, eq=False):
    """The execution of one state. ``given`` takes the place of its Context Object, field by field; ``retried`` is how often the state was
    tried again before; ``variables`` are shown to the state that sets them."""

    given: Mapping[str, Any] | None = None
    role_arn: str | None = None
    variables: Mapping[str, Any] | None = None
    retried: int = 0

    @property
    def role(self) -> str:
        return self.role_arn or Recorded.role.fget(self)  # type: ignore[attr-defined]

    @property
    def id(self) -> str:
        return f"{self._account()}:express:{self.program.name}:{self.name}"

    @property
    def workflow_id(self) -> str:
        return f"{self._account()}:stateMachine:{self.program.name}"

    def _account(self) -> str:
        """Where the execution pretends to live: in the account of its role."""
        found = _ROLE.match(self.role_arn or "")
        return ACCOUNT if found is None else f"{ACCOUNT.rpartition(':')[0]}:{found[1]}"

    def context(
        self, state: str, entered: str, retries: int | None = None, item: tuple[int, Any] | None = None, token: str | None = None
    ) -> dict[str, Any]:
        context = super().context(state, entered, None if retries is None else retries + self.retried, item, token)
        for name, inner in (self.given or {}).items():
            context[name] = {**context.get(name, {}), **inner}
        if state == SETTER:
            context["Variables"] = self.variables
        return context
