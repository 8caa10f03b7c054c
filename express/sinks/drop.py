"""Loss on purpose: every entry is acknowledged as soon as it arrives, and is gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from express.addresses import Address
from express.errors import ConfigurationError
from express.options import SinkOptions
from express.sinks import Acknowledged, Entry, Rejected, Sink


def open_sink(address: Address, options: SinkOptions) -> Drop:
    if address.name or address.servers or address.options:
        raise ConfigurationError(f"{address}: drop: takes neither a name nor options")
    return Drop()


class Drop(Sink):
    """Keeps nothing."""

    async def start(self, acknowledged: Acknowledged, rejected: Rejected, failed: Callable[[Exception], None]) -> None:
        self._acknowledged = acknowledged

    def put(self, entries: Sequence[Entry]) -> None:
        self._acknowledged(entries)

    async def flush(self) -> None:
        pass

    async def stop(self) -> None:
        pass
