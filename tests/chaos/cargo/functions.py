"""The one function of the workflow: takes a moment, raises or hangs as the event says."""

import asyncio
import os
import time

import express


@express.function("square")
async def square(event, context):
    if event.get("raises"):
        raise ValueError(f"as asked: {event['n']}")
    await asyncio.sleep(3600 if event.get("hangs") else event.get("seconds", 0.1))
    return {"n": event["n"], "square": event["n"] ** 2, "by": [os.getpid()]}


failed_once = set()


@express.function("crowd")
async def crowd(event, context):
    """As square, and says who did it, and from when until when: in seconds of the machine's monotonic clock."""
    began = time.monotonic()
    if event.get("raises"):
        raise ValueError(f"as asked: {event['n']}")
    if event.get("fails") == "always":
        raise express.TaskError("Flaky", f"as asked: {event['n']}")
    if event.get("fails") == "once":
        if event["n"] not in failed_once:
            failed_once.add(event["n"])
            raise express.TaskError("Flaky", f"once, as asked: {event['n']}")
        failed_once.discard(event["n"])  # or the soak would find that this grows
    await asyncio.sleep(3600 if event.get("hangs") else event["seconds"])
    said = {"n": event["n"], "square": event["n"] ** 2, "by": [os.getpid(), round(began, 4), round(time.monotonic(), 4)]}
    return said if event["n"] % 1000 != 1 else said | {"tasks": len(asyncio.all_tasks())}


@express.function("stuck", run="thread")
def stuck(event, context):
    """Hangs in a thread, which nothing can end; or returns at once."""
    if event.get("hangs"):
        time.sleep(3600)
    return {"n": event["n"], "square": event["n"] ** 2, "by": [os.getpid()]}
