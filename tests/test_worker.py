"""One process from its start to its end: signals, deadlines, functions that hang, brokers that do not answer."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from express import worker
from express.config import Configuration, Ops, Pipeline, Settings, Workflow
from tests.commandline import Running, express, running

DEFINITION = {
    "StartAt": "Call",
    "States": {"Call": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:call", "End": True}},
}
RUN = ("run", "calls.asl.json", "--functions", "functions.py", "--source", "file:events.jsonl", "--dead-letter", "file:dead.jsonl")
DRAIN = 1.0
LATEST = DRAIN + 5.0  # after the signal, by the contract

# Each event says how long its call takes; 600 is for ever
FUNCTIONS = {
    "async": "@express.function('call')\nasync def call(event):\n    await asyncio.sleep(event['seconds'])\n    return event\n",
    "thread": "@express.function('call')\ndef call(event):\n    time.sleep(event['seconds'])\n    return event\n",
    "process": "@express.function('call', run='process')\ndef call(event):\n    time.sleep(event['seconds'])\n    return event\n",
    "inline": "@express.function('call', run='inline')\ndef call(event):\n    time.sleep(event['seconds'])\n    return event\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "calls.asl.json").write_text(json.dumps(DEFINITION))
    return tmp_path


def provide(folder: Path, mode: str, *seconds: float) -> None:
    """The function in one of its modes, and events that take so long."""
    (folder / "functions.py").write_text(f"import asyncio, time\nimport express\n\n{FUNCTIONS[mode]}")
    (folder / "events.jsonl").write_text("".join(f'{{"id": {number}, "seconds": {each}}}\n' for number, each in enumerate(seconds)))


def done(folder: Path) -> list[int]:
    """The ids of the events whose results are written."""
    path = folder / "done.jsonl"
    return [json.loads(line)["value"]["id"] for line in path.read_text().splitlines()] if path.exists() else []


def arguments(*more: str) -> tuple[str, ...]:
    return (*RUN, "--sink", "file:done.jsonl", "--drain", f"{DRAIN}s", "--commit-every", "50ms", *more)


def ends(worker: Running, number: signal.Signals = signal.SIGTERM, times: int = 1) -> tuple[int, float]:
    """Sends a signal and waits: exit code, and seconds it took."""
    began = time.monotonic()
    for _ in range(times):
        worker.signal(number)
        time.sleep(0.2 if times > 1 else 0)
    return worker.wait(30), time.monotonic() - began


# --- Draining -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_first_signal_finishes_what_is_in_flight_commits_it_and_exits_with_0(folder: Path, number: signal.Signals) -> None:
    provide(folder, "async", *[0.7] * 40)
    with running(*arguments("--in-flight", "10"), cwd=folder) as worker:
        worker.until(lambda: worker.metric('express_inflight{pipeline="calls"}') == 10, "ten in flight")
        code, seconds = ends(worker, number)
    assert code == 0
    assert seconds < LATEST
    first = done(folder)
    assert sorted(first) == list(range(len(first))), "what was in flight is finished, nothing else was taken"
    assert 10 <= len(first) < 40
    result = express(*arguments("--ops", "127.0.0.1:0"), cwd=folder)
    assert result.returncode == 0
    assert sorted(done(folder)) == list(range(40)), "everything finished was committed: nothing came twice"


@pytest.mark.parametrize("mode", ["async", "thread", "process"])
def test_a_function_that_hangs_is_given_up_at_the_drain_deadline_and_its_event_comes_again(folder: Path, mode: str) -> None:
    provide(folder, mode, 0.01, 600, 0.01, 0.01)
    with running(*arguments(), cwd=folder) as worker:
        worker.until(lambda: len(done(folder)) == 3, "three of four done")
        code, seconds = ends(worker)
    assert code == 0
    assert DRAIN <= seconds < LATEST
    assert "not finished          1" in worker.stderr
    (folder / "functions.py").write_text("import express\n\n@express.function('call', run='inline')\ndef call(event):\n    return event\n")
    assert express(*arguments("--ops", "127.0.0.1:0"), cwd=folder).returncode == 0
    assert sorted(done(folder)) == [0, 1, 2, 3], "what finished was committed, also behind the one that hung"


def test_an_inline_function_that_never_returns_does_not_keep_the_process_past_its_deadline(folder: Path) -> None:
    """It broke its promise and blocks the loop: nothing can be finished or committed any more, but the process ends."""
    provide(folder, "inline", 0.01, 600)
    with running(*arguments(), cwd=folder) as worker:
        worker.until_said("metrics at")
        time.sleep(1.0)
        code, seconds = ends(worker)
    assert code == 74
    assert seconds < LATEST
    assert "not everything had ended" in worker.stderr


def test_while_it_drains_it_is_alive_and_not_ready(folder: Path) -> None:
    provide(folder, "async", 4)
    with running(*arguments("--drain", "20s"), cwd=folder) as worker:
        worker.until(lambda: worker.metric('express_inflight{pipeline="calls"}') == 1, "one in flight")
        assert worker.get("readyz") == (200, "ok\n")
        worker.signal(signal.SIGTERM)
        worker.until_said("draining")
        assert worker.get("readyz") == (503, "draining\n")
        assert worker.get("livez") == (200, "ok\n")
        assert worker.metric('express_inflight{pipeline="calls"}') == 1
        assert worker.wait() == 0
    assert done(folder) == [0]


def test_standard_input_that_stays_open_does_not_keep_the_process(folder: Path) -> None:
    provide(folder, "async", 0)
    call = ("run", "calls.asl.json", "--functions", "functions.py", "--source", "stdin:", "--sink", "file:done.jsonl")
    with running(*call, cwd=folder, stdin=subprocess.PIPE) as worker:
        assert worker.process.stdin is not None
        worker.process.stdin.write(b'{"id": 1, "seconds": 0}\n')
        worker.process.stdin.flush()
        worker.until(lambda: done(folder) == [1], "one done")
        code, seconds = ends(worker)
    assert code == 0
    assert seconds < 5


def test_a_pipeline_that_stops_takes_the_process_with_it_after_the_others_have_drained(folder: Path) -> None:
    """A supervisor restarts whole processes: half of one must not go on unnoticed."""
    provide(folder, "async", *[0.5] * 5)
    (folder / "poison.jsonl").write_text("not JSON\n")
    (folder / "express.yaml").write_text(
        """
        workflows: {calls: {definition: calls.asl.json, functions: [functions.py]}}
        pipelines:
          - {name: good, source: "file:events.jsonl", workflow: calls, sink: "file:done.jsonl"}
          - {name: bad, source: "file:poison.jsonl", workflow: calls, sink: "file:other.jsonl"}
        """
    )
    result = express("run", "-c", "express.yaml", "--ops", "127.0.0.1:0", cwd=folder)
    assert result.returncode == 1
    sentence = "express: bad: the record at poison.jsonl, partition 0, offset 0 failed: Express.Undecodable"
    assert result.stderr.splitlines()[-1].startswith(sentence)
    first = len(done(folder))
    (folder / "poison.jsonl").write_text('{"id": 9, "seconds": 0}')
    (folder / "other.jsonl.checkpoint").unlink(missing_ok=True)  # it is another file now
    assert express("run", "-c", "express.yaml", "--ops", "127.0.0.1:0", cwd=folder).returncode == 0
    assert sorted(done(folder)) == [0, 1, 2, 3, 4], f"{first} were done and committed by the first run"


# --- Leaving at once ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("mode", ["async", "thread", "process", "inline"])
def test_a_second_signal_leaves_at_once(folder: Path, mode: str, number: signal.Signals, code: int) -> None:
    provide(folder, mode, 600)
    with running(*arguments("--drain", "20s"), cwd=folder) as worker:
        worker.until_said("metrics at")
        if mode == "inline":
            time.sleep(0.5)
        else:
            worker.until(lambda: worker.metric('express_inflight{pipeline="calls"}') == 1, "one in flight")
        assert ends(worker, number, times=2)[0] == code
    assert "Traceback" not in worker.stderr


# --- Brokers --------------------------------------------------------------------------------------------------------------------------


def silent_broker() -> socket.socket:
    """Takes connections and never answers: a broker behind a broken network."""
    return socket.create_server(("127.0.0.1", 0))


def test_a_broker_that_never_answers_is_one_sentence_after_a_bounded_time(folder: Path) -> None:
    provide(folder, "async", 0)
    with silent_broker() as broker:
        address = f"127.0.0.1:{broker.getsockname()[1]}"
        began = time.monotonic()
        result = express("run", "calls.asl.json", "--functions", "functions.py", "--source", f"kafka://{address}/t?group=g", cwd=folder)
        assert time.monotonic() - began < 30
    assert result.returncode == 69
    said = [line for line in result.stderr.splitlines() if not line.startswith("{")]
    assert len(said) == 1
    assert address in said[0]


def test_a_signal_while_it_connects_ends_it(folder: Path) -> None:
    provide(folder, "async", 0)
    with silent_broker() as broker:
        source = f"kafka://127.0.0.1:{broker.getsockname()[1]}/t?group=g"
        with running("run", "calls.asl.json", "--functions", "functions.py", "--source", source, cwd=folder) as worker:
            worker.until_said("metrics at")
            assert worker.get("readyz")[0] == 503
            assert worker.get("livez")[0] == 200
            code, seconds = ends(worker)
    assert code == 0
    assert seconds < 10


# --- Health ---------------------------------------------------------------------------------------------------------------------------


async def test_a_loop_that_stands_still_is_not_alive_and_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SILENCE", 0.3)
    provide(folder, "async", 0)
    settings = Settings(
        workflows={"calls": Workflow(definition="calls.asl.json", functions=("functions.py",))},
        pipelines=(Pipeline(source=f"memory:{folder}", workflow="calls"),),
        ops=Ops(listen="127.0.0.1:0"),
    )
    one = worker.Worker(Configuration(settings=settings, directory=folder))
    running = asyncio.create_task(one.run())
    answers: list[tuple[int, str]] = []

    def ask(path: str) -> None:
        try:
            with urllib.request.urlopen(f"{one.url}/{path}", timeout=5) as response:
                answers.append((response.status, response.read().decode()))
        except urllib.error.HTTPError as error:
            with error:
                answers.append((error.code, error.read().decode()))

    while one.url is None or not one.ready():
        await asyncio.sleep(0.01)
    await asyncio.to_thread(ask, "livez")
    await asyncio.to_thread(ask, "readyz")
    asking = threading.Timer(0.5, ask, ["livez"])
    asking.start()
    time.sleep(1.0)  # what no function may do on the loop
    await asyncio.to_thread(asking.join)
    await asyncio.sleep(0.2)
    await asyncio.to_thread(ask, "livez")
    one.stop()
    assert [summary.ended for summary in await running] == ["stopped"]
    assert answers[:2] == [(200, "ok\n"), (200, "ok\n")]
    assert answers[2][0] == 503
    assert answers[2][1].startswith("the event loop has stood still for ")
    assert answers[3] == (200, "ok\n")
