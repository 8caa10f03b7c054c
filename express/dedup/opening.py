"""A pipeline's setting in, its memory out, opened but not connected; ConfigurationError with every problem."""

from __future__ import annotations

from express.addresses import Address
from express.dedup import Dedup
from express.dedup.keys import keys_by
from express.dedup.sqlite import SqliteStore
from express.dedup.stores import Store
from express.dedup.window import Remembered
from express.errors import ConfigurationError
from express.options import Connection


def opened(dedup: Dedup, address: Address, connection: Connection | None, pipeline: str, workflow: str, payload: int) -> Remembered:
    problems: list[str] = []
    store: Store | None = None
    key_of = None
    try:
        key_of = keys_by(dedup.by, pipeline, workflow, payload)
    except ConfigurationError as error:
        problems += [f"dedup of pipeline {pipeline}: by: {problem}" for problem in error.problems]
    if address.scheme == "sqlite":
        if not address.name or address.options:
            problems.append(f"{address}: expected the path of a file, as in sqlite:dedup.db")
        store = SqliteStore(address.name)
    else:
        try:
            store = _redis(address, connection)
        except ConfigurationError as error:
            problems += error.problems
    if problems or key_of is None or store is None:
        raise ConfigurationError(*problems)
    return Remembered(dedup, key_of, store)


def _redis(address: Address, connection: Connection | None) -> Store:
    try:
        from express.dedup.redis import RedisStore
        from express.redis import endpoint
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{address}: redis: needs redis, which is not installed: pip install 'express-workflows[redis]'"
        ) from error
    found, problems = endpoint(address, connection, ())
    if problems:
        raise ConfigurationError(*problems)
    return RedisStore(found)
