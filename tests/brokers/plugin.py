"""The pytest fixture ``kafka``: one broker a session whichever kind could be had, topics and groups of their own for each test.

``EXPRESS_TEST_KAFKA``: not set = a real Apache Kafka where java and mvn are found, else librdkafka's mock; ``mock``; or ``host:port`` of
any broker. Tests marked ``kafka_group`` need more than one group member (or what else only a real broker does) and are skipped on the
mock.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from tests.brokers import apache, aws_server, redis_server
from tests.brokers.kafka_bed import Kafka

if TYPE_CHECKING:
    from tests.brokers.secured_kafka import SecuredKafka

CHOICE = os.environ.get("EXPRESS_TEST_KAFKA", "")


def chosen() -> tuple[str, str]:
    """(apache | mock | outside, a description for the report)."""
    if CHOICE and CHOICE != "mock":
        return "outside", f"the broker at {CHOICE} (EXPRESS_TEST_KAFKA)"
    why = "EXPRESS_TEST_KAFKA=mock" if CHOICE else apache.missing()
    if why is None:
        return "apache", f"Apache Kafka {apache.version()}, KRaft, started by the tests"
    return "mock", f"librdkafka's mock cluster, one-member groups only ({why})"


def pytest_report_header() -> list[str]:
    return [f"kafka: {chosen()[1]}", f"redis: {redis_server.missing() or 'started by the tests'}"]


@pytest.fixture(scope="session")
def redis_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis_server.Server]:
    if why := redis_server.missing():
        pytest.skip(why)
    server = redis_server.Server(tmp_path_factory.mktemp("redis"))
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def redis(redis_session: redis_server.Server) -> redis_server.Server:
    """The session's Redis server, empty. A test that kills it need not start it again."""
    if redis_session.process is None:
        redis_session.start()
    redis_session.do("FLUSHALL")
    return redis_session


def _open(kind: str, folder: Path) -> Kafka:
    if kind == "apache" and importlib.util.find_spec("cryptography"):
        from tests.brokers.secured_kafka import SecuredKafka

        return SecuredKafka(folder)
    return Kafka.open(kind, CHOICE, **({"proxied": True} if kind == "apache" else {}))


@pytest.fixture(scope="session")
def kafka_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    kind, _ = chosen()
    if kind == "mock":
        from tests.brokers import mock

        if why := mock.missing():
            pytest.skip(f"no Kafka broker: {apache.missing()}, and {why}")
    bed = _open(kind, tmp_path_factory.mktemp("certificates"))
    try:
        yield bed
    finally:
        bed.close()


@pytest.fixture
def kafka(request: pytest.FixtureRequest, kafka_session: Kafka) -> Iterator[Kafka]:
    """The session's broker. A test that stops it need not start it again."""
    if request.node.get_closest_marker("kafka_group") and kafka_session.kind == "mock":
        pytest.skip("needs a real Kafka broker: librdkafka's mock cluster has groups of one member only")
    yield kafka_session
    kafka_session.mend()


@pytest.fixture
def secured_kafka(kafka: Kafka) -> SecuredKafka:
    """The session's broker by its listeners with TLS and SASL."""
    if not hasattr(kafka, "authority"):
        pytest.skip("needs a Kafka broker with TLS that the tests start themselves, with java and mvn")
    return cast("SecuredKafka", kafka)


@pytest.fixture
def two_brokers() -> Iterator[Kafka]:
    """A real cluster of two, of the test's own: the second may fail while the first, which alone is the controller, goes on."""
    if chosen()[0] != "apache":
        pytest.skip("needs two Kafka brokers that the tests start themselves, with java and mvn")
    bed = Kafka.open("apache", brokers=2, controllers=1)
    try:
        yield bed
    finally:
        bed.close()


@pytest.fixture(scope="session")
def aws_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], aws_server.Server]]:
    """moto's server and ElasticMQ, each started when first asked for."""
    servers: dict[str, aws_server.Server] = {}

    def server(kind: str) -> aws_server.Server:
        if kind not in servers:
            if why := aws_server.missing(kind):
                pytest.skip(why)
            servers[kind] = found = aws_server.Server(kind, tmp_path_factory.mktemp(kind))
            found.start()
        return servers[kind]

    yield server
    for each in servers.values():
        each.stop()


@pytest.fixture
def moto(aws_servers: Callable[[str], aws_server.Server]) -> aws_server.Server:
    return aws_servers("moto")


@pytest.fixture
def elasticmq(aws_servers: Callable[[str], aws_server.Server]) -> aws_server.Server:
    return aws_servers("elasticmq")
