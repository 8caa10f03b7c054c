"""The clients of AWS's services that one executor uses: each made when first asked for, with its connections pooled, closed with it."""

from __future__ import annotations

import asyncio
from typing import Any

from express.options import AwsConnection
from express.runtime.limits import EXECUTION_SECONDS

HEADERS = "express-headers"  # where an answer's headers are kept as they came: botocore makes all of them small


class Clients:
    """By connection, service (botocore's name) and region."""

    stuck = 0

    def __init__(self, executor: Any) -> None:
        self._making: dict[tuple[int, str, str | None], asyncio.Task[Any]] = {}

    def __len__(self) -> int:
        return len(self._making)

    async def client(self, connection: AwsConnection, service: str, region: str | None = None) -> Any:
        key = id(connection), service, region
        task = self._making.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._making[key] = asyncio.create_task(_made(connection, service, region), name=f"express-{service}")
        # Shielded: another call may wait for the same
        return await asyncio.shield(task)

    async def close(self) -> None:
        from express import aws

        for task in self._making.values():
            if not task.done():
                task.cancel()
        for made in await asyncio.gather(*self._making.values(), return_exceptions=True):
            if not isinstance(made, BaseException):
                await aws.close(made)
        self._making.clear()


async def _made(connection: AwsConnection, service: str, region: str | None) -> Any:
    from express import aws

    client = await aws.client_of(connection, service, region, aws.task_settings(EXECUTION_SECONDS))
    client.meta.events.register("before-parse", _keep_headers)
    return client


def _keep_headers(response_dict: Any, customized_response_dict: Any, **_: Any) -> None:
    customized_response_dict[HEADERS] = response_dict["headers"].received
