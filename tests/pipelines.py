"""Pipelines in memory for tests: a log, a workflow written by hand as the compiler would, sinks, and the dispatcher between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from consumers.memory import Log, MemorySource
from express.clock import Clock
from express.dedup.window import Remembered
from express.dispatcher import Dispatcher, Limits, Summary
from express.executor import Executor
from express.observers.pipeline import PipelineMetrics
from express.pipes import Pipe
from express.runtime.context import Execution
from express.runtime.decoding import whole
from express.runtime.failures import ExecutionTimedOut, StateError
from express.runtime.suspensions import sleep
from express.runtime.values import dumps
from express.sinks.memory import MemorySink
from express.turns import Order


def obey(event: Any, execution: Execution) -> Any:
    """A plain workflow that does as the event says: {"fail": error}, {"bug": text}, otherwise {"seen": event}."""
    if isinstance(event, dict):
        if "fail" in event:
            raise StateError(event["fail"], event.get("cause"), "Charge", "/States/Charge")
        if "time out" in event:
            raise ExecutionTimedOut("States.Timeout")
        if "bug" in event:
            raise RuntimeError(event["bug"])
    return {"seen": event}


async def wait_and_obey(event: Any, execution: Execution) -> Any:
    """As ``obey``, after {"wait": seconds}."""
    if isinstance(event, dict) and "wait" in event:
        await sleep(execution, event["wait"])
    return obey(event, execution)


class Tasks:
    """A bound task that has a free slot, or not."""

    def __init__(self) -> None:
        self.full = False

    def saturated(self) -> bool:
        return self.full


class Workflow:
    """What a Program is to the dispatcher."""

    name, sha256, anonymous = "orders", "3f9c1e07" * 8, False

    def __init__(self, evaluate: Callable[[Any, Execution], Any] = obey, seconds: float = 300.0) -> None:
        self.seconds = seconds
        self.started: list[Any] = []
        self.tasks = Tasks()
        self.bindings = (self.tasks,)
        self.plain = not asyncio.iscoroutinefunction(evaluate)
        self._evaluate = evaluate

    def evaluate(self, event: Any, execution: Execution) -> Any:
        self.started.append(execution.message.offset if execution.message else None)
        return self._evaluate(event, execution)

    def process(self, text: bytes, execution: Execution | None) -> bytes:
        assert execution is not None
        execution.input = whole(text)
        return dumps(self.evaluate(execution.input, execution))

    def explain(self, error: BaseException) -> str | None:
        return None


class Pipeline:
    """Everything of one pipeline, in reach. ``again`` is a new process over the same log."""

    def __init__(
        self,
        evaluate: Callable[[Any, Execution], Any] = obey,
        *,
        log: Log | None = None,
        partitions: int = 1,
        given: Sequence[int] | None = None,
        finite: bool = True,
        source: MemorySource | None = None,
        sink: MemorySink | bool = True,
        dead_letter: MemorySink | bool = True,
        clock: Clock | None = None,
        seconds: float = 300.0,
        order: Order = "unordered",
        pipe: Pipe | None = None,
        memory: Remembered | None = None,
        **limits: Any,
    ) -> None:
        self.log = log or Log("orders", partitions)
        self.workflow = Workflow(evaluate, seconds)
        self.source = source or MemorySource(self.log, finite=finite, partitions=given)
        self.sink = sink if isinstance(sink, MemorySink) else MemorySink()
        self.dead_letter = dead_letter if isinstance(dead_letter, MemorySink) else MemorySink()
        self.executor = Executor(clock)
        self.metrics = PipelineMetrics("orders")
        self.dispatcher = Dispatcher(
            "orders",
            self.workflow,
            self.source,
            self.sink if sink else None,
            self.dead_letter if dead_letter else None,
            self.executor,
            self.metrics,
            Limits(**{"commit_every": 0.02, "drain": 1.0, **limits}),
            order=order,
            pipe=pipe,
            memory=memory,
        )
        self.task: asyncio.Task[Summary] | None = None

    def send(self, *events: Any, partition: int = 0, key: bytes | None = b"key") -> None:
        for event in events:
            self.log.append(event if isinstance(event, bytes) else orjson.dumps(event), key, partition=partition)

    async def run(self) -> Summary:
        try:
            return await self.dispatcher.run()
        finally:
            await self.executor.close()

    def begin(self) -> None:
        self.task = asyncio.create_task(self.run())

    async def end(self) -> Summary:
        assert self.task is not None
        self.dispatcher.stop()
        return await self.task

    async def until(self, condition: Callable[[], Any], seconds: float = 5.0) -> None:
        """Waits for something to come true; the pipeline's own failure is raised instead."""
        loop = asyncio.get_running_loop()
        limit = loop.time() + seconds
        while not condition():
            if self.task is not None and self.task.done():
                await self.task
            assert loop.time() < limit, "it did not come true in time"
            await asyncio.sleep(0.002)

    @property
    def committed(self) -> int | None:
        position = self.log.committed.get(0)
        return None if position is None else position.offset

    def seen(self) -> list[Any]:
        """The events of all results, in the order of acknowledgement."""
        return [orjson.loads(value or b"null")["seen"] for value in self.sink.values()]

    def buried(self) -> list[dict[str, str]]:
        """The headers of all dead letters."""
        return [{name: value.decode() for name, value in entry.headers} for entry in self.dead_letter.entries]
