"""JSON text to the part of it that a workflow looks at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

import msgspec

from express.runtime.values import loads


class Undecodable(ValueError):  # noqa: N818
    """Text that is not JSON, or that nobody can keep; one sentence."""


def whole(text: bytes) -> Any:
    """All of it."""
    try:
        return loads(text)
    except ValueError as error:
        raise Undecodable(str(error)) from None


def projector(shape: dict[str, Any]) -> Callable[[bytes], Any]:
    """A decoder of objects that gives the fields of ``shape`` only. Anything without that form raises ``OTHER_FORM``: decode it whole.

    What is skipped is JSON, but numbers in it may be of any size and values of any depth; whether it is UTF-8 is for the caller to see.
    """
    return msgspec.json.Decoder(_form(shape)).decode


def _form(shape: dict[str, Any]) -> Any:
    fields = {name: _form(inner) if inner else Any for name, inner in shape.items()}
    return TypedDict("Event", fields, total=False)  # type: ignore[operator]


OTHER_FORM = (msgspec.DecodeError, UnicodeError, RecursionError)
