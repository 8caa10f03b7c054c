"""An endpoint in a thread of the tests, and boto3's own client before it."""

from __future__ import annotations

import asyncio
import functools
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import uvloop
from botocore.config import Config

from express.config import Api, Configuration, Ops, Settings
from express.worker import Worker

ROLE = "arn:aws:iam::000000000000:role/orders"
ACCOUNT = "arn:aws:states:us-east-1:000000000000"

FUNCTIONS = """
import threading
import time

import express

EIGHT = threading.Barrier(8)


@express.function("double", run="inline")
def double(event, context):
    return {"total": event["total"] * 2}


@express.function("slow", concurrency=16)
def slow(event, context):
    time.sleep(event["seconds"])
    return event


@express.function("meet", concurrency=8)
def meet(event, context):
    EIGHT.wait(30)


@express.function("ask", run="inline")
def ask(event, context):
    with open(event["file"], "w") as file:
        file.write(event["token"])


@express.function("note", run="inline")
def note(event, context):
    with open(event["file"], "a") as file:
        file.write(event["line"] + "\\n")
    return event
"""


def task(function: str) -> dict[str, Any]:
    """A machine of one Task."""
    resource = f"arn:aws:lambda:us-east-1:000000000000:function:{function}"
    return {"StartAt": "Task", "States": {"Task": {"Type": "Task", "Resource": resource, "End": True}}}


def passing(result: Any) -> str:
    return json.dumps({"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "Result": result, "End": True}}})


@functools.cache
def _session() -> boto3.session.Session:
    return boto3.session.Session("test", "secret", region_name="eu-central-1")


def client(url: str, key: str = "test", secret: str = "secret", retries: int = 1) -> Any:
    """As a user would make it, but for one session for all: loading AWS's models takes half a second."""
    config = Config(inject_host_prefix=False, retries={"total_max_attempts": retries}, read_timeout=30)
    return _session().client("stepfunctions", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret, config=config)


class Served:
    """A worker that serves ``directory``; ``client`` is boto3's."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._configuration = Configuration(settings=settings, directory=directory)
        self.directory = directory
        self.url = ""
        self.worker: Worker
        self._loop: asyncio.AbstractEventLoop
        self._failure: BaseException | None = None

    def start(self) -> None:
        self.worker = Worker(self._configuration)
        self._thread = threading.Thread(target=self._run, name="served")
        self._thread.start()
        for _ in range(3000):
            if self._failure is not None:
                self._thread.join()
                raise self._failure
            if self.worker.api_url is not None and self.worker.ready():
                break
            threading.Event().wait(0.01)
        assert self.worker.api_url is not None
        self.url = self.worker.api_url
        self.client = client(self.url)

    def _run(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            await self.worker.run()

        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(main())
        except BaseException as error:
            self._failure = error

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self.worker.stop)
        self._thread.join(30)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure

    @contextmanager
    def counting_tasks(self) -> Iterator[list[str]]:
        """The names of the coroutines of all Tasks that are made meanwhile."""
        made: list[str] = []

        def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **how: Any) -> asyncio.Task[Any]:
            made.append(coroutine.__qualname__)
            return asyncio.Task(coroutine, loop=loop, **how)

        async def counting(by: Any) -> None:
            self._loop.set_task_factory(by)

        async def counted() -> None:
            pass

        asyncio.run_coroutine_threadsafe(counting(factory), self._loop).result(30)  # waited for: a request must not come before it
        asyncio.run_coroutine_threadsafe(counted(), self._loop).result(30)
        assert [name.rpartition(".")[2] for name in made] == ["counted"], "Tasks are counted"
        made.clear()
        yield made
        asyncio.run_coroutine_threadsafe(counting(None), self._loop).result(30)

    # --- Requests that no SDK would make --------------------------------------------------------------------------------------------

    def request(
        self, body: bytes = b"{}", target: str | None = "ListStateMachines", method: str = "POST", path: str = "/", **headers: str
    ) -> tuple[int, Mapping[str, str], Any]:
        """Status, headers and body, as JSON where it is."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        try:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            if target is not None:
                given["X-Amz-Target"] = f"AWSStepFunctions.{target}"
            connection.request(method, path, body, {"Content-Type": "application/x-amz-json-1.0", **given})
            answer = connection.getresponse()
            text = answer.read()
            kind = answer.headers.get("Content-Type", "")
            return answer.status, dict(answer.headers.items()), json.loads(text) if "json" in kind else text.decode()
        finally:
            connection.close()

    def create(self, name: str, definition: Any, **more: Any) -> str:
        """A state machine's ARN."""
        text = definition if isinstance(definition, str) else json.dumps(definition)
        found: str = self.client.create_state_machine(name=name, definition=text, roleArn=ROLE, type="EXPRESS", **more)["stateMachineArn"]
        return found


@contextmanager
def served(directory: Path, api: Api | None = None, settings: Settings | None = None) -> Iterator[Served]:
    (directory / "functions.py").write_text(FUNCTIONS)
    found = api or Api(listen="127.0.0.1:0", data="data", functions=("functions.py",))
    base = settings or Settings()
    made = Settings(
        workflows=base.workflows,
        pipelines=base.pipelines,
        connections=base.connections,
        extensions=base.extensions,
        functions=base.functions,
        api=found,
        ops=Ops(listen="127.0.0.1:0"),
    )
    running = Served(made, directory)
    running.start()
    try:
        yield running
    finally:
        running.stop()
