"""Typed settings, from ``express.yaml`` or from flags, and one ``validate`` that makes routes of them before any socket opens."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from express import addresses, batches, connections, dedup, filtering, registry, reruns
from express.addresses import Address
from express.batches import BatchLimits
from express.dead_letter_limit import DeadLetterLimit
from express.dedup import Dedup
from express.documents import Document, Duration, Field, Reader, Size, field_text
from express.errors import ConfigurationError, MissingFile, UnreadableFile
from express.options import (
    CONNECTED_BY,
    AwsConnection,
    FunctionSettings,
    HttpConnection,
    KafkaConnection,
    QueueConnection,
    RedisConnection,
    SinkOptions,
    SourceOptions,
)
from express.options import Connection as AnyConnection
from express.pipes import Pipe
from express.reruns import Retry
from express.runtime import limits
from express.turns import Order
from express.units import size_text

DEFAULT_OPS = "127.0.0.1:9464"
DEFAULT_API = "127.0.0.1:8083"
MEMORIES = {"sqlite": "express.dedup.sqlite", "redis": "express.dedup.redis"}  # where it may be kept what was completed
LARGEST_WINDOW = 1_000_000  # executions that a dead-letter limit looks back on
REDRIVEN = ("sqs",)  # sources that decide by themselves what becomes of a record that failed
SHORTEST_TOKEN = 16  # characters: anything shorter is guessed
_FILE_NAME = re.compile(r"(?!\.)[\w .@+-]{1,100}")  # what a name may be that becomes a file's
SHORTEST_COMMIT = 0.01  # seconds; a commit tick is paid per process, not per event


class Workflow(msgspec.Struct, frozen=True, kw_only=True):
    """A definition, the files of functions its Tasks call, and the values of its ``${Placeholders}``. ``aws``: the connection that its
    integrations with AWS's services use; without it the only one of that kind."""

    definition: str
    functions: tuple[str, ...] = ()
    substitutions: dict[str, Any] = {}
    aws: str | None = None


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """Servers, credentials and TLS under a name, so that no address has to carry them: of exactly one kind."""

    kafka: KafkaConnection | None = None
    redis: RedisConnection | None = None
    aws: AwsConnection | None = None
    http: HttpConnection | None = None
    queue: QueueConnection | None = None

    @property
    def only(self) -> AnyConnection | None:
        """The one that is given; None when none or several are."""
        given = [each for each in (self.kafka, self.redis, self.aws, self.http, self.queue) if each is not None]
        return given[0] if len(given) == 1 else None


class InFlight(msgspec.Struct, frozen=True, kw_only=True):
    """How much may be taken from the source and not yet be acknowledged."""

    records: int = 500
    bytes: Size = 64 * 1024 * 1024


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """From a source through a workflow to its sinks. Without ``name`` it has its workflow's. Without ``source`` it reads an embedded queue
    of its name, beside the configuration: what needs no broker."""

    workflow: str
    source: str | None = None
    name: str | None = None
    sink: str | None = None
    dead_letter: str | None = None
    dead_letter_limit: DeadLetterLimit | None = None
    filter: Any = None
    dedup: Dedup | None = None
    batch: BatchLimits | None = None
    retry: Retry | None = None
    order: Order = "unordered"
    in_flight: InFlight = InFlight()
    commit_every: Duration = 0.2
    drain: Duration = 20.0


class AccessKey(msgspec.Struct, frozen=True, kw_only=True):
    """With which an SDK of AWS signs its requests."""

    access_key_id: str
    secret_access_key: str


