"""Log lines: text for people, JSON for machines."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from express.observers import logs


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in logs.NOISY:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_where_nobody_looks_a_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("auto", "info")
    logging.getLogger("express.test").info("orders: %d in flight\nand é", 5, extra={"pipeline": "orders"})
    line = json.loads(capsys.readouterr().err)
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "info", "logger": "express.test", "message": "orders: 5 in flight\nand é", "pipeline": "orders"}


def test_text_is_a_time_a_level_and_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("text", "info")
    logging.getLogger("express.test").warning("it stands still")
    logging.getLogger("express.test").debug("not shown")
    assert capsys.readouterr().err[8:] == " warning it stands still\n"


def test_an_exception_is_shown_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("json", "info")
    try:
        raise KeyError("price")
    except KeyError:
        logging.getLogger("express.test").exception("a defect")
    assert "KeyError: 'price'" in json.loads(capsys.readouterr().err)["traceback"]


def test_a_client_s_own_warnings_are_silent_until_it_is_connected(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("text", "info")
    logging.getLogger("aiokafka.conn").error("Unable to connect")
    assert capsys.readouterr().err == ""
    logs.settle_clients()
    logging.getLogger("aiokafka.conn").warning("Heartbeat failed")
    logging.getLogger("aiokafka.conn").info("chatter")
    assert "Heartbeat failed" in (output := capsys.readouterr().err)
    assert "chatter" not in output
