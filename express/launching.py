"""Executions that workflows start in the pipelines beside theirs: each an event that is durable in the other's source."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

from express import registry
from express.api import arns
from express.api.outbox import Outbox
from express.api.serving import EVENT_SCHEMES, Pipeline, back
from express.api.starting import headers_of
from express.api.syncing import check_input, invalid
from express.errors import RequestError
from express.program import Program
from express.runtime.values import loads
from express.tasks.launching import Launch, Launches


def launches(program: Any) -> list[Launch]:
    """The Tasks of a program that start others."""
    if not isinstance(program, Program):
        return []
    bound = (getattr(binding, "binding", binding) for binding in program.bindings)
    return [binding for binding in bound if isinstance(binding, Launch)]


def problems(programs: Mapping[str, Program], pipelines: Iterable[Pipeline]) -> list[str]:
    """Workflows that are started and whose pipeline takes no events from here, one sentence each."""
    taking = {each.route.workflow for each in pipelines if each.route.source.scheme in EVENT_SCHEMES}
    return [
        f"workflows.{name}: it starts {launch.target!r}, which no pipeline runs from a Kafka topic, a queue, a Redis stream or SQS"
        for name, program in programs.items()
        for launch in launches(program)
        if launch.target is not None and launch.target not in taking
    ]


class Launching:
    """Connects only where a workflow may start another. Raises ConfigurationError before anything connects."""

    def __init__(self, pipelines: Iterable[Pipeline], payload: int) -> None:
        pipelines = list(pipelines)
        started = [launch.target for each in pipelines for launch in launches(each.program)]
        self._payload = payload
        self._outboxes = {
            each.route.workflow: Outbox(registry.open_sink(*back(each.route)), str(each.route.source), self._break)
            for each in reversed(pipelines)
            if each.route.source.scheme in EVENT_SCHEMES and (None in started or each.route.workflow in started)
        }

        self.broken: asyncio.Future[None] | None = None  # since it has started: done when an outbox is of no more use, with the error

    async def start(self, executor: Any) -> None:
        """Raises ConnectionFailed with one sentence."""
        self.broken = asyncio.get_running_loop().create_future()
        for outbox in self._outboxes.values():
            await outbox.start()
        executor.service(Launches).start = self._launch

    def _break(self, error: Exception) -> None:
        if self.broken is not None and not self.broken.done():
            self.broken.set_exception(error)

    async def stop(self) -> None:
        if self.broken is not None:
            self.broken.cancel()
        for outbox in self._outboxes.values():
            await outbox.stop()

    async def _launch(self, arn: str, text: str, name: str) -> tuple[str, float]:
        target = arns.state_machine(arn).name if arn.startswith("arn:") else arn
        outbox = self._outboxes.get(target)
        if outbox is None:
            raise RequestError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        arns.check_name(name)
        check_input(text.encode(), self._payload)
        try:
            loads(text)
        except ValueError as error:
            raise invalid(error) from None
        execution = arns.of_execution(target, name)
        await outbox.submit(text.encode(), headers_of(execution, arns.of_machine(target)))
        return execution, time.time()
