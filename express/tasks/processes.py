"""``run="process"``: functions in processes of their own, killed when their time is over. JSON lines over pipes, no pickle."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import uuid
import weakref
from pathlib import Path
from typing import Any

import msgspec

from express.errors import ConfigurationError
from express.runtime.failures import StateError
from express.runtime.suspensions import Call
from express.runtime.values import dumps
from express.tasks.function import Function
from express.tasks.invocation import Context, Ended, context_for

LINGER = 1.0  # seconds that a child outlives the last executor that used it, so that calling run() again and again does not start it anew


class Processes:
    """One function that runs in processes, at most its ``concurrency``, or as many as there are cores."""

    def __init__(self, function: Function[Any]) -> None:
        self._function = function
        self._pool = _pool_of(function)

    def start(self, call: Call, payload: Any, arn: str, ended: Ended | None = None) -> None:
        function = self._function
        context = (
            context_for(function.name, arn, call.execution, call.state, call.attempt, call.deadline) if function.takes_context else None
        )
        executor: Any = call.host
        executor.service(Holder).hold(self._pool)
        self._pool.run(Job(call, executor, self._pool, context, _request(call, payload, context), ended))

    def cancel(self, call: Call) -> None:
        if call.job is not None:
            call.job.cancel()

    def saturated(self) -> bool:
        return self._pool.full


class Holder:
    """What one executor uses: these children stay until it is closed."""

    stuck = 0

    def __init__(self, executor: Any) -> None:
        self._pools: set[Pool] = set()

    def hold(self, pool: Pool) -> None:
        if pool not in self._pools:
            self._pools.add(pool)
            pool.hold(1)

    async def close(self) -> None:
        for pool in self._pools:
            pool.hold(-1)
        self._pools.clear()


class Job:
    """A call on its way through a process. ``call`` is None once nobody waits for it any more; ``child`` is where it runs."""

    __slots__ = ("call", "child", "context", "ended", "executor", "failure", "pool", "request", "result")

    def __init__(self, call: Call, executor: Any, pool: Pool, context: Context | None, request: bytes, ended: Ended | None) -> None:
        self.call: Call | None = call
        self.pool = pool
        self.executor, self.context, self.request, self.ended = executor, context, request, ended
        self.child: Child | None = None
        self.result: Any = None
        self.failure: StateError | None = None
        call.job = self

    def cancel(self) -> None:
        self.pool.abandon(self)


# --- The pool ---------------------------------------------------------------------------------------------------------------------

_pools: weakref.WeakKeyDictionary[Function[Any], Pool] = weakref.WeakKeyDictionary()


def _pool_of(function: Function[Any]) -> Pool:
    """The pool of a function: one, however many states and programs call it."""
    pool = _pools.get(function)
    if pool is None:
        pool = _pools[function] = Pool(function.name, place_of(function), function.concurrency or os.cpu_count() or 1)
    return pool


class Pool:
    """The children of one function. Each has a thread that writes to it and reads from it, and that it does not outlive."""

    def __init__(self, name: str, place: tuple[str, str], size: int) -> None:
        self.size = size
        self.active = 0  # calls that have a child or wait for one
        self._shared = Shared(name, place)

    @property
    def full(self) -> bool:
        return self.active >= self.size

    def run(self, job: Job) -> None:
        shared = self._shared
        with shared.lock:
            self.active += 1
            if shared.started < min(self.size, self.active):
                shared.started += 1
                child = Child(shared)
                # A daemon: it does not keep the interpreter from ending. The child does not outlive it: see process_worker
                threading.Thread(target=child.serve, args=(self,), name=f"express-process-{shared.name}", daemon=True).start()
        job.executor.outside(1)
        shared.queue.put(job)

    def abandon(self, job: Job) -> None:
        """The workflow has gone on already: its process is killed."""
        job.call = None
        job.executor.outside(-1)
        with self._shared.lock:
            if job.child is not None:
                job.child.kill()

    def returned(self, job: Job) -> None:
        """Called on the event loop when a child is done with ``job``."""
        with self._shared.lock:
            self.active -= 1
        call, job.call = job.call, None
        if call is not None:
            job.executor.outside(-1)
            if job.failure is not None:
                call.fail(job.failure)
            else:
                call.finish(job.result)
        job.result = job.failure = None
        if job.ended is not None:
            job.ended()

    def hold(self, change: int) -> None:
        shared = self._shared
        with shared.lock:
            shared.holders += change
            if not shared.holders:
                for _ in range(shared.started):
                    shared.queue.put(None)  # look again how long to linger


class Shared:
    """What the children of a pool have in common."""

    def __init__(self, name: str, place: tuple[str, str]) -> None:
        self.name, self.place = name, place
        self.queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.lock = threading.Lock()
        self.started = 0
        self.holders = 0
        self.children: set[subprocess.Popen[bytes]] = set()
        weakref.finalize(self, _end_all, self.children)  # also when the interpreter ends


def _end_all(children: set[subprocess.Popen[bytes]]) -> None:
    for process in list(children):
        _kill(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The process and whatever it started: it leads a session of its own."""
    if process.poll() is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


