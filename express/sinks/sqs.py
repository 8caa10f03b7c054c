"""Entries in, messages of an SQS queue out, in batches; acknowledged one by one, as SQS answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from express import aws, envelopes
from express.addresses import Address
from express.errors import ConfigurationError
from express.options import SinkOptions
from express.runtime.context import execution_name
from express.sinks import Entry
from express.sinks.batching import BatchingSink

MISSING = ("QueueDoesNotExist", "NonExistentQueue")
BATCH = 10  # messages that SQS takes at a time,
BATCH_BYTES = 256 * 1024  # or so many bytes
LARGEST = 1024 * 1024  # bytes of a message, by far over the payload limit
PARALLEL = 8  # requests at a time
NO_KEY = "express"  # the group of entries without a key in a FIFO queue
ATTRIBUTES = ("express-execution", "express-workflow", "express-error")  # of a dead letter, beside its envelope
MOST_ATTRIBUTES = 10
_ATTRIBUTE = re.compile(r"(?!aws\.|amazon\.)[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII | re.IGNORECASE)
INVALID = {"InvalidMessageContents", "InvalidParameterValue", "InvalidAttributeValue", "BatchRequestTooLong", "MessageTooLong"}  # for ever

Body = Callable[[Entry], str]


def open_sink(address: Address, options: SinkOptions) -> SqsSink:
    """``sqs://REGION/QUEUE``, ``sqs://REGION/ACCOUNT/QUEUE`` or ``sqs://CONNECTION/QUEUE``, results or dead letters."""
    endpoint, problems = aws.endpoint(address, options.connection, (), "sqs://eu-west-1/orders")
    if problems:
        raise ConfigurationError(*problems)
    return SqsSink(endpoint, letter if options.for_dead_letters else result, options.for_replay)


class Unfit(ValueError):  # noqa: N818 - named for what it is
    """What SQS has no place for."""


def result(entry: Entry) -> str:
    try:
        return _text((entry.value or b"null").decode())
    except UnicodeDecodeError:  # no result of a workflow, but a record that is sent again
        raise Unfit("the value is not text, and nothing else may be in a message") from None


def letter(entry: Entry) -> str:
    """A dead letter needs more than a message's ten attributes: one JSON envelope, as in a file."""
    return _text(envelopes.dead_letter(entry).decode().rstrip("\n"))


def _text(body: str) -> str:
    """JSON without the two characters that SQS does not take; within a text they may be written in another way."""
    return body.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


