"""The sink of an SQS queue keeps the contract over real HTTP; entries that SQS refuses are rejected, what fails for now is sent again."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import orjson
import pytest

from express import addresses
from express.errors import ConfigurationError, ConnectionFailed
from express.options import AwsConnection, SinkOptions
from express.sinks.sqs import SqsSink, open_sink
from tests.brokers.aws_server import KEYS, Queue, Server
from tests.sinks.contract import Answers, Bed, SinkContract, entries

pytestmark = pytest.mark.uvloop_only  # servers that take their time; once is enough


def opened(server: Server, name: str, **options_: bool) -> SqsSink:
    connection = AwsConnection(endpoint=server.url, region="eu-west-1", **KEYS)
    options = SinkOptions(name="test", connection=connection, **options_)
    return open_sink(addresses.parse(f"sqs://eu-west-1/{name}"), options)


class SqsBed(Bed):
    def __init__(self, server: Server) -> None:
        self.server, self.queue = server, server.queue()

    def open(self) -> SqsSink:
        return opened(self.server, self.queue.name)

    async def written(self) -> list[bytes | None]:
        return [message["Body"].encode() for message in await asyncio.to_thread(self.queue.take)]


@pytest.fixture
def bed(elasticmq: Server) -> SqsBed:
    return SqsBed(elasticmq)


class TestElasticMQ(SinkContract):
    async def test_acknowledgements_come_in_batches(self, bed: Bed) -> None:
        answers = await Answers(bed.open()).start()
        answers.sink.put(entries(500))
        await answers.until(500)
        assert len(answers.batches) <= 500 / 80 + 1, "eight requests of ten messages each"
        await answers.sink.stop()


async def one(queue: Queue) -> dict[str, Any]:
    (message,) = await asyncio.to_thread(queue.take)
    return message


@pytest.fixture(params=["moto", "elasticmq"])
def server(request: pytest.FixtureRequest) -> Server:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


async def test_keys_and_headers_are_attributes(server: Server) -> None:
    queue = server.queue()
    answers = await Answers(opened(server, queue.name)).start()
    answers.sink.put(entries(1))
    await answers.until(1)
    message = await one(queue)
    assert message["Body"] == '{"n":0}'
    attributes = {name: each.get("StringValue") or each["BinaryValue"] for name, each in message["MessageAttributes"].items()}
    assert attributes == {"express-execution": "orders-0-0", "express-workflow": "orders", "key": b"key"}
    await answers.sink.stop()


async def test_in_a_fifo_queue_a_key_is_a_group_and_an_execution_is_sent_once(server: Server) -> None:
    queue = server.queue(FifoQueue=True)
    answers = await Answers(opened(server, queue.name)).start()
    answers.sink.put(entries(25))
    await answers.until(25)
    answers.sink.put(entries(25))  # again, as after a crash
    await answers.until(50)
    taken = await asyncio.to_thread(queue.take)
    assert [orjson.loads(message["Body"])["n"] for message in taken] == list(range(25))
    assert {message["Attributes"]["MessageGroupId"] for message in taken} == {"key"}
    await answers.sink.stop()


async def test_in_a_fifo_queue_each_record_of_a_batch_that_failed_is_a_dead_letter(server: Server) -> None:
    queue = server.queue(FifoQueue=True)
    answers = await Answers(opened(server, queue.name, for_dead_letters=True)).start()
    for _ in range(2):  # the second time as after a crash
        failed = entries(3)
        for entry in failed:
            entry.headers = [("express-execution", b"the-batch"), ("express-error", b"States.TaskFailed")]
        answers.sink.put(failed)
        await answers.until(len(answers.acknowledged) + 3)
    taken = await asyncio.to_thread(queue.take)
    assert [orjson.loads(message["Body"])["value"]["n"] for message in taken] == [0, 1, 2]
    await answers.sink.stop()


async def test_a_record_that_came_out_of_a_fifo_queue_is_sent_into_it_again(server: Server) -> None:
    queue = server.queue(FifoQueue=True)
    for number, for_replay in enumerate((False, True, True), 1):
        answers = await Answers(opened(server, queue.name, for_replay=for_replay)).start()
        answers.sink.put(entries(1))
        await answers.until(1)
        await answers.sink.stop()
        assert queue.waiting == number, "what SQS acknowledges and drops would be nowhere"


async def test_a_dead_letter_is_an_envelope_whatever_the_record_was(server: Server) -> None:
    queue = server.queue()
    answers = await Answers(opened(server, queue.name, for_dead_letters=True)).start()
    (entry,) = entries(1)
    entry.value = b"\xff\x00 not JSON"
    entry.headers = [
        ("express-execution", b"orders-0-0"),
        ("express-error", b"Express.Undecodable"),
        ("express-source", b'{"kind":"kafka"}'),
    ]
    answers.sink.put([entry])
    await answers.until(1)
    message = await one(queue)
    letter = orjson.loads(message["Body"])
    assert base64.b64decode(letter["value-base64"]) == entry.value
    assert (letter["key"], letter["express-error"], letter["express-source"]) == ("key", "Express.Undecodable", {"kind": "kafka"})
    assert message["MessageAttributes"]["express-error"]["StringValue"] == "Express.Undecodable"
    await answers.sink.stop()


async def test_characters_that_sqs_does_not_take_are_written_in_another_way(server: Server) -> None:
    queue = server.queue()
    answers = await Answers(opened(server, queue.name)).start()
    (entry,) = entries(1)
    entry.value = '{"text":"\ufffe\uffff"}'.encode()
    answers.sink.put([entry])
    await answers.until(1)
    assert (await one(queue))["Body"] == '{"text":"\\ufffe\\uffff"}'
    await answers.sink.stop()


async def test_an_entry_that_is_too_large_is_rejected_alone(bed: SqsBed) -> None:
    answers = await Answers(bed.open()).start()
    put = entries(5)
    put[2].value = orjson.dumps("x" * 300_000)  # over ElasticMQ's limit,
    put[3].value = orjson.dumps("x" * 1_100_000)  # and over AWS's
    answers.sink.put(put)
    await answers.sink.flush()
    assert len(answers.acknowledged) == 3
    rejected = {entry.message.offset: reason.partition(": ")[2] for entry, reason in answers.rejected}
    assert rejected == {
        2: "InvalidAttributeValue: MessageTooLong",
        3: "a message of 1,100,002 bytes, SQS takes up to 1,048,576",
    }
    await answers.sink.stop()


async def test_what_of_a_batch_failed_for_now_is_sent_again(bed: SqsBed) -> None:
    sink = bed.open()
    answers = await Answers(sink).start()
    send, calls = sink._client.send_message_batch, []

    async def half(QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803 - botocore's names
        calls.append(len(Entries))
        if len(calls) > 1:
            return await send(QueueUrl=QueueUrl, Entries=Entries)
        answer = await send(QueueUrl=QueueUrl, Entries=Entries[::2])
        return {**answer, "Failed": [{"Id": each["Id"], "Code": "InternalError", "SenderFault": False} for each in Entries[1::2]]}

    sink._client.send_message_batch = half
    put = entries(10)
    sink.put(put)
    await answers.until(10)
    assert calls == [10, 5]
    assert sorted(await bed.written(), key=str) == sorted((entry.value for entry in put), key=str)
    assert sorted(map(id, answers.acknowledged)) == sorted(map(id, put)), "each once"
    await sink.stop()


async def test_a_queue_that_does_not_exist_is_a_sentence(moto: Server) -> None:
    sink = opened(moto, "nowhere")
    with pytest.raises(ConnectionFailed, match="there is nothing of this name"):
        await Answers(sink).start()
    await sink.stop()


def test_addresses_of_queues() -> None:
    with pytest.raises(ConfigurationError) as wrong:
        open_sink(addresses.parse("sqs://nowhere/a/b?visibility=9s"), SinkOptions(name="test"))
    assert len(wrong.value.problems) == 3
