"""A chat in which people are asked, played by a thread: what costs over 10,000 is refused, everything else approved."""

from __future__ import annotations

import threading
from typing import Any

import express
from express.callbacks import Callbacks

callbacks = Callbacks()


@express.function("ask")
def ask(event: dict[str, Any]) -> None:
    """Posts the question and returns: the workflow waits, nothing else does."""
    threading.Timer(0.05, answer, (event["token"], event["text"])).start()


def answer(token: str, text: str) -> None:
    """What a webhook of the chat would do when somebody presses a button; over the API it is SendTaskSuccess and SendTaskFailure."""
    amount = float(text.rpartition(" ")[2])
    if amount > 10_000:
        callbacks.fail(token, "Refused", "nobody may spend that much")
    else:
        callbacks.succeed(token, {"by": "grace"})


@express.function("pay")
def pay(event: dict[str, Any]) -> str:
    return f"paid {event['amount']} for {event['what']}"
