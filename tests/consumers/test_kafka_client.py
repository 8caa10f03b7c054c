"""What aiokafka does that the Kafka source and sink are built around (docs/kafka.md). A test that fails here after an upgrade says that a
precaution may have become unnecessary, or is no longer enough."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import aiokafka
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition, errors
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from consumers.kafka_member import Membership
from express.kafka import Endpoint, InvalidRecordError
from tests.brokers.kafka_bed import Kafka

pytestmark = pytest.mark.uvloop_only


def test_it_is_the_version_that_was_read() -> None:
    assert aiokafka.__version__.startswith("0.14.")


def test_its_unsafe_defaults_are_all_overruled() -> None:
    unsafe = {name: parameter.default for name, parameter in inspect.signature(AIOKafkaConsumer).parameters.items()}
    assert (unsafe["enable_auto_commit"], unsafe["auto_offset_reset"], unsafe["isolation_level"]) == (True, "latest", "read_uncommitted")
    endpoint = Endpoint("orders", "h:9092", {"bootstrap_servers": ["h:9092"]})
    for start, reset in {"earliest": "earliest", "latest": "earliest", "none": "none"}.items():
        membership = Membership(endpoint=endpoint, group="g", start=start, session_seconds=30.0, drain_seconds=20.0)
        ours = membership.settings(StickyPartitionAssignor)
        assert (ours["enable_auto_commit"], ours["auto_offset_reset"], ours["isolation_level"]) == (False, reset, "read_committed")
        assert ours["rebalance_timeout_ms"] == 30_000
        assert ours["session_timeout_ms"] == 30_000
        assert ours["heartbeat_interval_ms"] * 3 <= ours["session_timeout_ms"]
        assert ours["fetch_max_wait_ms"] <= 100, "an empty partition would hold back a full one for so long"
        assert (ours["max_partition_fetch_bytes"], ours["fetch_max_bytes"]) == (1 << 20, 16 << 20)
        assert (unsafe["connections_max_idle_ms"], ours["connections_max_idle_ms"]) == (540_000, 10_000), "the other end may be gone"
        assert "group_instance_id" not in ours, "a static member does not leave its group"
        assert ours["request_timeout_ms"] >= ours["rebalance_timeout_ms"] + 10_000, "a join waits for the slowest member"


def test_every_row_of_the_table_names_tests_that_exist() -> None:
    """docs/kafka.md: each trap has a test, or says why it needs none."""
    project = Path(__file__).parent.parent.parent
    rows = re.findall(r"^\| .* \| (.*) \|$", (project / "docs" / "kafka.md").read_text(), re.MULTILINE)
    named = []
    for row in rows:
        file = ""
        for text in re.findall(r"`([^`]+)`", row):
            file, _, part = text.rpartition(": ") if ": " in text else (file, "", text)
            if file:  # otherwise a whole file is named
                named.append((file, part))
    assert len(named) > 40
    for file, part in named:
        path = project / ("" if file.startswith("tests/") else "tests/consumers") / f"{file}.py"
        assert re.search(rf"def test_\w*{part}", path.read_text()), f"{file}: {part}"


async def test_a_poll_that_raises_or_is_cancelled_counts_as_running_for_ever() -> None:
    subscription = SubscriptionState()
    with pytest.raises(KeyError), subscription.fetch_context():
        raise KeyError
    assert subscription._fetch_count == 1
    assert subscription.fetcher_idle_time == 0


def test_the_sticky_assignor_remembers_for_the_whole_process_and_is_never_told_the_generation() -> None:
    class Mine(StickyPartitionAssignor):  # type: ignore[misc]
        member_assignment = None

    class Assigned:
        def partitions(self) -> list[TopicPartition]:
            return [TopicPartition("orders", 0)]

    Mine.on_assignment(Assigned())
    assert StickyPartitionAssignor.member_assignment is None, "each consumer has a class of its own"
    assert "on_generation_assignment" not in inspect.getsource(GroupCoordinator)


@pytest.mark.kafka
async def test_committed_drops_the_metadata_and_the_coordinator_keeps_it(kafka: Kafka) -> None:
    topic, group = kafka.topic(), kafka.group()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.servers, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        text = "m" * 4096
        await consumer.commit({partition: (0, text)})
        assert await consumer.committed(partition) == 0
        assert await consumer._coordinator.fetch_committed_offsets([partition]) == {partition: (0, text)}
    finally:
        await consumer.stop()


def test_which_connections_are_made_where_any_broker_would_do_and_how_long_one_may_take() -> None:
    """express/kafka_silence.py tells metadata, for which another broker will do, by the missing group."""
    assert "conn = await self._get_conn(node_id)\n" in inspect.getsource(AIOKafkaClient._metadata_update)
    assert "await self._get_conn(node_id, group=group)" in inspect.getsource(AIOKafkaClient.ready)
    assert "node_id = self.get_random_node()" in inspect.getsource(AIOKafkaClient.coordinator_lookup)
    making = inspect.getsource(AIOKafkaClient._get_conn)
    before, _, _ = making.partition("request_timeout_ms=self._request_timeout_ms")
    assert before.count("await ") == 1, "that of create_conn() itself: the patience is read before anything is waited for"
    assert "async with self._get_conn_lock:" in before, "a null context there"


def test_a_paused_partition_loses_its_buffer_when_it_is_asked_for() -> None:
    source = inspect.getsource(FetchResult.check_assignment)
    assert "tp_state.paused" in source
    assert "self._partition_records = None" in source


def test_a_poll_in_a_rebalance_waits_for_its_end_without_a_limit() -> None:
    assert "await self._subscriptions.wait_for_assignment()" in inspect.getsource(Fetcher.fetched_records)


def test_errors_that_it_has_no_class_for_would_not_be_told_apart() -> None:
    assert errors.for_code(87) is InvalidRecordError
    assert errors.for_code(123_456) is errors.UnknownError


def test_records_are_made_where_ours_take_over() -> None:
    assert "self._consumer_record(tp, record)" in inspect.getsource(PartitionRecords._unpack_records)
    assert "for msg in self._partition_records" in inspect.getsource(FetchResult.getall)
