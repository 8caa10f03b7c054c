"""Tasks that wait for somebody: SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat, as the operations of AWS's API."""

from __future__ import annotations

from typing import Any

from express.api import shapes
from express.callbacks import Callbacks, InvalidOutput
from express.runtime.values import loads

_WAITING = Callbacks()  # of this process: a token of another is one that is over


def succeed(request: shapes.SendTaskSuccess) -> dict[str, Any]:
    try:
        output = loads(request.output)
    except ValueError as error:
        raise InvalidOutput(str(error)) from None
    _WAITING.succeed(request.task_token, output)
    return {}


def fail(request: shapes.SendTaskFailure) -> dict[str, Any]:
    _WAITING.fail(request.task_token, request.error, request.cause)
    return {}


def heartbeat(request: shapes.SendTaskHeartbeat) -> dict[str, Any]:
    _WAITING.heartbeat(request.task_token)
    return {}
