"""Dead letters back to their source: what failed is not acknowledged but given back, and the source's own policy decides about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from consumers.leasing import Leases
from express.addresses import Address
from express.errors import ConfigurationError
from express.options import SinkOptions
from express.sinks import Acknowledged, Entry, Rejected, Sink


def open_sink(address: Address, options: SinkOptions) -> Redrive:
    """``redrive:``, as a dead letter of a source with a policy of its own (SQS)."""
    problems = []
    if address.name or address.servers or address.options:
        problems.append(f"{address}: redrive: takes neither a name nor options")
    if not options.for_dead_letters:
        problems.append(f"{address}: redrive: is a place for dead letters: results have to go somewhere else")
    if problems:
        raise ConfigurationError(*problems)
    return Redrive()


class Redrive(Sink):
    """Refuses the leases of its entries; that is all there is to acknowledge."""

    async def start(self, acknowledged: Acknowledged, rejected: Rejected, failed: Callable[[Exception], None]) -> None:
        self._acknowledged, self._rejected = acknowledged, rejected

    def put(self, entries: Sequence[Entry]) -> None:
        given_back = []
        for entry in entries:
            tracker = entry.assignment.tracker
            if isinstance(tracker, Leases):
                tracker.refuse([entry.message.offset])
                given_back.append(entry)
            else:
                self._rejected(entry, "redrive: its source takes nothing back")
        if given_back:
            self._acknowledged(given_back)

    async def flush(self) -> None:
        pass

    async def stop(self) -> None:
        pass
