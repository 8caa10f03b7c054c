"""Tasks that wait for somebody: SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat, as the operations of AWS's API."""

from __future__ import annotations

from typing import NoReturn

from express.api import shapes
from express.errors import RequestError


def succeed(request: shapes.SendTaskSuccess) -> NoReturn:
    raise _invalid()


def fail(request: shapes.SendTaskFailure) -> NoReturn:
    raise _invalid()


def heartbeat(request: shapes.SendTaskHeartbeat) -> NoReturn:
    raise _invalid()


def _invalid() -> RequestError:
    """No task waits for anybody in this version: nobody was given a token."""
    return RequestError("InvalidToken", "Invalid Token: 'Invalid token'")
