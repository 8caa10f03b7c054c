"""``functions:`` of a configuration: names or ARNs to Python functions, functions behind an HTTP address, and functions of AWS Lambda."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from express.errors import ConfigurationError
from express.loading import functions_of
from express.options import AwsConnection, Connection, FunctionSettings
from express.tasks.function import Function
from express.tasks.remote import HttpFunction, LambdaFunction


def provided(
    files: Iterable[Path], settings: Mapping[str, FunctionSettings], directory: Path, connections: Mapping[str, Connection]
) -> dict[str, Function[Any]]:
    """The functions of files, and those that a configuration names: where both have a name, the configuration's. ConfigurationError with
    everything that cannot be used."""
    problems: list[str] = []
    cause: ConfigurationError | None = None
    found: dict[str, Function[Any]] = {}
    try:
        found = functions_of(files)
    except ConfigurationError as error:
        problems += error.problems
        cause = error
    for name, each in settings.items():
        try:
            found[name] = _function(name, each, directory, connections)
        except ConfigurationError as error:
            problems += error.problems
            cause = error
    if problems:
        raise ConfigurationError(*problems) from cause
    return found


def _function(name: str, settings: FunctionSettings, directory: Path, connections: Mapping[str, Connection]) -> Function[Any]:
    if settings.url is not None:
        return HttpFunction(name, settings.url, settings.timeout, settings.concurrency, settings.idempotent)
    if settings.aws is not None:
        connection = connections[settings.aws]
        assert isinstance(connection, AwsConnection), "the configuration's check lets no other kind through"
        return LambdaFunction(name, connection, settings.name, settings.concurrency, settings.idempotent)
    assert settings.python is not None, "the configuration's check lets nothing else through"
    file, _, wanted = settings.python.partition(":")
    there = functions_of([directory / file])
    wanted = wanted or settings.name or name
    if wanted not in there:
        raise ConfigurationError(f"functions.{name}: {directory / file} has no function {wanted!r} (there are: {', '.join(sorted(there))})")
    function = there[wanted]
    return Function(
        function.wrapped,
        name,
        None if function.run == "async" else function.run,
        settings.concurrency or function.concurrency,
        function.idempotent if settings.idempotent is None else settings.idempotent,
    )
