"""Dead letters in an embedded queue; a letter's id is its record's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection

from express.addresses import Address
from express.dlq.boxes import Box
from express.dlq.letters import Letter, letter
from express.errors import ConfigurationError
from express.options import Connection
from express.queue import Queue

PAGE = 500  # records read at once


def open_box(address: Address, connection: Connection | None) -> Box:
    """``queue:PATH``"""
    if address.options or address.servers or not address.name:
        raise ConfigurationError(f"{address}: expected queue:PATH, such as queue:dead.db")
    return QueueBox(address.name)


class QueueBox(Box):
    """Looks at records whether somebody has leased them or not."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._queue: Queue | None = None

    async def start(self) -> None:
        self._queue = await asyncio.to_thread(Queue, self._path, False)

    async def letters(self) -> AsyncIterator[Letter]:
        assert self._queue is not None
        after, last = 0, await asyncio.to_thread(self._queue.newest)
        while after < last:
            page = await asyncio.to_thread(self._queue.look, after, last, PAGE)
            if not page:
                return
            for number, outgoing in page:
                yield letter(str(number), outgoing.key, outgoing.value, outgoing.headers)
                after = number

    async def remove(self, ids: Collection[str]) -> None:
        assert self._queue is not None
        await asyncio.to_thread(self._queue.remove, [int(each) for each in ids])

    async def stop(self) -> None:
        if self._queue is not None:
            self._queue.close()
