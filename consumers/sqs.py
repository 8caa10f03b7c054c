"""Messages of an SQS queue in, each hidden from others while it is in flight and deleted when it is finished.

Of a FIFO queue one message of a group is run at a time, in order: the next one begins when the one before is finished. One that is given
back, or whose lease is lost, takes those of its group that wait here along, so that nothing overtakes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from consumers.leasing import Leased, LeaseSource
from express import aws, units
from express.addresses import Address
from express.errors import ConfigurationError, ConnectionFailed
from express.options import SourceOptions
from express.sources import Source

MISSING = ("QueueDoesNotExist", "NonExistentQueue")
BATCH = 10  # what SQS takes and gives at a time
PARALLEL = 8  # requests at a time
WAIT = 20  # seconds of a long poll
LONGEST_BACK_OFF = 900  # seconds that a refused message is hidden at most
LOOK_EVERY = 15.0  # seconds between two looks at how many messages wait

# A message is not ours any more: its lease ran out and somebody else has it, or it was deleted
GONE = {"ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight", "InvalidReceiptHandle"}

log = logging.getLogger("express")


def open_source(address: Address, options: SourceOptions) -> Source:
    """``sqs://REGION/QUEUE?visibility=30s&connection=NAME``, also ``sqs://REGION/ACCOUNT/QUEUE`` and ``sqs://CONNECTION/QUEUE``"""
    endpoint, problems = aws.endpoint(address, options.connection, ("visibility",), "sqs://eu-west-1/orders")
    seconds = None
    if "visibility" in address.options:
        try:
            seconds = units.lease(address.options["visibility"], 0)
        except ValueError as error:
            problems.append(f"{address}: visibility: {error}")
    if problems:
        raise ConfigurationError(*problems)
    return SqsSource(endpoint, seconds, options.redrive)


class Receipt(NamedTuple):
    """The right to one message. ``group`` is that of a FIFO queue."""

    handle: str
    group: str | None
    receives: int


