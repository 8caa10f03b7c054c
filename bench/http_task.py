"""HTTP Tasks beside a loop written by hand on aiohttp: requests a second on the same work, against a server in a process of its own.

Both post the same JSON, 64 at a time over as many connections, decode the answer and check it. Express runs a workflow of one state
(``http:invoke``, ResultSelector) for each, with metrics, the allow-list, the judged addresses and the limits of size and time.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import time
from typing import Any

import aiohttp
import uvloop
from aiohttp import web

import express
from express.executor import Executor
from express.options import HttpConnection
from express.outcome import Outcome
from express.program import Program
from express.runtime.context import Execution

PARALLEL = 64
GOAL = 0.8
ARN = "arn:aws:events:eu-west-1:123456789012:connection/bench/1"


def serve(pipe: Any) -> None:
    """Doubles a number; writes its port into ``pipe``."""

    async def double(request: web.Request) -> web.Response:
        given = await request.json()
        return web.json_response({"id": given["id"], "double": 2 * given["id"], "note": "x" * 200})

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/double", double)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    uvloop.run(main())


async def by_hand(port: int, count: int) -> tuple[float, float]:
    """Requests a second, and seconds of the processor for each."""
    numbers = iter(range(count))

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=PARALLEL)) as session:

        async def work() -> None:
            for number in numbers:
                async with session.post(f"http://127.0.0.1:{port}/double", json={"id": number}) as answer:
                    assert answer.status == 200
                    assert (await answer.json())["double"] == 2 * number

        began, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*(work() for _ in range(PARALLEL)))
        return count / (time.perf_counter() - began), (time.process_time() - used) / count


def workflow(port: int) -> Program:
    parameters = {
        "ApiEndpoint": f"http://127.0.0.1:{port}/double",
        "Method": "POST",
        "InvocationConfig": {"ConnectionArn": ARN},
        "RequestBody": {"id.$": "$.id"},
    }
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::http:invoke",
        "Parameters": parameters,
        "ResultSelector": {"double.$": "$.ResponseBody.double"},
        "End": True,
    }
    connection = HttpConnection(allow=(f"http://127.0.0.1:{port}",), private=("127.0.0.1/32",), limit=PARALLEL)
    return express.compile({"StartAt": "Double", "States": {"Double": state}}, connections={"bench": connection})


async def by_express(port: int, count: int) -> tuple[float, float]:
    """The same."""
    program, executor = workflow(port), Executor()
    over = asyncio.get_running_loop().create_future()
    started = ended = 0

    def start() -> None:
        nonlocal started
        now = executor.clock.time()
        execution = Execution(program, {"id": started}, now, now + 300)
        started += 1
        assert executor.start(program, execution.input, execution, done) is None

    def done(execution: Execution, outcome: Outcome) -> None:
        nonlocal ended
        assert outcome.output == {"double": 2 * execution.input["id"]}, outcome
        ended += 1
        if started < count:
            start()
        elif ended == count:
            over.set_result(None)

    began, used = time.perf_counter(), time.process_time()
    for _ in range(min(PARALLEL, count)):
        start()
    await over
    seconds, used = time.perf_counter() - began, time.process_time() - used
    await executor.close()
    assert program.metrics is not None
    assert program.metrics.statuses["SUCCEEDED"] == count, "every execution was counted"
    return count / seconds, used / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5_000, help="requests of one run")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        port = here.recv()
        hand, engine = [], []
        for _ in range(given.repeats):  # in turns: a busy machine is busy for both
            gc.collect()
            hand.append(uvloop.run(by_hand(port, given.count)))
            gc.collect()
            engine.append(uvloop.run(by_express(port, given.count)))
    finally:
        server.terminate()
        server.join()
    print(f"{given.count} requests, {PARALLEL} at a time, best of {given.repeats}")
    print("                     a second   processor, us each")
    fastest = [max(rate for rate, _ in runs) for runs in (hand, engine)]
    cheapest = [min(used for _, used in runs) for runs in (hand, engine)]
    for name, rate, used in zip(("aiohttp by hand", "Express"), fastest, cheapest, strict=True):
        print(f"  {name:<18} {rate:8,.0f}   {used * 1e6:8,.0f}")
    print(f"  ratio              {fastest[1] / fastest[0]:8.2f}   {cheapest[0] / cheapest[1]:8.2f}   (goal: {GOAL})")


if __name__ == "__main__":
    main()
