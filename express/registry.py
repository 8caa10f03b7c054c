"""A scheme in, the function that opens its source or sink out. Named as strings: nothing is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

from express.addresses import Address
from express.errors import ConfigurationError
from express.options import SinkOptions, SourceOptions
from express.sinks import Sink
from express.sources import Source

SOURCES = {
    "kafka": "consumers.kafka:open_source",
    "file": "consumers.file:open_source",
    "stdin": "consumers.file:open_source",
    "queue": "consumers.queue:open_source",
    "redis": "consumers.redis:open_source",
    "sqs": "consumers.sqs:open_source",
    "kinesis": "consumers.kinesis:open_source",
    "memory": "consumers.memory:open_source",
}
SINKS = {
    "kafka": "express.sinks.kafka:open_sink",
    "file": "express.sinks.file:open_sink",
    "queue": "express.sinks.queue:open_sink",
    "redis": "express.sinks.redis:open_sink",
    "sqs": "express.sinks.sqs:open_sink",
    "http": "express.sinks.http:open_sink",
    "https": "express.sinks.http:open_sink",
    "redrive": "express.sinks.redrive:open_sink",
    "memory": "express.sinks.memory:open_sink",
    "drop": "express.sinks.drop:open_sink",
}
EXTRAS = {"redis": "redis", "sqs": "aws", "kinesis": "aws"}  # scheme -> the extra that installs its library
LATER = frozenset({"http", "https", "nats"})  # named by the design, not in this version

_resolved: dict[str, Callable[..., Any]] = {}


def open_source(address: Address, options: SourceOptions) -> Source:
    """The source of an address, checked but not connected; ConfigurationError with every problem."""
    return cast(Source, _find(SOURCES, "source", address)(address, options))


def open_sink(address: Address, options: SinkOptions) -> Sink:
    """The sink of an address, checked but not connected; ConfigurationError with every problem."""
    return cast(Sink, _find(SINKS, "sink", address)(address, options))


def known(table: dict[str, str], what: str, address: Address) -> str:
    """The entry of a scheme, or ConfigurationError: not in this version, or not at all."""
    entry = table.get(address.scheme)
    if entry is not None:
        return entry
    listed = ", ".join(f"{scheme}:" for scheme in table)
    if address.scheme in LATER:
        raise ConfigurationError(f"{address}: this version of Express has no {address.scheme}: {what}; it has {listed}")
    raise ConfigurationError(f"{address}: there is no {what} called {address.scheme}:, expected one of {listed}")


def _find(table: dict[str, str], what: str, address: Address) -> Callable[..., Any]:
    entry = known(table, what, address)
    if entry not in _resolved:
        module, _, name = entry.partition(":")
        try:
            _resolved[entry] = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            extra = EXTRAS.get(address.scheme)
            if extra is None or (error.name or "").partition(".")[0] in ("express", "consumers"):
                raise
            library = (error.name or "").partition(".")[0]
            install = f"pip install 'express-workflows[{extra}]'"
            raise ConfigurationError(f"{address}: {address.scheme}: needs {library}, which is not installed: {install}") from error
    return _resolved[entry]
