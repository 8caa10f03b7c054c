"""What ``express exec -c`` gives a definition to run with."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from express.errors import ConfigurationError
from express.options import AwsConnection
from express.surroundings import surroundings
from tests.commandline import express

FUNCTIONS = 'import express\n\n@express.function("{name}", run="inline")\ndef {name}(event, context):\n    return event\n'


class _Greeting(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"key": self.headers["X-Key"]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Greeting) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_definition_with_http_tasks_is_tried_through_the_connections_of_a_configuration(tmp_path: Path, port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    arn = "arn:aws:events:eu-west-1:123456789012:connection/greeter/1"
    fields = {"ApiEndpoint": f"{url}/hello", "Method": "GET", "InvocationConfig": {"ConnectionArn": arn}}
    state = {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Parameters": fields, "OutputPath": "$.ResponseBody", "End": True}
    (tmp_path / "greet.asl.json").write_text(json.dumps({"StartAt": "Greet", "States": {"Greet": state}}))
    (tmp_path / "express.yaml").write_text(
        f"connections:\n  greeter:\n    http:\n      allow: [{url}]\n      private: [127.0.0.1/32]\n      headers: {{X-Key: secret}}\n"
    )
    done = express("exec", "greet.asl.json", "-c", "express.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"key":"secret"}\n', "")


def configured(folder: Path, text: str) -> Path:
    for name in ("own", "given"):
        (folder / f"{name}.py").write_text(FUNCTIONS.format(name=name))
    (folder / "orders.asl.json").write_text("{}")
    (folder / "express.yaml").write_text(text)
    return folder / "express.yaml"


WHOLE = """
workflows:
  others: {definition: others.asl.json}
  orders: {definition: orders.asl.json, functions: [own.py], substitutions: {A: 1}, aws: second}
connections:
  first: {aws: {region: eu-west-1}}
  second: {aws: {region: eu-west-2}}
functions: {priced: {python: "own.py:own"}}
extensions: [callbacks]
"""


def test_the_workflow_that_has_the_definition_brings_what_is_its_own(tmp_path: Path) -> None:
    configuration = configured(tmp_path, WHOLE)
    (tmp_path / "others.asl.json").write_text("{}")
    found = surroundings(tmp_path / "." / "orders.asl.json", configuration, {}, [tmp_path / "given.py"])
    assert sorted(found.functions) == ["given", "own", "priced"]
    assert found.connections == {"second": AwsConnection(region="eu-west-2")}
    assert (found.substitutions, found.extensions) == ({"A": 1}, ("callbacks",))
    found = surroundings(tmp_path / "others.asl.json", configuration, {}, [])
    assert (sorted(found.functions), sorted(found.connections)) == (["priced"], ["first", "second"])


def test_what_is_wrong_with_what_tasks_call_is_said_and_no_pipeline_is_wanted(tmp_path: Path) -> None:
    configuration = configured(tmp_path, "functions: {priced: {lambda: none}}\n")
    with pytest.raises(ConfigurationError) as raised:
        surroundings(tmp_path / "orders.asl.json", configuration, {}, [])
    (problem,) = raised.value.problems
    assert problem.endswith("functions.priced.lambda: there is no connection to AWS named 'none' (there are: none)")
