"""Clients that Tasks need, made before the first event needs one: making one of AWS's holds the event loop up, for half a second at worst;
producers and pools connect."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from typing import Any

from express.options import AwsConnection
from express.tasks.aws_clients import Clients
from express.tasks.aws_sdk import Operation
from express.tasks.own import Own
from express.tasks.remote import LambdaFunction
from express.tasks.waiting import Waiting

PATIENCE = 5.0  # seconds for credentials to be found; who begins before that waits at the first call

log = logging.getLogger("express")

Client = tuple[AwsConnection, str, str | None]  # botocore's name of the service, and a region where it is not the connection's


async def warm(executor: Any, bindings: Iterable[Any]) -> None:
    """Makes every client that ``bindings`` are sure to ask for. One that cannot be made is said here, and fails the Tasks that call it."""
    # By the connection's identity, as Clients keeps them
    bindings = [binding.binding if isinstance(binding, Waiting) else binding for binding in bindings]
    wanted = {(id(each[0]), *each[1:]): each for binding in bindings for each in _clients(binding)}
    making: dict[asyncio.Future[Any], tuple[str, Any]] = {}
    if wanted:
        clients: Clients = executor.service(Clients)
        for connection, service, region in wanted.values():
            making[asyncio.ensure_future(clients.client(connection, service, region))] = service, connection
    for each in {(binding.opened, binding.connection): binding for binding in bindings if isinstance(binding, Own)}.values():
        making[asyncio.ensure_future(each.warm(executor))] = each.label, each.connection
    if not making:
        return
    done, _ = await asyncio.wait(making, timeout=PATIENCE)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("no client for %s of %r can be made: %s", *making[task], " ".join(str(error).split()))


def _clients(binding: Any) -> Iterator[Client]:
    if isinstance(binding, Operation):
        yield binding.client
    elif isinstance(function := getattr(binding, "function", None), LambdaFunction):
        yield function.connection, "lambda", None
