"""What says that two events are the same: a record in, 32 bytes out, or None for one that is like no other."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from express.clock import REAL
from express.errors import ConfigurationError, DefinitionError
from express.program import compile  # noqa: A004 - the public name
from express.runtime.context import Execution, Message
from express.runtime.decoding import Undecodable
from express.runtime.failures import StateError

KeyOf = Callable[[Message], bytes | None]
SECONDS = 1.0  # for an expression


def keys_by(by: str, pipeline: str, workflow: str, payload: int) -> KeyOf:
    """``by`` is ``key``, a JSONPath or a JSONata expression on the event, which a small workflow evaluates, as the engine evaluates any.
    The pipeline and the workflow are part of a key. ConfigurationError with what is wrong with the expression.

    Records without a key, and events in which the expression finds nothing, null, or cannot be evaluated, are like no other: they run.
    """
    scope = b"%b\0%b\0" % (pipeline.encode(), workflow.encode())
    if by == "key":
        return lambda message: None if message.key is None else sha256(scope + message.key).digest()
    if by.startswith("$"):
        state = {"Type": "Pass", "InputPath": by, "End": True}
        definition = {"StartAt": "Key", "States": {"Key": state}}
    elif by.startswith("{%") and by.endswith("%}"):
        definition = {"QueryLanguage": "JSONata", "StartAt": "Key", "States": {"Key": {"Type": "Pass", "Output": by, "End": True}}}
    else:
        raise ConfigurationError(f"expected key, a JSONPath such as $.order.id, or JSONata such as {{% $states.input.id %}}, found {by!r}")
    try:
        program = compile(definition, "dedup", metrics=False)
    except DefinitionError as error:
        raise ConfigurationError(*(problem.message for problem in error.problems)) from error

    def key_of(message: Message) -> bytes | None:
        if message.value is None or len(message.value) > payload:
            return None
        now = REAL.time()
        try:
            found = program.process(message.value, Execution(program, None, now, now + SECONDS, message))
        except (Undecodable, StateError):
            return None
        return None if found == b"null" else sha256(scope + found).digest()

    return key_of
