"""A configuration and its pipelines in; everything behind the endpoint made, started and stopped, in this order."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from express import language, registry
from express.addresses import Address
from express.api import shapes
from express.api.authentication import Access
from express.api.console import Console
from express.api.endpoint import Endpoint
from express.api.machines import Given, Machines
from express.api.operating import Operating
from express.api.outbox import Outbox
from express.api.starting import Starting
from express.api.store import Store
from express.api.switchboard import NAME, Switchboard
from express.api.syncing import Syncing
from express.config import Api, Configuration, InFlight, Route, reachable
from express.config import Workflow as Settings
from express.errors import CannotCreate, ConnectionFailed
from express.executor import Executor
from express.functions import provided
from express.observers.metrics import WorkflowMetrics
from express.options import AwsConnection, Connection, SinkOptions, SourceOptions
from express.program import Program
from express.queue import Queue
from express.tasks.launching import Launches
from express.tasks.warming import warm

EVENTS, FAILED = "executions.db", "failed.db"  # queues below --data: what was started, and what failed
DRAIN = 20.0
log = logging.getLogger("express")

EVENT_SCHEMES = frozenset({"kafka", "queue", "redis", "sqs"})  # sources that take events from here, durably


class Pipeline(Protocol):
    """The part of a worker's pipeline that is seen from here."""

    @property
    def route(self) -> Route: ...
    @property
    def program(self) -> Program | Switchboard: ...


class Serving:
    """Made before anything connects: raises ConfigurationError, ConnectionFailed or CannotCreate with one sentence. ``own`` is the
    pipeline of the executions that StartExecution began, None when nothing is kept."""

    def __init__(self, configuration: Configuration, api: Api, pipelines: Sequence[Pipeline]) -> None:
        self._configuration, self._settings, self._api = configuration, configuration.settings, api
        self._directory = None if api.data is None else _Directory(configuration.directory / api.data)
        if self._directory is not None:
            # What a process had taken that was killed need not wait for its lease to run out: the directory is ours alone
            with Queue(self._directory.path / EVENTS) as queue:
                queue.give_back_all()
        workflows = self._settings.workflows
        files = dict.fromkeys([*api.functions, *(file for workflow in workflows.values() for file in workflow.functions)])
        everything = reachable(configuration, None)
        functions = provided(
            (configuration.directory / file for file in files), self._settings.functions, configuration.directory, everything
        )
        accounts = [name for name, each in everything.items() if isinstance(each, AwsConnection)]
        if self._directory is not None and api.aws is None and len(accounts) > 1:
            there = ", ".join(accounts)
            log.warning("there are several connections to AWS (%s): say in api.aws or api.machines which one state machines use", there)
        self._store = None if self._directory is None else Store(self._directory.path)
        given = [
            Given(program=program, definition=_definition(configuration, workflows[name]), created=time.time())
            for name, program in _programs(pipelines).items()
        ]
        self.machines = Machines(self._store, functions, self._reach, given, self._settings.extensions)
        self.switchboard = Switchboard(self.machines)
        self.own = None if self._directory is None else _route(self._directory.path)
        self._outboxes = {
            each.route.workflow: Outbox(registry.open_sink(*back(each.route)), str(each.route.source), self._break)
            for each in reversed(pipelines)
            if each.route.source.scheme in EVENT_SCHEMES
        }
        self._inbox = None if self.own is None else Outbox(registry.open_sink(*back(self.own)), str(self.own.source), self._break)
        self._endpoint: Endpoint | None = None
        self._syncing: Syncing | None = None
        self._closed: float | None = None
        self._warming: set[asyncio.Task[None]] = set()
        self.broken: asyncio.Future[None] | None = None  # since it listens: done when it is of no more use, with the error that says why

    async def start(self, executor: Executor) -> str:
        """Connects what takes events, listens; returns the URL. Raises ConnectionFailed with one sentence."""
        self.broken = asyncio.get_running_loop().create_future()
        limits = self._settings.limits
        for program in list(self.machines.programs()):
            await asyncio.to_thread(program.warm)
        await warm(executor, self.switchboard.bindings)
        self.machines.accepted = lambda program: self._warm(executor, program)
        for outbox in self._all():
            await outbox.start()
        self._syncing = Syncing(self.machines, executor, limits.payload, limits.execution)
        starts = Starting(self.machines, limits.payload, self._inbox, self._outboxes)

        async def launch(arn: str, text: str, name: str) -> tuple[str, float]:
            answer = await starts.start(shapes.StartExecution(state_machine_arn=arn, input=text, name=name))
            return str(answer["executionArn"]), time.time()

        executor.service(Launches).start = launch
        access = Access(self._api.token, {key.access_key_id: key.secret_access_key for key in self._api.keys})
        operating = Operating(self.machines, self._syncing, starts)
        self._endpoint = Endpoint(operating, access, Console(self.machines).page)
        return await self._endpoint.start(self._api.listen)

    def _break(self, error: Exception) -> None:
        if self.broken is not None and not self.broken.done():
            self.broken.set_exception(error)

    def _warm(self, executor: Executor, program: Program) -> None:
        async def warmed() -> None:
            await asyncio.to_thread(program.warm)
            await warm(executor, program.bindings)

        task = asyncio.create_task(warmed())
        self._warming.add(task)
        task.add_done_callback(self._warming.discard)

    def _reach(self, machine: str) -> Mapping[str, Connection]:
        return reachable(self._configuration, self._api.account(machine))

    def ready(self) -> bool:
        return self._endpoint is not None and self._closed is None and all(outbox.ready() for outbox in self._all())

    def metrics(self) -> Sequence[WorkflowMetrics]:
        return self.machines.metrics()

    def close(self) -> None:
        """Takes no more requests. May be called more than once."""
        if self._closed is None:
            self._closed = time.monotonic()
            if self._endpoint is not None:
                self._endpoint.close()

    async def stop(self, drain: float) -> None:
        """Lets executions that somebody waits for end within ``drain`` seconds of ``close``, and answers them; then closes everything."""
        self.close()
        assert self._closed is not None
        if self._syncing is not None:
            await self._syncing.drain(self._closed + drain - time.monotonic())
        if self._endpoint is not None:
            await self._endpoint.stop()
        if self.broken is not None:
            self.broken.cancel()
        for outbox in self._all():
            await outbox.stop()
        self.machines.close()
        if self._directory is not None:
            self._directory.close()

    def _all(self) -> list[Outbox]:
        return [*self._outboxes.values(), *([] if self._inbox is None else [self._inbox])]


