"""``run="thread"``: functions that may block, in a bounded pool of threads."""

from __future__ import annotations

import contextvars
import threading
from queue import SimpleQueue
from typing import Any

from express.runtime.suspensions import Call
from express.tasks.function import Function
from express.tasks.invocation import Context, Ended, context_for, invoke


class Threaded:
    """One function that runs in threads."""

    def __init__(self, function: Function[Any]) -> None:
        self._function = function
        self._pool: Threads | None = None

    def start(self, call: Call, payload: Any, arn: str, ended: Ended | None = None) -> None:
        function = self._function
        context = (
            context_for(function.name, arn, call.execution, call.state, call.attempt, call.deadline) if function.takes_context else None
        )
        self._pool = pool = call.host.service(Threads)  # type: ignore[attr-defined]
        pool.run(Job(call, pool, function.wrapped, payload, context, ended))

    def cancel(self, call: Call) -> None:
        if call.job is not None:
            call.job.cancel()

    def saturated(self) -> bool:
        return self._pool is not None and self._pool.full


class Job:
    """A call on its way through a thread. ``call`` is None once nobody waits for it any more."""

    __slots__ = ("call", "context", "ended", "failure", "function", "payload", "pool", "result", "running")

    def __init__(self, call: Call, pool: Threads, function: Any, payload: Any, context: Context | None, ended: Ended | None) -> None:
        self.call: Call | None = call
        self.pool = pool
        self.function, self.payload, self.context, self.ended = function, payload, context, ended
        self.running = False
        self.result: Any = None
        self.failure: BaseException | None = None
        call.job = self

    def cancel(self) -> None:
        self.pool.abandon(self)


class Threads:
    """At most ``executor.threads`` threads, started as they are needed. A function past its time keeps its thread until it returns: it
    counts as ``stuck``. They are daemons: none keeps the process from ending."""

    def __init__(self, executor: Any) -> None:
        self.size: int = executor.threads
        self.active = 0  # calls that have a thread or wait for one
        self._executor = executor
        self._abandoned: set[Job] = set()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._started = 0

    @property
    def stuck(self) -> int:
        """Threads whose function is past its time."""
        return sum(job.running for job in self._abandoned)

    @property
    def full(self) -> bool:
        return self.active >= self.size

    def run(self, job: Job) -> None:
        self.active += 1
        self._executor.outside(1)
        if self._started < min(self.size, self.active):
            self._started += 1
            threading.Thread(target=_work, args=(self._queue, self), name=f"express-thread-{self._started}", daemon=True).start()
        self._queue.put(job)

    def abandon(self, job: Job) -> None:
        """The workflow has gone on already."""
        job.call = None
        self._abandoned.add(job)
        self._executor.outside(-1)

    def returned(self, job: Job) -> None:
        """Called on the event loop when a thread is done with ``job``."""
        self.active -= 1
        call, job.call = job.call, None
        if call is None:
            self._abandoned.discard(job)
        else:
            self._executor.outside(-1)
            if job.failure is not None:
                call.fail(job.failure)
            else:
                call.finish(job.result)
        job.result = job.failure = None
        if job.ended is not None:
            job.ended()

    async def close(self) -> None:
        for _ in range(self._started):
            self._queue.put(None)


def _work(queue: SimpleQueue[Job | None], pool: Threads) -> None:
    """What a thread does."""
    while (job := queue.get()) is not None:
        call = job.call
        if call is not None:
            job.running = True
            binding, execution = call.binding, call.execution
            try:
                # Context variables that a function sets are gone with its call
                job.result = contextvars.Context().run(invoke, job.function, job.payload, job.context)
            except BaseException as error:
                job.failure = binding.failure(error, execution)
            del binding, execution
        job.payload = call = None
        pool._executor.post(lambda job=job: pool.returned(job))
        del job