class SqsSink(BatchingSink):
    """A queue. Headers are a message's attributes; of a dead letter they are in its envelope.

    A message of a FIFO queue belongs to the group of its key. For five minutes SQS drops, and acknowledges, what has the deduplication id
    of another one: a result has its execution's name, a dead letter its record's (those of a batch have one execution), and a record that
    is sent again an id of its own, since it may have come out of a FIFO queue just now.
    """

    transient = aws.FOR_NOW
    most = BATCH * PARALLEL

    def __init__(self, endpoint: aws.Endpoint, body: Body, for_replay: bool) -> None:
        super().__init__(str(endpoint))
        self._endpoint, self._body, self._for_replay = endpoint, body, for_replay
        self._fifo = endpoint.name.endswith(".fifo")
        self._client: Any = None
        self._url = ""

    async def _connect(self) -> None:
        await aws.started(self._look_up(), self._endpoint, MISSING)

    async def _look_up(self) -> None:
        self._client = await self._endpoint.client("sqs")
        owner = {} if self._endpoint.account is None else {"QueueOwnerAWSAccountId": self._endpoint.account}
        self._url = (await self._client.get_queue_url(QueueName=self._endpoint.name, **owner))["QueueUrl"]

    async def _write(self, entries: Sequence[Entry]) -> tuple[Collection[int], dict[int, str]]:
        written: set[int] = set()
        refused: dict[int, str] = {}
        messages = []
        for place, entry in enumerate(entries):
            try:
                message = self._message(place, entry)
            except Unfit as error:
                refused[place] = f"{self._endpoint}: {error}"
                continue
            if (size := len(message["MessageBody"].encode())) > LARGEST:
                refused[place] = f"{self._endpoint}: a message of {size:,} bytes, SQS takes up to {LARGEST:,}"
            else:
                messages.append(message)
        batches = list(_batches(messages))
        if self._fifo:  # in order
            for batch in batches:
                await self._send(batch, written, refused)
            return written, refused
        failures = await asyncio.gather(*(self._send(batch, written, refused) for batch in batches), return_exceptions=True)
        if not written and not refused:
            for failure in failures:
                if isinstance(failure, BaseException):
                    raise failure
        return written, refused

    async def _send(self, batch: Sequence[dict[str, Any]], written: set[int], refused: dict[int, str]) -> None:
        try:
            answer = await aws.running(self._client.send_message_batch(QueueUrl=self._url, Entries=batch), self._endpoint, MISSING)
        except ClientError as error:
            if aws.code(error) not in INVALID:
                raise
            if len(batch) == 1:
                refused[int(batch[0]["Id"])] = aws.sentence(error, self._endpoint)
                return
            for message in batch:  # one of them is to blame
                await self._send([message], written, refused)
            return
        written.update(int(each["Id"]) for each in answer.get("Successful", ()))
        for each in answer.get("Failed", ()):
            if each.get("SenderFault"):
                refused[int(each["Id"])] = f"{self._endpoint}: {each.get('Code')}: {each.get('Message', '')}".rstrip(": ")

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        await aws.close(client)

    def _message(self, place: int, entry: Entry) -> dict[str, Any]:
        enveloped = self._body is letter
        given = [(name, content) for name, content in entry.headers if not enveloped or (name in ATTRIBUTES and content)]
        attributes: dict[str, dict[str, Any]] = {}
        for name, content in dict(given).items() if enveloped else given:
            if name in attributes or name == "key" or not _ATTRIBUTE.fullmatch(name) or len(name) > 256 or not content:
                raise Unfit(f"the header {name[:80]!r} cannot be an attribute of a message: those have a value, and a name of its own")
            attributes[name] = _attribute(content, enveloped)
        message = {"Id": str(place), "MessageBody": self._body(entry), "MessageAttributes": attributes}
        key = entry.message.key
        if self._fifo:
            message["MessageGroupId"] = _name(key) if key else NO_KEY
            message["MessageDeduplicationId"] = self._recognised_by(entry)
        elif key:
            attributes["key"] = {"DataType": "Binary", "BinaryValue": key}
        if len(attributes) > MOST_ATTRIBUTES:
            raise Unfit(f"{len(attributes)} headers, a message has at most {MOST_ATTRIBUTES} attributes")
        return message

    def _recognised_by(self, entry: Entry) -> str:
        if self._body is letter:
            return execution_name(entry.message)[:128]
        execution = None if self._for_replay else dict(entry.headers).get("express-execution")
        return uuid4().hex if execution is None else execution.decode()[:128]


def _attribute(content: bytes, always_text: bool) -> dict[str, Any]:
    """Text where it is text that SQS takes, else bytes."""
    text = content.decode(errors="replace")
    if always_text or (text.encode() == content and text.isprintable()):
        return {"DataType": "String", "StringValue": text}
    return {"DataType": "Binary", "BinaryValue": content}


def _name(key: bytes) -> str:
    """A key as the name of a group: at most 128 characters of ASCII."""
    text = key.decode("ascii", errors="ignore")
    return text if text.encode() == key and len(text) <= 128 and text.isprintable() and " " not in text else key.hex()[:128]


def _batches(messages: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for message in messages:
        own = len(message["MessageBody"].encode()) + 512  # with its attributes
        if batch and (len(batch) == BATCH or size + own > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += own
    if batch:
        yield batch
