"""docs/http.md: its configuration is read, its workflow is compiled with it, and its tables name what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import express
from express.config import load
from express.connections import problems
from express.language.http_tasks import FIELDS, METHODS
from express.options import HttpConnection

PAGE = (Path(__file__).parents[3] / "docs" / "http.md").read_text()


def test_the_page_s_configuration_goes_with_its_workflow(tmp_path: Path) -> None:
    (configuration,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (workflow,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "secret").write_text("wonder\n")
    (tmp_path / "express.yaml").write_text(configuration.replace("/run/secrets/billing", "secret"))
    connection = load(tmp_path / "express.yaml", {}).settings.connections["billing"].http
    assert connection is not None
    assert list(problems(connection)) == []
    assert express.check(workflow) == []
    program = express.compile(json.loads(workflow), connections={"billing": connection})
    assert program.states == ("CreateInvoice",)
    assert connection == HttpConnection(allow=connection.allow, authentication=connection.authentication), "what is shown is the default"


def test_the_page_s_tables_are_complete() -> None:
    parameters = PAGE.partition("| parameter | |")[2].partition("The result is")[0]
    assert set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in parameters.splitlines() if line.startswith("| `")))) == set(
        FIELDS
    )
    assert ", ".join(METHODS) in parameters
