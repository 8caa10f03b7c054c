"""Whether a KeyboardInterrupt is Ctrl-C: then it goes on to whoever called ``run``; or something that a function raised, and failed by."""

from __future__ import annotations

_handled = False


def handle(handled: bool) -> None:
    """Whether from now on signals are handled otherwise than by exceptions (``express run``)."""
    global _handled
    _handled = handled


def is_ctrl_c(error: BaseException) -> bool:
    return not _handled and isinstance(error, KeyboardInterrupt)
