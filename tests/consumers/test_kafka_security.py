"""Kafka with TLS, client certificates and SASL: pipelines by named connection on a real broker; a sentence for each way to be refused."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import SaslAuthenticateRequest

from express import addresses, kafka, kafka_access, worker
from express.cli import _explain
from express.cli.exits import Exit
from express.config import load
from express.errors import ConnectionFailed
from express.options import KafkaConnection

pytest.importorskip("cryptography")
from tests.brokers.secured_kafka import PASSWORD, USER, SecuredKafka

pytestmark = [pytest.mark.kafka, pytest.mark.kafka_group, pytest.mark.uvloop_only]

WORKFLOW = {"StartAt": "Seen", "States": {"Seen": {"Type": "Pass", "Parameters": {"seen.$": "$"}, "End": True}}}


def configured(folder: Path, connection: dict[str, Any], topic: str, done: str, log: str = "info") -> Path:
    """A configuration as somebody writes it: the password in a file of its own."""
    (folder / "work.asl.json").write_text(json.dumps(WORKFLOW))
    (folder / "password").write_text(f"{connection.pop('password', '')}\n")
    if "username" in connection:
        connection["password"] = {"file": str(folder / "password")}
    settings = {
        "workflows": {"work": {"definition": "work.asl.json"}},
        "connections": {"events": {"kafka": connection}},
        "pipelines": [{"source": f"kafka://events/{topic}?group=g-{topic}", "workflow": "work", "sink": f"kafka://events/{done}"}],
        "ops": {"listen": "127.0.0.1:0"},
        "log": {"level": log, "format": "text"},
    }
    path = folder / "express.yaml"
    path.write_text(json.dumps(settings))
    return path


def credentials(mechanism: str, password: str = PASSWORD) -> dict[str, str]:
    return {"mechanism": mechanism, "username": USER, "password": password}


@pytest.mark.parametrize("way", ["SSL", "MUTUAL", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_a_pipeline_reads_and_writes_over_a_secured_connection(secured_kafka: SecuredKafka, tmp_path: Path, way: str) -> None:
    bed = secured_kafka
    ca = {"ca": str(bed.authority.file)}
    connection = {
        "SSL": {"servers": [bed.at("SSL")], "security": "SSL", **ca},
        "MUTUAL": {
            "servers": [bed.at("MUTUAL")], "security": "SSL", "certificate": str(bed.certificate), "key": str(bed.key), **ca,
        },
    }.get(way) or {"servers": [bed.at("SASL_SSL")], "security": "SASL_SSL", **ca, **credentials(way)}  # fmt: skip
    topic, done = bed.topic(), bed.topic()
    bed.produce(topic, [(b"k", b'{"n":%d}' % number) for number in range(20)])
    one = worker.Worker(load(configured(tmp_path, connection, topic, done), {}))
    running = asyncio.create_task(one.run())
    async with asyncio.timeout(40):
        while one.parts[0].metrics.results < 20 and not running.done():
            await asyncio.sleep(0.02)
        one.stop()
        await running
    assert [record.value for record in bed.read(done)] == [b'{"seen":{"n":%d}}' % number for number in range(20)]
    assert bed.committed(f"g-{topic}", topic, [0]) == {0: (20, "")}


def refused(bed: SecuredKafka) -> dict[str, tuple[dict[str, Any], str]]:
    """What somebody got wrong, and the whole sentence."""
    ssl, sasl, ca = bed.at("SSL"), bed.at("SASL_SSL"), {"ca": str(bed.authority.file)}
    elsewhere, plain = bed.at("SASL_SSL", "localhost"), bed.at("SASL_PLAINTEXT")
    untrusted = "is not trusted (unable to get local issuer certificate): the connection's ca names the authority that signed it"
    mismatch = "is for another host (Hostname mismatch, certificate is not valid for 'localhost'): use a name that is in it"
    not_offered = "does not take SCRAM-SHA-512 with SASL_PLAINTEXT: the connection's security and mechanism are its listener's"
    return {
        "a wrong password": (
            {"servers": [sasl], "security": "SASL_SSL", **ca, **credentials("SCRAM-SHA-512", "guessed")},
            f"{sasl} refused the connection's username and password",
        ),
        "an unknown user": (
            {"servers": [sasl], "security": "SASL_SSL", **ca, **credentials("SCRAM-SHA-256"), "username": "nobody"},
            f"{sasl} refused the connection's username and password",
        ),
        "a wrong password in the clear": (
            {"servers": [sasl], "security": "SASL_SSL", **ca, **credentials("PLAIN", "guessed")},
            f"{sasl} refused the connection's username and password",
        ),
        "another authority": (
            {"servers": [ssl], "security": "SSL", "ca": str(bed.stranger.file)},
            f"the certificate of {ssl} {untrusted}",
        ),
        "no authority": (
            {"servers": [ssl], "security": "SSL"},
            f"the certificate of {ssl} {untrusted}",
        ),
        "another host": (
            {"servers": [elsewhere], "security": "SASL_SSL", **ca, **credentials("SCRAM-SHA-512")},
            f"the certificate of {elsewhere} {mismatch}",
        ),
        "no certificate of one's own": (
            {"servers": [bed.at("MUTUAL")], "security": "SSL", **ca},
            f"{bed.at('MUTUAL')} hung up: its listener expects another security than SSL or a certificate",
        ),
        "a mechanism that is not offered": (
            {"servers": [plain], "security": "SASL_PLAINTEXT", **credentials("SCRAM-SHA-512")},
            f"{plain} {not_offered}",
        ),
        "no credentials": (
            {"servers": [sasl], "security": "SSL", **ca},
            f"{sasl} hung up: its listener expects another security than SSL or a certificate",
        ),
        "nothing secured": (
            {"servers": [ssl]},
            f"{ssl} hung up: its listener expects another security than PLAINTEXT",
        ),
    }  # fmt: skip


async def test_whoever_is_refused_is_told_why_in_one_sentence(
    secured_kafka: SecuredKafka, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "aiokafka")
    topic = secured_kafka.topic()
    for what, (connection, sentence) in refused(secured_kafka).items():
        began = time.monotonic()
        one = worker.Worker(load(configured(tmp_path, connection, topic, secured_kafka.topic()), {}))
        with pytest.raises(ConnectionFailed) as failed:
            await one.run()
        assert _explain(failed.value) == (Exit.UNAVAILABLE, sentence), what
        # Its own deadlines, however busy the machine: for all steps together, and for asking once more
        assert time.monotonic() - began < kafka.CONNECT_SECONDS + kafka_access.ANSWER_SECONDS, what
    assert PASSWORD not in caplog.text
    assert "guessed" not in caplog.text


async def test_a_broker_that_speaks_no_tls_is_told_apart_from_one_that_is_not_there(secured_kafka: SecuredKafka, tmp_path: Path) -> None:
    connection = {"servers": [secured_kafka.servers], "security": "SSL", "ca": str(secured_kafka.authority.file)}
    with pytest.raises(ConnectionFailed, match=f"^{secured_kafka.servers} does not speak TLS as this connection wants it"):
        await worker.Worker(load(configured(tmp_path, connection, "orders", "done"), {})).run()


def test_a_broker_that_stands_still_keeps_no_connection_open_after_the_end(secured_kafka: SecuredKafka) -> None:
    """With TLS both sides say goodbye; uvloop fails when it is closed over a transport that still waits for the other's."""
    connection = KafkaConnection(servers=(secured_kafka.at("SSL"),), security="SSL", ca=str(secured_kafka.authority.file))
    endpoint = kafka.endpoint(addresses.parse("kafka://events/orders"), connection, "test")

    async def connected_and_left_alone() -> None:
        client = AIOKafkaClient(**endpoint.client)
        await client.bootstrap()
        await client.ready(client.get_random_node())
        lines = kafka.lines(client)
        assert lines
        with secured_kafka.frozen():
            assert not await kafka.within(0.1, client.close()), "the broker says nothing"
            await kafka.abandon((), client, lines, 0.1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(connected_and_left_alone())


def test_neither_passwords_nor_events_are_in_the_logs_even_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    """With PLAIN the password travels as it is, and aiokafka writes at debug what it sends and receives."""
    kafka.spare()
    caplog.set_level(logging.DEBUG, "aiokafka")
    request = SaslAuthenticateRequest(f"\0{USER}\0{PASSWORD}".encode()).prepare({36: (0, 1)})
    assert PASSWORD in repr(request), "this is what would be written"
    logging.getLogger("aiokafka.conn").debug("Request to %s:%d %d: %s, as a test", "127.0.0.1", 9092, 1, request)
    (line,) = [record.getMessage() for record in caplog.records if "as a test" in record.getMessage()]
    assert line.startswith("Request to 127.0.0.1:9092 1: SaslAuthenticateRequest")
    assert PASSWORD not in line


async def test_a_name_that_does_not_resolve_is_not_taken_for_a_refusal(tmp_path: Path) -> None:
    connection = {"servers": ["nowhere.invalid:9093"], "security": "SASL_SSL", **credentials("SCRAM-SHA-512")}
    with pytest.raises(ConnectionFailed, match=r"^no Kafka broker answers at nowhere.invalid:9093$"):
        await worker.Worker(load(configured(tmp_path, connection, "orders", "done"), {})).run()
