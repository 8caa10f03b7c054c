"""Log records in, lines on stderr out: text for people, one JSON object a line for machines. Payloads are never among them."""

from __future__ import annotations

import logging
import sys
import time
from datetime import UTC, datetime
from typing import Literal

import orjson

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
NOISY = ("aiokafka", "kafka", "asyncio", "aiohttp")


def setup(form: Literal["auto", "json", "text"], level: Literal["debug", "info", "warning", "error"]) -> None:
    """Sends every log record of the process to stderr. Called once, by the command line."""
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    handler = _ToStderr()
    handler.setFormatter(_Json() if as_json else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    quiet_clients(level != "debug")


def quiet_clients(quiet: bool) -> None:
    """While we connect, a client's own lines about each attempt would hide the one sentence we say when it fails."""
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL if quiet else logging.NOTSET)


def settle_clients() -> None:
    """Once connected, what clients warn of is worth reading."""
    if logging.getLogger().level > logging.DEBUG:
        for name in NOISY:
            logging.getLogger(name).setLevel(logging.WARNING)


class _ToStderr(logging.Handler):
    """Looks stderr up each time: a progress bar that owns the terminal puts itself in between."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:
            self.handleError(record)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        return _with_traceback(self, record, f"{at} {record.levelname.lower():7} {record.getMessage()}")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def _with_traceback(formatter: logging.Formatter, record: logging.LogRecord, line: str) -> str:
    return f"{line}\n{formatter.formatException(record.exc_info)}" if record.exc_info else line
