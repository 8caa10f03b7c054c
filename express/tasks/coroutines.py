"""``async def`` functions: run in asyncio Tasks that the engine owns and uses again."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from express.runtime.interrupts import is_ctrl_c
from express.runtime.suspensions import Call
from express.tasks.function import Function
from express.tasks.invocation import Context, Ended, context_for
from express.tasks.outcome import mark

KEPT = 4_000  # idle workers at most; a burst may need more for a while
PATIENCE = 1.0  # seconds that closing waits for functions to end after they were cancelled


class Coroutines:
    """One async function."""

    def __init__(self, function: Function[Any]) -> None:
        self._function = function

    def start(self, call: Call, payload: Any, arn: str, ended: Ended | None = None) -> None:
        function = self._function
        context = (
            context_for(function.name, arn, call.execution, call.state, call.attempt, call.deadline) if function.takes_context else None
        )
        workers: Workers = call.host.service(Workers)  # type: ignore[attr-defined]
        workers.run(Job(call, function.wrapped, payload, context, ended))

    def cancel(self, call: Call) -> None:
        if call.job is not None:
            call.job.cancel()

    def saturated(self) -> bool:
        return False


class Job:
    """A call on its way through a worker: ``function(payload)``, or with what is in ``context`` as its second argument. ``call`` is None
    once nobody waits for it any more."""

    __slots__ = ("call", "context", "ended", "function", "payload", "worker")

    def __init__(self, call: Call, function: Any, payload: Any, context: Context | Call | None, ended: Ended | None) -> None:
        self.call: Call | None = call
        self.function, self.payload, self.context, self.ended = function, payload, context, ended
        self.worker: Worker | None = None
        call.job = self

    def cancel(self) -> None:
        """The workflow has gone on already. What the function does with its CancelledError holds nothing up."""
        self.call = None
        if self.worker is not None:
            self.worker.retire()
        if self.ended is not None:
            self.ended()


class Workers:
    """As many Tasks as there were calls at a time, each used again and again: a Task per event would cost more than the rest of it."""

    def __init__(self, executor: Any) -> None:
        self.loop: asyncio.AbstractEventLoop = executor.loop
        self.idle: list[Worker] = []
        self.pristine = contextvars.copy_context()
        self.made = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._retired: set[asyncio.Task[None]] = set()

    @property
    def stuck(self) -> int:
        """Functions that were cancelled and have not ended."""
        return len(self._retired)

    def run(self, job: Job) -> None:
        while self.idle:
            worker = self.idle.pop()
            if worker.take(job):
                return
        self.made += 1
        worker = Worker(self, job)
        # A context of its own: the functions of one worker do not see what those of another have set
        worker.task = task = self.loop.create_task(worker.work(), name=f"express-worker-{self.made}", context=self.pristine.copy())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def retire(self, worker: Worker) -> None:
        self._retired.add(worker.task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._retired.discard(task)
        if not task.cancelled():
            task.exception()  # a KeyboardInterrupt has already gone through the loop

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if not tasks:
            return
        _, stubborn = await asyncio.wait(tasks, timeout=PATIENCE)
        for task in stubborn:
            # A function that swallows its cancellation: nobody waits for it, and asyncio.run() shall not either
            asyncio.tasks._unregister_task(task)
            task._log_destroy_pending = False  # type: ignore[attr-defined]


class Worker:
    """One Task. It goes on only as clean as it was made: after a call that changed its context variables, left a cancellation behind or
    was given up, another takes its place."""

    def __init__(self, pool: Workers, job: Job) -> None:
        self.pool = pool
        self.job: Job | None = job
        self.task: asyncio.Task[None]
        self.bell: asyncio.Future[None] | None = None
        job.worker = self

    def take(self, job: Job) -> bool:
        """Wakes an idle worker for ``job``; False if it is gone."""
        bell = self.bell
        if bell is None or bell.done() or self.task.cancelling():
            return False
        self.job = job
        job.worker = self
        bell.set_result(None)
        return True

    def retire(self) -> None:
        self.pool.retire(self)
        self.task.cancel()

    async def work(self) -> None:
        pool, task = self.pool, self.task
        while True:
            job, self.job = self.job, None
            assert job is not None
            await self._do(job)
            if job.call is None:
                return  # given up while it ran
            job.call = job.worker = None
            del job
            if len(pool.idle) >= KEPT or task.cancelling() or not _same(contextvars.copy_context(), pool.pristine):
                return
            self.bell = bell = pool.loop.create_future()
            pool.idle.append(self)
            try:
                await bell
            except asyncio.CancelledError:
                self.bell = None
                if self in pool.idle:
                    pool.idle.remove(self)
                # Somebody kept this Task and cancelled it after his own call: the next call, if it has just been handed over, must not pay
                if self.job is not None and self.job.call is not None and self.job.call.fiber is not None:
                    pool.run(self.job)
                return

    async def _do(self, job: Job) -> None:
        call = job.call
        if call is None:
            return
        try:
            result = await (job.function(job.payload) if job.context is None else job.function(job.payload, job.context))
        except BaseException as error:
            if is_ctrl_c(error):
                raise
            if isinstance(error, GeneratorExit) and not self._steps():
                raise  # the loop is gone
            if job.call is not None:
                if isinstance(job.context, Context):
                    mark(error, job.context.aws_request_id)
                call.fail(error)
        else:
            if job.call is not None:
                call.finish(result)
        if job.call is not None and job.ended is not None:
            job.ended()

    def _steps(self) -> bool:
        """Whether the loop runs this worker right now."""
        try:
            return asyncio.current_task() is self.task
        except RuntimeError:
            return False


def _same(one: contextvars.Context, other: contextvars.Context) -> bool:
    try:
        return one == other
    except Exception:  # values that cannot be compared
        return False
