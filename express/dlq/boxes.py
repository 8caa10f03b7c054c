"""Where dead letters lie: the contract, and the address of a box to the box."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection
from importlib import import_module
from typing import cast

from express.addresses import Address
from express.dlq.letters import Letter
from express.errors import ConfigurationError
from express.options import Connection

BOXES = {
    "file": "express.dlq.file:open_box",
    "kafka": "express.dlq.kafka:open_box",
    "queue": "express.dlq.queue:open_box",
    "redis": "express.dlq.redis:open_box",
    "sqs": "express.dlq.sqs:open_box",
}


class Box(ABC):
    """Reads without taking: whoever looks changes nothing that lasts. ``start`` once, then the rest in any order, ``stop`` once."""

    @abstractmethod
    async def start(self) -> None:
        """Connects. Raises ConnectionFailed with one sentence, and leaves nothing open then."""

    @abstractmethod
    def letters(self) -> AsyncIterator[Letter]:
        """All that lie there now, oldest first; those that come meanwhile are left for the next look."""

    async def removable(self, ids: Collection[str]) -> None:  # noqa: B027 - most places remove anything
        """Asked before anything is sent that is to be removed then: ConfigurationError, as ``remove`` would raise."""

    @abstractmethod
    async def remove(self, ids: Collection[str]) -> None:
        """Removes these for good; those that are gone already are no error. ConfigurationError with one sentence, and nothing removed,
        where the place cannot remove just these."""

    @abstractmethod
    async def stop(self) -> None:
        """Closes, bounded in time. Never raises."""


def open_box(address: Address, connection: Connection | None) -> Box:
    """The box of an address, not connected; ConfigurationError when there is none of this kind."""
    entry = BOXES.get(address.scheme)
    if entry is None:
        expected = ", ".join(f"{scheme}:" for scheme in BOXES)
        raise ConfigurationError(f"{address}: dead letters cannot be read from {address.scheme}:, expected one of {expected}")
    module, _, name = entry.partition(":")
    return cast(Box, getattr(import_module(module), name)(address, connection))
