"""``express run`` as people call it: what it does with events, and one sentence for each way to get it wrong."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from express.registry import SINKS, SOURCES
from tests.commandline import express, running

ANY = "127.0.0.1:0"
RUN = ("run", "orders.asl.json", "--functions", "functions.py", "--source", "file:events.jsonl")
BOTH = (*RUN, "--sink", "file:done.jsonl", "--dead-letter", "file:dead.jsonl", "--ops", ANY)

SOURCE_LIST, SINK_LIST = (", ".join(f"{scheme}:" for scheme in table) for table in (SOURCES, SINKS))


def without_privileges() -> list[str]:
    """What a command must be started with so that permissions hold: root may do everything."""
    if os.geteuid():
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv (util-linux) to take that away")
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# --- What it does -------------------------------------------------------------------------------------------------------------------


def test_a_finite_source_ends_with_results_dead_letters_and_a_summary(folder: Path) -> None:
    result = express(*BOTH, cwd=folder)
    assert (result.returncode, result.stdout) == (0, "")
    assert sorted(line["value"]["id"] for line in lines(folder / "done.jsonl")) == [number for number in range(100) if number % 10]  # type: ignore[index]
    assert sorted(line["value"]["id"] for line in lines(folder / "dead.jsonl")) == list(range(0, 100, 10))  # type: ignore[index]
    summary = [line.split() for line in result.stderr.splitlines() if not line.startswith("{")]
    assert ["state", "type", "entered", "failed", "retried", "caught", "p50", "p99"] in summary
    assert any(line[:6] == ["Price", "Task", "90", "-", "-", "-"] for line in summary)
    assert any(line[:6] == ["Empty", "Fail", "10", "10", "-", "-"] for line in summary)
    assert ["results", "90", "file:done.jsonl"] in summary
    assert ["dead", "letters", "10", "file:dead.jsonl"] in summary
    assert any(line[:3] == ["orders:", "100", "events"] for line in summary)
    assert result.stderr.splitlines()[-1] == "why the first of them failed: head -n 1 dead.jsonl"


def test_a_second_run_goes_on_after_what_is_committed(folder: Path) -> None:
    express(*BOTH, cwd=folder)
    result = express(*BOTH, cwd=folder)
    assert result.returncode == 0
    assert "orders: no new events" in result.stderr
    with (folder / "events.jsonl").open("a") as events:
        events.write('{"id": 100, "total": 1}\n')
    assert "orders: 1 events in" in express(*BOTH, cwd=folder).stderr
    assert len(lines(folder / "done.jsonl")) == 91


def test_events_may_come_from_standard_input(folder: Path) -> None:
    arguments = ("run", "orders.asl.json", "--functions", "functions.py", "--source", "stdin:", "--sink", "file:done.jsonl", "--ops", ANY)
    result = express(*arguments, cwd=folder, text='{"id": 1, "total": 1}\n{"id": 2, "total": 2}\n')
    assert result.returncode == 0
    assert len(lines(folder / "done.jsonl")) == 2


def test_without_a_dead_letter_the_first_failure_stops_the_pipeline_and_nothing_is_committed_past_it(folder: Path) -> None:
    (folder / "events.jsonl").write_text('{"id": 1, "total": 1}\n{"id": 2, "total": 0}\n{"id": 3, "total": 3}\n')
    arguments = (*RUN, "--sink", "file:done.jsonl", "--ops", ANY)
    result = express(*arguments, cwd=folder)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "express: orders: the record at events.jsonl, partition 0, offset 22 failed in state 'Empty': Empty: no total; "
        "there is no dead letter to put it into, so the pipeline stops and nothing past this record is committed"
    )
    (folder / "orders.asl.json").write_text(
        (folder / "orders.asl.json").read_text().replace('"NumericGreaterThan": 0', '"NumericGreaterThan": -1')
    )
    assert express(*arguments, cwd=folder).returncode == 0
    ids = [line["value"]["id"] for line in lines(folder / "done.jsonl")]  # type: ignore[index]
    assert set(ids) == {1, 2, 3}
    assert ids.count(1) == 1


def test_a_configuration_runs_several_pipelines_in_one_process(folder: Path) -> None:
    (folder / "other.jsonl").write_text('{"id": 1, "total": 1}\n' * 7)
    (folder / "express.yaml").write_text(
        """
        workflows: {orders: {definition: orders.asl.json, functions: [functions.py]}}
        pipelines:
          - {source: "file:events.jsonl", workflow: orders, sink: "file:${OUT}", dead_letter: "file:dead.jsonl"}
          - {source: "file:other.jsonl", workflow: orders, sink: "file:other-done.jsonl", name: others}
        log: {format: json}
        """
    )
    result = express("run", "-c", "express.yaml", "--ops", ANY, cwd=folder, environment={"OUT": "done.jsonl"})
    assert result.returncode == 0
    assert (len(lines(folder / "done.jsonl")), len(lines(folder / "other-done.jsonl"))) == (90, 7)
    said = [json.loads(line) for line in result.stderr.splitlines()]
    ended = {line["pipeline"]: line for line in said if line["message"].endswith(": ended")}
    assert ended["orders"]["results"] == 90
    assert ended["orders"]["dead_letters"] == 10
    assert ended["others"]["records"] == 7


def test_a_configuration_elsewhere_is_where_its_relative_paths_start(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (folder / "express.yaml").write_text(
        "workflows: {orders: {definition: orders.asl.json, functions: [functions.py]}}\n"
        'pipelines: [{source: "file:events.jsonl", workflow: orders, sink: "file:done.jsonl", dead_letter: "drop:"}]\n'
    )
    result = express("run", "-c", folder / "express.yaml", "--ops", ANY, cwd=tmp_path_factory.mktemp("elsewhere"))
    assert (result.returncode, len(lines(folder / "done.jsonl"))) == (0, 90)


def test_metrics_and_health_are_served_while_it_runs(folder: Path) -> None:
    (folder / "functions.py").write_text(
        "import asyncio, express\n\n@express.function('price')\nasync def price(event):\n    await asyncio.sleep(600)\n"
    )
    with running(*RUN, "--dead-letter", "drop:", "--in-flight", "7", cwd=folder) as worker:
        worker.until(lambda: worker.metric('express_inflight{pipeline="orders"}') == 7, "seven in flight")
        assert worker.get("livez") == (200, "ok\n")
        assert worker.get("readyz") == (200, "ok\n")
        assert worker.metric('express_state_entered_total{state="Price",type="Task",workflow="orders"}') == 7
        worker.until(lambda: worker.metric("express_loop_stall_seconds_count") > 0, "the loop beat")
        assert worker.metric('express_source_records_total{pipeline="orders"}') >= 7


def test_no_payload_reaches_the_log_whatever_becomes_of_it(folder: Path) -> None:
    (folder / "functions.py").write_text("import express\n\n@express.function('price')\ndef price(event):\n    return {}[event['card']]\n")
    (folder / "events.jsonl").write_text(
        '{"card": "CANARY-1", "total": 1}\n{"card": "CANARY-2", "total": 0}\n{"card": "CANARY-3"\n"CANARY-4"\n'
        + json.dumps({"card": "CANARY-5" + "x" * 300_000})
    )
    (folder / "express.yaml").write_text(
        "workflows: {orders: {definition: orders.asl.json, functions: [functions.py]}}\n"
        'pipelines: [{source: "file:events.jsonl", workflow: orders, sink: "file:done.jsonl", dead_letter: "file:dead.jsonl"}]\n'
        "log: {level: debug}\n"
    )
    result = express("run", "-c", "express.yaml", "--ops", ANY, cwd=folder)
    assert (result.returncode, len((folder / "dead.jsonl").read_text().splitlines())) == (0, 5)
    assert "CANARY" not in result.stderr + result.stdout


# --- What can be wrong: arguments, exit code, the sentences ---------------------------------------------------------------------------

SEE = "(see express run --help)"
SAMPLE = "kafka://localhost:9092/orders?group=orders"
WRONG: dict[str, tuple[tuple[str, ...], int, str | list[str]]] = {
    "no definition": (("run",), 2, f"expected a DEFINITION, or -c FILE {SEE}"),
    "a name that is no file's, and no source": (
        (*RUN[:4], "--name", "a/b"),
        78,
        "--source: expected an address: a queue of its own cannot be called 'a/b'",
    ),
    "unknown flag": (("run", "--sauce", "x"), 2, f"No such option: --sauce (Possible options: --name, --source) {SEE}"),
    "flags beside a configuration": (
        ("run", "-c", "express.yaml", "--source", "stdin:", "--drain", "5s"),
        2,
        f"--source, --drain cannot be given beside -c: the configuration says it {SEE}",
    ),
    "duration": (
        (*RUN, "--drain", "soon"),
        2,
        f"Invalid value for '--drain': expected a duration such as 200ms, 20s or 5m, found 'soon' {SEE}",
    ),
    "definition that is not there": (("run", "gone.json", "--source", "stdin:"), 66, "DEFINITION: there is no file gone.json"),
    "definition that is a directory": (("run", ".", "--source", "stdin:"), 66, "DEFINITION: . is a directory, expected a file"),
    "malformed JSON": (
        ("run", "malformed.json", "--source", "stdin:"),
        65,
        "malformed.json: /: not JSON: unexpected character, expected a string key at line 1 column 2",
    ),
    "malformed YAML": (
        ("run", "malformed.yaml", "--source", "stdin:"),
        65,
        "malformed.yaml: /: not YAML: while parsing a flow mapping, did not find expected ',' or '}' at line 2 column 1",
    ),
    "unknown field": (
        ("run", "field.json", "--source", "stdin:"),
        65,
        "field.json: /States/A/Foo: Field is not supported: a Pass state has no field 'Foo'",
    ),
    "missing target": (
        ("run", "target.json", "--source", "stdin:"),
        65,
        [
            "target.json: /States/A/Next: no state is named 'B'",
            "target.json: /States: there is no terminal state: a Succeed, a Fail or a state with End: true",
        ],
    ),
    "unreachable state": (
        ("run", "unreachable.json", "--source", "stdin:"),
        65,
        "unreachable.json: /States/B: State 'B' is not reachable: no state that is reached leads to it",
    ),
    "duplicate keys": (
        ("run", "duplicate.json", "--source", "stdin:"),
        65,
        "duplicate.json: /States/A: there are two states named 'A', the second at line 1 column 65",
    ),
    "functions that are missing": (
        ("run", "orders.asl.json", "--source", "stdin:"),
        65,
        "orders.asl.json: /States/Price/Resource: no function is named 'price'; no functions are given",
    ),
    "source that does not parse": (
        ("run", "orders.asl.json", "--functions", "functions.py", "--source", "events"),
        78,
        f"--source: 'events' is not an address: expected one such as {SAMPLE} or file:events.jsonl",
    ),
    "source of a later version": (
        ("run", "orders.asl.json", "--functions", "functions.py", "--source", "nats://stream"),
        78,
        f"--source: nats://stream: this version of Express has no nats: source; it has {SOURCE_LIST}",
    ),
    "source that is not there": (
        ("run", "orders.asl.json", "--functions", "functions.py", "--source", "file:gone.jsonl"),
        66,
        "file:gone.jsonl: there is no such file",
    ),
    "several at once": (
        ("run", "orders.asl.json", "--functions", "functions.py", "--source", "events", "--sink", "pigeon:x", "--ops", "nowhere"),
        78,
        [
            "--ops: expected HOST:PORT such as 127.0.0.1:9464, found 'nowhere'",
            f"--source: 'events' is not an address: expected one such as {SAMPLE} or file:events.jsonl",
            f"--sink: pigeon:x: there is no sink called pigeon:, expected one of {SINK_LIST}",
        ],
    ),
    "files, addresses and a definition at once": (
        ("run", "target.json", "--functions", "gone.py", "--source", "events"),
        78,
        [
            "--functions: there is no file gone.py",
            f"--source: 'events' is not an address: expected one such as {SAMPLE} or file:events.jsonl",
            "target.json: /States/A/Next: no state is named 'B'",
            "target.json: /States: there is no terminal state: a Succeed, a Fail or a state with End: true",
        ],
    ),
    "sink without a directory": ((*RUN, "--sink", "file:no/where.jsonl"), 73, "file:no/where.jsonl: there is no directory no"),
    "broker that is down": (
        ("run", "orders.asl.json", "--functions", "functions.py", "--source", "kafka://127.0.0.1:1/orders?group=g"),
        69,
        "no Kafka broker answers at 127.0.0.1:1",
    ),
    "configuration that is not there": (("run", "-c", "gone.yaml"), 66, "there is no file gone.yaml"),
    "malformed configuration": (
        ("run", "-c", "malformed.yaml"),
        78,
        "malformed.yaml:2: not YAML: while parsing a flow mapping, expected ',' or '}', but got '<stream end>'",
    ),
    "unknown field of a configuration": (
        ("run", "-c", "field.yaml"),
        78,
        ["field.yaml:2: pipeline: there is no field of this name, did you mean 'pipelines'?"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_one_sentence_and_an_exit_code_and_nothing_has_started(folder: Path, name: str) -> None:
    definition = '{"StartAt": "A", "States": {"A": {"Type": "Pass", %s}%s}}'
    (folder / "malformed.json").write_text("{,}")
    (folder / "malformed.yaml").write_text("{a: b\n")
    (folder / "field.json").write_text(definition % ('"End": true, "Foo": 1', ""))
    (folder / "target.json").write_text(definition % ('"Next": "B"', ""))
    (folder / "unreachable.json").write_text(definition % ('"End": true', ', "B": {"Type": "Succeed"}'))
    (folder / "duplicate.json").write_text(definition % ('"End": true', ', "A": {"Type": "Succeed"}'))
    (folder / "field.yaml").write_text("workflows: {}\npipeline: []\n")
    arguments, code, expected = WRONG[name]
    result = express(*arguments, cwd=folder)
    said = [line for line in result.stderr.splitlines() if not line.startswith("{")]  # log lines apart
    assert (result.returncode, result.stdout) == (code, "")
    assert said == [f"express: {sentence}" for sentence in ([expected] if isinstance(expected, str) else expected)]
    assert not list(folder.glob("done*")) + list(folder.glob("*.checkpoint"))


def test_an_explicit_port_in_use_is_one_sentence(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        result = express(*RUN, "--dead-letter", "drop:", "--ops", listen, cwd=folder)
    assert result.returncode == 69
    assert result.stderr == (
        f"express: the operations endpoint cannot listen on {listen}: the port is in use; name another one, or none at all for a free one\n"
    )


def test_no_permission_to_write_the_results_is_one_sentence(folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o500)
    result = express(*RUN, "--sink", "file:closed/done.jsonl", "--ops", ANY, cwd=folder, before=without_privileges())
    assert result.returncode == 77
    assert result.stderr.splitlines()[-1].startswith("express: file:closed/done.jsonl: no permission")


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "closed.json", "--source", "stdin:"),
        ("run", "orders.asl.json", "--functions", "closed.json", "--source", "stdin:"),
        ("run", "-c", "closed.json"),
        ("exec", "closed.json"),
        ("compile", "closed.json"),
        ("check", "closed.json"),
        ("graph", "closed.json"),
    ],
    ids=" ".join,
)
def test_no_permission_to_read_is_the_same_exit_code_whichever_verb_reads(folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "closed.json").write_text("{}")
    (folder / "closed.json").chmod(0o000)
    result = express(*arguments, cwd=folder, before=without_privileges())
    assert (result.returncode, result.stdout) == (77, ""), result.stderr
    assert "no permission" in result.stderr
    assert "closed.json" in result.stderr


@pytest.mark.parametrize(("source", "dead_letter"), [("file:gone.jsonl", "file:dead.jsonl"), ("file:events.jsonl", "file:no/dead.jsonl")])
def test_a_start_that_is_refused_leaves_no_files_behind(folder: Path, source: str, dead_letter: str) -> None:
    before = sorted(folder.iterdir())
    run = ("run", "orders.asl.json", "--functions", "functions.py", "--source", source, "--sink", "file:done.jsonl")
    assert express(*run, "--dead-letter", dead_letter, "--ops", ANY, cwd=folder).returncode in (66, 73)
    assert [path for path in sorted(folder.iterdir()) if path.name != "__pycache__"] == before


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_standard_stream_that_is_closed_is_no_reason_to_fail(folder: Path, closed: str) -> None:
    command = [sys.executable, "-m", "express", *RUN, "--sink", "file:done.jsonl", "--dead-letter", "drop:", "--ops", ANY]
    done = subprocess.run(["/bin/sh", "-c", f"exec {shlex.join(command)} {closed}"], cwd=folder, check=False, timeout=60)
    assert done.returncode == 0
    assert len(lines(folder / "done.jsonl")) == 90


@pytest.mark.parametrize("mode", ["async", "inline", "thread", "process"])
def test_a_function_that_raises_keyboard_interrupt_has_failed_like_any_other(folder: Path, mode: str) -> None:
    """Nobody pressed anything: one such record must not end the process, and again after every restart."""
    how = "async def" if mode == "async" else "def"
    chosen = "" if mode == "async" else f', run="{mode}"'
    (folder / "raising.py").write_text(
        f'import express\n\n@express.function("price"{chosen})\n{how} price(event, context):\n    raise KeyboardInterrupt("nobody")\n'
    )
    (folder / "one.jsonl").write_text('{"id": 1, "total": 1}\n')
    run = ("run", "orders.asl.json", "--functions", "raising.py", "--source", "file:one.jsonl")
    result = express(*run, "--dead-letter", "file:dead.jsonl", "--ops", ANY, cwd=folder)
    assert result.returncode == 0, result.stderr
    (letter,) = lines(folder / "dead.jsonl")
    assert letter["express-error"] == "KeyboardInterrupt"
