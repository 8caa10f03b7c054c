"""One process: a configuration in; programs, adapters and dispatchers made of it, connected, run, drained and stopped, in this order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec
import uvloop

from express import dispatcher, launching, registry
from express.addresses import Address
from express.api.operations import Operations
from express.api.serving import Serving
from express.api.switchboard import Switchboard
from express.config import Configuration, Route, Workflow, connections_of, validate
from express.dedup import opening
from express.dedup.window import Remembered
from express.dispatcher import Dispatcher, Summary
from express.errors import ConfigurationError, DefinitionError, Problem
from express.executor import Executor
from express.functions import provided
from express.launching import Launching
from express.leaving import Leaving
from express.loading import program_of
from express.observers import logs
from express.observers.exposition import Exposition
from express.observers.metrics import WorkflowMetrics
from express.observers.pipeline import PipelineMetrics
from express.observers.stall import Heartbeat
from express.options import SinkOptions
from express.program import Program
from express.progress import Bar, Ending
from express.sinks import Sink
from express.sources import Source

GLANCE = 0.1  # seconds between two looks at whether everything is connected
GC_THRESHOLDS = (50_000, 20, 100)
SILENCE = 10.0  # seconds without a beat of the loop after which the process does not count as alive
LEAVE_AFTER = 4.5  # seconds past the drain deadline: whatever still hangs then (a broker, a blocked loop) is left as it is

log = logging.getLogger("express")


class Part(msgspec.Struct, frozen=True):
    """A pipeline that is ready to be connected."""

    route: Route
    program: Program | Switchboard
    source: Source
    sink: Sink | None
    dead_letter: Sink | None
    metrics: PipelineMetrics
    memory: Remembered | None = None


def work(worker: Worker) -> list[Summary]:
    """Runs a worker on a loop of its own until it ends or a signal drained it; a second signal, or a drain that hangs, ends the process."""
    # What lives as long as the process is never looked at again by the collector, and events, which make few cycles, set it off a
    # seventieth as often: 1.3 times the throughput of a plain workflow, 1.9 times that of one with 1,000 calls in flight.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with Leaving(lambda: _soon(runner, worker.stop), worker.drain + LEAVE_AFTER, worker.last_status), runner:
        return runner.run(worker.run())


def prepare(configuration: Configuration) -> list[Part]:
    """Looks everything up and compiles it; no socket is opened. ConfigurationError or DefinitionError with every problem there is."""
    problems: list[str] = []
    wrong: list[Problem] = []
    cause: Exception | None = None
    programs: dict[str, Program] = {}
    routes: list[Route] = []
    refused: ConfigurationError | None = None
    names: Iterable[str] = configuration.settings.workflows
    extensions = configuration.settings.extensions
    startable: dict[str, Any] = dict.fromkeys(names)  # by name from the beginning: they may start each other
    everything = connections_of(configuration, Workflow(definition=""))
    try:
        routes = validate(configuration)
        # Those that others start and wait for have no pipeline of their own
        names = names if "nested" in extensions else dict.fromkeys(route.workflow for route in routes)
    except ConfigurationError as error:
        refused = error
        problems += error.problems
    for name in names:
        workflow, directory = configuration.settings.workflows[name], configuration.directory
        files = [directory / file for file in workflow.functions]
        missing: Literal["error", "defer"] = "error"
        if refused is not None:
            if not (directory / workflow.definition).is_file():
                continue  # said already, as is which file of functions is missing
            missing = "error" if all(file.is_file() for file in files) and not configuration.settings.functions else "defer"
        try:
            reach = connections_of(configuration, workflow)
            there = (file for file in files if missing == "error" or file.is_file())
            functions = provided(there, configuration.settings.functions if refused is None else {}, directory, everything)
            programs[name] = startable[name] = program_of(
                directory / workflow.definition,
                functions,
                name,
                workflow.substitutions,
                missing,
                connections=reach,
                extensions=extensions,
                workflows=startable,
            )
        except ConfigurationError as error:
            problems += error.problems
            cause = error
        except DefinitionError as error:
            wrong += error.problems
    parts = [_part(route, programs.get(route.workflow), problems) for route in routes]
    problems += launching.problems(programs, [part for part in parts if part is not None])
    if refused is not None and len(problems) == len(refused.problems) and not wrong:
        raise refused
    if problems:
        raise ConfigurationError(*problems, *map(str, wrong)) from cause
    if wrong:
        raise DefinitionError(wrong)
    return [part for part in parts if part is not None]


def _part(route: Route, program: Program | Switchboard | None, problems: list[str]) -> Part | None:
    """A pipeline's adapters, opened; None after a problem."""
    before = len(problems)
    source, sink, dead_letter = None, None, None
    try:
        source = registry.open_source(route.source, route.source_options)
    except ConfigurationError as error:
        problems += error.problems
    sink = _sink(route.sink, route.sink_options, problems)
    dead_letter = _sink(route.dead_letter, route.dead_letter_options, problems)
    memory = _memory(route, problems)
    if source is None or program is None or len(problems) > before:
        return None
    return Part(route, program, source, sink, dead_letter, PipelineMetrics(route.name, source.lag, lambda: source.lost), memory)


