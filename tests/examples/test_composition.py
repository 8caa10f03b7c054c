"""The example of API composition, end to end: its three APIs, its endpoint, its requests over HTTP; and what its README says came out."""

from __future__ import annotations

import importlib.util
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import express
from express.cli import main
from express.config import Ops, load
from tests.api.served import Served

pytestmark = pytest.mark.uvloop_only

EXAMPLE = Path(__file__).parents[2] / "examples" / "composition"
PORT = "8765"


def loaded(folder: Path, name: str) -> Any:
    found = importlib.util.spec_from_file_location(f"composition_{name}", folder / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def shop() -> Iterator[Any]:
    server = loaded(EXAMPLE, "apis").Shop(0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_there_is_nothing_to_say_about_the_definition() -> None:
    assert express.check(EXAMPLE / "quote.asl.json") == []
    (named, *others) = express.check(EXAMPLE / "quote.asl.json", portable=True)
    assert {each.message for each in (named, *others)} == {"AWS calls https:// only"}


def test_its_cases_reach_every_state(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["test", str(EXAMPLE), "--coverage"])
    assert left.value.code in (0, None)
    assert "100 % covered" in capsys.readouterr().out


def test_what_is_asked_over_http_comes_out_as_the_readme_says(shop: Any, tmp_path: Path) -> None:
    folder = tmp_path / "composition"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("composition-data", "__pycache__"))
    port = str(shop.server_address[1])
    for file in ("quote.asl.json", "express.yaml"):
        text = (folder / file).read_text()
        assert PORT in text
        (folder / file).write_text(text.replace(PORT, port))
    settings = load(folder / "express.yaml", {}).settings
    assert settings.api is not None
    api = msgspec.structs.replace(settings.api, listen="127.0.0.1:0", data=str(folder / "data"))
    running = Served(msgspec.structs.replace(settings, api=api, ops=Ops(listen="127.0.0.1:0")), folder)
    running.start()
    try:
        answers = loaded(folder, "ask").ask(running.url)
    finally:
        running.stop()
    said = [f"{answer['status']} {answer.get('output') or answer['error'] + ': ' + answer['cause']}" for answer in answers]
    *_, shown = re.findall(r"^```\n(.*?)^```", (EXAMPLE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert [line.replace(port, PORT) for line in said] == shown.splitlines()
    assert [quote["customer"] for _, quote in shop.quotes.values()] == ["Ada", "Grace", "Grace"]
    assert all(answer["billingDetails"]["billedDurationInMilliseconds"] for answer in answers)
