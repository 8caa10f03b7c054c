"""Dead letters in SQS queues, over real HTTP: as from every other kind of place, and nothing stays hidden that was only looked at."""

from __future__ import annotations

import logging

import pytest

from express import addresses, registry
from express.dlq.replaying import send
from express.errors import ConnectionFailed, PipelineStopped
from express.options import SinkOptions
from tests.brokers.aws_server import Queue, Server
from tests.dlq.test_boxes import HEADERS, MESSAGES, Message, Opened, bury, letters

pytestmark = pytest.mark.uvloop_only


@pytest.fixture
def server(moto: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    for name, value in (("ENDPOINT_URL_SQS", moto.url), ("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test")):
        monkeypatch.setenv(f"AWS_{name}", value)
    return moto


def place(queue: Queue) -> str:
    return f"sqs://eu-west-1/{queue.name}"


async def test_a_dead_letter_is_read_back_as_the_original_record_and_its_reasons_and_given_back(server: Server) -> None:
    queue = server.queue()
    many = [*MESSAGES, *(Message(number, b"k", b"{}", []) for number in range(4, 25))]
    await bury(place(queue), many)
    async with Opened(place(queue)) as box:
        found = await letters(box)
        by_execution = {one.reason("execution"): one for one in found}
        assert len(found) == 25
        for message in many:
            one = by_execution[f"orders-0-{message.offset}"]
            assert (one.key, one.value, list(one.headers)) == (message.key, message.value, message.headers)
        first = by_execution["orders-0-0"]
        assert (first.reason("error"), first.reason("first-failure")) == ("Declined", "2026-01-01T00:00:00.000Z")
        assert {one.id for one in await letters(box)} == {one.id for one in found}, "looking changes nothing"
        assert queue.hidden == 25
    assert (queue.waiting, queue.hidden) == (25, 0)


async def test_what_is_removed_is_gone_and_the_rest_stays(server: Server) -> None:
    queue = server.queue()
    await bury(place(queue))
    async with Opened(place(queue)) as box:
        found = [one.id for one in await letters(box)]
        await box.remove(found[:1])
        await box.remove(found[:2])
        assert {one.id for one in await letters(box)} == set(found[2:])
    async with Opened(place(queue)) as box:
        await box.remove(found[2:3])  # without having looked
    assert (queue.waiting, queue.hidden) == (1, 0)


async def test_records_go_back_to_a_queue_with_their_keys_and_headers_and_what_does_not_fit_stays(server: Server) -> None:
    dead, orders = server.queue(), server.queue()
    fits = [Message(0, b"a", b'{"total": 1}', [("trace", b"\xff\x00"), ("tenant", b"7")]), Message(3, None, b"null", [])]
    await bury(place(dead), [*fits, Message(1, b"a", b"{}", HEADERS), Message(2, None, b"\xff", [])])
    async with Opened(place(dead)) as box:
        found = {one.reason("execution")[-1]: one for one in await letters(box)}
        for number, reason in (("1", "the header 'trace' cannot be an attribute"), ("2", "the value is not text")):
            sink = registry.open_sink(addresses.parse(place(orders)), SinkOptions(name="test"))
            with pytest.raises(PipelineStopped, match=reason):
                await send(box, [found[number]], sink, keep=False, sent=lambda count: None)
            await sink.stop()
        sink = registry.open_sink(addresses.parse(place(orders)), SinkOptions(name="test"))
        await send(box, [found["0"], found["3"]], sink, keep=False, sent=lambda count: None)
        await sink.stop()
    assert (dead.waiting, dead.hidden) == (2, 0)
    sent = {message["Body"]: message.get("MessageAttributes", {}) for message in orders.take()}
    assert sent.keys() == {'{"total": 1}', "null"}
    attributes = sent['{"total": 1}']
    assert (attributes["key"]["BinaryValue"], attributes["trace"]["BinaryValue"], attributes["tenant"]["StringValue"]) == (
        b"a", b"\xff\x00", "7",
    )  # fmt: skip
    assert "express-first-failure" in attributes


async def test_what_sqs_itself_has_moved_is_read_as_it_is(server: Server) -> None:
    queue = server.queue()
    attributes = {"express-execution": {"DataType": "String", "StringValue": "a-result-of-another-pipeline"}}
    queue.send({"MessageBody": '{"value": 5}', "MessageAttributes": attributes}, {"MessageBody": "{not json"})
    async with Opened(place(queue)) as box:
        found = {one.value: one for one in await letters(box)}
    assert found.keys() == {b'{"value": 5}', b"{not json"}
    assert list(found[b'{"value": 5}'].headers) == [("express-execution", b"a-result-of-another-pipeline")]
    assert found[b'{"value": 5}'].reasons == {}


async def test_of_a_fifo_queue_it_is_said_that_more_wait(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    queue = server.queue(FifoQueue=True)
    await bury(place(queue), [Message(number, b"k", b"{}", []) for number in range(15)])
    async with Opened(place(queue)) as box:
        with caplog.at_level(logging.WARNING, "express"):
            found = await letters(box)
    if len(found) < 15:  # moto gives more of a group than SQS does
        assert f"about {15 - len(found)} more wait behind these" in caplog.text
    assert (queue.waiting, queue.hidden) == (15, 0)


async def test_a_queue_that_is_not_there_is_a_sentence(server: Server) -> None:
    with pytest.raises(ConnectionFailed, match="there is nothing of this name"):
        async with Opened("sqs://eu-west-1/nowhere"):
            pass