class Child:
    """One process, started when it is first needed and again after it was killed or has crashed."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._process: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """Called with the pool's lock, while a job runs here."""
        if self._process is not None:
            _kill(self._process)

    def serve(self, pool: Pool) -> None:
        """Runs jobs until nobody holds the pool and nothing comes for a while."""
        shared = self._shared
        while True:
            try:
                job = shared.queue.get(timeout=None if shared.holders else LINGER)
            except queue.Empty:
                with shared.lock:
                    if shared.holders or not shared.queue.empty():
                        continue
                    shared.started -= 1
                break
            if job is None:
                continue
            try:
                self._do(job)
            except Exception as error:
                job.failure = StateError("Lambda.Unknown", f"The process of function {shared.name!r} cannot be used: {error}")
                self._end()
            job.executor.post(lambda job=job: pool.returned(job))
            del job
        self._end()

    def _do(self, job: Job) -> None:
        shared = self._shared
        if job.call is None:
            return
        process = self._ready()
        with shared.lock:
            if job.call is None:
                return
            job.child = self
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(job.request)
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = b""
        finally:
            with shared.lock:  # from here on it cannot be killed for this job any more: the next is safe
                job.child = None
                job.request = b""
        if answer.endswith(b"\n") and process.poll() is None:
            kind, value = msgspec.json.decode(answer)
            if kind == "result":
                job.result = value
            else:
                job.failure = StateError(*value)
            return
        self._end()
        if job.call is not None:
            job.failure = _crashed(process.returncode, job.context)

    def _ready(self) -> subprocess.Popen[bytes]:
        """The process, started if need be."""
        process = self._process
        if process is not None and process.poll() is None:
            return process
        self._end()
        shared = self._shared
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        process = self._process = subprocess.Popen(
            [sys.executable, "-m", "express.tasks.process_worker", *shared.place],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
        shared.children.add(process)
        assert process.stdout is not None
        greeting = process.stdout.readline()
        if not greeting.endswith(b"\n"):
            raise RuntimeError("it ends as soon as it has started; what it says is on stderr")
        if problem := msgspec.json.decode(greeting):
            raise RuntimeError(problem)
        return process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        _kill(process)
        process.wait()
        self._shared.children.discard(process)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was not written will not be
                    pipe.close()


def _crashed(status: int, context: Context | None) -> StateError:
    """A process that ended in the middle of a call, as AWS reports a runtime that did."""
    how = f"signal: {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
    request = context.aws_request_id if context is not None else str(uuid.uuid4())
    payload = json.dumps({"errorMessage": f"RequestId: {request} Error: Runtime exited with error: {how}"}, separators=(",", ":"))
    return StateError(
        "Lambda.Unknown", f"The cause could not be determined because Lambda did not return an error type. Returned payload: {payload}"
    )


def _request(call: Call, payload: Any, context: Context | None) -> bytes:
    """One line for the child: what ``process_worker`` reads."""
    about = None
    if context is not None:
        about = [
            context.function_name,
            context.invoked_function_arn,
            context.execution_id,
            context.state,
            context.attempt,
            context.aws_request_id,
            context.get_remaining_time_in_millis() / 1000,
        ]
    label, compact = getattr(call.binding, "label", call.binding.resource), getattr(call.binding, "compact", False)
    return dumps([payload, about, label, compact]) + b"\n"


def place_of(function: Function[Any]) -> tuple[str, str]:
    """Where a child finds the function: a file or a module, and a name in it. ConfigurationError if it cannot."""
    wrapped = function.wrapped
    name = getattr(wrapped, "__qualname__", "")
    try:
        file = inspect.getsourcefile(wrapped)
    except TypeError:
        file = None
    if not name or "<" in name or file is None or not Path(file).is_file():
        raise ConfigurationError(
            f"function {function.name!r} has run='process', so another process must be able to import it: "
            "expected a function at the top of a Python file"
        )
    module = sys.modules.get(wrapped.__module__)
    spec = getattr(module, "__spec__", None)
    # A module of a package is imported by its name, so that its relative imports work; anything else by its file
    return (spec.name if spec is not None and spec.parent and spec.origin == file else str(Path(file).resolve())), name
