"""What a function raised, to the error name and cause of its state, as the Lambda Python runtime reports it."""

from __future__ import annotations

import json
import os
import traceback
import uuid
from contextlib import suppress
from typing import Any

from express.errors import TaskError
from express.runtime.failures import StateError

ENGINE = (os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep, "<express ")  # its files, and the code it generates
FRAMES = 100  # of a stack trace: a recursion error has a thousand
MESSAGE = 8_192  # characters of a message; AWS cuts causes at 32,768
REQUEST = "_express_request_id"


def failure(error: BaseException, *, compact: bool = False) -> StateError:
    """TaskError gives exactly its error and cause; anything else its class's name and the runtime's JSON (``compact`` as lambda:invoke has
    it). Keeps no reference to ``error``."""
    if isinstance(error, StateError):
        return StateError(error.error, error.cause, error.state, error.location)
    if isinstance(error, TaskError):
        return StateError(_clean(str(error.error)), _clean(str(error.cause)))
    request = getattr(error, REQUEST, None) or str(uuid.uuid4())
    if isinstance(error, SystemExit):
        # A Lambda function that leaves takes its runtime along
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        report: dict[str, Any] = {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"RequestId: {request} Error: Runtime exited with error: exit status {status}",
        }
        return StateError("Runtime.ExitError", _json(report, compact))
    name = type(error).__name__
    report = {"errorMessage": _message(error), "errorType": name, "requestId": request, "stackTrace": _stack(error)}
    return StateError(name, _json(report, compact))


def mark(error: BaseException, request: str) -> None:
    """Notes on an exception the request id that the function was given, so that the cause names the same."""
    with suppress(Exception):
        setattr(error, REQUEST, request)


def _json(report: dict[str, Any], compact: bool) -> str:
    return _clean(json.dumps(report, ensure_ascii=False, separators=(",", ":") if compact else None))


def _message(error: BaseException) -> str:
    try:
        return str(error)[:MESSAGE]
    except Exception:
        return f"<unprintable {type(error).__name__}>"


def _stack(error: BaseException) -> list[str]:
    """The frames below the engine's own, one text each."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(ENGINE):
        frames = frames.tb_next
    try:
        summary = traceback.extract_tb(frames, limit=-FRAMES)
        return traceback.format_list([(frame.filename, frame.lineno or 0, frame.name, frame.line) for frame in summary])
    except Exception:  # a source file that cannot be read as text
        return []


def _clean(text: str) -> str:
    """A text that can be written as UTF-8: a cause becomes data where it is caught."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()
    return text