def _memory(route: Route, problems: list[str]) -> Remembered | None:
    """What a pipeline that looks for duplicates remembers by, opened."""
    if route.pipe.dedup is None or route.memory is None:
        return None
    try:
        return opening.opened(route.pipe.dedup, *route.memory, route.name, route.workflow, route.dead_letter_options.max_bytes)
    except ConfigurationError as error:
        problems += error.problems
        return None


def _opened(route: Route, program: Switchboard) -> Part:
    """The pipeline behind the API: its addresses are ours."""
    problems: list[str] = []
    part = _part(route, program, problems)
    if part is None:
        raise ConfigurationError(*problems)
    return part


def _sink(address: Address | None, options: SinkOptions, problems: list[str]) -> Sink | None:
    if address is None:
        return None
    try:
        return registry.open_sink(address, options)
    except ConfigurationError as error:
        problems += error.problems
        return None


class Worker:
    """Runs the pipelines of one process until their sources end, one of them fails, or somebody asks it to stop.

    ``run`` is the whole life. What it promises is the dispatchers' to keep; here is only the order: everything is prepared before anything
    connects, and everything has drained before the first thing closes that another needs.
    """

    def __init__(self, configuration: Configuration) -> None:
        settings = configuration.settings
        self._settings = settings
        self.parts = prepare(configuration)
        self._serving = None if settings.api is None else Serving(configuration, settings.api, self.parts)
        if self._serving is not None and self._serving.own is not None:
            self.parts.append(_opened(self._serving.own, self._serving.switchboard))
        # What the API starts goes the same way as what workflows start
        self._launching = Launching(self.parts, settings.limits.payload) if self._serving is None else None
        self.heartbeat = Heartbeat(sys.__stderr__)
        self._executor: Executor | None = None  # before the exposition, which asks for it at once
        self._exposition = Exposition(self._workflows(), [part.metrics for part in self.parts], self.heartbeat, self.stuck)
        self._operations = Operations(self._exposition, self._alive, self._unready)
        self._bar = Bar([part.metrics for part in self.parts])
        self._dispatchers: list[Dispatcher] = []
        self._tasks: list[asyncio.Task[Summary]] = []
        self._stopping = False
        self.url: str | None = None  # of the operations endpoint
        self.api_url: str | None = None
        self.seconds = 0.0  # how long it ran, connecting not counted

    @property
    def drain(self) -> float:
        """The longest drain deadline."""
        return max(part.route.drain for part in self.parts)

    async def run(self) -> list[Summary]:
        """Raises ConnectionFailed, with one sentence, when something cannot be reached, PipelineStopped when a pipeline had to stop; the
        other pipelines have drained by then."""
        loop = asyncio.get_running_loop()
        self._startup(loop)
        try:
            await self._warm()
            await self._serve()
            return await self._main_loop()
        finally:
            await self._shutdown()

    def stop(self) -> None:
        """Takes no more, drains, returns from ``run``. May be called more than once; nothing has been taken while still connecting."""
        self._stopping = True
        if self._serving is not None:
            self._serving.close()
        for part, task in zip(self._dispatchers, self._tasks, strict=True):
            if part.started:
                part.stop()
            else:
                task.cancel()

    def _startup(self, loop: asyncio.AbstractEventLoop) -> None:
        self.heartbeat.start(loop)
        self._exposition.attach(loop)
        self.url = url = self._operations.start(self._settings.ops.listen)
        log.info("metrics at %s/metrics, health at %s/livez and %s/readyz", url, url, url)
        for route in (part.route for part in self.parts):
            if not route.source_given:
                path = os.path.relpath(route.source.name)
                log.info("%s: events come from the embedded queue %s: send some with express queue send %s", route.name, path, path)
        self._executor = Executor()
        self._dispatchers = [self._dispatcher(part, self._executor) for part in self.parts]

    async def _warm(self) -> None:
        """What the first events would otherwise wait for."""
        from express.tasks.warming import warm

        programs = [part.program for part in self.parts if isinstance(part.program, Program)]
        for program in programs:
            await asyncio.to_thread(program.warm)
        await warm(self._executor, (binding for program in programs for binding in program.bindings))

    async def _serve(self) -> None:
        if self._launching is not None:
            assert self._executor is not None
            await self._launching.start(self._executor)
        if self._serving is not None:
            assert self._executor is not None
            self.api_url = url = await self._serving.start(self._executor)
            log.info("the API of Step Functions at %s, what there is at %s/console", url, url)

    def _dispatcher(self, part: Part, executor: Executor) -> Dispatcher:
        route, settings = part.route, self._settings.limits
        limits = dispatcher.Limits(
            records=route.in_flight.records,
            bytes=route.in_flight.bytes,
            payload=settings.payload,
            execution=settings.execution,
            commit_every=route.commit_every,
            drain=route.drain,
            dead_letters=route.dead_letter_limit,
        )
        scheme = route.source.scheme
        return Dispatcher(
            route.name,
            part.program,
            part.source,
            part.sink,
            part.dead_letter,
            executor,
            part.metrics,
            limits,
            scheme,
            route.order,
            route.pipe,
            part.memory,
        )

    async def _main_loop(self) -> list[Summary]:
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        self._bar.start(loop)
        self._tasks = [asyncio.create_task(each.run(), name=f"express-{each.name}") for each in self._dispatchers]
        if self._stopping:  # asked before there was anything to ask
            self.stop()
        loop.call_later(GLANCE, self._look_for_start, loop)
        waiting: set[asyncio.Future[Any]] = set(self._tasks)
        beside: set[asyncio.Future[Any]] = set()
        for each in (self._serving, self._launching):
            if each is not None and each.broken is not None:
                beside.add(each.broken)
        failure: BaseException | None = None
        while waiting:
            done, _ = await asyncio.wait(waiting | beside, return_when=asyncio.FIRST_COMPLETED)
            waiting, beside = waiting - done, beside - done
            for task in done:
                if not task.cancelled() and (error := task.exception()) is not None and failure is None:
                    failure = error
                    self.stop()  # a supervisor that restarts us must not find half of a process
        self.seconds = time.monotonic() - began
        self._bar.stop()
        if failure is not None:
            raise failure
        return [task.result() for task in self._tasks if not task.cancelled()]

    def _look_for_start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Once everything is connected, what a client warns of is worth reading; before, our one sentence says what is wrong."""
        if all(each.started for each in self._dispatchers):
            logs.settle_clients()
        else:
            loop.call_later(GLANCE, self._look_for_start, loop)

    async def _shutdown(self) -> None:
        self._bar.stop()
        if self._serving is not None:
            await self._serving.stop(self.drain)
        if self._launching is not None:
            await self._launching.stop()
        if self._executor is not None:
            await self._executor.close()
        self._operations.stop()
        self.heartbeat.stop()

    # --- What the endpoint asks, from its own thread --------------------------------------------------------------------------------

    def _alive(self) -> str | None:
        silence = self.heartbeat.silence()
        return None if silence < SILENCE else f"the event loop has stood still for {silence:.0f} s: something blocks it"

    def ready(self) -> bool:
        """Everything is connected, and every group is joined."""
        return self._unready() is None

    def _unready(self) -> str | None:
        if self._stopping:
            return "draining"
        if self._serving is not None and not self._serving.ready():
            return "the API does not listen, or what takes its events is not connected"
        waiting = [each.name for each in self._dispatchers if not each.ready()]
        return f"not connected, or the group is not joined: {', '.join(waiting)}" if waiting or not self._dispatchers else None

    def last_status(self) -> int:
        """The exit code of a process that has to leave before everything has ended: of a loop that stands still nothing is known."""
        return 0 if self.heartbeat.silence() < 2.0 else 74

    def stuck(self) -> int:
        return self._executor.stuck if self._executor is not None else 0

    def _workflows(self) -> Sequence[WorkflowMetrics] | Callable[[], Sequence[WorkflowMetrics]]:
        """Those of the pipelines; over an API they come and go."""
        if self._serving is not None:
            return self._serving.metrics
        programs = {id(part.program): part.program for part in self.parts}.values()
        return [program.metrics for program in programs if program.metrics is not None]

    def endings(self) -> list[Ending]:
        """What the summary is made of."""
        return [Ending(part.metrics, part.program.metrics, _shown(part.route.sink), _shown(part.route.dead_letter)) for part in self.parts]


def _shown(address: Address | None) -> str | None:
    return None if address is None else address.text


def _soon(runner: asyncio.Runner, stop: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended already
        runner.get_loop().call_soon_threadsafe(stop)
