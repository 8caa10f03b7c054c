"""Events of StartExecution into a sink, each waited for: when ``submit`` returns it is durable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec

from express.errors import ConnectionFailed, RequestError
from express.sinks import Entry, Sink
from express.sources import Assignment

PATIENCE = 30.0  # seconds for a disk or a broker; an SDK gives up after a minute


class Submission(msgspec.Struct, eq=False, kw_only=True):
    """The record that is written, and who waits for it."""

    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    durable: asyncio.Future[None]
    topic: str = ""
    partition: int = 0
    offset: int = 0
    key: bytes | None = None
    timestamp: int = 0


class _Nothing:
    """Nobody takes back what was submitted."""

    full = False

    def deliver(self, offsets: Sequence[int]) -> Sequence[int]:
        return ()


class Outbox:
    """One sink for everything that is submitted to one place: what comes together is written together. ``broken`` is told why nothing
    will ever be written there again."""

    def __init__(self, sink: Sink, name: str, broken: Callable[[Exception], None]) -> None:
        self.name = name
        self._sink, self._broken = sink, broken
        self._place = Assignment(name, 0, _Nothing())  # type: ignore[arg-type]
        self._waiting: set[Submission] = set()
        self._gone: Exception | None = None

    async def start(self) -> None:
        """ConnectionFailed with one sentence."""
        await self._sink.start(self._acknowledged, self._rejected, self._sink_failed)

    async def stop(self) -> None:
        """What is not durable by now is answered as that."""
        await self._sink.stop()
        self._failed(ConnectionFailed(f"{self.name}: stopped"))

    def ready(self) -> bool:
        return self._gone is None and self._sink.ready()

    async def submit(self, value: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        """Returns when it is durable. RequestError: never written (ValidationException), or not known to be (ServiceUnavailable, which an
        SDK tries again: then there may be two)."""
        if self._gone is not None:
            raise _unavailable(str(self._gone))
        durable = asyncio.get_running_loop().create_future()
        submission = Submission(value=value, headers=headers, durable=durable, timestamp=int(time.time() * 1000))
        self._waiting.add(submission)
        self._sink.put([Entry(self._place, submission, value, headers)])
        try:
            await asyncio.wait_for(durable, PATIENCE)
        except TimeoutError:
            raise _unavailable(f"{self.name} did not take the event within {PATIENCE:.0f} s; it may still be executed") from None
        finally:
            self._waiting.discard(submission)

    def _acknowledged(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            message = entry.message
            if isinstance(message, Submission) and not message.durable.done():
                message.durable.set_result(None)

    def _rejected(self, entry: Entry, reason: str) -> None:
        message = entry.message
        if isinstance(message, Submission) and not message.durable.done():
            message.durable.set_exception(RequestError("ValidationException", f"{self.name} refuses the event: {reason}"))

    def _sink_failed(self, error: Exception) -> None:
        self._failed(error)
        self._broken(error)

    def _failed(self, error: Exception) -> None:
        self._gone = error
        for submission in self._waiting:
            if not submission.durable.done():
                submission.durable.set_exception(_unavailable(str(error)))


def _unavailable(sentence: str) -> RequestError:
    return RequestError("ServiceUnavailable", sentence)
