"""docs/http.md: its configuration is read, its workflow is compiled with it, and its tables name what there is."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import express
from express.config import load
from express.connections import problems
from express.language.http_tasks import FIELDS, METHODS
from express.options import HttpConnection
from tests.commandline import express as cli

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


class _Billing(BaseHTTPRequestHandler):
    """Gives a token to whoever asks, and an invoice to whoever has it."""

    def do_POST(self) -> None:
        given = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/token":
            answer = {"access_token": "t"}
        else:
            assert (self.path, self.headers["Authorization"]) == ("/v1/invoices", "Bearer t")
            answer = {"id": f"invoice of {json.loads(given)['customer']}"}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *given: object) -> None:
        pass


def test_the_page_s_command_tries_its_workflow(tmp_path: Path) -> None:
    (configuration,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (workflow,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (command,) = re.findall(r"`express (exec .*?)`", PAGE)
    with HTTPServer(("127.0.0.1", 0), _Billing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        here = f"http://127.0.0.1:{server.server_port}"
        text = configuration.replace("/run/secrets/billing", "secret").replace("private: []", "private: [127.0.0.1/32]")
        for name, content in (("secret", "wonder"), ("order.json", '{"customer": "c1", "lines": []}'), ("express.yaml", text)):
            (tmp_path / name).write_text(re.sub(r"https://(api|login)\.example\.com", here, content))
        (tmp_path / "invoices.asl.json").write_text(workflow.replace("https://api.example.com", here))
        done = cli(*command.split(), cwd=tmp_path)
        server.shutdown()
        thread.join()
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"invoice":"invoice of c1"}\n', "")


def test_the_page_s_tables_are_complete() -> None:
    parameters = PAGE.partition("| parameter | |")[2].partition("The result is")[0]
    assert set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in parameters.splitlines() if line.startswith("| `")))) == set(
        FIELDS
    )
    assert ", ".join(METHODS) in parameters
