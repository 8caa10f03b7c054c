"""The source of an SQS queue keeps both contracts of a source over real HTTP; FIFO groups, partial failures, redrive."""

from __future__ import annotations

import asyncio
import base64
import logging
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from consumers.sqs import SqsSource, open_source
from express import addresses
from express.errors import ConfigurationError, ConnectionFailed
from express.options import AwsConnection, SourceOptions
from tests.brokers.aws_server import KEYS, Server
from tests.commandline import running
from tests.consumers.contract import Reader, numbered, numbers
from tests.consumers.lease_contract import LeaseBed, LeaseContract
from tests.consumers.survival import Place, survive

pytestmark = pytest.mark.uvloop_only  # servers that take their time; once is enough


def opened(server: Server, name: str, visibility: float | None = None, redrive: bool = False) -> SqsSource:
    connection = AwsConnection(endpoint=server.url, region="eu-west-1", **KEYS)
    address = addresses.parse(f"sqs://eu-west-1/{name}" + (f"?visibility={visibility:.0f}s" if visibility else ""))
    source = open_source(address, SourceOptions(name="test", connection=connection, redrive=redrive))
    assert isinstance(source, SqsSource)
    return source


class SqsBed(LeaseBed):
    ordered = keys = fences = False  # a message has attributes of its own; an old receipt still deletes

    def __init__(self, server: Server, lease: float = 2) -> None:
        self.server, self.queue, self.lease = server, server.queue(VisibilityTimeout=30), lease

    async def append(
        self, values: Sequence[bytes], partition: int = 0, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        await asyncio.to_thread(self.queue.send, *({"MessageBody": value.decode()} for value in values))

    def open(self) -> SqsSource:
        return opened(self.server, self.queue.name, self.lease)

    def missing(self) -> SqsSource:
        return opened(self.server, "nowhere")


class TestElasticMQ(LeaseContract):
    @pytest.fixture
    def bed(self, elasticmq: Server) -> SqsBed:
        return SqsBed(elasticmq)


class MotoBed(SqsBed):
    tells = False  # it extends by a receipt of before, too


@pytest.mark.chaos  # minutes, on a quiet machine: moto may take seconds for an answer, and a lease must outlast several
class TestMoto(LeaseContract):
    @pytest.fixture
    def bed(self, moto: Server) -> MotoBed:
        return MotoBed(moto, lease=20)


async def reading(source: SqsSource) -> Reader:
    reader = Reader(source)
    await source.start(reader)
    return reader


def fifo(groups: str, start: int = 0) -> list[dict[str, Any]]:
    """A message for each letter: its group."""
    return [
        {
            "MessageBody": orjson.dumps({"n": start + number}).decode(),
            "MessageGroupId": group,
            "MessageDeduplicationId": f"{start + number}",
        }
        for number, group in enumerate(groups)
    ]


@pytest.fixture(params=["moto", "elasticmq"])
def server(request: pytest.FixtureRequest) -> Server:
    """Both servers: what only one of them accepts is not what SQS does."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


async def test_of_a_fifo_group_one_message_runs_at_a_time_in_order(server: Server) -> None:
    queue = server.queue(FifoQueue=True, VisibilityTimeout=30)
    queue.send(*fifo("aaabbc"))
    reader = await reading(opened(server, queue.name))
    order: list[int] = []
    while len(order) < 6:
        await reader.read(len(order) + 1)
        running = reader.taken[len(order) :]
        groups = [message.key for message in running]
        assert len(groups) == len(set(groups)), "two messages of one group at once"
        order += numbers(running)
        reader.finish(running)
    assert [number for number in order if number < 3] == [0, 1, 2]
    assert [number for number in order if number in (3, 4)] == [3, 4]
    assert await reader.commit()
    assert (queue.waiting, queue.hidden) == (0, 0)
    await reader.source.stop()


async def test_a_slow_message_does_not_hold_up_other_groups(server: Server) -> None:
    queue = server.queue(FifoQueue=True, VisibilityTimeout=30)
    queue.send(*fifo("abbb"))
    reader = await reading(opened(server, queue.name))
    seen: list[int] = []
    while len(seen) < 3:
        for message in reader.taken:
            number = numbers([message])[0]
            if number and number not in seen:
                seen.append(number)
                reader.finish([message])
        reader.take(await reader.fetch(10))
    assert seen == [1, 2, 3]
    await reader.source.stop()


async def test_a_refused_message_stops_its_group_until_it_is_moved_to_the_queue_s_own_dead_letters(server: Server) -> None:
    """redrive: it comes again twice, is moved by the queue's policy, and only then the next one of its group is run."""
    dead = server.queue(FifoQueue=True)
    policy = orjson.dumps({"deadLetterTargetArn": dead.attribute("QueueArn"), "maxReceiveCount": "2"}).decode()
    queue = server.queue(FifoQueue=True, VisibilityTimeout=30, RedrivePolicy=policy)
    queue.send(*fifo("aab"))
    source = opened(server, queue.name, redrive=True)
    reader = await reading(source)
    done: list[int] = []
    tries = 0
    patience = time.monotonic() + 40
    while len(done) < 2:
        assert time.monotonic() < patience, (done, tries)
        before = len(reader.taken)
        reader.take(await reader.fetch(10))
        for message in reader.taken[before:]:
            if numbers([message]) == [0]:
                tries += 1
                source.leases.refuse([message.offset])
            else:
                assert numbers([message]) != [1] or tries == 2, "nothing overtakes the one that failed"
                done += numbers([message])
            reader.finish([message])
        await reader.commit()
    assert (sorted(done), tries) == ([1, 2], 2)
    assert [message["Body"] for message in dead.take()] == ['{"n":0}'], "and nothing else"
    await source.stop()


async def test_redrive_needs_a_policy(server: Server) -> None:
    queue = server.queue(VisibilityTimeout=30)
    source = opened(server, queue.name, redrive=True)
    with pytest.raises(ConnectionFailed, match=f"{queue.name} has no redrive policy"):
        await reading(source)
    await source.stop()


async def test_what_of_a_batch_could_not_be_deleted_is_deleted_with_the_next(server: Server) -> None:
    queue = server.queue(VisibilityTimeout=30)
    queue.send(*({"MessageBody": value.decode()} for value in numbered(10)))
    source = opened(server, queue.name)
    reader = await reading(source)
    reader.finish(await reader.read(10))
    delete = source._client.delete_message_batch

    async def half(QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803 - botocore's names
        answer = await delete(QueueUrl=QueueUrl, Entries=Entries[::2])
        failed = [{"Id": each["Id"], "Code": "InternalError", "SenderFault": False} for each in Entries[1::2]]
        return {**answer, "Failed": failed}

    source._client.delete_message_batch = half
    assert await reader.commit() == [], "not all of it"
    assert source.assignment.tracker.behind() == 5
    source._client.delete_message_batch = delete
    assert await reader.commit()
    assert source.assignment.tracker.behind() == 0
    assert (queue.waiting, queue.hidden) == (0, 0)
    await source.stop()


async def test_a_lease_that_could_not_be_extended_for_now_is_extended_with_the_next_try(moto: Server) -> None:
    queue = moto.queue(VisibilityTimeout=30)
    queue.send(*({"MessageBody": "{}"} for _ in range(4)))
    source = opened(moto, queue.name)
    reader = await reading(source)
    await reader.read(4)
    change = source._client.change_message_visibility_batch

    async def half(QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803 - botocore's names
        failed = [{"Id": each["Id"], "Code": "InternalError", "SenderFault": False} for each in Entries[1::2]]
        return {**await change(QueueUrl=QueueUrl, Entries=Entries[::2]), "Failed": failed}

    source._client.change_message_visibility_batch = half
    with pytest.raises(OSError, match="visibility of 2 messages could not be changed: InternalError"):
        await source._extend(source.leases.held)
    source.leases.refuse([message.offset for message in reader.taken])
    reader.finish(reader.taken)
    assert await reader.commit() == [], "not all of it is given back"
    assert source.assignment.tracker.behind() == 4
    source._client.change_message_visibility_batch = change
    assert await reader.commit()
    assert source.assignment.tracker.behind() == 0
    await source.stop()


async def test_attributes_are_headers_and_the_queue_s_timeout_is_the_lease(server: Server) -> None:
    queue = server.queue(VisibilityTimeout=45)
    attributes = {
        "trace": {"DataType": "String", "StringValue": "4bf9"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\xff\x00"},
        "key": {"DataType": "Binary", "BinaryValue": b"\x00key"},
    }
    queue.send({"MessageBody": '{"n":1}', "MessageAttributes": attributes})
    source = opened(server, queue.name)
    reader = await reading(source)
    assert source.lease_seconds == 45
    (message,) = await reader.read(1)
    assert (message.key, dict(message.headers)) == (b"\x00key", {"trace": b"4bf9", "raw": b"\xff\x00"})
    assert message.receives == 1  # type: ignore[attr-defined]
    await source.stop()


async def test_a_server_that_is_gone_is_waited_for(moto: Server, caplog: pytest.LogCaptureFixture) -> None:
    queue = moto.queue(VisibilityTimeout=30)
    queue.send(*({"MessageBody": value.decode()} for value in numbered(3)))
    source = opened(moto, queue.name)
    reader = await reading(source)
    receive = source._client.receive_message

    async def gone(**settings: Any) -> Any:
        raise OSError("connection refused")

    source._client.receive_message = gone
    with caplog.at_level(logging.INFO, "express"):
        while source.ready():  # however long the server takes for what is asked before
            assert not await reader.fetch(10)
        source._client.receive_message = receive
        await reader.read(3)
    assert [record.getMessage() for record in caplog.records if "receiving" in record.getMessage()] == [
        f"{source.name}: receiving: connection refused; trying again",
        f"{source.name}: receiving works again",
    ]
    await source.stop()


async def test_what_cannot_start_is_a_sentence(moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    for connection, sentence in (
        (AwsConnection(endpoint=moto.url, region="eu-west-1", **KEYS), "there is nothing of this name: create it"),
        (AwsConnection(endpoint="http://127.0.0.1:9", region="eu-west-1", **KEYS), "cannot be reached"),
        (AwsConnection(endpoint=moto.url, region="eu-west-1"), "credentials and region come from"),
        (AwsConnection(endpoint=moto.url, region="eu-west-1", profile="nobody"), "credentials and region come from"),
    ):
        source = open_source(addresses.parse("sqs://eu-west-1/nowhere"), SourceOptions(name="test", connection=connection))
        with pytest.raises(ConnectionFailed, match=sentence) as failed:
            await source.start(Reader(source))
        assert str(failed.value).startswith("sqs://eu-west-1/nowhere")
        assert "\n" not in str(failed.value)
        await source.stop()


def test_addresses_of_queues() -> None:
    options = SourceOptions(name="orders")
    source = open_source(addresses.parse("sqs://eu-west-1/123456789012/orders.fifo?visibility=2m"), options)
    assert isinstance(source, SqsSource)
    assert (source.topic, source.lease_seconds, source._fifo) == ("orders.fifo", 120, True)
    assert (source._endpoint.region, source._endpoint.account) == ("eu-west-1", "123456789012")
    with pytest.raises(ConfigurationError) as wrong:
        open_source(addresses.parse("sqs://nowhere/1/2?visibility=0s&speed=9"), options)
    assert wrong.value.problems == (
        "sqs://nowhere/1/2?visibility=0s&speed=9: sqs has no option 'speed' here: expected connection, visibility",
        "sqs://nowhere/1/2?visibility=0s&speed=9: expected REGION/NAME or REGION/ACCOUNT/NAME, as in sqs://eu-west-1/orders",
        "sqs://nowhere/1/2?visibility=0s&speed=9: expected a region or the name of a connection first, as in sqs://eu-west-1/orders",
        "sqs://nowhere/1/2?visibility=0s&speed=9: visibility: expected 1s to 12h, found '0s'",
    )


class SqsPlace(Place):
    """Credentials and endpoint come from the environment."""

    visibility = 5  # a JVM that has just begun may take a second for an answer

    def __init__(self, folder: Path, server: Server) -> None:
        super().__init__(folder)
        self.events, self.done, self.dead = server.queue(VisibilityTimeout=self.visibility), server.queue(), server.queue()
        self.environment = {
            "AWS_ENDPOINT_URL_SQS": server.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        }  # fmt: skip

    def command(self) -> list[str]:
        place = "sqs://eu-west-1"
        return [
            "--source",
            f"{place}/{self.events.name}",
            "--sink",
            f"{place}/{self.done.name}",
            "--dead-letter",
            f"{place}/{self.dead.name}",
        ]

    def send(self, values: Sequence[bytes]) -> None:
        self.events.send(*({"MessageBody": value.decode()} for value in values))

    def held(self) -> int:
        return self.events.hidden

    def left(self) -> int:
        return self.events.waiting + self.events.hidden

    def sent(self) -> int:
        return self.done.waiting

    def ended(self) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
        results = [(m["MessageAttributes"]["express-execution"]["StringValue"], m["Body"].encode()) for m in self.done.take()]
        letters = [orjson.loads(message["Body"]) for message in self.dead.take()]
        # What is not JSON is kept as base64
        values = [
            base64.b64decode(letter["value-base64"]) if "value-base64" in letter else orjson.dumps(letter["value"]) for letter in letters
        ]
        return results, [(letter["express-execution"], value) for letter, value in zip(letters, values, strict=True)]


@pytest.mark.kills
def test_two_workers_one_of_them_killed_over_and_over_lose_nothing_and_repeat_at_most_what_was_in_flight(
    tmp_path: Path, elasticmq: Server
) -> None:
    survive(SqsPlace(tmp_path, elasticmq))


@pytest.mark.chaos
def test_ten_thousand_messages_five_hundred_at_a_time_run_once_each(tmp_path: Path, elasticmq: Server) -> None:
    """What is in flight is a hundred times what one request may carry: received, extended and deleted in batches, all at the same time."""
    place, count = SqsPlace(tmp_path, elasticmq), 10_000
    place.send([b'{"n":%d}' % number for number in range(count)])
    arguments = ["run", "work.asl.json", "--functions", "functions.py", *place.command(), "--in-flight", "500"]
    began = time.monotonic()
    with running(*arguments, cwd=tmp_path, environment=place.environment) as worker:
        worker.until(lambda: place.left() == 0, "everything was done", 300)
        print(f"{count / (time.monotonic() - began):.0f} messages/s with the start, each of them 0.24 s long on average")
        assert worker.metric('express_leases_lost_total{pipeline="work"}') == 0
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0, worker.stderr
    results, letters = place.ended()
    assert sorted(orjson.loads(value)["n"] for _, value in results) == list(range(count))
    assert letters == []
