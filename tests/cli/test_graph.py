"""``express graph`` as people call it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

import express as engine
from express.observers.exposition import Exposition
from express.observers.stall import Heartbeat
from tests.commandline import express

CASES = "cases: {a: {input: {total: 4}, mocks: {Price: {result: 8}}}}\n"


def test_without_a_file_mermaid_goes_to_standard_output(folder: Path) -> None:
    result = express("graph", "orders.asl.json", cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[:3] == ["flowchart TD", "    start(( ))", '    s0{{"<b>HasTotal</b><br/>Choice"}}']


def test_the_name_of_the_file_says_what_is_drawn(folder: Path) -> None:
    for name in ("o.svg", "o.html", "o.mmd"):
        result = express("graph", "orders.asl.json", "-o", name, cwd=folder)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert ElementTree.parse(folder / "o.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert (folder / "o.html").read_text().startswith("<!DOCTYPE html>")
    assert (folder / "o.mmd").read_text().startswith("flowchart TD\n")
    assert express("graph", "orders.asl.json", "--format", "svg", cwd=folder).stdout == (folder / "o.svg").read_text()


def test_coverage_colours_what_tests_have_reached(folder: Path) -> None:
    (folder / "orders.test.yaml").write_text(CASES)
    assert express("test", "--coverage-file", "coverage.json", cwd=folder).returncode == 0
    result = express("graph", "orders.asl.json", "--coverage", "coverage.json", "-o", "o.svg", cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    drawn = (folder / "o.svg").read_text()
    assert "entered once" in drawn
    assert "never entered" in drawn
    (folder / "orders.asl.json").write_text('{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}')
    other = express("graph", "orders.asl.json", "--coverage", "coverage.json", cwd=folder)
    assert (other.returncode, other.stdout) == (78, "")
    assert (
        other.stderr
        == "express: coverage.json: has no coverage of this version of the definition (there is coverage of: orders.asl.json)\n"
    )


@pytest.fixture
def metrics(folder: Path) -> Iterator[str]:
    """The address of a /metrics that knows of three orders, one of them without a total."""
    program = engine.compile(folder / "orders.asl.json", "orders", {"price": engine.function("price", run="inline")(lambda event: {})})
    for total in (0, 1, 2):
        program.run({"total": total})
    assert program.metrics is not None
    body = Exposition([program.metrics], [], Heartbeat()).render()[0]
    (folder / "metrics.txt").write_bytes(body)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    thread.join()
    server.server_close()


def test_metrics_of_a_running_process_or_of_a_file_colour_the_states(folder: Path, metrics: str) -> None:
    for source in (metrics, "metrics.txt"):
        result = express("graph", "orders.asl.json", "--metrics", source, cwd=folder)
        assert (result.returncode, result.stderr) == (0, "")
        assert "<b>HasTotal</b><br/>Choice<br/>3x, p99 " in result.stdout
        assert "1x, p99" in result.stdout
        assert "1 failed" in result.stdout


def test_a_mistake_is_one_sentence_and_an_exit_code(folder: Path) -> None:
    (folder / "metrics.txt").write_text("up 1\n")
    (folder / "bad.json").write_text('{"StartAt": "A", "States": {}}')
    wrong = {
        ("gone.json",): (66, "there is no file gone.json"),
        ("bad.json",): (65, "bad.json: /States: expected an object with at least one state, found none"),
        ("orders.asl.json", "-o", "o.pdf"): (78, "o.pdf: expected a name that ends in .mmd, .mermaid, .md, .svg, .html, .htm, or --format"),
        ("orders.asl.json", "--coverage", "gone"): (66, "there is no file gone"),
        ("orders.asl.json", "--metrics", "metrics.txt"): (
            78,
            "metrics.txt: no states of a workflow 'orders': there are no metrics of Express in it",
        ),
        ("orders.asl.json", "--metrics", "http://127.0.0.1:1/metrics"): (
            69,
            "http://127.0.0.1:1/metrics: cannot be read: [Errno 111] Connection refused",
        ),
    }
    for arguments, (code, sentence) in wrong.items():
        result = express("graph", *arguments, cwd=folder)
        assert (result.returncode, result.stdout, result.stderr.splitlines()[0]) == (code, "", f"express: {sentence}")
    unwritten = express("graph", "orders.asl.json", "-o", "gone/o.svg", cwd=folder)
    assert (unwritten.returncode, unwritten.stderr) == (73, "express: gone/o.svg: cannot be written: No such file or directory\n")
    both = express("graph", "orders.asl.json", "--coverage", "x", "--metrics", "y", cwd=folder)
    assert both.returncode == 2
