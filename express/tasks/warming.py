"""Clients of AWS's services made before the first event needs one: making one holds the event loop up, for half a second at worst."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from typing import Any

from express.options import AwsConnection
from express.tasks.aws_clients import Clients
from express.tasks.aws_sdk import Operation
from express.tasks.remote import LambdaFunction
from express.tasks.waiting import Waiting

PATIENCE = 5.0  # seconds for credentials to be found; who begins before that waits at the first call

log = logging.getLogger("express")

Client = tuple[AwsConnection, str, str | None]  # botocore's name of the service, and a region where it is not the connection's


async def warm(executor: Any, bindings: Iterable[Any]) -> None:
    """Makes every client that ``bindings`` are sure to ask for. One that cannot be made is said here, and fails the Tasks that call it."""
    # By the connection's identity, as Clients keeps them
    wanted = {(id(each[0]), *each[1:]): each for binding in bindings for each in _clients(binding)}
    if not wanted:
        return
    clients: Clients = executor.service(Clients)
    making = {asyncio.ensure_future(clients.client(*each)): each for each in wanted.values()}
    done, _ = await asyncio.wait(making, timeout=PATIENCE)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            connection, service, _ = making[task]
            log.warning("no client for %s of %r can be made: %s", service, connection, " ".join(str(error).split()))


def _clients(binding: Any) -> Iterator[Client]:
    if isinstance(binding, Waiting):
        binding = binding.binding
    if isinstance(binding, Operation):
        yield binding.client
    elif isinstance(function := getattr(binding, "function", None), LambdaFunction):
        yield function.connection, "lambda", None