class StateMachine(msgspec.Struct, frozen=True, kw_only=True):
    """What a state machine that is created over the API has here and not on AWS. ``aws``: the connection that its integrations with AWS's
    services use."""

    aws: str | None = None


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """The AWS-compatible endpoint. Without ``listen`` it is the default port, or a free one when that is in use. ``token`` and ``keys``
    are those of whoever may ask; without any, this machine may. ``data`` is the directory of the state machines that are created over it
    and of the executions they start; without one only the workflows of pipelines are served. ``functions``: files, for all of them.
    ``aws``: the connection that their integrations with AWS's services use, unless ``machines`` names another for one of them."""

    listen: str | None = None
    token: str | None = None
    keys: tuple[AccessKey, ...] = ()
    data: str | None = None
    functions: tuple[str, ...] = ()
    aws: str | None = None
    machines: dict[str, StateMachine] = {}

    def account(self, machine: str) -> str | None:
        """The name of a state machine's connection to AWS; None is the only one there is."""
        own = self.machines.get(machine)
        return self.aws if own is None or own.aws is None else own.aws


class Ops(msgspec.Struct, frozen=True, kw_only=True):
    """The operations endpoint. Without ``listen`` it is the default port, or a free one when that is in use."""

    listen: str | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """``payload``: the largest event. ``execution``: the longest execution. ``transitions``: how many states one execution may enter."""

    payload: Size = limits.PAYLOAD
    execution: Duration = float(limits.EXECUTION_SECONDS)
    transitions: int | None = None


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """``auto``: text on a terminal, one JSON object a line otherwise."""

    format: Literal["auto", "json", "text"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one process runs with. ``extensions``: what definitions may use although AWS's Express workflows do not have it."""

    workflows: dict[str, Workflow] = {}
    connections: dict[str, Connection] = {}
    functions: dict[str, FunctionSettings] = {}
    pipelines: tuple[Pipeline, ...] = ()
    extensions: tuple[Literal["callbacks", "nested"], ...] = ()
    api: Api | None = None
    ops: Ops = Ops()
    limits: Limits = Limits()
    log: Log = Log()


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline with everything looked up: nothing but adapters and programs is missing."""

    name: str
    workflow: str
    source: Address
    source_options: SourceOptions
    source_given: bool = True  # else it is the embedded queue
    sink: Address | None
    sink_options: SinkOptions
    dead_letter: Address | None
    dead_letter_options: SinkOptions
    dead_letter_limit: DeadLetterLimit | None
    order: Order
    in_flight: InFlight
    commit_every: float
    drain: float
    pipe: Pipe = Pipe()
    memory: tuple[Address, AnyConnection | None] | None = None


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """Settings and where they come from: ``directory`` is what relative paths in them start from, ``where`` names the place of a field."""

    settings: Settings
    directory: Path
    where: Callable[[Field], str] = field_text


def load(path: Path, environment: Mapping[str, str]) -> Configuration:
    """The settings of a file. Raises OSError when it cannot be read, ConfigurationError with every problem of its text and types."""
    document = Document(path)
    reader = Reader(document, environment)
    settings = reader.read(Settings)
    if reader.problems:
        raise ConfigurationError(*reader.problems)
    return Configuration(settings=settings, directory=path.parent, where=document.where)


def connections_of(configuration: Configuration, workflow: Workflow) -> dict[str, AnyConnection]:
    """What the Tasks of a workflow may reach, by name: of several connections to AWS the one that it says."""
    return reachable(configuration, workflow.aws)


def reachable(configuration: Configuration, aws: str | None) -> dict[str, AnyConnection]:
    """Every connection, its files found beside the configuration; but of those to AWS only the one of that name if there is one."""
    given = {name: connection.only for name, connection in configuration.settings.connections.items()}
    return {
        name: connections.anchored(connection, configuration.directory)
        for name, connection in given.items()
        if connection is not None and (aws in (None, name) or not isinstance(connection, AwsConnection))
    }


def host_and_port(text: str) -> tuple[str, int]:
    """``127.0.0.1:9464``, ``[::1]:9464`` or ``:9464`` (every address) taken apart; ValueError with what was expected."""
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isascii() or not port.isdecimal() or int(port) > 65535 or (":" in bare) != (bare != host):
        raise ValueError(f"expected HOST:PORT such as {DEFAULT_OPS}, found {text!r}")
    return bare or "0.0.0.0", int(port)


@lru_cache(maxsize=256)  # asked for each request of the API
def is_loopback(host: str) -> bool:
    """Whether what listens there is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def validate(configuration: Configuration) -> list[Route]:
    """Every rule that concerns more than the type of one field, one sentence each; all broken ones in one ConfigurationError (MissingFile,
    UnreadableFile where files are all that is wrong)."""
    return _Validation(configuration).routes()


def validate_tasks(configuration: Configuration) -> None:
    """The rules of what Tasks call: workflows, connections and functions; for who runs a definition without a pipeline."""
    _Validation(configuration).tasks()


def resolve(configuration: Configuration, text: str, table: dict[str, str], what: str) -> tuple[Address, AnyConnection | None]:
    """One address, given by itself, with the connection of the configuration that it names; ConfigurationError with every problem."""
    return _Validation(configuration).resolve(text, table, what)


class _Validation:
    def __init__(self, configuration: Configuration) -> None:
        self._configuration, self._settings = configuration, configuration.settings
        self._problems: list[str] = []
        self._kinds: set[type[ConfigurationError]] = set()

    def routes(self) -> list[Route]:
        self._workflows()
        self._connections()
        self._functions()
        self._limits()
        self._endpoints()
        if not self._settings.pipelines and (self._settings.api is None or self._settings.api.data is None):
            self._problem(("pipelines",), "there is no pipeline: nothing would run")
        routes = [self._route(number, pipeline) for number, pipeline in enumerate(self._settings.pipelines)]
        self._shared_files([route for route in routes if route is not None])
        self._raise()
        return [route for route in routes if route is not None]

    def tasks(self) -> None:
        self._workflows()
        self._connections()
        self._functions()
        self._raise()

    def resolve(self, text: str, table: dict[str, str], what: str) -> tuple[Address, AnyConnection | None]:
        found = self._address((what,), table, what, text)
        if found is None or self._problems:
            raise ConfigurationError(*self._problems)
        return found

    def _raise(self) -> None:
        if self._problems:
            kind = self._kinds.pop() if len(self._kinds) == 1 else ConfigurationError
            raise kind(*self._problems)

    def _problem(self, field: Field, sentence: str, kind: type[ConfigurationError] = ConfigurationError) -> None:
        self._kinds.add(kind)
        self._problems.append(f"{self._configuration.where(field)}: {sentence}")

    # --- Parts ---------------------------------------------------------------------------------------------------------------------

    def _workflows(self) -> None:
        for name, workflow in self._settings.workflows.items():
            self._file(("workflows", name, "definition"), workflow.definition)
            for number, functions in enumerate(workflow.functions):
                self._file(("workflows", name, "functions", number), functions)
            if workflow.aws is not None:
                self._to_aws(("workflows", name, "aws"), workflow.aws)

    def _connections(self) -> None:
        for name, connection in self._settings.connections.items():
            field: Field = ("connections", name)
            if connection.only is None:
                self._problem(field, "expected one of kafka, redis, aws, http and queue")
                continue
            for place, sentence in connections.problems(connection.only):
                self._problem((*field, *place), sentence)
            for place, path in connections.files(connection.only):
                self._file((*field, *place), path)

    def _functions(self) -> None:
        for name, function in self._settings.functions.items():
            field: Field = ("functions", name)
            given = [part for part, value in (("python", function.python), ("url", function.url), ("lambda", function.aws)) if value]
            if len(given) != 1:
                found = f", found {' and '.join(given)}" if given else ""
                self._problem(field, f"expected exactly one of python, url and lambda{found}")
            if function.python is not None:
                self._file((*field, "python"), function.python.partition(":")[0])
            if function.url is not None and not function.url.startswith(("http://", "https://")):
                self._problem((*field, "url"), f"expected http://HOST:PORT/PATH or https://HOST/PATH, found {function.url!r}")
            if function.aws is not None:
                self._to_aws((*field, "lambda"), function.aws)
            if function.timeout is not None and (function.url is None or function.timeout <= 0):
                self._problem((*field, "timeout"), "expected a duration, and only with url: others have the TimeoutSeconds of their states")
            if function.concurrency is not None and function.concurrency < 1:
                self._problem((*field, "concurrency"), "expected at least 1")

    def _to_aws(self, field: Field, name: str) -> None:
        named = self._settings.connections.get(name)
        if named is None or named.aws is None:
            known = ", ".join(each for each, connection in self._settings.connections.items() if connection.aws) or "none"
            self._problem(field, f"there is no connection to AWS named {name!r} (there are: {known})")

    def _limits(self) -> None:
        settings = self._settings.limits
        if not 1024 <= settings.payload <= limits.PAYLOAD:
            expected = f"expected 1 KiB to {size_text(limits.PAYLOAD)}, AWS's limit"
            self._problem(("limits", "payload"), f"{expected}, found {size_text(settings.payload)}")
        if not 0 < settings.execution <= limits.EXECUTION_SECONDS:
            self._problem(("limits", "execution"), "expected a duration up to 5m, AWS's limit")
        if settings.transitions is not None:
            self._problem(("limits", "transitions"), "this version of Express has no limit of transitions: a loop ends at limits.execution")

    def _endpoints(self) -> None:
        api = self._settings.api
        for part, listen in (("ops", self._settings.ops.listen), ("api", api.listen if api else None)):
            try:
                host, _ = host_and_port(listen if listen is not None else DEFAULT_OPS)
            except ValueError as error:
                self._problem((part, "listen"), str(error))
                continue
            if part == "api" and api is not None and api.token is None and not api.keys and not is_loopback(host):
                sentence = f"{listen} is reached from other machines: expected a token or keys for whoever may ask, or 127.0.0.1"
                self._problem((part, "listen"), sentence)
        if api is not None:
            if api.token is not None and len(api.token) < SHORTEST_TOKEN:
                self._problem(("api", "token"), f"expected at least {SHORTEST_TOKEN} characters")
            for number, functions in enumerate(api.functions):
                self._file(("api", "functions", number), functions)
            if api.aws is not None:
                self._to_aws(("api", "aws"), api.aws)
            for name, machine in api.machines.items():
                if machine.aws is not None:
                    self._to_aws(("api", "machines", name, "aws"), machine.aws)

    def _file(self, field: Field, name: str) -> None:
        path = self._configuration.directory / name
        if path.is_dir():
            self._problem(field, f"{path} is a directory, expected a file", MissingFile)
        elif not path.exists():
            self._problem(field, f"there is no file {path}", MissingFile)
        elif not os.access(path, os.R_OK):
            self._problem(field, f"no permission to read {path}", UnreadableFile)

    # --- Pipelines ------------------------------------------------------------------------------------------------------------------

    def _route(self, number: int, pipeline: Pipeline) -> Route | None:
        """A pipeline with everything looked up, or None after a problem."""
        field, before = ("pipelines", number), len(self._problems)
        if pipeline.workflow not in self._settings.workflows:
            known = ", ".join(self._settings.workflows) or "none"
            self._problem((*field, "workflow"), f"there is no workflow {pipeline.workflow!r} (there are: {known})")
        name = self._name(number, pipeline)
        if pipeline.in_flight.records < 1:
            self._problem((*field, "in_flight", "records"), "expected at least 1")
        if pipeline.in_flight.bytes < self._settings.limits.payload:
            needed = f"limits.payload ({size_text(self._settings.limits.payload)})"
            self._problem((*field, "in_flight", "bytes"), f"expected at least {needed}: an event of that size would never fit")
        self._dead_letter_limit((*field, "dead_letter_limit"), pipeline)
        if pipeline.commit_every < SHORTEST_COMMIT:
            self._problem((*field, "commit_every"), "expected at least 10ms")
        source = self._address((*field, "source"), registry.SOURCES, "source", pipeline.source or self._own_queue(field, name))
        sink = self._address((*field, "sink"), registry.SINKS, "sink", pipeline.sink)
        dead_letter = self._address((*field, "dead_letter"), registry.SINKS, "sink", pipeline.dead_letter)
        if source and sink and _same(source[0], sink[0]):
            self._problem((*field, "sink"), "the results would come back as events: the sink is what the source reads")
        if source and dead_letter and _same(source[0], dead_letter[0]):
            self._problem((*field, "dead_letter"), "the dead letters would come back as events: they would go where the source reads")
        if source and dead_letter and dead_letter[0].scheme == "redrive" and source[0].scheme not in REDRIVEN:
            self._problem(
                (*field, "dead_letter"), f"{source[0].scheme}: has no policy for what fails: redrive: is for {', '.join(REDRIVEN)}"
            )
        self._pipe(field, pipeline, source[0].scheme if source else None)
        if source is None or len(self._problems) > before:
            return None
        return Route(
            name=name,
            workflow=pipeline.workflow,
            source=source[0],
            source_given=pipeline.source is not None,
            source_options=SourceOptions(
                name=name,
                drain_seconds=pipeline.drain,
                connection=source[1],
                checkpoint_beside=_path(sink) or _path(dead_letter),
                in_flight_records=pipeline.in_flight.records,
                redrive=dead_letter is not None and dead_letter[0].scheme == "redrive",
            ),
            sink=sink[0] if sink else None,
            sink_options=self._sink_options(name, sink, False),
            dead_letter=dead_letter[0] if dead_letter else None,
            dead_letter_options=self._sink_options(name, dead_letter, True),
            dead_letter_limit=pipeline.dead_letter_limit,
            memory=None if pipeline.dedup is None else self._address((*field, "dedup", "store"), MEMORIES, "store", pipeline.dedup.store),
            pipe=Pipe(filter=pipeline.filter, dedup=pipeline.dedup, batch=pipeline.batch, retry=pipeline.retry),
            order=pipeline.order,
            in_flight=pipeline.in_flight,
            commit_every=pipeline.commit_every,
            drain=pipeline.drain,
        )

    def _own_queue(self, field: Field, name: str) -> str | None:
        """The source of a pipeline that names none."""
        if not _FILE_NAME.fullmatch(name):
            self._problem((*field, "source"), f"expected an address: a queue of its own cannot be called {name!r}")
            return None
        return f"queue:{name}.db"

    def _pipe(self, field: Field, pipeline: Pipeline, kind: str | None) -> None:
        """What stands around the workflow."""
        if pipeline.retry is not None:
            for part, sentence in reruns.problems(pipeline.retry):
                self._problem((*field, "retry", part), sentence)
        if pipeline.dedup is not None:
            for part, sentence in dedup.problems(pipeline.dedup):
                self._problem((*field, "dedup", part), sentence)
            self._address((*field, "dedup", "store"), MEMORIES, "store", pipeline.dedup.store)
        if pipeline.batch is not None:
            for part, sentence in batches.problems(pipeline.batch, pipeline.in_flight.records, self._settings.limits.payload):
                self._problem((*field, "batch", part), sentence)
        if pipeline.filter is not None and kind is not None:
            for place, sentence in filtering.problems(pipeline.filter, kind):
                where = self._configuration.where((*field, "filter"))
                self._problems.append(f"{where}{place}: {sentence}")

    def _dead_letter_limit(self, field: Field, pipeline: Pipeline) -> None:
        limit = pipeline.dead_letter_limit
        if limit is None:
            return
        if pipeline.dead_letter is None:
            self._problem(field, "there is no dead_letter: the first failure stops the pipeline anyway")
        if limit.consecutive is None and limit.ratio is None:
            self._problem(field, "expected consecutive (dead letters in a row), ratio (0 to 1), or both")
        if limit.consecutive is not None and limit.consecutive < 1:
            self._problem((*field, "consecutive"), "expected at least 1")
        if limit.ratio is not None and not 0 <= limit.ratio < 1:
            self._problem((*field, "ratio"), "expected a number from 0 to below 1, such as 0.5")
        if not 1 <= limit.window <= LARGEST_WINDOW:
            self._problem((*field, "window"), f"expected 1 to {LARGEST_WINDOW:,} executions")

    def _name(self, number: int, pipeline: Pipeline) -> str:
        """The pipeline's name: its own, or its workflow's, numbered when several have the same."""
        if pipeline.name is not None:
            if any(other.name == pipeline.name for other in self._settings.pipelines[:number]):
                self._problem(("pipelines", number, "name"), f"there is another pipeline of the name {pipeline.name!r}")
            return pipeline.name
        earlier = sum(other.name is None and other.workflow == pipeline.workflow for other in self._settings.pipelines[:number])
        return pipeline.workflow if not earlier else f"{pipeline.workflow}-{earlier + 1}"

    def _sink_options(self, name: str, found: tuple[Address, AnyConnection | None] | None, for_dead_letters: bool) -> SinkOptions:
        return SinkOptions(
            name=name,
            connection=found[1] if found else None,
            for_dead_letters=for_dead_letters,
            max_bytes=self._settings.limits.payload,
        )

    def _address(self, field: Field, table: dict[str, str], what: str, text: str | None) -> tuple[Address, AnyConnection | None] | None:
        """An address with its connection, both resolved, or None when there is none or after a problem."""
        if text is None:
            return None
        try:
            address = addresses.parse(text)
            registry.known(table, what, address)
        except ConfigurationError as error:
            for problem in error.problems:
                self._problem(field, problem)
            return None
        if (checkpoint := address.options.get("checkpoint")) and not checkpoint.startswith("dynamodb:"):
            anchored = {**address.options, "checkpoint": str(self._configuration.directory / checkpoint)}
            address = msgspec.structs.replace(address, options=anchored)
        if address.scheme in ("file", "queue", "sqlite") and not address.servers:
            path = str(self._configuration.directory / address.name)
            return msgspec.structs.replace(address, name=path), None
        options = dict(address.options)
        named = options.pop("connection", None)
        if named is None and len(address.servers) == 1 and address.servers[0] in self._settings.connections:
            named = address.servers[0]
        if named is None:
            return address, None
        if named not in self._settings.connections:
            self._problem(field, f"there is no connection {named!r} in the configuration")
            return None
        connection = self._settings.connections[named].only
        if connection is None:
            return None  # said already
        if (wanted := CONNECTED_BY.get(address.scheme)) is not type(connection):
            kind = f"a connection of {connections.kind(wanted)}" if wanted else "no connection"
            self._problem(field, f"{address.scheme}: needs {kind}, {named!r} is one of {connections.kind(type(connection))}")
            return None
        connection = connections.anchored(connection, self._configuration.directory)
        # What stands for servers may say none (AWS, HTTP): then those count that stand beside ?connection=
        servers = connection.servers or tuple(server for server in address.servers if server != named)
        return msgspec.structs.replace(address, servers=servers, options=options), connection

    def _shared_files(self, routes: list[Route]) -> None:
        """Two sinks that append to one file would tear each other's lines."""
        seen: dict[str, str] = {}
        for route in routes:
            for role, address in (("sink", route.sink), ("dead letters", route.dead_letter)):
                if address is None or address.scheme != "file":
                    continue
                path = str(Path(address.name).resolve())
                user = f"the {role} of pipeline {route.name}"
                if path in seen:
                    self._problem(("pipelines",), f"{seen[path]} and {user} would both write {address.name}")
                seen[path] = user


def _same(one: Address, other: Address) -> bool:
    """Whether two addresses name one place (for Kafka: one topic of clusters with a server in common)."""
    if one.scheme != other.scheme or one.scheme == "memory":
        return False
    if one.scheme in ("file", "queue"):
        return Path(one.name).resolve() == Path(other.name).resolve()
    return one.name == other.name and bool(set(one.servers) & set(other.servers))


def _path(found: tuple[Address, AnyConnection | None] | None) -> str | None:
    return found[0].name if found and found[0].scheme == "file" else None
