"""``express serve``: the AWS-compatible endpoint, over a directory of its own and no pipeline."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from express.cli import endpoint, extensions, run
from express.cli.extensions import Extension

SHORT = "Serve the API of Step Functions."
EXAMPLES = """
\b
Examples:
  express serve --functions orders_functions.py
  aws --endpoint-url http://127.0.0.1:8083 stepfunctions list-state-machines
  express serve --api 0.0.0.0:8083 --credentials keys.ini --data /var/lib/express

\b
Everything is kept below --data: the state machines, the events that StartExecution has acknowledged (executions.db, a queue), and those
whose execution failed (failed.db: express dlq list queue:express-data/failed.db). Without --token-file or --credentials the endpoint
listens on this machine only. SDKs put "sync-" before the host's name for StartSyncExecution and TestState: switch that off with
AWS_DISABLE_HOST_PREFIX_INJECTION=true, or inject_host_prefix=False in a botocore Config.
"""

DATA = Path("express-data")


def command(
    api: endpoint.Listen = None,
    ops: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="The operations endpoint.  [default: 127.0.0.1:9464]")] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIRECTORY", help="Where everything is kept.  [default: express-data]")] = None,
    functions: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="A Python file of functions; may be repeated.")] = None,
    configuration: Annotated[
        Path | None, typer.Option("-c", "--config", metavar="FILE", help="api, connections, limits and workflows from express.yaml.")
    ] = None,
    token_file: endpoint.TokenFile = None,
    credentials: endpoint.Credentials = None,
    extension: Annotated[list[Extension] | None, typer.Option(help=extensions.HELP)] = None,
) -> int:
    """Serves state machines that are created over the API, with their functions, and runs their executions."""
    import msgspec

    from express.config import Configuration, Ops, Settings, load

    found = Configuration(settings=Settings(), directory=Path(), where=_flag) if configuration is None else load(configuration, os.environ)
    settings = found.settings
    kept = data if data is not None else None if settings.api is not None and settings.api.data is not None else DATA
    given = endpoint.settings(api, kept, functions or [], token_file, credentials, settings.api)
    switched_on = tuple(dict.fromkeys([*settings.extensions, *(each.value for each in extension or [])]))
    settings = msgspec.structs.replace(settings, api=given, pipelines=(), extensions=switched_on)
    if ops is not None:
        settings = msgspec.structs.replace(settings, ops=Ops(listen=ops))
    return run.go(msgspec.structs.replace(found, settings=settings))


def _flag(field: tuple[str | int, ...]) -> str:
    """The flag that a field was given by."""
    if field[:1] == ("ops",):
        return "--ops"
    return {"functions": "--functions", "token": "--token-file", "keys": "--credentials"}.get(str(field[1]), "--api")
