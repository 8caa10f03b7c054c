"""Dead letters in an SQS queue; a letter's id is its message's. Looking hides messages for as long as it lasts: SQS knows no other way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from express import aws
from express.addresses import Address
from express.dlq.boxes import Box
from express.dlq.letters import Letter, from_line
from express.errors import ConfigurationError, ConnectionFailed
from express.options import Connection

MISSING = ("QueueDoesNotExist", "NonExistentQueue")
BATCH = 10  # what SQS takes and gives at a time
HIDDEN = 120  # seconds for which what was looked at is nobody else's; extended while the box is open
WAIT = 1  # seconds of a long poll, which asks all servers of SQS: an empty answer means that nothing is left
CLOSE_SECONDS = 5.0
OURS = "express-status"  # of every dead letter that Express writes

log = logging.getLogger("express")


def open_box(address: Address, connection: Connection | None) -> Box:
    """``sqs://REGION/QUEUE``, ``sqs://REGION/ACCOUNT/QUEUE`` or ``sqs://CONNECTION/QUEUE``"""
    endpoint, problems = aws.endpoint(address, connection, (), "sqs://eu-west-1/orders-dead")
    if problems:
        raise ConfigurationError(*problems)
    return SqsBox(endpoint)


class Found(msgspec.Struct, frozen=True):
    """A message that is hidden from others while the box is open."""

    sent: int
    handle: str
    letter: Letter


class SqsBox(Box):
    """What was looked at is given back by ``stop``. A look counts as a receive.

    A message that SQS itself has moved here (``redrive:``, a redrive policy) is read as it is: its body, its attributes, no reasons.
    """

    def __init__(self, endpoint: aws.Endpoint) -> None:
        self._endpoint = endpoint
        self._client: Any = None
        self._url = ""
        self._held: dict[str, Found] = {}
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        try:
            await aws.started(self._look_up(), self._endpoint, MISSING)
        except BaseException:
            await self.stop()
            raise
        self._keeping = asyncio.create_task(self._keep(), name="express-dlq-sqs")

    async def _look_up(self) -> None:
        self._client = await self._endpoint.client("sqs")
        owner = {} if self._endpoint.account is None else {"QueueOwnerAWSAccountId": self._endpoint.account}
        self._url = (await self._client.get_queue_url(QueueName=self._endpoint.name, **owner))["QueueUrl"]

    async def _do(self, answer: Awaitable[Any]) -> Any:
        return await aws.started(answer, self._endpoint, MISSING)

    async def letters(self) -> AsyncIterator[Letter]:
        newest: int | None = None  # milliseconds, by SQS's own clock
        while True:
            answer = await self._do(
                self._client.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=BATCH,
                    VisibilityTimeout=HIDDEN,
                    WaitTimeSeconds=WAIT,
                    MessageSystemAttributeNames=["SentTimestamp"],
                    MessageAttributeNames=["All"],
                )
            )
            if newest is None:
                newest = _now(answer)
            messages = answer.get("Messages", ())
            for message in messages:
                found = Found(int(message.get("Attributes", {}).get("SentTimestamp", 0)), message["ReceiptHandle"], _letter(message))
                self._held[message["MessageId"]] = found
            if not messages or all(self._held[message["MessageId"]].sent > newest for message in messages):
                break
        if self._endpoint.name.endswith(".fifo"):
            await self._tell_of_the_rest()
        for found in sorted(self._held.values(), key=lambda found: found.sent):
            if found.sent <= newest:
                yield found.letter

    async def _tell_of_the_rest(self) -> None:
        asked = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages"])
        behind = int((await self._do(asked)).get("Attributes", {}).get("ApproximateNumberOfMessages", 0))
        if behind:
            log.warning("%s: about %d more wait behind these: of a group of a FIFO queue SQS shows the first ones", self._endpoint, behind)

    async def remove(self, ids: Collection[str]) -> None:
        if any(each not in self._held for each in ids):
            async for _ in self.letters():
                pass
        gone = [each for each in ids if each in self._held]
        for begin in range(0, len(gone), BATCH):
            batch = gone[begin : begin + BATCH]
            entries = [{"Id": str(number), "ReceiptHandle": self._held[each].handle} for number, each in enumerate(batch)]
            answer = await self._do(self._client.delete_message_batch(QueueUrl=self._url, Entries=entries))
            for each in answer.get("Successful", ()):
                del self._held[batch[int(each["Id"])]]
            if failed := answer.get("Failed", ()):
                named = ", ".join(batch[int(each["Id"])] for each in failed)
                raise ConnectionFailed(f"{self._endpoint}: not removed: {named} ({failed[0].get('Code')})")

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(HIDDEN / 3)
            with suppress(*aws.FOR_NOW):  # the next time is early enough
                await self._hide(HIDDEN)

    async def _hide(self, seconds: int) -> None:
        handles = [found.handle for found in self._held.values()]
        for begin in range(0, len(handles), BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
                for number, handle in enumerate(handles[begin : begin + BATCH])
            ]
            await self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    async def stop(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
        client = self._client
        if client is not None:
            with suppress(*aws.FOR_NOW):  # what is not given back in time comes back by itself
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._hide(0)
            self._client = None
            await aws.close(client)


def _letter(message: Mapping[str, Any]) -> Letter:
    identity, body = message["MessageId"], message["Body"].encode()
    try:
        found = from_line(identity, body)
    except ValueError:
        found = None
    if found is not None and OURS in found.reasons:
        return found
    key, headers = None, []
    for name, attribute in message.get("MessageAttributes", {}).items():
        content = attribute["BinaryValue"] if "BinaryValue" in attribute else attribute.get("StringValue", "").encode()
        if name == "key":
            key = content
        else:
            headers.append((name, content))
    # Not by ``letter``: that takes what follows an execution's name for reasons, which a result has, too
    return Letter(id=identity, key=key, value=body, headers=tuple(headers), reasons={})


def _now(answer: Mapping[str, Any]) -> int:
    """When SQS answered, by its own clock, which says seconds."""
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return int((parsedate_to_datetime(said).timestamp() if said else time.time()) * 1000) + 999