class _Directory:
    """The place of everything that is kept, made if it is not there, for one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotCreate(f"--data {path}: cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # goes with the process, however that ends
        except OSError as error:
            os.close(self._lock)
            raise ConnectionFailed(f"--data {path}: another process serves it") from error

    def close(self) -> None:
        os.close(self._lock)


def _programs(pipelines: Sequence[Pipeline]) -> Mapping[str, Program]:
    return {each.program.name: each.program for each in pipelines if isinstance(each.program, Program)}


def _definition(configuration: Configuration, workflow: Settings) -> str:
    """A pipeline's definition as its JSON text, whatever it was written in."""
    loaded = language.load(configuration.directory / workflow.definition, workflow.substitutions, configuration.settings.extensions)
    return json.dumps(loaded.raw, ensure_ascii=False, indent=2)


def _route(directory: Path) -> Route:
    events, failed = (Address(f"queue:{directory / name}", "queue", (), str(directory / name), {}) for name in (EVENTS, FAILED))
    return Route(
        name=NAME,
        workflow=NAME,
        source=events,
        source_options=SourceOptions(name=NAME, drain_seconds=DRAIN),
        sink=None,
        sink_options=SinkOptions(name=NAME),
        dead_letter=failed,
        dead_letter_options=SinkOptions(name=NAME, for_dead_letters=True),
        dead_letter_limit=None,
        order="unordered",
        in_flight=InFlight(),
        commit_every=0.2,
        drain=DRAIN,
    )


def back(route: Route) -> tuple[Address, SinkOptions]:
    """A source as a sink: what it reads is written there."""
    return msgspec.structs.replace(route.source, options={}), SinkOptions(name=route.name, connection=route.source_options.connection)