class SqsSource(LeaseSource[Receipt]):
    """A queue. Without ``visibility`` its own visibility timeout counts. ``redrive``: failed messages are left to its redrive policy."""

    transient = aws.FOR_NOW

    def __init__(self, endpoint: aws.Endpoint, visibility: float | None = None, redrive: bool = False) -> None:
        super().__init__(endpoint.name, str(endpoint), visibility or 30.0)
        self._endpoint, self._visibility, self._redrive = endpoint, visibility, redrive
        self._client: Any = None
        self._url = ""
        self._fifo = endpoint.name.endswith(".fifo")
        self._most = BATCH  # messages of one request
        self._parallel = 1  # receives at a time: more while each comes back full
        self._busy: dict[str, int] = {}  # group -> the delivery of it that is running
        self._waiting = 0
        self._looked = 0.0

    def _do(self, answer: Awaitable[Any]) -> Awaitable[Any]:
        return aws.running(answer, self._endpoint, MISSING)

    async def _connect(self) -> None:
        await aws.started(self._look_up(), self._endpoint, MISSING)

    async def _look_up(self) -> None:
        self._client = await self._endpoint.client("sqs")
        owner = {} if self._endpoint.account is None else {"QueueOwnerAWSAccountId": self._endpoint.account}
        self._url = (await self._client.get_queue_url(QueueName=self._endpoint.name, **owner))["QueueUrl"]
        attributes = (await self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])).get("Attributes", {})
        if self._visibility is None:
            # 0 would hide nothing
            self.lease_seconds = max(1.0, float(attributes.get("VisibilityTimeout", 30)))
        if self._fifo and "RedrivePolicy" in attributes:
            # What waits here behind one that fails over and over would be counted as received as often as that, and be moved unseen
            self._most = 1
        if self._redrive and "RedrivePolicy" not in attributes:
            raise ConnectionFailed(f"{self._endpoint} has no redrive policy: with redrive: what fails would come again for ever")

    # --- Receiving ----------------------------------------------------------------------------------------------------------------

    async def _receive(self, limit: int) -> Sequence[tuple[Leased, Receipt]]:
        wanted = min(self._parallel, -(-limit // self._most))
        await self._measure()
        answers = await asyncio.gather(*(self._receive_some(limit, wanted, number) for number in range(wanted)), return_exceptions=True)
        received = [message for answer in answers if not isinstance(answer, BaseException) for message in answer]
        if not received:
            for answer in answers:
                if isinstance(answer, BaseException):
                    raise answer
        self._parallel = min(PARALLEL, wanted * 2) if len(received) >= wanted * self._most else max(1, wanted // 2)
        self._waiting = max(0, self._waiting - len(received))
        return received

    async def _receive_some(self, limit: int, requests: int, number: int) -> list[tuple[Leased, Receipt]]:
        answer = await self._do(
            self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=max(1, min(self._most, limit - number * self._most)),
                VisibilityTimeout=int(self.lease_seconds),
                WaitTimeSeconds=WAIT if requests == 1 else 0,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        )
        return [self._record(message) for message in answer.get("Messages", ())]

    def _record(self, message: Mapping[str, Any]) -> tuple[Leased, Receipt]:
        about = message.get("Attributes", {})
        group = about.get("MessageGroupId") if self._fifo else None
        receives = int(about.get("ApproximateReceiveCount", 0))
        key = None if group is None else group.encode()
        headers = []
        for name, attribute in message.get("MessageAttributes", {}).items():
            content = attribute["BinaryValue"] if "BinaryValue" in attribute else attribute.get("StringValue", "").encode()
            if name == "key" and key is None:
                key = content
            else:
                headers.append((name, content))
        record = Leased(
            self.topic, message["MessageId"], message["Body"].encode(), int(about.get("SentTimestamp", 0)), key, headers, receives
        )
        return record, Receipt(message["ReceiptHandle"], group, receives)

    async def _measure(self) -> None:
        """About how many messages wait; asked rarely, and it costs a request."""
        now = asyncio.get_running_loop().time()
        if now >= self._looked:
            self._looked = now + LOOK_EVERY
            answer = await self._do(self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages"]))
            self._waiting = int(answer.get("Attributes", {}).get("ApproximateNumberOfMessages", 0))

    def _take(self, limit: int) -> Sequence[Leased]:
        if not self._fifo:
            return super()._take(limit)
        taken: list[Leased] = []
        left = []
        for record in self._buffer:
            receipt = self.leases.held.get(record.offset)
            if receipt is None:
                continue  # lost
            if len(taken) < limit and receipt.group not in self._busy:
                self._busy[receipt.group or ""] = record.offset
                taken.append(record)
            else:
                left.append(record)
        self._buffer.clear()
        self._buffer.extend(left)
        return taken

    def _settled(self, offsets: Collection[int], refused: bool) -> None:
        if not self._fifo:
            return
        ended = set(offsets)
        for group in [group for group, offset in self._busy.items() if offset in ended]:
            if refused:
                self._withdraw(group)
            del self._busy[group]
        self._news.set()

    def _lose(self, offsets: Collection[int]) -> None:
        groups = {self.leases.held[offset].group for offset in offsets}
        super()._lose(offsets)
        for group in groups - {None}:
            self._withdraw(group)

    def _withdraw(self, group: str | None) -> None:
        """Nothing of the group may overtake the message that is not done: those that wait here are given back."""
        behind = [record.offset for record in self._buffer if self._group(record.offset) == group]
        if behind:
            gone = set(behind)
            left = [record for record in self._buffer if record.offset not in gone]
            self._buffer.clear()
            self._buffer.extend(left)
            self.leases.refuse(behind)

    def _group(self, offset: int) -> str | None:
        receipt = self.leases.held.get(offset)
        return None if receipt is None else receipt.group

    # --- Leases -------------------------------------------------------------------------------------------------------------------

    async def _acknowledge(self, leases: Mapping[int, Receipt]) -> Collection[int]:
        """What could not be deleted, of whichever batch, stays and is tried again."""
        done: list[int] = []

        async def delete(offsets: Sequence[int]) -> None:
            entries = [{"Id": str(offset), "ReceiptHandle": leases[offset].handle} for offset in offsets]
            answer = await self._do(self._client.delete_message_batch(QueueUrl=self._url, Entries=entries))
            done.extend(int(each["Id"]) for each in answer.get("Successful", ()))
            done.extend(int(each["Id"]) for each in answer.get("Failed", ()) if _gone(each))

        failures = await self._each(leases, delete)
        if failures and not done:
            raise failures[0]
        return done

    async def _extend(self, leases: Mapping[int, Receipt]) -> Collection[int]:
        return await self._hide(leases, lambda receipt: int(self.lease_seconds))

    async def _give_back(self, leases: Mapping[int, Receipt]) -> None:
        # The last ones first: while an earlier message of a group is hidden, no later one is given out
        await self._hide(dict(reversed(list(leases.items()))), lambda receipt: 0, parallel=not self._fifo)

    async def _refuse(self, leases: Mapping[int, Receipt]) -> None:
        """What failed waits before it comes again: 1 s, 2 s, 4 s, ... What waited behind it need not."""

        def pause(receipt: Receipt) -> int:
            return min(2 ** min(receipt.receives - 1, 10), LONGEST_BACK_OFF) if receipt.receives else 1

        await self._hide(dict(reversed(list(leases.items()))), pause, parallel=not self._fifo)

    async def _hide(self, leases: Mapping[int, Receipt], seconds: Callable[[Receipt], int], parallel: bool = True) -> list[int]:
        """Sets the time until each is given out again; returns those that are not ours any more."""
        lost: list[int] = []

        async def change(offsets: Sequence[int]) -> None:
            entries = [
                {"Id": str(offset), "ReceiptHandle": leases[offset].handle, "VisibilityTimeout": seconds(leases[offset])}
                for offset in offsets
            ]
            answer = await self._do(self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries))
            failed = answer.get("Failed", ())
            lost.extend(int(each["Id"]) for each in failed if _gone(each))
            if again := [each for each in failed if not _gone(each) and not each.get("SenderFault")]:
                raise OSError(f"the visibility of {len(again)} messages could not be changed: {again[0].get('Code')}")

        if failures := await self._each(leases, change, PARALLEL if parallel else 1):
            raise failures[0]
        return lost

    async def _each(
        self, leases: Iterable[int], send: Callable[[Sequence[int]], Awaitable[None]], parallel: int = PARALLEL
    ) -> list[BaseException]:
        """Batches of ten, several at a time; what failed."""
        offsets = list(leases)
        batches = [offsets[start : start + BATCH] for start in range(0, len(offsets), BATCH)]
        failures: list[BaseException] = []
        for start in range(0, len(batches), parallel):
            answers = await asyncio.gather(*map(send, batches[start : start + parallel]), return_exceptions=True)
            failures += [answer for answer in answers if isinstance(answer, BaseException)]
        return failures

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        await aws.close(client)

    def lag(self) -> Mapping[tuple[str, int], int]:
        """About how many messages wait, as SQS has it."""
        return {(self.topic, 0): self._waiting + len(self._buffer)}


def _gone(failed: Mapping[str, Any]) -> bool:
    return str(failed.get("Code", "")).rpartition(".")[2] in GONE
