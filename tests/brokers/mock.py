"""librdkafka's mock cluster, from confluent-kafka's own library: real sockets, errors on request, groups of one member only."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import confluent_kafka

API = {
    "Produce": 0,
    "Fetch": 1,
    "ListOffsets": 2,
    "Metadata": 3,
    "OffsetCommit": 8,
    "OffsetFetch": 9,
    "FindCoordinator": 10,
    "JoinGroup": 11,
    "InitProducerId": 22,
}


def missing() -> str | None:
    return None if _library_path() else "confluent-kafka's librdkafka was not found beside its package"


def version() -> str:
    return str(confluent_kafka.libversion()[0])


def _library_path() -> Path | None:
    package = Path(confluent_kafka.__file__).parent
    found = [*package.parent.glob("confluent_kafka.libs/librdkafka*"), *package.glob(".dylibs/librdkafka*")]
    return found[0] if found else None


class Cluster:
    """The cluster lives in threads of this process. Topics spring up with 4 partitions when somebody names them; ``topic`` makes one of
    another size."""

    def __init__(self, brokers: int = 1) -> None:
        path = _library_path()
        assert path
        self.library: Any = ctypes.CDLL(str(path))
        for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
            getattr(self.library, name).restype = ctypes.c_void_p
        self.library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        text = ctypes.create_string_buffer(512)
        settings = ctypes.c_void_p(self.library.rd_kafka_conf_new())
        self.library.rd_kafka_conf_set(settings, b"log_level", b"2", text, ctypes.c_size_t(512))
        self.client = ctypes.c_void_p(self.library.rd_kafka_new(0, settings, text, ctypes.c_size_t(512)))
        if not self.client.value:
            raise RuntimeError(text.value.decode())
        self.handle = ctypes.c_void_p(self.library.rd_kafka_mock_cluster_new(self.client, brokers))
        self.servers = self.library.rd_kafka_mock_cluster_bootstraps(self.handle).decode()
        self.brokers = brokers
        self.library.rd_kafka_mock_group_initial_rebalance_delay_ms(self.handle, ctypes.c_int32(0))

    def topic(self, name: str, partitions: int) -> None:
        self.library.rd_kafka_mock_topic_create(self.handle, name.encode(), partitions, 1)

    def topic_error(self, name: str, code: int) -> None:
        """Every request about the topic answers with this error (0: works again)."""
        self.library.rd_kafka_mock_topic_set_error(self.handle, name.encode(), code)

    def errors(self, api: str, *codes: int) -> None:
        """The next requests of this kind answer with these errors, one each."""
        array = (ctypes.c_int * len(codes))(*codes)
        self.library.rd_kafka_mock_push_request_errors_array(self.handle, ctypes.c_int16(API[api]), ctypes.c_size_t(len(codes)), array)

    def start(self) -> None:
        for number in range(1, self.brokers + 1):
            self.library.rd_kafka_mock_broker_set_up(self.handle, ctypes.c_int32(number))

    def stop(self, *numbers: int) -> None:
        """Connections are closed and new ones refused, of all brokers or those named (from 0); what was written and committed stays."""
        for number in numbers or range(self.brokers):
            self.library.rd_kafka_mock_broker_set_down(self.handle, ctypes.c_int32(number + 1))

    def silence(self, number: int, milliseconds: int = 60_000) -> None:
        """This broker (from 0) takes connections and requests, and answers after so long."""
        self.library.rd_kafka_mock_broker_set_rtt(self.handle, ctypes.c_int32(number + 1), milliseconds)

    def coordinator(self, group: str, number: int) -> None:
        """Which broker (from 0) coordinates this group."""
        self.library.rd_kafka_mock_coordinator_set(self.handle, b"group", group.encode(), ctypes.c_int32(number + 1))

    def close(self) -> None:
        self.library.rd_kafka_mock_cluster_destroy(self.handle)
        self.library.rd_kafka_destroy(self.client)
