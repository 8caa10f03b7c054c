"""The one function of the workflow: takes a moment, raises or hangs as the event says."""

import asyncio
import time

import express


@express.function("square")
async def square(event, context):
    if event.get("raises"):
        raise ValueError(f"as asked: {event['n']}")
    await asyncio.sleep(3600 if event.get("hangs") else event.get("seconds", 0.1))
    return {"n": event["n"], "square": event["n"] ** 2}


@express.function("stuck", run="thread")
def stuck(event, context):
    """Hangs in a thread, which nothing can end; or returns at once."""
    if event.get("hangs"):
        time.sleep(3600)
    return {"n": event["n"], "square": event["n"] ** 2}
