"""A list in, one page of it and the token of the next out."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from express.errors import RequestError

DEFAULT = 100  # items a page, AWS's

Item = TypeVar("Item")


def page(
    items: Sequence[Item], key: Callable[[Item], Any], what: str, size: int | None, token: str | None
) -> tuple[list[Item], dict[str, Any]]:
    """At most ``size`` of ``items``, which are in the order of ``key``, from where ``token`` ends; ``{"nextToken": ...}`` if there are
    more. Items may come and go between two pages. InvalidToken for a token of something else (``what``), or of nobody."""
    if token is not None:
        last = _read(token, what)
        try:
            items = [item for item in items if key(item) > last]
        except TypeError:
            raise _invalid() from None
    shown = list(items[: size or DEFAULT])
    if len(shown) == len(items):
        return shown, {}
    return shown, {"nextToken": base64.urlsafe_b64encode(msgspec.json.encode([what, key(shown[-1])])).decode()}


def _read(token: str, what: str) -> Any:
    try:
        of, last = msgspec.json.decode(base64.b64decode(token, b"-_", validate=True))
    except (ValueError, TypeError, UnicodeError, RecursionError):
        raise _invalid() from None
    if of != what:
        raise _invalid()
    return tuple(last) if isinstance(last, list) else last


def _invalid() -> RequestError:
    return RequestError("InvalidToken", "Invalid Token: 'Invalid token'")
