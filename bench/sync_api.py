"""StartSyncExecution per second, beside the same handler by hand: ``python bench/sync_api.py [--requests N] [--rounds N] [--strict]``.

``express serve`` and an aiohttp server written by hand (``bench/peers/api_by_hand.py``) each run in a process of their own, pinned to one
core; a small asyncio client with kept connections has the other. They take turns, round after round, so that a busy machine slows both
alike; each one's fastest round counts, and the 99th percentile of all its requests. Every output is compared with what ``by_hand`` makes of
the event. With --strict a missed goal is exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "peers"), str(HERE.parent)]

import uvloop  # noqa: E402
from work import WORKFLOW, by_hand, events  # noqa: E402

GOAL = 0.7  # of the requests by hand
ARN = "arn:aws:states:us-east-1:000000000000:stateMachine:orders"
FUNCTIONS = """
import sys

import express

sys.path.insert(0, {peers!r})
from work import price as by_hand

price = express.function("price", run="inline")(by_hand)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=8_000, help="a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    bodies = [_request("StartSyncExecution", {"stateMachineArn": ARN, "input": value.decode()}) for _, value in events(options.requests)]
    expected = [json.loads(by_hand(value)) for _, value in events(options.requests)]
    best: dict[str, float] = {}
    latencies: dict[str, list[float]] = {"by hand": [], "express": []}
    with _hand(cores[0]) as hand, _express(cores[0]) as own:
        for number in range(options.rounds + 1):
            for name, port in (("by hand", hand), ("express", own)):
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    seconds, took, answers = runner.run(_round(port, bodies, options.connections))
                _check(answers, expected)
                if number:  # the first round warms up
                    best[name] = min(seconds, best.get(name, seconds))
                    latencies[name] += took
    print(f"{options.requests:,} StartSyncExecution a round, {options.connections} connections, fastest of {options.rounds} rounds")
    for name, seconds in best.items():
        took = sorted(latencies[name])
        p99 = took[len(took) * 99 // 100] * 1000
        print(f"  {name:8} {options.requests / seconds:8,.0f}/s   p50 {took[len(took) // 2] * 1000:5.2f} ms   p99 {p99:5.2f} ms")
    reached = best["by hand"] / best["express"]
    print(f"goal {GOAL}: {'reached' if reached >= GOAL else 'missed'} ({reached:.2f} of by hand)")
    return 1 if options.strict and reached < GOAL else 0


def _request(operation: str, body: dict[str, object]) -> bytes:
    text = json.dumps(body).encode()
    head = (
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"X-Amz-Target: AWSStepFunctions.{operation}\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text


class _Client(asyncio.Protocol):
    """One kept connection: sends the next request when the last is answered."""

    def __init__(self, todo: Iterator[tuple[int, bytes]], answers: list[bytes], took: list[float], over: asyncio.Future[None]) -> None:
        self._todo, self._answers, self._took, self._over = todo, answers, took, over
        self._buffer = b""
        self._number = -1
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._next()

    def _next(self) -> None:
        found = next(self._todo, None)
        if found is None:
            self._over.set_result(None)
            self._transport.close()
            return
        self._number, request = found
        self._sent = time.perf_counter()
        self._transport.write(request)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._over.done():
            self._over.set_exception(ConnectionError(f"the server closed a connection: {error}"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._took.append(time.perf_counter() - self._sent)
        self._answers[self._number] = body if head.startswith(b"HTTP/1.1 200 ") else head
        self._buffer = b""
        self._next()


async def _round(port: int, bodies: list[bytes], connections: int) -> tuple[float, list[float], list[bytes]]:
    loop = asyncio.get_running_loop()
    answers, took = [b""] * len(bodies), []  # type: ignore[var-annotated]
    todo = iter(enumerate(bodies))
    over = [loop.create_future() for _ in range(connections)]
    began = time.perf_counter()
    for each in over:
        await loop.create_connection(lambda each=each: _Client(todo, answers, took, each), "127.0.0.1", port)
    await asyncio.gather(*over)
    return time.perf_counter() - began, took, answers


def _check(answers: list[bytes], expected: list[object]) -> None:
    for answer, wanted in zip(answers, expected, strict=True):
        found = json.loads(answer)
        assert found["status"] == "SUCCEEDED", found
        assert json.loads(found["output"]) == wanted, found
        assert found["billingDetails"]["billedDurationInMilliseconds"] >= 0


@contextmanager
def _hand(core: int) -> Iterator[int]:
    with subprocess.Popen(
        ["taskset", "-c", str(core), sys.executable, str(HERE / "peers" / "api_by_hand.py")], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def _express(core: int) -> Iterator[int]:
    """``express serve``, as a user starts it, with the workflow created over the API."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "functions.py").write_text(FUNCTIONS.format(peers=str(HERE / "peers")))
        log = Path(folder) / "stderr.txt"
        command = [sys.executable, "-m", "express", "serve", "--api", "127.0.0.1:0", "--ops", "127.0.0.1:0", "--functions", "functions.py"]
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
        with (
            log.open("w") as stderr,
            subprocess.Popen(["taskset", "-c", str(core), *command], cwd=folder, stderr=stderr, env=environment) as process,
        ):
            try:
                yield _created(process, log)
            finally:
                process.terminate()


def _created(process: subprocess.Popen[bytes], log: Path) -> int:
    said = "the API of Step Functions at http://127.0.0.1:"
    while said not in log.read_text():
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)
    port = int(log.read_text().partition(said)[2].partition(",")[0])
    machine = {"name": "orders", "definition": json.dumps(WORKFLOW), "roleArn": "arn:aws:iam::000000000000:role/orders", "type": "EXPRESS"}
    headers = {"X-Amz-Target": "AWSStepFunctions.CreateStateMachine", "Content-Type": "application/x-amz-json-1.0"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", json.dumps(machine).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status == 200
    return port


if __name__ == "__main__":
    sys.exit(main())
