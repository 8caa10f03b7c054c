"""Functions that run in processes of their own; ``test_processes`` calls them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

from express.errors import TaskError
from express.tasks.function import function


@function("echo", run="process")
def echo(event: Any, context: Any) -> Any:
    print("a function may print")
    return {
        "event": event,
        "process": os.getpid(),
        "context": [context.function_name, context.state, context.attempt, context.execution_id],
        "milliseconds": context.get_remaining_time_in_millis(),
    }


@function("nap", run="process", concurrency=1)
def nap(event: Any) -> int:
    time.sleep(event)
    return os.getpid()


@function("starter", run="process", concurrency=1)
def starter(event: Any) -> None:
    """Starts a process of its own and hangs; tells which they are in a file. Without a file it only warms up."""
    if not event:
        return
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with open(event, "w") as file:
        file.write(f"{os.getpid()} {child.pid}")
    time.sleep(60)


@function("fails", run="process", concurrency=1)
def fails(event: Any) -> Any:
    match event:
        case "raise":
            raise ValueError("no")
        case "task error":
            raise TaskError("OutOfStock", "no more s1")
        case "exit":
            sys.exit(3)
        case "not json":
            return {1, 2}
        case "nan":
            return float("nan")
        case "large":
            return "a" * 300_000
        case "die":
            os._exit(7)
        case "signal":
            os.kill(os.getpid(), signal.SIGSEGV)
    return event
