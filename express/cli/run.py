"""``express run``: flags or a configuration in, pipelines running until they end, fail or are told to stop."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from express.cli import endpoint, extensions, substitutions
from express.cli.exits import Exit, duration, usage
from express.cli.extensions import Extension

if TYPE_CHECKING:
    from express.config import Configuration
    from express.documents import Field
    from express.worker import Worker

SHORT = "Run workflows over events."
EXAMPLES = """
\b
Examples:
  express run orders.asl.json --functions orders_functions.py --source file:orders.jsonl --sink file:done.jsonl
  express run orders.asl.json --source kafka://localhost:9092/orders?group=orders \\
      --sink kafka://localhost:9092/orders.done --dead-letter kafka://localhost:9092/orders.dead
  express run -c express.yaml --ops 0.0.0.0:9464
  express run orders.asl.json --sink file:done.jsonl       # events from the embedded queue orders.db: express queue send orders.db

\b
Addresses:
  sources  kafka://HOST:PORT,.../TOPIC?group=NAME&start=earliest|latest|none&session=30s, file:PATH, stdin:
           (to their end; on and on with ?follow=true or --follow),
           sqs://REGION/QUEUE?visibility=30s, redis://HOST:PORT/STREAM?group=NAME&visibility=30s,
           kinesis://REGION/STREAM?group=NAME&checkpoint=PATH|dynamodb:TABLE&start=earliest|latest|none&lease=30s,
           queue:PATH?visibility=30s (an embedded queue, filled with express queue send; without --source the one of the workflow's name)
  sinks    kafka://HOST:PORT,.../TOPIC, file:PATH, queue:PATH, sqs://REGION/QUEUE, redis://HOST:PORT/STREAM,
           https://HOST/PATH (a webhook), redrive: (a dead letter of SQS: left to the queue's own policy), drop: (loss on purpose)

A record is committed when its execution has ended and its result, or its dead letter, was acknowledged. Without --dead-letter the first
failure stops the pipeline, with exit code 1. SIGTERM and Ctrl-C drain; a second one leaves at once.
"""

_workers: list[Worker] = []


class Order(StrEnum):
    """As in the configuration."""

    UNORDERED = "unordered"
    KEY = "key"
    PARTITION = "partition"


def command(
    definition: Annotated[Path | None, typer.Argument(metavar="DEFINITION", help="A file in JSON or YAML.")] = None,
    source: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Where events come from.  [default: queue:NAME.db]")] = None,
    sink: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Where outputs go.  [default: nowhere]")] = None,
    dead_letter: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Where failed records go.  [default: nowhere]")] = None,
    functions: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="A Python file of functions; may be repeated.")] = None,
    configuration: Annotated[Path | None, typer.Option("-c", "--config", metavar="FILE", help="Everything from express.yaml.")] = None,
    ops: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="The operations endpoint.  [default: 127.0.0.1:9464]")] = None,
    api: endpoint.Listen = None,
    data: Annotated[Path | None, typer.Option(metavar="DIRECTORY", help="Where the API keeps things.  [default: nowhere]")] = None,
    token_file: endpoint.TokenFile = None,
    credentials: endpoint.Credentials = None,
    drain: Annotated[Any, typer.Option(metavar="TIME", parser=duration, help="How long a stop may take.  [default: 20s]")] = None,
    in_flight: Annotated[int | None, typer.Option(metavar="N", min=1, help="Records in flight.  [default: 500]")] = None,
    commit_every: Annotated[Any, typer.Option(metavar="TIME", parser=duration, help="Between commits.  [default: 200ms]")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on at the end of a file, over rotations, as tail -F.")] = False,
    order: Annotated[Order | None, typer.Option(help="One at a time of each key or partition.  [default: unordered]")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The workflow's name.  [default: the file's]")] = None,
    substitute: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help=substitutions.HELP)] = None,
    extension: Annotated[list[Extension] | None, typer.Option(help=extensions.HELP)] = None,
) -> int:
    """Runs workflows over events: from one definition and flags, or several pipelines from a configuration."""
    flags = {
        "DEFINITION": definition, "--source": source, "--sink": sink, "--dead-letter": dead_letter, "--functions": functions,
        "--drain": drain, "--in-flight": in_flight, "--commit-every": commit_every, "--order": order, "--name": name,
        "--substitute": substitute, "--extension": extension, "--follow": follow,
    }  # fmt: skip
    given = [flag for flag, value in flags.items() if value]
    asked = {"--data": data, "--token-file": token_file, "--credentials": credentials}
    if configuration is None and api is None and (without := [flag for flag, value in asked.items() if value is not None]):
        raise usage(f"{', '.join(without)}: expected --api HOST:PORT beside it")
    if configuration is not None:
        if given:
            raise usage(f"{', '.join(given)} cannot be given beside -c: the configuration says it")
        return go(_with_api(_from_file(configuration, ops), api, data, token_file, credentials))
    if definition is None:
        raise usage("expected a DEFINITION, or -c FILE")
    if follow:
        source = _followed(source)
    pipeline = {"sink": sink, "dead_letter": dead_letter, "drain": drain, "commit_every": commit_every, "order": order and order.value}
    values = substitutions.parsed(substitute)
    made = _from_flags(definition, source, functions or [], values, pipeline, in_flight, name, ops, extension or [])
    return go(_with_api(made, api, data, token_file, credentials))


def _with_api(
    configuration: Configuration, listen: str | None, data: Path | None, token: Path | None, credentials: Path | None
) -> Configuration:
    import msgspec

    if all(flag is None for flag in (listen, data, token, credentials)):
        return configuration
    api = endpoint.settings(listen, data, (), token, credentials, configuration.settings.api)
    return msgspec.structs.replace(configuration, settings=msgspec.structs.replace(configuration.settings, api=api))


def _followed(source: str | None) -> str:
    """The address with ``follow=true``."""
    if source is None or not source.startswith(("file:", "stdin:")):
        raise usage("--follow is for file: and stdin: sources: the others go on anyway")
    if "follow=" in source.partition("?")[2]:
        return source
    return f"{source}{'&' if '?' in source else '?'}follow=true"


def _from_file(path: Path, ops: str | None) -> Configuration:
    import msgspec

    from express.config import Ops, load

    configuration = load(path, os.environ)
    if ops is None:
        return configuration
    settings = msgspec.structs.replace(configuration.settings, ops=Ops(listen=ops))
    return msgspec.structs.replace(configuration, settings=settings)


def _from_flags(
    definition: Path,
    source: str | None,
    functions: list[Path],
    values: dict[str, str],
    pipeline: dict[str, Any],
    in_flight: int | None,
    name: str | None,
    ops: str | None,
    switched_on: list[Extension],
) -> Configuration:
    from express.config import Configuration, InFlight, Ops, Pipeline, Settings, Workflow
    from express.loading import name_of

    workflow = name or name_of(definition)
    given = {field: value for field, value in pipeline.items() if value is not None}
    if in_flight is not None:
        given["in_flight"] = InFlight(records=in_flight)
    settings = Settings(
        workflows={workflow: Workflow(definition=str(definition), functions=tuple(map(str, functions)), substitutions=values)},
        pipelines=(Pipeline(source=source, workflow=workflow, **given),),
        ops=Ops(listen=ops),
        extensions=tuple(each.value for each in switched_on),
    )
    return Configuration(settings=settings, directory=Path(), where=_flag)


def _flag(field: Field) -> str:
    """The flag that a field was given by."""
    if field[:1] == ("pipelines",) and len(field) > 2:
        return "--" + str(field[2]).replace("_", "-")
    if field[:1] == ("workflows",):
        return "--functions" if "functions" in field else "DEFINITION"
    if field[:1] == ("api",):
        return {"token": "--token-file", "keys": "--credentials"}.get(str(field[1]), "--api")
    return {"ops": "--ops"}.get(str(field[0]), str(field[0]))


def go(configuration: Configuration) -> int:
    """Runs a configuration until it ends or a signal drained it, and sums up."""
    from express.observers import logs
    from express.progress import report, summarize
    from express.worker import Worker, work

    settings = configuration.settings
    logs.setup(settings.log.format, settings.log.level)
    worker = Worker(configuration)
    _workers.append(worker)
    ended = False
    try:
        work(worker)
        ended = True
    finally:
        # What could not even connect has nothing to sum up.
        if ended or any(part.metrics.source_records for part in worker.parts):
            if settings.log.format == "json":
                report(worker.endings(), worker.seconds)
            else:
                summarize(worker.endings(), worker.seconds, _next_steps(worker))
    return Exit.OK


def _next_steps(worker: Worker) -> list[str]:
    """What somebody would want to look at now."""
    files = [
        part.route.dead_letter.text.removeprefix("file:")
        for part in worker.parts
        if part.metrics.dead_letters and part.route.dead_letter is not None and part.route.dead_letter.scheme == "file"
    ]
    return [f"why the first of them failed: head -n 1 {file}" for file in files]


def stuck() -> bool:
    """Whether calls of functions still run that nothing can end."""
    return any(worker.stuck() for worker in _workers)
