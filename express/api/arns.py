"""Names and ARNs of state machines and executions: taken apart, made, and refused in AWS's words.

An ARN's region and account are the caller's to choose: what was written for an account of AWS finds the same names here.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from express.errors import RequestError
from express.runtime.context import ACCOUNT

# AWS, CreateStateMachine and StartExecution: no white space, brackets, wildcards, special or control characters
_REFUSED = re.compile(r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\U0010ffff]")
STATE_MACHINE, EXECUTION, EXPRESS = "stateMachine", "execution", "express"


class Qualified(NamedTuple):
    """A state machine's name, and what follows it in the ARN: a version's number, an alias, or nothing."""

    name: str
    qualifier: str | None

    @property
    def version(self) -> int | None:
        """The number, if it is that of a version."""
        found = self.qualifier
        return int(found) if found is not None and found.isascii() and found.isdecimal() and len(found) < 10 else None


def state_machine(arn: str) -> Qualified:
    """``arn:aws:states:REGION:ACCOUNT:stateMachine:NAME[:QUALIFIER]``"""
    parts = _parts(arn)
    if parts[5] != STATE_MACHINE:
        raise _invalid(f"Resource type not valid in this context: {parts[5]}")
    if len(parts) > 8 or not parts[6] or (len(parts) == 8 and not parts[7]):
        raise _invalid(f"Invalid ARN: {arn}")
    if "/" in parts[6]:
        raise RequestError("ValidationException", f"The ARN of a Distributed Map state is not valid in this context: {arn}")
    return Qualified(parts[6], parts[7] if len(parts) == 8 else None)


def execution(arn: str) -> RequestError:
    """Why an execution cannot be looked at, stopped or redriven, as AWS says it: executions of Express workflows never can."""
    parts = _parts(arn)
    if parts[5] != EXECUTION:
        return _invalid(f"Resource type not valid in this context: {parts[5]}")
    return RequestError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")


def _parts(arn: str) -> list[str]:
    parts = arn.split(":")
    if parts[0] != "arn":
        raise _invalid(f"Invalid ARN prefix: {arn}")
    if len(parts) < 7:
        raise _invalid(f"Invalid ARN: {arn}")
    if parts[2] != "states":
        raise _invalid(f"Invalid service name: {parts[2]}")
    return parts


def _invalid(reason: str) -> RequestError:
    return RequestError("InvalidArn", f"Invalid Arn: '{reason}'")


def check_name(name: str) -> None:
    """The name of a state machine or an execution."""
    if _REFUSED.search(name):
        raise RequestError("InvalidName", f"Invalid Name: '{name}'")


def of_machine(name: str, qualifier: str | int | None = None) -> str:
    return f"{ACCOUNT}:{STATE_MACHINE}:{name}" if qualifier is None else f"{ACCOUNT}:{STATE_MACHINE}:{name}:{qualifier}"


def of_execution(machine: str, name: str) -> str:
    """The last part tells apart executions of one name: for Express workflows a name is no key."""
    return f"{ACCOUNT}:{EXPRESS}:{machine}:{name}:{unique()}"


def unique() -> str:
    """A random UUID as text, in a third of the time that the library takes."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
